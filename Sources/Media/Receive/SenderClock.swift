// How a sender's RTP timestamps lie in time, by its sender reports (RFC 3550 §6.4.1).

package import Base
package import Wire

/// The last sender report of one stream.
package struct SenderClock: Sendable {
    package private(set) var ntpTime: UInt64 = 0
    package private(set) var rtpTimestamp: UInt32 = 0
    private(set) var arrival = Instant(nanoseconds: 0)
    package private(set) var isKnown = false

    package init() {}

    package mutating func update(_ info: RTCPSenderInfo, now: Instant) {
        ntpTime = info.ntpTime
        rtpTimestamp = info.rtpTimestamp
        arrival = now
        isKnown = true
    }

    /// For report blocks: 0 when there was no report.
    package var lastSenderReport: UInt32 { isKnown ? NTPTime.middle(ntpTime) : 0 }

    /// For report blocks: units of 1/65536 s, 0 when there was no report.
    package func delay(until now: Instant) -> UInt32 {
        isKnown ? NTPTime.middle(NTPTime.duration(now - arrival)) : 0
    }

    /// The time of a timestamp on the sender's clock; nil when there was no report. Good within half a turn of the
    /// timestamps from the report: 6.6 hours at 90 kHz.
    package func ntpTime(of timestamp: UInt32, rate: UInt32) -> UInt64? {
        guard isKnown, rate > 0 else { return nil }
        let units = Int64(Int32(bitPattern: timestamp &- rtpTimestamp))
        let (seconds, rest) = units.quotientAndRemainder(dividingBy: Int64(rate))
        return ntpTime &+ UInt64(truncatingIfNeeded: (seconds << 32) &+ (rest << 32) / Int64(rate))
    }

    /// The timestamp at a time of the sender's clock; nil when there was no report.
    package func timestamp(at ntp: UInt64, rate: UInt32) -> UInt32? {
        guard isKnown else { return nil }
        let passed = Int64(truncatingIfNeeded: ntp &- ntpTime)
        // Seconds and fraction apart, for 64 bits do not hold the product.
        let units = (passed >> 32) &* Int64(rate) &+ (((passed & 0xFFFF_FFFF) &* Int64(rate)) >> 32)
        return rtpTimestamp &+ UInt32(truncatingIfNeeded: units)
    }
}
