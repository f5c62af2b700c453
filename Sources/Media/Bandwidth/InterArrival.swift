// Packets into groups, groups into differences of delay: draft-ietf-rmcat-gcc-02 §5.2.
//
// Packets that leave within 5 ms are one group, and so are packets that arrive in one burst after having waited
// somewhere. What counts is how much more time lies between two groups at the receiver than lay at the sender.

struct InterArrival {
    /// Packets sent within this time are one group. Longer blurs the trend, shorter lets single packets make it.
    static let groupTime: Int64 = 5_000
    /// A burst at the receiver lasts no longer.
    static let longestBurst: Int64 = 100_000
    /// Groups in a row that arrive before the one before them, after which the clocks are taken to have jumped.
    static let reordersUntilReset = 3
    /// A difference beyond this is a jump of a clock or a pause, not a queue.
    static let largestDifference: Int64 = 3_000_000

    struct Difference {
        let send: Int64
        let arrival: Int64
        /// Of the later group.
        let arrivalTime: Int64
    }

    private struct Group {
        var firstSend: Int64
        var lastSend: Int64
        var firstArrival: Int64
        var lastArrival: Int64
    }

    private var previous: Group?
    private var current: Group?
    private var reorders = 0

    mutating func reset() {
        previous = nil
        current = nil
        reorders = 0
    }

    /// The difference between the two groups before this packet's, when it opens a new one.
    mutating func add(send: Int64, arrival: Int64) -> Difference? {
        guard var group = current else {
            current = Group(firstSend: send, lastSend: send, firstArrival: arrival, lastArrival: arrival)
            return nil
        }
        guard send >= group.firstSend else { return nil }
        guard opensGroup(group, send: send, arrival: arrival) else {
            group.lastSend = max(group.lastSend, send)
            group.lastArrival = max(group.lastArrival, arrival)
            current = group
            return nil
        }
        let difference = previous.map {
            Difference(
                send: group.lastSend &- $0.lastSend, arrival: group.lastArrival &- $0.lastArrival,
                arrivalTime: group.lastArrival)
        }
        if let difference, !isPlausible(difference) { return nil }
        previous = group
        current = Group(firstSend: send, lastSend: send, firstArrival: arrival, lastArrival: arrival)
        return difference
    }

    /// Resets, or drops the current group, when not.
    private mutating func isPlausible(_ difference: Difference) -> Bool {
        if difference.arrival < 0 {
            reorders += 1
            if reorders >= Self.reordersUntilReset { reset() } else { current = nil }
            return false
        }
        reorders = 0
        guard difference.arrival &- difference.send < Self.largestDifference else {
            reset()
            return false
        }
        return true
    }

    private func opensGroup(_ group: Group, send: Int64, arrival: Int64) -> Bool {
        let sendGap = send &- group.lastSend
        let arrivalGap = arrival &- group.lastArrival
        if sendGap == 0 { return false }
        if arrivalGap &- sendGap < 0, arrivalGap <= Self.groupTime,
            arrival &- group.firstArrival < Self.longestBurst
        {
            return false
        }
        return send &- group.firstSend > Self.groupTime
    }
}
