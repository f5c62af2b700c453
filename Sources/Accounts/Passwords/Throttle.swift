// How fast somebody may guess. Each thing that can be guessed at (an account's name, an address that guesses) has a
// count of failures: a few are free, then each one doubles the time until the next try, up to a bound. Nobody is locked
// out for good, and a name that belongs to no account is counted like any other, so that nothing is told by it.

import Base
import Crypto
import Store
import Synchronization
import Vault

package struct ThrottlePolicy: Sendable, Equatable {
    /// Failures that cost nothing: people mistype.
    package var free: Int
    /// Tries that may run at the same time while failures are free. More would let a burst try as many passwords
    /// before the first failure is known.
    package var parallel: Int
    /// The wait after the first failure that is not free.
    package var firstDelay: Duration
    /// A higher bound lets a stranger keep the account's owner out for longer; a lower one allows more guesses a day.
    package var longestDelay: Duration
    /// After this long without a failure the count begins again.
    package var forgetAfter: Duration

    package static let account = ThrottlePolicy(
        free: 5, parallel: 64, firstDelay: .seconds(1), longestDelay: .minutes(5), forgetAfter: .hours(24))
    /// An address may be a whole office behind one router: it has more freedom.
    package static let address = ThrottlePolicy(
        free: 50, parallel: 256, firstDelay: .seconds(1), longestDelay: .minutes(15), forgetAfter: .hours(24))
    /// Mails and messages that a stranger can have sent to somebody.
    package static let sending = ThrottlePolicy(
        free: 5, parallel: 64, firstDelay: .minutes(1), longestDelay: .hours(1), forgetAfter: .hours(24))

    func delay(after failures: Int) -> Duration {
        guard failures >= free, free >= 0 else { return .zero }
        let doublings = min(failures - free, 30)
        let microseconds = firstDelay.microseconds.multipliedReportingOverflow(by: 1 << Int64(doublings))
        guard !microseconds.overflow else { return longestDelay }
        return min(.microseconds(microseconds.partialValue), longestDelay)
    }
}

/// The state of one key, as a machine: every event takes the time.
struct Throttle: Sendable, Equatable {
    private(set) var failures = 0
    private(set) var lastFailure: Timestamp?
    /// Tries that were let in and have not ended.
    private(set) var running = 0

    /// The time to wait before a try; `nil` when it may begin, and then it has begun.
    mutating func begin(_ policy: ThrottlePolicy, at now: Timestamp) -> Duration? {
        forget(policy, at: now)
        if let wait = wait(policy, at: now) { return wait }
        // Past the free ones, guesses come one at a time: else a burst would share one delay.
        let limit = failures < policy.free ? policy.parallel : 1
        guard running < limit else { return max(policy.firstDelay, .seconds(1)) }
        running += 1
        return nil
    }

    func wait(_ policy: ThrottlePolicy, at now: Timestamp) -> Duration? {
        guard let lastFailure else { return nil }
        let end = lastFailure + policy.delay(after: failures)
        return now < end ? end - now : nil
    }

    mutating func failed(at now: Timestamp) {
        running = max(0, running - 1)
        failures = min(failures + 1, 1_000_000)
        lastFailure = now
    }

    mutating func succeeded() {
        running = max(0, running - 1)
        failures = 0
        lastFailure = nil
    }

    /// The try ended without telling anything about the password.
    mutating func abandoned() { running = max(0, running - 1) }

    /// What another node, or this one before its restart, has counted.
    mutating func learn(failures stored: Int, lastFailure storedTime: Timestamp) {
        failures = max(failures, stored)
        lastFailure = max(lastFailure ?? storedTime, storedTime)
    }

    private mutating func forget(_ policy: ThrottlePolicy, at now: Timestamp) {
        guard let last = lastFailure, now >= last + policy.forgetAfter else { return }
        failures = 0
        lastFailure = nil
    }

    var isIdle: Bool { failures == 0 && running == 0 }
}

/// What is throttled, under a keyed hash: neither the memory nor the table is a list of names.
struct ThrottleKey: Sendable, Hashable {
    let id: Bytes
    let policy: ThrottlePolicy

    static func == (left: ThrottleKey, right: ThrottleKey) -> Bool { left.id == right.id }
    func hash(into hasher: inout Hasher) { hasher.combine(id) }
}

/// All throttles of this node. The database is asked and told by `AccountService`; here is only memory.
final class ThrottleBook: Sendable {
    /// More keys at once push out the ones not used lately; their counts are still in the database.
    private static let capacity = 32_768

    private let hashKey: Secret
    private let account: ThrottlePolicy
    private let address: ThrottlePolicy
    private let throttles = Mutex(GenerationalTable<Bytes, Throttle>(capacity: capacity))

