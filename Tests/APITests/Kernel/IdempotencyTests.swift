import Accounts
import Base
import Crypto
import Net
import Store
import Synchronization
import TestKit
import Testing
import Wire

@testable import API

@Suite struct IdempotencyTests {
    private static let path = "/api/v1/auth/api-keys"
    private static let body = #"{"name": "one", "permissions": ["read"]}"#

    /// The same request sixteen times at once.
    private static func crowd(_ api: APIHarness, _ person: APIHarness.Person) async throws -> [TestAnswer] {
        let tasks = (0..<16).map { _ in
            Task { @concurrent in try await api.post(path, body, as: person, headers: key("k")) }
        }
        var answers: [TestAnswer] = []
        for task in tasks { answers.append(try await task.value) }
        return answers
    }

    private static func key(_ key: String) -> [(String, String)] { [("Idempotency-Key", key)] }

    @Test(arguments: TestDatabase.available)
    func `the same request again has its effect once and gets the first answer`(_ place: TestDatabase) async throws {
        try await APIHarness.run(on: place) { api in
            let alice = try await api.register()
            let first = try await api.post(Self.path, Self.body, as: alice, headers: Self.key("k"))
            let second = try await api.post(Self.path, Self.body, as: alice, headers: Self.key("k"))
            #expect(first.status == 201 && second.status == 201)
            #expect(first.body == second.body)
            #expect(first.header("idempotent-replayed") == nil)
            #expect(second.header("idempotent-replayed") == "true")
            #expect(try await api.get(Self.path, as: alice)["api_keys"]?.arrayValue?.count == 1)
        }
    }

    @Test(arguments: TestDatabase.available)
    func `of many at once one has the effect`(_ place: TestDatabase) async throws {
        try await APIHarness.run(on: place) { api in
            let alice = try await api.register()
            let answers = try await Self.crowd(api, alice)
            let made = answers.filter { $0.status == 201 }
            #expect(made.count { $0.header("idempotent-replayed") == nil } == 1)
            #expect(Set(made.map(\.body)).count == 1)
            #expect(answers.allSatisfy { $0.status == 201 || $0.status == 409 })
            #expect(try await api.get(Self.path, as: alice)["api_keys"]?.arrayValue?.count == 1)
        }
    }

    @Test func `failures are answered again as well`() async throws {
        try await APIHarness.run { api in
            let alice = try await api.register()
            let body = #"{"name": "one", "permissions": ["everything"]}"#
            let first = try await api.post(Self.path, body, as: alice, headers: Self.key("k"))
            let second = try await api.post(Self.path, body, as: alice, headers: Self.key("k"))
            #expect(first.status == 422)
            #expect(first.body == second.body)
            #expect(second.header("idempotent-replayed") == "true")
        }
    }

    @Test func `an empty answer is answered again as empty`() async throws {
        try await APIHarness.run { api in
            let (root, bob) = (try await api.administrator(), try await api.register("bob"))
            for replayed in [nil, "true"] {
                let answer = try await api.delete("/v1/users/\(bob.id)", as: root, headers: Self.key("k"))
                #expect(answer.status == 204)
                #expect(answer.header("idempotent-replayed") == replayed)
            }
        }
    }

    @Test func `a login that is answered again sets its cookies again`() async throws {
        try await APIHarness.run { api in
            _ = try await api.register()
            let body = #"{"username": "alice", "password": "\#(APIHarness.password)"}"#
            let first = try await api.post("/api/v1/auth/login", body, headers: Self.key("k"))
            let second = try await api.post("/api/v1/auth/login", body, headers: Self.key("k"))
            #expect(first.headers("set-cookie").count == 2)
            #expect(second.headers("set-cookie") == first.headers("set-cookie"))
            #expect(second.headers("content-type") == ["application/json"])
            #expect(second.header("idempotent-replayed") == "true")
            #expect(second.body == first.body)
            let cookie = try #require(second.cookie("plx_session"))
            #expect(try await api.get("/users/me", headers: [("Cookie", "plx_session=\(cookie)")]).status == 200)
        }
    }

    @Test func `another body under the same key is refused`() async throws {
        try await APIHarness.run { api in
            let alice = try await api.register()
            _ = try await api.post(Self.path, Self.body, as: alice, headers: Self.key("k"))
            let other = #"{"name": "two", "permissions": ["read"]}"#
            let answer = try await api.post(Self.path, other, as: alice, headers: Self.key("k"))
            #expect(answer.status == 422)
            #expect(answer.string("error.code") == "IDEMPOTENCY_MISMATCH")
        }
    }

