// Which packets of one SSRC were received already (RFC 3711 §3.3.2), and the guess of the rollover counter (§3.3.1).
//
// A ring of words after RFC 6479: moving ahead clears whole words, so no packet costs a shift of the whole window.
// The caller keeps one window per SSRC, and one per SSRC for RTCP. A plain value: no allocation, copied as bytes.

package struct SRTPReplayWindow: Sendable, BitwiseCopyable {
    /// Packets remembered. A retransmission without a stream of its own comes a round trip late: 960 packets are more
    /// than a second at 8 Mbit/s. Fewer would refuse such packets, more would only cost memory (136 bytes per SSRC).
    package static let depth: UInt64 = 960
    private static let wordCount: UInt64 = 16

    /// The highest index accepted; 48 bits for RTP (rollover counter and sequence number), 31 for RTCP.
    package private(set) var highest: UInt64 = 0
    /// Nothing was accepted yet: an unknown SSRC.
    package private(set) var isFresh = true
    private var words = InlineArray<16, UInt64>(repeating: 0)

    package init() {}

    /// Whether a packet of this index may still come. Ask before the tag is checked, `accept` after.
    package func check(_ index: UInt64) -> Bool {
        if isFresh || index > highest { return true }
        guard highest &- index < Self.depth else { return false }
        return words[Self.place(index)] & Self.bit(index) == 0
    }

    /// Only for packets whose tag fits: anything else would let a forger move the window.
    package mutating func accept(_ index: UInt64) {
        if isFresh || index > highest {
            let ahead = isFresh ? Self.wordCount : min(index >> 6 &- highest >> 6, Self.wordCount)
            // No `for`: unoptimised, its iterator takes memory from the heap, and tests count that.
            var step: UInt64 = 0
            while step < ahead {
                words[Self.place(index &- step << 6)] = 0
                step &+= 1
            }
            highest = index
            isFresh = false
        }
        words[Self.place(index)] |= Self.bit(index)
    }

    /// The 48-bit index of a sequence number, by which rollover it would be nearest to the highest one seen. A late
    /// joiner assumes rollover 0: senders start in the lower half of the numbers for that reason (RFC 3711 §3.3.1).
    package func index(of sequenceNumber: UInt16) -> UInt64 {
        let sequence = UInt64(sequenceNumber)
        guard !isFresh else { return sequence }
        let rollover = highest >> 16
        let last = highest & 0xFFFF
        if last < 0x8000 {
            // There is nothing before rollover 0: taken as a leap ahead, which authentication confirms or not.
            let before = sequence > last &+ 0x8000 && rollover > 0
            return (before ? rollover &- 1 : rollover) << 16 | sequence
        }
        let after = sequence < last &- 0x8000 && rollover < 0xFFFF_FFFF
        return (after ? rollover &+ 1 : rollover) << 16 | sequence
    }

    private static func place(_ index: UInt64) -> Int { Int(truncatingIfNeeded: index >> 6 & (wordCount &- 1)) }
    private static func bit(_ index: UInt64) -> UInt64 { 1 << (index & 63) }
}
