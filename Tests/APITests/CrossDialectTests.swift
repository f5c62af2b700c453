import Accounts
import Base
import TestKit
import Testing
import Wire

@testable import API

/// One domain under five dialects: what one writes, the others read.
@Suite struct CrossDialectTests {
    /// How each dialect logs in, shows and changes the caller.
    struct Speaker: Sendable, CustomTestStringConvertible {
        let name: String
        let prefix: String
        let me: String
        /// Where an answer's value lies.
        let value: String

        var testDescription: String { name }
        var auth: String { prefix + "/auth" }

        static let all = [
            Speaker(name: "reference", prefix: "/api/v1", me: "/api/v1/users/me", value: ""),
            Speaker(name: "design", prefix: "/v1", me: "/v1/auth/me", value: "data."),
            Speaker(name: "rooms", prefix: "", me: "/users/me", value: "data."),
        ]

        func login(_ api: APIHarness, _ name: String = "alice", _ password: String = APIHarness.password) async throws
            -> TestAnswer
        { try await api.post(auth + "/login", #"{"username": "\#(name)", "password": "\#(password)"}"#) }

        func person(_ api: APIHarness, _ id: UserID) async throws -> APIHarness.Person {
            let answer = try await login(api)
            return APIHarness.Person(id: id, name: "alice", token: try #require(answer.string(value + "access_token")))
        }
    }

    private static let registering = [
        ("/auth/register", #""display_name": "Alice A.""#), ("/v1/auth/register", #""display_name": "Alice A.""#),
    ]

    @Test(arguments: TestDatabase.available, registering)
    func `who registers in one dialect is known in all`(
        _ place: TestDatabase, _ row: (path: String, more: String)
    ) async throws {
        try await APIHarness.run(on: place) { api in
            let registered = try await api.post(
                row.path,
                #"{"username": "alice", "email": "alice@example.org", "password": "\#(APIHarness.password)", \#(row.more)}"#
            )
            #expect(registered.status == 201)
            let id = try #require(registered.string("data.user.id"))
            for speaker in Speaker.all {
                let login = try await speaker.login(api)
                #expect(login.status == 200)
                let token = try #require(login.string(speaker.value + "access_token"))
                for other in Speaker.all {
                    let me = try await api.get(other.me, headers: [("Authorization", "Bearer \(token)")])
                    #expect(me.string(other.value + "id") == id)
                    #expect(me.string(other.value + "display_name") == "Alice A.")
                    #expect(me.string(other.value + "email") == "alice@example.org")
                }
            }
            let root = try await api.administrator()
            for (path, members) in [
                ("/api/v1/users?search=alice", "users"), ("/api/v1/admin/users?search=alice", "users"),
                ("/v1/users?search=alice", "data"), ("/v1/admin/users?search=alice", "data"),
            ] {
                let list = try await api.get(path, as: root)[members]?.arrayValue ?? []
                #expect(list.map { $0["id"] } == [.string(id)], "\(path)")
            }
        }
    }

    @Test(arguments: Speaker.all)
    func `a name that is changed in one dialect is changed in all, at once`(_ speaker: Speaker) async throws {
        try await APIHarness.run { api in
            let alice = try await api.register()
            // Each has been asked before, so that an old answer could have been kept.
            for other in Speaker.all { _ = try await api.get(other.me, as: alice) }
            let changed = try await api.put(speaker.me, #"{"display_name": "Ünï 😀"}"#, as: alice)
            #expect(changed.string(speaker.value + "display_name") == "Ünï 😀")
            for other in Speaker.all {
                let me = try await api.get(other.me, as: alice)
                #expect(me.string(other.value + "display_name") == "Ünï 😀", "\(other.name)")
            }
        }
    }

    @Test(arguments: Speaker.all)
    func `who logs out in one dialect is out in all, and other sessions stay`(_ speaker: Speaker) async throws {
        try await APIHarness.run { api in
            let stays = try await api.register()
            for door in Speaker.all {
                let alice = try await door.person(api, stays.id)
                for other in Speaker.all { #expect(try await api.get(other.me, as: alice).status == 200) }
                #expect(try await api.post(speaker.auth + "/logout", as: alice).status == 200)
                for other in Speaker.all { #expect(try await api.get(other.me, as: alice).status == 401) }
                #expect(try await api.get(door.me, as: stays).status == 200)
            }
        }
    }

    @Test(arguments: Speaker.all, Speaker.all)
    func `a refresh token of one dialect is good in another`(_ from: Speaker, _ to: Speaker) async throws {
        try await APIHarness.run { api in
            _ = try await api.register()
            let login = try await from.login(api)
            let refresh = try #require(login.string(from.value + "refresh_token"))
            let answer = try await api.post(to.auth + "/refresh", #"{"refresh_token": "\#(refresh)"}"#)
            #expect(answer.status == 200)
            let token = try #require(answer.string(to.value + "access_token"))
            for other in Speaker.all {
                #expect(try await api.get(other.me, headers: [("Authorization", "Bearer \(token)")]).status == 200)
            }
        }
    }

    @Test func `ending all sessions ends them in all dialects`() async throws {
        try await APIHarness.run { api in
            let id = try await api.register().id
            var people: [APIHarness.Person] = []
            for speaker in Speaker.all { people.append(try await speaker.person(api, id)) }
            #expect(try await api.post("/api/v1/auth/logout-all", as: people[0]).status == 200)
            for person in people {
                for speaker in Speaker.all { #expect(try await api.get(speaker.me, as: person).status == 401) }
            }
        }
    }

    @Test func `who is deactivated or deleted by one dialect is gone from all`() async throws {
        try await APIHarness.run { api in
            let root = try await api.administrator()
            let alice = try await api.register()
            _ = try await api.put("/v1/admin/users/\(alice.id)/status", #"{"status": "inactive"}"#, as: root)
            for speaker in Speaker.all {
                #expect(try await api.get(speaker.me, as: alice).status == 401)
                #expect(try await speaker.login(api).status == 403)
            }
            #expect(try await api.get("/api/v1/users?search=alice", as: root)["users"]?.arrayValue?.count == 0)
            let all = try await api.get("/api/v1/admin/users?search=alice&include_inactive=true", as: root)
            #expect(all["users"]?.arrayValue?.count == 1)
            _ = try await api.delete("/v1/users/\(alice.id)", as: root)
            for speaker in Speaker.all { #expect(try await speaker.login(api).status == 401) }
            #expect(try await api.get("/v1/users/\(alice.id)", as: root).status == 404)
        }
    }

    @Test func `a second factor is asked for in every dialect`() async throws {
        try await APIHarness.run { api in
            let alice = try await api.register()
            let secret = try await api.domain.enrolTOTP(
                try await api.domain.principal(Secret(text: alice.token))
            ).secret
            for speaker in Speaker.all {
                let refused = try await speaker.login(api)
                #expect(refused.status == 401)
                let body =
                    #"{"username": "alice", "password": "\#(APIHarness.password)", "mfa_code": "\#(api.domain.totp(secret))"}"#
                #expect(try await api.post(speaker.auth + "/login", body).status == 200, "\(speaker.name)")
                api.advance(by: .seconds(30))
            }
        }
    }

    @Test func `a challenge of one dialect is met in another`() async throws {
        try await APIHarness.run { api in
            let alice = try await api.register()
            let secret = try await api.domain.enrolTOTP(
                try await api.domain.principal(Secret(text: alice.token))
            ).secret
            for (speaker, path) in [
                (Speaker.all[1], "error.details.temp_token"), (Speaker.all[2], "error.details.temp_token"),
            ] {
                let challenge = try #require(try await speaker.login(api).string(path))
                let body =
                    #"{"temp_token": "\#(challenge)", "mfa_code": "\#(api.domain.totp(secret))", "method": "totp"}"#
                #expect(try await api.post("/api/v1/auth/mfa/verify", body).status == 200, "\(speaker.name)")
                api.advance(by: .seconds(30))
            }
        }
    }

    @Test(arguments: Speaker.all)
    func `guesses at a password are slowed down, whichever dialect they come by`(_ speaker: Speaker) async throws {
        try await APIHarness.run { api in
            _ = try await api.register()
            for _ in 0..<2 {
                for other in Speaker.all { _ = try await other.login(api, "alice", "wrong password") }
            }
            let throttled = try await speaker.login(api)
            #expect(throttled.status == 429)
            #expect(throttled.headers("retry-after").count == 1)
            // A name that belongs to nobody is treated the same.
            for _ in 0..<6 { _ = try await speaker.login(api, "nobody", "wrong password") }
            #expect(try await speaker.login(api, "nobody", "wrong password").status == 429)
        }
    }
}
