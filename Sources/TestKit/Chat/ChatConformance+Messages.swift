// Messages, their history, reactions, threads.

import Accounts
import Base
import Chat
import Store

extension ChatConformance {
    static let messages: [Check] = [
        Check("every form and type of message comes back as it was sent") { chat in
            let (alice, bob) = (try await chat.person("alice"), try await chat.person("bob"))
            let id = try await chat.room(alice, bob)
            let key = DeviceKeyBox(
                user: bob.user, device: ClientDeviceID(.random()), encryptedKey: "a2V5", algorithm: "x25519-aead",
                nonce: "bg==")
            let bodies: [MessageBody] = [
                .plain("plain, with\nlines and ünïcode 漢字 🎉"),
                .box(SealedBox(data: "c2VhbGVk", nonce: "aXY=", keyVersion: 3)),
                .deviceBox(
                    DeviceBox(
                        ciphertext: "Y2lwaGVy", nonce: "bm9uY2U=", algorithm: "aes-256-gcm", previewHash: "h",
                        keys: [
                            key,
                            DeviceKeyBox(
                                user: alice.user, device: key.device, encryptedKey: "b", algorithm: "", nonce: ""),
                        ])),
                .deviceBox(DeviceBox(ciphertext: "Y2lwaGVy", keys: [])),
            ]
            for (index, body) in bodies.enumerated() {
                let attachment = Attachment(
                    id: AttachmentID(.random()), name: "a b.pdf", size: 1 << 40, contentType: "application/pdf",
                    storage: "store-\(index)")
                let new = NewMessage(
                    body, type: MessageType.allCases[index], mentions: [bob.user, bob.user],
                    attachments: index == 0 ? [attachment, attachment] : [], clientID: "c\(index)")
                let sent = try await chat.service.send(new, to: id, by: alice)
                try requireEqual(sent.isRepetition, false)
                try requireEqual(try await chat.service.message(sent.message.id, for: bob), sent.message)
                try requireEqual(sent.message.body, body)
                try requireEqual(sent.message.mentions, [bob.user])
                try requireEqual(sent.message.sequence, Int64(index + 1))
            }
            let page = try await chat.service.history(of: id, HistoryQuery(limit: 10), for: bob)
            try requireEqual(page.messages.map(\.body), bodies.reversed())
            try requireEqual(page.messages.last?.attachments.count, 2)
            try requireEqual(chat.world.offsets(id), [1, 2, 3, 4])
        },
        Check("what a message is made of is checked") { chat in
            let (alice, bob) = (try await chat.person("alice"), try await chat.person("bob"))
            let id = try await chat.room(alice)
            func send(_ body: MessageBody, _ change: (inout NewMessage) -> Void = { _ in }) async throws -> Message {
                var new = NewMessage(body)
                change(&new)
                let sent = try await chat.service.send(new, to: id, by: alice)
                return sent.message
            }
            for text in ["", " \n\t"] { try await requireInvalid(.content) { try await send(.plain(text)) } }
            try await requireInvalid(.content) { try await send(.plain("a\0b")) }
            try await requireChatRefusal(.messageTooLong(limit: 16_384)) {
                try await send(.plain(String(repeating: "x", count: 16_385)))
            }
            _ = try await send(.plain(String(repeating: "x", count: 16_384)))
            try await requireChatRefusal(.messageTooLong(limit: 65_536)) {
                try await send(.box(SealedBox(data: String(repeating: "x", count: 1 << 20), nonce: "n", keyVersion: 1)))
            }
            try await requireInvalid(.iv) { try await send(.box(SealedBox(data: "x", nonce: "", keyVersion: 1))) }
            try await requireInvalid(.keyVersion) {
                try await send(.box(SealedBox(data: "x", nonce: "n", keyVersion: -1)))
            }
            let key = DeviceKeyBox(
                user: bob.user, device: ClientDeviceID(.random()), encryptedKey: "k", algorithm: "a", nonce: "n")
            try await requireInvalid(.recipientKeys) {
                try await send(.deviceBox(DeviceBox(ciphertext: "x", keys: [key, key])))
            }
            try await requireInvalid(.mentions) { try await send(.plain("x")) { $0.mentions = [bob.user] } }
            try await requireInvalid(.clientID) { try await send(.plain("x")) { $0.clientID = "" } }
            try await requireInvalid(.searchTokens) { try await send(.plain("x")) { $0.searchTokens = [[1, 2, 3]] } }
            try await requireChatRefusal(.notFound(.message)) {
                try await send(.plain("x")) { $0.replyTo = MessageID(.random()) }
            }
            try await requireChatRefusal(.forbidden(.systemMessage)) {
                try await send(.plain("x")) { $0.type = .system }
            }
            let elsewhere = try await chat.room(alice)
            let other = try await chat.say("there", in: elsewhere, by: alice)
            try await requireChatRefusal(.notFound(.message)) { try await send(.plain("x")) { $0.replyTo = other.id } }
            // What was refused has left no hole.
            try requireEqual(try await send(.plain("y")).sequence, 2)
        },
        Check("the same client_id is the same message, also when both come at once") { chat in
            let (alice, bob) = (try await chat.person("alice"), try await chat.person("bob"))
            let id = try await chat.room(alice, bob)
            let ids = try await withThrowingTaskGroup(of: MessageID.self) { group in
                for _ in 0..<6 {
                    group.addTask { try await chat.say("once", in: id, by: alice, clientID: "one").id }
                }
                return try await group.reduce(into: Set<MessageID>()) { $0.insert($1) }
            }
            try requireEqual(ids.count, 1)
            let again = try await chat.service.send(NewMessage(.plain("other"), clientID: "one"), to: id, by: alice)
            try requireEqual(again.isRepetition, true)
            try requireEqual(again.message.text, "once")
            try await chat.say("bob's", in: id, by: bob, clientID: "one")
            try requireEqual(try await chat.texts(id, HistoryQuery(limit: 9), for: bob), ["bob's", "once"])
            try requireEqual(chat.world.offsets(id), [1, 2])
        },
        Check("numbers and events of many writers at once have no gap, and events go out in order") { chat in
            let alice = try await chat.person("alice")
            let id = try await chat.room(alice)
            try await withThrowingTaskGroup { group in
                for writer in 0..<8 {
                    group.addTask {
                        for index in 0..<10 { try await chat.say("\(writer) \(index)", in: id, by: alice) }
                    }
                }
                try await group.waitForAll()
            }
            let page = try await chat.service.history(of: id, HistoryQuery(limit: 100), for: alice)
            try requireEqual(page.messages.map(\.sequence), (1...80).reversed().map { $0 })
            try requireEqual(chat.world.offsets(id), Array(1...80))
        },
        Check("an edit keeps what was said before, and refuses who is too late") { chat in
            let (alice, bob) = (try await chat.person("alice"), try await chat.person("bob"))
            let id = try await chat.room(alice, bob)
            let message = try await chat.say("first", in: id, by: alice)
            try await requireChatRefusal(.forbidden(.notAuthor)) {
                try await chat.service.edit(message.id, MessageEdit(.plain("mine")), by: bob)
            }
            chat.clock.advance(by: .seconds(5))
            let outcomes = await withTaskGroup(of: Bool.self) { group in
                for text in ["second a", "second b"] {
                    group.addTask {
                        let edit = MessageEdit(.plain(text), expectedVersion: 1)
                        return (try? await chat.service.edit(message.id, edit, by: alice)) != nil
                    }
                }
                return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
            }
            try requireEqual(outcomes, 1)
            try await requireChatRefusal(.versionConflict(current: 2)) {
                try await chat.service.edit(message.id, MessageEdit(.plain("x"), expectedVersion: 1), by: alice)
            }
            let third = try await chat.service.edit(message.id, MessageEdit(.plain("third")), by: alice)
            try requireEqual(third.version, 3)
            try requireEqual(third.editedAt, chat.clock.now)
            let former = try await chat.service.formerVersions(of: message.id, for: bob)
            try requireEqual(former.map(\.version), [2, 1])
            try requireEqual(former.last?.body, .plain("first"))
            for index in 0..<4 {
                _ = try await chat.service.edit(message.id, MessageEdit(.plain("\(index)")), by: alice)
            }
            try requireEqual(
                try await chat.service.formerVersions(of: message.id, for: bob).map(\.version), [6, 5, 4])
            let box = MessageBody.box(SealedBox(data: "x", nonce: "n", keyVersion: 1))
            try requireEqual(try await chat.service.edit(message.id, MessageEdit(box), by: alice).body, box)
        },
        Check("a deleted message keeps its place and nothing of what it said") { chat in
            let (alice, bob) = (try await chat.person("alice"), try await chat.person("bob"))
            let mallory = try await chat.person("mallory")
            let id = try await chat.room(alice, bob)
            let message = try await chat.say("secret plan", in: id, by: bob)
            _ = try await chat.service.edit(message.id, MessageEdit(.plain("secret plans")), by: bob)
            _ = try await chat.service.react("👍", to: message.id, by: alice)
            _ = try await chat.service.setPinned(true, message.id, by: alice)
            try await chat.say("next", in: id, by: alice)
            try await requireChatRefusal(.notFound(.message)) {
                try await chat.service.deleteMessage(message.id, by: mallory)
            }
            let other = try await chat.say("hers", in: id, by: alice)
            try await requireChatRefusal(.forbidden(.lacks(.manageMessages))) {
                try await chat.service.deleteMessage(other.id, by: bob)
            }
            try await chat.service.deleteMessage(message.id, by: alice)
            let gone = try await chat.service.message(message.id, for: bob)
            try requireEqual(gone.body, .removed)
            try requireEqual(gone.isDeleted, true)
            try require(gone.reactions.isEmpty && gone.pinnedAt == nil, "something hangs on it")
            try requireEqual(try await chat.texts(id, HistoryQuery(limit: 9), for: bob), ["hers", "next", "(removed)"])
            for table in ["SELECT COUNT(*) FROM message_versions", "SELECT COUNT(*) FROM reactions"] as [Statement] {
                let rows = try await chat.domain.database.query(table)
                try requireEqual(try rows[0].integer(0), 0)
            }
            try await requireChatRefusal(.notFound(.message)) {
                try await chat.service.deleteMessage(message.id, by: bob)
            }
            try await requireChatRefusal(.notFound(.message)) {
                try await chat.service.edit(message.id, MessageEdit(.plain("x")), by: bob)
            }
            try await requireChatRefusal(.notFound(.message)) {
                try await chat.service.react("👍", to: message.id, by: bob)
            }
        },
        Check("pins are bounded and have the last first") { chat in
            let (alice, bob) = (try await chat.person("alice"), try await chat.person("bob"))
            let id = try await chat.room(alice, bob)
            var ids: [MessageID] = []
            for index in 0..<4 { ids.append(try await chat.say("\(index)", in: id, by: alice).id) }
            try await requireChatRefusal(.forbidden(.lacks(.pin))) {
                try await chat.service.setPinned(true, ids[0], by: bob)
            }
            for id in ids.prefix(3) {
                chat.clock.advance(by: .seconds(1))
                _ = try await chat.service.setPinned(true, id, by: alice)
            }
            try await requireChatRefusal(.limitReached(.pins, 3)) {
                try await chat.service.setPinned(true, ids[3], by: alice)
            }
            _ = try await chat.service.setPinned(false, ids[1], by: alice)
            try requireEqual(try await chat.service.pinned(in: id, for: bob).map(\.id), [ids[2], ids[0]])
        },
        Check("times never go back, whatever the clock does") { chat in
            let alice = try await chat.person("alice")
            let id = try await chat.room(alice)
            let first = try await chat.say("one", in: id, by: alice)
            chat.clock.advance(by: .seconds(-3600))
            let second = try await chat.say("two", in: id, by: alice)
            try requireEqual(second.createdAt, first.createdAt)
        },
    ]

