// The log and who follows it, search, keys of devices, what is removed for good.

import Accounts
import Base
import Chat
import Store

extension ChatConformance {
    static let log: [Check] = [
        Check("who comes back gets what happened, in order and without a gap") { chat in
            let (alice, bob) = (try await chat.person("alice"), try await chat.person("bob"))
            let id = try await chat.room(alice, bob)
            let start = try await chat.service.conversation(id, for: alice).conversation.log.position
            try requireEqual(start.offset, 0)
            let first = try await chat.say("one", in: id, by: alice)
            _ = try await chat.service.edit(first.id, MessageEdit(.plain("one!")), by: alice)
            _ = try await chat.service.react("👍", to: first.id, by: bob)
            try await chat.service.unreact("👍", from: first.id, by: bob)
            _ = try await chat.service.setPinned(true, first.id, by: alice)
            _ = try await chat.service.setPinned(false, first.id, by: alice)
            let second = try await chat.say("two", in: id, by: bob)
            try await chat.service.deleteMessage(second.id, by: bob)
            try await chat.raise(bob, to: .moderator, in: id, by: alice)
            let carol = try await chat.person("carol")
            _ = try await chat.service.addMember(carol.user, to: id, by: bob)
            try await chat.service.leave(id, by: bob)
            var changes = ConversationChanges()
            changes.title = "Two"
            _ = try await chat.service.update(id, changes, by: alice)
            let page = try await chat.service.events(of: id, after: start, for: alice)
            try requireEqual(page.isRecovered, true)
            try requireEqual(page.events.map { $0.position?.offset }, (1...12).map { $0 })
            try requireEqual(page.position.offset, 12)
            try requireEqual(page.hasMore, false)
            let live = chat.world.events(id)
            try requireEqual(live.count, 12)
            try requireEqual(page.events.map(\.actor), live.map(\.actor))
            // What is about a message or a member shows them as they are now; the rest is the same to the letter.
            for index in [2, 3, 4, 5, 7, 9, 10] { try requireEqual(page.events[index], live[index]) }
            guard case .messageSent(let replayed) = page.events[0].change else {
                throw ConformanceFailure(description: "the first is not a message")
            }
            try requireEqual(replayed.text, "one!")
            let part = try await chat.service.events(
                of: id, after: LogPosition(epoch: start.epoch, offset: 4), limit: 3, for: carol)
            try requireEqual(part.events.map { $0.position?.offset }, [5, 6, 7])
            try requireEqual(part.hasMore, true)
            let end = try await chat.service.events(of: id, after: page.position, for: alice)
            try require(end.isRecovered && end.events.isEmpty && !end.hasMore, "there is something after the end")
        },
        Check("a place that is not of this log is told as such") { chat in
            let alice = try await chat.person("alice")
            let (id, other) = (try await chat.room(alice), try await chat.room(alice))
            for index in 0..<3 { try await chat.say("\(index)", in: id, by: alice) }
            let now = try await chat.service.conversation(id, for: alice).conversation.log.position
            let foreign = try await chat.service.conversation(other, for: alice).conversation.log.position
            for (epoch, offset) in [
                (now.epoch, 4 as Int64), (now.epoch, -1), (now.epoch, .max), (foreign.epoch, 1), (0, 0),
            ] {
                let page = try await chat.service.events(
                    of: id, after: LogPosition(epoch: epoch, offset: offset), for: alice)
                try requireEqual(page.isRecovered, false)
                try requireEqual(page.position, now)
                try require(page.events.isEmpty, "events of nowhere")
            }
            try await requireChatRefusal(.notFound(.conversation)) {
                try await chat.service.events(of: id, after: now, for: try await chat.person("mallory"))
            }
        },
        Check("another process goes on with the same log") { chat in
            let alice = try await chat.person("alice")
            let id = try await chat.room(alice)
            for index in 0..<3 { try await chat.say("\(index)", in: id, by: alice) }
            let after = chat.restarted()
            try await after.say("3", in: id, by: alice)
            try requireEqual(after.world.offsets(id), [4])
            let start = LogPosition(
                epoch: try await after.service.conversation(id, for: alice).conversation.log.epoch, offset: 0)
            try requireEqual(
                try await after.service.events(of: id, after: start, for: alice).events.count, 4)
        },
        Check("typing is told and kept nowhere") { chat in
            let (alice, bob) = (try await chat.person("alice"), try await chat.person("bob"))
            let id = try await chat.room(alice, bob)
            try await chat.service.typing(true, in: id, by: bob)
            try requireEqual(chat.world.events(id).map(\.change), [.typing(isTyping: true)])
            try requireEqual(try await chat.service.conversation(id, for: bob).conversation.log.lastOffset, 0)
            try await requireChatRefusal(.notFound(.conversation)) {
                try await chat.service.typing(true, in: id, by: try await chat.person("mallory"))
            }
        },
    ]

