// Chat over the accounts and the database of this server, with its sockets.

import API
import Accounts
import Base
import Chat
import Configuration
import Net
import Signaling

enum ChatAssembly {
    struct Parts: Sendable {
        let chat: ChatAccess
        let live: LiveAccess
        let webhooks: WebhookAccess
    }

    /// Who is removed from a conversation is cut from its call.
    static func make(
        _ configuration: Configuration, _ storage: Storage, _ accounts: AccountService,
        _ calls: CallAssembly.Parts, _ metrics: Metrics
    ) -> Parts {
        let hub = calls.chatHub
        let bell = WebhookBell(before: hub)
        let service = ChatService(
            database: storage.database, accounts: accounts, gate: calls.calls.service, events: bell,
            options: configuration.chatOptions)
        hub.setChat(service)
        let webhooks = WebhookService(
            chat: service, vault: storage.vault,
            transport: CurlClient(loop: storage.shards.first, options: configuration.webhookConnections),
            encoder: WebhookAccess.encoder(), bell: bell, options: configuration.webhookOptions)
        metrics.sampled("plexichat_chat_sockets", "Open chat sockets.") { Double(hub.connectionCount) }
        metrics.sampled("plexichat_chat_followed", "Conversations that somebody follows.") {
            Double(hub.followedCount)
        }
        return Parts(
            chat: ChatAccess(service: service, publicURL: configuration.publicURL),
            live: LiveAccess(hub: hub, chat: service),
            webhooks: WebhookAccess(service: webhooks, publicURL: configuration.publicURL))
    }
}

extension Configuration {
    /// Tests/TidyTests holds that each option of chat has its key.
    var chatOptions: ChatOptions {
        var options = ChatOptions()
        options.roomMembers = chat.roomMembers
        options.membersPerConversation = chat.membersPerConversation
        options.membersAtCreation = chat.membersAtCreation
        options.membersPerOrganization = chat.membersPerOrganization
        options.conversationsPerOwner = chat.conversationsPerOwner
        options.organizationsPerOwner = chat.organizationsPerOwner
        options.textBytes = chat.textBytes
        options.sealedCharacters = chat.sealedCharacters
        options.recipientKeys = chat.recipientKeys
        options.attachmentsPerMessage = chat.attachmentsPerMessage
        options.mentionsPerMessage = chat.mentionsPerMessage
        options.emojiPerMessage = chat.emojiPerMessage
        options.reactionsPerMessage = chat.reactionsPerMessage
        options.pinsPerConversation = chat.pinsPerConversation
        options.formerVersions = chat.formerVersions
        options.editWindow = chat.editWindow
        options.invitationsPerConversation = chat.invitationsPerConversation
        options.invitationUses = chat.invitationUses
        options.invitationLifetime = chat.invitationLifetime
        options.longestInvitation = chat.longestInvitation
        options.retention = chat.retention
        options.logLifetime = chat.logLifetime
        options.eventsPerPage = chat.eventsPerPage
        options.exactReceiptMembers = chat.exactReceiptMembers
        options.rankedHits = chat.rankedHits
        options.countedHits = chat.countedHits
        options.searchTokensPerMessage = chat.searchTokensPerMessage
        options.devicesPerUser = chat.devicesPerUser
        options.oneTimeKeysPerDevice = chat.oneTimeKeysPerDevice
        return options
    }

    var liveLimits: LiveLimits {
        var limits = LiveLimits()
        limits.socketsPerUser = chat.socketsPerUser
        limits.followed = chat.followedPerSocket
        limits.typingInterval = chat.typingInterval
        limits.presenceMembers = chat.presenceMembers
        limits.messagesPerMinute = socketMessagesPerMinute
        return limits
    }

    /// Like every other rate: `rate_limits.scale` multiplies it, and 0 turns it off.
    private var socketMessagesPerMinute: Int {
        let rate = rateLimits.design.socketMessages
        guard rateLimits.scale > 0, let count = rate.count else { return .max }
        let perMinute = Double(count) * rateLimits.scale * 60 / rate.window.inSeconds
        return Int(exactly: perMinute.rounded(.up)) ?? .max
    }
}
