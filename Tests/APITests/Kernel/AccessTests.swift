import Base
import Net
import TestKit
import Testing
import Wire

@testable import API
@testable import Accounts

/// Who may do what: credentials of every kind against routes of every kind.
@Suite struct AccessTests {
    // MARK: Credentials

    @Test(arguments: [
        ("Authorization", "Bearer nonsense"), ("Authorization", "Bearer "), ("Authorization", "Basic YTpi"),
        ("Authorization", ""), ("Authorization", "Bearer a.b.c"), ("X-API-Key", "plx_nonsense"), ("X-API-Key", ""),
        ("Cookie", "plx_session=nonsense"), ("Cookie", "other=1"),
    ])
    func `a credential that is none is 401 in every dialect`(_ name: String, _ value: String) async throws {
        try await APIHarness.run { api in
            for path in ["/api/v1/users/me", "/v1/auth/me", "/users/me"] {
                let answer = try await api.get(path, headers: [(name, value)])
                #expect(answer.status == 401)
                #expect(answer.header("www-authenticate") == "Bearer")
            }
        }
    }

    @Test func `the scheme's letters may be of any case`() async throws {
        try await APIHarness.run { api in
            let alice = try await api.register()
            for scheme in ["Bearer", "bearer", "BEARER"] {
                let headers = [("Authorization", "\(scheme) \(alice.token)")]
                #expect(try await api.get("/users/me", headers: headers).status == 200)
            }
        }
    }

    @Test func `a stale token does not keep anybody from logging in`() async throws {
        try await APIHarness.run { api in
            _ = try await api.register()
            let body = #"{"username": "alice", "password": "\#(APIHarness.password)"}"#
            for header in [("Authorization", "Bearer nonsense"), ("Cookie", "plx_session=nonsense")] {
                #expect(try await api.post("/auth/login", body, headers: [header]).status == 200)
            }
        }
    }

    @Test func `an old token says that it is old`() async throws {
        try await APIHarness.run { api in
            let alice = try await api.register()
            api.advance(by: .minutes(31))
            #expect(try await api.get("/api/v1/users/me", as: alice).string("error.code") == "TOKEN_EXPIRED")
            #expect(try await api.get("/v1/auth/me", as: alice).string("error.code") == "TOKEN_EXPIRED")
            #expect(try await api.get("/users/me", as: alice).string("error.code") == "AUTH_TOKEN_EXPIRED")
        }
    }

    // MARK: API keys