    // MARK: History

    static let history: [Check] = [
        Check("pages go in both directions and know how many there are") { chat in
            let alice = try await chat.person("alice")
            let id = try await chat.room(alice)
            var ids: [MessageID] = []
            for index in 1...10 {
                ids.append(try await chat.say("\(index)", in: id, by: alice).id)
                chat.clock.advance(by: .seconds(10))
            }
            func page(_ place: HistoryQuery.Place, _ limit: Int = 3) async throws -> (String, Int64, Bool) {
                let page = try await chat.service.history(of: id, HistoryQuery(place, limit: limit), for: alice)
                return (page.messages.map(\.text).joined(separator: " "), page.total, page.hasMore)
            }
            func expect(_ place: HistoryQuery.Place, _ texts: String, _ hasMore: Bool, line: Int = #line) async throws {
                let found = try await page(place)
                try require(found == (texts, 10, hasMore), "found \(found)", line: line)
            }
            try await expect(.skipping(0), "10 9 8", true)
            try await expect(.skipping(8), "2 1", false)
            try await expect(.skipping(7), "3 2 1", false)
            try await expect(.skipping(10), "", false)
            try await expect(.skipping(.max), "", false)
            try await expect(.skipping(-5), "10 9 8", true)
            try await expect(.before(ids[4]), "4 3 2", true)
            try await expect(.before(ids[0]), "", false)
            try await expect(.after(ids[4]), "6 7 8", true)
            try await expect(.after(ids[6]), "8 9 10", false)
            try await expect(.after(ids[9]), "", false)
            try await expect(.afterSequence(0), "1 2 3", true)
            try await expect(.beforeSequence(.max), "10 9 8", true)
            try await expect(.afterSequence(.max), "", false)
            try await expect(.beforeSequence(.min), "", false)
            try await requireChatRefusal(.notFound(.message)) { try await page(.before(MessageID(.random()))) }
            try requireEqual(try await page(.skipping(0), -1).0, "")
        },
        Check("times cut the history, and its counts with it") { chat in
            let alice = try await chat.person("alice")
            let id = try await chat.room(alice)
            let start = chat.clock.now
            for index in 1...20 {
                try await chat.say("\(index)", in: id, by: alice)
                chat.clock.advance(by: .seconds(10))
            }
            func page(_ since: Duration?, _ until: Duration?, limit: Int = 3) async throws -> ([String], Int64) {
                let query = HistoryQuery(since: since.map { start + $0 }, until: until.map { start + $0 }, limit: limit)
                let page = try await chat.service.history(of: id, query, for: alice)
                return (page.messages.map(\.text), page.total)
            }
            try require(try await page(.seconds(50), nil) == (["20", "19", "18"], 15), "since")
            try require(try await page(nil, .seconds(50)) == (["5", "4", "3"], 5), "until")
            try require(try await page(.seconds(45), .seconds(65)) == (["7", "6"], 2), "both")
            try require(try await page(.seconds(65), .seconds(45)) == ([], 0), "crossed")
            try require(try await page(.seconds(900), nil) == ([], 0), "later")
            try require(try await page(.seconds(-900), nil).1 == 20, "earlier")
            try require(try await page(nil, .seconds(-900)) == ([], 0), "before all")
            let empty = try await chat.room(alice)
            let page = try await chat.service.history(
                of: empty, HistoryQuery(since: start, until: start, limit: 5), for: alice)
            try require(page.messages.isEmpty && page.total == 0 && !page.hasMore, "an empty one has something")
        },
        Check("answers are in their thread, and in the history") { chat in
            let (alice, bob) = (try await chat.person("alice"), try await chat.person("bob"))
            let id = try await chat.room(alice, bob)
            let root = try await chat.say("root", in: id, by: alice)
            let first = try await chat.service.reply(inThreadOf: root.id, NewMessage(.plain("a")), by: bob).message
            let second = try await chat.service.reply(inThreadOf: first.id, NewMessage(.plain("b")), by: alice).message
            try requireEqual(second.thread, root.id)
            try await chat.say("beside", in: id, by: bob)
            let thread = try await chat.service.thread(of: second.id, offset: 0, limit: 1, for: bob)
            try requireEqual(thread.root.id, root.id)
            try requireEqual(thread.root.replyCount, 2)
            try requireEqual(thread.replies.messages.map(\.text), ["a"])
            try require(thread.replies.total == 2 && thread.replies.hasMore, "the second is missing")
            try requireEqual(try await chat.texts(id, HistoryQuery(limit: 9), for: bob), ["beside", "b", "a", "root"])
            try await requireChatRefusal(.notFound(.message)) {
                try await chat.service.reply(
                    inThreadOf: root.id, NewMessage(.plain("x")), by: try await chat.person("mallory"))
            }
        },
        Check("receipts say who has got and read each message, and when first") { chat in
            let (alice, bob) = (try await chat.person("alice"), try await chat.person("bob"))
            let id = try await chat.room(alice, bob)
            var sent: [Message] = []
            for index in 1...3 { sent.append(try await chat.say("\(index)", in: id, by: alice)) }
            let device = ClientDeviceID(.random())
            chat.clock.advance(by: .seconds(1))
            try await chat.service.acknowledge(.delivered, upTo: sent[2].id, device: device, by: bob)
            chat.clock.advance(by: .seconds(1))
            try await chat.service.acknowledge(.read, upTo: sent[0].id, device: device, by: bob)
            let readAt = chat.clock.now
            chat.clock.advance(by: .seconds(1))
            try await chat.service.acknowledge(.read, upTo: sent[1].id, device: device, by: bob)
            try await chat.service.acknowledge(.read, upTo: sent[0].id, device: device, by: bob)
            try await chat.service.reportFailure(of: sent[2].id, device: device, by: bob)
            try requireEqual(try await list(chat, bob).items[0].unreadCount, 1)
            let query = HistoryQuery(limit: 9, wantsStatuses: true)
            let page = try await chat.service.history(of: id, query, for: alice).messages
            let kinds = page.map { $0.statuses.map(\.kind) }
            try requireEqual(kinds, [[.sent, .delivered, .failed], [.sent, .read], [.sent, .read]])
            try requireEqual(page[2].statuses[1].at, readAt)
            try requireEqual(page[2].statuses[1].device, device)
            let one = try await chat.service.message(sent[0].id, for: alice, wantsStatuses: true)
            try requireEqual(one.statuses, page[2].statuses)
            try requireEqual(chat.world.events(id).count { $0.position == nil }, 4)
        },
        Check("in a big conversation a device keeps its newest receipt only") { chat in
            let (alice, bob) = (try await chat.person("alice"), try await chat.person("bob"))
            let id = try await chat.room(alice, bob, try await chat.person("carol"), try await chat.person("dave"))
            for index in 1...3 {
                let message = try await chat.say("\(index)", in: id, by: alice)
                try await chat.service.acknowledge(.read, upTo: message.id, by: bob)
            }
            let rows = try await chat.domain.database.query("SELECT COUNT(*) FROM receipts")
            try requireEqual(try rows[0].integer(0), 1)
        },
    ]

