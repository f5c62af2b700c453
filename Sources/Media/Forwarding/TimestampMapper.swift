// One time line for the subscriber, whatever the sources: a new source continues where the old one stopped, plus the time
// that went by.

import Base

struct TimestampMapper: BitwiseCopyable, Sendable {
    /// How far the publisher's own clock may disagree with the arrivals and still be believed. Higher believes reports
    /// of senders whose clocks jump; lower distrusts long queues on the way.
    private static let largestDisagreementSeconds: Int64 = 2

    let clockRate: UInt32
    /// Added to what comes in, modulo 2^32.
    private(set) var offset: UInt32 = 0
    private var isStarted = false
    private var lastIncoming: UInt32 = 0
    private var lastOutgoing: UInt32 = 0
    private var lastArrivalNanoseconds: UInt64 = 0
    private var lastClock: UInt32?

    init(clockRate: UInt32) { self.clockRate = clockRate }

    func outgoing(_ timestamp: UInt32) -> UInt32 { timestamp &+ offset }

    /// The newest packet forwarded so far: what a switch continues from.
    mutating func note(_ timestamp: UInt32, arrival: Instant, clock: UInt32?) {
        isStarted = true
        let out = outgoing(timestamp)
        // The time of the frame's first packet is the one to count from.
        guard out != lastOutgoing || lastIncoming != timestamp else { return }
        lastIncoming = timestamp
        lastOutgoing = out
        lastArrivalNanoseconds = arrival.nanoseconds
        lastClock = clock
    }

    /// A source begins with this packet. `isSame`: it is the one of before, after a pause.
    mutating func begin(_ timestamp: UInt32, arrival: Instant, clock: UInt32?, isSame: Bool) {
        defer { note(timestamp, arrival: arrival, clock: clock) }
        guard isStarted else { return }
        let passed =
            Int64(clamping: (arrival - Instant(nanoseconds: lastArrivalNanoseconds)).microseconds) &* Int64(clockRate)
            / 1_000_000
        var step = UInt32(truncatingIfNeeded: passed)
        if isSame {
            step = believed(timestamp &- lastIncoming, passed: step)
        } else if let clock, let lastClock {
            step = believed((timestamp &+ clock) &- (lastIncoming &+ lastClock), passed: step)
        }
        offset = lastOutgoing &+ max(step, 1) &- timestamp
    }

    /// The sender's step when it is near what went by here; never backwards.
    private func believed(_ step: UInt32, passed: UInt32) -> UInt32 {
        let disagreement = Int64(Int32(bitPattern: step &- passed)).magnitude
        guard disagreement <= UInt64(Self.largestDisagreementSeconds) &* UInt64(clockRate) else { return passed }
        let isShort = passed < UInt32.max / 4
        return isShort && Int32(bitPattern: step) <= 0 ? 1 : step
    }
}
