import Accounts
import Base
import Store
import TestKit
import Testing
import Wire

@testable import API

/// The database is away: whoever asks is told so, in the dialect's words, and when to come back.
@Suite struct BrokenDatabaseTests {
    @Test func `what needs the database is 503 with a reason`() async throws {
        try await APIHarness.run(breaksDatabase: true) { api in
            let alice = try await api.register()
            await api.domain.database.close()
            let login = #"{"username": "alice", "password": "\#(APIHarness.password)"}"#
            for path in ["/api/v1/auth/login", "/v1/auth/login", "/auth/login"] {
                let answer = try await api.post(path, login)
                #expect(answer.status == 503, "\(path): \(answer.text)")
                #expect(answer.string("error.code") == "SERVICE_UNAVAILABLE")
                #expect(answer.headers("retry-after") == ["1"])
            }
            // A token that nobody has looked up yet is neither good nor bad.
            let headers = [("Authorization", "Bearer \(alice.token)")]
            #expect(try await api.get("/users/me", headers: headers).status == 503)
            let keyed = try await api.post("/auth/login", login, headers: [("Idempotency-Key", "k")])
            #expect(keyed.status == 503)
        }
    }

    @Test func `health says what is wrong`() async throws {
        try await APIHarness.run(breaksDatabase: true) { api in
            await api.domain.database.close()
            let health = try await api.get("/health")
            #expect(health.status == 503)
            #expect(health.string("data.services.database") == "unhealthy")
            let ready = try await api.get("/readyz")
            #expect(ready.status == 503)
            #expect(ready.text.hasPrefix("database: "))
            #expect(try await api.get("/healthz").status == 200)
        }
    }

    @Test func `a server that drains is not ready`() async throws {
        try await APIHarness.run { api in
            #expect(try await api.get("/readyz").status == 200)
            api.health.isReady = false
            let answer = try await api.get("/readyz")
            #expect(answer.status == 503)
            #expect(answer.text == "starting or draining\n")
        }
    }
}
