// One stream of RTP as it comes in: what numbers its packets have without wraps, what is to be reported of it.
//
// A plain struct without references, touched once per packet. What is asked for again is in `NACKGenerator`, which only
// video has.

package import Base
package import Wire

package struct ReceiveStream: Sendable {
    package let ssrc: SSRC
    private var unwrapper = SequenceUnwrapper()
    package private(set) var statistics: ReceiveStatistics
    package private(set) var clock = SenderClock()
    /// Since the report before the last packet.
    private var hasNews = false

    package init(ssrc: SSRC, clockRate: UInt32) {
        self.ssrc = ssrc
        statistics = ReceiveStatistics(clockRate: clockRate)
    }

    package var clockRate: UInt32 { statistics.clockRate }
    package var highestSequence: ExtendedSequence { unwrapper.highest }

    /// Each packet once, in the order of their coming; the answer is its number without wrap.
    package mutating func receive(_ header: RTPHeader, byteCount: Int, now: Instant) -> ExtendedSequence {
        let sequence = unwrapper.unwrap(header.sequenceNumber)
        statistics.receive(
            sequence, timestamp: header.timestamp, byteCount: byteCount &- Int(header.headerLength), now: now)
        hasNews = true
        return sequence
    }

    /// The number of a packet that came another way, as a retransmission: not counted here.
    package func extend(_ sequence: SequenceNumber) -> ExtendedSequence { unwrapper.peek(sequence) }

    package mutating func receive(_ info: RTCPSenderInfo, now: Instant) { clock.update(info, now: now) }

    /// Of a stream whose reports go to another shard.
    package mutating func take(_ clock: SenderClock) { self.clock = clock }

    /// Nil when no packet came since the last one (RFC 3550 §6.4: no block then).
    package mutating func reportBlock(now: Instant) -> RTCPReportBlock? {
        guard hasNews else { return nil }
        hasNews = false
        return statistics.reportBlock(ssrc: ssrc, clock: clock, now: now)
    }
}
