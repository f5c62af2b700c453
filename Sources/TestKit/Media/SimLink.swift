// One direction of a simulated link: a queue in front of a rate, then a wire that delays, loses and repeats.
//
// A packet waits for the packets before it, takes its bits' time at the rate of that moment, and then travels. Loss is
// on the wire, behind the queue, as on a radio: a lost packet has used its share of the rate. What the queue has no
// room for is counted apart (`droppedByQueue`).

import Base

package struct SimLink: Sendable {
    /// The rate from `after` (counted from the start of the net) on.
    package struct RateStep: Sendable {
        package var after: Duration
        package var bitsPerSecond: Int

        package init(after: Duration, bitsPerSecond: Int) {
            self.after = after
            self.bitsPerSecond = bitsPerSecond
        }
    }

    package enum QueueLimit: Sendable {
        case bytes(Int)
        /// What would wait for longer is dropped.
        case time(Duration)
    }

    package enum Loss: Sendable {
        case none
        /// Every packet alone, with this probability.
        case random(Double)
        /// Two states that change before each packet with the given probabilities; packets die in each with its own.
        case gilbertElliott(toBad: Double, toGood: Double, inGood: Double, inBad: Double)
    }

    /// In ascending order of `after`; empty is a link without a limit. A rate of 0 is an outage until the next step.
    package var rate: [RateStep] = []
    package var delay: Duration = .zero
    /// Added to the delay, evenly spread from zero to this. Keeps the order.
    package var jitter: Duration = .zero
    package var queue: QueueLimit = .time(.milliseconds(500))
    package var loss: Loss = .none
    /// Share of the packets that are late by `reorderDelay`, so that others overtake them.
    package var reorder = 0.0
    package var reorderDelay: Duration = .milliseconds(20)
    /// Share of the packets that arrive twice.
    package var duplicate = 0.0
    /// What UDP and IPv4 add to each datagram on the wire.
    package var overheadBytes = 28

    package init(bitsPerSecond: Int? = nil, delay: Duration = .zero) {
        if let bitsPerSecond { rate = [RateStep(after: .zero, bitsPerSecond: bitsPerSecond)] }
        self.delay = delay
    }

    /// `steps` are pairs of seconds since the start and bits per second.
    package init(steps: [(Double, Int)], delay: Duration) {
        rate = steps.map { RateStep(after: .seconds($0.0), bitsPerSecond: $0.1) }
        self.delay = delay
    }

    /// The rate at a time since the start; nil when there is no limit.
    package func bitsPerSecond(after elapsed: Duration) -> Int? {
        guard let first = rate.first else { return nil }
        return (rate.last { $0.after <= elapsed } ?? first).bitsPerSecond
    }
}

/// What happened on a link so far.
package struct SimLinkReport: Sendable {
    package var entered = 0
    package var delivered = 0
    package var lost = 0
    package var droppedByQueue = 0
    /// On the wire, overhead included, of all that was not dropped by the queue.
    package var wireBytes = 0
    package var longestQueueing: Duration = .zero
}

/// A link at work. Times are nanoseconds since the start of the net.
struct SimLinkState {
    enum Fate {
        case droppedByQueue
        case lost
        case arrives(at: Int64, queueing: Int64, again: Bool)
    }

    var link: SimLink
    var report = SimLinkReport()
    private var freeAt: Int64 = 0
    private var lastArrival: Int64 = 0
    private var isBad = false

    init(_ link: SimLink) { self.link = link }

    mutating func carry(_ payloadBytes: Int, at now: Int64, random: inout SplitMix) -> Fate {
        report.entered += 1
        let bytes = payloadBytes + link.overheadBytes
        let start = max(now, freeAt)
        guard hasRoom(for: bytes, at: now, start: start), let end = finish(bits: Double(bytes * 8), from: start) else {
            report.droppedByQueue += 1
            return .droppedByQueue
        }
        freeAt = end
        report.wireBytes += bytes
        report.longestQueueing = max(report.longestQueueing, .nanoseconds(start - now))
        if isLost(&random) {
            report.lost += 1
            return .lost
        }
        report.delivered += 1
        var arrival = end + link.delay.nanoseconds
        if link.jitter > .zero { arrival += Int64.random(in: 0...link.jitter.nanoseconds, using: &random) }
        if chance(link.reorder, &random) {
            arrival += link.reorderDelay.nanoseconds
        } else {
            arrival = max(arrival, lastArrival)
            lastArrival = arrival
        }
        return .arrives(at: arrival, queueing: start - now, again: chance(link.duplicate, &random))
    }

    private func hasRoom(for bytes: Int, at now: Int64, start: Int64) -> Bool {
        switch link.queue {
        case .time(let limit): start - now <= limit.nanoseconds
        case .bytes(let limit): Int(bits(from: now, to: start) / 8) + bytes <= limit || start == now
        }
    }

    private mutating func isLost(_ random: inout SplitMix) -> Bool {
        switch link.loss {
        case .none: return false
        case .random(let share): return chance(share, &random)
        case .gilbertElliott(let toBad, let toGood, let inGood, let inBad):
            if chance(isBad ? toGood : toBad, &random) { isBad.toggle() }
            return chance(isBad ? inBad : inGood, &random)
        }
    }

    private func chance(_ share: Double, _ random: inout SplitMix) -> Bool {
        share > 0 && Double.random(in: 0..<1, using: &random) < share
    }

    /// When the last of `bits` has left, over all steps of the rate; nil when the link stays down.
    private func finish(bits: Double, from start: Int64) -> Int64? {
        guard !link.rate.isEmpty else { return start }
        var left = bits
        var time = start
        while true {
            let rate = Double(link.bitsPerSecond(after: .nanoseconds(time)) ?? 0)
            let next = link.rate.first { $0.after.nanoseconds > time }?.after.nanoseconds
            let needed = rate > 0 ? left / rate * 1e9 : .infinity
            guard let next else { return needed.isFinite ? time + Int64(needed) : nil }
            if Double(next - time) >= needed { return time + Int64(needed) }
            left -= Double(next - time) / 1e9 * rate
            time = next
        }
    }

    /// What the link carries between two times.
    private func bits(from start: Int64, to end: Int64) -> Double {
        var sum = 0.0
        var time = start
        while time < end {
            let next = min(end, link.rate.first { $0.after.nanoseconds > time }?.after.nanoseconds ?? end)
            sum += Double(next - time) / 1e9 * Double(link.bitsPerSecond(after: .nanoseconds(time)) ?? 0)
            time = next
        }
        return sum
    }
}
