import Accounts
import Base
import Crypto
import TestKit
import Testing
import Vault
import Wire

/// manual's rows of keys: docs/protocol/keys.md.
@Suite struct KeyRowTests {
    private func keys(_ answer: TestAnswer) -> [String] {
        answer["keys"]?.arrayValue?.compactMap { $0["key_id"]?.stringValue } ?? []
    }

    @Test func `the list has every key of this version, and only those who may see it`() async throws {
        try await APIHarness.run { api in
            let root = try await api.administrator()
            let list = try await api.get("/security/keys", as: root)
            #expect(
                keys(list) == [
                    "accounts.factors", "accounts.tokens", "backup", "manifest", "recording", "relay.credentials",
                    "relay.tokens",
                ])
            let officer = try await api.machine("watch", .service, [.securityAdmin])
            #expect(try await api.get("/security/keys", as: officer).status == 200)
            let alice = try await api.register()
            for path in ["/security/keys", "/security/keys/backup", "/security/quantum/status"] {
                #expect(try await api.get(path, as: alice).status == 403)
                #expect(try await api.get(path).status == 401)
            }
            #expect(try await api.post("/security/keys/rotate", #"{"key_id": "backup"}"#, as: alice).status == 403)
            #expect(try await api.delete("/security/keys/backup:1", as: alice).status == 403)
        }
    }

    @Test(arguments: TestDatabase.available)
    func `a rotation is told, noted, and leaves the old version open`(_ place: TestDatabase) async throws {
        try await APIHarness.run(on: place) { api in
            let root = try await api.administrator()
            let file = try Age.encrypt([1], to: try api.accounts.keys.recipients(of: "backup"))
            let answer = try await api.post("/security/keys/rotate", #"{"key_id": "backup"}"#, as: root)
            #expect(answer.status == 200 && answer["active_version"] == .integer(2))
            #expect(answer["algorithm"] == .string("X-Wing (ML-KEM-768 with X25519)"))
            #expect(answer["versions.0.state"] == .string("active"))
            #expect(answer["versions.1.state"] == .string("opening-only"))
            #expect(try Age.decrypt(file, with: api.accounts.keys.identities(of: "backup")) == [1])
            let event = try #require(try await api.audited("key.rotated").first)
            #expect(event.actor == root.id && event.target == "backup:2" && event.severity == .warning)
            let old = try await api.get("/security/keys/backup:1", as: root)
            #expect(old["versions"]?.arrayValue?.count == 1 && old["versions.0.key_id"] == .string("backup:1"))
        }
    }

    @Test func `a schedule is kept, comes true and is taken back`() async throws {
        try await APIHarness.run { api in
            var root = try await api.administrator()
            let set = try await api.post(
                "/security/keys/rotate", #"{"key_id": "manifest", "schedule": "0 3 1 * *"}"#, as: root)
            #expect(set["schedule"] == .string("0 3 1 * *") && set["active_version"] == .integer(1))
            #expect(set.string("next_rotation_at") == "2025-11-01T03:00:00Z")
            api.advance(by: .days(30))
            try await api.accounts.advanceKeys()
            // The first login is over by now.
            root = try await api.login("root")
            let after = try await api.get("/security/keys/manifest", as: root)
            #expect(after["active_version"] == .integer(2))
            #expect(after.string("next_rotation_at") == "2025-12-01T03:00:00Z")
            let once = try await api.post(
                "/security/keys/rotate", #"{"key_id": "manifest", "schedule": null, "now": true}"#, as: root)
            #expect(once["schedule"] == .null && once["active_version"] == .integer(3))
            let at = try await api.post(
                "/security/keys/rotate", #"{"key_id": "manifest", "rotate_at": "2025-11-20T00:00:00Z"}"#, as: root)
            #expect(at["active_version"] == .integer(3))
            #expect(at.string("next_rotation_at") == "2025-11-20T00:00:00Z")
            #expect(try await api.audited("key.rescheduled").count == 3)
        }
    }

    @Test(arguments: [
        (#"{"key_id": "nothing"}"#, 404, "not_found"), (#"{}"#, 400, "invalid_payload"),
        (#"{"key_id": ""}"#, 400, "invalid_payload"), (#"{"key_id": 7}"#, 400, "invalid_payload"),
        (#"{"key_id": "backup", "schedule": "hourly"}"#, 400, "invalid_payload"),
        (#"{"key_id": "backup", "schedule": "* * * * *"}"#, 400, "invalid_payload"),
        (#"{"key_id": "backup", "rotate_at": "2001-01-01T00:00:00Z"}"#, 400, "invalid_payload"),
        (#"{"key_id": "backup", "rotate_at": "soon"}"#, 400, "invalid_payload"),
        (#"{"key_id": "nothing", "schedule": "90d"}"#, 404, "not_found"),
    ])
    func `a rotation that cannot be is refused with a reason`(_ body: String, _ status: Int, _ code: String)
        async throws
    {
        try await APIHarness.run { api in
            let root = try await api.administrator()
            let answer = try await api.post("/security/keys/rotate", body, as: root)
            #expect(answer.status == status && answer.string("code") == code, "\(answer.text)")
            #expect(try await api.audited("key").isEmpty)
        }
    }

    @Test func `a version that still opens something is destroyed by force only, after the wait`() async throws {
        try await APIHarness.run { api in
            let root = try await api.administrator()
            let alice = try await api.register()
            _ = try await api.domain.enrolTOTP(try await api.domain.principal(Secret(text: alice.token)))
            // Kept from being sealed anew by not being told: only the key is rotated.
            try await api.accounts.keys.rotate("accounts.factors")
            let refused = try await api.delete("/security/keys/accounts.factors:1", as: root)
            #expect(refused.status == 409 && refused.string("code") == "key_in_use")
            #expect(refused["info.uses"] == .integer(1) && refused["info.what"] == .string("second factors"))
            let listed = try await api.get("/security/keys/accounts.factors", as: root)
            #expect(listed["versions.1.uses"] == .integer(1) && listed["versions.0.uses"] == .integer(0))
            let forced = try await api.delete(
                "/security/keys/accounts.factors:1?force=true&wait_days=3", as: root)
            #expect(forced.status == 204)
            let after = try await api.get("/security/keys/accounts.factors", as: root)
            #expect(after["versions.1.state"] == .string("destroy-scheduled"))
            let expected = api.clock.now + .days(3)
            #expect(after.string("versions.1.destroy_at") == expected.rfc3339)
            let event = try #require(try await api.audited("key.destroy_scheduled").first)
            #expect(event.details["loses"] == .string("1 second factors") && event.severity == .critical)
        }
    }

    @Test(arguments: [
        ("backup:1", 409, "conflict"), ("backup", 409, "conflict"), ("nothing:1", 404, "not_found"),
        ("backup:2", 404, "not_found"), ("backup:01", 404, "not_found"), ("backup:-1", 404, "not_found"),
        ("backup:4294967296", 404, "not_found"), ("backup:", 404, "not_found"), (":1", 404, "not_found"),
    ])
    func `what cannot be destroyed is refused`(_ key: String, _ status: Int, _ code: String) async throws {
        try await APIHarness.run { api in
            let root = try await api.administrator()
            let answer = try await api.delete("/security/keys/\(key)?force=true", as: root)
            #expect(answer.status == status && answer.string("code") == code, "\(answer.text)")
        }
    }

    @Test func `tokens of a destroyed version are refused at once`() async throws {
        try await APIHarness.run { api in
            let root = try await api.administrator()
            let alice = try await api.register()
            #expect(try await api.get("/users/me", as: alice).status == 200)
            _ = try await api.post("/security/keys/rotate", #"{"key_id": "accounts.tokens"}"#, as: root)
            #expect(try await api.get("/users/me", as: alice).status == 200)
            #expect(try await api.delete("/security/keys/accounts.tokens:1", as: root).status == 204)
            #expect(try await api.get("/users/me", as: alice).status == 401)
            #expect(try await api.get("/users/me", as: try await api.login("alice")).status == 200)
        }
    }

    @Test func `an issued token stands in the way of its key's end`() async throws {
        try await APIHarness.run { api in
            let root = try await api.administrator()
            _ = try await api.machine("backup-engine", .service, [.backups])
            api.advance(by: .seconds(1))
            _ = try await api.post("/security/keys/rotate", #"{"key_id": "accounts.tokens"}"#, as: root)
            let refused = try await api.delete("/security/keys/accounts.tokens:1", as: root)
            #expect(refused.status == 409 && refused["info.what"] == .string("issued tokens"))
            #expect(refused["info.uses"] == .integer(1))
        }
    }

    @Test func `the quantum status tells what is not safe as well`() async throws {
        try await APIHarness.run { api in
            let status = try await api.get("/security/quantum/status", as: try await api.administrator())
            let components = status["components"]?.arrayValue ?? []
            func component(_ name: String) throws -> JSONValue {
                try #require(components.first { $0["component"] == .string(name) })
            }
            #expect(try component("backup")["is_hybrid"] == .bool(true))
            #expect(try component("backup")["is_in_use"] == .bool(false))
            #expect(try component("accounts.factors")["is_in_use"] == .bool(true))
            #expect(try component("accounts.tokens")["is_post_quantum"] == .bool(false))
            #expect(try component("media")["protection"] == .string("classical"))
            let isHybrid = OpenSSLLibrary.hasMLKEM
            #expect(try component("tls")["is_hybrid"] == .bool(isHybrid))
            #expect(status["openssl.has_ml_kem"] == .bool(isHybrid))
            #expect(status.string("openssl.version")?.hasPrefix("OpenSSL 3") == true)
            #expect(status.string("ml_kem_implementation") == (isHybrid ? "openssl" : "plexichat"))
        }
    }

    @Test func `no answer and no note holds a key`() async throws {
        try await APIHarness.run { api in
            let root = try await api.administrator()
            _ = try await api.post("/security/keys/rotate", #"{"key_id": "backup"}"#, as: root)
            let identities = try api.accounts.keys.identities(of: "backup")
            let texts = [
                try await api.get("/security/keys", as: root).text,
                try await api.get("/security/keys/backup", as: root).text,
                try await api.audited("key").map { "\($0)" }.joined(),
            ]
            for identity in identities {
                guard case .hybrid(let key) = identity else { continue }
                let forms = [
                    Hex.encode(key.seed.exposedBytes), Base64.encode(key.seed.exposedBytes),
                    identity.text?.exposedText ?? "",
                ]
                for form in forms { #expect(!form.isEmpty && !texts.contains { $0.contains(form) }) }
            }
        }
    }
}
