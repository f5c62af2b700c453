// Which TSNs beyond the cumulative one have come: a ring of bits, as wide as `SCTPLimits.trackedTSNs`.
//
// A TSN's bit lies at its low bits, so nothing moves when the cumulative TSN does. The bits are allocated at the first
// gap: most associations never have one.

import Base
import Wire

struct SCTPReceivedMap {
    private static let size = SCTPLimits.trackedTSNs

    private(set) var cumulative: UInt32
    /// The highest TSN that has come.
    private(set) var highest: UInt32
    /// Received TSNs beyond the cumulative one.
    private(set) var count = 0
    private var words: [UInt64] = []

    init(cumulative: UInt32) {
        self.cumulative = cumulative
        highest = cumulative
    }

    enum Place { case next, beyond, duplicate, tooFar }

    func place(of tsn: UInt32) -> Place {
        guard tsn.isSerially(after: cumulative) else { return .duplicate }
        let distance = tsn &- cumulative
        if distance == 1 { return .next }
        if distance >= Self.size { return .tooFar }
        return contains(tsn) ? .duplicate : .beyond
    }

    private func contains(_ tsn: UInt32) -> Bool {
        guard count > 0 else { return false }
        return words[Int(tsn % Self.size / 64)] >> UInt64(tsn % 64) & 1 == 1
    }

    /// A TSN whose place is `.beyond`.
    mutating func insert(_ tsn: UInt32) {
        if words.isEmpty { words = [UInt64](repeating: 0, count: Int(Self.size / 64)) }
        words[Int(tsn % Self.size / 64)] |= 1 << UInt64(tsn % 64)
        count += 1
        if tsn.isSerially(after: highest) { highest = tsn }
    }

    /// The cumulative TSN moves on by one, whether that TSN has come or was given up by the sender.
    /// True when it was among those that came early.
    mutating func step() -> Bool {
        cumulative &+= 1
        if cumulative.isSerially(after: highest) { highest = cumulative }
        guard contains(cumulative) else { return false }
        words[Int(cumulative % Self.size / 64)] &= ~(1 << UInt64(cumulative % 64))
        count -= 1
        return true
    }

    var nextHasCome: Bool { contains(cumulative &+ 1) }

    /// The cumulative TSN goes where nothing has come yet, beyond everything that has.
    mutating func jump(to tsn: UInt32) {
        precondition(count == 0, "what has come was stepped over")
        cumulative = tsn
        highest = tsn
    }

    /// The first blocks of what has come early.
    func gapBlocks(atMost limit: Int) -> [SCTPSelectiveAck.GapBlock] {
        guard count > 0 else { return [] }
        var blocks: [SCTPSelectiveAck.GapBlock] = []
        let end = highest &- cumulative
        var distance: UInt32 = 2
        while distance <= end, blocks.count < limit {
            distance = next(from: distance, isSet: true, end: end)
            guard distance <= end else { break }
            let after = next(from: distance, isSet: false, end: end)
            blocks.append(
                .init(start: UInt16(truncatingIfNeeded: distance), end: UInt16(truncatingIfNeeded: after &- 1)))
            distance = after
        }
        return blocks
    }

    /// The next distance whose bit is as wanted; beyond `end` when there is none. A word at a time.
    private func next(from start: UInt32, isSet: Bool, end: UInt32) -> UInt32 {
        var distance = start
        while distance <= end {
            let tsn = cumulative &+ distance
            let word = words[Int(tsn % Self.size / 64)]
            let rest = (isSet ? word : ~word) >> UInt64(tsn % 64)
            if rest != 0 { return min(distance &+ UInt32(rest.trailingZeroBitCount), end &+ 1) }
            distance &+= 64 &- tsn % 64
        }
        return end &+ 1
    }
}
