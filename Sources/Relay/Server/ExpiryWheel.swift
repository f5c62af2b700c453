// Which allocation to look at when: one deadline for each, in a wheel of seconds.
//
// Everything that expires (allocations, permissions, channels, connections that wait) lives seconds to an hour, so the
// wheel sees further than any of them, and moving a deadline costs the same with ten allocations and with ten thousand.
// An allocation has one deadline, the earliest of all that it holds; early is allowed, late is not.

import Base

struct ExpiryWheel: ~Copyable {
    /// Seconds that the wheel sees ahead: more than `RelayLimits.lifetimeMax` may be. What is further is looked at here,
    /// and set again.
    static let span = 4_096
    private static let second: UInt64 = 1_000_000_000
    private static let none = UInt32.max

    private struct Link {
        var previous = ExpiryWheel.none
        var next = ExpiryWheel.none
        /// Which second's list it is in; `none` when in no list.
        var slot = ExpiryWheel.none
    }

    private var heads = [UInt32](repeating: ExpiryWheel.none, count: ExpiryWheel.span)
    private var occupied = [UInt64](repeating: 0, count: ExpiryWheel.span / 64)
    private var links: [Link] = []
    /// Everything before this second has been handed out.
    private var current: UInt64
    private(set) var count = 0

    init(now: Instant) { current = now.nanoseconds / Self.second }

    mutating func set(_ member: UInt32, at deadline: Instant) {
        while links.count <= Int(member) { links.append(Link()) }
        clear(member)
        // Rounded up: looking too early would find nothing, and look again.
        let due = max(deadline.nanoseconds / Self.second &+ 1, current)
        let slot = Int(min(due, current &+ UInt64(Self.span) &- 1) % UInt64(Self.span))
        let head = heads[slot]
        links[Int(member)] = Link(next: head, slot: UInt32(slot))
        if head != Self.none { links[Int(head)].previous = member }
        heads[slot] = member
        occupied[slot / 64] |= 1 << UInt64(slot % 64)
        count &+= 1
    }

    mutating func clear(_ member: UInt32) {
        guard Int(member) < links.count, links[Int(member)].slot != Self.none else { return }
        let link = links[Int(member)]
        let slot = Int(link.slot)
        if link.next != Self.none { links[Int(link.next)].previous = link.previous }
        if link.previous != Self.none {
            links[Int(link.previous)].next = link.next
        } else {
            heads[slot] = link.next
            if link.next == Self.none { occupied[slot / 64] &= ~(1 << UInt64(slot % 64)) }
        }
        links[Int(member)] = Link()
        count &-= 1
    }

    var earliest: Instant? { firstOccupied.map { Instant(nanoseconds: $0 &* Self.second) } }

    /// Somebody to look at. His deadline is gone: set it again if he stays. Call until `nil`.
    mutating func next(dueAt now: Instant) -> UInt32? {
        let end = now.nanoseconds / Self.second
        guard let first = firstOccupied, first <= end else {
            current = max(current, end)
            return nil
        }
        current = max(current, first)
        let member = heads[Int(first % UInt64(Self.span))]
        clear(member)
        return member
    }

    /// The first second with anybody, at or after `current`.
    private var firstOccupied: UInt64? {
        guard count > 0 else { return nil }
        let start = Int(current % UInt64(Self.span))
        for step in 0...(Self.span / 64) {
            let word = (start / 64 + step) % (Self.span / 64)
            var bits = occupied[word]
            if step == 0 { bits &= ~0 << UInt64(start % 64) }
            if step == Self.span / 64 { bits &= ~(~0 << UInt64(start % 64)) }
            if bits != 0 {
                let slot = word * 64 + bits.trailingZeroBitCount
                return current &+ UInt64((slot - start + Self.span) % Self.span)
            }
        }
        return nil
    }
}
