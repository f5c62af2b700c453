// Messages from outside: whoever has the address writes as the bot that was made with it.

package import Accounts
package import Base
import Crypto
import Store
import Synchronization
import Wire

extension WebhookService {
    private static var nameMax: Int { 80 }

    package func createIncoming(
        in id: ConversationID, name: String, by principal: Principal, origin: RequestOrigin
    ) async throws(ChatError) -> NewIncomingWebhook {
        guard (1...Self.nameMax).contains(name.unicodeScalars.count) else {
            throw .invalid(.name, .value, "1 to \(Self.nameMax) characters")
        }
        let (now, limit) = (clock.now(), options.perConversation)
        // Before an account is made for nothing.
        _ = try await Self.manage(id, principal, chat.reader)
        let bot = try await makeBot(name, origin)
        let token = IncomingToken.make()
        let webhook = IncomingWebhook(
            id: .timeOrdered(at: now), conversation: id, name: name, bot: bot, createdBy: principal.user, createdAt: now
        )
        do {
            try await chat.commit(in: id) { (transaction) async throws(ChatError) in
                let access = try await Self.manage(id, principal, transaction.reader)
                guard !access.conversation.isArchived else { throw .forbidden(.archived) }
                let existing = try await transaction.reader.rows(WebhookTable.incoming(of: id)).count
                guard existing < limit else { throw .limitReached(.webhooks, limit) }
                let (_, event) = try await ChatService.enter(
                    bot, access.conversation, addedBy: principal.user, at: now, in: transaction)
                try await transaction.change(WebhookTable.insert(webhook, tokenHash: IncomingToken.hash(token)))
                try await Self.audit("incoming_webhook.created", webhook, by: principal, origin, now, transaction)
                return ChatService.Outcome((), [event])
            }
        } catch {
            await retire(bot, origin)
            throw error
        }
        chat.accounts.audit.sealSoon()
        return NewIncomingWebhook(webhook: webhook, token: token)
    }

    package func incoming(
        of id: ConversationID, for principal: Principal
    ) async throws(ChatError) -> [IncomingWebhook] {
        _ = try await Self.manage(id, principal, chat.reader)
        return try await chat.reader.all(WebhookTable.incoming(of: id), WebhookTable.incomingWebhook(from:))
    }

    /// The address is of no use when this returns.
    package func revokeIncoming(
        _ id: IncomingWebhookID, by principal: Principal, origin: RequestOrigin
    ) async throws(ChatError) {
        let now = clock.now()
        let statement = WebhookTable.incoming(id)
        guard let webhook = try await chat.reader.first(statement, WebhookTable.incomingWebhook(from:)) else {
            throw .notFound(.webhook)
        }
        do throws(ChatError) {
            try await chat.commit(in: webhook.conversation) { (transaction) async throws(ChatError) in
                _ = try await Self.manage(webhook.conversation, principal, transaction.reader)
                guard try await transaction.change(WebhookTable.revoke(id, at: now)) == 1 else {
                    throw .notFound(.webhook)
                }
                try await Self.audit("incoming_webhook.revoked", webhook, by: principal, origin, now, transaction)
                // A moderator may have taken the bot out before.
                guard let member = try await transaction.reader.present(webhook.bot, in: webhook.conversation) else {
                    return ChatService.Outcome(())
                }
                return try await ChatService.exit(member, .removed, by: principal.user, at: now, in: transaction)
            }
        } catch {
            switch error {
            case .notFound, .forbidden(.notMember): throw .notFound(.webhook)
            default: throw error
            }
        }
        chat.accounts.audit.sealSoon()
        rates.forget(id)
        await retire(webhook.bot, origin)
    }

