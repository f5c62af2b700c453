// Writing transport-wide feedback; the format is drawn in `RTCPTransportFeedback.swift`.

package enum RTCPTransportFeedbackWriter {
    /// In the list of packets: this one did not come. No delta has this value.
    package static let notReceived = Int32.min

    /// Runs of a symbol are at least this long to be written as such; shorter ones go better into a vector of seven.
    private static let shortestRun = 7
    private static let longestRun = 8_191

    /// `packets` are, from the base sequence number on, the time since the packet before that came (since the reference
    /// time for the first) in units of 250 µs, or `notReceived`. The caller keeps deltas within 16 bits with sign, and
    /// the number of packets within 16 bits: beyond, they are cut.
    package static func write(
        from sender: SSRC, to media: SSRC, baseSequence: SequenceNumber, referenceTime: Int32, feedbackCount: UInt8,
        packets: Span<Int32>, into bytes: inout [UInt8]
    ) {
        let start = RTCPWriting.begin(
            RTCPNumber.transportLayerFeedback, RTCPNumber.transportFeedback, &bytes)
        let count = min(packets.count, RTCPTransportFeedback.statusLimit)
        bytes.append(bigEndian: sender)
        bytes.append(bigEndian: media)
        bytes.append(bigEndian: baseSequence)
        bytes.append(bigEndian: UInt16(truncatingIfNeeded: count))
        bytes.append(bigEndian: UInt32(truncatingIfNeeded: referenceTime) << 8 | UInt32(feedbackCount))
        writeChunks(packets, count, &bytes)
        for index in 0..<count {
            switch symbol(packets[index]) {
            case 1: bytes.append(UInt8(truncatingIfNeeded: packets[index]))
            case 2: bytes.append(bigEndian: UInt16(truncatingIfNeeded: clamped(packets[index])))
            default: break
            }
        }
        pad(start, &bytes)
        RTCPWriting.end(start, &bytes)
    }

    private static func clamped(_ delta: Int32) -> Int32 { max(-32_768, min(32_767, delta)) }

    private static func symbol(_ packet: Int32) -> UInt16 {
        packet == notReceived ? 0 : (packet >= 0 && packet <= 255 ? 1 : 2)
    }

    private static func writeChunks(_ packets: Span<Int32>, _ count: Int, _ bytes: inout [UInt8]) {
        var index = 0
        while index < count {
            let first = symbol(packets[index])
            var run = 1
            while index &+ run < count, run < longestRun, symbol(packets[index &+ run]) == first { run &+= 1 }
            let needsTwoBits = (index..<min(count, index &+ 14)).contains { symbol(packets[$0]) == 2 }
            if run >= 14 || run == count &- index || needsTwoBits && run >= shortestRun {
                bytes.append(bigEndian: first << 13 | UInt16(truncatingIfNeeded: run))
                index &+= run
            } else if needsTwoBits {
                bytes.append(bigEndian: vector(packets, index, min(7, count &- index), bits: 2) | 0xC000)
                index &+= 7
            } else {
                bytes.append(bigEndian: vector(packets, index, min(14, count &- index), bits: 1) | 0x8000)
                index &+= 14
            }
        }
    }

    /// The symbols from the top of 14 bits downwards.
    private static func vector(_ packets: Span<Int32>, _ first: Int, _ count: Int, bits: UInt16) -> UInt16 {
        var chunk: UInt16 = 0
        var shift: UInt16 = 14
        for index in first..<first &+ count {
            shift &-= bits
            chunk |= symbol(packets[index]) << shift
        }
        return chunk
    }

    /// To a whole number of words, with the P bit, as libwebrtc does: readers exist that take zeros for deltas.
    private static func pad(_ start: Int, _ bytes: inout [UInt8]) {
        let padding = (4 &- (bytes.count &- start) & 3) & 3
        guard padding > 0 else { return }
        for _ in 1..<padding { bytes.append(0) }
        bytes.append(UInt8(truncatingIfNeeded: padding))
        bytes[start] |= 0x20
    }
}
