// The documents' messages over chat sockets, as they stand there.

import Accounts
import Base
import Chat
import Crypto
import Store
import TestKit
import Testing
import Wire

@testable import API

@Suite struct LiveCodecTests {
    private static let id = ConversationID(.random())
    private static let message = MessageID(.random())

    private struct World {
        let chat: TestChat
        let alice: Principal
        let room: ConversationID
        let rooms: RoomsLive
        let reference = ReferenceLive()
        let design = DesignLive()
        let calls = CallsLive()
    }

    private func run(_ body: (World) async throws -> Void) async throws {
        let database = try SQLiteDatabase(.memory)
        let chat = try await TestChat.make(database)
        let alice = try await chat.person("alice")
        let room = try await chat.room(alice)
        try await body(World(chat: chat, alice: alice, room: room, rooms: RoomsLive(chat.service)))
        await chat.domain.service.stop()
        await database.close()
    }

    private func read(
        _ codec: any LiveCodec, _ text: String, bound: ConversationID? = nil
    ) throws(LiveFault) -> LiveCommand {
        let filled = text.replacing("$id", with: "\(Self.id)").replacing("$message", with: "\(Self.message)")
        return try codec.read(try LiveReading.object(filled), bound: bound).command
    }

    private func json(_ frames: [SharedFrame]) throws -> JSONValue {
        let frame = try #require(frames.first).plain
        return try JSONValue(parsing: Bytes(frame.dropFirst(frame[1] < 126 ? 2 : frame[1] == 126 ? 4 : 10)))
    }

    // MARK: What clients say