    private static func key(
        _ api: APIHarness, _ owner: APIHarness.Person, _ permissions: [String]
    ) async throws -> [(String, String)] {
        let list = permissions.map { "\"\($0)\"" }.joined(separator: ",")
        let made = try await api.post(
            "/api/v1/auth/api-keys", #"{"name": "key", "permissions": [\#(list)]}"#, as: owner)
        return [("X-API-Key", try #require(made.string("key")))]
    }

    @Test func `a reading key reads, a writing key writes`() async throws {
        try await APIHarness.run { api in
            let alice = try await api.register()
            let change = #"{"display_name": "A"}"#
            let rows = [(["read"], 200, 403), (["write"], 403, 200), (["read", "write"], 200, 200)]
            for (permissions, get, put) in rows {
                let key = try await Self.key(api, alice, permissions)
                #expect(try await api.get("/api/v1/users/me", headers: key).status == get)
                let answer = try await api.put("/api/v1/users/me", change, headers: key)
                #expect(answer.status == put)
                if put == 403 { #expect(answer["error.details.required.0"] == .string("write")) }
            }
        }
    }

    @Test func `a key of one scope does nothing else`() async throws {
        try await APIHarness.run { api in
            let alice = try await api.register()
            let calls = try await Self.key(api, alice, ["calls"])
            let answer = try await api.get("/users/me", headers: calls)
            #expect(answer.status == 403)
            #expect(answer["error.details.required.0"] == .string("profile"))
            let profile = try await Self.key(api, alice, ["profile"])
            #expect(try await api.get("/users/me", headers: profile).status == 200)
        }
    }

    @Test func `an administrator's key is one only when it was made so`() async throws {
        try await APIHarness.run { api in
            let root = try await api.administrator()
            let narrow = try await Self.key(api, root, ["read", "write"])
            #expect(try await api.get("/v1/admin/users", headers: narrow).status == 403)
            let wide = try await Self.key(api, root, ["admin"])
            #expect(try await api.get("/v1/admin/users", headers: wide).status == 200)
        }
    }

    @Test func `a user's key cannot be more than the user`() async throws {
        try await APIHarness.run { api in
            let alice = try await api.register()
            for permission in ["admin", "security.admin", "cluster"] {
                let answer = try await api.post(
                    "/api/v1/auth/api-keys", #"{"name": "k", "permissions": ["\#(permission)"]}"#, as: alice)
                #expect(answer.status == 403)
            }
        }
    }

    @Test func `a key does not change credentials`() async throws {
        try await APIHarness.run { api in
            let alice = try await api.register()
            let key = try await Self.key(api, alice, ["read", "write"])
            let password = #"{"current_password": "\#(APIHarness.password)", "new_password": "another password"}"#
            #expect(try await api.post("/api/v1/auth/password", password, headers: key).status == 403)
            #expect(try await api.post("/api/v1/auth/mfa/totp", headers: key).status == 403)
            let another = #"{"name": "k", "permissions": ["read"]}"#
            #expect(try await api.post("/api/v1/auth/api-keys", another, headers: key).status == 403)
        }
    }

    @Test func `a key ends when it is revoked, and when its time is over`() async throws {
        try await APIHarness.run { api in
            let alice = try await api.register()
            let made = try await api.post(
                "/api/v1/auth/api-keys",
                #"{"name": "k", "permissions": ["read"], "expires_at": "2025-10-10T00:00:00Z"}"#, as: alice)
            let key = [("X-API-Key", try #require(made.string("key")))]
            #expect(try await api.get("/users/me", headers: key).status == 200)
            api.clock.advance(by: .days(1))
            #expect(try await api.get("/users/me", headers: key).string("error.code") == "AUTH_TOKEN_EXPIRED")

            let again = try await api.login("alice")
            let second = try await api.post(
                "/api/v1/auth/api-keys", #"{"name": "k", "permissions": ["read"]}"#, as: again)
            let path = "/api/v1/auth/api-keys/\(try #require(second.string("id")))"
            #expect(try await api.delete(path, as: try await api.register("bob")).status == 404)
            #expect(try await api.delete(path, as: again).status == 204)
            let revoked = [("X-API-Key", try #require(second.string("key")))]
            #expect(try await api.get("/users/me", headers: revoked).status == 401)
            #expect(try await api.delete(path, as: again).status == 404)
        }
    }

    // MARK: Scopes and roles

    @Test func `machines have their scopes and nothing else`() async throws {
        try await APIHarness.run { api in
            let node = try await api.machine("node-1", .node, [.cluster])
            let service = try await api.machine("backup-1", .service, [.backups])
            for machine in [node, service] {
                #expect(try await api.get("/users/me", as: machine).status == 403)
                #expect(try await api.get("/v1/admin/users", as: machine).status == 403)
                #expect(try await api.get("/v1/users/\(machine.id)", as: machine).status == 403)
            }
        }
    }

    @Test func `a route for a scope takes whoever has it, and administrators`() throws {
        let access = RouteAccess.scope([.backups, .backupsAdmin])
        func may(_ scopes: Scopes, isAdmin: Bool = false) -> Bool {
            let principal = Principal(
                user: UserID(.random()), session: nil, apiKey: nil, kind: .service, roles: [], scopes: scopes,
                access: .full, tier: .user, isAdmin: isAdmin, needsCSRF: false)
            return (try? access.check(principal, .get, named: nil)) != nil
        }
        #expect(may([.backups]) && may([.backupsAdmin]) && may([.backups, .calls]))
        #expect(!may([]) && !may([.cluster, .calls, .profile]))
        #expect(may([], isAdmin: true))
    }

    @Test func `administration is for administrators`() async throws {
        try await APIHarness.run { api in
            let alice = try await api.register()
            let routes = DialectTables.all.flatMap(\.routes).filter {
                if case .admin = $0.access { true } else { false }
            }
            #expect(routes.count >= 9)
            for route in routes {
                let path = route.path.replacing("{id}", with: "\(alice.id)")
                let body = route.method == .get || route.method == .delete ? "" : "{}"
                let answer = try await api.send(TestRequest(route.method, path, body, as: alice))
                #expect(answer.status == 403, "\(route.method) \(path)")
                #expect(try await api.send(TestRequest(route.method, path, body)).status == 401)
            }
        }
    }

    @Test func `every route that is not for everyone wants a token`() async throws {
        try await APIHarness.run { api in
            for route in DialectTables.all.flatMap(\.routes) {
                if case .everyone = route.access { continue }
                let path = route.path.replacing("{id}", with: "\(UUID.random())")
                let answer = try await api.send(TestRequest(route.method, path))
                // A missing body is told only to who may send one.
                #expect(answer.status == 401, "\(route.method) \(path)")
            }
        }
    }

    @Test func `a user changes the own account and no other`() async throws {
        try await APIHarness.run { api in
            let (alice, bob) = (try await api.register("alice"), try await api.register("bob"))
            let root = try await api.administrator()
            let change = #"{"display_name": "Changed"}"#
            for path in ["/v1/users/\(bob.id)", "/v1/users/\(bob.id)/profile"] {
                #expect(try await api.put(path, change, as: alice).status == 403)
                #expect(try await api.put(path, change, as: bob).string("data.display_name") == "Changed")
                #expect(try await api.put(path, change, as: root).status == 200)
            }
            // The same answer whether there is such an account or not.
            #expect(try await api.put("/v1/users/\(UUID.random())", change, as: alice).status == 403)
            #expect(try await api.put("/v1/users/\(UUID.random())", change, as: root).status == 404)
            for member in [#""roles": ["admin"]"#, #""is_active": false"#, #""tier": "premium""#] {
                #expect(try await api.put("/v1/users/\(bob.id)", "{\(member)}", as: bob).status == 403)
            }
        }
    }

    @Test(arguments: TestDatabase.available)
    func `a change of several things happens whole or not at all`(_ place: TestDatabase) async throws {
        try await APIHarness.run(on: place) { api in
            let (root, bob) = (try await api.administrator(), try await api.register("bob"))
            let path = "/v1/users/\(root.id)"
            for last in [#""is_active": false"#, #""roles": []"#] {
                let refused = try await api.put(
                    path, #"{"display_name": "New", "tier": "premium", \#(last)}"#, as: root)
                #expect(refused.status == 403)
                let after = try await api.get(path, as: root)
                #expect(after.string("data.display_name") == "root" && after.string("data.tier") == "user")
            }
            let changed = try await api.put(
                "/v1/users/\(bob.id)",
                #"{"display_name": "B", "tier": "premium", "roles": ["moderator"], "is_active": false}"#, as: root)
            #expect(changed.string("data.display_name") == "B" && changed.string("data.tier") == "premium")
            #expect(changed["data.roles"] == .array([.string("user"), .string("moderator")]))
            #expect(changed["data.is_active"] == .bool(false))
            #expect(try await api.get("/users/me", as: bob).status == 401)
            for action in ["account.roles_changed", "account.deactivated"] {
                #expect(try await api.audited(action).count == 1)
            }
            #expect(try await api.audited("account.changed").count == 2)
            #expect(try await api.put("/v1/users/\(bob.id)", "{}", as: root).status == 200)
            #expect(try await api.audited("account.changed").count == 2)
        }
    }

    @Test func `others see the public part of an account`() async throws {
        try await APIHarness.run { api in
            let (alice, bob) = (try await api.register("alice"), try await api.register("bob"))
            let root = try await api.administrator()
            let path = "/v1/users/\(bob.id)"
            #expect(try await api.get(path, as: alice)["data.email"] == nil)
            #expect(try await api.get(path, as: bob).string("data.email") == "bob@example.org")
            #expect(try await api.get(path, as: root).string("data.email") == "bob@example.org")
            #expect(try await api.get(path + "/profile", as: root)["data.email"] == nil)
            _ = try await api.put("/v1/admin/users/\(bob.id)/status", #"{"status": "inactive"}"#, as: root)
            #expect(try await api.get(path, as: alice).status == 404)
            #expect(try await api.get(path, as: root).status == 200)
        }
    }

    // MARK: Cookies

    private struct Browser {
        let cookies: String
        let csrf: String

        init(_ api: APIHarness) async throws {
            let answer = try await api.post(
                "/api/v1/auth/login", #"{"username": "alice", "password": "\#(APIHarness.password)"}"#)
            csrf = try #require(answer.cookie("plexi_csrf"))
            cookies = "plx_session=\(try #require(answer.cookie("plx_session"))); plexi_csrf=\(csrf)"
        }
    }

    @Test func `a login sets cookies that scripts, other sites and plain HTTP do not get`() async throws {
        try await APIHarness.run { api in
            _ = try await api.register()
            var request = TestRequest(
                .post, "/api/v1/auth/login", #"{"username": "alice", "password": "\#(APIHarness.password)"}"#)
            let plain = try await api.send(request).headers("set-cookie")
            request.isSecure = true
            let secure = try await api.send(request).headers("set-cookie")
            for cookies in [plain, secure] {
                #expect(cookies.count == 2)
                #expect(cookies[0].hasPrefix("plx_session=") && cookies[0].contains("HttpOnly"))
                #expect(cookies[1].hasPrefix("plexi_csrf=") && !cookies[1].contains("HttpOnly"))
                #expect(cookies.allSatisfy { $0.contains("SameSite=Strict") && $0.contains("Path=/") })
            }
            #expect(plain.allSatisfy { !$0.contains("Secure") })
            #expect(secure.allSatisfy { $0.contains("Secure") })
        }
    }

    @Test func `the cookie reads by itself and writes only with the CSRF token`() async throws {
        try await APIHarness.run { api in
            _ = try await api.register()
            let browser = try await Browser(api)
            let cookie = ("Cookie", browser.cookies)
            #expect(try await api.get("/api/v1/users/me", headers: [cookie]).status == 200)
            let change = #"{"display_name": "A"}"#
            for (path, member) in [
                ("/api/v1/users/me", "error.code"), ("/v1/auth/me", "error.code"), ("/users/me", "error.code"),
            ] {
                let refused = try await api.put(path, change, headers: [cookie])
                #expect(refused.status == 403)
                #expect(refused.string(member) != nil)
                for wrong in ["", "nonsense", String(browser.csrf.reversed())] {
                    #expect(try await api.put(path, change, headers: [cookie, ("X-CSRF-Token", wrong)]).status == 403)
                }
                #expect(
                    try await api.put(path, change, headers: [cookie, ("X-CSRF-Token", browser.csrf)]).status == 200)
            }
        }
    }

    @Test func `a bearer token beside the cookie counts, and needs no CSRF token`() async throws {
        try await APIHarness.run { api in
            _ = try await api.register()
            let browser = try await Browser(api)
            let bob = try await api.register("bob")
            let answer = try await api.put(
                "/users/me", #"{"display_name": "B"}"#, as: bob, headers: [("Cookie", browser.cookies)])
            #expect(answer.string("data.username") == "bob")
        }
    }

    @Test func `a CSRF token belongs to its session`() async throws {
        try await APIHarness.run { api in
            _ = try await api.register()
            let (first, second) = (try await Browser(api), try await Browser(api))
            let headers = [("Cookie", first.cookies), ("X-CSRF-Token", second.csrf)]
            #expect(try await api.put("/users/me", #"{"display_name": "A"}"#, headers: headers).status == 403)
        }
    }

    @Test func `logging out ends the session and takes the cookies away`() async throws {
        try await APIHarness.run { api in
            _ = try await api.register()
            let browser = try await Browser(api)
            let headers = [("Cookie", browser.cookies), ("X-CSRF-Token", browser.csrf)]
            let answer = try await api.post("/api/v1/auth/logout", headers: headers)
            #expect(answer.status == 200)
            #expect(answer.headers("set-cookie").count == 2)
            #expect(answer.headers("set-cookie").allSatisfy { $0.contains("Max-Age=0") })
            #expect(try await api.get("/users/me", headers: headers).status == 401)
        }
    }

    @Test func `metrics may be kept to administrators`() async throws {
        var setup = APIHarness.Setup()
        setup.areMetricsPublic = false
        try await APIHarness.run(setup) { api async throws in
            #expect(try await api.get("/metrics").status == 401)
            #expect(try await api.get("/metrics", as: try await api.register()).status == 403)
            #expect(try await api.get("/metrics", as: try await api.administrator()).status == 200)
        }
    }
}
