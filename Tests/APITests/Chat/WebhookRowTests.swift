import Accounts
import Base
import Chat
import TestKit
import Testing
import Wire

@testable import API

/// The rows of webhooks. What is sent and when is tried with the service (`ChatConformance+Webhooks.swift`).
@Suite struct WebhookRowTests {
    private func room(_ api: APIHarness, _ person: APIHarness.Person) async throws -> String {
        let made = try await api.post("/v1/channels", #"{"name": "Hooked"}"#, as: person)
        return try #require(made.string("data.id"))
    }

    @Test func `a webhook is made, looked at, changed, replayed and ended`() async throws {
        try await APIHarness.run { api in
            let alice = try await api.register()
            let room = try await room(api, alice)
            let made = try await api.post(
                "/v1/channels/\(room)/webhooks",
                #"{"url": "https://example.org/in", "events": ["message.created"], "description": "CI"}"#, as: alice)
            #expect(made.status == 201 && made.string("data.secret")?.hasPrefix("whsec_") == true)
            let id = try #require(made.string("data.id"))
            let read = try await api.get("/v1/webhooks/\(id)", as: alice)
            #expect(read.status == 200 && read["data.secret"] == nil && read["data.is_active"] == .bool(true))
            #expect(read["data.events"] == .array([.string("message.created")]))
            let list = try await api.get("/v1/channels/\(room)/webhooks", as: alice)
            #expect(list["data.0"] == read["data"] && !list.text.contains("whsec_"))
            let off = try await api.put("/v1/webhooks/\(id)", #"{"is_active": false, "events": []}"#, as: alice)
            #expect(off["data.is_active"] == .bool(false) && off["data.events"]?.arrayValue?.count == 12)
            #expect(off.string("data.url") == "https://example.org/in")
            let behind = try await api.post("/v1/webhooks/\(id)/replay", #"{"offset": 999}"#, as: alice)
            #expect(behind.status == 400 && behind.string("error.details.field") == "offset")
            #expect(try await api.post("/v1/webhooks/\(id)/replay", #"{"offset": 0}"#, as: alice).status == 200)
            #expect(try await api.delete("/v1/webhooks/\(id)", as: alice).status == 204)
            #expect(try await api.get("/v1/webhooks/\(id)", as: alice).status == 404)
            let actions = try await api.audited("webhook").map(\.action)
            #expect(Set(actions) == ["webhook.created", "webhook.changed", "webhook.replayed", "webhook.deleted"])
            let details = try await api.audited("webhook.created").first?.details
            #expect(details?["host"] == .string("example.org"))
        }
    }

    @Test func `what a receiver gets is what a follower of the channel gets`() async throws {
        try await APIHarness.run { api in
            let alice = try await api.register()
            let room = try await room(api, alice)
            _ = try await api.post("/v1/channels/\(room)/webhooks", #"{"url": "https://example.org/"}"#, as: alice)
            let said = try await api.post("/v1/channels/\(room)/messages", #"{"content": "Hello"}"#, as: alice)
            try await api.webhooks.deliverDue()
            let delivery = try #require(api.receiver.deliveries.first)
            #expect(delivery.type == "message.created" && delivery.header("Content-Type") == "application/json")
            #expect(delivery.json?["data"] == said["data"])
            #expect(delivery.json?["offset"]?.integerValue != nil)
            _ = try await api.delete("/v1/channels/\(room)", as: alice)
            try await api.webhooks.deliverDue()
            #expect(api.receiver.deliveries.last?.type == "channel.deleted")
        }
    }

    @Test(arguments: [
        #"{"url": "http://example.org/"}"#, #"{"url": "https://127.0.0.1/"}"#, #"{"url": 7}"#, "{}",
        #"{"url": "https://example.org/", "events": ["typing"]}"#, #"{"url": "https://user@example.org/"}"#,
    ])
    func `a webhook that cannot be is refused by name`(_ body: String) async throws {
        try await APIHarness.run { api in
            let alice = try await api.register()
            let room = try await room(api, alice)
            let answer = try await api.post("/v1/channels/\(room)/webhooks", body, as: alice)
            #expect(answer.status == 400 && answer.string("error.code") == "VALIDATION_ERROR")
        }
    }

    @Test func `webhooks are their channel's admins'`() async throws {
        try await APIHarness.run { api in
            let (alice, bob, eve) = (
                try await api.register(), try await api.register("bob"), try await api.register("eve")
            )
            let room = try await room(api, alice)
            _ = try await api.post("/v1/channels/\(room)/members", #"{"user_id": "\#(bob.id)"}"#, as: alice)
            let made = try await api.post(
                "/v1/channels/\(room)/webhooks", #"{"url": "https://example.org/"}"#, as: alice)
            let id = try #require(made.string("data.id"))
            #expect(try await api.get("/v1/webhooks/\(id)", as: bob).status == 403)
            for path in ["/v1/webhooks/\(id)", "/v1/channels/\(room)/webhooks", "/v1/webhooks/none"] {
                #expect(try await api.get(path, as: eve).status == 404)
            }
            #expect(
                try await api.post("/v1/channels/\(room)/incoming-webhooks", #"{"name": "x"}"#, as: bob).status == 403)
        }
    }

    @Test func `whoever has an incoming address posts with it until it is revoked`() async throws {
        try await APIHarness.run { api in
            let alice = try await api.register()
            let room = try await room(api, alice)
            let made = try await api.post("/v1/channels/\(room)/incoming-webhooks", #"{"name": "CI"}"#, as: alice)
            #expect(made.status == 201)
            let url = try #require(made.string("data.url"))
            let path = try #require(url.firstRange(of: "/v1/hooks/").map { String(url[$0.lowerBound...]) })
            let posted = try await api.post(path, #"{"content": "built", "client_id": "7"}"#)
            #expect(posted.status == 201 && posted.string("data.channel_id") == room)
            let again = try await api.post(path, #"{"content": "built", "client_id": "7"}"#)
            #expect(again.string("data.id") == posted.string("data.id"))
            let read = try await api.get("/v1/channels/\(room)/messages", as: alice)
            #expect(read["data"]?.arrayValue?.count == 1 && read["data.0.user_id"] == made["data.user_id"])
            let list = try await api.get("/v1/channels/\(room)/incoming-webhooks", as: alice)
            #expect(list["data"]?.arrayValue?.count == 1 && !list.text.contains("plh_"))
            let id = try #require(made.string("data.id"))
            #expect(try await api.delete("/v1/incoming-webhooks/\(id)", as: alice).status == 204)
            #expect(try await api.post(path, #"{"content": "late"}"#).status == 404)
            #expect(try await api.post("/v1/hooks/plh_x", #"{"content": "x"}"#).status == 404)
        }
    }
}
