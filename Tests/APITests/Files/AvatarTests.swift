import Accounts
import Base
import Store
import TestKit
import Testing
import Wire

@testable import API

/// Pictures of users: rooms.md's row, and what we add to it.
@Suite struct AvatarTests {
    private func upload(_ content: String, _ api: APIHarness, as person: APIHarness.Person?) async throws -> TestAnswer
    {
        try await api.upload(
            FileRequests.form(content, name: "me.png", type: "image/png"), to: "/users/me/avatar", as: person)
    }

    private func path(_ answer: TestAnswer) throws -> String {
        let url = try #require(answer.string("data.avatar_url"))
        return String(url.dropFirst("https://chat.example.org".count))
    }

    @Test func `a picture is kept, named in the profile, and shown to whoever has its address`() async throws {
        try await APIHarness.run { api in
            let alice = try await api.register("alice")
            let answer = try await upload("PNG picture", api, as: alice)
            #expect(answer.status == 200)
            let path = try path(answer)
            #expect(
                try await api.get("/users/me", as: alice).string("data.avatar_url") == answer.string("data.avatar_url"))
            let shown = try await api.get(path)
            #expect(shown.status == 200)
            #expect(try await shown.content() == Bytes("small 11".utf8))
            #expect(shown.header("content-type") == "image/jpeg")
            #expect(shown.header("x-content-type-options") == "nosniff")
            #expect(shown.header("content-security-policy")?.contains("sandbox") == true)
            let tag = try #require(shown.header("etag"))
            #expect(try await api.get(path, headers: [("If-None-Match", tag)]).status == 304)
        }
    }

    @Test func `a new picture replaces the old one, and nothing is left of it`() async throws {
        try await APIHarness.run { api in
            let alice = try await api.register("alice")
            let first = try path(try await upload("PNG one", api, as: alice))
            let second = try path(try await upload("PNG another", api, as: alice))
            #expect(first != second)
            #expect(try await api.get(first).status == 404)
            #expect(try await api.get(second).status == 200)
            #expect(try await api.keptBlobs() == 1)
            #expect(try await api.delete("/users/me/avatar", as: alice).status == 204)
            #expect(try await api.get(second).status == 404)
            #expect(try await api.get("/users/me", as: alice).string("data.avatar_url") == nil)
            #expect(try await api.keptBlobs() == 0)
        }
    }

    @Test func `two users with the same picture share its bytes, and keep it apart`() async throws {
        try await APIHarness.run { api in
            let (alice, bob) = (try await api.register("alice"), try await api.register("bob"))
            _ = try await upload("PNG same", api, as: alice)
            let other = try path(try await upload("PNG same", api, as: bob))
            #expect(try await api.keptBlobs() == 1)
            _ = try await api.delete("/users/me/avatar", as: alice)
            #expect(try await api.get(other).content() == Bytes("small 8".utf8))
        }
    }

    @Test func `what is no picture is refused, and the old one stays`() async throws {
        try await APIHarness.run { api in
            let alice = try await api.register("alice")
            let path = try path(try await upload("PNG good", api, as: alice))
            for (content, status, code) in [
                ("<svg onload=alert(1)>", 415, "FILE_TYPE_NOT_ALLOWED"), ("PNG broken", 422, "FILE_UPLOAD_FAILED"),
                ("", 422, "FILE_UPLOAD_FAILED"), ("PNG EICAR", 422, "VIRUS_DETECTED"),
                ("PNG" + String(repeating: "x", count: AvatarService.bytesMax), 413, "FILE_TOO_LARGE"),
            ] {
                let answer = try await upload(content, api, as: alice)
                #expect(answer.status == status)
                #expect(answer.string("error.code") == code)
            }
            #expect(try await upload("PNG x", api, as: nil).status == 401)
            #expect(try await api.get(path).status == 200)
            #expect(try await api.keptBlobs() == 1)
        }
    }

    @Test func `a store that is full keeps nothing and loses nothing`() async throws {
        try await APIHarness.run { api in
            let alice = try await api.register("alice")
            let path = try path(try await upload("PNG good", api, as: alice))
            api.ledger.store.fail(.unavailable("full"))
            #expect(try await upload("PNG other", api, as: alice).status == 503)
            api.ledger.store.fail(nil)
            #expect(try await api.get(path).status == 200)
            #expect(try await api.keptBlobs() == 1)
        }
    }

    @Test func `the picture of somebody who is gone goes too`() async throws {
        try await APIHarness.run { api in
            let alice = try await api.register("alice")
            let path = try path(try await upload("PNG good", api, as: alice))
            #expect(try await api.delete("/api/v1/users/me", as: alice).status == 204)
            let hasMore = try await api.avatars.sweep()
            #expect(!hasMore)
            #expect(try await api.get(path).status == 404)
            #expect(try await api.keptBlobs() == 0)
        }
    }

    @Test func `an address that names nothing is not found`() async throws {
        try await APIHarness.run { api async throws in
            for name in ["\(UUID.random())", "nonsense"] {
                #expect(try await api.get("/users/avatars/\(name)").status == 404)
            }
        }
    }
}
