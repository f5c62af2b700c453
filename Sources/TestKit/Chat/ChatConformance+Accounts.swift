// Who is there, and what is left of somebody who is gone.

import Accounts
import Base
import Chat
import Store

extension ChatConformance {
    static let accounts: [Check] = [
        Check("presence is shown where somebody is, up to a size") { chat in
            let (alice, bob) = (try await chat.person("alice"), try await chat.person("bob"))
            let carol = try await chat.person("carol")
            let small = try await chat.room(alice, bob)
            let large = try await chat.room(alice, bob, carol)
            let left = try await chat.room(bob, alice)
            let deleted = try await chat.room(bob, alice)
            try await chat.service.leave(left, by: alice)
            try await chat.service.delete(deleted, by: bob, origin: origin)
            func places(_ members: Int, _ limit: Int) async throws -> Set<ConversationID> {
                Set(
                    try await chat.service.conversationsThatShowPresence(
                        of: alice.user, members: members, limit: limit))
            }
            try requireEqual(try await places(3, 10), [small, large])
            try requireEqual(try await places(2, 10), [small])
            try requireEqual(try await places(3, 1).count, 1)
        },
        Check("what was sent too long ago is edited no more") { chat in
            var options = TestChat.options
            options.editWindow = .minutes(5)
            let bounded = chat.restarted(options)
            let alice = try await chat.person("alice")
            let id = try await chat.room(alice)
            let message = try await bounded.say("one", in: id, by: alice)
            chat.clock.advance(by: .minutes(5))
            _ = try await bounded.service.edit(message.id, MessageEdit(.plain("two")), by: alice)
            // Counted from the sending, not from the last edit.
            chat.clock.advance(by: .seconds(1))
            try await requireChatRefusal(.forbidden(.tooLate)) {
                try await bounded.service.edit(message.id, MessageEdit(.plain("three")), by: alice)
            }
            _ = try await chat.service.edit(message.id, MessageEdit(.plain("three")), by: alice)
            try await bounded.service.deleteMessage(message.id, by: alice)
        },
        Check("no table names an account that is gone") { chat in
            let (alice, bob) = (try await chat.person("alice"), try await chat.person("bob"))
            let owned = try await everywhere(alice, bob, chat)
            try require(try await tables(naming: alice.user, chat).count > 10, "the test looks at too little")
            try await chat.domain.service.deleteOwnAccount(alice, origin: origin)
            try await chat.service.forget(alice.user)
            // The log says who left until it is shortened.
            try requireEqual(
                try await tables(naming: alice.user, chat), ["audit_events", "conversation_events"])
            chat.clock.advance(by: .days(31))
            while try await chat.service.sweep() {}
            try requireEqual(try await tables(naming: alice.user, chat), ["audit_events"])
            // Others read on what is theirs.
            let messages = try await chat.service.history(of: owned, HistoryQuery(limit: 9), for: bob).messages
            try requireEqual(messages.map(\.text), ["(device box)", "hello", "(removed)"])
            guard case .deviceBox(let box) = messages[0].body else {
                throw ConformanceFailure(description: "another body")
            }
            try requireEqual(box.keys.map(\.user), [bob.user])
            try requireEqual(messages[1].mentions, [bob.user])
            try requireEqual(try await chat.service.conversation(owned, for: bob).membership?.role, .owner)
        },
        Check("what broke off when an account went is finished by the sweep") { chat in
            let (alice, bob) = (try await chat.person("alice"), try await chat.person("bob"))
            let carol = try await chat.person("carol")
            let owned = try await everywhere(alice, bob, chat)
            // Somebody of whom nothing is left but what they said.
            let other = try await chat.room(bob, carol)
            try await chat.say("carol's words", in: other, by: carol)
            try await chat.service.leave(other, by: carol)
            for person in [alice, carol] {
                try await chat.domain.service.deleteOwnAccount(person, origin: origin)
            }
            let restarted = chat.restarted()
            for _ in 0..<4 { _ = try await restarted.service.sweep() }
            chat.clock.advance(by: .days(31))
            while try await restarted.service.sweep() {}
            for person in [alice, carol] {
                try requireEqual(try await tables(naming: person.user, chat), ["audit_events"])
            }
            try requireEqual(try await chat.texts(other, HistoryQuery(limit: 9), for: bob), ["(removed)"])
            try requireEqual(try await chat.service.conversation(owned, for: bob).membership?.role, .owner)
            // Who is there stays.
            try requireEqual(try await chat.service.devices(of: [bob.user], for: bob).map(\.version), [1])
        },
        Check("a conversation of two ends with the second of them") { chat in
            let (alice, bob) = (try await chat.person("alice"), try await chat.person("bob"))
            let direct = try await chat.service.direct(with: bob.user, by: alice).view.conversation.id
            try await chat.say("hello", in: direct, by: alice)
            for (index, person) in [alice, bob].enumerated() {
                try await chat.domain.service.deleteOwnAccount(person, origin: origin)
                try await chat.service.forget(person.user)
                try requireEqual(chat.world.isClosed(direct), index == 1)
            }
        },
    ]

