// Which packets of a video stream are missing, and when to ask for them again (RFC 4585 §6.2.1).
//
// A packet that is overtaken is missing. It is asked for when enough others overtook it or a moment passed, then again
// each round trip, until it comes, was asked for too often, or is too old to be of use. When more are missing than can be
// kept, a key frame serves better: all are forgotten and one is wanted. In-order packets cost a comparison.

package import Base
package import Wire

package struct NACKGenerator: Sendable {
    /// Packets that are kept as missing, 16 bytes each. A frame of 2 Mbit/s has under 10 packets, so this is a second of
    /// everything lost; more would be asked for in datagrams that fill the link which is losing. Excess wants a key frame.
    package static let capacity = 256
    /// Packets that may overtake one before it is asked for. Reordering is by one or two where it happens at all; lower
    /// asks in vain, higher waits for nothing.
    package static let reorderTolerance: UInt64 = 3
    /// A missing packet with fewer successors is asked for after this long.
    package static let reorderDelay = Duration.milliseconds(10)
    /// Between two requests of one packet at least, whatever the round trip: senders answer in batches.
    package static let shortestRetry = Duration.milliseconds(20)
    /// And at most: an overestimated round trip would else end all repair.
    package static let longestRetry = Duration.milliseconds(500)
    /// On top of the round trip, for the other side's own timers.
    private static let retryMargin = Duration.milliseconds(5)
    /// How often a packet is asked for.
    package static let requestLimit: UInt8 = 10
    /// After this long a player has gone on without it.
    package static let ageLimit = Duration.seconds(2)

    /// What a packet was to the stream.
    package enum Arrival: Sendable, Equatable {
        /// The one that was to come.
        case next
        /// It overtook as many as this.
        case ahead(missing: Int)
        /// It was missing.
        case recovered
        /// It was not missing: a duplicate, one that came before the first, or one that was given up.
        case late
        /// It is so far ahead that the stream begins anew; a key frame is wanted.
        case restart
    }

    /// Milliseconds wrap after 49 days; only differences are used.
    private struct Missing {
        /// The lower half of the number.
        var sequence: UInt32 = 0
        var since: UInt32 = 0
        var requested: UInt32 = 0
        var requests: UInt8 = 0
    }

    /// In ascending order, without gaps.
    private var missing = InlineArray<256, Missing>(repeating: Missing())
    package private(set) var count = 0
    private var highest: ExtendedSequence = 0
    private var wantsKeyframe = false
    /// When to collect next; nil when nothing is missing.
    package private(set) var deadline: Instant?
    package private(set) var requestCount: UInt64 = 0
    package private(set) var recoveredCount: UInt64 = 0
    package private(set) var abandonedCount: UInt64 = 0

    package init() {}

    /// A packet that came, on its own stream or as a retransmission.
    package mutating func receive(_ sequence: ExtendedSequence, now: Instant) -> Arrival {
        if sequence == highest &+ 1, highest != 0 {
            highest = sequence
            // Those it overtook may now have waited enough.
            if count > 0 { noticeOvertaken(now) }
            return .next
        }
        if highest == 0 {
            highest = sequence
            return .next
        }
        if sequence <= highest { return fill(sequence) }
        return open(upTo: sequence, now)
    }

    /// A key frame that begins with this packet came: what is missing before it is of no use.
    package mutating func keyframe(at sequence: ExtendedSequence) {
        wantsKeyframe = false
        var old = 0
        while old < count, extended(missing[old].sequence) < sequence { old &+= 1 }
        removeFirst(old)
    }

    /// Once per need: true when packets were given up since the last call and before a key frame came.
    package mutating func takeKeyframeWish() -> Bool {
        defer { wantsKeyframe = false }
        return wantsKeyframe
    }

    /// Appends the numbers to ask for now, in ascending order, at most as many as are kept.
    package mutating func collect(now: Instant, roundTrip: Duration, into lost: inout [SequenceNumber]) {
        guard let due = deadline, due <= now else { return }
        let time = Self.milliseconds(now)
        let retry = Self.milliseconds(
            min(max(roundTrip + Self.retryMargin, Self.shortestRetry), Self.longestRetry))
        var kept = 0
        var wait = UInt32.max
        for index in 0..<count {
            var packet = missing[index]
            guard let rest = Self.timeLeft(packet, time, retry, overtaken: overtaken(packet)) else {
                abandonedCount &+= 1
                wantsKeyframe = true
                continue
            }
            var left = rest
            if left == 0 {
                lost.append(SequenceNumber(truncatingIfNeeded: packet.sequence))
                packet.requested = time
                packet.requests &+= 1
                requestCount &+= 1
                left = retry
            }
            wait = min(wait, left)
            missing[kept] = packet
            kept &+= 1
        }
        count = kept
        deadline = kept == 0 ? nil : now + .milliseconds(Int64(wait))
    }

    /// Until the packet is to be asked for; nil when it is given up.
    private static func timeLeft(_ packet: Missing, _ time: UInt32, _ retry: UInt32, overtaken: UInt64) -> UInt32? {
        let age = time &- packet.since
        guard age < milliseconds(ageLimit) else { return nil }
        if packet.requests == 0 {
            let delay = milliseconds(reorderDelay)
            return overtaken >= reorderTolerance || age >= delay ? 0 : delay &- age
        }
        let waited = time &- packet.requested
        if waited < retry { return retry &- waited }
        return packet.requests < requestLimit ? 0 : nil
    }

    private func overtaken(_ packet: Missing) -> UInt64 { highest &- extended(packet.sequence) }

    private mutating func open(upTo sequence: ExtendedSequence, _ now: Instant) -> Arrival {
        let gap = sequence &- highest &- 1
        guard gap <= UInt64(Self.capacity &- count) else {
            abandonedCount &+= UInt64(count)
            removeFirst(count)
            wantsKeyframe = true
            let isRestart = gap > UInt64(Self.capacity)
            highest = sequence
            return isRestart ? .restart : .ahead(missing: 0)
        }
        let time = Self.milliseconds(now)
        for offset in 0..<gap {
            missing[count] = Missing(
                sequence: UInt32(truncatingIfNeeded: highest &+ 1 &+ offset), since: time, requested: time)
            count &+= 1
        }
        highest = sequence
        let due = now + Self.reorderDelay
        deadline = deadline.map { min($0, due) } ?? due
        noticeOvertaken(now)
        return .ahead(missing: Int(gap))
    }

    private mutating func fill(_ sequence: ExtendedSequence) -> Arrival {
        var low = 0
        var high = count
        while low < high {
            let middle = (low &+ high) / 2
            if extended(missing[middle].sequence) < sequence { low = middle &+ 1 } else { high = middle }
        }
        guard low < count, extended(missing[low].sequence) == sequence else { return .late }
        for index in low..<count &- 1 { missing[index] = missing[index &+ 1] }
        count &-= 1
        recoveredCount &+= 1
        if count == 0 { deadline = nil }
        return .recovered
    }

    /// When a packet that was not asked for has been overtaken enough, it is time. Of those that have, the youngest tells
    /// for all: the others were overtaken earlier.
    private mutating func noticeOvertaken(_ now: Instant) {
        var index = count
        while index > 0, overtaken(missing[index &- 1]) < Self.reorderTolerance { index &-= 1 }
        if index > 0, missing[index &- 1].requests == 0 { deadline = now }
    }

    private mutating func removeFirst(_ removed: Int) {
        guard removed > 0 else { return }
        for index in 0..<count &- removed { missing[index] = missing[index &+ removed] }
        count &-= removed
        if count == 0 { deadline = nil }
    }

    private func extended(_ sequence: UInt32) -> ExtendedSequence {
        highest &- UInt64(UInt32(truncatingIfNeeded: highest) &- sequence)
    }

    private static func milliseconds(_ now: Instant) -> UInt32 {
        UInt32(truncatingIfNeeded: now.nanoseconds / 1_000_000)
    }

    private static func milliseconds(_ duration: Duration) -> UInt32 { UInt32(clamping: duration.milliseconds) }
}
