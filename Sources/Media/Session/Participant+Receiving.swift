// Media that a participant sends: authenticated, counted, put into its stream's ring and left for forwarding.

import Base
import Crypto
import Wire

extension Participant {
    /// A datagram that looks like RTP. Returns the slot that is free for the next datagram: the same one, or another
    /// when the packet was kept.
    func receiveMedia(_ slot: PacketSlab.Slot, _ count: Int, now: Instant, engine: MediaEngine) -> PacketSlab.Slot {
        let room = engine.slab[slot]
        let bytes = UnsafeMutableRawBufferPointer(rebasing: room[..<count])
        guard let header = try? RTPHeader(parsing: RawSpan(_unsafeBytes: UnsafeRawBufferPointer(bytes))) else {
            counters.malformed &+= 1
            return slot
        }
        guard let index = sources.find(header.ssrc) else { return receiveUnknown(slot, bytes, header, now, engine) }
        let verdict =
            receiver?.unprotectRTP(
                room, count: count, headerLength: Int(header.headerLength), ssrc: header.ssrc,
                sequenceNumber: header.sequenceNumber, window: &sources.sources[index].window) ?? .forged
        guard let plain = accept(verdict) else { return slot }
        return take(slot, plain, header, sources.sources[index], now, engine)
    }

    private func accept(_ verdict: SRTPVerdict) -> Int? {
        switch verdict {
        case .plain(let count): return count
        case .replayed: counters.replayed &+= 1
        case .forged: counters.forged &+= 1
        case .tooShort: counters.malformed &+= 1
        }
        return nil
    }

    /// From a source that is not known yet: nothing is remembered of it before its packet was authenticated and says
    /// where it belongs.
    private func receiveUnknown(
        _ slot: PacketSlab.Slot, _ bytes: UnsafeMutableRawBufferPointer, _ header: RTPHeader, _ now: Instant,
        _ engine: MediaEngine
    ) -> PacketSlab.Slot {
        guard sources.count < engine.settings.limits.sourcesPerParticipant else {
            counters.unknownSource &+= 1
            return slot
        }
        var window = sources.startWindow(header.ssrc)
        let verdict =
            receiver?.unprotectRTP(
                engine.slab[slot], count: bytes.count, headerLength: Int(header.headerLength), ssrc: header.ssrc,
                sequenceNumber: header.sequenceNumber, window: &window) ?? .forged
        guard let plain = accept(verdict) else { return slot }
        notePeerHasKeys()
        let packet = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes)[..<plain])
        guard let found = identify(header, RawSpan(_unsafeBytes: packet), now) else {
            counters.unknownSource &+= 1
            return slot
        }
        let source = Source(layer: found.layer, isRepair: found.isRepair, window: window)
        sources.add(header.ssrc, source)
        return take(slot, plain, header, source, now, engine)
    }

    // MARK: A plain packet

    private func take(
        _ slot: PacketSlab.Slot, _ count: Int, _ header: RTPHeader, _ source: Source, _ now: Instant,
        _ engine: MediaEngine
    ) -> PacketSlab.Slot {
        let packet = RawSpan(
            _unsafeBytes: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(engine.slab[slot])[..<count]))
        let reading = RTPExtensionReading(reading: packet, header: header, map: extensionMap)
        if reading.hasTransportSequence {
            noteForFeedback(reading.transportSequence, now)
        } else if reading.hasAbsoluteSendTime {
            receiveLimit?.onPacket(sendTime: reading.absoluteSendTime, size: count, now: now)
        }
        guard let padding = header.paddingLength(in: packet) else {
            counters.malformed &+= 1
            return slot
        }
        let layer = source.layer
        var start = Int(header.headerLength)
        var length = count &- start &- padding
        var type = header.payloadType
        let sequence: ExtendedSequence
        if source.isRepair {
            // RFC 4588 §4: the original's number, then its payload. Padding alone is a probe of the publisher's.
            guard length >= 2, let original = layer.track.payloadType(repairedBy: type) else { return slot }
            sequence = layer.reception.extend(packet.uint16(start))
            start &+= 2
            length &-= 2
            type = original
            layer.counters.retransmissions &+= 1
        } else {
            sequence = layer.reception.receive(header, byteCount: count, now: now)
        }
        layer.counters.packets &+= 1
        layer.counters.bytes &+= UInt64(length)
        noteArrival(layer, sequence, now)
        // Counted and reported on like any other, so that its sender's congestion control goes on; nobody gets it.
        guard !layer.track.isHeld else { return slot }
        let payload = packet.extracting(start..<(start &+ length))
        guard let frame = layer.frame(type, sequence, payload, packet, reading) else {
            counters.malformed &+= 1
            return slot
        }
        layer.meter.add(length, spatial: frame.spatial, temporal: frame.temporal)
        var input = ForwardInput(
            simulcastLayer: layer.index, sequence: sequence, timestamp: header.timestamp, marker: header.marker,
            frame: frame, arrival: now, payloadLength: length, senderClock: layer.clockOffset)
        if reading.hasAudioLevel { input.isSilenced = !room.hears(self, level: reading.audioLevel, now: now) }
        let record = PacketRecord(
            input: input, slot: slot, payloadStart: UInt16(truncatingIfNeeded: start), payloadType: type,
            extensions: reading)
        return keep(record, in: layer, now, engine)
    }

    private func noteArrival(_ layer: PublishedLayer, _ sequence: ExtendedSequence, _ now: Instant) {
        guard layer.track.isRepairable else { return }
        if layer.missing.receive(sequence, now: now) != .next, layer.missing.takeKeyframeWish() {
            layer.keyframes.want(now: now)
            wakeForRepair(at: layer.keyframes.deadline)
        }
        wakeForRepair(at: layer.missing.deadline)
    }

    private func wakeForRepair(at deadline: Instant?) {
        guard let deadline else { return }
        dueWithMedia = dueWithMedia.earlier(deadline)
        wake(at: deadline)
    }

    private func noteForFeedback(_ number: SequenceNumber, _ now: Instant) {
        feedback?.record(number, now: now)
        guard let due = feedback?.deadline else { return }
        dueWithMedia = dueWithMedia.earlier(due)
        wake(at: due + Self.patience)
    }

    /// The packet stays where it is; another slot takes its place at the socket.
    private func keep(
        _ record: PacketRecord, in layer: PublishedLayer, _ now: Instant, _ engine: MediaEngine
    ) -> PacketSlab.Slot {
        if record.input.frame.isKeyframe {
            layer.keyframes.keyframeCame()
            layer.missing.keyframe(at: record.sequence)
        }
        guard let free = engine.takeSlot(for: layer) else {
            counters.noSlot &+= 1
            return record.slot
        }
        switch layer.ring.insert(record) {
        case .kept: break
        case .replaced(let old): engine.slab.release(old)
        case .refused:
            engine.slab.release(free)
            return record.slot
        }
        engine.pend(PendingPacket(layer: layer.index, sequence: record.sequence), of: layer.track)
        return free
    }
}

