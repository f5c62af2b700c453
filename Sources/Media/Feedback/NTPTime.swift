// NTP time: seconds since 1900 in 32.32 fixed point, which sender reports and their answers speak (RFC 3550 §4), and
// round trips from them.

package import Base

package enum NTPTime {
    /// Seconds from 1900 to 1970.
    private static let epoch: UInt64 = 2_208_988_800

    /// The middle 32 bits: units of 1/65536 s.
    package static func middle(_ time: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: time >> 16) }

    /// A span of time in 32.32; nothing is negative here.
    package static func duration(_ duration: Duration) -> UInt64 {
        let nanoseconds = UInt64(clamping: duration.nanoseconds)
        let (seconds, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        return (seconds << 32) &+ (rest << 32) / 1_000_000_000
    }

    /// Of a span of time in units of 1/65536 s.
    package static func duration(middle units: UInt32) -> Duration {
        .nanoseconds((Int64(units) &* 1_000_000_000) >> 16)
    }

    package static func time(_ timestamp: Timestamp) -> UInt64 {
        let micros = UInt64(clamping: timestamp.microsecondsSinceEpoch)
        let (seconds, rest) = micros.quotientAndRemainder(dividingBy: 1_000_000)
        return ((seconds &+ epoch) << 32) &+ (rest << 32) / 1_000_000
    }
}

/// The server's NTP clock: the monotonic clock from a civil time that is read once, so that it never steps. Its error
/// against civil time matters to nobody, for receivers only compare streams with each other.
package struct NTPClock: Sendable {
    private let start: Instant
    private let startTime: UInt64

    package init(_ now: Instant, is timestamp: Timestamp) {
        start = now
        startTime = NTPTime.time(timestamp)
    }

    /// Of an instant at or after the start; before, it is the start's.
    package func time(_ now: Instant) -> UInt64 { startTime &+ NTPTime.duration(now - start) }
}

package enum RoundTrip {
    /// Longer ones are a mistake of the other side or a hostile number; nothing is learned from them.
    package static let limit = Duration.seconds(30)

    /// From a report block or a DLRR (RFC 3550 §6.4.1): now, less when our report was sent, less how long the other side
    /// kept it. Nil when the other side has had no report of ours, or the numbers cannot be.
    package static func measure(lastReport: UInt32, delay: UInt32, now: UInt64) -> Duration? {
        guard lastReport != 0 else { return nil }
        let units = Int32(bitPattern: NTPTime.middle(now) &- lastReport &- delay)
        // Rounding of the delay makes short trips negative by a unit or two; a millisecond is let pass.
        guard units > -66 else { return nil }
        let trip = NTPTime.duration(middle: UInt32(max(0, units)))
        return trip <= limit ? trip : nil
    }
}
