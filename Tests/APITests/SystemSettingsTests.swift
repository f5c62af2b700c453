import Accounts
import Base
import Configuration
import TestKit
import Testing
import Wire

@Suite struct SystemSettingsTests {
    private static let path = "/v1/admin/settings"

    private func setting(_ key: String, in answer: TestAnswer) -> JSONValue? {
        answer["data.settings"]?.arrayValue?.first { $0["key"] == .string(key) }
    }

    @Test func `administrators see what is in effect, and no secret`() async throws {
        var setup = APIHarness.Setup()
        setup.sources = ConfigurationSources(environment: ["PLEXICHAT_ACCOUNTS_SESSIONS_PER_USER": "7"])
        try await APIHarness.run(setup) { api in
            let answer = try await api.get(Self.path, as: try await api.administrator())
            let keys = answer["data.settings"]?.arrayValue?.compactMap { $0["key"]?.stringValue } ?? []
            #expect(keys == Configuration.keys.filter { !$0.isSecret }.map(\.path))
            #expect(!keys.contains("mail.password") && !keys.contains("store.url"))
            let sessions = setting("accounts.sessions_per_user", in: answer)
            #expect(sessions?["value"] == .string("7") && sessions?["default"] == .string("50"))
            #expect(sessions?["source"] == .string("environment") && sessions?["is_changeable"] == .bool(false))
            let folder = setting("data.folder", in: answer)
            #expect(folder?["takes_effect"] == .string("never") && folder?["is_changeable"] == .bool(false))
        }
    }

    @Test(arguments: TestDatabase.available)
    func `a change takes effect at once, is kept, and is noted`(_ place: TestDatabase) async throws {
        try await APIHarness.run(on: place) { api in
            let root = try await api.administrator()
            let newcomer = #"{"username": "mary", "email": "mary@example.org", "password": "securepassword123"}"#
            let closed = try await api.put(
                Self.path, #"{"settings": {"accounts.registration": "closed"}}"#, as: root)
            #expect(setting("accounts.registration", in: closed)?["value"] == .string("closed"))
            #expect(setting("accounts.registration", in: closed)?["source"] == .string("administrator"))
            #expect(try await api.post("/v1/auth/register", newcomer).status == 403)
            #expect(
                try await AccountService.systemSettings(in: api.domain.database) == ["accounts.registration": "closed"])
            let event = try #require(try await api.audited("settings.changed").first)
            #expect(event.actor == root.id && event.details["accounts.registration"] == .string("closed"))

            let open = try await api.put(Self.path, #"{"settings": {"accounts.registration": null}}"#, as: root)
            #expect(setting("accounts.registration", in: open)?["source"] == .string("default"))
            #expect(try await api.post("/v1/auth/register", newcomer).status == 201)
            #expect(try await AccountService.systemSettings(in: api.domain.database).isEmpty)
        }
    }

    @Test func `rates change for who is calling already`() async throws {
        try await APIHarness.run { api in
            let root = try await api.administrator()
            let alice = try await api.register()
            for _ in 0..<100 { #expect(try await api.get("/users/me", as: alice).status == 200) }
            _ = try await api.put(Self.path, #"{"settings": {"rate_limits.scale": 0.5}}"#, as: root)
            for _ in 0..<30 { #expect(try await api.get("/users/me", as: alice).status == 200) }
            #expect(try await api.get("/users/me", as: alice).status == 429)
            _ = try await api.put(Self.path, #"{"settings": {"rate_limits.scale": 0}}"#, as: root)
            #expect(try await api.get("/users/me", as: alice).status == 200)
        }
    }

    @Test func `what waits for the next start says so`() async throws {
        try await APIHarness.run { api in
            let root = try await api.administrator()
            let answer = try await api.put(
                Self.path, #"{"settings": {"calls.ring_time": "90s", "cors.origins": ["https://a.example"]}}"#, as: root
            )
            let ring = setting("calls.ring_time", in: answer)
            #expect(ring?["pending"] == .string("90s") && ring?["value"] == ring?["default"])
            #expect(setting("cors.origins", in: answer)?["pending"] == .array([.string("https://a.example")]))
            #expect(setting("cors.origins", in: answer)?["value"] == .array([]))
        }
    }

    @Test(arguments: [
        (#"{"no.such.key": 1}"#, "no.such.key"), (#"{"accounts.registration": "perhaps"}"#, "accounts.registration"),
        (#"{"accounts.registration": {}}"#, "accounts.registration"), (#"{"data.folder": "/tmp/x"}"#, "data.folder"),
        (#"{"mail.password": "x"}"#, "mail.password"), (#"{"logging.level": "trace"}"#, "logging.level"),
        (#"{"accounts.registration": "closed", "mfa.factors_per_user": -1}"#, "mfa.factors_per_user"),
        (#"{"cors.credentials": true, "cors.origins": ["*"]}"#, "cors.credentials"),
    ])
    func `a change that is refused names its key and changes nothing`(_ settings: String, _ key: String) async throws {
        var setup = APIHarness.Setup()
        setup.sources = ConfigurationSources(settings: [
            GivenSetting(key: "logging.level", value: "warning", option: "--set")
        ])
        try await APIHarness.run(setup) { api in
            let root = try await api.administrator()
            let answer = try await api.put(Self.path, #"{"settings": \#(settings)}"#, as: root)
            #expect(answer.status == 400 && answer.string("error.code") == "VALIDATION_ERROR")
            #expect(answer.string("error.details.field") == "settings.\(key)")
            #expect(try await AccountService.systemSettings(in: api.domain.database).isEmpty)
            let after = try await api.get(Self.path, as: root)
            #expect(setting("accounts.registration", in: after)?["value"] == .string("open"))
        }
    }

    @Test func `they are for administrators`() async throws {
        try await APIHarness.run { api in
            let alice = try await api.register()
            #expect(try await api.get(Self.path, as: alice).status == 403)
            #expect(try await api.put(Self.path, #"{"settings": {}}"#, as: alice).status == 403)
            #expect(try await api.get(Self.path).status == 401)
        }
    }
}
