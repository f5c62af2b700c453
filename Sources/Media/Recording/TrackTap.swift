// The tap on one track: what of a batch goes into the pipe. Nothing here is asked for while nobody records.

import Base
import Wire

final class TrackTap {
    /// Layers of one track that can be heard.
    static let layerLimit: UInt8 = 4

    let number: UInt32
    let pipe: TapPipe
    private var layers = TapLayers()
    /// Of the rates that the layer was chosen by.
    private var version: UInt32 = 0
    /// The stream that the last report was of.
    private var reportedStream = -1
    /// Packets that found no room, and when the first of them came.
    private(set) var unsaid: UInt32 = 0
    private var unsaidSince = Instant(nanoseconds: 0)
    /// Keyframes because of gaps are asked for no sooner.
    private var nextWish = Instant(nanoseconds: 0)
    /// Keyframes are large, and a reader that cannot keep up is not to cost the call its picture. Longer leaves more of the
    /// recording without one.
    private static let wishInterval = Duration.seconds(2)

    init(number: UInt32, pipe: TapPipe) {
        self.number = number
        self.pipe = pipe
    }

    // MARK: Packets

    /// What the batch brought, as it was found for the subscribers.
    func take(_ track: PublishedTrack, now: Instant, engine: MediaEngine) {
        if track.flowingVersion != version { chooseLayer(of: track, now: now) }
        var swept: UInt8?
        for index in 0..<track.recordCount {
            let record = track.records[index]
            let number = record.pointee.input.simulcastLayer
            guard number != swept, let layer = track.layer(number) else { continue }
            switch answer(record, layer, track) {
            case .take: push(record, layer, now, engine)
            case .pass: break
            case .change:
                change(to: layer, from: record.pointee.sequence, now, engine)
                swept = number
            }
        }
    }

    @inline(__always)
    private func answer(
        _ record: UnsafePointer<PacketRecord>, _ layer: PublishedLayer, _ track: PublishedTrack
    ) -> TapLayers.Answer {
        guard layer.index < Self.layerLimit else { return .pass }
        let frame = record.pointee.input.frame
        return layers.answer(
            layer.index, stream: layer.stream, record.pointee.sequence,
            beginsKeyframe: frame.isKeyframe && frame.startsFrame && record.pointee.input.payloadLength > 0)
    }

    /// From a keyframe on, with what overtook its first packet: all of that is in the ring.
    private func change(
        to layer: PublishedLayer, from first: ExtendedSequence, _ now: Instant, _ engine: MediaEngine
    ) {
        let newest = min(
            max(layer.reception.highestSequence, first), first &+ ExtendedSequence(layer.ring.capacity))
        layers.change(to: layer.index, stream: layer.stream, first, newest: newest)
        var sequence = first
        while sequence <= newest {
            if let record = layer.ring.find(sequence) { push(record, layer, now, engine) }
            sequence &+= 1
        }
    }

    private func push(
        _ record: UnsafePointer<PacketRecord>, _ layer: PublishedLayer, _ now: Instant, _ engine: MediaEngine
    ) {
        if reportedStream != Int(layer.stream) { repeatReport(of: layer) }
        let slot = UnsafeRawBufferPointer(engine.slab[record.pointee.slot])
        let start = Int(record.pointee.payloadStart)
        let end = start &+ record.pointee.input.payloadLength
        guard end <= PacketSlab.slotSize else { return }
        var packet = TapPacket(record, layer: layer, track: number)
        if let element = record.pointee.extensions[.videoOrientation], element.length > 0, element.offset < slot.count {
            packet.orientation = slot[Int(element.offset)]
        }
        var descriptor = UnsafeRawBufferPointer(start: nil, count: 0)
        if let element = record.pointee.extensions[.dependencyDescriptor], element.range.upperBound <= start {
            descriptor = UnsafeRawBufferPointer(rebasing: slot[element.range])
            packet.descriptorLength = element.length
        }
        let payload = UnsafeRawBufferPointer(rebasing: slot[start..<end])
        guard sayGap(before: layer, now), pipe.push(packet, descriptor: descriptor, payload: payload) else {
            return lose(now)
        }
    }

    // MARK: Gaps