    @Test func `a key belongs to one caller, one method and one path`() async throws {
        try await APIHarness.run { api in
            let (alice, bob) = (try await api.register("alice"), try await api.register("bob"))
            let first = try await api.post(Self.path, Self.body, as: alice, headers: Self.key("k"))
            let second = try await api.post(Self.path, Self.body, as: bob, headers: Self.key("k"))
            #expect(first.status == 201 && second.status == 201)
            #expect(first.body != second.body)
            let change = #"{"display_name": "A"}"#
            #expect(try await api.put("/users/me", change, as: alice, headers: Self.key("k")).status == 200)
            #expect(try await api.put("/v1/auth/me", change, as: alice, headers: Self.key("k")).status == 200)
        }
    }

    @Test func `a key is forgotten after a day`() async throws {
        var setup = APIHarness.Setup()
        setup.accounts.accessLifetime = .days(3)
        try await APIHarness.run(setup) { api in
            let alice = try await api.register()
            func post() async throws -> TestAnswer {
                try await api.post(Self.path, Self.body, as: alice, headers: Self.key("k"))
            }
            _ = try await post()
            api.advance(by: .hours(24))
            #expect(try await post().header("idempotent-replayed") == "true")
            api.advance(by: .seconds(1))
            #expect(try await post().header("idempotent-replayed") == nil)
            #expect(try await api.get(Self.path, as: alice)["api_keys"]?.arrayValue?.count == 2)
            api.advance(by: .hours(25))
            try await api.idempotency.purge(at: api.clock.now)
            let rows = try await api.domain.database.query("SELECT COUNT(*) FROM idempotency_keys")
            #expect(try rows.first?.integer(0) == 0)
        }
    }

    @Test func `a request that has begun and not ended is 409`() async throws {
        try await APIHarness.run { api in
            let alice = try await api.register()
            let id = IdempotencyStore.identity(caller: "\(alice.id)", method: .post, path: Self.path, key: "k")
            _ = try await api.idempotency.begin(id, fingerprint: SHA256.hash(Bytes(Self.body.utf8)), at: api.clock.now)
            let answer = try await api.post(Self.path, Self.body, as: alice, headers: Self.key("k"))
            #expect(answer.status == 409)
            #expect(answer.header("retry-after") == "1")
        }
    }

    @Test(arguments: ["", String(repeating: "k", count: 256)])
    func `a key that is none is refused`(_ key: String) async throws {
        try await APIHarness.run { api in
            let alice = try await api.register()
            let answer = try await api.post(Self.path, Self.body, as: alice, headers: Self.key(key))
            #expect(answer.status == 422)
            #expect(answer.string("error.details.field") == "Idempotency-Key")
        }
    }

    @Test func `a key with a request that changes nothing is passed over`() async throws {
        try await APIHarness.run { api in
            let alice = try await api.register()
            for _ in 0..<2 {
                let answer = try await api.get("/users/me", as: alice, headers: Self.key("k"))
                #expect(answer.header("idempotent-replayed") == nil)
            }
        }
    }

    @Test func `an answer that asks for another try is not kept`() async throws {
        let attempts = Attempts([.internalServerError, .tooManyRequests, .serviceUnavailable, .ok])
        var setup = APIHarness.Setup()
        setup.tables = DialectTables.all.map { $0.dialect == .design ? attempts.added(to: $0) : $0 }
        try await APIHarness.run(setup) { api in
            for status in [500, 429, 503, 200, 200] {
                let answer = try await api.post("/v1/attempts", headers: Self.key("k"))
                #expect(answer.status == status)
            }
            #expect(attempts.count == 4)
        }
    }

    @Test func `a login that was throttled may be tried again with its key`() async throws {
        try await APIHarness.run { api in
            _ = try await api.register()
            let wrong = #"{"username": "alice", "password": "wrong password"}"#
            for _ in 0..<6 { _ = try await api.post("/api/v1/auth/login", wrong) }
            let right = #"{"username": "alice", "password": "\#(APIHarness.password)"}"#
            #expect(try await api.post("/api/v1/auth/login", right, headers: Self.key("k")).status == 429)
            api.advance(by: .minutes(10))
            #expect(try await api.post("/api/v1/auth/login", right, headers: Self.key("k")).status == 200)
        }
    }
}

/// A row that answers with one status after the other.
private final class Attempts: Sendable {
    private let statuses: Mutex<[HTTPStatus]>
    private let made = Mutex(0)

    init(_ statuses: [HTTPStatus]) { self.statuses = Mutex(statuses) }

    var count: Int { made.withLock { $0 } }

    func added(to table: DialectTable) -> DialectTable {
        let route = Route.post("/v1/attempts", .everyone, "Attempts", answer: nil) { [self] _ in try attempt() }
        return DialectTable(table.dialect, table.format, table.routes + [route])
    }

    private func attempt() throws -> Reply {
        made.withLock { $0 += 1 }
        let status = statuses.withLock { $0.removeFirst() }
        switch status {
        case .internalServerError: throw RequestFault.internalError
        case .serviceUnavailable: throw RequestFault.unavailable(reason: "away", retryAfter: 1)
        case .tooManyRequests: throw AccountError.throttled(retryAfter: .seconds(1))
        default: return .empty
        }
    }
}
