// What is removed for good, found and deleted a bounded part at a time.

import Base
import Store

enum RetentionTable {
    /// Rows that one transaction removes: bounds how long other writers wait.
    static let batch = 500

    /// A conversation with what its retention goes by.
    struct Candidate: Sendable {
        let id: ConversationID
        let cutoff: Timestamp
        let firstSequence: Int64
    }

    static var deleted: Statement {
        "SELECT id FROM conversations WHERE deleted_at IS NOT NULL ORDER BY deleted_at LIMIT 1"
    }

    /// Conversations whose oldest message is too old.
    static func outdated(_ usual: Duration?, now: Timestamp, limit: Int) -> Statement {
        // Without a usual retention, only those with their own are looked at.
        let age: Statement = "COALESCE(c.retention, CAST(\(usual?.microseconds) AS BIGINT))"
        return """
            SELECT c.id, \(part: age), c.first_sequence FROM conversations c WHERE c.deleted_at IS NULL \
            AND \(part: age) IS NOT NULL AND EXISTS (SELECT 1 FROM messages s WHERE s.conversation_id = c.id \
            AND s.sequence = c.first_sequence AND s.created_at < \(now) - \(part: age)) LIMIT \(limit)
            """
    }

    static func candidate(from row: Row, now: Timestamp) throws(StoreError) -> Candidate {
        Candidate(
            id: try row.identifier(0), cutoff: now - .microseconds(try row.integer(1)),
            firstSequence: try row.integer(2))
    }

    /// The oldest messages of a conversation, and of all of those only the ones before `cutoff`.
    static func oldest(_ id: ConversationID, before cutoff: Timestamp?) -> Statement {
        let age: Statement = cutoff.map { "AND s.created_at < \($0)" } ?? ""
        return """
            SELECT s.id, s.number, s.sequence FROM messages s WHERE s.conversation_id = \(id) \(part: age) \
            ORDER BY s.sequence LIMIT \(batch)
            """
    }

    static func removeMessages(_ id: ConversationID, upTo sequence: Int64) -> Statement {
        "DELETE FROM messages WHERE conversation_id = \(id) AND sequence <= \(sequence)"
    }

    static func removed(_ id: ConversationID, upTo sequence: Int64) -> Statement {
        """
        UPDATE conversations SET first_sequence = \(sequence + 1), last_message_id = CASE WHEN last_sequence > \
        \(sequence) THEN last_message_id ELSE NULL END WHERE id = \(id)
        """
    }

    static func removeReceipts(_ id: ConversationID, upTo sequence: Int64) -> Statement {
        """
        DELETE FROM receipts WHERE conversation_id = \(id) AND sequence <= \(sequence) AND EXISTS \
        (SELECT 1 FROM receipts r WHERE r.conversation_id = receipts.conversation_id AND r.user_id = receipts.user_id \
        AND r.device_id = receipts.device_id AND r.kind = receipts.kind AND r.sequence > receipts.sequence)
        """
    }

    // MARK: Events

    /// Conversations whose oldest event is too old.
    static func longLogs(before cutoff: Timestamp, limit: Int) -> Statement {
        """
        SELECT c.id FROM conversations c WHERE c.deleted_at IS NULL AND EXISTS (SELECT 1 FROM conversation_events e \
        WHERE e.conversation_id = c.id AND e.log_offset = c.removed_offset + 1 AND e.at < \(cutoff)) LIMIT \(limit)
        """
    }

    /// The oldest events of a conversation, in order.
    static func oldestEvents(_ id: ConversationID) -> Statement {
        """
        SELECT log_offset, at FROM conversation_events WHERE conversation_id = \(id) ORDER BY log_offset LIMIT \(batch)
        """
    }

    static func removeEvents(_ id: ConversationID, upTo offset: Int64) -> Statement {
        "DELETE FROM conversation_events WHERE conversation_id = \(id) AND log_offset <= \(offset)"
    }

    static func logRemoved(_ id: ConversationID, upTo offset: Int64) -> Statement {
        "UPDATE conversations SET removed_offset = \(offset) WHERE id = \(id) AND removed_offset < \(offset)"
    }
}
