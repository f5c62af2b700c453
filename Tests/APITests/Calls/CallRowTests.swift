// Calls and presence through the rows: what one dialect does, the others read; what is refused, and in which words.

import Accounts
import Base
import Signaling
import TestKit
import Testing
import Wire

@testable import API

@Suite struct CallRowTests {
    /// Begins a call in one dialect.
    struct Door: Sendable, CustomTestStringConvertible {
        let name: String
        let path: String
        let status: Int
        let body: @Sendable (UserID) -> String
        let id: String
        /// Where a failure's code stands.
        let code: String

        var testDescription: String { name }

        static let all = [
            Door(
                name: "manual", path: "/calls/initiate", status: 202, body: { #"{"to_user_id": "\#($0)"}"# },
                id: "call_id", code: "code"),
            Door(
                name: "calls", path: "/api/v1/calls/initiate", status: 201,
                body: { #"{"participants": ["\#($0)"], "call_type": "video"}"# }, id: "call_id", code: "error_code"),
            Door(
                name: "design", path: "/v1/calls", status: 201, body: { #"{"participants": ["user_\#($0)"]}"# },
                id: "data.id", code: "error.code"),
        ]

        func call(_ api: APIHarness, _ caller: APIHarness.Person, _ callee: UserID) async throws -> TestAnswer {
            try await api.post(path, body(callee), as: caller)
        }
    }

    private static func people(
        _ api: APIHarness
    ) async throws -> (alice: APIHarness.Person, bob: APIHarness.Person) {
        (try await api.register("alice"), try await api.register("bob"))
    }

    @Test(arguments: Door.all)
    func `a call that is begun in one dialect is read, joined and left in the others`(_ door: Door) async throws {
        try await APIHarness.run { api in
            let (alice, bob) = try await Self.people(api)
            let begun = try await door.call(api, alice, bob.id)
            #expect(begun.status == door.status)
            let id = try #require(begun.string(door.id))
            #expect(try await api.get("/v1/calls/call_\(id)", as: bob).string("data.status") == "initiating")
            #expect(try await api.get("/api/v1/calls/", as: bob).string("active_calls.0.id") == id)
            #expect(try await api.post("/v1/calls/\(id)/join", as: bob).string("data.status") == "ongoing")
            // A second join of the same login changes nothing, and gives a token again.
            let again = try await api.post("/api/v1/calls/\(id)/join", as: bob)
            #expect(again.string("status") == "joined")
            #expect(again.string("signaling_token") != nil)
            #expect(try await api.get("/calls/presence/\(bob.id)", as: alice).string("status") == "busy")
            #expect(
                try await api.get("/v1/users/\(bob.id)/presence", as: alice).string("data.status") == "in-call")
            let metrics = try await api.get("/calls/\(id)/metrics", as: alice)
            #expect(metrics["is_live"] == .bool(true))
            #expect(metrics["packet_loss"] == .null)
            #expect(metrics["participants.0.measured"] == .null)
            api.advance(by: .seconds(30))
            #expect(try await api.delete("/v1/calls/\(id)/leave", as: bob).status == 204)
            let log = try await api.get("/api/v1/calls/history", as: bob)
            #expect(log.string("data.0.status") == "ended")
            #expect(log["data.0.duration"] == .integer(30))
            #expect(log.string("data.0.callee_id") == bob.id.description)
            #expect(log["data.0.call_metadata"] == .null)
        }
    }

    @Test func `what was measured is in the history and in the metrics, and only that`() async throws {
        try await APIHarness.run { api in
            let (alice, bob) = try await Self.people(api)
            api.callWorld.measure(
                bob.id,
                ParticipantMeasurements(
                    duration: .seconds(900), transport: "udp",
                    streams: [
                        .init(direction: .sent, kind: "video", codec: "VP8", packets: 98, bytes: 281_250_000, lost: 2)
                    ]))
            let id = try #require(try await Door.all[0].call(api, alice, bob.id).string("call_id"))
            _ = try await api.post("/v1/calls/\(id)/join", as: bob)
            _ = try await api.post("/api/v1/calls/\(id)/end", as: bob)
            let log = try await api.get("/api/v1/calls/history", as: alice)
            let expected = #"{"quality":"good","connection_type":"udp","bandwidth_avg":"2.5mbps","packet_loss":2.0}"#
            #expect(log["data.0.call_metadata"] == (try? JSONValue(parsing: Bytes(expected.utf8))))
            let metrics = try await api.get("/calls/\(id)/metrics", as: alice)
            #expect(metrics["is_live"] == .bool(false))
            #expect(metrics["packet_loss"] == .number(2))
            #expect(metrics["jitter_ms"] == .null && metrics["latency_ms"] == .null)
            #expect(metrics.string("codecs.0") == "VP8")
            #expect(metrics["participants.1.measured.streams.0.packets_lost"] == .integer(2))
            #expect(metrics["participants.0.measured"] == .null)
        }
    }

    @Test func `hanging up while it rings declines for who is called and cancels for who calls`() async throws {
        try await APIHarness.run { api in
            let (alice, bob) = try await Self.people(api)
            for (person, state) in [(bob, "declined"), (alice, "missed")] {
                let id = try #require(try await Door.all[1].call(api, alice, bob.id).string("call_id"))
                #expect(try await api.post("/api/v1/calls/\(id)/end", as: person).string("message") == "Call ended")
                #expect(try await api.get("/api/v1/calls/\(id)", as: alice).string("status") == state)
                let over = try await api.post("/api/v1/calls/\(id)/end", as: person)
                #expect(over.status == 409)
                #expect(over.string("error_code") == "CALL_ENDED")
            }
        }
    }

    @Test(arguments: Door.all)
    func `who is in a call is refused another one`(_ door: Door) async throws {
        try await APIHarness.run { api in
            let (alice, bob) = try await Self.people(api)
            let first = try #require(try await Door.all[0].call(api, alice, bob.id).string("call_id"))
            let second = try await door.call(api, alice, bob.id)
            #expect(second.status == (door.name == "calls" ? 400 : 409))
            #expect(second.string(door.code)?.uppercased() == "USER_ALREADY_IN_CALL")
            #expect(second.text.contains(first))
        }
    }

    @Test func `ten initiations an hour are for all dialects together`() async throws {
        try await APIHarness.run { api in
            let (alice, bob) = try await Self.people(api)
            for number in 0..<10 {
                let door = Door.all[number % 3]
                let id = try #require(try await door.call(api, alice, bob.id).string(door.id))
                _ = try await api.post("/api/v1/calls/\(id)/end", as: alice)
            }
            for door in Door.all {
                let refused = try await door.call(api, alice, bob.id)
                #expect(refused.status == 429)
                #expect(refused.header("retry-after") == "3600")
                let code = door.name == "manual" ? "too_many_requests" : "RATE_LIMITED"
                #expect(refused.string(door.code) == code)
            }
            #expect(try await Door.all[0].call(api, bob, alice.id).status == 202)
        }
    }

    @Test func `a foreign call is not there in any dialect`() async throws {
        try await APIHarness.run { api in
            let (alice, bob) = try await Self.people(api)
            let mallory = try await api.register("mallory")
            let id = try #require(try await Door.all[0].call(api, alice, bob.id).string("call_id"))
            for id in [id, "\(UUID.random())", "call-123", "..%2f.."] {
                let paths = ["/api/v1/calls/\(id)", "/v1/calls/\(id)", "/calls/\(id)/metrics"]
                for path in paths { #expect([400, 404].contains(try await api.get(path, as: mallory).status)) }
                for path in ["/api/v1/calls/\(id)/join", "/api/v1/calls/\(id)/end", "/v1/calls/\(id)/join"] {
                    #expect([400, 404].contains(try await api.post(path, as: mallory).status))
                }
                #expect([400, 404].contains(try await api.delete("/v1/calls/\(id)/leave", as: mallory).status))
                let record = try await api.post("/calls/\(id)/record", #"{"enable": true}"#, as: mallory)
                #expect([400, 404].contains(record.status))
            }
            #expect(try await api.get("/calls/\(id)/metrics", as: bob).status == 403)
            let root = try await api.administrator()
            #expect(try await api.get("/calls/\(id)/metrics", as: root).status == 200)
        }
    }

    @Test(arguments: Door.all)
    func `who does not exist cannot be called`(_ door: Door) async throws {
        try await APIHarness.run { api in
            let alice = try await api.register()
            let answer = try await door.call(api, alice, UserID(.random()))
            #expect(answer.status == 404)
            #expect(answer.string(door.code)?.uppercased() == "USER_NOT_FOUND")
            #expect([400, 422].contains(try await door.call(api, alice, alice.id).status))
        }
    }

    @Test(arguments: Door.all)
    func `without media calls are not available, and say so`(_ door: Door) async throws {
        try await APIHarness.run { api in
            let (alice, bob) = try await Self.people(api)
            api.callWorld.switchMediaOff()
            let answer = try await door.call(api, alice, bob.id)
            #expect(answer.status == 503)
            #expect(answer.header("retry-after") != nil)
        }
    }

    @Test func `a key without the scope calls begins no call`() async throws {
        try await APIHarness.run { api in
            let (alice, bob) = try await Self.people(api)
            let made = try await api.post(
                "/api/v1/auth/api-keys", #"{"name": "k", "permissions": ["read", "write", "profile"]}"#, as: alice)
            let headers = [("X-API-Key", try #require(made.string("key")))]
            for door in Door.all {
                let answer = try await api.post(door.path, door.body(bob.id), headers: headers)
                #expect(answer.status == 403, "\(door.name): \(answer.text)")
            }
        }
    }

    // MARK: Relays and presence

    @Test func `relay credentials are of this moment, and name nobody`() async throws {
        var setup = APIHarness.Setup()
        setup.calls.relays.openServers = ["stun:stun.example.org"]
        setup.calls.relays.relays = ["turn:relay.example.org"]
        setup.calls.relays.secret = Secret(text: "shared with the relay")
        try await APIHarness.run(setup) { api in
            let (alice, bob) = try await Self.people(api)
            let answer = try await api.get("/calls/ice-config", as: alice)
            #expect(answer["ttl"] == .integer(4 * 3_600))
            let open = try JSONValue(parsing: Bytes(#"{"urls":["stun:stun.example.org"]}"#.utf8))
            #expect(answer["ice_servers.0"] == open)
            let name = try #require(answer.string("ice_servers.1.username"))
            #expect(name.hasPrefix("\(api.clock.now.secondsSinceEpoch + 4 * 3_600):"))
            #expect(!answer.text.contains(alice.id.description) && !answer.text.contains("shared"))
            // In a call the name is the same whenever it is asked for: one person in one call.
            _ = try await Door.all[0].call(api, alice, bob.id)
            let first = try await api.get("/calls/ice-config", as: alice).string("ice_servers.1.username")
            #expect(try await api.get("/calls/ice-config", as: alice).string("ice_servers.1.username") == first)
            #expect(try await api.get("/calls/ice-config").status == 401)
        }
    }

    @Test func `presence that is set in design is read in manual, in its three words`() async throws {
        try await APIHarness.run { api in
            let (alice, bob) = try await Self.people(api)
            let path = "/v1/users/\(alice.id)/presence"
            #expect(try await api.get(path, as: bob).string("data.status") == "offline")
            for (status, word) in [("online", "online"), ("away", "online"), ("busy", "busy"), ("offline", "offline")] {
                let put = try await api.put(path, #"{"status": "\#(status)", "ttl": 60}"#, as: alice)
                #expect(put.string("data.status") == status)
                #expect(try await api.get(path, as: bob).string("data.status") == status)
                #expect(try await api.get("/calls/presence/\(alice.id)", as: bob).string("status") == word)
            }
            _ = try await api.put(path, #"{"status": "online", "ttl": 60}"#, as: alice)
            api.advance(by: .seconds(61))
            #expect(try await api.get(path, as: bob).string("data.status") == "offline")
            #expect(try await api.put(path, #"{"status": "online"}"#, as: bob).status == 403)
            #expect(try await api.put(path, #"{"status": "in-call"}"#, as: alice).status == 400)
            #expect(try await api.get("/v1/users/\(UUID.random())/presence", as: bob).status == 404)
            #expect(try await api.get("/calls/presence/\(UUID.random())", as: bob).status == 404)
        }
    }

    @Test func `a server that does not record says so, to those who might`() async throws {
        var setup = APIHarness.Setup()
        setup.recorder = nil
        try await APIHarness.run(setup) { api in
            let (alice, bob) = try await Self.people(api)
            let id = try #require(try await Door.all[0].call(api, alice, bob.id).string("call_id"))
            let answer = try await api.post("/calls/\(id)/record", #"{"enable": true}"#, as: alice)
            #expect(answer.status == 503)
            #expect(answer.string("code") == "service_unavailable")
        }
    }
}
