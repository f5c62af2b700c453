// What a receiver knows of a stream's loss and jitter, and reports to its sender (RFC 3550 §6.4.1, A.3, A.8).
//
// Loss is of the network: packets that came again as retransmissions, on a stream of their own, stay lost here.

package import Base
package import Wire

package struct ReceiveStatistics: Sendable {
    /// A jump of the sequence numbers beyond this is a new beginning and no loss. It is a burst of some seconds; lower
    /// would hide real outages from the sender, higher would report restarted senders as loss for minutes.
    package static let jumpLimit: UInt64 = 3_000
    /// Changes of the transit time beyond this, in seconds, are changes of a clock, and no jitter.
    private static let jitterLimit = 5

    package let clockRate: UInt32
    package private(set) var packetCount: UInt64 = 0
    /// Payload with padding.
    package private(set) var byteCount: UInt64 = 0

    private var base: ExtendedSequence = 0
    private var highest: ExtendedSequence = 0
    /// Packets since the base.
    private var received: UInt64 = 0
    private var expectedBefore: UInt64 = 0
    private var receivedBefore: UInt64 = 0
    private var lastTimestamp: UInt32 = 0
    private var lastArrival: UInt32 = 0
    /// In sixteenths of RTP units.
    private var jitterSixteenths: UInt32 = 0
    /// Lost before the last jump, so that the sum does not fall.
    private var lostBefore: Int64 = 0

    package init(clockRate: UInt32) { self.clockRate = max(1, clockRate) }

    /// In units of the stream's clock.
    package var jitter: UInt32 { jitterSixteenths >> 4 }

    package var jitterDuration: Duration {
        .nanoseconds(Int64(jitter) &* 1_000_000_000 / Int64(clockRate))
    }

    package var cumulativeLost: Int64 {
        packetCount == 0 ? 0 : lostBefore &+ Int64(truncatingIfNeeded: expected) &- Int64(truncatingIfNeeded: received)
    }

    private var expected: UInt64 { packetCount == 0 ? 0 : highest &- base &+ 1 }

    /// Each packet of the stream once, in the order of their coming.
    package mutating func receive(
        _ sequence: ExtendedSequence, timestamp: UInt32, byteCount bytes: Int, now: Instant
    ) {
        if packetCount == 0 || sequence > highest &+ Self.jumpLimit {
            begin(at: sequence)
        } else if sequence < base {
            // Before the first that came: it belongs to what is expected, from now on.
            guard base &- sequence <= Self.jumpLimit else { return }
            base = sequence
        }
        highest = max(highest, sequence)
        received &+= 1
        packetCount &+= 1
        byteCount &+= UInt64(truncatingIfNeeded: max(0, bytes))
        measureJitter(timestamp, now)
    }

    private mutating func begin(at sequence: ExtendedSequence) {
        lostBefore = cumulativeLost
        base = sequence
        highest = sequence
        received = 0
        expectedBefore = 0
        receivedBefore = 0
    }

    /// Once per timestamp: the packets of a video frame are sent one after the other under the same one.
    private mutating func measureJitter(_ timestamp: UInt32, _ now: Instant) {
        let arrival = RTPClock.units(now, rate: clockRate)
        defer {
            lastTimestamp = timestamp
            lastArrival = arrival
        }
        guard packetCount > 1, timestamp != lastTimestamp else { return }
        let change = Int32(bitPattern: (arrival &- lastArrival) &- (timestamp &- lastTimestamp)).magnitude
        guard change < clockRate.multipliedReportingOverflow(by: UInt32(Self.jitterLimit)).partialValue else { return }
        jitterSixteenths = jitterSixteenths &+ change &- (jitterSixteenths &+ 8) >> 4
    }

    /// For the next report to the sender: the fraction is of what was expected since the report before.
    package mutating func reportBlock(ssrc: SSRC, clock: SenderClock, now: Instant) -> RTCPReportBlock {
        let expectedSince = expected &- expectedBefore
        let receivedSince = received &- receivedBefore
        expectedBefore = expected
        receivedBefore = received
        var fraction: UInt8 = 0
        if expectedSince > receivedSince {
            fraction = UInt8(clamping: (expectedSince &- receivedSince) << 8 / max(1, expectedSince))
        }
        return RTCPReportBlock(
            ssrc: ssrc, fractionLost: fraction, cumulativeLost: Int32(clamping: cumulativeLost),
            // The turn that the unwrapper begins with is not the sender's.
            highestSequence: UInt32(truncatingIfNeeded: highest &- min(highest, 0x1_0000)), jitter: jitter,
            lastSenderReport: clock.lastSenderReport, delaySinceLastSenderReport: clock.delay(until: now))
    }
}

/// Times in the units of an RTP clock.
package enum RTPClock {
    /// Of the monotonic clock; wraps as timestamps do.
    package static func units(_ instant: Instant, rate: UInt32) -> UInt32 {
        let (seconds, rest) = instant.nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        return UInt32(truncatingIfNeeded: seconds &* UInt64(rate) &+ rest &* UInt64(rate) / 1_000_000_000)
    }
}
