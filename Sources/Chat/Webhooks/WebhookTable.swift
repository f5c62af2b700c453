// Statements on `webhooks` and `incoming_webhooks`.

import Base
import Store

enum WebhookTable {
    /// `epoch` and `log_offset` are the place that was taken last; `lease` is whose delivery it is, until
    /// `leased_until`. Both tables go with their conversation.
    static let migration = Migration(
        name: "chat-webhooks-0001",
        sql: [
            """
            CREATE TABLE webhooks (
                id BLOB NOT NULL PRIMARY KEY,
                conversation_id BLOB NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
                url TEXT NOT NULL, events INTEGER NOT NULL, summary TEXT NOT NULL, sealed_key BLOB NOT NULL,
                created_by BLOB NOT NULL, created_at INTEGER NOT NULL, is_active INTEGER NOT NULL,
                epoch INTEGER NOT NULL, log_offset INTEGER NOT NULL, attempts INTEGER NOT NULL,
                failing_since INTEGER, next_attempt_at INTEGER, last_delivery_at INTEGER, last_failure TEXT,
                lease BLOB, leased_until INTEGER NOT NULL
            ) STRICT
            """,
            "CREATE INDEX webhooks_by_conversation ON webhooks (conversation_id)",
            """
            CREATE TABLE incoming_webhooks (
                id BLOB NOT NULL PRIMARY KEY,
                conversation_id BLOB NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
                token_hash BLOB NOT NULL UNIQUE, name TEXT NOT NULL, bot_id BLOB NOT NULL, created_by BLOB NOT NULL,
                created_at INTEGER NOT NULL, revoked_at INTEGER
            ) STRICT
            """,
            "CREATE INDEX incoming_webhooks_by_conversation ON incoming_webhooks (conversation_id)",
        ])

    // MARK: Outgoing

    private static let columns: Statement = """
        w.id, w.conversation_id, w.url, w.events, w.summary, w.created_by, w.created_at, w.is_active, w.epoch, \
        w.log_offset, w.attempts, w.failing_since, w.next_attempt_at, w.last_delivery_at, w.last_failure, \
        c.epoch, c.last_offset
        """
    private static let columnCount = 17

    static func insert(_ webhook: Webhook, sealedKey: Bytes) -> Statement {
        """
        INSERT INTO webhooks (id, conversation_id, url, events, summary, sealed_key, created_by, created_at, \
        is_active, epoch, log_offset, attempts, leased_until) VALUES (\(webhook.id), \(webhook.conversation), \
        \(webhook.url), \(webhook.events.rawValue), \(webhook.summary), \(sealedKey), \(webhook.createdBy), \
        \(webhook.createdAt), \(webhook.isActive), \(webhook.position.epoch), \(webhook.position.offset), 0, 0)
        """
    }

    static func byID(_ id: WebhookID) -> Statement { select("w.id = \(id)") }

    static func all(of conversation: ConversationID) -> Statement {
        select("w.conversation_id = \(conversation) ORDER BY w.created_at, w.id")
    }

    private static func select(_ condition: Statement) -> Statement {
        """
        SELECT \(part: columns), w.sealed_key FROM webhooks w JOIN conversations c ON c.id = w.conversation_id \
        WHERE \(part: condition)
        """
    }

    static var hooked: Statement { "SELECT DISTINCT conversation_id FROM webhooks WHERE is_active = 1" }

    /// Those that have something to send, and may.
    static func due(at now: Timestamp, limit: Int) -> Statement {
        """
        SELECT w.id FROM webhooks w JOIN conversations c ON c.id = w.conversation_id WHERE w.is_active = 1 \
        AND (w.next_attempt_at IS NULL OR w.next_attempt_at <= \(now)) AND w.leased_until <= \(now) \
        AND (c.last_offset > w.log_offset OR c.epoch <> w.epoch) ORDER BY w.leased_until, w.id LIMIT \(limit)
        """
    }

    static func take(_ id: WebhookID, _ lease: UUID, until end: Timestamp, at now: Timestamp) -> Statement {
        """
        UPDATE webhooks SET lease = \(lease), leased_until = \(end) WHERE id = \(id) AND is_active = 1 \
        AND (next_attempt_at IS NULL OR next_attempt_at <= \(now)) AND leased_until <= \(now)
        """
    }

