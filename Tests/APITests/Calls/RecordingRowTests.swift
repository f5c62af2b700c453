// Recordings through the rows: begun, answered, shared, held and deleted, and what is refused in which words.

import Accounts
import Base
import Signaling
import TestKit
import Testing
import Wire

@testable import API

@Suite struct RecordingRowTests {
    private struct World {
        let api: APIHarness
        let recorder: TestRecorder
        let alice: APIHarness.Person
        let bob: APIHarness.Person
        let call: String

        func record(_ body: String, as person: APIHarness.Person) async throws -> TestAnswer {
            try await api.post("/calls/\(call)/record", body, as: person)
        }

        func consent(_ agrees: Bool, as person: APIHarness.Person) async throws -> TestAnswer {
            try await api.post("/calls/\(call)/recording/consent", #"{"agree": \#(agrees)}"#, as: person)
        }
    }

    /// Alice and Bob are in a call of alice's.
    private static func run(
        _ options: RecordingOptions = RecordingOptions(), _ body: (World) async throws -> Void
    ) async throws {
        var setup = APIHarness.Setup()
        let recorder = TestRecorder()
        setup.recorder = recorder
        setup.calls.recording = options
        try await APIHarness.run(setup) { api in
            let (alice, bob) = (try await api.register("alice"), try await api.register("bob"))
            let begun = try await api.post("/v1/calls", #"{"participants": ["\#(bob.id)"]}"#, as: alice)
            let call = try #require(begun.string("data.id"))
            _ = try await api.post("/v1/calls/\(call)/join", as: bob)
            try await body(World(api: api, recorder: recorder, alice: alice, bob: bob, call: call))
        }
    }

    @Test func `a recording is begun, agreed to, withdrawn from and ended`() async throws {
        try await Self.run { world in
            let begun = try await world.record(#"{"enable": true}"#, as: world.alice)
            #expect(begun.status == 202)
            let task = try #require(begun.string("task_id"))
            let state = try await world.api.get("/calls/\(world.call)/recording", as: world.bob)
            #expect(state["on"] == .bool(true) && state.string("state") == "recording")
            #expect(state.string("participants.1.consent") == "asked")
            #expect(try await world.consent(true, as: world.bob).string("participants.1.consent") == "agreed")
            #expect(world.recorder.written == [world.alice.id, world.bob.id])
            #expect(try await world.consent(false, as: world.bob).string("participants.1.consent") == "withdrawn")
            #expect(world.recorder.written == [world.alice.id])
            let again = try await world.record(#"{"enable": true}"#, as: world.alice)
            #expect(again.status == 409 && again.string("code") == "recording_in_progress")
            let ended = try await world.record(#"{"enable": false}"#, as: world.alice)
            #expect(ended.status == 202 && ended.string("task_id") == task)
            let off = try await world.api.get("/calls/\(world.call)/recording", as: world.bob)
            #expect(off["on"] == .bool(false) && off.string("state") == "off" && off["recording_id"] == .null)
            let over = try await world.record(#"{"enable": false}"#, as: world.alice)
            #expect(over.status == 409 && over.string("code") == "not_recording")
        }
    }

    @Test func `a recording is listed, shown, shared, held and deleted`() async throws {
        try await Self.run { world in
            let (api, alice, bob) = (world.api, world.alice, world.bob)
            _ = try await world.record(#"{"enable": true}"#, as: alice)
            let list = try await api.get("/recordings?call_id=\(world.call)", as: alice)
            #expect(list["total"] == .integer(1) && list.string("recordings.0.state") == "recording")
            #expect(list.string("recordings.0.participants.0.means") == "began")
            let id = try #require(list.string("recordings.0.recording_id"))
            #expect(try await api.get("/recordings", as: bob)["total"] == .integer(0))
            #expect(try await api.get("/recordings/\(id)", as: bob).status == 404)
            #expect(try await api.delete("/recordings/\(id)", as: alice).string("code") == "recording_in_progress")
            _ = try await world.record(#"{"enable": false}"#, as: alice)
            let share = try await api.post("/recordings/\(id)/shares", #"{"user_id": "\#(bob.id)"}"#, as: alice)
            #expect(share.status == 201 && share.string("shared_with.0") == bob.id.description)
            let seen = try await api.get("/recordings/\(id)", as: bob)
            #expect(seen.string("state") == "finished" && seen.string("end_reason") == "stopped")
            #expect(seen["size_bytes"] == .integer(TestRecorder.bytes))
            #expect(seen.string("encryption_key_id") == "recording:1")
            #expect(try await api.delete("/recordings/\(id)", as: bob).status == 403)
            #expect(try await api.put("/recordings/\(id)/hold", #"{"on": true}"#, as: alice).status == 403)
            let admin = try await api.administrator()
            let held = try await api.put("/recordings/\(id)/hold", #"{"on": true}"#, as: admin)
            #expect(held["legal_hold"] == .bool(true))
            let kept = try await api.delete("/recordings/\(id)", as: alice)
            #expect(kept.status == 409 && kept.string("code") == "legal_hold")
            _ = try await api.put("/recordings/\(id)/hold", #"{"on": false}"#, as: admin)
            #expect(try await api.delete("/recordings/\(id)/shares/\(bob.id)", as: alice).status == 204)
            #expect(try await api.delete("/recordings/\(id)/shares/\(bob.id)", as: alice).status == 404)
            #expect(try await api.delete("/recordings/\(id)", as: alice).status == 204)
            #expect(try await api.get("/recordings/\(id)", as: admin).status == 404)
            #expect(world.recorder.erased.count == 1)
        }
    }

    @Test func `what this version cannot keep, or write for, is refused with a reason`() async throws {
        try await Self.run { world in
            for (body, field) in [
                (#"{"enable": true, "store": "object_storage"}"#, "store"),
                (#"{"enable": true, "encryption_key_id": "backup"}"#, "encryption_key_id"),
                (#"{"enable": true, "encryption_key_id": "recording:2"}"#, "encryption_key_id"),
                (#"{"enable": true, "encryption_key_id": "keyId"}"#, "encryption_key_id"),
            ] {
                let answer = try await world.record(body, as: world.alice)
                #expect(answer.status == 400 && answer.string("code") == "invalid_payload")
                #expect(answer.string("info.field") == field)
            }
            #expect(world.recorder.orders.isEmpty)
            let named = #"{"enable": true, "encryption_key_id": "recording:1", "store": "backup"}"#
            #expect(try await world.record(named, as: world.alice).status == 202)
            #expect(world.recorder.orders.first?.keyVersion == 1)
        }
    }

    @Test(arguments: RecordingOptions.Allowed.allCases)
    func `the server's policy says who begins a recording`(_ allowed: RecordingOptions.Allowed) async throws {
        var options = RecordingOptions()
        options.allowed = allowed
        try await Self.run(options) { world in
            let stranger = try await world.api.register("mallory")
            #expect(try await world.record(#"{"enable": true}"#, as: stranger).status == 404)
            let guest = try await world.record(#"{"enable": true}"#, as: world.bob)
            #expect(guest.status == 403 && guest.string("code") == "recording_not_allowed")
            let host = try await world.record(#"{"enable": true}"#, as: world.alice)
            #expect(host.status == (allowed == .hosts ? 202 : 403))
            if allowed == .hosts { return }
            let admin = try await world.api.administrator()
            #expect(try await world.record(#"{"enable": true}"#, as: admin).status == (allowed == .admins ? 202 : 403))
        }
    }

    @Test func `where recordings are announced nobody is asked`() async throws {
        var options = RecordingOptions()
        options.consent = .announce
        try await Self.run(options) { world in
            world.api.callWorld.connect(world.bob.id)
            _ = try await world.record(#"{"enable": true}"#, as: world.alice)
            // Alice has no socket: nobody has told her.
            #expect(world.recorder.written == [world.bob.id])
            let answer = try await world.consent(false, as: world.bob)
            #expect(answer.status == 409 && answer.string("code") == "consent_not_asked")
        }
    }

    @Test func `a recorder that cannot begin is 503 with its reason`() async throws {
        try await Self.run { world in
            world.recorder.fail(with: RecorderFailure("No space is left for recordings"))
            let answer = try await world.record(#"{"enable": true}"#, as: world.alice)
            #expect(answer.status == 503 && answer.string("detail") == "No space is left for recordings")
            let list = try await world.api.get("/recordings", as: world.alice)
            #expect(list.string("recordings.0.state") == "failed")
        }
    }
}
