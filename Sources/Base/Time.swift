// Time as values. Machines and services are handed the time; only drivers read a clock.

import Glibc

/// A point on the monotonic clock: for timers, deadlines and measurements within one process.
package struct Instant: Hashable, Comparable, Sendable {
    package var nanoseconds: UInt64

    package init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    package static func now() -> Instant {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Instant(nanoseconds: UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec))
    }

    package static func < (left: Instant, right: Instant) -> Bool { left.nanoseconds < right.nanoseconds }

    package static func + (left: Instant, right: Duration) -> Instant {
        Instant(nanoseconds: left.nanoseconds &+ UInt64(clamping: right.nanoseconds))
    }

    /// Zero when `right` is later.
    package static func - (left: Instant, right: Instant) -> Duration {
        .nanoseconds(Int64(clamping: left.nanoseconds > right.nanoseconds ? left.nanoseconds - right.nanoseconds : 0))
    }
}

extension Duration {
    package var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds &* 1_000_000_000 &+ attoseconds / 1_000_000_000
    }
    package var microseconds: Int64 { nanoseconds / 1_000 }
    package var milliseconds: Int64 { nanoseconds / 1_000_000 }
    package var inSeconds: Double { Double(nanoseconds) / 1e9 }

    package static func minutes(_ count: Int) -> Duration { .seconds(count * 60) }
    package static func hours(_ count: Int) -> Duration { .seconds(count * 3_600) }
    package static func days(_ count: Int) -> Duration { .seconds(count * 86_400) }
}

/// A point in civil time, in microseconds since 1970-01-01T00:00:00Z. What is stored and shown.
package struct Timestamp: Hashable, Comparable, Sendable {
    package var microsecondsSinceEpoch: Int64

    package init(microsecondsSinceEpoch: Int64) { self.microsecondsSinceEpoch = microsecondsSinceEpoch }
    package init(secondsSinceEpoch: Int64) {
        microsecondsSinceEpoch = secondsSinceEpoch.multipliedReportingOverflow(by: 1_000_000).partialValue
    }

    package static func now() -> Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(microsecondsSinceEpoch: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000)
    }

    package var millisecondsSinceEpoch: Int64 { microsecondsSinceEpoch.flooredDivision(by: 1_000) }
    package var secondsSinceEpoch: Int64 { microsecondsSinceEpoch.flooredDivision(by: 1_000_000) }

    package static func < (left: Timestamp, right: Timestamp) -> Bool {
        left.microsecondsSinceEpoch < right.microsecondsSinceEpoch
    }
    package static func + (left: Timestamp, right: Duration) -> Timestamp {
        Timestamp(microsecondsSinceEpoch: left.microsecondsSinceEpoch &+ right.microseconds)
    }
    package static func - (left: Timestamp, right: Duration) -> Timestamp {
        Timestamp(microsecondsSinceEpoch: left.microsecondsSinceEpoch &- right.microseconds)
    }
    package static func - (left: Timestamp, right: Timestamp) -> Duration {
        .microseconds(left.microsecondsSinceEpoch &- right.microsecondsSinceEpoch)
    }
}

/// Where a service gets the time from: the system's clock, or a test's hand.
package struct Clock: Sendable {
    package var now: @Sendable () -> Timestamp
    package init(now: @escaping @Sendable () -> Timestamp) { self.now = now }
    package static let system = Clock { .now() }
}

extension Int64 {
    /// Division that rounds towards minus infinity, so times before 1970 have the right date.
    package func flooredDivision(by divisor: Int64) -> Int64 {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }
}