    private func lose(_ now: Instant) {
        if unsaid == 0 { unsaidSince = now }
        unsaid = unsaid == .max ? unsaid : unsaid &+ 1
    }

    /// What was lost is told before what follows; false while there is no room for that either.
    @inline(__always)
    private func sayGap(before layer: PublishedLayer, _ now: Instant) -> Bool {
        unsaid == 0 || pushGap(before: layer, now)
    }

    private func pushGap(before layer: PublishedLayer, _ now: Instant) -> Bool {
        guard pipe.push(TapGap(track: number, packets: unsaid, since: unsaidSince)) else { return false }
        unsaid = 0
        if nextWish.isDue(now) { wantKeyframe(of: layer, now) }
        return true
    }

    // MARK: Reports

    /// A sender report came. Of layers that are not heard it is said when they are.
    func report(_ layer: PublishedLayer) {
        if reportedStream == Int(layer.stream) { repeatReport(of: layer) }
    }

    private func repeatReport(of layer: PublishedLayer) {
        reportedStream = Int(layer.stream)
        let clock = layer.reception.clock
        guard clock.isKnown else { return }
        // One that finds no room is followed by another within seconds.
        _ = pipe.push(
            TapReport(
                track: number, stream: layer.stream, layer: layer.index, timestamp: clock.rtpTimestamp,
                ntpTime: clock.ntpTime, arrival: clock.arrival))
    }

    // MARK: Layers

    /// Rates were measured: the best layer may be another one.
    private func chooseLayer(of track: PublishedTrack, now: Instant) {
        version = track.flowingVersion
        guard track.isLayered, let best = track.bestLayer(below: Self.layerLimit) else { return }
        let rate = layers.current.flatMap { track.layer($0) }?.meter.bitsPerSecond() ?? 0
        if layers.choose(best: best.index, bitsPerSecond: best.meter.bitsPerSecond(), current: rate),
            let wanted = layers.wanted, let layer = track.layer(wanted)
        {
            wantKeyframe(of: layer, now)
        }
    }

    /// The picture begins here: at the beginning, and after a time of which nothing was heard.
    func begin(_ track: PublishedTrack, now: Instant) {
        chooseLayer(of: track, now: now)
        let heard = layers.current ?? layers.wanted
        if let layer = heard.flatMap({ track.layer($0) }) ?? track.layers.first { wantKeyframe(of: layer, now) }
    }

    private func wantKeyframe(of layer: PublishedLayer, _ now: Instant) {
        guard layer.track.kind == .video else { return }
        nextWish = now + Self.wishInterval
        layer.keyframes.want(now: now)
        layer.track.publisher.wake(at: layer.keyframes.deadline)
    }
}

extension TapPacket {
    @inline(__always)
    init(_ record: UnsafePointer<PacketRecord>, layer: PublishedLayer, track: UInt32) {
        let input = record.pointee.input
        var flags: Flags = input.marker ? .marker : []
        if input.frame.isKeyframe { flags.insert(.keyframe) }
        if input.frame.startsFrame { flags.insert(.startsFrame) }
        if input.frame.endsFrame { flags.insert(.endsFrame) }
        if input.frame.isDiscardable { flags.insert(.discardable) }
        let reading = record.pointee.extensions
        if reading.hasAudioLevel, reading.hasVoice { flags.insert(.voice) }
        self.init(
            track: track, stream: layer.stream, layer: layer.index, payloadType: record.pointee.payloadType,
            sequence: input.sequence, arrival: input.arrival, timestamp: input.timestamp, flags: flags,
            spatial: input.frame.spatial, temporal: input.frame.temporal,
            audioLevel: reading.hasAudioLevel ? reading.audioLevel : Self.noLevel, orientation: Self.noOrientation,
            descriptorLength: 0, payloadLength: UInt16(truncatingIfNeeded: input.payloadLength))
    }
}

extension PublishedTrack {
    /// The layer that brings most, if anything flows.
    func bestLayer(below limit: UInt8) -> PublishedLayer? {
        var best: PublishedLayer?
        var most = 0
        for layer in layers where layer.index < limit && layer.meter.bitsPerSecond() > most {
            best = layer
            most = layer.meter.bitsPerSecond()
        }
        return best
    }
}
