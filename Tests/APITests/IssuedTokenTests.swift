// Service accounts and issued tokens, over the API.

import TestKit
import Testing
import Wire

@Suite struct IssuedTokenTests {
    @Test func `a service gets a token that can do what it was given, until it is revoked`() async throws {
        try await APIHarness.run { api in
            let root = try await api.administrator()
            let made = try await api.post(
                "/api/v1/admin/service-accounts",
                #"{"name": "backup-engine", "kind": "service", "scopes": ["backups"]}"#,
                as: root)
            #expect(made.status == 201)
            let id = try #require(made.string("id"))
            // Lists hide it from users, so the row of one does too.
            let alice = try await api.register()
            #expect(try await api.get("/v1/users/\(id)", as: alice).status == 404)
            #expect(try await api.get("/v1/users/\(id)", as: root).status == 200)
            let issued = try await api.post("/api/v1/admin/users/\(id)/tokens", #"{"label": "nightly"}"#, as: root)
            #expect(issued.status == 201)
            #expect(issued.string("kind") == "service")
            #expect(issued["scopes"] == .array([.string("backups")]))
            let bearer = [("Authorization", "Bearer \(try #require(issued.string("token")))")]
            // It carries no profile scope: it is somebody, but not a user.
            #expect(try await api.get("/api/v1/users/me", headers: bearer).status == 403)

            let listed = try await api.get("/api/v1/admin/users/\(id)/tokens", as: root)
            #expect(listed["tokens"]?.arrayValue?.count == 1)
            #expect(listed["tokens"]?.arrayValue?.first?["label"] == .string("nightly"))

            let tokenID = try #require(issued.string("token_id"))
            #expect(try await api.delete("/api/v1/admin/tokens/\(tokenID)", as: root).status == 204)
            #expect(try await api.get("/api/v1/users/me", headers: bearer).status == 401)
        }
    }

    @Test func `nobody but an administrator issues, and only what there is`() async throws {
        try await APIHarness.run { api in
            let root = try await api.administrator()
            let alice = try await api.register()
            let body = #"{"name": "x-service", "kind": "node", "scopes": ["cluster"]}"#
            #expect(try await api.post("/api/v1/admin/service-accounts", body, as: alice).status == 403)
            #expect(try await api.post("/api/v1/admin/users/\(alice.id)/tokens", "{}", as: alice).status == 403)
            let unknown = try await api.post(
                "/api/v1/admin/users/\(alice.id)/tokens", #"{"scopes": ["everything"]}"#, as: root)
            #expect(unknown.status == 422)
            let tooMuch = try await api.post(
                "/api/v1/admin/users/\(alice.id)/tokens", #"{"scopes": ["cluster.admin"]}"#, as: root)
            #expect(tooMuch.status == 403)
        }
    }
}
