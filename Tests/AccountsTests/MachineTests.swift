// The pure machines, as tables of events and what they must answer.

import Base
import Testing

@testable import Accounts

@Suite struct ThrottleTests {
    private enum Event: Sendable {
        /// A try that may begin, and fails or succeeds or ends without a word.
        case fails, succeeds, ends
        /// A try that must wait so many milliseconds.
        case waits(Int)
        case after(Duration)
    }

    private static let policy = ThrottlePolicy(
        free: 3, parallel: 2, firstDelay: .seconds(1), longestDelay: .seconds(10), forgetAfter: .hours(1))

    private static let tables: [(name: String, events: [Event])] = [
        ("free failures cost nothing", [.fails, .fails, .ends, .fails, .waits(1_000)]),
        (
            "each further failure doubles the wait, to its bound",
            [
                .fails, .fails, .fails, .after(.seconds(1)), .fails, .waits(2_000), .after(.seconds(2)), .fails,
                .waits(4_000), .after(.seconds(4)), .fails, .waits(8_000), .after(.seconds(8)), .fails, .waits(10_000),
                .after(.seconds(10)), .fails, .waits(10_000),
            ]
        ),
        ("a success forgives", [.fails, .fails, .succeeds, .fails, .fails, .fails, .waits(1_000)]),
        ("waiting shortens with time", [.fails, .fails, .fails, .after(.milliseconds(400)), .waits(600)]),
        (
            "an hour without a failure forgives",
            [.fails, .fails, .fails, .after(.hours(1)), .fails, .fails, .fails, .waits(1_000)]
        ),
        (
            "asking while waiting changes nothing",
            [.fails, .fails, .fails, .waits(1_000), .waits(1_000), .after(.seconds(1)), .succeeds, .fails]
        ),
    ]

    @Test(arguments: tables.indices) func `a table of tries`(_ index: Int) {
        let table = Self.tables[index]
        var throttle = Throttle()
        var now = Timestamp(secondsSinceEpoch: 1_000_000)
        for (step, event) in table.events.enumerated() {
            let wait: Duration? =
                switch event {
                case .after(let duration):
                    {
                        now = now + duration; return nil
                    }()
                case .fails, .succeeds, .ends, .waits: throttle.begin(Self.policy, at: now)
                }
            switch event {
            case .fails: throttle.failed(at: now)
            case .succeeds: throttle.succeeded()
            case .ends: throttle.abandoned()
            case .waits(let milliseconds):
                #expect(wait == .milliseconds(milliseconds), "\(table.name), step \(step)")
                continue
            case .after: continue
            }
            #expect(wait == nil, "\(table.name), step \(step)")
        }
    }

    @Test func `free tries run side by side up to the bound, later ones alone`() {
        var throttle = Throttle()
        let now = Timestamp(secondsSinceEpoch: 1_000_000)
        #expect(throttle.begin(Self.policy, at: now) == nil)
        #expect(throttle.begin(Self.policy, at: now) == nil)
        #expect(throttle.begin(Self.policy, at: now) != nil)
        throttle.failed(at: now)
        throttle.failed(at: now)
        #expect(throttle.begin(Self.policy, at: now) == nil)
        throttle.failed(at: now)
        let later = now + .seconds(1)
        #expect(throttle.begin(Self.policy, at: later) == nil)
        #expect(throttle.begin(Self.policy, at: later) != nil, "two guesses share one delay")
    }

    @Test func `a count learnt from the database is not lowered by memory`() {
        var throttle = Throttle()
        let now = Timestamp(secondsSinceEpoch: 1_000_000)
        throttle.learn(failures: 5, lastFailure: now)
        #expect(throttle.wait(Self.policy, at: now) == .seconds(4))
        throttle.learn(failures: 1, lastFailure: now - .seconds(100))
        #expect(throttle.wait(Self.policy, at: now) == .seconds(4))
    }

    @Test func `a delay never overflows`() {
        for failures in [0, 2, 3, 4, 40, 1_000_000, .max] {
            let delay = Self.policy.delay(after: failures)
            #expect(delay >= .zero && delay <= Self.policy.longestDelay)
        }
    }
}

@Suite struct RefreshDecisionTests {
    private let now = Timestamp(secondsSinceEpoch: 1_000_000)

    private struct Case: Sendable {
        let name: String
        var usedAgo: Duration?
        var sameClient = true
        var successorUnused = true
        var rotates = true
        var revoked = false
        var sessionLeft = Duration.hours(1)
        var tokenLeft = Duration.hours(1)
        let expected: RefreshDecision
    }