    // MARK: Search

    static let search: [Check] = [
        Check("what is found has all words, in any case, and the last may be going on") { chat in
            let alice = try await chat.person("alice")
            let id = try await chat.room(alice)
            for text in [
                "The quick brown fox jumps", "a quiet Fox sleeps", "Über-Größe in STRASSE 7", "foxes are quick; quick!",
                "don't c0ffee#now", "Ελληνικά ΣΟΦΟΣ",
            ] { try await chat.say(text, in: id, by: alice) }
            func found(_ text: String) async throws -> [String] {
                let query = SearchQuery(.words(text), in: id, limit: 20)
                let results = try await chat.service.search(query, for: alice)
                return results.hits.map(\.message.text).sorted()
            }
            try requireEqual(try await found("fox quick"), ["The quick brown fox jumps"])
            try requireEqual(try await found("quick fox"), ["The quick brown fox jumps", "foxes are quick; quick!"])
            try requireEqual(try await found("FOX "), ["The quick brown fox jumps", "a quiet Fox sleeps"])
            try requireEqual(try await found("über größe"), ["Über-Größe in STRASSE 7"])
            try requireEqual(try await found("7"), ["Über-Größe in STRASSE 7"])
            try requireEqual(try await found("c0ffee"), ["don't c0ffee#now"])
            try requireEqual(try await found("ελληνικά"), ["Ελληνικά ΣΟΦΟΣ"])
            try requireEqual(try await found("\"fox\" OR NEAR(quick) * ' & | !"), [])
            try requireEqual(try await found("nothing"), [])
            for text in ["", "  ", "!?", "\0"] { try await requireInvalid(.query) { try await found(text) } }
            try await requireInvalid(.query) { try await found((1...17).map { "w\($0)" }.joined(separator: " ")) }
        },
        Check("scripts without spaces are found by any part of a word") { chat in
            let alice = try await chat.person("alice")
            let id = try await chat.room(alice)
            for text in ["我们明天去北京大学", "京都は北の都", "東京タワー", "안녕하세요 여러분", "ＡＢＣ全角"] {
                try await chat.say(text, in: id, by: alice)
            }
            for (query, count) in [
                ("北京", 1), ("明天", 1), ("北京大学", 1), ("京", 3), ("学", 1), ("北", 2), ("京大学北", 0), ("タワー", 1),
                ("하세요", 1), ("abc", 1), ("全角", 1), ("大北京", 0),
            ] {
                let result = try await chat.service.search(SearchQuery(.words(query), in: id, limit: 9), for: alice)
                try require(result.total == count, "\(query): \(result.total)")
                try requireEqual(result.hits.count, count)
            }
        },
        Check("a hit shows its terms and what is around, and better ones come first") { chat in
            let alice = try await chat.person("alice")
            let id = try await chat.room(alice)
            try await chat.say(
                String(repeating: "word ", count: 60) + "plan " + String(repeating: "x", count: 99), in: id, by: alice)
            try await chat.say("the Plan, plan b and the planning", in: id, by: alice)
            try await chat.say("planned", in: id, by: alice)
            let results = try await chat.service.search(SearchQuery(.words("plan"), in: id, limit: 9), for: alice)
            try requireEqual(results.total, 3)
            try requireEqual(results.hits[0].matchedTerms, ["Plan", "planning"])
            let context = results.hits[0].context
            try require(context?.before == "the " && context?.match == "Plan", "found \(String(describing: context))")
            try requireEqual(context?.after, ", plan b and the planning")
            try requireEqual(results.hits.map(\.message.sequence).last, 1)
            try requireEqual(results.hits[2].context?.before.count, 60)
            try requireEqual(results.hits[2].context?.after.count, 60)
            try require(results.hits.allSatisfy { (0...1).contains($0.score) }, "a score out of its range")
            let second = try await chat.service.search(
                SearchQuery(.words("plan"), in: id, offset: 1, limit: 1), for: alice)
            try requireEqual(second.hits.map(\.message.id), [results.hits[1].message.id])
        },
        Check("filters narrow, and nobody finds what they may not read") { chat in
            let (alice, bob) = (try await chat.person("alice"), try await chat.person("bob"))
            let mallory = try await chat.person("mallory")
            let (id, other) = (try await chat.room(alice, bob), try await chat.room(alice))
            let start = chat.clock.now
            try await chat.say("needle one", in: id, by: alice)
            chat.clock.advance(by: .seconds(10))
            _ = try await chat.service.send(NewMessage(.plain("needle two"), type: .image), to: id, by: bob)
            chat.clock.advance(by: .seconds(10))
            try await chat.say("needle three", in: other, by: alice)
            func count(_ principal: Principal, _ change: (inout SearchQuery) -> Void = { _ in }) async throws -> Int {
                var query = SearchQuery(.words("needle"), limit: 9)
                change(&query)
                let results = try await chat.service.search(query, for: principal)
                try requireEqual(results.hits.count, results.total)
                return results.total
            }
            try requireEqual(try await count(alice), 3)
            try requireEqual(try await count(bob), 2)
            try requireEqual(try await count(mallory), 0)
            try requireEqual(try await count(alice) { $0.conversation = other }, 1)
            try requireEqual(try await count(alice) { $0.type = .image }, 1)
            try requireEqual(try await count(alice) { $0.sender = alice.user }, 2)
            try requireEqual(try await count(alice) { $0.since = start + .seconds(10) }, 2)
            try requireEqual(try await count(alice) { $0.until = start + .seconds(10) }, 1)
            for place in [id, ConversationID(.random())] {
                try await requireChatRefusal(.notFound(.conversation)) {
                    try await count(mallory) { $0.conversation = place }
                }
            }
            // A word that looks like the index's own names another conversation's message nowhere.
            try await chat.say("c\(Hex.encode(other.bytes)) needle", in: id, by: bob)
            try requireEqual(try await count(alice) { $0.conversation = other }, 1)
        },
        Check("edited and deleted messages are found by what they say now") { chat in
            let alice = try await chat.person("alice")
            let id = try await chat.room(alice)
            let message = try await chat.say("before", in: id, by: alice)
            func count(_ text: String) async throws -> Int {
                let results = try await chat.service.search(SearchQuery(.words(text), in: id, limit: 9), for: alice)
                return results.total
            }
            _ = try await chat.service.edit(message.id, MessageEdit(.plain("after")), by: alice)
            try requireEqual(try await count("before"), 0)
            try requireEqual(try await count("after"), 1)
            try await chat.service.deleteMessage(message.id, by: alice)
            try requireEqual(try await count("after"), 0)
        },
        Check("sealed messages are found by their tokens alone") { chat in
            let alice = try await chat.person("alice")
            let id = try await chat.room(alice)
            let tokens: [Bytes] = [Bytes(repeating: 1, count: 16), Bytes(repeating: 2, count: 16)]
            let box = MessageBody.box(SealedBox(data: "findme", nonce: "n", keyVersion: 1))
            let sent = try await chat.service.send(NewMessage(box, searchTokens: tokens), to: id, by: alice)
            try await chat.say("b" + Hex.encode(tokens[0]), in: id, by: alice)
            func found(_ terms: SearchQuery.Terms) async throws -> [MessageID] {
                let results = try await chat.service.search(SearchQuery(terms, limit: 9), for: alice)
                return results.hits.map(\.message.id)
            }
            try requireEqual(try await found(.tokens(tokens)), [sent.message.id])
            try requireEqual(try await found(.tokens([tokens[1]])), [sent.message.id])
            try requireEqual(try await found(.tokens([tokens[1], Bytes(repeating: 3, count: 16)])), [])
            try requireEqual(try await found(.words("findme")), [])
            try await requireInvalid(.searchTokens) { try await found(.tokens([[1]])) }
        },
    ]