    /// Nothing is changed when the lease is somebody else's by now, or the webhook was changed under it.
    static func advance(
        _ webhook: Webhook, _ lease: UUID, until end: Timestamp
    ) -> Statement {
        let progress = webhook.progress
        return """
            UPDATE webhooks SET is_active = \(webhook.isActive), epoch = \(webhook.position.epoch), \
            log_offset = \(webhook.position.offset), attempts = \(progress.attempts), \
            failing_since = \(progress.failingSince), next_attempt_at = \(progress.nextAttemptAt), \
            last_delivery_at = \(progress.lastDeliveryAt), last_failure = \(progress.lastFailure), \
            leased_until = \(end) WHERE id = \(webhook.id) AND lease = \(lease)
            """
    }

    /// What its managers change. Whoever delivers it loses the lease: the next event goes by what it is now.
    static func update(_ webhook: Webhook) -> Statement {
        let progress = webhook.progress
        return """
            UPDATE webhooks SET url = \(webhook.url), events = \(webhook.events.rawValue), \
            summary = \(webhook.summary), is_active = \(webhook.isActive), epoch = \(webhook.position.epoch), \
            log_offset = \(webhook.position.offset), attempts = \(progress.attempts), \
            failing_since = \(progress.failingSince), next_attempt_at = \(progress.nextAttemptAt), \
            last_failure = \(progress.lastFailure), lease = NULL, leased_until = 0 WHERE id = \(webhook.id)
            """
    }

    static func delete(_ id: WebhookID) -> Statement { "DELETE FROM webhooks WHERE id = \(id)" }

    static func webhook(from row: Row) throws(StoreError) -> Webhook {
        let position = LogPosition(epoch: try row.integer(8), offset: try row.integer(9))
        var progress = WebhookProgress()
        progress.attempts = try row.integer(10)
        progress.failingSince = try row.optional(11, row.timestamp)
        progress.nextAttemptAt = try row.optional(12, row.timestamp)
        progress.lastDeliveryAt = try row.optional(13, row.timestamp)
        progress.lastFailure = try row.optional(14, row.text)
        let isOfThisLog = try row.integer(15) == position.epoch
        return Webhook(
            id: try row.identifier(0), conversation: try row.identifier(1), url: try row.text(2),
            events: WebhookEvents(rawValue: try row.integer(3)), summary: try row.text(4),
            createdBy: try row.identifier(5), createdAt: try row.timestamp(6), isActive: try row.flag(7),
            position: position, progress: progress,
            pending: max(0, try row.integer(16) - (isOfThisLog ? position.offset : 0)))
    }

    /// With what it signs with, sealed.
    static func keyed(from row: Row) throws(StoreError) -> (Webhook, Bytes) {
        (try webhook(from: row), try row.blob(columnCount))
    }

    // MARK: Incoming

    private static let incomingColumns: Statement = "id, conversation_id, name, bot_id, created_by, created_at"

    static func insert(_ webhook: IncomingWebhook, tokenHash: Bytes) -> Statement {
        """
        INSERT INTO incoming_webhooks (id, conversation_id, token_hash, name, bot_id, created_by, created_at) VALUES \
        (\(webhook.id), \(webhook.conversation), \(tokenHash), \(webhook.name), \(webhook.bot), \
        \(webhook.createdBy), \(webhook.createdAt))
        """
    }

    static func incoming(_ id: IncomingWebhookID) -> Statement { selectIncoming("id = \(id)") }

    static func incoming(tokenHash: Bytes) -> Statement { selectIncoming("token_hash = \(tokenHash)") }

    static func incoming(of conversation: ConversationID) -> Statement {
        selectIncoming("conversation_id = \(conversation)")
    }

    private static func selectIncoming(_ condition: Statement) -> Statement {
        """
        SELECT \(part: incomingColumns) FROM incoming_webhooks WHERE \(part: condition) AND revoked_at IS NULL \
        ORDER BY created_at, id
        """
    }

    static func revoke(_ id: IncomingWebhookID, at now: Timestamp) -> Statement {
        "UPDATE incoming_webhooks SET revoked_at = \(now) WHERE id = \(id) AND revoked_at IS NULL"
    }

    static func incomingWebhook(from row: Row) throws(StoreError) -> IncomingWebhook {
        IncomingWebhook(
            id: try row.identifier(0), conversation: try row.identifier(1), name: try row.text(2),
            bot: try row.identifier(3), createdBy: try row.identifier(4), createdAt: try row.timestamp(5))
    }
}