    // MARK: Reactions

    static let reactions: [Check] = [
        Check("one reacts once with each emoji, and a flood has an end") { chat in
            let (alice, bob) = (try await chat.person("alice"), try await chat.person("bob"))
            let id = try await chat.room(alice, bob)
            let message = try await chat.say("hello", in: id, by: alice)
            for _ in 0..<2 { _ = try await chat.service.react("👍", to: message.id, by: bob) }
            _ = try await chat.service.react("👨‍👩‍👧", to: message.id, by: bob)
            try requireEqual(
                try await chat.service.message(message.id, for: alice).reactions.map(\.emoji), ["👍", "👨‍👩‍👧"])
            try requireEqual(chat.world.offsets(id), [1, 2, 3])
            try await chat.service.unreact("👍", from: message.id, by: bob)
            try await requireChatRefusal(.notFound(.reaction)) {
                try await chat.service.unreact("👍", from: message.id, by: bob)
            }
            for wrong in ["", " ", "a b", "a\n", "\u{202E}", String(repeating: "x", count: 65)] {
                try await requireInvalid(.emoji) { try await chat.service.react(wrong, to: message.id, by: bob) }
            }
            for emoji in ["a", "b", "c"] { _ = try await chat.service.react(emoji, to: message.id, by: alice) }
            try await requireChatRefusal(.limitReached(.emoji, 4)) {
                try await chat.service.react("d", to: message.id, by: alice)
            }
            for emoji in ["a", "b", "c"] { _ = try await chat.service.react(emoji, to: message.id, by: bob) }
            _ = try await chat.service.react("👨‍👩‍👧", to: message.id, by: alice)
            let carol = try await chat.person("carol")
            _ = try await chat.service.addMember(carol.user, to: id, by: alice)
            try await requireChatRefusal(.limitReached(.reactions, 8)) {
                try await chat.service.react("a", to: message.id, by: carol)
            }
        },
        Check("a message of a foreign conversation is not there, whatever is wanted of it") { chat in
            let (alice, mallory) = (try await chat.person("alice"), try await chat.person("mallory"))
            let id = try await chat.room(alice, type: .channel, visibility: .public)
            let message = try await chat.say("hello", in: id, by: alice)
            for id in [message.id, MessageID(.random())] {
                let service = chat.service
                try await requireChatRefusal(.notFound(.message)) { try await service.message(id, for: mallory) }
                try await requireChatRefusal(.notFound(.message)) { try await service.react("a", to: id, by: mallory) }
                try await requireChatRefusal(.notFound(.message)) {
                    try await service.unreact("a", from: id, by: mallory)
                }
                try await requireChatRefusal(.notFound(.message)) {
                    try await service.edit(id, MessageEdit(.plain("x")), by: mallory)
                }
                try await requireChatRefusal(.notFound(.message)) { try await service.deleteMessage(id, by: mallory) }
                try await requireChatRefusal(.notFound(.message)) {
                    try await service.formerVersions(of: id, for: mallory)
                }
                try await requireChatRefusal(.notFound(.message)) { try await service.setPinned(true, id, by: mallory) }
                try await requireChatRefusal(.notFound(.message)) {
                    try await service.thread(of: id, offset: 0, limit: 5, for: mallory)
                }
                try await requireChatRefusal(.notFound(.message)) {
                    try await service.acknowledge(.read, upTo: id, by: mallory)
                }
            }
        },
    ]
}
