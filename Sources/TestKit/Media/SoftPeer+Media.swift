// What a soft peer does once its description is answered: checks, the handshake, media both ways.

package import Base
import Crypto
import Media
package import Wire

extension SoftPeer {
    /// Looks after everything that is due; what is to be sent is in `outgoing`.
    package func tick(now: Instant) {
        if let check = pollCheck(now: now) { push(check) }
        if phase == .handshaking {
            handshakeTimeout(now: now)
            takeHandshake(now: now)
        }
        if phase == .connected { sendFeedback(now: now) }
        tickData(now: now)
    }

    package func receive(_ datagram: Bytes, now: Instant) {
        guard let first = datagram.first else { return }
        switch first {
        case 0...3: receiveCheck(datagram, now: now)
        case 20...63:
            receiveHandshake(datagram, now: now)
            takeHandshake(now: now)
            receiveData(now: now)
        case 128...191: receiveMedia(datagram, now: now)
        default: break
        }
    }

    // MARK: Sending

    /// One VP8 frame of packets of `size` payload bytes each.
    package func sendFrame(
        section: Int, packets: Int, size: Int, timestamp: UInt32, isKeyframe: Bool, pictureID: UInt16,
        sequence: inout SequenceNumber, now: Instant
    ) {
        for index in 0..<packets {
            var payload = Bytes(repeating: UInt8(truncatingIfNeeded: index), count: max(size, 16))
            // RFC 7741 §4.2: X and S on the first; I and a picture id of 15 bits.
            payload[0] = index == 0 ? 0x90 : 0x80
            payload[1] = 0x80
            payload[2] = 0x80 | UInt8(truncatingIfNeeded: pictureID >> 8)
            payload[3] = UInt8(truncatingIfNeeded: pictureID)
            // The payload header: bit 0 is clear in a keyframe.
            payload[4] = isKeyframe ? 0x10 : 0x11
            Self.stamp(&payload, now)
            sendMedia(
                payload, section: section, type: Self.vp8, sequence: sequence, timestamp: timestamp,
                marker: index == packets - 1, now: now)
            sequence &+= 1
        }
    }

    package func sendMedia(
        _ payload: Bytes, section: Int, type: UInt8, sequence: SequenceNumber, timestamp: UInt32, marker: Bool,
        rollover: ExtendedSequence = 0, now: Instant
    ) {
        sendTime = UInt32(truncatingIfNeeded: ((now.nanoseconds / 1_000) << 18) / 1_000_000) & 0xFF_FFFF
        let plain = rtp(
            payload, ssrc: ssrc(section), type: type, sequence: sequence, timestamp: timestamp, marker: marker)
        remember(plain, section: section, sequence)
        protect(plain, index: rollover << 16 | ExtendedSequence(sequence))
    }
}

// MARK: - Transport

extension SoftPeer {
    func push(_ datagram: Bytes) { outgoing.append(datagram) }

    package func takeOutgoing() -> [Bytes] {
        defer { outgoing.removeAll(keepingCapacity: true) }
        return outgoing
    }

    func pollCheck(now: Instant) -> Bytes? { ice?.poll(now: now) }

    func receiveCheck(_ datagram: Bytes, now: Instant) {
        if case .connected? = ice?.receive(datagram.span.bytes, now: now), phase == .checking {
            phase = .handshaking
            handshake.start(now: now)
            takeHandshake(now: now)
        }
    }

    func receiveHandshake(_ datagram: Bytes, now: Instant) { handshake.receive(datagram, now: now) }

    func handshakeTimeout(now: Instant) { handshake.handleTimeout(now: now) }

    func takeHandshake(now: Instant) {
        while let datagram = handshake.takeDatagram() { push(datagram) }
        switch handshake.phase {
        case .established where phase == .handshaking:
            let keys = handshake.exportedKeys()
            guard handshake.peerFingerprint(matches: remoteFingerprints), keys != nil || isForDataOnly else {
                phase = .failed
                return
            }
            if let keys {
                sender = try? SRTPSender(keys.profile, key: keys.localKey, salt: keys.localSalt)
                receiver = try? SRTPReceiver(keys.profile, key: keys.remoteKey, salt: keys.remoteSalt)
            }
            phase = .connected
            startData(now: now)
        case .failed: phase = .failed
        case .closed: phase = .closed
        default: break
        }
    }

    /// When `tick` has something to do.
    package var deadline: Instant? {
        var next = ice?.deadline
        if phase == .handshaking, let due = handshake.deadline { next = min(next ?? due, due) }
        if phase == .connected, let due = nextFeedback { next = min(next ?? due, due) }
        if let due = dataDeadline { next = min(next ?? due, due) }
        return next
    }
}

// MARK: - Media

extension SoftPeer {
    /// The fixed header and one extension of four bytes behind what announces it.
    static let headerLength = 20

    func rtp(
        _ payload: Bytes, ssrc: SSRC, type: UInt8, sequence: SequenceNumber, timestamp: UInt32, marker: Bool
    ) -> Bytes {
        var packet = Bytes(repeating: 0, count: Self.headerLength + 4)
        packet.withUnsafeMutableBytes { bytes in
            var span = MutableRawSpan(_unsafeBytes: bytes)
            RTPFixedHeader.write(
                marker: marker, payloadType: type, sequenceNumber: sequence, timestamp: timestamp, ssrc: ssrc,
                hasExtension: true, into: &span)
            var writer = RTPExtensionBlockWriter(at: 12, twoByteForm: false)
            if stampsSendTimes {
                writer.append(id: Self.transportExtension, uint24: sendTime, into: &span)
            } else {
                writer.append(id: Self.transportExtension, uint16: transportSequence, into: &span)
            }
            _ = writer.finish(into: &span)
        }
        transportSequence &+= 1
        return packet.prefix(Self.headerLength) + payload
    }