    @Test func `reference's messages are read as the document has them`() throws {
        let codec = ReferenceLive()
        guard case .follow(let wanted) = try read(codec, #"{"type": "subscribe", "channels": ["$id", "channel_$id"]}"#)
        else { return #expect(Bool(false)) }
        #expect(wanted.map(\.conversation) == [Self.id, Self.id] && wanted.allSatisfy { $0.from == nil })
        guard
            case .send(let new, let place) = try read(
                codec,
                #"{"type": "send_message", "data": {"channel_id": "$id", "content": "Hello", "client_id": "c1"}}"#)
        else { return #expect(Bool(false)) }
        #expect(new.body == .plain("Hello") && new.clientID == "c1" && place == Self.id)
        guard case .typing(true, let typed) = try read(codec, #"{"type": "typing_start", "channel_id": "$id"}"#) else {
            return #expect(Bool(false))
        }
        #expect(typed == Self.id)
        guard
            case .follow(let resumed) = try read(
                codec, #"{"type": "subscribe", "channels": [{"id": "$id", "epoch": 7, "offset": 12}]}"#)
        else { return #expect(Bool(false)) }
        #expect(resumed.first?.from == LogPosition(epoch: 7, offset: 12))
        guard case .followAll = try read(codec, #"{"type": "subscribe", "channels": "*"}"#) else {
            return #expect(Bool(false))
        }
    }

    @Test func `rooms' messages are read as the document has them`() async throws {
        try await run { world in
            guard
                case .send(let new, let place) = try read(
                    world.rooms,
                    """
                    {"event": "send_message", "data": {"chatroom_id": "$id", "content": {"encrypted_data": "AAAA",
                     "iv": "BBBB", "key_version": 3}, "message_type": "image", "reply_to": null, "client_id": "c"}}
                    """)
            else { return #expect(Bool(false)) }
            #expect(new.body == .box(SealedBox(data: "AAAA", nonce: "BBBB", keyVersion: 3)))
            #expect(new.type == .image && new.replyTo == nil && place == Self.id)
            guard
                case .acknowledge(.read, let read) = try read(
                    world.rooms,
                    #"{"event": "message_read", "data": {"chatroom_id": "$id", "message_id": "$message"}}"#)
            else { return #expect(Bool(false)) }
            #expect(read == Self.message)
            guard
                case .follow(let wanted) = try self.read(
                    world.rooms, #"{"event": "join_chatroom", "data": {"chatroom_id": "$id"}}"#)
            else { return #expect(Bool(false)) }
            #expect(wanted.map(\.conversation) == [Self.id])
            let token = world.rooms.token(try LiveReading.object(#"{"event": "auth", "data": {"token": "t"}}"#))
            #expect(token == "t")
        }
    }

    @Test func `calls' messages are read as the document has them`() throws {
        let codec = CallsLive()
        guard
            case .send(let new, _) = try read(
                codec,
                """
                {"type": "send_message", "conversation_id": "$id", "ciphertext": "AAAA", "message_type": "document",
                 "recipient_keys": [{"recipient_user_id": "$id", "recipient_device_id": "$id", "encrypted_key": "k",
                 "key_algo": "a", "nonce": "n"}]}
                """)
        else { return #expect(Bool(false)) }
        guard case .deviceBox(let box) = new.body else { return #expect(Bool(false)) }
        #expect(box.ciphertext == "AAAA" && box.keys.count == 1 && new.type == .file)
        #expect(codec.token(try LiveReading.object(#"{"type": "auth", "token": "jwt"}"#)) == "jwt")
        guard
            case .typing(false, _) = try read(
                codec, #"{"type": "typing", "conversation_id": "$id", "is_typing": false}"#)
        else { return #expect(Bool(false)) }
    }

    @Test func `a path's own conversation need not be named, and no other one can be`() throws {
        let codec = DesignLive()
        guard case .send(_, let place) = try read(codec, #"{"type": "send_message", "content": "x"}"#, bound: Self.id)
        else { return #expect(Bool(false)) }
        #expect(place == Self.id)
        #expect(throws: LiveFault.self) {
            try read(
                codec, #"{"type": "send_message", "content": "x", "channel_id": "\#(ConversationID(.random()))"}"#,
                bound: Self.id)
        }
    }

    @Test(arguments: [
        "", "7", "[]", "{", #"{"type": 7}"#, #"{"type": "dance"}"#, #"{"type": "subscribe"}"#,
        #"{"type": "subscribe", "channels": [7]}"#, #"{"type": "subscribe", "channels": [{"id": "$id", "epoch": 1}]}"#,
        #"{"type": "send_message", "data": {"channel_id": "$id"}}"#,
        #"{"type": "send_message", "data": {"channel_id": "$id", "content": 7}}"#,
        #"{"type": "send_message", "data": {"channel_id": "$id", "content": "x", "content_type": "system"}}"#,
        #"{"type": "send_message", "data": {"channel_id": "x", "content": "x"}}"#,
        #"{"type": "message_read", "message_id": "nothing"}"#, #"{"type": "ping", "id": {}}"#,
        #"{"type": "edit_message", "data": {"message_id": "$message"}}"#,
    ])
    func `what cannot be read is refused with its member`(_ text: String) {
        #expect(throws: LiveFault.self) { try read(ReferenceLive(), text) }
    }

    @Test func `what a client calls its message is read, whatever else is wrong with it`() async throws {
        try await run { world in
            func name(_ codec: any LiveCodec, _ text: String) throws -> LiveName {
                codec.name(try LiveReading.object(text))
            }
            let reference = #"{"type": "send_message", "id": 7, "data": {"channel_id": 9, "client_id": "c1"}}"#
            #expect(try name(world.reference, reference) == LiveName(reference: .integer(7), clientID: "c1"))
            let rooms = #"{"event": "dance", "id": "a", "data": {"client_id": "c2"}}"#
            #expect(try name(world.rooms, rooms) == LiveName(reference: .string("a"), clientID: "c2"))
            let calls = #"{"type": "send_message", "client_id": "c3", "id": {}}"#
            #expect(try name(world.calls, calls) == LiveName(clientID: "c3"))
            #expect(try name(world.design, #"{"id": null, "client_id": 7}"#) == .none)
            let long = String(repeating: "x", count: 129)
            #expect(try name(world.design, #"{"id": "\#(long)", "client_id": "\#(long)"}"#) == .none)
            let named = LiveName(reference: .integer(7), clientID: "c1")
            for codec in [world.reference, world.rooms, world.design, world.calls] as [any LiveCodec] {
                let told = try json(codec.frames(of: .failed(.malformed(field: "content", reason: "x"), named)))
                #expect(told["ref"] == .integer(7) && told["client_id"] == .string("c1"))
                #expect(told["data"]?["client_id"] == nil)
            }
        }
    }

    @Test func `a failure to open names the device, or is of the path's`() throws {
        let device = ClientDeviceID(.random())
        guard
            case .reportFailure(Self.message, device) = try read(
                DesignLive(), #"{"type": "message_failed", "message_id": "$message", "device_id": "\#(device)"}"#),
            case .reportFailure(Self.message, nil) = try read(
                CallsLive(), #"{"type": "message_failed", "message_id": "$message"}"#)
        else { return #expect(Bool(false)) }
    }

    // MARK: What the server says

    @Test func `events have the shapes of the documents, and their place in the log`() async throws {
        try await run { world in
            let said = try await world.chat.say("hello", in: world.room, by: world.alice)
            let event = try #require(world.chat.world.events(world.room).last)
            let reference = try json(await world.reference.frames(of: [event])[0])
            #expect(reference["type"] == .string("message") && reference["data"]?["content"] == .string("hello"))
            #expect(reference["data"]?["channel_id"] == .string("\(world.room)"))
            #expect(reference["offset"] == event.position.map { .integer($0.offset) })
            let rooms = try json(await world.rooms.frames(of: [event])[0])
            #expect(rooms["event"] == .string("message_received"))
            #expect(rooms["data"]?["message"]?["id"] == .string("\(said.id)"))
            #expect(rooms["data"]?["message"]?["username"] == .string("alice"))
            let calls = try json(await world.calls.frames(of: [event])[0])
            #expect(calls["type"] == .string("message_received"))
            #expect(calls["data"]?["conversation_id"] == .string("\(world.room)"))
            #expect(calls["data"]?["message"]?["content"] == .string("hello"))
            #expect(try json(await world.design.frames(of: [event])[0])["type"] == .string("message.created"))
        }
    }

    @Test func `typing and receipts have the documents' names`() async throws {
        try await run { world in
            let now = world.chat.clock.clock.now()
            func event(_ change: ChatEvent.Change) -> ChatEvent {
                ChatEvent(conversation: world.room, position: nil, at: now, actor: world.alice.user, change: change)
            }
            let typing = event(.typing(isTyping: true))
            let reference = try json(await world.reference.frames(of: [typing])[0])
            #expect(reference["type"] == .string("typing") && reference["data"]?["is_typing"] == .bool(true))
            #expect(reference["data"]?["user_id"] == .string("\(world.alice.user)") && reference["offset"] == nil)
            let rooms = try json(await world.rooms.frames(of: [typing])[0])
            #expect(rooms["event"] == .string("typing_indicator") && rooms["data"]?["username"] == .string("alice"))
            #expect(rooms["data"]?["chatroom_id"] == .string("\(world.room)"))
            let read = event(.receipt(.read, upTo: Self.message, sequence: 3, device: nil))
            let calls = try json(await world.calls.frames(of: [read])[0])
            #expect(calls["type"] == .string("message_status_update") && calls["data"]?["status"] == .string("read"))
            let device = ClientDeviceID(.random())
            let failed = event(.receipt(.failed, upTo: Self.message, sequence: 3, device: device))
            for (codec, name) in [
                (world.reference, "message_failed"), (world.rooms, "message_failed"), (world.design, "receipt"),
                (world.calls, "message_status_update"),
            ] as [(any LiveCodec, String)] {
                let told = try json(await codec.frames(of: [failed])[0])
                #expect((told["type"] ?? told["event"]) == .string(name))
                #expect(told["data"]?["device_id"] == .string("\(device)"))
            }
            #expect(
                await world.calls.frames(
                    of: [event(.receipt(.sent, upTo: Self.message, sequence: 3, device: nil))])[0]
                    .isEmpty)
        }
    }

    @Test func `who comes and goes is told as the documents have it`() async throws {
        try await run { world in
            let now = world.chat.clock.clock.now()
            func news(_ status: ChatPresence.Status, after before: ChatPresence.Status) -> PresenceNews {
                PresenceNews(world.alice.user, ChatPresence(status, lastSeen: now), before: before)
            }
            let came = news(.online, after: .offline)
            for (codec, name) in [
                (world.reference, "presence"), (world.design, "presence"), (world.calls, "user_status"),
            ] as [(any LiveCodec, String)] {
                let told = try json(await codec.frames(of: came))
                #expect(told["type"] == .string(name) && told["data"]?["status"] == .string("online"))
                #expect(told["data"]?["user_id"] == .string("\(world.alice.user)"))
                #expect(told["data"]?["last_seen"]?.stringValue.flatMap { Timestamp(rfc3339: $0) } == now)
            }
            let rooms = try json(await world.rooms.frames(of: came))
            #expect(rooms["event"] == .string("user_online") && rooms["data"]?["username"] == .string("alice"))
            let gone = try json(await world.rooms.frames(of: news(.offline, after: .busy)))
            #expect(gone["event"] == .string("user_offline"))
            #expect(gone["data"]?["user_id"] == .string("\(world.alice.user)"))
            // It has no word for how somebody is there.
            #expect(await world.rooms.frames(of: news(.away, after: .online)).isEmpty)
        }
    }

    @Test func `answers repeat the client's own name, and failures are the dialect's`() async throws {
        try await run { world in
            let place = LogPosition(epoch: 3, offset: 4)
            let followed = try json(
                world.rooms.frames(
                    of: .following(world.room, position: place, isRecovered: false, reference: .integer(7))))
            #expect(followed["event"] == .string("chatroom_joined") && followed["ref"] == .integer(7))
            #expect(followed["data"]?["recovered"] == .bool(false) && followed["epoch"] == .integer(3))
            let codes = try [world.reference, world.rooms, world.design, world.calls].map { (codec: any LiveCodec) in
                try json(codec.frames(of: .failed(.chat(.notFound(.conversation)), .none)))["data"]?["code"]?
                    .stringValue
            }
            #expect(codes[1] == "CHATROOM_NOT_FOUND" && codes.allSatisfy { $0 != nil })
            let flood = try json(world.design.frames(of: .failed(.tooManyRequests(retryAfter: 5), .none)))
            #expect(flood["data"]?["code"] == .string("RATE_LIMITED"))
            #expect(flood["data"]?["details"]?["retry_after"] == .integer(5))
        }
    }

    // MARK: Client settings

    private func setting(_ key: String, _ value: JSONValue) throws -> ClientSetting {
        ClientSetting(
            key: try ClientSettingKey(key), value: value.encoded, version: .random(),
            updatedAt: Timestamp(secondsSinceEpoch: 1))
    }

    @Test func `the user's devices are told of settings, with their values while these are small`() async throws {
        try await run { world in
            let small = try setting("theme", .string("dark"))
            let large = try setting("a", .string(String(repeating: "x", count: 10_000)))
            let more = try setting("b", .string(String(repeating: "y", count: 10_000)))
            let change = ClientSettingsChange(stored: [large, more, small], deleted: [small.key])
            let codecs: [any LiveCodec] = [world.reference, world.rooms, world.design, world.calls]
            let names = ["settings_changed", "settings_changed", "settings.changed", "settings_changed"]
            for (codec, name) in zip(codecs, names) {
                let frame = try json(codec.frames(of: .notice(ChatNotice(.settingsChanged(change)))))
                #expect((frame["type"] ?? frame["event"]) == .string(name))
                let settings = try #require(frame["data"]?["settings"]?.arrayValue)
                #expect(settings.map { $0["setting_key"]?.stringValue } == ["a", "b", "theme"])
                #expect(settings.map { $0["setting_value"] != nil } == [true, false, true])
                #expect(settings[2]["etag"]?.stringValue == "\"\(small.version)\"")
                #expect(frame["data"]?["deleted"] == .array([.string("theme")]))
            }
        }
    }
}
