import Accounts
import Base
import Net
import TestKit
import Testing
import Wire

@testable import API

@Suite struct RateLimitTests {
    private static func limited(scale: Double = 1) -> APIHarness.Setup {
        var setup = APIHarness.Setup()
        setup.limits.scale = scale
        return setup
    }

    // MARK: The numbers

    struct Row: Sendable, CustomTestStringConvertible {
        let dialect: Dialect
        let limitClass: LimitClass
        let tier: RateTier
        let count: Int
        let window: Duration
        var testDescription: String { "\(dialect) \(limitClass) \(tier): \(count)" }

        init(_ dialect: Dialect, _ limitClass: LimitClass, _ tier: RateTier, _ count: Int, per window: Duration) {
            self.dialect = dialect
            self.limitClass = limitClass
            self.tier = tier
            self.count = count
            self.window = window
        }
    }

    static let rows = [
        // manual.md, "Tiered baseline limits".
        Row(.manual, .standard, .anonymous, 10, per: .minutes(1)), Row(.manual, .standard, .user, 60, per: .minutes(1)),
        Row(.manual, .standard, .premium, 600, per: .minutes(1)),
        Row(.manual, .standard, .admin, 120, per: .minutes(1)),
        Row(.manual, .standard, .node, 6_000, per: .minutes(1)),
        // reference.md, "Rate Limits by Endpoint".
        Row(.reference, .authentication, .user, 10, per: .minutes(1)),
        Row(.reference, .messages, .user, 100, per: .minutes(1)),
        Row(.reference, .upload, .user, 20, per: .minutes(1)), Row(.reference, .search, .user, 50, per: .minutes(1)),
        Row(.reference, .admin, .user, 200, per: .minutes(1)), Row(.reference, .standard, .user, 60, per: .minutes(1)),
        // design.md, "Rate Limiting".
        Row(.design, .authentication, .user, 5, per: .minutes(1)),
        Row(.design, .standard, .user, 1_000, per: .hours(1)),
        Row(.design, .upload, .user, 10, per: .minutes(1)), Row(.design, .messages, .user, 100, per: .minutes(1)),
        // rooms.md, "Rate Limiting".
        Row(.rooms, .standard, .user, 60, per: .minutes(1)), Row(.rooms, .upload, .user, 10, per: .hours(1)),
        // More for who has more: the ratio of manual's tiers.
        Row(.rooms, .standard, .anonymous, 60, per: .minutes(1)),
        Row(.rooms, .standard, .premium, 600, per: .minutes(1)), Row(.rooms, .standard, .admin, 120, per: .minutes(1)),
        Row(.design, .authentication, .anonymous, 5, per: .minutes(1)),
    ]

