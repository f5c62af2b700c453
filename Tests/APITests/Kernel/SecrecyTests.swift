import Accounts
import Base
import Net
import Synchronization
import TestKit
import Testing
import Wire

@testable import API

/// No secret in a log line, at any level, and none in an answer that is not meant to hold it.
@Suite(.serialized) struct SecrecyTests {
    private final class Lines: Sendable {
        private let text = Mutex(Bytes())
        var all: String { text.withLock { String(decoding: $0, as: UTF8.self) } }

        /// The sink is the process's: other tests that run meanwhile write here too, which does no harm.
        func capture(_ level: LogLevel, _ body: () async throws -> Void) async rethrows {
            LogOutput.replaceSink { [self] line in text.withLock { $0 += line } }
            LogOutput.configure(level: level, style: .json)
            defer {
                LogOutput.configure(level: .info)
                LogOutput.replaceSink(nil)
            }
            try await body()
        }
    }

    private static let password = "a very secret pass phrase 4711"

    @Test func `secrets do not reach the log, even at the level that shows personal data`() async throws {
        let lines = Lines()
        var secrets = [Self.password, "wrong \(Self.password)"]
        try await lines.capture(.trace) {
            try await APIHarness.run { api in secrets += try await Self.use(api) }
        }
        #expect(secrets.count > 8)
        #expect(lines.all.contains("\"request_id\""))
        for secret in secrets { #expect(!lines.all.contains(secret), "a secret is in the log") }
    }

    @Test func `personal data shows at the trace level only`() async throws {
        let lines = Lines()
        try await lines.capture(.debug) {
            try await APIHarness.run { api in _ = try await Self.use(api, name: "zacharias-4711") }
        }
        #expect(lines.all.contains("\"request_id\""))
        for personal in ["zacharias-4711", "198.51.100.47"] { #expect(!lines.all.contains(personal)) }
    }

    @Test func `an error's body does not repeat what was sent`() async throws {
        try await APIHarness.run { api in
            let secret = Self.password
            let long = String(repeating: secret, count: 100)
            let requests = [
                TestRequest(.post, "/auth/login", #"{"username": "alice", "password": "\#(secret)"}"#),
                TestRequest(.post, "/auth/login", #"{"username": "\#(secret)", "password": ["\#(secret)"]}"#),
                TestRequest(.post, "/auth/login", #"{"password": "\#(long)", "username": "x"}"#),
                TestRequest(.post, "/auth/login", #"{"password": "\#(secret)""#),
                TestRequest(
                    .post, "/v1/auth/register", #"{"username": "\#(secret)", "email": "x", "password": "\#(secret)"}"#),
                TestRequest(.post, "/api/v1/auth/refresh", #"{"refresh_token": "\#(secret)"}"#),
                TestRequest(.get, "/users/me", headers: [("Authorization", "Bearer \(secret)")]),
                TestRequest(.get, "/users/me", headers: [("X-API-Key", secret)]),
                TestRequest(.get, "/users/me?page=\(secret)"),
            ]
            for request in requests {
                let answer = try await api.send(request)
                #expect(answer.status >= 400)
                #expect(!answer.text.contains(secret), "\(request.method) \(request.path): \(answer.text)")
                #expect(!answer.headers.contains { $0.value.contains(secret) })
            }
        }
    }

    @Test func `no answer holds a hash or a key that is stored`() async throws {
        try await APIHarness.run { api in
            let root = try await api.administrator()
            let alice = try await api.register()
            _ = try await api.post("/api/v1/auth/api-keys", #"{"name": "k", "permissions": ["read"]}"#, as: alice)
            for path in ["/v1/admin/users", "/v1/users/\(alice.id)", "/api/v1/admin/users", "/v1/admin/audit-logs"] {
                let text = try await api.get(path, as: root).text
                #expect(!text.contains("argon2") && !text.contains("password_hash") && !text.contains("plx_"))
            }
            let keys = try await api.get("/api/v1/auth/api-keys", as: alice)
            #expect(keys.string("api_keys.0.hint")?.count == 8)
            #expect(keys["api_keys.0.key"] == nil)
        }
    }

    // MARK: -

    /// Everything that has to do with secrets; returns those that came up.
    private static func use(_ api: APIHarness, name: String = "alice") async throws -> [String] {
        func send(
            _ path: String, _ json: String, as person: APIHarness.Person? = nil, headers: [(String, String)] = []
        ) async throws -> TestAnswer {
            var request = TestRequest(.post, path, json, as: person, headers: headers)
            request.address = "198.51.100.47"
            return try await api.send(request)
        }
        let registered = try await send(
            "/auth/register",
            #"{"username": "\#(name)", "email": "\#(name)@example.org", "password": "\#(password)", "display_name": "\#(name)"}"#
        )
        let id = try #require(registered.string("data.user.id").flatMap { UserID($0) })
        let person = APIHarness.Person(
            id: id, name: name, token: try #require(registered.string("data.access_token")))
        _ = try await send("/auth/login", #"{"username": "\#(name)", "password": "wrong \#(password)"}"#)
        let login = try await send(
            "/api/v1/auth/login", #"{"username": "\#(name)", "password": "\#(password)"}"#,
            headers: [("Idempotency-Key", "k-1")])
        let cookie = try #require(login.cookie("plx_session"))
        let key = try #require(
            try await send("/api/v1/auth/api-keys", #"{"name": "k", "permissions": ["read"]}"#, as: person).string(
                "key"))
        let refresh = try #require(login.string("refresh_token"))
        let refreshed = try await send("/v1/auth/refresh", #"{"refresh_token": "\#(refresh)"}"#)
        let enrolment = try await send("/api/v1/auth/mfa/totp", "", as: person)
        _ = try await send("/v1/auth/forgot-password", #"{"email": "\#(name)@example.org"}"#)
        await api.accounts.settle()
        let reset = try #require(api.domain.mail.sent.last?.code)
        for headers in [
            [("X-API-Key", key)], [("Cookie", "plx_session=\(cookie)")], [("Authorization", "Bearer \(key)")],
        ] {
            _ = try await api.get("/users/me", headers: headers)
        }
        _ = try await send("/v1/auth/reset-password", #"{"token": "\#(reset)", "password": "\#(password)"}"#)
        return [
            person.token, cookie, key, refresh, reset, try #require(refreshed.string("data.refresh_token")),
            try #require(enrolment.string("secret")), try #require(login.cookie("plexi_csrf")),
        ]
    }
}
