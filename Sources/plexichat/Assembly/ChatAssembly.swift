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

    /// `calls` are those of conversations: who is removed from one is cut from its call.
    static func make(
        _ configuration: Configuration, _ storage: Storage, _ accounts: AccountService, calls: any CallGate,
        _ metrics: Metrics
    ) -> Parts {
        let hub = ChatHub()
        let bell = WebhookBell(before: hub)
        let service = ChatService(database: storage.database, accounts: accounts, gate: calls, events: bell)
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
