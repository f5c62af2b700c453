// The other direction: what a publisher without transport-wide feedback may send (REMB), and which of its layers nobody
// watches.

package import Base

/// A receiver-side estimate from absolute send times (the header extension's 24 bits of 1/2^18 s): the delay-based half
/// of the sender's estimator. One per publisher that asks for REMB and has no transport-wide numbers. When to tell it is
/// `ReceiverEstimateSchedule`'s.
package struct ReceiveLimit: Sendable {
    /// Between two looks at what came.
    package static let interval = Duration.milliseconds(100)
    /// The publisher is not told less.
    package static let least = 50_000.0
    /// A publisher that has not sent for so long starts anew.
    package static let pause: Int64 = 2_000_000

    private let largest: Double
    private var clock = ClockUnwrapper(period: 64_000_000)
    private var interArrival = InterArrival()
    private var trend = DelayTrend()
    private var queue = QueueDelay()
    private var acknowledged = AcknowledgedRate()
    private var rate: RateControl
    private var lastPacket: Int64?
    /// Of the next look; `nil` before the first packet, for then there is nothing to look at.
    package private(set) var deadline: Instant?

    /// `largest` is the configured cap of a publisher.
    package init(largest: Int) {
        self.largest = max(Double(largest), Self.least)
        rate = RateControl(start: self.largest)
    }

    /// `sendTime` is the extension's value.
    package mutating func onPacket(sendTime: UInt32, size: Int, now: Instant) {
        let time = now.microseconds
        if let lastPacket, time &- lastPacket > Self.pause {
            interArrival.reset()
            queue = QueueDelay()
        }
        lastPacket = time
        if deadline == nil { deadline = now }
        // Shifts bind more tightly than products here.
        let sent = clock.unwrap((Int64(sendTime & 0xFF_FFFF) &* 1_000_000) >> 18)
        acknowledged.add(size, at: time, isApplicationLimited: false)
        queue.add(send: sent, arrival: time)
        if let difference = interArrival.add(send: sent, arrival: time) { trend.update(difference) }
    }

    /// What the publisher may send, in bits a second: brought up to date when the deadline has come, else as it was.
    /// `roundTrip` to the publisher.
    package mutating func update(roundTrip: Duration, now: Instant) -> UInt64 {
        if let due = deadline, due <= now {
            deadline = now + Self.interval
            rate.update(
                RateControl.Input(
                    use: trend.use, acknowledged: acknowledged.bitsPerSecond, isApplicationLimited: false,
                    isDraining: queue.microseconds > SendSideEstimator.longQueue,
                    roundTrip: max(roundTrip.microseconds, 0), now: now.microseconds),
                bounds: Self.least...largest)
        }
        return UInt64(rate.bitsPerSecond)
    }
}

/// Which layers of a publisher nobody watches. Bits are simulcast layers, as in the allocator's selections.
package struct LayerInterest: Sendable {
    /// A layer is paused after nobody has watched it for so long (microseconds): a viewer's change of layers shall not
    /// cost a keyframe each time. It comes back at once.
    package static let linger: Int64 = 4_000_000

    /// Layers that the publisher is told to pause.
    package private(set) var paused: UInt8 = 0
    private var unwatchedSince = InlineArray<8, Int64>(repeating: .max)

    package init() {}

    /// `watched` is the union of what the subscribers get or wait for; true when `paused` has changed.
    package mutating func update(published: UInt8, watched: UInt8, now: Instant) -> Bool {
        let time = now.microseconds
        let before = paused
        for layer in 0..<8 {
            let bit = UInt8(1) << UInt8(layer)
            if published & bit == 0 || watched & bit != 0 {
                unwatchedSince[layer] = .max
                paused &= ~bit
            } else {
                unwatchedSince[layer] = min(unwatchedSince[layer], time)
                if time &- unwatchedSince[layer] >= Self.linger { paused |= bit }
            }
        }
        return paused != before
    }

    /// When `update` has something new to say without a change of its arguments.
    package var deadline: Instant? {
        var earliest = Int64.max
        for layer in 0..<8 where paused & (1 << UInt8(layer)) == 0 && unwatchedSince[layer] != .max {
            earliest = min(earliest, unwatchedSince[layer] &+ Self.linger)
        }
        return earliest == .max ? nil : Instant(nanoseconds: UInt64(max(earliest, 0)) &* 1_000)
    }
}