    /// With the address alone. What it may write is a plain message of a member.
    package func post(
        _ text: String, clientID: String?, token: String, now: Instant = .now()
    ) async throws(ChatError) -> SentMessage {
        guard let hash = IncomingToken.hash(parsing: token),
            let webhook = try await chat.reader.first(
                WebhookTable.incoming(tokenHash: hash), WebhookTable.incomingWebhook(from:))
        else { throw .notFound(.webhook) }
        if let wait = rates.take(webhook.id, options, now) { throw .throttled(retryAfter: .seconds(Int64(wait))) }
        var new = NewMessage(.plain(text))
        new.clientID = clientID
        do throws(ChatError) {
            return try await chat.send(new, to: webhook.conversation, thread: nil, as: webhook.bot)
        } catch {
            // The channel is deleted, or the bot is not in it any more: the address leads nowhere.
            switch error {
            case .notFound, .forbidden(.notMember): throw .notFound(.webhook)
            default: throw error
            }
        }
    }

    // MARK: Bots

    /// An account that nobody can log in to, for its name under what is written.
    private func makeBot(_ name: String, _ origin: RequestOrigin) async throws(ChatError) -> UserID {
        let username = "hook-\(Hex.encode(SecureRandom.bytes(8)))"
        do {
            return try await chat.accounts.createServiceAccount(
                name: username, kind: .service, scopes: [], displayName: name, by: .console, origin: origin
            ).id
        } catch {
            throw .account(error)
        }
    }

    /// Keeps the name under what it wrote.
    private func retire(_ bot: UserID, _ origin: RequestOrigin) async {
        do {
            _ = try await chat.accounts.setActive(false, of: bot, by: .console, origin: origin)
        } catch {
            Self.log.warning("the account of a revoked webhook is still active", [.error(error)])
        }
    }

    private static func audit(
        _ action: String, _ webhook: IncomingWebhook, by principal: Principal, _ origin: RequestOrigin,
        _ now: Timestamp, _ transaction: any Transaction
    ) async throws(ChatError) {
        let event = AuditEvent(
            time: now, actor: principal.user, action: action, target: webhook.id.description, origin: origin,
            details: JSONObject([("channel_id", .string(webhook.conversation.description))]))
        do { try await AuditLog.append(event, in: transaction) } catch { throw .account(error) }
    }
}

extension ChatReader {
    /// `nil` for who is no member.
    fileprivate func present(_ user: UserID, in id: ConversationID) async throws(ChatError) -> Member? {
        do throws(ChatError) { return try await member(id, user) } catch {
            guard case .notFound = error else { throw error }
            return nil
        }
    }
}

/// `plh_` and 32 random bytes: the whole right to write, so only a hash of it is kept.
enum IncomingToken {
    private static let prefix = "plh_"
    private static let randomCount = 32

    static func make() -> Secret {
        Secret(text: prefix + Base64.encode(SecureRandom.bytes(randomCount), .urlSafe))
    }

    static func hash(_ token: Secret) -> Bytes { SHA256.hash(token.exposedBytes) }

    /// `nil` for a text that is none, without asking the database.
    static func hash(parsing text: String) -> Bytes? {
        guard text.hasPrefix(prefix), Base64.decode(text.dropFirst(prefix.count), .urlSafe)?.count == randomCount
        else { return nil }
        return SHA256.hash(Bytes(text.utf8))
    }
}

/// How much each address has written of late. Per process, as the limits of requests are.
final class IncomingRates: Sendable {
    /// Addresses that are remembered; beyond it all begin anew, which lets each have one burst more.
    private static let bucketsMax = 10_000

    private let buckets = Mutex<[IncomingWebhookID: TokenBucket]>([:])

    /// The seconds to wait; `nil` when it may.
    func take(_ id: IncomingWebhookID, _ options: WebhookOptions, _ now: Instant) -> Int? {
        buckets.withLock { buckets in
            if buckets[id] == nil, buckets.count >= Self.bucketsMax { buckets = [:] }
            var bucket =
                buckets[id]
                ?? TokenBucket(capacity: options.messageBurst, perSecond: options.messagesPerMinute / 60, now: now)
            let isAllowed = bucket.take(now)
            buckets[id] = bucket
            return isAllowed ? nil : bucket.secondsToNext
        }
    }

    func forget(_ id: IncomingWebhookID) { buckets.withLock { $0[id] = nil } }
}
