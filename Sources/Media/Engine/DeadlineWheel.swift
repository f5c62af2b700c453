// Who wants to be looked at when: one deadline for each participant, in a wheel of milliseconds.
//
// Setting a deadline, moving it and asking for the next one cost the same with ten participants and with ten thousand;
// none of it allocates. A deadline beyond the horizon is kept at the horizon and set again when it comes up there.

package import Base

package struct DeadlineWheel: ~Copyable {
    /// Members are numbered from 0; the wheel grows with the highest number seen.
    package typealias Member = UInt32

    /// Milliseconds that the wheel sees ahead. Most deadlines (feedback, pacing, retransmission) are within 100 ms;
    /// consent (30 s) passes the horizon a few times.
    static let span = 4_096
    /// Of the wheel, in nanoseconds.
    static let unit: UInt64 = 1_000_000
    private static let none = UInt32.max

    private struct Link {
        var previous = DeadlineWheel.none
        var next = DeadlineWheel.none
        /// In milliseconds; `.max` when there is none.
        var due = UInt64.max
    }

    /// The first member of each millisecond.
    private var heads = [UInt32](repeating: DeadlineWheel.none, count: DeadlineWheel.span)
    /// A bit for each head that is not empty.
    private var occupied = [UInt64](repeating: 0, count: DeadlineWheel.span / 64)
    private var links: [Link] = []
    /// Everything before this millisecond has been handed out.
    private var current: UInt64

    package init(now: Instant) { current = now.nanoseconds / Self.unit }

    /// Replaces the member's deadline. A time that is past comes up at the next `next(dueAt:)`.
    package mutating func set(_ member: Member, at deadline: Instant) {
        while links.count <= Int(member) { links.append(Link()) }
        // Rounded up: looking too early would find nothing due, and look again.
        let due = max((deadline.nanoseconds &+ Self.unit &- 1) / Self.unit, current)
        let index = Int(member)
        guard links[index].due != due else { return }
        unlink(member)
        links[index].due = due
        link(member)
    }

    package mutating func clear(_ member: Member) {
        guard Int(member) < links.count else { return }
        unlink(member)
        links[Int(member)].due = .max
    }

    /// When to look next; early for what lies beyond the horizon.
    package var earliest: Instant? {
        guard let slot = firstOccupied() else { return nil }
        return Instant(nanoseconds: slot &* Self.unit)
    }

    /// A member whose deadline has come. Its deadline is gone; call again until `nil`.
    package mutating func next(dueAt now: Instant) -> Member? {
        let end = now.nanoseconds / Self.unit
        while let slot = firstOccupied(), slot <= end {
            current = max(current, slot)
            let member = heads[Int(slot % UInt64(Self.span))]
            unlink(member)
            if links[Int(member)].due > end {
                link(member)  // it was kept at the horizon
            } else {
                links[Int(member)].due = .max
                return member
            }
        }
        current = max(current, end)
        return nil
    }

    private func slot(_ due: UInt64) -> Int { Int(min(due, current + UInt64(Self.span) - 1) % UInt64(Self.span)) }

    private mutating func link(_ member: Member) {
        let slot = slot(links[Int(member)].due)
        let head = heads[slot]
        links[Int(member)].previous = Self.none
        links[Int(member)].next = head
        if head != Self.none { links[Int(head)].previous = member }
        heads[slot] = member
        occupied[slot / 64] |= 1 << UInt64(slot % 64)
    }

    private mutating func unlink(_ member: Member) {
        let link = links[Int(member)]
        if link.next != Self.none { links[Int(link.next)].previous = link.previous }
        if link.previous != Self.none {
            links[Int(link.previous)].next = link.next
        } else if let slot = headSlot(of: member, due: link.due) {
            heads[slot] = link.next
            if link.next == Self.none { occupied[slot / 64] &= ~(1 << UInt64(slot % 64)) }
        }
        links[Int(member)].previous = Self.none
        links[Int(member)].next = Self.none
    }

    /// The slot whose list begins with the member, if it is in one.
    private func headSlot(of member: Member, due: UInt64) -> Int? {
        guard due != .max else { return nil }
        let expected = Int(due % UInt64(Self.span))
        if heads[expected] == member { return expected }
        // Linked at a horizon that has moved on since: rare, and found by the list's own head.
        var slot = 0
        while slot < Self.span {
            if heads[slot] == member { return slot }
            slot &+= 1
        }
        return nil
    }

    /// The first occupied slot at or after `current`, as a millisecond.
    private func firstOccupied() -> UInt64? {
        let start = Int(current % UInt64(Self.span))
        var word = start / 64
        var bits = occupied[word] & (~0 << UInt64(start % 64))
        for step in 0...(Self.span / 64) {
            if bits != 0 {
                let slot = word * 64 + bits.trailingZeroBitCount
                let ahead = (slot - start + Self.span) % Self.span
                return current + UInt64(ahead)
            }
            word = (word + 1) % (Self.span / 64)
            bits = occupied[word]
            if step == Self.span / 64 - 1 { bits &= ~(~0 << UInt64(start % 64)) }
        }
        return nil
    }
}