extension PublishedLayer {
    /// `nil` for a payload that is none of the codec's, or a descriptor of a structure that is not there.
    fileprivate func frame(
        _ type: UInt8, _ sequence: ExtendedSequence, _ payload: RawSpan, _ packet: RawSpan,
        _ reading: borrowing RTPExtensionReading
    ) -> VideoFrameInfo? {
        guard track.kind == .video, payload.byteCount > 0 else { return VideoFrameInfo() }
        guard let codec = track.videoCodec(of: type) else { return nil }
        guard let element = reading[.dependencyDescriptor] else {
            return try? VideoFrameInfo.read(codec, payload: payload, descriptor: nil, structure: &structure)
        }
        let descriptor = packet.extracting(element.range)
        guard sequence >= structureSince else {
            // A repeated packet of before: what it brings must not take the place of what is newer.
            var old = structure
            return try? VideoFrameInfo.read(codec, payload: payload, descriptor: descriptor, structure: &old)
        }
        let frame = try? VideoFrameInfo.read(codec, payload: payload, descriptor: descriptor, structure: &structure)
        if frame?.hasStructure == true { structureSince = sequence }
        return frame
    }

    /// Of a packet that another shard has read: what its descriptor brings for those after it.
    func learnStructure(of record: PacketRecord, _ packet: RawSpan) {
        guard record.sequence >= structureSince, let element = record.extensions[.dependencyDescriptor],
            element.range.upperBound <= packet.byteCount,
            (try? DependencyDescriptor(parsing: packet.extracting(element.range), structure: &structure)) != nil,
            record.input.frame.hasStructure
        else { return }
        structureSince = record.sequence
    }
}
