// When to tell a publisher without transport-wide feedback how much it may send (REMB). What to tell is the engine's
// business: the cap of the configuration, or less when nobody watches.

package import Base

package struct ReceiverEstimateSchedule: Sendable {
    /// A limit is repeated, for datagrams get lost and senders forget it after some seconds.
    package static let interval = Duration.seconds(1)
    /// A limit that falls by more than one part in so many is told at once.
    package static let noticeablePart: UInt64 = 32

    private var lastSent: Instant?
    private var lastLimit: UInt64 = 0

    package init() {}

    package var deadline: Instant? { lastSent.map { $0 + Self.interval } }

    /// Whether to send the limit now.
    package mutating func poll(_ bitsPerSecond: UInt64, now: Instant) -> Bool {
        let hasFallen = lastLimit > bitsPerSecond && lastLimit &- bitsPerSecond > lastLimit / Self.noticeablePart
        if let deadline, now < deadline, !hasFallen { return false }
        lastSent = now
        lastLimit = bitsPerSecond
        return true
    }
}