    /// Puts alice into every table that names people.
    private static func everywhere(
        _ alice: Principal, _ bob: Principal, _ chat: TestChat
    ) async throws -> ConversationID {
        let owned = try await chat.room(alice, bob)
        _ = try await chat.service.invite(to: owned, by: alice)
        let direct = try await chat.service.direct(with: bob.user, by: alice).view.conversation.id
        try await chat.say("between us", in: direct, by: alice)
        let organization = try await chat.service.createOrganization(name: "Acme", summary: nil, by: alice)
        _ = try await chat.service.addOrganizationMember(
            bob.user, to: organization.organization.id, role: .member, by: alice)
        var devices: [UserID: ClientDeviceID] = [:]
        for person in [alice, bob] {
            let device = ClientDeviceID(.random())
            devices[person.user] = device
            let registration = DeviceRegistration(
                name: "d", identityKey: "i", algorithm: "x", oneTimeKeys: [OneTimeKey(id: "k", key: "v")])
            _ = try await chat.service.register(device, registration, by: person)
        }
        let keys = [alice, bob].map { person in
            DeviceKeyBox(
                user: person.user, device: devices[person.user] ?? ClientDeviceID(.random()), encryptedKey: "a2V5",
                algorithm: "x", nonce: "n")
        }
        try await chat.say("alice's words", in: owned, by: alice, clientID: "c1")
        let named = NewMessage(.plain("hello"), mentions: [alice.user, bob.user])
        let mention = try await chat.service.send(named, to: owned, by: bob).message
        let sealed = MessageBody.deviceBox(DeviceBox(ciphertext: "c", keys: keys))
        let box = try await chat.service.send(NewMessage(sealed), to: owned, by: bob).message
        _ = try await chat.service.edit(box.id, MessageEdit(sealed), by: bob)
        _ = try await chat.service.react("👍", to: mention.id, by: alice)
        _ = try await chat.service.setPinned(true, mention.id, by: alice)
        try await chat.service.acknowledge(.read, upTo: box.id, device: devices[alice.user], by: alice)
        try await chat.service.reportFailure(
            of: box.id, device: devices[alice.user] ?? ClientDeviceID(.random()), by: alice)
        return owned
    }

    /// Every table of the database in which the user's identifier stands anywhere, as bytes or in letters.
    private static func tables(naming user: UserID, _ chat: TestChat) async throws -> Set<String> {
        let database = chat.domain.database
        let names: Statement =
            database.engine == .sqlite
            ? "SELECT name FROM sqlite_master WHERE type = 'table'"
            : """
            SELECT CAST(table_name AS TEXT) FROM information_schema.tables WHERE table_schema = current_schema() \
            AND table_type = 'BASE TABLE'
            """
        var found: Set<String> = []
        for row in try await database.query(names) {
            let name = try row.text(0)
            // How FTS5 keeps its terms: those of removed rows stay until their segments are merged.
            if ["message_search_data", "message_search_idx"].contains(name) { continue }
            let isVector = name == "message_search" && database.engine == .postgresql
            let question = Statement(
                stringLiteral: isVector ? "SELECT CAST(terms AS TEXT) FROM \(name)" : "SELECT * FROM \(name)")
            let rows = try await database.query(question)
            if rows.contains(where: { $0.values.contains { holds($0, user) } }) { found.insert(name) }
        }
        return found
    }

    private static func holds(_ value: SQLValue, _ user: UserID) -> Bool {
        switch value {
        case .blob(let bytes): return bytes.firstRange(of: user.bytes) != nil
        case .text(let text):
            let name = "\(user)"
            return text.contains(name) || text.contains(name.replacing("-", with: ""))
        case .null, .integer, .real: return false
        }
    }
}
