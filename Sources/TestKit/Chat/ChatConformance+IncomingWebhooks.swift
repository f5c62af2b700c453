// Messages from outside, by who has an address and nothing else.

import Accounts
import Base
import Chat
import Store
import Wire

extension ChatConformance {
    /// A room of Alice's, and the service.
    private static func stage(
        _ chat: TestChat
    ) async throws -> (alice: Principal, room: ConversationID, webhooks: WebhookService) {
        let alice = try await chat.person("alice")
        let webhooks = WebhookService(
            chat: chat.service, vault: chat.domain.vault, transport: TestReceiver(),
            encoder: NoEncoder(), bell: WebhookBell(before: chat.world))
        return (alice, try await chat.room(alice), webhooks)
    }

    private struct NoEncoder: WebhookEncoder {
        func body(of event: ChatEvent) async -> Bytes? { nil }
        func gap(in conversation: ConversationID, upTo position: LogPosition) -> Bytes { [] }
    }

    static let incomingWebhooks: [Check] = [
        Check("who has the address posts as a member of the given name") { chat in
            let (alice, room, webhooks) = try await stage(chat)
            let made = try await webhooks.createIncoming(in: room, name: "Build 7", by: alice, origin: origin)
            let token = made.token.exposedText
            let sent = try await webhooks.post("it works", clientID: "a", token: token)
            try requireEqual(sent.message.sender, made.webhook.bot)
            let again = try await webhooks.post("it works", clientID: "a", token: token)
            try require(again.isRepetition && again.message.id == sent.message.id, "posted twice")
            try requireEqual(try await chat.texts(room, HistoryQuery(limit: 9), for: alice), ["it works"])
            let people = try await chat.service.people([made.webhook.bot])
            try requireEqual(people[made.webhook.bot]?.displayName.exposed, "Build 7")
            try requireEqual(try await webhooks.incoming(of: room, for: alice), [made.webhook])
        },
        Check("an address that is none, or revoked, leads nowhere") { chat in
            let (alice, room, webhooks) = try await stage(chat)
            let made = try await webhooks.createIncoming(in: room, name: "bot", by: alice, origin: origin)
            let token = made.token.exposedText
            for wrong in ["", "plh_", "x", String(token.dropLast()) + "A", token + "A", "plh_" + token, "plh_../../x"]
            where wrong != token {
                try await requireChatRefusal(.notFound(.webhook)) {
                    try await webhooks.post("x", clientID: nil, token: wrong)
                }
            }
            try await webhooks.revokeIncoming(made.webhook.id, by: alice, origin: origin)
            try await requireChatRefusal(.notFound(.webhook)) {
                try await webhooks.post("x", clientID: nil, token: token)
            }
            try await requireChatRefusal(.notFound(.webhook)) {
                try await webhooks.revokeIncoming(made.webhook.id, by: alice, origin: origin)
            }
            try requireEqual(try await chat.service.conversation(room, for: alice).conversation.memberCount, 1)
            try require(try await !chat.domain.service.user(made.webhook.bot).isActive, "the bot is active")
        },
        Check("a bot has the rights of a member, and none when a moderator has removed it") { chat in
            let (alice, room, webhooks) = try await stage(chat)
            let made = try await webhooks.createIncoming(in: room, name: "bot", by: alice, origin: origin)
            let token = made.token.exposedText
            var changes = ConversationChanges()
            changes.isArchived = true
            _ = try await chat.service.update(room, changes, by: alice)
            try await requireChatRefusal(.forbidden(.archived)) {
                try await webhooks.post("x", clientID: nil, token: token)
            }
            changes.isArchived = false
            _ = try await chat.service.update(room, changes, by: alice)
            try await chat.service.removeMember(made.webhook.bot, from: room, by: alice, origin: origin)
            try await requireChatRefusal(.notFound(.webhook)) {
                try await webhooks.post("x", clientID: nil, token: token)
            }
            try await webhooks.revokeIncoming(made.webhook.id, by: alice, origin: origin)
        },
        Check("an address writes so much a minute") { chat in
            let (alice, room, webhooks) = try await stage(chat)
            let made = try await webhooks.createIncoming(in: room, name: "bot", by: alice, origin: origin)
            let (token, now) = (made.token.exposedText, Instant.now())
            for number in 0..<20 { _ = try await webhooks.post("\(number)", clientID: nil, token: token, now: now) }
            try await requireChatRefusal(.throttled(retryAfter: .seconds(1))) {
                try await webhooks.post("20", clientID: nil, token: token, now: now)
            }
            _ = try await webhooks.post("20", clientID: nil, token: token, now: now + .seconds(1))
        },
        Check("who is no admin makes no address, and leaves no account behind") { chat in
            let (alice, room, webhooks) = try await stage(chat)
            let bob = try await chat.person("bob")
            _ = try await chat.service.addMember(bob.user, to: room, by: alice)
            try await requireChatRefusal(.forbidden(.lacks(.administer))) {
                try await webhooks.createIncoming(in: room, name: "bot", by: bob, origin: origin)
            }
            for name in ["", String(repeating: "x", count: 81)] {
                try await requireInvalid(.name) {
                    try await webhooks.createIncoming(in: room, name: name, by: alice, origin: origin)
                }
            }
            let services = try await chat.domain.service.users(
                UserFilter(includesInactive: true, kind: .service), by: .console)
            try requireEqual(services.total, 0)
        },
    ]
}
