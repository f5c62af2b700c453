// A soft peer's simulcast layers, named in its packets and not in its description (RFC 8852, RFC 8853), and its audio
// levels (RFC 6464).

package import Base
import Media
package import Wire

extension SoftPeer {
    static let midExtension: UInt8 = 4
    static let ridExtension: UInt8 = 5
    static let repairedRIDExtension: UInt8 = 6
    static let levelExtension: UInt8 = 7

    func describeLayers(_ section: Section) -> [String] {
        guard section.kind == .video else {
            return ["a=extmap:\(Self.levelExtension) " + RTPExtensionKind.audioLevel.uri]
        }
        guard !section.rids.isEmpty, section.direction.sends else { return [] }
        var lines = [
            "a=extmap:\(Self.midExtension) " + RTPExtensionKind.mid.uri,
            "a=extmap:\(Self.ridExtension) " + RTPExtensionKind.rid.uri,
            "a=extmap:\(Self.repairedRIDExtension) " + RTPExtensionKind.repairedRID.uri,
        ]
        lines += section.rids.map { "a=rid:\($0) send" }
        return lines + ["a=simulcast:send " + section.rids.joined(separator: ";")]
    }

    // MARK: Layers

    /// The layers' streams are beyond those of sections without layers; the repair's number follows.
    package func ssrc(_ section: Int, layer: Int) -> SSRC { ssrcBase + 0x80 + SSRC(section) * 16 + SSRC(layer) * 2 }

    func isLayer(_ ssrc: SSRC) -> Bool { ssrc >= ssrcBase + 0x80 && ssrc < ssrcBase + 0x100 }

    /// One VP8 frame of a layer. The payload's sixth byte names the layer, for tests to see what came through.
    package func sendLayerFrame(
        section: Int, layer: Int, packets: Int, size: Int, timestamp: UInt32, isKeyframe: Bool, pictureID: UInt16,
        sequence: inout SequenceNumber
    ) {
        for index in 0..<packets {
            var payload = Bytes(repeating: UInt8(truncatingIfNeeded: index), count: max(size, 16))
            payload[0] = index == 0 ? 0x90 : 0x80
            payload[1] = 0x80
            payload[2] = 0x80 | UInt8(truncatingIfNeeded: pictureID >> 8)
            payload[3] = UInt8(truncatingIfNeeded: pictureID)
            payload[4] = isKeyframe ? 0x10 : 0x11
            payload[5] = UInt8(truncatingIfNeeded: layer)
            let source = ssrc(section, layer: layer)
            let (header, length) = layerHeader(
                section, rid: sections[section].rids[layer], isRepair: false, type: Self.vp8, ssrc: source,
                sequence: sequence, timestamp: timestamp, marker: index == packets - 1)
            let plain = header + payload
            sentPackets[source, default: [:]][sequence] = plain
            sentPackets[source]?[sequence &- 512] = nil
            protect(plain, headerLength: length, index: extended(source, sequence))
            sequence &+= 1
        }
    }

    /// With the rounds of its stream: SRTP counts them.
    func extended(_ ssrc: SSRC, _ sequence: SequenceNumber) -> ExtendedSequence {
        let last = sendIndexes[ssrc] ?? ExtendedSequence(sequence)
        let distance = Int16(bitPattern: sequence &- SequenceNumber(truncatingIfNeeded: last))
        let index = last &+ ExtendedSequence(bitPattern: Int64(distance))
        sendIndexes[ssrc] = index
        return index
    }

    func repeatLayerPacket(_ ssrc: SSRC, _ number: SequenceNumber) {
        guard answersRetransmission, let original = sentPackets[ssrc]?[number],
            let header = try? RTPHeader(parsing: original.span.bytes)
        else { return }
        let place = Int(ssrc - ssrcBase - 0x80)
        let (section, layer) = (place / 16, place % 16 / 2)
        let index = rtxSequence[ssrc] ?? 1
        rtxSequence[ssrc] = index + 1
        var payload: Bytes = []
        payload.append(bigEndian: number)
        payload += original[Int(header.headerLength)...]
        let (repair, length) = layerHeader(
            section, rid: sections[section].rids[layer], isRepair: true, type: Self.rtx, ssrc: ssrc + 1,
            sequence: SequenceNumber(truncatingIfNeeded: index), timestamp: header.timestamp, marker: header.marker)
        protect(repair + payload, headerLength: length, index: index)
    }

    private func layerHeader(
        _ section: Int, rid: String, isRepair: Bool, type: UInt8, ssrc: SSRC, sequence: SequenceNumber,
        timestamp: UInt32, marker: Bool
    ) -> (Bytes, Int) {
        var packet = Bytes(repeating: 0, count: 64)
        let number = transportSequence
        transportSequence &+= 1
        let length = packet.withUnsafeMutableBytes { bytes in
            var span = MutableRawSpan(_unsafeBytes: bytes)
            RTPFixedHeader.write(
                marker: marker, payloadType: type, sequenceNumber: sequence, timestamp: timestamp, ssrc: ssrc,
                hasExtension: true, into: &span)
            var writer = RTPExtensionBlockWriter(at: 12, twoByteForm: false)
            writer.append(id: Self.transportExtension, uint16: number, into: &span)
            let mid = Bytes("\(section)".utf8)
            writer.append(id: Self.midExtension, bytes: mid.span.bytes, into: &span)
            let name = Bytes(rid.utf8)
            writer.append(
                id: isRepair ? Self.repairedRIDExtension : Self.ridExtension, bytes: name.span.bytes, into: &span)
            return writer.finish(into: &span)
        }
        return (Bytes(packet[..<length]), length)
    }

    // MARK: Audio

    /// A packet of audio with its level in -dBov: 0 the loudest, 127 silence.
    package func sendAudio(
        section: Int, level: UInt8, size: Int = 80, sequence: SequenceNumber, timestamp: UInt32, now: Instant
    ) {
        var packet = Bytes(repeating: 0, count: 64)
        let number = transportSequence
        transportSequence &+= 1
        let source = ssrc(section)
        let length = packet.withUnsafeMutableBytes { bytes in
            var span = MutableRawSpan(_unsafeBytes: bytes)
            RTPFixedHeader.write(
                marker: false, payloadType: Self.opus, sequenceNumber: sequence, timestamp: timestamp, ssrc: source,
                hasExtension: true, into: &span)
            var writer = RTPExtensionBlockWriter(at: 12, twoByteForm: false)
            writer.append(id: Self.transportExtension, uint16: number, into: &span)
            let levels: Bytes = [level & 0x7F]
            writer.append(id: Self.levelExtension, bytes: levels.span.bytes, into: &span)
            return writer.finish(into: &span)
        }
        let payload = Bytes(repeating: UInt8(truncatingIfNeeded: sequence), count: size)
        protect(Bytes(packet[..<length]) + payload, headerLength: length, index: extended(source, sequence))
    }
}
