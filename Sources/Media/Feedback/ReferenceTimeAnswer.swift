// The answer to a receiver that sends nothing and wants to know its round trip (RFC 3611 §4.5).

package import Base
package import Wire

/// The last reference time of one receiver.
package struct ReferenceTimeAnswer: Sendable {
    private var lastReferenceTime: UInt32 = 0
    private var arrival = Instant(nanoseconds: 0)
    private var isDue = false

    package init() {}

    package mutating func receive(ntp: UInt64, now: Instant) {
        lastReferenceTime = NTPTime.middle(ntp)
        arrival = now
        isDue = true
    }

    /// Once for each reference time, with the next reports to that receiver; nil when there was none.
    package mutating func take(ssrc: SSRC, now: Instant) -> RTCPExtendedReport.Delay? {
        guard isDue else { return nil }
        isDue = false
        return RTCPExtendedReport.Delay(
            ssrc: ssrc, lastReferenceTime: lastReferenceTime,
            delay: NTPTime.middle(NTPTime.duration(now - arrival)))
    }
}
