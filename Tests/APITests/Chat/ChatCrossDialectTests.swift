// One conversation under the dialects of chat: what one writes, the others read, in every form of a message. manual.md
// has no chat, and rooms.md writes by its socket alone, which says what is said here to the domain.

import Accounts
import Base
import Chat
import TestKit
import Testing
import Wire

@testable import API

@Suite struct ChatCrossDialectTests {
    /// The three forms of a body, and a body that is gone.
    enum Form: String, Sendable, CaseIterable { case plain, box, deviceBox, removed }

    static let device = ClientDeviceID(UUID.random())
    static let boxMembers = #""encrypted_data": "c2VhbGVk", "iv": "aXY=", "key_version": 3"#

    static func keys(for user: UserID) -> String {
        """
        [{"recipient_user_id": "\(user)", "recipient_device_id": "\(device)", "encrypted_key": "a2V5",
          "key_algo": "x25519-aead", "nonce": "bm9uY2U="}]
        """
    }

    static func deviceBoxMembers(for user: UserID) -> String {
        """
        "ciphertext": "Y2lwaGVy", "ciphertext_nonce": "bm9uY2U=", "encryption_algo": "aes-256-gcm",
        "preview_text_hash": "aGFzaA==", "encrypted_keys": \(keys(for: user))
        """
    }

    // MARK: Writers

    struct Writer: Sendable, CustomTestStringConvertible {
        let name: String
        let form: Form
        /// Returns the message's id.
        let write: @Sendable (ChatPeople, ConversationID) async throws -> String?
        var testDescription: String { "\(name), \(form.rawValue)" }
    }

    static let writers = [
        Writer(name: "reference", form: .plain) { people, room in
            try await people.api.post(
                "/api/v1/messages", #"{"channel_id": "channel_\#(room)", "content": "Hello"}"#, as: people.alice
            ).string("id")
        },
        Writer(name: "design", form: .plain) { people, room in
            try await people.api.post(
                "/v1/channels/\(room)/messages", #"{"content": "Hello"}"#, as: people.alice
            ).string("data.id")
        },
        Writer(name: "design", form: .box) { people, room in
            try await people.api.post(
                "/v1/channels/\(room)/messages", #"{"sealed": {\#(boxMembers)}}"#, as: people.alice
            ).string("data.id")
        },
        Writer(name: "design", form: .deviceBox) { people, room in
            try await people.api.post(
                "/v1/channels/\(room)/messages", #"{"sealed": {\#(deviceBoxMembers(for: people.bob.id))}}"#,
                as: people.alice
            ).string("data.id")
        },
        Writer(name: "calls", form: .deviceBox) { people, room in
            try await people.api.post(
                "/api/v1/messages/",
                """
                {"conversation_id": "\(room)", "ciphertext": "Y2lwaGVy", "ciphertext_nonce": "bm9uY2U=",
                 "encryption_algo": "aes-256-gcm", "preview_text_hash": "aGFzaA==", "message_type": "text",
                 "recipient_keys": \(keys(for: people.bob.id))}
                """, as: people.alice
            ).string("id")
        },
        Writer(name: "rooms", form: .box) { people, room in
            let box = SealedBox(data: "c2VhbGVk", nonce: "aXY=", keyVersion: 3)
            return try await people.say(.box(box), in: room, by: people.alice).id.description
        },
        Writer(name: "deleted by design", form: .removed) { people, room in
            let message = try await people.say(in: room, by: people.alice)
            _ = try await people.api.delete("/v1/messages/\(message.id)", as: people.alice)
            return message.id.description
        },
        Writer(name: "deleted by reference", form: .removed) { people, room in
            let message = try await people.say(in: room, by: people.alice)
            _ = try await people.api.delete("/api/v1/messages/msg_\(message.id)", as: people.alice)
            return message.id.description
        },
    ]

    // MARK: Readers

    struct Reader: Sendable, CustomTestStringConvertible {
        let name: String
        let path: @Sendable (ConversationID) -> String
        let newest: String
        /// What the newest message has to hold; `absent` for a member that has to be missing.
        let members: @Sendable (Form, ChatPeople) throws -> [(name: String, value: JSONValue?)]
        var testDescription: String { name }
    }

    private static func sealed(_ form: Form, _ people: ChatPeople) throws -> JSONValue {
        switch form {
        case .box: try JSONValue(parsing: Bytes("{\(boxMembers)}".utf8))
        case .deviceBox: try JSONValue(parsing: Bytes("{\(deviceBoxMembers(for: people.bob.id))}".utf8))
        case .plain, .removed: .null
        }
    }