    init(vault: Vault, account: ThrottlePolicy, address: ThrottlePolicy) {
        hashKey = vault.derive("accounts throttle v1", count: 32)
        self.account = account
        self.address = address
    }

    func key(login: String) -> ThrottleKey { key("login", Validation.folded(login), account) }
    /// Second factors and current passwords: what only somebody who is already half in can try.
    func key(proofOf user: UserID) -> ThrottleKey { key("proof", user.description, account) }
    func key(address value: Private<String>) -> ThrottleKey { key("address", value.exposed, address) }
    func key(mailTo email: String) -> ThrottleKey { key("mail", Validation.folded(email), .sending) }
    func key(mailFrom address: Private<String>) -> ThrottleKey {
        key("mail-from", address.exposed, self.address)
    }

    private func key(_ kind: StaticString, _ value: String, _ policy: ThrottlePolicy) -> ThrottleKey {
        let hash = HMAC.sha256(Bytes("\(kind)\u{0}\(value)".utf8), key: hashKey)
        return ThrottleKey(id: Bytes(hash.prefix(16)), policy: policy)
    }

    /// Lets a try begin on all keys or on none.
    func begin(_ keys: [ThrottleKey], at now: Timestamp) throws(AccountError) {
        let wait = throttles.withLock { table -> Duration? in
            var begun: [(Bytes, Throttle)] = []
            for key in keys {
                var throttle = table.value(key.id) ?? Throttle()
                if let wait = throttle.begin(key.policy, at: now) { return wait }
                begun.append((key.id, throttle))
            }
            for (id, throttle) in begun { table.insert(throttle, for: id) }
            return nil
        }
        if let wait { throw .throttled(retryAfter: wait) }
    }

    /// Adds what the database knows; throws when that means waiting.
    func learn(_ rows: [StoredThrottle], for keys: [ThrottleKey], at now: Timestamp) throws(AccountError) {
        var longest: Duration?
        for row in rows {
            guard let key = keys.first(where: { $0.id == row.id }), now < row.lastFailure + key.policy.forgetAfter
            else { continue }
            let wait = change(key) { throttle -> Duration? in
                throttle.learn(failures: row.failures, lastFailure: row.lastFailure)
                return throttle.wait(key.policy, at: now)
            }
            longest = wait.map { max($0, longest ?? .zero) } ?? longest
        }
        if let longest { throw .throttled(retryAfter: longest) }
    }

    func failed(_ keys: [ThrottleKey], at now: Timestamp) { for key in keys { change(key) { $0.failed(at: now) } } }
    func abandoned(_ keys: [ThrottleKey]) { for key in keys { change(key) { $0.abandoned() } } }

    /// The account's count ends. The address's does not: else somebody with an account of their own could log in
    /// between guesses at others.
    func succeeded(_ account: ThrottleKey, others: [ThrottleKey]) {
        change(account) { $0.succeeded() }
        abandoned(others)
    }

    @discardableResult
    private func change<Value>(_ key: ThrottleKey, _ body: (inout Throttle) -> Value) -> Value {
        throttles.withLock { table in
            var throttle = table.value(key.id) ?? Throttle()
            let value = body(&throttle)
            if throttle.isIdle { table.remove(key.id) } else { table.insert(throttle, for: key.id) }
            return value
        }
    }
}

struct StoredThrottle: Sendable {
    let id: Bytes
    let failures: Int
    let lastFailure: Timestamp
}

enum ThrottleTable {
    static func rows(_ keys: [ThrottleKey]) -> Selection<StoredThrottle> {
        Selection("SELECT id, failures, last_failure FROM login_throttles WHERE id IN (\(list: keys.map(\.id)))") {
            row throws(StoreError) in
            StoredThrottle(
                id: try row.blob(0), failures: Int(clamping: try row.integer(1)), lastFailure: try row.timestamp(2))
        }
    }

    static func failed(_ key: ThrottleKey, at now: Timestamp) -> Statement {
        let forgotten = now - key.policy.forgetAfter
        return """
            INSERT INTO login_throttles (id, failures, last_failure) VALUES (\(key.id), 1, \(now)) \
            ON CONFLICT (id) DO UPDATE SET failures = CASE WHEN login_throttles.last_failure < \(forgotten) THEN 1 \
            ELSE login_throttles.failures + 1 END, last_failure = \(now)
            """
    }

    static func succeeded(_ key: ThrottleKey) -> Statement { "DELETE FROM login_throttles WHERE id = \(key.id)" }

    static func sweep(before limit: Timestamp) -> Statement {
        "DELETE FROM login_throttles WHERE last_failure < \(limit)"
    }
}
