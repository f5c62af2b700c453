// The rows of devices and their keys, and failures to open a message.

import Accounts
import Base
import Chat
import TestKit
import Testing
import Wire

@testable import API

@Suite struct DeviceRowTests {
    private static func body(_ identity: String, _ more: String = "") -> String {
        #"{"name": "Phone", "identity_key": "\#(identity)", "algorithm": "x25519"\#(more)}"#
    }

    private func register(
        _ device: ClientDeviceID, _ body: String, _ api: APIHarness, _ person: APIHarness.Person
    ) async throws -> TestAnswer {
        try await api.put("/api/v1/chat/devices/\(device)", body, as: person)
    }

    @Test(arguments: TestDatabase.available)
    func `a device is registered, found by people one talks to, and goes with its keys`(
        _ place: TestDatabase
    ) async throws {
        try await APIHarness.run(on: place) { api in
            let people = try await ChatPeople(api)
            _ = try await people.room()
            let phone = ClientDeviceID(.random())
            let keys = #"""
                , "signed_key": {"id": "s1", "key": "SK", "signature": "SIG"},
                "one_time_keys": [{"id": "k1", "key": "A"}, {"id": "k2", "key": "B"}]
                """#
            let made = try await register(phone, Self.body("IK", keys), api, people.alice)
            #expect(made.status == 200)
            #expect(made.string("id") == "\(phone)" && made["one_time_key_count"] == .integer(2))
            #expect(made["version"] == .integer(1) && made.string("signed_key.signature") == "SIG")
            let own = try await api.get("/api/v1/chat/devices", as: people.alice)
            #expect(own["count"] == .integer(1) && own["version"] == .integer(1))
            #expect(own["data.0.one_time_key_count"] == .integer(2))

            let ids = [people.alice, people.eve].map { "\"\($0.id)\"" }.joined(separator: ", ")
            let asked = #"{"user_ids": [\#(ids)]}"#
            let seen = try await api.post("/api/v1/chat/devices/query", asked, as: people.bob)
            #expect(seen["count"] == .integer(1) && seen.string("data.0.user_id") == "\(people.alice.id)")
            #expect(seen.string("data.0.devices.0.identity_key") == "IK")
            // What is left of the keys, and when they were last here, is nobody else's business.
            #expect(seen["data.0.devices.0.one_time_key_count"] == nil && seen["data.0.devices.0.seen_at"] == nil)
            #expect(try await api.post("/api/v1/chat/devices/query", asked, as: people.eve)["count"] == .integer(1))

            let claim = "/api/v1/chat/users/\(people.alice.id)/keys/claim"
            var claimed: [String?] = []
            for _ in 0..<3 {
                claimed.append(try await api.post(claim, as: people.bob).string("data.0.one_time_key.key"))
            }
            #expect(claimed == ["A", "B", nil])
            #expect(try await api.post(claim, as: people.eve).status == 404)

            #expect(try await register(phone, Self.body("IK2"), api, people.alice)["signed_key"] == .null)
            #expect(try await api.delete("/api/v1/chat/devices/\(phone)", as: people.alice).status == 204)
            #expect(try await api.delete("/api/v1/chat/devices/\(phone)", as: people.alice).status == 404)
            let changes = try await api.get(
                "/api/v1/chat/users/\(people.alice.id)/devices/changes?after=1", as: people.bob)
            #expect(changes["data.0.change"] == .string("changed") && changes["data.0.version"] == .integer(2))
            #expect(changes["data.1.change"] == .string("removed") && changes["count"] == .integer(2))
            #expect(try await api.get("/api/v1/chat/devices", as: people.alice)["version"] == .integer(3))
        }
    }

    @Test func `what is wrong with a registration is named`() async throws {
        try await APIHarness.run { api in
            let alice = try await api.register()
            let phone = ClientDeviceID(.random())
            for (body, field) in [
                (Self.body(""), "public_key"), (Self.body(String(repeating: "k", count: 8_193)), "public_key"),
                (#"{"name": "", "identity_key": "k", "algorithm": "a"}"#, "device"),
                (#"{"name": "p", "algorithm": "a"}"#, "identity_key"),
                (Self.body("k", #", "one_time_keys": [{"id": "a"}]"#), "one_time_keys[0].key"),
                (Self.body("k", #", "signed_key": {"id": "a", "key": "k", "signature": ""}"#), "signature"),
            ] {
                let answer = try await register(phone, body, api, alice)
                #expect(answer.status == 422, "\(body) \(answer.text)")
                #expect(answer.string("extra_info.field") == field, "\(answer.text)")
            }
            #expect(try await api.put("/api/v1/chat/devices/phone", Self.body("k"), as: alice).status == 422)
            #expect(try await api.delete("/api/v1/chat/devices/phone", as: alice).status == 404)
            let many = (0..<201).map { #"{"id": "\#($0)", "key": "k"}"# }.joined(separator: ", ")
            let refused = try await register(phone, Self.body("k", ", \"one_time_keys\": [\(many)]"), api, alice)
            #expect(refused.string("error_code") == "LIMIT_EXCEEDED")
            #expect(try await api.get("/api/v1/chat/devices", as: alice)["count"] == .integer(0))
        }
    }

    @Test func `a device that cannot open a message is among its statuses, and others are told which it is`()
        async throws
    {
        try await APIHarness.run { api in
            let people = try await ChatPeople(api)
            let room = try await people.room()
            let message = try await people.say(in: room, by: people.alice).id
            let device = ClientDeviceID(.random())
            let path = "/api/v1/chat/messages/\(message)/failures"
            #expect(try await api.post(path, #"{"device_id": "\#(device)"}"#, as: people.bob).status == 204)
            let statuses = try await api.get("/api/v1/messages/?conversation_id=\(room)", as: people.alice)
            let failed = statuses["data.0.statuses"]?.arrayValue?.first { $0["status"] == .string("failed") }
            #expect(failed?["device_id"] == .string("\(device)"))
            guard case .receipt(.failed, message, _, device)? = api.chatWorld.events(room).last?.change else {
                return #expect(Bool(false), "nobody was told")
            }
            // Twice is once, and one user has so many devices.
            let told = api.chatWorld.events(room).count
            #expect(try await api.post(path, #"{"device_id": "\#(device)"}"#, as: people.bob).status == 204)
            #expect(api.chatWorld.events(room).count == told)
            for _ in 1..<20 {
                let body = #"{"device_id": "\#(ClientDeviceID(.random()))"}"#
                #expect(try await api.post(path, body, as: people.bob).status == 204)
            }
            let body = #"{"device_id": "\#(ClientDeviceID(.random()))"}"#
            #expect(try await api.post(path, body, as: people.bob).string("error_code") == "LIMIT_EXCEEDED")
            #expect(try await api.post(path, #"{"device_id": "\#(device)"}"#, as: people.bob).status == 204)
        }
    }
}