    static let readers = [
        Reader(name: "reference", path: { "/api/v1/messages?channel_id=\($0)" }, newest: "messages.0") { form, people in
            let isSealed = form == .box || form == .deviceBox
            return [
                ("content", form == .plain ? .string("Hello") : .null), ("encrypted", isSealed ? .bool(true) : nil),
                ("sealed", isSealed ? try sealed(form, people) : nil), ("is_deleted", .bool(form == .removed)),
                ("user_id", .string(people.alice.id.description)),
            ]
        },
        Reader(name: "design", path: { "/v1/channels/\($0)/messages" }, newest: "data.0") { form, people in
            [
                ("content", form == .plain ? .string("Hello") : .null),
                ("encrypted", .bool(form == .box || form == .deviceBox)), ("sealed", try sealed(form, people)),
                ("is_deleted", .bool(form == .removed)), ("user_id", .string(people.alice.id.description)),
            ]
        },
        Reader(
            name: "calls", path: { "/api/v1/messages/?conversation_id=\($0)" }, newest: "data.0"
        ) { form, people in
            let box = form == .deviceBox ? try sealed(form, people) : .null
            return [
                ("ciphertext", box["ciphertext"] ?? .null), ("ciphertext_nonce", box["ciphertext_nonce"] ?? .null),
                ("encryption_algo", box["encryption_algo"] ?? .null),
                ("preview_text_hash", box["preview_text_hash"] ?? .null),
                ("encrypted_keys", box["encrypted_keys"] ?? .array([])),
                ("content", form == .plain ? .string("Hello") : nil),
                ("sealed", form == .box ? try sealed(form, people) : nil), ("is_deleted", .bool(form == .removed)),
                ("sender_id", .string(people.alice.id.description)),
            ]
        },
        Reader(name: "rooms", path: { "/chatrooms/\($0)/messages" }, newest: "data.messages.0") { form, people in
            let box = form == .box ? try sealed(form, people) : .null
            return [
                ("content.encrypted_data", box["encrypted_data"] ?? .null), ("content.iv", box["iv"] ?? .null),
                ("content.key_version", box["key_version"] ?? .null),
                ("content.text", form == .plain ? .string("Hello") : nil),
                ("sealed", form == .deviceBox ? try sealed(form, people) : nil),
                ("user_id", .string(people.alice.id.description)), ("username", .string("alice")),
            ]
        },
    ]

    @Test(arguments: writers, readers)
    func `a message that is written in one dialect is read in every other`(
        _ writer: Writer, _ reader: Reader
    ) async throws {
        try await APIHarness.run { api in
            let people = try await ChatPeople(api)
            let room = try await people.room()
            let id = try #require(try await writer.write(people, room))
            for person in [people.alice, people.bob] {
                let answer = try await api.get(reader.path(room), as: person)
                #expect(answer.string("\(reader.newest).id") == id, "\(answer.text)")
                for (name, value) in try reader.members(writer.form, people) {
                    #expect(answer["\(reader.newest).\(name)"] == value, "\(name)")
                }
            }
            #expect(try await api.get("/v1/messages/\(id)", as: people.bob).string("data.id") == id)
        }
    }