    func remember(_ plain: Bytes, section: Int, _ sequence: SequenceNumber) {
        sentPackets[ssrc(section), default: [:]][sequence] = plain
        sentPackets[ssrc(section)]?[sequence &- 512] = nil
    }

    func protect(_ plain: Bytes, headerLength: Int = SoftPeer.headerLength, index: ExtendedSequence) {
        guard phase == .connected else { return }
        var packet = plain + Bytes(repeating: 0, count: 32)
        let ssrc = plain.span.bytes.uint32(8)
        let count = packet.withUnsafeMutableBytes { bytes in
            sender?.protectRTP(bytes, count: plain.count, headerLength: headerLength, ssrc: ssrc, index: index)
        }
        if let count = count ?? nil { push(Bytes(packet[..<count])) }
    }

    /// Encrypts and sends a compound of reports.
    package func sendReports(_ reports: Bytes) {
        guard phase == .connected, !reports.isEmpty else { return }
        var packet = reports + Bytes(repeating: 0, count: 32)
        let count = packet.withUnsafeMutableBytes { sender?.protectRTCP($0, count: reports.count) }
        if let count = count ?? nil { push(Bytes(packet[..<count])) }
    }

    func receiveMedia(_ datagram: Bytes, now: Instant) {
        var packet = datagram
        if RTCPReader.isRTCP(datagram.span.bytes) {
            let verdict = packet.withUnsafeMutableBytes {
                receiver?.unprotectRTCP($0, count: datagram.count, window: &reportWindow) ?? .forged
            }
            if case .plain(let count) = verdict { receiveReports(Bytes(packet[..<count]), now: now) }
            return
        }
        guard let header = try? RTPHeader(parsing: datagram.span.bytes) else { return }
        var window = windows[header.ssrc] ?? SRTPReplayWindow()
        let verdict = packet.withUnsafeMutableBytes {
            receiver?.unprotectRTP(
                $0, count: datagram.count, headerLength: Int(header.headerLength), ssrc: header.ssrc,
                sequenceNumber: header.sequenceNumber, window: &window) ?? .forged
        }
        windows[header.ssrc] = window
        guard case .plain(let count) = verdict else { return unreadable += 1 }
        take(header, Bytes(packet[..<count]), now: now)
    }

    private func take(_ header: RTPHeader, _ packet: Bytes, now: Instant) {
        var map = RTPExtensionMap()
        _ = map.set(Self.transportExtension, .transportSequenceNumber)
        let reading = RTPExtensionReading(reading: packet.span.bytes, header: header, map: map)
        if reading.hasTransportSequence, sendsTransportFeedback { feedback.record(reading.transportSequence, now: now) }
        let isRepair = header.payloadType == Self.rtx
        var stream = streams[header.ssrc] ?? ReceivedStream()
        stream.packets += 1
        stream.bytes += packet.count
        if isRepair { stream.retransmissions += 1 }
        if !stream.sequences.insert(header.sequenceNumber).inserted { stream.duplicates += 1 }
        if stream.packets == 1 || Int16(bitPattern: header.sequenceNumber &- stream.highest) > 0 {
            stream.highest = header.sequenceNumber
        }
        if header.marker { stream.markers += 1 }
        streams[header.ssrc] = stream
        onPacket?(header, packet)
    }

    private func receiveReports(_ packet: Bytes, now: Instant) {
        let span = packet.span.bytes
        guard var reader = try? RTCPReader(span) else { return }
        while let block = reader.next() {
            switch block.kind {
            case .pictureLoss:
                keyframeRequests += 1
                if let loss = try? RTCPPictureLoss(parsing: block, in: span) {
                    keyframesWanted[loss.mediaSSRC, default: 0] += 1
                }
            case .fullIntraRequest: keyframeRequests += 1
            case .senderReport:
                senderReportsReceived += 1
                if let info = (try? RTCPReports(parsing: block, in: span))?.senderInfo {
                    senderReports[info.ssrc] = info
                }
            case .nack:
                guard var nack = try? RTCPNACK(parsing: block, in: span) else { continue }
                while let number = nack.next() { repeatPacket(nack.mediaSSRC, number) }
            case .transportFeedback: feedbackReceived += 1
            case .remb:
                if let limit = try? RTCPReceiverEstimate(parsing: block, in: span) {
                    limitsReceived.append(limit.bitsPerSecond)
                }
            case .extendedReport:
                guard var report = try? RTCPExtendedReport(parsing: block, in: span) else { continue }
                while let item = report.next() {
                    if case .delay(let delay) = item { referenceDelays.append(delay) }
                }
            default: break
            }
        }
    }

    private func repeatPacket(_ ssrc: SSRC, _ number: SequenceNumber) {
        nacksReceived += 1
        if isLayer(ssrc) { return repeatLayerPacket(ssrc, number) }
        guard answersRetransmission, let original = sentPackets[ssrc]?[number] else { return }
        let index = rtxSequence[ssrc] ?? 1
        rtxSequence[ssrc] = index + 1
        var payload: Bytes = []
        payload.append(bigEndian: number)
        payload += original[Self.headerLength...]
        let repair = rtp(
            payload, ssrc: ssrc + 1, type: Self.rtx, sequence: SequenceNumber(truncatingIfNeeded: index),
            timestamp: original.span.bytes.uint32(4), marker: original[1] & 0x80 != 0)
        protect(repair, index: index)
    }

    func sendFeedback(now: Instant) {
        var reports: Bytes = []
        while feedback.build(now: now, from: 1, to: streams.keys.first ?? 1, into: &reports) {}
        sendReports(reports)
    }

    var nextFeedback: Instant? { feedback.deadline }
}