    // MARK: Keys

    static let keys: [Check] = [
        Check("devices are listed for those who share a conversation, with their changes in order") { chat in
            let (alice, bob) = (try await chat.person("alice"), try await chat.person("bob"))
            let mallory = try await chat.person("mallory")
            _ = try await chat.room(alice, bob)
            let (phone, laptop) = (ClientDeviceID(.random()), ClientDeviceID(.random()))
            func register(_ device: ClientDeviceID, _ key: String) async throws -> ClientDevice {
                try await chat.service.register(
                    device, DeviceRegistration(name: "d", identityKey: key, algorithm: "x25519"), by: alice)
            }
            try requireEqual(try await register(phone, "a").version, 1)
            chat.clock.advance(by: .seconds(1))
            _ = try await register(laptop, "b")
            try requireEqual(try await register(phone, "a").version, 1)
            try requireEqual(try await register(phone, "c").version, 2)
            try await chat.service.removeDevice(laptop, by: alice)
            let lists = try await chat.service.devices(of: [alice.user, mallory.user], for: bob)
            try requireEqual(lists.map(\.version), [4])
            try requireEqual(lists[0].devices.map(\.id), [phone])
            let changes = try await chat.service.deviceChanges(of: alice.user, after: 1, for: bob)
            try requireEqual(changes.map(\.version), [2, 3, 4])
            try requireEqual(changes.map(\.kind), [.added, .changed, .removed])
            try requireEqual(chat.world.notices(bob.user).last, .devicesChanged(alice.user, version: 4))
            try require(chat.world.notices(mallory.user).isEmpty, "a stranger was told")
            try await requireChatRefusal(.notFound(.user)) {
                try await chat.service.claimKeys(of: alice.user, for: mallory)
            }
            try await requireChatRefusal(.notFound(.user)) {
                try await chat.service.deviceChanges(of: alice.user, after: 0, for: mallory)
            }
            try await requireChatRefusal(.notFound(.device)) {
                try await chat.service.removeDevice(laptop, by: alice)
            }
            _ = try await register(laptop, "b")
            _ = try await register(ClientDeviceID(.random()), "b")
            try await requireChatRefusal(.limitReached(.devices, 3)) {
                try await register(ClientDeviceID(.random()), "b")
            }
        },
        Check("each one-time key is handed out once, also when many ask at once") { chat in
            let (alice, bob) = (try await chat.person("alice"), try await chat.person("bob"))
            _ = try await chat.room(alice, bob)
            let phone = ClientDeviceID(.random())
            func register(_ keys: [OneTimeKey]) async throws -> Int {
                let registration = DeviceRegistration(
                    name: "d", identityKey: "i", algorithm: "x25519", oneTimeKeys: keys)
                let device = try await chat.service.register(phone, registration, by: alice)
                return device.oneTimeKeyCount
            }
            let keys = (0..<5).map { OneTimeKey(id: "k\($0)", key: "key\($0)") }
            try requireEqual(try await register(keys), 5)
            try requireEqual(try await register(keys), 5)
            try await requireChatRefusal(.limitReached(.oneTimeKeys, 5)) {
                try await register([OneTimeKey(id: "k9", key: "x")])
            }
            try await requireInvalid(.publicKey) { try await register([OneTimeKey(id: "k1", key: "other")]) }
            let claimed = try await withThrowingTaskGroup(of: String?.self) { group in
                for _ in 0..<7 {
                    group.addTask {
                        try await chat.service.claimKeys(of: alice.user, for: bob).first?.oneTimeKey?.key
                    }
                }
                return try await group.reduce(into: [String?]()) { $0.append($1) }
            }
            try requireEqual(claimed.compactMap { $0 }.sorted(), keys.map(\.key))
            try requireEqual(claimed.count { $0 == nil }, 2)
            // A repetition of what was handed out brings nothing back.
            try requireEqual(try await register(keys), 0)
        },
    ]