    @Test(arguments: TestDatabase.available)
    func `what happens to a message in one dialect has happened in all`(_ place: TestDatabase) async throws {
        try await APIHarness.run(on: place) { api in
            let people = try await ChatPeople(api)
            let room = try await people.room()
            let id = try await people.say(in: room, by: people.alice).id
            #expect(
                try await api.put("/api/v1/messages/\(id)", #"{"content": "Hello again"}"#, as: people.alice)
                    .status == 200)
            #expect(
                try await api.post("/v1/messages/\(id)/reactions", #"{"emoji": "👍"}"#, as: people.bob).status == 201)
            let design = try await api.get("/v1/messages/\(id)", as: people.bob)
            #expect(design["data.is_edited"] == .bool(true))
            #expect(design["data.version"] == .integer(2))
            let rooms = try await api.get("/chatrooms/\(room)/messages", as: people.bob)
            #expect(rooms.string("data.messages.0.content.text") == "Hello again")
            #expect(rooms.string("data.messages.0.reactions.0.username") == "bob")
            #expect(rooms.string("data.messages.0.edited_at") != nil)
            let calls = try await api.get("/api/v1/messages/?conversation_id=\(room)", as: people.bob)
            #expect(calls["data.0.is_edited"] == .bool(true))
            let reference = try await api.get("/api/v1/messages?channel_id=\(room)", as: people.bob)
            #expect(reference.string("messages.0.reactions.0.emoji") == "👍")
            #expect(reference.string("messages.0.content") == "Hello again")
        }
    }

    /// Begins a conversation with bob in it; returns its id.
    static let beginnings: [(name: String, begin: @Sendable (ChatPeople) async throws -> String?)] = [
        (
            "rooms",
            { people in
                let made = try await people.api.post(
                    "/chatrooms", #"{"name": "Lobby", "is_private": true}"#, as: people.alice)
                let id = try #require(made.string("data.chatroom.id"))
                let invitation = try await people.api.post("/chatrooms/\(id)/invite", as: people.alice)
                let code = try #require(invitation.string("data.invitation.invite_code"))
                _ = try await people.api.post("/chatrooms/join/\(code)", as: people.bob)
                return id
            }
        ),
        (
            "calls",
            { people in
                try await people.api.post(
                    "/api/v1/conversations",
                    #"{"title": "Lobby", "type": "group", "participants": ["\#(people.bob.id)"]}"#, as: people.alice
                ).string("id")
            }
        ),
        (
            "design",
            { people in
                try await people.api.post(
                    "/v1/channels", #"{"name": "Lobby", "members": ["user_\#(people.bob.id)"]}"#, as: people.alice
                ).string("data.id")
            }
        ),
    ]

    @Test(arguments: 0..<3)
    func `a conversation that is begun in one dialect is there in all`(_ number: Int) async throws {
        try await APIHarness.run { api in
            let people = try await ChatPeople(api)
            let id = try #require(try await Self.beginnings[number].begin(people))
            for person in [people.alice, people.bob] {
                let isAlice = person.id == people.alice.id
                let room = try await api.get("/chatrooms", as: person)
                #expect(room.string("data.chatrooms.0.id") == id)
                #expect(room.string("data.chatrooms.0.name") == "Lobby")
                #expect(room.string("data.chatrooms.0.role") == (isAlice ? "owner" : "member"))
                let conversation = try await api.get("/api/v1/conversations", as: person)
                #expect(conversation.string("data.0.id") == id)
                #expect(conversation["data.0.member_count"] == .integer(2))
                let channel = try await api.get("/v1/channels", as: person)
                #expect(channel.string("data.0.id") == id)
                #expect(channel.string("data.0.role") == (isAlice ? "owner" : "member"))
                #expect(try await api.get("/chatrooms/\(id)", as: person)["data.members.1.username"] == .string("bob"))
            }
            for path in ["/chatrooms", "/api/v1/conversations", "/v1/channels"] {
                #expect(try await !api.get(path, as: people.eve).text.contains(id), "\(path)")
            }
        }
    }

    @Test func `a direct conversation is one for two people, whoever begins it and by whichever dialect`() async throws
    {
        try await APIHarness.run { api in
            let people = try await ChatPeople(api)
            let first = try await api.post(
                "/v1/dm/conversations", #"{"user_id": "\#(people.bob.id)"}"#, as: people.alice)
            let id = try #require(first.string("data.id"))
            #expect(first.string("data.user.username") == "bob")
            let second = try await api.post(
                "/v1/dm/conversations", #"{"user_id": "\#(people.alice.id)"}"#, as: people.bob)
            #expect(second.string("data.id") == id)
            let third = try await api.post(
                "/api/v1/conversations", #"{"type": "direct", "participants": ["\#(people.alice.id)"]}"#,
                as: people.bob)
            #expect(third.string("id") == id)
            // It has no title of its own: each sees the other's name.
            #expect(third.string("title") == "alice of Test")
            #expect(try await api.get("/chatrooms", as: people.alice).string("data.chatrooms.0.name") == "bob of Test")
            _ = try await api.post(
                "/v1/dm/conversations/\(id)/messages", #"{"content": "Hi"}"#, as: people.alice)
            let list = try await api.get("/v1/dm/conversations", as: people.bob)
            #expect(list["data.0.unread_count"] == .integer(1))
            #expect(list.string("data.0.last_message.content") == "Hi")
            #expect(try await api.get("/v1/channels", as: people.bob)["data"] == .array([]))
            #expect(try await api.get("/v1/dm/conversations/\(id)", as: people.eve).status == 404)
            // A room is no direct conversation.
            let room = try await people.room()
            #expect(try await api.get("/v1/dm/conversations/\(room)", as: people.alice).status == 404)
            #expect(try await api.get("/v1/dm/conversations/\(room)/messages", as: people.alice).status == 404)
        }
    }

    @Test func `types, kinds and roles that a dialect lacks are shown as the nearest it has`() async throws {
        try await APIHarness.run { api in
            let people = try await ChatPeople(api)
            for (type, calls) in [
                (ConversationType.voice, "channel"), (.room, "group"), (.support, "support"), (.group, "group"),
            ] {
                let room = try await people.room(type)
                let list = try await api.get("/api/v1/conversations", as: people.alice)
                #expect(list.string("data.0.type") == calls)
                #expect(try await api.get("/v1/channels/\(room)", as: people.alice).string("data.type") == type.name)
                api.advance(by: .seconds(1))
            }
            let room = try await people.room()
            try await people.raise(people.bob, to: .admin, in: room)
            #expect(try await api.get("/chatrooms/\(room)", as: people.bob).string("data.user_role") == "moderator")
            #expect(try await api.get("/v1/channels/\(room)", as: people.bob).string("data.role") == "admin")
            for (type, rooms, calls) in [
                (MessageType.video, "file", "video"), (.file, "file", "document"), (.location, "text", "location"),
            ] {
                try await people.say(in: room, by: people.alice, type)
                let shown = try await api.get("/chatrooms/\(room)/messages", as: people.alice)
                #expect(shown.string("data.messages.0.message_type") == rooms)
                let called = try await api.get("/api/v1/messages/?conversation_id=\(room)", as: people.alice)
                #expect(called.string("data.0.message_type") == calls)
                let referred = try await api.get("/api/v1/messages?channel_id=\(room)", as: people.alice)
                #expect(referred.string("messages.0.content_type") == type.name)
            }
        }
    }
}
