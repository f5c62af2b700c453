// What the rows of chat refuse, to whom, and in which words.

import Accounts
import Base
import Chat
import TestKit
import Testing
import Wire

@testable import API

@Suite struct ChatRowTests {
    private func expect(
        _ status: Int, _ code: String, _ answer: TestAnswer, _ location: SourceLocation = #_sourceLocation
    ) {
        #expect(answer.status == status, "\(answer.text)", sourceLocation: location)
        #expect(
            (answer.string("error.code") ?? answer.string("error_code")) == code, "\(answer.text)",
            sourceLocation: location)
    }

    // MARK: What one may not know

    struct Row: Sendable, CustomTestStringConvertible {
        let method: HTTPMethod
        let path: String
        var testDescription: String { "\(method.rawValue) \(path)" }
    }

    /// Every row that names something of chat, `$id` in the place of the name.
    static let naming: [Row] =
        DialectTables.all.flatMap(\.routes).compactMap { route in
            // A socket says it by its close code.
            guard case .standing = route.access, !route.isSocket, let end = route.path.firstIndex(of: "{") else {
                return nil
            }
            let rest = route.path[end...].split(separator: "/").dropFirst().map {
                $0 == "{emoji}" ? "%F0%9F%91%8D" : $0 == "{user_id}" ? "$bob" : String($0)
            }
            return Row(method: route.method, path: route.path[..<end] + "$id" + rest.reduce("") { "\($0)/\($1)" })
        } + [
            Row(method: .get, path: "/api/v1/messages?channel_id=$id"),
            Row(method: .get, path: "/api/v1/messages?conversation_id=$id"),
            Row(method: .put, path: "/api/v1/messages/$id"), Row(method: .delete, path: "/api/v1/messages/$id"),
        ]

    /// What each of the rows needs; none minds what it does not know.
    private static func body(_ people: ChatPeople) -> String {
        """
        {"content": "x", "emoji": "👍", "user_id": "\(people.bob.id)", "name": "x", "query": "x", "role": "member",
         "message_id": "\(UUID.random())", "is_muted": true, "is_pinned": true,
         "device_id": "\(UUID.random())", "url": "https://hooks.example.org/", "offset": 0}
        """
    }

    private static func words(_ answer: TestAnswer) -> [JSONValue?] {
        ["error.code", "error.message", "error.details", "error_code", "detail", "extra_info"].map { answer[$0] }
    }

    @Test(arguments: naming)
    func `what somebody may not know of is answered like what never was`(_ row: Row) async throws {
        try await APIHarness.run { api in
            let people = try await ChatPeople(api)
            let owner = try await people.principal(people.alice)
            let id: UUID
            if row.path.contains("/messages/$id") {
                id = try await people.say(in: try await people.room(), by: people.alice).id.uuid
            } else if row.path.contains("/organizations") {
                id = try await api.chat.createOrganization(name: "Acme", summary: nil, by: owner).organization.id.uuid
            } else if row.path.contains("/invitations/$id") {
                id = try await api.chat.invite(to: try await people.room(), by: owner).invitation.id.uuid
            } else if row.path.contains("/dm/") {
                id = try await api.chat.direct(with: people.bob.id, by: owner).view.conversation.id.uuid
            } else {
                id = try await people.room().uuid
            }
            func ask(_ name: String) async throws -> TestAnswer {
                let path = row.path.replacing("$id", with: name).replacing("$bob", with: "\(people.bob.id)")
                let body = row.method == .get || row.method == .delete ? "" : Self.body(people)
                return try await api.send(TestRequest(row.method, path, body, as: people.eve))
            }
            let (foreign, unknown) = (try await ask("\(id)"), try await ask("\(UUID.random())"))
            #expect(foreign.status == 404, "\(foreign.text)")
            #expect(unknown.status == 404, "\(unknown.text)")
            #expect(Self.words(foreign) == Self.words(unknown))
        }
    }

    @Test func `what was deleted is answered like what never was`() async throws {
        try await APIHarness.run { api in
            let people = try await ChatPeople(api)
            let room = try await people.room()
            let message = try await people.say(in: room, by: people.alice).id
            #expect(try await api.delete("/v1/channels/\(room)", as: people.alice).status == 204)
            for path in ["/v1/channels/", "/chatrooms/", "/v1/messages/"] {
                let name = path == "/v1/messages/" ? "\(message)" : "\(room)"
                let (gone, unknown) = (
                    try await api.get(path + name, as: people.alice),
                    try await api.get(path + "\(UUID.random())", as: people.alice)
                )
                #expect(gone.status == 404)
                #expect(Self.words(gone) == Self.words(unknown))
            }
        }
    }

    @Test func `lists come with the last message and the unread count, for who is in it`() async throws {
        try await APIHarness.run { api in
            let people = try await ChatPeople(api)
            let room = try await people.room(visibility: .public)
            try await people.say(.plain("first"), in: room, by: people.alice)
            try await people.say(.plain("last"), in: room, by: people.alice)
            let direct = try await api.post(
                "/v1/dm/conversations", #"{"user_id": "\#(people.bob.id)"}"#, as: people.alice)
            // A client of this document writes plain text; one of calls' seals.
            #expect(direct["data.is_encrypted"] == .bool(false))
            let sealed = try await api.post(
                "/api/v1/conversations", #"{"type": "direct", "participants": ["\#(people.eve.id)"]}"#,
                as: people.alice)
            #expect(
                try await api.get("/v1/channels/\(try #require(sealed.string("id")))", as: people.alice)[
                    "data.is_encrypted"] == .bool(true))
            let listed = try await api.get("/v1/channels?joined=true", as: people.bob)
            #expect(listed.string("data.0.last_message.content") == "last")
            #expect(listed.string("data.0.last_message.id") == listed.string("data.0.last_message_id"))
            #expect(listed["data.0.unread_count"] == .integer(2))
            let seen = try await api.get("/v1/channels", as: people.eve)
            #expect(seen.string("data.0.id") == "\(room)" && seen["data.0.last_message"] == .null)
        }
    }

    @Test func `a public room shows itself to others, and nothing that is in it`() async throws {
        try await APIHarness.run { api in
            let people = try await ChatPeople(api)
            let room = try await people.room(visibility: .public)
            try await people.say(in: room, by: people.alice)
            let shown = try await api.get("/v1/channels/\(room)", as: people.eve)
            #expect(shown.string("data.name") == "Lobby")
            #expect(shown["data.member_count"] == .integer(2))
            for member in ["owner_id", "role", "last_message_id", "last_activity_at"] {
                #expect(shown["data.\(member)"] == .null, "\(member)")
            }
            #expect(shown["data.permissions"] == .array([]))
            #expect(try await api.get("/v1/channels", as: people.eve).string("data.0.id") == "\(room)")
            #expect(try await api.get("/v1/channels?joined=true", as: people.eve)["data"] == .array([]))
            expect(403, "FORBIDDEN", try await api.get("/v1/channels/\(room)/messages", as: people.eve))
            expect(403, "FORBIDDEN", try await api.get("/v1/channels/\(room)/members", as: people.eve))
            expect(403, "CHATROOM_ACCESS_DENIED", try await api.get("/chatrooms/\(room)", as: people.eve))
            expect(403, "CHATROOM_ACCESS_DENIED", try await api.get("/chatrooms/\(room)/messages", as: people.eve))
            expect(403, "CHATROOM_ACCESS_DENIED", try await api.get("/chatrooms/\(room)/summary", as: people.eve))
            expect(
                403, "INSUFFICIENT_PERMISSIONS",
                try await api.get("/api/v1/messages?channel_id=\(room)", as: people.eve))
            expect(403, "FORBIDDEN", try await api.get("/api/v1/messages/?conversation_id=\(room)", as: people.eve))
        }
    }

    // MARK: Rights

    @Test func `who lacks a right is refused in the words of each dialect`() async throws {
        try await APIHarness.run { api in
            let people = try await ChatPeople(api)
            let (room, bob) = (try await people.room(), people.bob)
            let message = try await people.say(in: room, by: people.alice).id
            expect(403, "FORBIDDEN", try await api.put("/v1/channels/\(room)", #"{"name": "x"}"#, as: bob))
            expect(403, "FORBIDDEN", try await api.delete("/v1/channels/\(room)", as: bob))
            expect(403, "FORBIDDEN", try await api.put("/v1/channels/\(room)/permissions", "{}", as: bob))
            expect(403, "FORBIDDEN", try await api.put("/v1/messages/\(message)", #"{"content": "x"}"#, as: bob))
            expect(403, "FORBIDDEN", try await api.delete("/v1/messages/\(message)", as: bob))
            expect(403, "RESOURCE_ACCESS_DENIED", try await api.put("/chatrooms/\(room)", #"{"name": "x"}"#, as: bob))
            expect(403, "CHATROOM_OWNER_REQUIRED", try await api.delete("/chatrooms/\(room)", as: bob))
            expect(403, "RESOURCE_ACCESS_DENIED", try await api.post("/chatrooms/\(room)/invite", as: bob))
            expect(
                403, "INSUFFICIENT_PERMISSIONS",
                try await api.put("/api/v1/messages/\(message)", #"{"content": "x"}"#, as: bob))
            expect(
                403, "FORBIDDEN",
                try await api.post(
                    "/api/v1/conversations/\(room)/members", #"{"user_id": "\#(people.eve.id)"}"#, as: bob))
            expect(
                403, "FORBIDDEN",
                try await api.delete("/api/v1/conversations/\(room)/members/\(people.alice.id)", as: bob))
        }
    }

    @Test func `who may not write by the rules of a channel is refused, and told what is lacking`() async throws {
        try await APIHarness.run { api in
            let people = try await ChatPeople(api)
            let room = try await people.room(.channel)
            let rules = #"{"roles": [{"role": "member", "deny": ["send_messages"]}]}"#
            let put = try await api.put("/v1/channels/\(room)/permissions", rules, as: people.alice)
            #expect(put.string("data.roles.0.role") == "member")
            #expect(put["data.roles.0.deny"] == .array([.string("send_messages")]))
            #expect(put["data.roles.0.permissions"]?.arrayValue?.contains(.string("send_messages")) == false)
            let refused = try await api.post("/v1/channels/\(room)/messages", #"{"content": "x"}"#, as: people.bob)
            expect(403, "FORBIDDEN", refused)
            #expect(refused["error.details.required"] == .array([.string("send_messages")]))
            expect(
                403, "INSUFFICIENT_PERMISSIONS",
                try await api.post(
                    "/api/v1/messages", #"{"channel_id": "\#(room)", "content": "x"}"#, as: people.bob))
            // One member has more than the others.
            let more = #"{"members": [{"user_id": "\#(people.bob.id)", "allow": ["send_messages"]}]}"#
            let given = try await api.put("/v1/channels/\(room)/permissions", more, as: people.alice)
            #expect(given.string("data.members.0.user_id") == "\(people.bob.id)")
            #expect(given["data.roles.0.deny"] == .array([.string("send_messages")]))
            #expect(
                try await api.post("/v1/channels/\(room)/messages", #"{"content": "x"}"#, as: people.bob).status == 201)
            let read = try await api.get("/v1/channels/\(room)/permissions", as: people.bob)
            #expect(read["data.own"]?.arrayValue?.contains(.string("send_messages")) == true)
            // What was read can be sent back.
            let back = try #require(read["data"]).encoded
            let same = try await api.put(
                "/v1/channels/\(room)/permissions", ownerless(String(decoding: back, as: UTF8.self)), as: people.alice)
            #expect(same["data.members"] == read["data.members"])
            #expect(same["data.roles"] == read["data.roles"])
            // calls' broadcast channel is one with such rules.
            let broadcast = try await api.post(
                "/api/v1/conversations",
                #"{"title": "News", "type": "channel", "participants": ["\#(people.bob.id)"]}"#,
                as: people.alice)
            let id = try #require(broadcast.string("id"))
            expect(
                403, "FORBIDDEN",
                try await api.post(
                    "/api/v1/messages",
                    #"{"conversation_id": "\#(id)", "ciphertext": "eA==", "recipient_keys": []}"#, as: people.bob))
        }
    }

    /// Owners have no rules: what is shown of them is not sent.
    private func ownerless(_ text: String) -> String {
        guard let value = try? JSONValue(parsing: Bytes(text.utf8)), let roles = value["roles"]?.arrayValue,
            let members = value["members"]
        else { return "" }
        let kept = roles.filter { $0["role"] != .string("owner") }
        let object = JSONValue.object(JSONObject([("roles", .array(kept)), ("members", members)]))
        return String(decoding: object.encoded, as: UTF8.self)
    }

    @Test func `who is removed loses the room and its call before the answer, and comes back when added`() async throws
    {
        try await APIHarness.run { api in
            let people = try await ChatPeople(api)
            let room = try await people.room()
            let code = try await api.post("/chatrooms/\(room)/invite", #"{"max_uses": 9}"#, as: people.alice)
                .string("data.invitation.invite_code")
            #expect(
                try await api.delete("/v1/channels/\(room)/members/\(people.bob.id)", as: people.alice).status == 204)
            #expect(api.chatWorld.cut(room) == [people.bob.id])
            #expect(try await api.get("/chatrooms/\(room)", as: people.bob).status == 404)
            expect(
                403, "CHATROOM_ACCESS_DENIED",
                try await api.post("/chatrooms/join/\(code ?? "")", as: people.bob))
            let add = #"{"user_id": "\#(people.bob.id)"}"#
            #expect(try await api.post("/v1/channels/\(room)/members", add, as: people.alice).status == 201)
            expect(409, "CONFLICT", try await api.post("/v1/channels/\(room)/members", add, as: people.alice))
            expect(
                409, "ALREADY_MEMBER",
                try await api.post("/api/v1/conversations/\(room)/members", add, as: people.alice))
            #expect(try await api.get("/chatrooms/\(room)", as: people.bob).status == 200)
        }
    }

    @Test func `the last owner stays until somebody else owns it`() async throws {
        try await APIHarness.run { api in
            let people = try await ChatPeople(api)
            let room = try await people.room()
            expect(
                422, "LAST_OWNER",
                try await api.delete("/v1/channels/\(room)/members/\(people.alice.id)", as: people.alice))
            expect(
                409, "CHATROOM_OWNER_REQUIRED", try await api.post("/chatrooms/\(room)/leave", as: people.alice))
            expect(
                409, "LAST_OWNER",
                try await api.delete("/api/v1/conversations/\(room)/members/\(people.alice.id)", as: people.alice))
            let raised = try await api.put(
                "/v1/channels/\(room)/members/\(people.bob.id)", #"{"role": "owner"}"#, as: people.alice)
            #expect(raised.string("data.role") == "owner")
            #expect(try await api.post("/chatrooms/\(room)/leave", as: people.alice).status == 200)
            #expect(try await api.get("/chatrooms/\(room)", as: people.bob).string("data.user_role") == "owner")
            // With nobody else in it, it ends with its owner.
            #expect(try await api.post("/chatrooms/\(room)/leave", as: people.bob).status == 200)
            #expect(try await api.get("/chatrooms/\(room)", as: people.bob).status == 404)
        }
    }

    @Test func `an archived channel is read and not written`() async throws {
        try await APIHarness.run { api in
            let people = try await ChatPeople(api)
            let room = try await people.room()
            let archived = try await api.put("/v1/channels/\(room)", #"{"is_archived": true}"#, as: people.alice)
            #expect(archived["data.is_archived"] == .bool(true))
            expect(
                422, "ARCHIVED",
                try await api.post("/v1/channels/\(room)/messages", #"{"content": "x"}"#, as: people.bob))
            expect(
                409, "CONFLICT",
                try await api.post(
                    "/api/v1/messages", #"{"channel_id": "\#(room)", "content": "x"}"#, as: people.bob))
            #expect(try await api.get("/v1/channels/\(room)/messages", as: people.bob).status == 200)
            #expect(try await api.get("/v1/channels", as: people.bob)["data"] == .array([]))
            let all = try await api.get("/v1/channels?include_archived=true", as: people.bob)
            #expect(all.string("data.0.id") == "\(room)")
            let list = try await api.get("/api/v1/conversations", as: people.bob)
            #expect(list["data.0.archived"] == .bool(true))
        }
    }

    // MARK: Invitations

    @Test func `an invitation that is used up, over or unknown is refused alike`() async throws {
        try await APIHarness.run { api in
            let people = try await ChatPeople(api)
            let room = try await people.room(isEmpty: true)
            func invite(_ body: String) async throws -> String {
                let made = try await api.post("/chatrooms/\(room)/invite", body, as: people.alice)
                #expect(made.string("data.invitation.invite_url")?.hasPrefix("https://chat.example.org/#join=") == true)
                return try #require(made.string("data.invitation.invite_code"))
            }
            func join(_ code: String, _ person: APIHarness.Person) async throws -> TestAnswer {
                try await api.post("/chatrooms/join/\(code)", as: person)
            }
            let once = try await invite("")
            #expect(try await join(once, people.bob)["data.chatroom.member_count"] == .integer(2))
            expect(404, "CHATROOM_INVITE_INVALID", try await join(once, people.eve))
            let revoked = try await api.get("/v1/channels/\(room)/invitations", as: people.alice)
            #expect(revoked["data"] == .array([]))
            // Who is in already is let in again, and the code is not spent.
            #expect(try await join(once, people.bob).status == 200)
            let short = try await invite(#"{"max_uses": 5, "expires_in_hours": 1}"#)
            api.advance(by: .minutes(61))
            let eve = try await api.login("eve")
            let over = try await join(short, eve)
            expect(404, "CHATROOM_INVITE_INVALID", over)
            let unknown = try await join("nonsense", eve)
            #expect(Self.words(over) == Self.words(unknown))
            let alice = try await api.login("alice")
            let third = try await api.post("/chatrooms/\(room)/invite", #"{"max_uses": 5}"#, as: alice)
            let code = try #require(third.string("data.invitation.invite_code"))
            let good = try await api.get("/v1/channels/\(room)/invitations", as: alice)
            let id = try #require(good.string("data.0.id"))
            #expect(good["data"]?.arrayValue?.count == 1)
            #expect(!good.text.contains(code))
            #expect(try await api.delete("/v1/invitations/\(id)", as: alice).status == 204)
            #expect(Self.words(try await join(code, eve)) == Self.words(unknown))
            expect(
                422, "VALIDATION_INVALID_VALUE",
                try await api.post(
                    "/chatrooms/\(room)/invite", #"{"max_uses": 0}"#, as: try await api.login("alice")))
        }
    }

    @Test func `a full room takes nobody`() async throws {
        try await APIHarness.run { api in
            let people = try await ChatPeople(api)
            let made = try await api.post(
                "/chatrooms", #"{"name": "Two", "is_private": true, "max_members": 1}"#, as: people.alice)
            let room = try #require(made.string("data.chatroom.id"))
            let code = try await api.post("/chatrooms/\(room)/invite", as: people.alice)
                .string("data.invitation.invite_code")
            expect(409, "CHATROOM_FULL", try await api.post("/chatrooms/join/\(code ?? "")", as: people.bob))
            let add = #"{"user_id": "\#(people.bob.id)"}"#
            expect(422, "CHANNEL_FULL", try await api.post("/v1/channels/\(room)/members", add, as: people.alice))
            expect(
                409, "CONVERSATION_FULL",
                try await api.post("/api/v1/conversations/\(room)/members", add, as: people.alice))
        }
    }

    @Test func `a public channel lets people in by themselves, an invite-only one does not`() async throws {
        try await APIHarness.run { api in
            let people = try await ChatPeople(api)
            let open = try await people.room(visibility: .public)
            let joined = try await api.post("/v1/channels/\(open)/join", as: people.eve)
            #expect(joined.string("data.role") == "member")
            let muted = try await api.put("/v1/channels/\(open)/mute", #"{"is_muted": true}"#, as: people.eve)
            #expect(muted["data.is_muted"] == .bool(true))
            #expect(try await api.get("/v1/channels/\(open)", as: people.bob)["data.is_muted"] == .bool(false))
            let shut = try await people.room(visibility: .inviteOnly)
            expect(403, "FORBIDDEN", try await api.post("/v1/channels/\(shut)/join", as: people.eve))
            let hidden = try await people.room()
            expect(404, "NOT_FOUND", try await api.post("/v1/channels/\(hidden)/join", as: people.eve))
        }
    }

    // MARK: Accounts

    @Test(arguments: ["/v1/auth/me", "/api/v1/users/me"])
    func `what a deleted account wrote is empty, and its rooms go to somebody else`(_ path: String) async throws {
        try await APIHarness.run { api in
            let people = try await ChatPeople(api)
            let room = try await people.room()
            let message = try await people.say(in: room, by: people.alice).id
            #expect(try await api.delete(path, as: people.alice).status == 204)
            let left = try await api.get("/v1/messages/\(message)", as: people.bob)
            #expect(left["data.content"] == .null)
            #expect(left["data.is_deleted"] == .bool(true))
            let details = try await api.get("/chatrooms/\(room)", as: people.bob)
            #expect(details.string("data.user_role") == "owner")
            #expect(details["data.members"]?.arrayValue?.count == 1)
            let history = try await api.get("/chatrooms/\(room)/messages", as: people.bob)
            #expect(history["data.messages.0.username"] == .null)
        }
    }
}