    @Test(arguments: rows)
    func `the documents' numbers are the defaults`(_ row: Row) throws {
        let limit = try #require(
            RateLimitPolicy().limit(row.dialect, row.limitClass, row.tier, underLoad: false))
        #expect(limit == RateLimit(row.count, per: row.window))
    }

    @Test func `one number scales all limits, and none falls below one`() {
        var policy = RateLimitPolicy()
        let count = { (scale: Double, underLoad: Bool) -> Int? in
            policy.scale = scale
            return policy.limit(.rooms, .standard, .user, underLoad: underLoad)?.count
        }
        #expect(count(1, true) == 30)
        #expect(count(2, false) == 120)
        #expect(count(0.5, true) == 15)
        #expect(count(0.000_1, false) == 1)
        #expect(count(1e300, false) == .max)
        #expect(count(0, false) == nil)
        #expect(policy.limit(.rooms, .unlimited, .user, underLoad: false) == nil)
    }

    @Test func `a caller's tier is what the token says`() async throws {
        try await APIHarness.run { api in
            func tier(_ person: APIHarness.Person) async throws -> RateTier {
                RateTier(try await api.accounts.authenticator.authenticate(.bearer(person.token)))
            }
            #expect(RateTier(nil) == .anonymous)
            let alice = try await api.register()
            #expect(try await tier(alice) == .user)
            _ = try await api.accounts.setTier(.premium, of: alice.id, by: .console, origin: .console)
            #expect(try await tier(try await api.login("alice")) == .premium)
            #expect(try await tier(try await api.administrator()) == .admin)
            #expect(try await tier(try await api.machine("node-1", .node, [.cluster])) == .node)
            #expect(try await tier(try await api.machine("backup-1", .service, [.backups])) == .user)
        }
    }

    // MARK: Requests

    @Test func `answers tell the limit, what is left of it and when it begins anew`() async throws {
        try await APIHarness.run(Self.limited()) { api in
            let alice = try await api.register()
            let first = try await api.get("/users/me", as: alice)
            #expect(first.header("x-ratelimit-limit") == "60")
            #expect(first.header("x-ratelimit-remaining") == "59")
            #expect(first.header("x-ratelimit-window") == "60")
            #expect(first.header("x-ratelimit-reset") == "\(api.clock.now.secondsSinceEpoch + 60)")
            #expect(first.header("retry-after") == nil)
            api.advance(by: .seconds(20))
            let second = try await api.get("/users/me", as: alice)
            #expect(second.header("x-ratelimit-remaining") == "58")
            #expect(second.header("x-ratelimit-reset") == first.header("x-ratelimit-reset"))
        }
    }

    @Test(arguments: [
        ("/api/v1/auth/login", 10, "RATE_LIMIT_EXCEEDED", "error.code"),
        ("/v1/auth/login", 5, "RATE_LIMITED", "error.code"),
        ("/auth/login", 60, "RATE_LIMIT_EXCEEDED", "error.code"),
    ])
    func `after the last request of a window comes 429, until the window ends`(
        _ path: String, _ count: Int, _ code: String, _ member: String
    ) async throws {
        try await APIHarness.run(Self.limited()) { api in
            for _ in 0..<count { #expect(try await api.post(path, "{}").status != 429) }
            api.advance(by: .milliseconds(59_500))
            let refused = try await api.post(path, "{}")
            #expect(refused.status == 429)
            #expect(refused.string(member) == code)
            #expect(refused.headers("retry-after") == ["1"])
            #expect(refused["error.details.retry_after"] == .integer(1))
            #expect(refused.header("x-ratelimit-remaining") == "0")
            api.advance(by: .milliseconds(500))
            #expect(try await api.post(path, "{}").header("x-ratelimit-remaining") == "\(count - 1)")
        }
    }

    @Test func `reference's answer has retry_after where its document has it`() async throws {
        try await APIHarness.run(Self.limited(scale: 0.1)) { api in
            _ = try await api.post("/api/v1/auth/login", "{}")
            let refused = try await api.post("/api/v1/auth/login", "{}")
            #expect(refused["error.retry_after"] == .integer(60))
            #expect(refused.headers("retry-after") == ["60"])
        }
    }

    @Test func `dialects and classes count by themselves`() async throws {
        try await APIHarness.run(Self.limited()) { api in
            for _ in 0..<6 { _ = try await api.post("/v1/auth/login", "{}") }
            #expect(try await api.post("/v1/auth/login", "{}").status == 429)
            #expect(try await api.get("/v1/users").header("x-ratelimit-limit") == "1000")
            #expect(try await api.post("/api/v1/auth/login", "{}").status == 422)
            #expect(try await api.post("/auth/login", "{}").status == 422)
        }
    }

    @Test func `who is known counts by account, wherever the requests come from`() async throws {
        try await APIHarness.run(Self.limited()) { api in
            let (alice, bob) = (try await api.register("alice"), try await api.register("bob"))
            func remaining(_ person: APIHarness.Person, _ address: String) async throws -> String? {
                var request = TestRequest(.get, "/users/me", as: person)
                request.address = address
                return try await api.send(request).header("x-ratelimit-remaining")
            }
            #expect(try await remaining(alice, "192.0.2.1") == "59")
            #expect(try await remaining(alice, "192.0.2.2") == "58")
            #expect(try await remaining(bob, "192.0.2.1") == "59")
        }
    }

    @Test func `who is not counts by address, IPv6 by its network`() async throws {
        try await APIHarness.run(Self.limited()) { api async throws in
            func remaining(_ address: String) async throws -> String? {
                var request = TestRequest(.get, "/users/me")
                request.address = address
                return try await api.send(request).header("x-ratelimit-remaining")
            }
            #expect(try await remaining("192.0.2.1") == "59")
            #expect(try await remaining("192.0.2.1") == "58")
            #expect(try await remaining("192.0.2.2") == "59")
            #expect(try await remaining("2001:db8:0:1::1") == "59")
            #expect(try await remaining("2001:db8:0:1:ffff::2") == "58")
            #expect(try await remaining("2001:db8:0:2::1") == "59")
            #expect(try await remaining("unix") == "59")
        }
    }

    @Test func `logging in counts by address even with a token`() async throws {
        try await APIHarness.run(Self.limited()) { api in
            let (alice, bob) = (try await api.register("alice"), try await api.register("bob"))
            for person in [alice, bob, alice, bob, alice] {
                _ = try await api.post("/v1/auth/login", "{}", as: person)
            }
            #expect(try await api.post("/v1/auth/login", "{}", as: bob).status == 429)
        }
    }

    @Test func `guessing tokens is limited too`() async throws {
        try await APIHarness.run(Self.limited()) { api async throws in
            let headers = [("Authorization", "Bearer nonsense")]
            for _ in 0..<60 { #expect(try await api.get("/users/me", headers: headers).status == 401) }
            #expect(try await api.get("/users/me", headers: headers).status == 429)
        }
    }

    @Test(arguments: [
        ("/nowhere", 404, "error"), ("/v1/nowhere", 404, "error.code"), ("/api/v1/ai/chat", 501, "error.code"),
        ("/api/v1/auth/login", 405, "error.code"),
    ])
    func `what no route answers counts by address, in all dialects together`(
        _ path: String, _ status: Int, _ code: String
    ) async throws {
        var setup = Self.limited()
        setup.limits.unrouted = RateLimit(3, per: .minutes(1))
        try await APIHarness.run(setup) { api in
            let alice = try await api.register()
            #expect(try await api.get("/elsewhere").header("x-ratelimit-remaining") == "2")
            for _ in 0..<2 { #expect(try await api.get(path, as: alice).status == status) }
            let refused = try await api.get(path, as: alice)
            #expect(refused.status == 429)
            #expect(refused.header("retry-after") == "60")
            #expect(refused.string(code)?.lowercased().contains("rate") ?? refused.text.contains("too_many_requests"))
            // Another address, and what a route answers, are not touched by it.
            var other = TestRequest(.get, path)
            other.address = "192.0.2.2"
            #expect(try await api.send(other).status == status)
            #expect(try await api.get("/users/me", as: alice).status == 200)
            api.advance(by: .minutes(1))
            #expect(try await api.get(path).status == status)
        }
    }

    @Test func `what no route answers has one number, scaled like the others, or none`() {
        var policy = RateLimitPolicy()
        #expect(policy.limit(.manual, .unrouted, .anonymous, underLoad: false) == RateLimit(300, per: .minutes(1)))
        #expect(policy.limit(.rooms, .unrouted, .admin, underLoad: true)?.count == 150)
        policy.scale = 2
        #expect(policy.limit(.design, .unrouted, .user, underLoad: false)?.count == 600)
        policy.unrouted = nil
        #expect(policy.limit(.design, .unrouted, .user, underLoad: false) == nil)
    }

    @Test func `what monitors ask is not limited`() async throws {
        try await APIHarness.run(Self.limited(scale: 0.000_1)) { api in
            for path in ["/health", "/healthz", "/readyz", "/metrics", "/openapi.json"] {
                for _ in 0..<3 {
                    let answer = try await api.get(path)
                    #expect(answer.status == 200)
                    #expect(answer.header("x-ratelimit-limit") == nil)
                }
            }
        }
    }

    @Test func `over its load marks the server allows half`() async throws {
        var setup = Self.limited()
        setup.loadMarks = LoadMonitor.Marks(cpu: -1, memory: -1)
        try await APIHarness.run(setup) { api in
            let alice = try await api.register()
            #expect(try await api.get("/users/me", as: alice).header("x-ratelimit-limit") == "60")
            api.load.start(on: api.loop)
            #expect(try await api.get("/users/me", as: alice).header("x-ratelimit-limit") == "30")
        }
    }

    @Test func `memory for windows is bounded, and ended windows go first`() {
        let limiter = RateLimiter(capacity: 100)
        func key(_ number: UInt64) -> RateLimiter.Key {
            RateLimiter.Key(dialect: .rooms, limitClass: .standard, caller: .principal(high: 0, low: number))
        }
        let start = Instant(nanoseconds: 1)
        for number in 0..<60 as Range<UInt64> {
            _ = limiter.take(RateLimit(1, per: .seconds(1)), for: key(number), at: start)
        }
        let later = start + .seconds(2)
        let limit = RateLimit(1, per: .minutes(1))
        for number in 100..<140 as Range<UInt64> {
            #expect(limiter.take(limit, for: key(number), at: later).isAllowed)
        }
        #expect(limiter.windowCount == 100)
        // The one that is too many takes the place of the ended ones: nobody who is counted is forgotten.
        #expect(limiter.take(limit, for: key(140), at: later).isAllowed)
        #expect(limiter.windowCount == 41)
        for number in 100...140 as ClosedRange<UInt64> {
            #expect(!limiter.take(limit, for: key(number), at: later).isAllowed)
        }
        for number in 1_000..<10_000 as Range<UInt64> {
            #expect(limiter.take(limit, for: key(number), at: later).isAllowed)
            #expect(limiter.windowCount <= 100)
        }
    }
}
