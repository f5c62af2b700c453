// What chat must do on every database. Each check gets an empty one.

import Accounts
import Base
import Chat
import Store

package enum ChatConformance {
    package typealias Check = ConformanceCheck<TestChat>

    package static let checks: [Check] =
        conversations + members + permissions + direct + invitations + organizations + messages + history + reactions
        + log + search + keys + removal + accounts + model + webhooks + incomingWebhooks

    static let origin = TestAccounts.origin()

    // MARK: Conversations

    private static let conversations: [Check] = [
        Check("a conversation is found by its members, and is not there for others") { chat in
            let (alice, bob) = (try await chat.person("alice"), try await chat.person("bob"))
            let mallory = try await chat.person("mallory")
            let id = try await chat.room(alice, bob)
            let view = try await chat.service.conversation(id, for: bob)
            try requireEqual(view.conversation.title, "Room of Test")
            try requireEqual(view.conversation.owner, alice.user)
            try requireEqual(view.conversation.memberCount, 2)
            try requireEqual(view.membership?.role, .member)
            try requireEqual(chat.world.notices(bob.user).count, 1)
            for id in [id, ConversationID(.random())] {
                try await requireChatRefusal(.notFound(.conversation)) {
                    try await chat.service.conversation(id, for: mallory)
                }
                try await requireChatRefusal(.notFound(.conversation)) { try await chat.say("hi", in: id, by: mallory) }
                try await requireChatRefusal(.notFound(.conversation)) { try await chat.service.join(id, by: mallory) }
                try await requireChatRefusal(.notFound(.conversation)) {
                    try await chat.service.history(of: id, HistoryQuery(limit: 5), for: mallory)
                }
                try await requireChatRefusal(.notFound(.conversation)) {
                    try await chat.service.update(id, ConversationChanges(), by: mallory)
                }
                try await requireChatRefusal(.notFound(.conversation)) {
                    try await chat.service.delete(id, by: mallory, origin: origin)
                }
                try await requireChatRefusal(.notFound(.conversation)) {
                    try await chat.service.permissions(of: id, for: mallory)
                }
                try await requireChatRefusal(.notFound(.conversation)) {
                    try await chat.service.invite(to: id, by: mallory)
                }
            }
        },
        Check("what a conversation is made of is checked, with its numbers") { chat in
            let alice = try await chat.person("alice")
            try await requireInvalid(.title) {
                try await chat.service.create(NewConversation(type: .room, title: ""), by: alice)
            }
            try await requireInvalid(.title) {
                try await chat.service.create(
                    NewConversation(type: .room, title: String(repeating: "x", count: 101)), by: alice)
            }
            try await requireInvalid(.title) {
                try await chat.service.create(NewConversation(type: .room, title: "a\u{202E}b"), by: alice)
            }
            try await requireInvalid(.description) {
                try await chat.service.create(
                    NewConversation(type: .room, title: "x", summary: String(repeating: "y", count: 501)), by: alice)
            }
            try await requireInvalid(.maxMembers) {
                try await chat.service.create(NewConversation(type: .room, title: "x", maxMembers: 0), by: alice)
            }
            try await requireInvalid(.type) {
                try await chat.service.create(NewConversation(type: .direct, title: nil), by: alice)
            }
            try await requireChatRefusal(.notFound(.user)) {
                try await chat.service.create(
                    NewConversation(type: .group, title: "x", members: [UserID(.random())]), by: alice)
            }
            try requireEqual(try await list(chat, alice).total, 0)
        },
        Check("lists have the last message, the unread count, and the newest first") { chat in
            let (alice, bob) = (try await chat.person("alice"), try await chat.person("bob"))
            let first = try await chat.room(alice, bob)
            chat.clock.advance(by: .seconds(1))
            let second = try await chat.room(alice, bob)
            try requireEqual(try await list(chat, bob).items.map(\.conversation.id), [second, first])
            chat.clock.advance(by: .seconds(1))
            for text in ["one", "two", "three"] { try await chat.say(text, in: first, by: alice) }
            let page = try await list(chat, bob)
            try requireEqual(page.items.map(\.conversation.id), [first, second])
            try requireEqual(page.items.map(\.unreadCount), [3, 0])
            try requireEqual(page.items[0].lastMessage?.text, "three")
            try requireEqual(try await list(chat, alice).items.map(\.unreadCount), [0, 0])
            try await chat.say("four", in: first, by: bob)
            try requireEqual(try await list(chat, bob).items[0].unreadCount, 0)
            let part = try await chat.service.conversations(ConversationFilter(offset: 1, limit: 5), for: bob)
            try requireEqual(part.items.map(\.conversation.id), [second])
            try requireEqual(part.total, 2)
        },
        Check("a search of titles minds no case, and nothing of LIKE's own") { chat in
            let alice = try await chat.person("alice")
            for title in ["Ärger am Bau", "100% sure", "100 sure", "_under", "!bang"] {
                _ = try await chat.service.create(NewConversation(type: .channel, title: title), by: alice)
            }
            for (search, count) in [("ärger", 1), ("100%", 1), ("100", 2), ("_", 1), ("!", 1), ("SURE", 2), ("\0", 5)] {
                let found = try await chat.service.conversations(
                    ConversationFilter(search: search, limit: 10), for: alice)
                try requireEqual(found.total, count)
                try requireEqual(found.items.count, count)
            }
        },
        Check("a public one is seen and joined by everybody, an invite-only one is seen") { chat in
            let (alice, bob) = (try await chat.person("alice"), try await chat.person("bob"))
            let open = try await chat.room(alice, type: .channel, visibility: .public)
            let invited = try await chat.room(alice, type: .channel, visibility: .inviteOnly)
            _ = try await chat.room(alice, type: .channel)
            try requireEqual(try await list(chat, bob).total, 0)
            let accessible = try await chat.service.conversations(
                ConversationFilter(includesAccessible: true, limit: 10), for: bob)
            try requireEqual(Set(accessible.items.map(\.conversation.id)), [open, invited])
            try require(accessible.items.allSatisfy { $0.membership == nil && $0.abilities.isEmpty }, "has abilities")
            try await requireChatRefusal(.forbidden(.notMember)) { try await chat.say("hi", in: open, by: bob) }
            try await requireChatRefusal(.forbidden(.notMember)) {
                try await chat.service.history(of: open, HistoryQuery(limit: 5), for: bob)
            }
            try await requireChatRefusal(.forbidden(.inviteOnly)) { try await chat.service.join(invited, by: bob) }
            let joined = try await chat.service.join(open, by: bob)
            try requireEqual(joined.conversation.memberCount, 2)
            try requireEqual(try await chat.service.join(open, by: bob).conversation.memberCount, 2)
            try await chat.say("hi", in: open, by: bob)
        },
        Check("changes need their rights, and tell of themselves") { chat in
            let (alice, bob) = (try await chat.person("alice"), try await chat.person("bob"))
            let id = try await chat.room(alice, bob)
            var changes = ConversationChanges()
            changes.title = "Better"
            changes.summary = "About it"
            try await requireChatRefusal(.forbidden(.lacks(.manageConversation))) {
                try await chat.service.update(id, changes, by: bob)
            }
            try await chat.raise(bob, to: .moderator, in: id, by: alice)
            let changed = try await chat.service.update(id, changes, by: bob).conversation
            try requireEqual(changed.title, "Better")
            try requireEqual(changed.summary, "About it")
            guard case .conversationChanged(let told)? = chat.world.events(id).last?.change else {
                throw ConformanceFailure(description: "nobody was told")
            }
            try requireEqual(told.title, "Better")
            let before = chat.world.events(id).count
            _ = try await chat.service.update(id, changes, by: bob)
            try requireEqual(chat.world.events(id).count, before)
            changes = ConversationChanges()
            changes.summary = .some(nil)
            try requireEqual(try await chat.service.update(id, changes, by: bob).conversation.summary, nil)
            changes.isArchived = true
            try await requireChatRefusal(.forbidden(.lacks(.administer))) {
                try await chat.service.update(id, changes, by: bob)
            }
            changes = ConversationChanges()
            changes.maxMembers = 1
            try await requireInvalid(.maxMembers) { try await chat.service.update(id, changes, by: bob) }
        },
        Check("an archived one is read and left, and nothing else") { chat in
            let (alice, bob) = (try await chat.person("alice"), try await chat.person("bob"))
            let id = try await chat.room(alice, bob)
            let message = try await chat.say("old", in: id, by: alice)
            var changes = ConversationChanges()
            changes.isArchived = true
            _ = try await chat.service.update(id, changes, by: alice)
            try await requireChatRefusal(.forbidden(.archived)) { try await chat.say("new", in: id, by: alice) }
            try await requireChatRefusal(.forbidden(.archived)) {
                try await chat.service.react("👍", to: message.id, by: bob)
            }
            try await requireChatRefusal(.forbidden(.archived)) {
                try await chat.service.edit(message.id, MessageEdit(.plain("x")), by: alice)
            }
            try requireEqual(try await chat.texts(id, HistoryQuery(limit: 5), for: bob), ["old"])
            try await chat.service.leave(id, by: bob)
            changes.isArchived = false
            _ = try await chat.service.update(id, changes, by: alice)
            try await chat.say("new", in: id, by: alice)
        },
        Check("a deleted one is gone for everybody, its call with it") { chat in
            let (alice, bob) = (try await chat.person("alice"), try await chat.person("bob"))
            let id = try await chat.room(alice, bob)
            let message = try await chat.say("hello", in: id, by: bob)
            try await requireChatRefusal(.forbidden(.lacks(.delete))) {
                try await chat.service.delete(id, by: bob, origin: origin)
            }
            try await chat.service.delete(id, by: alice, origin: origin)
            try require(chat.world.isClosed(id), "the call goes on")
            try requireEqual(chat.world.events(id).last?.change, .conversationDeleted)
            for person in [alice, bob] {
                try await requireChatRefusal(.notFound(.conversation)) {
                    try await chat.service.conversation(id, for: person)
                }
                try await requireChatRefusal(.notFound(.message)) {
                    try await chat.service.message(message.id, for: person)
                }
                try requireEqual(try await list(chat, person).total, 0)
            }
        },
        Check("one user cannot fill the tables with conversations") { chat in
            let alice = try await chat.person("alice")
            for _ in 0..<30 { _ = try await chat.room(alice) }
            try await requireChatRefusal(.limitReached(.conversations, 30)) { try await chat.room(alice) }
            let one = try await list(chat, alice).items[0].conversation.id
            try await chat.service.delete(one, by: alice, origin: origin)
            _ = try await chat.room(alice)
        },
    ]

    static func list(_ chat: TestChat, _ principal: Principal) async throws -> Page<ConversationView> {
        try await chat.service.conversations(ConversationFilter(limit: 100), for: principal)
    }
}
