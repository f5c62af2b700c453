import Accounts
import Base
import TestKit
import Testing
import Wire

@testable import API

/// manual.md's rows of client settings, and what docs/protocol/client-settings.md adds to them.
@Suite struct ClientSettingsTests {
    private static let base = "/client-settings"

    private func put(
        _ api: APIHarness, _ key: String, _ value: String, as person: APIHarness.Person,
        headers: [(String, String)] = []
    ) async throws -> TestAnswer {
        try await api.put("\(Self.base)/\(key)", #"{"setting_value": \#(value)}"#, as: person, headers: headers)
    }

    // MARK: One setting

    @Test func `a setting is set, read, listed and removed, under both of manual's paths`() async throws {
        try await APIHarness.run { api in
            let alice = try await api.register()
            let set = try await put(api, "layout", #"{"left": [1, 2.5, null]}"#, as: alice)
            #expect(set.status == 200 && set.string("setting_key") == "layout")
            let read = try await api.get("/api/v1/client-settings/layout", as: alice)
            #expect(read.body == set.body && read.header("etag") == set.header("etag"))
            #expect(read["setting_value.left.1"] == .number(2.5))
            let list = try await api.get("/client-settings/", as: alice)
            #expect(list.json?.arrayValue?.count == 1 && list["0"] == read.json)
            let gone = try await api.delete("/client-settings/layout", as: alice)
            #expect(gone.status == 200 && gone["deleted"] == .bool(true))
            for answer in [
                try await api.get("/client-settings/layout", as: alice),
                try await api.delete("/client-settings/layout", as: alice),
            ] {
                #expect(answer.status == 404 && answer.string("code") == "not_found")
            }
            #expect(try await api.get("/client-settings", as: alice).json == .array([]))
        }
    }

    @Test func `nobody's settings are read without a token, nor anybody else's with one`() async throws {
        try await APIHarness.run { api in
            let (alice, bob) = (try await api.register(), try await api.register("bob"))
            _ = try await put(api, "theme", #""dark""#, as: alice)
            #expect(try await api.get("/client-settings/theme").status == 401)
            #expect(try await api.get("/client-settings/theme", as: bob).status == 404)
            #expect(try await api.get("/client-settings", as: bob).json == .array([]))
            let node = try await api.machine("node-1", .node, .cluster)
            let refused = try await api.get("/client-settings", as: node)
            #expect(refused.status == 403 && refused.string("code") == "insufficient_scope")
        }
    }

    @Test(arguments: [
        ("theme", #""pink""#), ("language", "1"), ("notifications.enabled", #""yes""#), ("anything", "null"),
        ("9lives", "1"), ("images", "1"), ("a..b", "1"), ("%20", "1"),
    ])
    func `what the rules refuse is an invalid payload that names the member`(_ key: String, _ value: String)
        async throws
    {
        try await APIHarness.run { api in
            let alice = try await api.register()
            let answer = try await put(api, key, value, as: alice)
            #expect(answer.status == 400 && answer.string("code") == "invalid_payload")
            #expect(answer.string("info.field")?.hasPrefix("setting_") == true)
            #expect(try await api.get("/client-settings", as: alice).json == .array([]))
        }
    }

    @Test func `the body may repeat the path's key, and no other`() async throws {
        try await APIHarness.run { api in
            let alice = try await api.register()
            let body = #"{"setting_key": "theme", "setting_value": "light"}"#
            #expect(try await api.put("/client-settings/theme", body, as: alice).status == 200)
            #expect(try await api.put("/client-settings/other", body, as: alice).status == 400)
            #expect(try await api.put("/client-settings/theme", #"{"setting_key": "theme"}"#, as: alice).status == 400)
        }
    }

    // MARK: Conditions

    @Test func `a client that has a setting, or the list, is told so`() async throws {
        try await APIHarness.run { api in
            let alice = try await api.register()
            let tag = try #require(try await put(api, "theme", #""dark""#, as: alice).header("etag"))
            let known = try await api.get("/client-settings/theme", as: alice, headers: [("If-None-Match", tag)])
            #expect(known.status == 304 && known.header("etag") == tag)
            let list = try #require(try await api.get("/client-settings", as: alice).header("etag"))
            #expect(
                try await api.get("/client-settings", as: alice, headers: [("If-None-Match", list)]).status == 304)
            _ = try await put(api, "theme", #""light""#, as: alice)
            for (path, old) in [("/client-settings/theme", tag), ("/client-settings", list)] {
                #expect(try await api.get(path, as: alice, headers: [("If-None-Match", old)]).status == 200)
            }
        }
    }

    @Test func `a change of another state than the client's is refused`() async throws {
        try await APIHarness.run { api in
            let alice = try await api.register()
            let first = try await put(api, "theme", #""dark""#, as: alice, headers: [("If-None-Match", "*")])
            let tag = try #require(first.header("etag"))
            let again = try await put(api, "theme", #""light""#, as: alice, headers: [("If-None-Match", "*")])
            #expect(again.status == 412 && again.string("code") == "precondition_failed")
            let second = try await put(api, "theme", #""light""#, as: alice, headers: [("If-Match", tag)])
            #expect(second.status == 200 && second.header("etag") != tag)
            #expect(try await put(api, "theme", #""system""#, as: alice, headers: [("If-Match", tag)]).status == 412)
            #expect(
                try await api.delete("/client-settings/theme", as: alice, headers: [("If-Match", tag)]).status == 412)
            #expect(try await put(api, "other", "1", as: alice, headers: [("If-Match", "*")]).status == 412)
            #expect(try await api.get("/client-settings/theme", as: alice).string("setting_value") == "light")
        }
    }

    // MARK: Bounds

    @Test func `a value too large is 413, one too many 403 with the usage`() async throws {
        var setup = APIHarness.Setup()
        (setup.clientSettings.countMax, setup.clientSettings.valueBytesMax) = (2, 300)
        try await APIHarness.run(setup) { api in
            let alice = try await api.register()
            let large = try await put(api, "a", "\"\(String(repeating: "x", count: 299))\"", as: alice)
            #expect(large.status == 413 && large.string("code") == "payload_too_large")
            #expect(large["info.limit_bytes"] == .integer(300))
            for key in ["a", "b"] { #expect(try await put(api, key, "1", as: alice).status == 200) }
            let full = try await put(api, "c", "1", as: alice)
            #expect(full.status == 403 && full.string("code") == "quota_exceeded")
            #expect(full["info.current_usage"] == .integer(4) && full["info.quota_bytes"] == .integer(1 << 20))
            #expect(full["info.current_count"] == .integer(2) && full["info.quota_count"] == .integer(2))
        }
    }

    @Test func `a bulk update answers with a count and a reason for each key that was not set`() async throws {
        var setup = APIHarness.Setup()
        setup.clientSettings.valueBytesMax = 300
        try await APIHarness.run(setup) { api in
            let alice = try await api.register()
            let long = String(repeating: "x", count: 300)
            let answer = try await api.post(
                "/client-settings/bulk-update",
                #"{"settings": {"theme": "dark", "language": 7, "a b": 1, "long": "\#(long)", "notifications.enabled": true}}"#,
                as: alice)
            #expect(answer.status == 200 && answer["updated_count"] == .integer(2))
            let errors = try #require(answer["errors"]?.objectValue)
            #expect(Set(errors.pairs.map(\.key)) == ["language", "a b", "long"])
            #expect(errors["long"]?["code"]?.stringValue == "payload_too_large")
            #expect(errors["language"]?["code"]?.stringValue == "invalid_payload")
            #expect(try await api.get("/client-settings", as: alice).json?.arrayValue?.count == 2)
            let pairs = (0...100).map { #""k\#($0)": 1"# }.joined(separator: ", ")
            let many = try await api.post("/client-settings/bulk-update", #"{"settings": {\#(pairs)}}"#, as: alice)
            #expect(many.status == 400 && many.string("code") == "invalid_payload")
            #expect(try await api.post("/client-settings/bulk-update", #"{"settings": {}}"#, as: alice).status == 200)
        }
    }
}
