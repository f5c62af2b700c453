// Sender reports for what is forwarded: each subscriber has its own counts and timestamps, and all streams of one
// publisher must lie on one clock, or players show lips and voice apart.

package import Base
package import Wire

/// The publisher's NTP clock against ours. One for all streams of a publisher: each report tells our time less theirs,
/// with the delay of its way, and the shortest way is the truest.
package struct PublisherClock: Sendable {
    /// A larger difference is taken up by one part in so many per report, about a minute for a clock that runs away:
    /// browsers report every second or so.
    private static let drift: Int64 = 64
    /// A difference this much larger or smaller, in seconds, is a clock that was set: it is taken at once.
    private static let step: Int64 = 5

    /// Ours less theirs, 32.32, wrapping.
    private var difference: UInt64 = 0
    private var isKnown = false

    package init() {}

    /// With each sender report of the publisher: its NTP time, and ours when it came.
    package mutating func update(theirs: UInt64, ours: UInt64) {
        let measured = ours &- theirs
        let change = Int64(truncatingIfNeeded: measured &- difference)
        if !isKnown || change < 0 || change > Self.step << 32 {
            difference = measured
        } else {
            difference &+= UInt64(truncatingIfNeeded: change / Self.drift)
        }
        isKnown = true
    }

    /// Their time at ours; nil before the first report.
    package func theirs(at ours: UInt64) -> UInt64? { isKnown ? ours &- difference : nil }

    /// Our time at theirs; nil before the first report.
    package func ours(at theirs: UInt64) -> UInt64? { isKnown ? theirs &+ difference : nil }
}

/// What is counted for one stream to one subscriber. Trivial: 24 bytes.
package struct SenderReportState: Sendable {
    package private(set) var packetCount: UInt32 = 0
    /// Payload without header and padding; wraps, as it does on the wire.
    package private(set) var octetCount: UInt32 = 0
    private var lastTimestamp: UInt32 = 0
    private var lastSent = Instant(nanoseconds: 0)

    package init() {}

    package mutating func sent(timestamp: UInt32, payloadBytes: Int, now: Instant) {
        packetCount &+= 1
        octetCount &+= UInt32(truncatingIfNeeded: payloadBytes)
        // What comes late, or fills a gap, is not where the stream is.
        guard packetCount == 1 || Int32(bitPattern: timestamp &- lastTimestamp) >= 0 else { return }
        lastTimestamp = timestamp
        lastSent = now
    }

    /// Nil when nothing was sent. With the publisher's clocks the timestamp is where the publisher says, plus what is
    /// added to its timestamps on their way to this subscriber; else it is carried on from the last packet, which is as
    /// exact as the packet was punctual.
    package func info(
        ssrc: SSRC, clockRate: UInt32, now: Instant, clock: NTPClock, publisher: PublisherClock, stream: SenderClock,
        timestampOffset: UInt32
    ) -> RTCPSenderInfo? {
        guard packetCount > 0 else { return nil }
        let time = clock.time(now)
        var timestamp =
            lastTimestamp &+ RTPClock.units(now, rate: clockRate) &- RTPClock.units(lastSent, rate: clockRate)
        if let theirs = publisher.theirs(at: time), let exact = stream.timestamp(at: theirs, rate: clockRate),
            stream.ntpTime != 0
        {
            timestamp = exact &+ timestampOffset
        }
        return RTCPSenderInfo(
            ssrc: ssrc, ntpTime: time, rtpTimestamp: timestamp, packetCount: packetCount, octetCount: octetCount)
    }
}
