import Accounts
import Base
import Net
import TestKit
import Testing
import Wire

@testable import API

/// What matters for security is written down: who, what, from where, how it ended.
@Suite struct AuditTests {
    private static let wrong = #"{"username": "alice", "password": "wrong password"}"#
    private static let right = #"{"username": "alice", "password": "\#(APIHarness.password)"}"#

    @Test(arguments: TestDatabase.available)
    func `an account's life is written down, row by row`(_ place: TestDatabase) async throws {
        try await APIHarness.run(on: place) { api in
            let root = try await api.administrator()
            let registered = try await api.post(
                "/auth/register",
                #"{"username": "alice", "email": "alice@example.org", "password": "\#(APIHarness.password)", "display_name": "A"}"#
            )
            let token = try #require(registered.string("data.access_token"))
            let id = try #require(registered.string("data.user.id").flatMap { UserID($0) })
            let alice = APIHarness.Person(id: id, name: "alice", token: token)

            _ = try await api.put("/users/me", #"{"display_name": "B"}"#, as: alice)
            let key = try await api.post(
                "/api/v1/auth/api-keys", #"{"name": "k", "permissions": ["read"]}"#, as: alice)
            _ = try await api.delete("/api/v1/auth/api-keys/\(try #require(key.string("id")))", as: alice)
            _ = try await api.post(
                "/api/v1/auth/password",
                #"{"current_password": "\#(APIHarness.password)", "new_password": "another password"}"#, as: alice)
            _ = try await api.post("/v1/auth/forgot-password", #"{"email": "alice@example.org"}"#)
            await api.accounts.settle()
            let reset = try #require(api.domain.mail.sent.last?.code)
            _ = try await api.post(
                "/v1/auth/reset-password", #"{"token": "\#(reset)", "password": "\#(APIHarness.password)"}"#)
            _ = try await api.post("/api/v1/auth/login", Self.wrong)
            let again = try await api.login("alice")
            _ = try await api.post("/v1/auth/logout", as: again)
            _ = try await api.put("/v1/users/\(id)", #"{"roles": ["moderator"]}"#, as: root)
            _ = try await api.put("/v1/admin/users/\(id)/status", #"{"status": "inactive"}"#, as: root)
            _ = try await api.put("/v1/admin/users/\(id)/status", #"{"status": "active"}"#, as: root)
            _ = try await api.delete("/v1/users/\(id)", as: root)

            for action in [
                "account.created", "account.changed", "api_key.created", "api_key.revoked", "password.changed",
                "password.reset_requested", "password.reset", "login.failed", "login.succeeded", "session.ended",
                "account.roles_changed", "account.deactivated", "account.activated", "account.deleted",
            ] {
                #expect(try await !api.audited(action).isEmpty, "\(action)")
            }
            let deletion = try #require(try await api.audited("account.deleted").first)
            #expect(deletion.actor == root.id && deletion.target == "\(id)")
        }
    }

    @Test func `an event says from where and under which request id`() async throws {
        try await APIHarness.run { api in
            _ = try await api.register()
            var request = TestRequest(
                .post, "/auth/login", Self.wrong, headers: [("X-Request-ID", "req-7"), ("User-Agent", "curl\u{1}/8")])
            request.address = "2001:db8::7"
            #expect(try await api.send(request).status == 401)
            let event = try #require(try await api.audited("login.failed").first)
            #expect(event.outcome == .failure && event.actor == nil)
            #expect(event.origin.address.exposed == "2001:db8::7")
            #expect(event.origin.userAgent?.exposed == "curl /8")
            #expect(event.origin.requestID == "req-7")
        }
    }

    @Test func `administrators read the log, by time, severity and kind`() async throws {
        try await APIHarness.run { api in
            let root = try await api.administrator()
            _ = try await api.register()
            api.advance(by: .minutes(1))
            let noon = api.clock.now
            _ = try await api.post("/auth/login", Self.wrong)
            api.advance(by: .seconds(1))
            _ = try await api.post("/auth/login", Self.right)
            await api.accounts.settle()
            func actions(_ query: String) async throws -> [String] {
                let answer = try await api.get("/v1/admin/audit-logs?\(query)", as: root)
                #expect(answer.status == 200)
                return answer["data"]?.arrayValue?.compactMap { $0["action"]?.stringValue } ?? []
            }
            #expect(try await actions("type=login&start=\(noon.rfc3339)") == ["login.succeeded", "login.failed"])
            #expect(try await actions("type=login.failed") == ["login.failed"])
            #expect(try await actions("severity=warning&type=login") == ["login.failed"])
            #expect(try await actions("end=2000-01-01T00:00:00Z") == [])
            #expect(try await actions("per_page=1").count == 1)
            #expect(try await api.get("/v1/admin/audit-logs?severity=grave", as: root).status == 400)
        }
    }

    @Test func `a reused refresh token ends its family and is written down`() async throws {
        try await APIHarness.run { api in
            _ = try await api.register()
            let login = try await api.post("/api/v1/auth/login", Self.right)
            let first = try #require(login.string("refresh_token"))
            func refresh(_ token: String) async throws -> TestAnswer {
                try await api.post("/api/v1/auth/refresh", #"{"refresh_token": "\#(token)"}"#)
            }
            let second = try #require(try await refresh(first).string("refresh_token"))
            api.advance(by: .minutes(5))
            #expect(try await refresh(first).status == 401)
            #expect(try await refresh(second).status == 401)
            #expect(try await api.audited("session.refresh_reused").count == 1)
        }
    }
}
