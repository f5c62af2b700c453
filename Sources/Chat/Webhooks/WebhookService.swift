// Webhooks as their conversation's admins see them: made, looked at, changed, replayed, ended.
// What sends them is `WebhookDelivery.swift`, what takes messages in `WebhookService+Incoming.swift`.

package import Accounts
import Base
import Crypto
import Store
import Synchronization
package import Vault
package import Wire

package final class WebhookService: Sendable {
    package let options: WebhookOptions
    let chat: ChatService
    let vault: Vault
    let transport: any HTTPTransport
    let encoder: any WebhookEncoder
    let bell: WebhookBell
    let clock: Clock
    let rates = IncomingRates()
    let runner = Mutex<Task<Void, Never>?>(nil)
    static let log = Logger("webhooks")
    private static let keyPurpose: StaticString = "chat webhook key v1"
    private static let summaryMax = 200

    package init(
        chat: ChatService, vault: Vault, transport: any HTTPTransport, encoder: any WebhookEncoder, bell: WebhookBell,
        options: WebhookOptions = WebhookOptions()
    ) {
        self.chat = chat
        self.vault = vault
        self.transport = transport
        self.encoder = encoder
        self.bell = bell
        self.options = options
        clock = chat.clock
    }

    // MARK: Making

    package func create(
        in id: ConversationID, url: String, events: WebhookEvents, summary: String, by principal: Principal,
        origin: RequestOrigin
    ) async throws(ChatError) -> NewWebhook {
        let address = try WebhookURL(url, options)
        try Self.check(summary)
        let (now, limit) = (clock.now(), options.perConversation)
        let key = Secret(SecureRandom.bytes(WebhookSignature.keyCount))
        let webhookID = WebhookID.timeOrdered(at: now)
        let sealed = vault.seal(key, purpose: Self.keyPurpose, context: webhookID.bytes)
        let webhook = try await chat.database.transaction { (transaction) async throws(ChatError) -> Webhook in
            let access = try await Self.manage(id, principal, transaction.reader)
            let existing = try await transaction.reader.rows(WebhookTable.all(of: id)).count
            guard existing < limit else { throw .limitReached(.webhooks, limit) }
            let webhook = Webhook(
                id: webhookID, conversation: id, url: address.text, events: events.isEmpty ? .all : events,
                summary: summary, createdBy: principal.user, createdAt: now, isActive: true,
                position: access.conversation.log.position, progress: WebhookProgress(), pending: 0)
            try await transaction.change(WebhookTable.insert(webhook, sealedKey: sealed))
            try await Self.audit("webhook.created", webhook, address.host, by: principal, origin, now, transaction)
            return webhook
        }
        chat.accounts.audit.sealSoon()
        bell.watch(id)
        return NewWebhook(webhook: webhook, secret: WebhookSignature.text(ofKey: key))
    }

    // MARK: Looking

    package func webhooks(of id: ConversationID, for principal: Principal) async throws(ChatError) -> [Webhook] {
        _ = try await Self.manage(id, principal, chat.reader)
        return try await chat.reader.all(WebhookTable.all(of: id), WebhookTable.webhook(from:))
    }

    package func webhook(_ id: WebhookID, for principal: Principal) async throws(ChatError) -> Webhook {
        try await Self.managed(id, principal, chat.reader)
    }

    // MARK: Changing

    package func update(
        _ id: WebhookID, _ changes: WebhookChanges, by principal: Principal, origin: RequestOrigin
    ) async throws(ChatError) -> Webhook {
        let address = try changes.url.map { (text) throws(ChatError) in try WebhookURL(text, options) }
        if let summary = changes.summary { try Self.check(summary) }
        return try await change(id, "webhook.changed", by: principal, origin) { (webhook, _) throws(ChatError) in
            if let address { webhook.url = address.text }
            if let events = changes.events { webhook.events = events.isEmpty ? .all : events }
            if let summary = changes.summary { webhook.summary = summary }
            guard let isActive = changes.isActive else { return }
            // Whoever turns it on has mended what was wrong, and does not want to wait.
            if isActive { webhook.progress = webhook.progress.begunAnew }
            webhook.isActive = isActive
        }
    }

    /// Everything behind `offset` is sent again.
    package func replay(
        _ id: WebhookID, from offset: Int64, by principal: Principal, origin: RequestOrigin
    ) async throws(ChatError) -> Webhook {
        try await change(id, "webhook.replayed", by: principal, origin) { (webhook, log) throws(ChatError) in
            guard offset >= 0, offset <= log.lastOffset else {
                throw .invalid(.offset, .value, "must be from 0 to \(log.lastOffset), where the log ends")
            }
            // Before what is kept there is nothing to send, and no gap that anybody was not told of.
            let first = max(offset, log.removedOffset)
            webhook.position = LogPosition(epoch: log.epoch, offset: first)
            webhook.pending = log.lastOffset - first
            webhook.progress = webhook.progress.begunAnew
        }
    }

    private func change(
        _ id: WebhookID, _ action: String, by principal: Principal, _ origin: RequestOrigin,
        _ body: @escaping @Sendable (inout Webhook, ConversationLog) throws(ChatError) -> Void
    ) async throws(ChatError) -> Webhook {
        let (now, options) = (clock.now(), options)
        let webhook = try await chat.database.transaction { (transaction) async throws(ChatError) -> Webhook in
            var webhook = try await Self.managed(id, principal, transaction.reader)
            let access = try await transaction.reader.access(webhook.conversation, principal.user)
            try body(&webhook, access.conversation.log)
            try await transaction.change(WebhookTable.update(webhook))
            let host = (try? WebhookURL(webhook.url, options))?.host ?? ""
            try await Self.audit(action, webhook, host, by: principal, origin, now, transaction)
            return webhook
        }
        chat.accounts.audit.sealSoon()
        bell.watch(webhook.conversation)
        bell.ring()
        return webhook
    }

    package func delete(
        _ id: WebhookID, by principal: Principal, origin: RequestOrigin
    ) async throws(ChatError) {
        let now = clock.now()
        try await chat.database.transaction { (transaction) async throws(ChatError) in
            let webhook = try await Self.managed(id, principal, transaction.reader)
            try await transaction.change(WebhookTable.delete(id))
            try await Self.audit("webhook.deleted", webhook, nil, by: principal, origin, now, transaction)
        }
        chat.accounts.audit.sealSoon()
    }

    // MARK: Rights

    /// Its admins, in an archived conversation too: there it is ended, and looked at.
    static func manage(
        _ id: ConversationID, _ principal: Principal, _ reader: ChatReader
    ) async throws(ChatError) -> ConversationAccess {
        let access = try await reader.access(id, principal.user)
        guard access.conversation.type != .direct else { throw .forbidden(.direct) }
        _ = try access.require(.administer, evenArchived: true)
        return access
    }

    /// To a stranger it is the webhook that is not there.
    private static func managed(
        _ id: WebhookID, _ principal: Principal, _ reader: ChatReader
    ) async throws(ChatError) -> Webhook {
        guard let webhook = try await reader.first(WebhookTable.byID(id), WebhookTable.webhook(from:)) else {
            throw .notFound(.webhook)
        }
        do throws(ChatError) {
            _ = try await manage(webhook.conversation, principal, reader)
        } catch {
            switch error {
            case .notFound, .forbidden(.notMember): throw .notFound(.webhook)
            default: throw error
            }
        }
        return webhook
    }

    // MARK: For the other files

    func key(of id: WebhookID, _ sealed: Bytes) throws(VaultError) -> Secret {
        try vault.open(sealed, purpose: Self.keyPurpose, context: id.bytes)
    }

    private static func check(_ summary: String) throws(ChatError) {
        guard summary.unicodeScalars.count <= summaryMax else {
            throw .invalid(.description, .tooLong, "at most \(summaryMax) characters")
        }
    }

    /// The host, never the path: it may hold a secret of the receiver's.
    private static func audit(
        _ action: String, _ webhook: Webhook, _ host: String?, by principal: Principal, _ origin: RequestOrigin,
        _ now: Timestamp, _ transaction: any Transaction
    ) async throws(ChatError) {
        var details = JSONObject([("channel_id", .string(webhook.conversation.description))])
        if let host { details["host"] = .string(host) }
        let event = AuditEvent(
            time: now, actor: principal.user, action: action, target: webhook.id.description, origin: origin,
            details: details)
        do { try await AuditLog.append(event, in: transaction) } catch { throw .account(error) }
    }
}

extension WebhookProgress {
    /// As if nothing had failed.
    fileprivate var begunAnew: WebhookProgress {
        var progress = WebhookProgress()
        progress.lastDeliveryAt = lastDeliveryAt
        return progress
    }
}