    private static let cases = [
        Case(name: "fresh", expected: .rotate),
        Case(name: "fresh, not rotating", rotates: false, expected: .keep),
        Case(name: "session revoked", revoked: true, expected: .refuse),
        Case(name: "session over", sessionLeft: .zero, expected: .refuse),
        Case(name: "token over", tokenLeft: .zero, expected: .refuse),
        Case(name: "used just now by the same client", usedAgo: .zero, expected: .repeatAnswer),
        Case(name: "used 9.9 s ago", usedAgo: .milliseconds(9_900), expected: .repeatAnswer),
        Case(name: "used 10 s ago", usedAgo: .seconds(10), expected: .reuse),
        Case(name: "used by another client", usedAgo: .seconds(1), sameClient: false, expected: .reuse),
        Case(name: "successor used", usedAgo: .seconds(1), successorUnused: false, expected: .reuse),
        Case(name: "used, and the session is over already", usedAgo: .seconds(99), revoked: true, expected: .refuse),
    ]

    @Test(arguments: cases.indices) func `what a refresh token deserves`(_ index: Int) {
        let row = Self.cases[index]
        let session = Session(
            id: SessionID(.random()), user: UserID(.random()), kind: .user, createdAt: now - .hours(1),
            lastUsedAt: now - .hours(1), expiresAt: now + row.sessionLeft, isRemembered: false,
            rotatesRefreshTokens: row.rotates, scopes: .all, label: "", address: Private(""), userAgent: nil,
            revokedAt: row.revoked ? now : nil)
        let token = RefreshToken(
            hash: [], session: session.id, generation: 3, expiresAt: now + row.tokenLeft,
            usedAt: row.usedAgo.map { now - $0 }, usedBy: row.sameClient ? [1] : [2], salt: [])
        let decision = RefreshDecision.decide(
            token, session, isSuccessorUnused: row.successorUnused, client: [1], grace: .seconds(10), now: now)
        #expect(decision == row.expected, "\(row.name)")
    }
}

@Suite struct GenerationalTableTests {
    @Test func `it never holds more than twice its capacity, whatever is asked`() {
        var table = GenerationalTable<Int, Int>(capacity: 8)
        var generator = SystemRandomNumberGenerator()
        for step in 0..<10_000 {
            if Bool.random(using: &generator) {
                table.insert(step, for: step)
            } else {
                _ = table.value(Int.random(in: max(0, step - 20)...step, using: &generator))
            }
            #expect(table.count <= 16)
        }
    }

    @Test func `what is used stays, what is not goes, and going is told`() {
        var table = GenerationalTable<Int, Int>(capacity: 4)
        var dropped: [Int] = []
        for key in 0..<40 {
            dropped += table.insert(key, for: key)
            if key % 2 == 0 { _ = table.value(0) }
        }
        #expect(table.value(39) == 39)
        #expect(table.value(1) == nil)
        #expect(Set(dropped).count == dropped.count)
        #expect(dropped.count == 40 - table.count)
    }

    @Test func `a value is replaced and removed in both generations`() {
        var table = GenerationalTable<Int, String>(capacity: 2)
        for key in 0..<3 { table.insert("old", for: key) }
        for key in 0..<3 { table.insert("new", for: key) }
        #expect((0..<3).compactMap { table.value($0) }.allSatisfy { $0 == "new" })
        for key in 0..<3 { table.remove(key) }
        #expect(table.count == 0)
    }
}

@Suite struct StandingCacheTests {
    private let now = Timestamp(secondsSinceEpoch: 1_000_000)

    @Test func `what was read before a change is not kept after it`() {
        let cache = StandingCache<Int, String>(capacity: 8, lifetime: .seconds(5))
        let epoch = cache.currentEpoch
        cache.invalidate(1)
        let standing = cache.keep("old", for: 1, readAt: epoch, now: now)
        #expect(!standing.isValid(at: now))
        #expect(cache.valid(1, at: now) == nil)
        let fresh = cache.keep("new", for: 1, readAt: cache.currentEpoch, now: now)
        #expect(fresh.isValid(at: now))
    }

    @Test func `an invalidation reaches everyone who holds the value`() {
        let cache = StandingCache<Int, String>(capacity: 8, lifetime: .seconds(5))
        let first = cache.keep("a", for: 1, readAt: cache.currentEpoch, now: now)
        let second = cache.keep("b", for: 1, readAt: cache.currentEpoch, now: now)
        #expect(first === second)
        cache.invalidate(1)
        #expect(!first.isValid(at: now))
    }

    @Test func `what is pushed out is no longer believed`() {
        let cache = StandingCache<Int, Int>(capacity: 4, lifetime: .seconds(5))
        let standings = (0..<40).map { cache.keep($0, for: $0, readAt: cache.currentEpoch, now: now) }
        let valid = standings.filter { $0.isValid(at: now) }
        #expect(valid.count <= 8)
        #expect(valid.allSatisfy { cache.valid($0.value, at: now) != nil })
    }

    @Test func `a value is believed for its lifetime`() {
        let cache = StandingCache<Int, Int>(capacity: 4, lifetime: .seconds(5))
        _ = cache.keep(1, for: 1, readAt: cache.currentEpoch, now: now)
        #expect(cache.valid(1, at: now + .milliseconds(4_999)) != nil)
        #expect(cache.valid(1, at: now + .seconds(5)) == nil)
    }
}
