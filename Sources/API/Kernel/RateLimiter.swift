// How often a caller may do what: fixed windows that begin with a caller's first request, counted in memory.
//
// Counters are per process. Shared counters for several nodes come with the cluster; until then each node allows the
// full number, as docs/operate says.

import Base
import Synchronization

/// `count` requests in `window`.
package struct RateLimit: Sendable, Hashable {
    package var count: Int
    package var window: Duration

    package init(_ count: Int, per window: Duration) {
        self.count = count
        self.window = window
    }
}

package enum RateTier: Int, Sendable, CaseIterable {
    case anonymous, user, premium, admin, node
}

/// The numbers of the documents, with the operator's changes.
package struct RateLimitPolicy: Sendable {
    /// manual.md's tiers: for manual's own routes and for those of reference that its table does not name.
    package var tiers: [RateTier: RateLimit] = [
        .anonymous: RateLimit(10, per: .minutes(1)),
        .user: RateLimit(60, per: .minutes(1)),
        .premium: RateLimit(600, per: .minutes(1)),
        .admin: RateLimit(120, per: .minutes(1)),
        .node: RateLimit(6_000, per: .minutes(1)),
    ]
    /// What the other documents say of a class of their routes, for a caller of the user tier.
    package var classes: [Dialect: [LimitClass: RateLimit]] = [
        .reference: [
            .authentication: RateLimit(10, per: .minutes(1)), .messages: RateLimit(100, per: .minutes(1)),
            .upload: RateLimit(20, per: .minutes(1)), .search: RateLimit(50, per: .minutes(1)),
            .admin: RateLimit(200, per: .minutes(1)),
        ],
        .design: [
            .authentication: RateLimit(5, per: .minutes(1)), .standard: RateLimit(1_000, per: .hours(1)),
            .upload: RateLimit(10, per: .minutes(1)), .messages: RateLimit(100, per: .minutes(1)),
        ],
        .rooms: [.standard: RateLimit(60, per: .minutes(1)), .upload: RateLimit(10, per: .hours(1))],
        .calls: [.messages: RateLimit(60, per: .minutes(1))],
        // Ours, not a document's. A browser may send a request for each candidate that it finds.
        .media: [.callInitiation: RateLimit(60, per: .minutes(1)), .standard: RateLimit(600, per: .minutes(1))],
    ]
    /// For requests that no route answers, by address and over all dialects together; `nil` for no limit. They cost
    /// little, so it is above what a client with an old address book sends by mistake, and far below what a scanner
    /// for forgotten files would like.
    package var unrouted: RateLimit? = RateLimit(300, per: .minutes(1))
    /// Multiplies every limit; 0 turns limiting off.
    package var scale: Double = 1
    /// What remains of a limit while the machine is over its load marks.
    package var factorUnderLoad: Double = 0.5

    package init() {}

    /// A document's number is for an ordinary user. Premium users, administrators and nodes get as many times more
    /// as manual.md's tiers give them over its user tier.
    func limit(_ dialect: Dialect, _ limitClass: LimitClass, _ tier: RateTier, underLoad: Bool) -> RateLimit? {
        guard scale > 0, limitClass != .unlimited else { return nil }
        if limitClass == .unrouted { return unrouted.map { scaled($0, underLoad: underLoad) } }
        guard let user = tiers[.user], let own = tiers[tier] else { return nil }
        var limit = own
        if let documented = classes[dialect]?[limitClass] {
            let privilege = tier.rawValue > RateTier.user.rawValue ? Double(own.count) / Double(max(1, user.count)) : 1
            limit = documented
            limit.count = Int(clamping: Double(documented.count) * privilege)
        }
        return scaled(limit, underLoad: underLoad)
    }

    private func scaled(_ limit: RateLimit, underLoad: Bool) -> RateLimit {
        let factor = scale * (underLoad ? factorUnderLoad : 1)
        return RateLimit(max(1, Int(clamping: Double(limit.count) * factor)), per: limit.window)
    }
}

extension Int {
    /// The nearest `Int`; a product of two settings may be beyond it.
    fileprivate init(clamping value: Double) {
        self = value >= 9e18 ? .max : value <= -9e18 ? .min : Int(value)
    }
}

package final class RateLimiter: Sendable {
    package struct Verdict: Sendable {
        package let isAllowed: Bool
        package let limit: Int
        package let remaining: Int
        package let window: Int
        /// Seconds from now until the window ends.
        package let secondsToReset: Int
    }

    /// A caller's window in one class.
    struct Key: Hashable {
        let dialect: Dialect
        let limitClass: LimitClass
        let caller: Caller
    }

    /// An authenticated caller counts by its id, wherever it calls from; an anonymous one by its address (an IPv6
    /// address by its /64, since one household has them all).
    enum Caller: Hashable {
        case principal(high: UInt64, low: UInt64)
        case address(Bytes)
    }

    private struct Window {
        var end: Instant
        var used: Int
    }

    /// Windows that are remembered at once. A flood from more addresses than this empties the table of ended windows
    /// and, when none has ended, of arbitrary ones: memory is bounded, a few callers get a fresh window.
    package static let windowsMax = 200_000

    private let windows = Mutex<[Key: Window]>([:])
    private let policy: Mutex<RateLimitPolicy>
    private let capacity: Int

    package init(_ policy: RateLimitPolicy = RateLimitPolicy(), capacity: Int = RateLimiter.windowsMax) {
        self.policy = Mutex(policy)
        self.capacity = capacity
    }

    /// Other numbers from now on. Windows that have begun go on, and end with the number they are then held against.
    package func adopt(_ newPolicy: RateLimitPolicy) { policy.withLock { $0 = newPolicy } }

    func limit(_ dialect: Dialect, _ limitClass: LimitClass, _ tier: RateTier, underLoad: Bool) -> RateLimit? {
        policy.withLock { $0.limit(dialect, limitClass, tier, underLoad: underLoad) }
    }

    /// Callers and classes that are remembered now.
    var windowCount: Int { windows.withLock { $0.count } }

    func take(_ limit: RateLimit, for key: Key, at now: Instant) -> Verdict {
        windows.withLock { windows in
            if windows.count >= capacity, windows[key] == nil { makeRoom(in: &windows, at: now) }
            var window = windows[key] ?? Window(end: now + limit.window, used: 0)
            if window.end <= now { window = Window(end: now + limit.window, used: 0) }
            let isAllowed = window.used < limit.count
            if isAllowed { window.used += 1 }
            windows[key] = window
            return Verdict(
                isAllowed: isAllowed, limit: limit.count, remaining: max(0, limit.count - window.used),
                window: Int(limit.window.inSeconds),
                secondsToReset: Int(((window.end - now).inSeconds).rounded(.up)))
        }
    }

    /// Built anew in one pass: taking keys out one by one looks for the first one each time, under the lock.
    private func makeRoom(in windows: inout [Key: Window], at now: Instant) {
        let kept = windows.lazy.filter { $0.value.end > now }.prefix(capacity * 3 / 4)
        windows = Dictionary(uniqueKeysWithValues: kept.map { ($0.key, $0.value) })
    }
}
