// Statements of an export: each reads a bounded part of what one user has, behind where the last one ended.

import Base
import Store

enum ExportTable {
    static func conversations(of user: UserID, after id: ConversationID, limit: Int) -> Statement {
        ConversationTable.accesses(
            user,
            where: """
                c.id IN (SELECT own.conversation_id FROM conversation_members own WHERE own.user_id = \(user) \
                AND own.removed_at IS NULL AND own.conversation_id > \(id)) AND c.deleted_at IS NULL \
                ORDER BY c.id LIMIT \(limit)
                """)
    }

    /// Of a stretch of the table, since there is no index by sender (`RemovalTable.messages`).
    static func messages(of user: UserID, after number: Int64, upTo end: Int64, limit: Int) -> Statement {
        MessageTable.select(
            """
            s.number > \(number) AND s.number <= \(end) AND s.sender_id = \(user) AND s.deleted_at IS NULL \
            ORDER BY s.number LIMIT \(limit)
            """)
    }

    static func reactions(of user: UserID, after id: MessageID, _ emoji: String, limit: Int) -> Statement {
        """
        SELECT message_id, emoji, created_at FROM reactions WHERE user_id = \(user) \
        AND (message_id > \(id) OR (message_id = \(id) AND emoji > \(emoji))) ORDER BY message_id, emoji LIMIT \(limit)
        """
    }
}
