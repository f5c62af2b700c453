import Accounts
import Base
import Chat
import Signaling
import TestKit
import Testing
import Wire

/// Voice of channels, through the rows: who is in, and that who is removed from the channel is cut.
@Suite struct VoiceTests {
    private func channel(_ api: APIHarness, _ owner: APIHarness.Person, _ members: APIHarness.Person...) async throws
        -> String
    {
        let made = try await api.post("/v1/channels", #"{"name": "Talk", "type": "voice"}"#, as: owner)
        let id = try #require(made.string("data.id"))
        for member in members {
            _ = try await api.post("/v1/channels/\(id)/members", #"{"user_id": "\#(member.id)"}"#, as: owner)
        }
        return id
    }

    @Test func `members meet in one call, and others find nothing`() async throws {
        try await APIHarness.run { api in
            let (alice, bob) = (try await api.register("alice"), try await api.register("bob"))
            let mallory = try await api.register("mallory")
            let id = try await channel(api, alice, bob)
            let empty = try await api.get("/v1/channels/\(id)/voice/participants", as: bob)
            #expect(empty["data.call_id"] == .null && empty["data.participants"] == .array([]))
            let first = try await api.post("/v1/channels/\(id)/voice/join", as: alice)
            #expect(first.status == 200 && first.string("data.signaling_url") == "/v1/ws/voice/\(id)")
            let second = try await api.post("/v1/channels/\(id)/voice/join", as: bob)
            #expect(second.string("data.id") == first.string("data.id"))
            let there = try await api.get("/v1/channels/\(id)/voice/participants", as: alice)
            #expect(there["data.participants"]?.arrayValue?.count == 2)
            for (method, path) in [(HTTPMethod.post, "join"), (.delete, "leave"), (.get, "participants")] {
                let answer = try await api.send(
                    TestRequest(method, "/v1/channels/\(id)/voice/\(path)", as: mallory))
                #expect(answer.status == 404, "\(path)")
            }
            #expect(try await api.delete("/v1/channels/\(id)/voice/leave", as: bob).status == 204)
            #expect(try await api.delete("/v1/channels/\(id)/voice/leave", as: bob).status == 204)
        }
    }

    @Test func `who is removed from the channel is cut before that is answered`() async throws {
        try await APIHarness.run { api in
            let (alice, bob) = (try await api.register("alice"), try await api.register("bob"))
            let id = try await channel(api, alice, bob)
            let joined = try await api.post("/v1/channels/\(id)/voice/join", as: alice)
            let call = try #require(joined.string("data.id").flatMap { CallID($0) })
            _ = try await api.post("/v1/channels/\(id)/voice/join", as: bob)
            #expect(Set(api.callWorld.admitted(call).keys) == [alice.id, bob.id])
            #expect(try await api.delete("/v1/channels/\(id)/members/\(bob.id)", as: alice).status == 204)
            #expect(Set(api.callWorld.admitted(call).keys) == [alice.id])
            #expect(try await api.post("/v1/channels/\(id)/voice/join", as: bob).status == 404)
            #expect(try await api.post("/v1/calls/\(call)/join", as: bob).status == 409)
            #expect(try await api.delete("/v1/channels/\(id)", as: alice).status == 204)
            #expect(api.callWorld.admitted(call).isEmpty)
        }
    }

    @Test func `who may not talk does not enter, and may look`() async throws {
        try await APIHarness.run { api in
            let (alice, bob) = (try await api.register("alice"), try await api.register("bob"))
            let id = try await channel(api, alice, bob)
            let rule = #"{"members": [{"user_id": "\#(bob.id)", "allow": [], "deny": ["join_voice"]}]}"#
            _ = try await api.put("/v1/channels/\(id)/permissions", rule, as: alice)
            #expect(try await api.post("/v1/channels/\(id)/voice/join", as: bob).status == 403)
            #expect(try await api.get("/v1/channels/\(id)/voice/participants", as: bob).status == 200)
        }
    }
}
