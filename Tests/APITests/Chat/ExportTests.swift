// One's own data as JSON lines.

import Accounts
import Base
import Chat
import TestKit
import Testing
import Wire

@testable import API

@Suite struct ExportTests {
    private static let path = "/api/v1/users/me/export"

    /// The lines, and the largest part that came at once.
    private func read(_ answer: TestAnswer) async throws -> [JSONValue] {
        let next = try #require(answer.next)
        var text = Bytes()
        while let part = try await next() { text += part }
        #expect(text.last == 0x0A)
        return try text.split(separator: 0x0A).map { try JSONValue(parsing: Bytes($0)) }
    }

    private func types(_ lines: [JSONValue]) -> [String] { lines.compactMap { $0["type"]?.stringValue } }

    @Test(arguments: TestDatabase.available)
    func `an export has what one wrote and where one is, and nothing of others`(_ place: TestDatabase) async throws {
        try await APIHarness.run(on: place) { api in
            let people = try await ChatPeople(api)
            let (room, left) = (try await people.room(), try await people.room())
            let alice = try await people.principal(people.alice)
            let bob = try await people.principal(people.bob)
            for number in 0..<120 {
                try await people.say(.plain("bob \(number)"), in: room, by: people.bob)
                try await people.say(.plain("alice \(number)"), in: room, by: people.alice)
            }
            let elsewhere = try await people.say(.plain("before I left"), in: left, by: people.bob)
            try await api.chat.leave(left, by: bob)
            let edited = try await people.say(.plain("one"), in: room, by: people.bob)
            _ = try await api.chat.edit(edited.id, MessageEdit(.plain("two")), by: bob)
            let sealed = MessageBody.box(SealedBox(data: "AAAA", nonce: "BBBB", keyVersion: 1))
            try await people.say(sealed, in: room, by: people.bob)
            let gone = try await people.say(.plain("never said"), in: room, by: people.bob)
            try await api.chat.deleteMessage(gone.id, by: bob)
            _ = try await api.chat.react("👍", to: elsewhere.id, by: alice)
            let last = try await people.say(.plain("last"), in: room, by: people.alice)
            for emoji in ["a", "b"] { _ = try await api.chat.react(emoji, to: last.id, by: bob) }
            let direct = try await api.chat.direct(with: people.bob.id, by: alice).view.conversation.id
            _ = try await api.chat.register(
                ClientDeviceID(.random()), DeviceRegistration(name: "Phone", identityKey: "IK", algorithm: "x"),
                by: bob)

            let answer = try await api.get(Self.path, as: people.bob)
            #expect(answer.header("content-type") == "application/x-ndjson")
            #expect(answer.header("content-disposition")?.hasPrefix("attachment") == true)
            let lines = try await read(answer)
            #expect(types(lines).first == "export" && types(lines).last == "end")
            #expect(lines.last?["lines"] == .integer(Int64(lines.count - 1)))
            func all(_ type: String) -> [JSONValue] { lines.filter { $0["type"] == .string(type) } }
            #expect(all("account").map { $0["username"] } == [.string("bob")])
            #expect(all("device").map { $0["name"] } == [.string("Phone")])
            #expect(Set(all("conversation").compactMap { $0["id"]?.stringValue }) == ["\(room)", "\(direct)"])
            let two = all("conversation").first { $0["id"] == .string("\(direct)") }
            #expect(two?["with_user_id"] == .string("\(people.alice.id)"))
            let said = all("message").map { $0["content"]?.stringValue }
            #expect(said == (0..<120).map { "bob \($0)" } + ["before I left", "two", nil])
            #expect(all("message").last?["sealed"]?["encrypted_data"] == .string("AAAA"))
            #expect(all("former_version").map { $0["content"] } == [.string("one")])
            #expect(all("former_version").map { $0["message_id"] } == [.string("\(edited.id)")])
            #expect(all("reaction").map { $0["emoji"] } == [.string("a"), .string("b")])
        }
    }

    @Test func `an export is read a part at a time, and one at a time`() async throws {
        try await APIHarness.run { api in
            let people = try await ChatPeople(api)
            let room = try await people.room()
            for number in 0..<60 { try await people.say(.plain("\(number)"), in: room, by: people.bob) }
            var first: TestAnswer? = try await api.get(Self.path, as: people.bob)
            let head = try #require(try await first?.next?())
            #expect(head.count { $0 == 0x0A } == 2)
            let refused = try await api.get(Self.path, as: people.bob)
            #expect(refused.status == 429 && refused.header("retry-after") == "60")
            // What is written meanwhile is in it, for nothing was read before it was asked for.
            try await people.say(.plain("meanwhile"), in: room, by: people.bob)
            let rest = try await read(try #require(first))
            #expect(rest.contains { $0["content"] == .string("meanwhile") })
            // Read to its end, it holds no place any more, nor does one that nobody reads on.
            var second: TestAnswer? = try await api.get(Self.path, as: people.bob)
            #expect(second?.status == 200)
            (first, second) = (nil, nil)
            #expect(try await api.get(Self.path, as: people.bob).status == 200)
            #expect(first == nil && second == nil)
        }
    }

    @Test func `a few export at once, and the others are told to come back`() async throws {
        let slots = ExportSlots()
        let users = (0...ExportSlots.atOnce).map { _ in UserID(.random()) }
        var held = users.dropLast().map { slots.enter($0) }
        #expect(held.allSatisfy { $0 != nil })
        #expect(slots.enter(users[ExportSlots.atOnce]) == nil)
        held.removeLast()
        #expect(slots.enter(users[ExportSlots.atOnce]) != nil)
    }
}