    // MARK: Removal

    static let removal: [Check] = [
        Check("retention removes from the beginning, and counts stay right") { chat in
            let (alice, bob) = (try await chat.person("alice"), try await chat.person("bob"))
            let id = try await chat.room(alice, bob)
            var changes = ConversationChanges()
            changes.retention = .hours(1)
            _ = try await chat.service.update(id, changes, by: alice)
            var ids: [MessageID] = []
            for index in 1...5 {
                ids.append(try await chat.say("old \(index)", in: id, by: alice).id)
                chat.clock.advance(by: .minutes(20))
            }
            while try await chat.service.sweep() {}
            let page = try await chat.service.history(of: id, HistoryQuery(limit: 9), for: bob)
            try requireEqual(page.messages.map(\.text), ["old 5", "old 4", "old 3"])
            try requireEqual(page.total, 3)
            try requireEqual(try await list(chat, bob).items[0].unreadCount, 3)
            try await requireChatRefusal(.notFound(.message)) { try await chat.service.message(ids[0], for: alice) }
            let results = try await chat.service.search(SearchQuery(.words("old"), limit: 9), for: alice)
            try requireEqual(results.total, 3)
            chat.clock.advance(by: .hours(2))
            while try await chat.service.sweep() {}
            let view = try await chat.service.conversation(id, for: bob)
            try require(view.lastMessage == nil && view.unreadCount == 0, "something is left")
            try requireEqual(view.conversation.messageCount, 0)
            try requireEqual(try await chat.say("new", in: id, by: alice).sequence, 6)
            try requireEqual(try await chat.texts(id, HistoryQuery(limit: 9), for: bob), ["new"])
        },
        Check("a log forgets what is too old, and says so") { chat in
            let alice = try await chat.person("alice")
            let id = try await chat.room(alice)
            for index in 1...3 { try await chat.say("\(index)", in: id, by: alice) }
            chat.clock.advance(by: .days(31))
            try await chat.say("4", in: id, by: alice)
            while try await chat.service.sweep() {}
            let log = try await chat.service.conversation(id, for: alice).conversation.log
            try requireEqual(log.removedOffset, 3)
            let lost = try await chat.service.events(
                of: id, after: LogPosition(epoch: log.epoch, offset: 2), for: alice)
            try requireEqual(lost.isRecovered, false)
            let kept = try await chat.service.events(
                of: id, after: LogPosition(epoch: log.epoch, offset: 3), for: alice)
            try requireEqual(kept.events.count, 1)
            try requireEqual(try await chat.service.history(of: id, HistoryQuery(limit: 9), for: alice).total, 4)
        },
        Check("a deleted conversation leaves no row") { chat in
            let (alice, bob) = (try await chat.person("alice"), try await chat.person("bob"))
            let id = try await chat.room(alice, bob)
            let message = try await chat.say("hello", in: id, by: alice)
            _ = try await chat.service.react("a", to: message.id, by: bob)
            try await chat.service.acknowledge(.read, upTo: message.id, by: bob)
            _ = try await chat.service.invite(to: id, by: alice)
            try await chat.service.delete(id, by: alice, origin: origin)
            while try await chat.service.sweep() {}
            try await requireEmpty(chat)
        },
        Check("a deleted account leaves, and what it said is gone") { chat in
            let (alice, bob) = (try await chat.person("alice"), try await chat.person("bob"))
            let carol = try await chat.person("carol")
            let owned = try await chat.room(alice, bob, carol)
            try await chat.raise(carol, to: .moderator, in: owned, by: alice)
            let alone = try await chat.room(alice)
            let left = try await chat.room(bob, alice)
            let direct = try await chat.service.direct(with: bob.user, by: alice).view.conversation.id
            for id in [owned, left, direct] { try await chat.say("alice's words", in: id, by: alice) }
            let hers = try await chat.say("bob's", in: direct, by: bob)
            _ = try await chat.service.react("👍", to: hers.id, by: alice)
            try await chat.service.leave(left, by: alice)
            let registration = DeviceRegistration(name: "d", identityKey: "i", algorithm: "x")
            _ = try await chat.service.register(ClientDeviceID(.random()), registration, by: alice)
            try await chat.domain.service.deleteOwnAccount(alice, origin: origin)
            try await chat.service.forget(alice.user)
            try await chat.service.forget(alice.user)
            let view = try await chat.service.conversation(owned, for: carol)
            try requireEqual(view.membership?.role, .owner)
            try requireEqual(view.conversation.memberCount, 2)
            try require(chat.world.isClosed(alone), "a conversation of nobody goes on")
            try requireEqual(chat.world.cut(owned), [alice.user])
            for id in [owned, left] {
                try requireEqual(try await chat.texts(id, HistoryQuery(limit: 9), for: bob), ["(removed)"])
            }
            try requireEqual(try await chat.texts(direct, HistoryQuery(limit: 9), for: bob), ["bob's", "(removed)"])
            let messages = try await chat.service.history(of: direct, HistoryQuery(limit: 9), for: bob).messages
            try requireEqual(messages.map(\.sender), [bob.user, nil])
            try require(messages[0].reactions.isEmpty, "a reaction of nobody is left")
            let found = try await chat.service.search(SearchQuery(.words("words"), limit: 9), for: bob)
            try requireEqual(found.total, 0)
            for id in [owned, left, direct] {
                let offsets = chat.world.offsets(id)
                try requireEqual(offsets, Array(1...Int64(offsets.count)))
            }
        },
    ]

    private static func requireEmpty(_ chat: TestChat, line: Int = #line) async throws {
        let tables: [Statement] = [
            "SELECT COUNT(*) FROM conversations", "SELECT COUNT(*) FROM conversation_members",
            "SELECT COUNT(*) FROM messages", "SELECT COUNT(*) FROM message_search", "SELECT COUNT(*) FROM reactions",
            "SELECT COUNT(*) FROM conversation_events", "SELECT COUNT(*) FROM receipts",
            "SELECT COUNT(*) FROM invitations",
        ]
        for table in tables {
            let rows = try await chat.domain.database.query(table)
            try require(try rows[0].integer(0) == 0, "\(table.sql) finds something", line: line)
        }
    }
}

extension ChatConformance {
    /// Random sequences against `ChatModel`. A failure tells its last operations; the seed is in the check's name.
    static let model: [Check] = (1...6).map { seed in
        Check("a random sequence of operations comes to what the model says (seed \(seed))") { chat in
            var model = try await ChatModel(chat, seed: UInt64(seed))
            try await model.run(steps: 150)
        }
    }
}
