// Messages through the rows: what a client may send, how pages go, edits, reactions, threads, and what comes of floods.

import Accounts
import Base
import Chat
import TestKit
import Testing
import Wire

@testable import API

@Suite struct ChatMessageRowTests {
    private func expect(
        _ status: Int, _ code: String, _ answer: TestAnswer, _ location: SourceLocation = #_sourceLocation
    ) {
        #expect(answer.status == status, "\(answer.text)", sourceLocation: location)
        #expect(
            (answer.string("error.code") ?? answer.string("error_code")) == code, "\(answer.text)",
            sourceLocation: location)
    }

    // MARK: What is sent

    @Test func `a message that is too long, empty or of nothing that is text is refused in each dialect's words`()
        async throws
    {
        try await APIHarness.run { api in
            let people = try await ChatPeople(api)
            let room = try await people.room()
            func design(_ content: String) async throws -> TestAnswer {
                try await api.post("/v1/channels/\(room)/messages", #"{"content": \#(content)}"#, as: people.alice)
            }
            func reference(_ content: String) async throws -> TestAnswer {
                try await api.post(
                    "/api/v1/messages", #"{"channel_id": "\#(room)", "content": \#(content)}"#, as: people.alice)
            }
            func calls(_ ciphertext: String) async throws -> TestAnswer {
                let body = #"{"conversation_id": "\#(room)", "ciphertext": \#(ciphertext), "recipient_keys": []}"#
                return try await api.post("/api/v1/messages/", body, as: people.alice)
            }
            let longest = #""\#(String(repeating: "x", count: 16_384))""#
            #expect(try await design(longest).status == 201)
            let long = #""\#(String(repeating: "x", count: 16_385))""#
            expect(400, "MESSAGE_TOO_LONG", try await design(long))
            expect(422, "VALIDATION_ERROR", try await reference(long))
            #expect(try await calls(long).status == 201)
            let huge = #""\#(String(repeating: "ä", count: 40_000))""#
            expect(422, "MESSAGE_TOO_LONG", try await calls(huge))
            // Beyond what any field may have, and beyond what any body may have.
            let megabyte = String(repeating: "x", count: 1 << 20)
            expect(400, "VALIDATION_ERROR", try await design("\"\(megabyte.dropLast(1_000))\""))
            expect(413, "PAYLOAD_TOO_LARGE", try await reference("\"\(megabyte)\""))
            for nothing in [#""""#, #"" \n ""#, "null", #""\u0000""#, "7", "[]"] {
                expect(400, "VALIDATION_ERROR", try await design(nothing))
                expect(422, "VALIDATION_ERROR", try await reference(nothing))
            }
            expect(422, "VALIDATION_ERROR", try await calls(#""""#))
            // Both forms of a body at once, and the system's words.
            for body in [
                #"{"content": "x", "sealed": {"ciphertext": "x", "encrypted_keys": []}}"#, "{}",
                #"{"sealed": {}}"#, #"{"sealed": {"encrypted_data": "x"}}"#,
                #"{"sealed": {"encrypted_data": "x", "iv": "x", "key_version": 1, "ciphertext": "x"}}"#,
                #"{"sealed": {"encrypted_data": "x", "iv": "x", "key_version": -1}}"#,
                #"{"content": "x", "type": "system"}"#, #"{"content": "x", "search_tokens": ["AAAAAAAAAAA="]}"#,
                #"{"sealed": {"ciphertext": "x", "encrypted_keys": []}, "search_tokens": ["%%"]}"#,
            ] {
                let answer = try await api.post("/v1/channels/\(room)/messages", body, as: people.alice)
                expect(400, "VALIDATION_ERROR", answer)
            }
        }
    }

    @Test func `bytes that are no text are no message`() async throws {
        try await APIHarness.run { api in
            let people = try await ChatPeople(api)
            let room = try await people.room()
            for broken in [[0xFF], [0xC3], [0xED, 0xA0, 0x80], [0xC0, 0x80]] as [Bytes] {
                var request = TestRequest(.post, "/v1/channels/\(room)/messages", "x", as: people.alice)
                request.body = Bytes(#"{"content": "a"#.utf8) + broken + Bytes(#""}"#.utf8)
                expect(400, "BAD_REQUEST", try await api.send(request))
            }
            #expect(try await api.get("/v1/channels/\(room)/messages", as: people.alice)["data"] == .array([]))
        }
    }

    @Test func `a message that is sent again under its client's name is stored once, in all dialects`() async throws {
        try await APIHarness.run { api in
            let people = try await ChatPeople(api)
            let room = try await people.room()
            let first = try await api.post(
                "/v1/channels/\(room)/messages", #"{"content": "Hello", "client_id": "one"}"#, as: people.alice)
            let again = try await api.post(
                "/api/v1/messages", #"{"channel_id": "\#(room)", "content": "Hello", "client_id": "one"}"#,
                as: people.alice)
            #expect(again.status == 201)
            #expect(again.string("id") == first.string("data.id"))
            let other = try await api.post(
                "/v1/channels/\(room)/messages", #"{"content": "Hello", "client_id": "one"}"#, as: people.bob)
            #expect(other.string("data.id") != first.string("data.id"))
            let all = try await api.get("/v1/channels/\(room)/messages", as: people.alice)
            #expect(all["pagination.total"] == .integer(2))
        }
    }

    // MARK: Pages

    @Test func `pages go by number and from a message, backwards and forwards, in every dialect`() async throws {
        try await APIHarness.run { api in
            let people = try await ChatPeople(api)
            let room = try await people.room()
            var ids: [String] = []
            var times: [Timestamp] = []
            for _ in 0..<7 {
                let message = try await people.say(in: room, by: people.alice)
                ids.append(message.id.description)
                times.append(message.createdAt)
                api.advance(by: .seconds(1))
            }
            func read(_ path: String, _ member: String) async throws -> [String] {
                let answer = try await api.get(path, as: people.bob)
                return (answer[member]?.arrayValue ?? []).compactMap { $0["id"]?.stringValue }
            }
            let newest = Array(ids.reversed())
            let design = "/v1/channels/\(room)/messages"
            #expect(try await read("\(design)?per_page=3", "data") == Array(newest[..<3]))
            #expect(try await read("\(design)?per_page=3&page=3", "data") == [ids[0]])
            #expect(try await read("\(design)?per_page=2&before=\(ids[3])", "data") == [ids[2], ids[1]])
            #expect(try await read("\(design)?per_page=2&after=msg_\(ids[3])", "data") == [ids[4], ids[5]])
            let last = try await api.get("\(design)?per_page=9&after=\(ids[3])", as: people.bob)
            #expect(last["pagination.has_next"] == .bool(false))
            #expect(last["pagination.total"] == .integer(7))
            for wrong in ["page=2&before=\(ids[3])", "before=\(ids[3])&after=\(ids[1])", "before=x", "per_page=101"] {
                expect(400, "VALIDATION_ERROR", try await api.get("\(design)?\(wrong)", as: people.bob))
            }
            expect(404, "NOT_FOUND", try await api.get("\(design)?before=\(UUID.random())", as: people.bob))

            let reference = "/api/v1/messages?channel_id=\(room)"
            let page = try await api.get("\(reference)&limit=5", as: people.bob)
            #expect(page["pagination.has_more"] == .bool(true))
            #expect(page.string("pagination.next_cursor") == ids[2])
            #expect(try await read("\(reference)&limit=5&before=\(ids[2])", "messages") == [ids[1], ids[0]])

            let calls = "/api/v1/messages/?conversation_id=\(room)"
            #expect(try await read("\(calls)&skip=5&limit=9", "data") == [ids[1], ids[0]])
            #expect(try await api.get("\(calls)&limit=1", as: people.bob)["count"] == .integer(7))

            let rooms = "/chatrooms/\(room)/messages"
            #expect(try await read("\(rooms)?limit=3&page=2", "data.messages") == Array(newest[3..<6]))
            let (after, before) = (times[1].rfc3339, times[4].rfc3339)
            #expect(
                try await read("\(rooms)?after=\(after)&before=\(before)", "data.messages") == [ids[3], ids[2]])
            let between = try await api.get("\(rooms)?after=\(after)&before=\(before)&limit=1", as: people.bob)
            #expect(between["data.pagination.total"] == .integer(2))
            #expect(between["data.pagination.has_more"] == .bool(true))
        }
    }

    @Test func `a request for messages that names no conversation is refused by the dialect of its path`() async throws
    {
        try await APIHarness.run { api in
            let people = try await ChatPeople(api)
            expect(422, "VALIDATION_ERROR", try await api.get("/api/v1/messages", as: people.alice))
            let calls = try await api.get("/api/v1/messages/", as: people.alice)
            #expect(calls.string("error_code") == "VALIDATION_ERROR")
            #expect(calls.string("extra_info.field") == "conversation_id")
            let user = try await api.get("/api/v1/messages?channel_id=user_\(UUID.random())", as: people.alice)
            expect(404, "RESOURCE_NOT_FOUND", user)
        }
    }

    // MARK: Edits, reactions, threads

    @Test func `of two edits of one version the second is refused, and told the current one`() async throws {
        try await APIHarness.run { api in
            let people = try await ChatPeople(api)
            let id = try await people.say(in: try await people.room(), by: people.alice).id
            func edit(_ text: String) async throws -> TestAnswer {
                try await api.put("/v1/messages/\(id)", #"{"content": "\#(text)", "version": 1}"#, as: people.alice)
            }
            #expect(try await edit("one")["data.version"] == .integer(2))
            let second = try await edit("two")
            expect(409, "VERSION_CONFLICT", second)
            #expect(second["error.details.current_version"] == .integer(2))
            #expect(try await api.get("/v1/messages/\(id)", as: people.bob).string("data.content") == "one")
        }
    }

    @Test func `reactions count once for each person and emoji, and a flood of them ends`() async throws {
        var setup = APIHarness.Setup()
        setup.chat.emojiPerMessage = 5
        try await APIHarness.run(setup) { api in
            let people = try await ChatPeople(api)
            let path = "/v1/messages/\(try await people.say(in: try await people.room(), by: people.alice).id)"
            func react(_ emoji: String) async throws -> TestAnswer {
                try await api.post("\(path)/reactions", #"{"emoji": "\#(emoji)"}"#, as: people.bob)
            }
            #expect(try await react("👩‍👩‍👧‍👦").string("data.emoji") == "👩‍👩‍👧‍👦")
            #expect(try await react("👩‍👩‍👧‍👦").status == 201)
            #expect(try await api.get(path, as: people.bob)["data.reactions"]?.arrayValue?.count == 1)
            for emoji in ["1", "2", "3", "4"] { #expect(try await react(emoji).status == 201) }
            expect(403, "LIMIT_EXCEEDED", try await react("5"))
            expect(400, "VALIDATION_ERROR", try await react("a b"))
            #expect(try await api.delete("\(path)/reactions/1", as: people.bob).status == 204)
            expect(404, "NOT_FOUND", try await api.delete("\(path)/reactions/1", as: people.bob))
            // Somebody else's is not theirs to take back.
            expect(404, "NOT_FOUND", try await api.delete("\(path)/reactions/2", as: people.alice))
        }
    }

    @Test func `a thread has how it began, and its answers in order and in pages`() async throws {
        try await APIHarness.run { api in
            let people = try await ChatPeople(api)
            let root = try await people.say(in: try await people.room(), by: people.alice).id
            var answers: [String] = []
            for number in 0..<3 {
                // An answer to an answer is in the same thread.
                let to = answers.last ?? "\(root)"
                let sent = try await api.post(
                    "/v1/messages/\(to)/thread", #"{"content": "\#(number)"}"#, as: people.bob)
                #expect(sent.string("data.thread_id") == "\(root)")
                answers.append(try #require(sent.string("data.id")))
            }
            let thread = try await api.get("/v1/messages/\(answers[1])/thread?per_page=2", as: people.alice)
            #expect(thread.string("data.root.id") == "\(root)")
            #expect(thread["data.root.reply_count"] == .integer(3))
            #expect(thread.string("data.replies.0.id") == answers[0])
            #expect(thread.string("data.replies.1.content") == "1")
            #expect(thread["pagination.total"] == .integer(3))
            #expect(thread["pagination.has_next"] == .bool(true))
            let reference = try await api.get(
                "/api/v1/messages?channel_id=\(try #require(thread.string("data.root.channel_id")))", as: people.bob)
            #expect(reference.string("messages.0.thread_id") == "\(root)")
        }
    }

    @Test func `what was read, pinned, said before and looked for is there`() async throws {
        try await APIHarness.run { api in
            let people = try await ChatPeople(api)
            let (room, other) = (try await people.room(), try await people.room())
            let first = try await people.say(.plain("The plan is ready"), in: room, by: people.alice).id
            let second = try await people.say(in: room, by: people.alice).id
            let elsewhere = try await people.say(.plain("Another plan"), in: other, by: people.alice).id
            func read(_ id: MessageID) async throws -> TestAnswer {
                try await api.post("/v1/channels/\(room)/read", #"{"message_id": "\#(id)"}"#, as: people.bob)
            }
            #expect(try await api.get("/v1/channels/\(room)", as: people.bob)["data.unread_count"] == .integer(2))
            #expect(try await read(first)["data.unread_count"] == .integer(1))
            #expect(try await read(second)["data.unread_count"] == .integer(0))
            expect(404, "NOT_FOUND", try await read(elsewhere))
            let statuses = try await api.get("/api/v1/messages/?conversation_id=\(room)", as: people.alice)
            #expect(statuses["data.0.statuses"]?.arrayValue?.contains { $0["status"] == .string("read") } == true)

            let pin = "/v1/messages/\(first)/pin"
            expect(403, "FORBIDDEN", try await api.put(pin, #"{"is_pinned": true}"#, as: people.bob))
            #expect(try await api.put(pin, #"{"is_pinned": true}"#, as: people.alice).string("data.pinned_at") != nil)
            #expect(try await api.get("/v1/channels/\(room)/pins", as: people.bob).string("data.0.id") == "\(first)")
            #expect(try await api.put(pin, #"{"is_pinned": false}"#, as: people.alice)["data.pinned_at"] == .null)
            #expect(try await api.get("/v1/channels/\(room)/pins", as: people.bob)["data"] == .array([]))

            _ = try await api.put("/v1/messages/\(first)", #"{"content": "The plan is done"}"#, as: people.alice)
            let before = try await api.get("/v1/messages/\(first)/versions", as: people.bob)
            #expect(before.string("data.0.content") == "The plan is ready")
            #expect(before["data.0.version"] == .integer(1))

            func found(_ body: String, _ person: APIHarness.Person) async throws -> [String] {
                let answer = try await api.post("/v1/search", body, as: person)
                return (answer["data"]?.arrayValue ?? []).compactMap { $0["message"]?["id"]?.stringValue }
            }
            #expect(Set(try await found(#"{"query": "plan"}"#, people.bob)) == ["\(first)", "\(elsewhere)"])
            #expect(try await found(#"{"query": "ready"}"#, people.bob) == [])
            #expect(try await found(#"{"query": "plan", "channel_id": "\#(room)"}"#, people.bob) == ["\(first)"])
            #expect(try await found(#"{"query": "plan"}"#, people.eve) == [])
            expect(400, "VALIDATION_ERROR", try await api.post("/v1/search", "{}", as: people.bob))
        }
    }

    // MARK: Limits

    @Test(arguments: [
        ("/v1/channels/$/messages", #"{"content": "x"}"#, 100),
        ("/api/v1/messages", #"{"channel_id": "$", "content": "x"}"#, 100),
        ("/api/v1/messages/", #"{"conversation_id": "$", "ciphertext": "x", "recipient_keys": []}"#, 60),
    ])
    func `so many messages a minute, as the document says`(_ path: String, _ body: String, _ count: Int) async throws {
        var setup = APIHarness.Setup()
        setup.limits.scale = 1
        try await APIHarness.run(setup) { api in
            let people = try await ChatPeople(api)
            let room = "\(try await people.room())"
            func send() async throws -> TestAnswer {
                try await api.post(
                    path.replacing("$", with: room), body.replacing("$", with: room), as: people.alice)
            }
            #expect(try await send().header("x-ratelimit-limit") == "\(count)")
            for _ in 1..<count { #expect(try await send().status == 201) }
            let refused = try await send()
            #expect(refused.status == 429)
            #expect(refused.header("retry-after") == "60")
            api.advance(by: .minutes(1))
            #expect(try await send().status == 201)
        }
    }
}
