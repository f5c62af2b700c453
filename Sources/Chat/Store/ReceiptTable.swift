// Statements on `receipts` and `receipt_failures`.

import Base
import Store

enum ReceiptTable {
    /// Stands where no device was named: a key has no NULL.
    static let noDevice = ClientDeviceID(UUID(high: 0, low: 0))

    struct Stored: Sendable {
        let user: UserID
        let device: ClientDeviceID
        let kind: ReceiptKind
        let sequence: Int64
        let at: Timestamp
    }

    /// Nothing is changed when the device had said so already.
    static func insert(_ id: ConversationID, _ receipt: Stored) -> Statement {
        """
        INSERT INTO receipts (conversation_id, user_id, device_id, kind, sequence, at) \
        SELECT \(id), \(receipt.user), \(receipt.device), \(receipt.kind.rawValue), \(receipt.sequence), \(receipt.at) \
        WHERE NOT EXISTS (SELECT 1 FROM receipts r WHERE r.conversation_id = \(id) \
        AND r.user_id = \(receipt.user) AND r.device_id = \(receipt.device) AND r.kind = \(receipt.kind.rawValue) \
        AND r.sequence >= \(receipt.sequence))
        """
    }

    /// Where only the newest is kept.
    static func forgetBefore(_ id: ConversationID, _ receipt: Stored) -> Statement {
        """
        DELETE FROM receipts WHERE conversation_id = \(id) AND user_id = \(receipt.user) \
        AND device_id = \(receipt.device) AND kind = \(receipt.kind.rawValue) AND sequence < \(receipt.sequence)
        """
    }

    /// For each device and kind, those within the range and the first one beyond it: all that the range's messages can
    /// be reached by.
    static func reaching(_ id: ConversationID, _ range: ClosedRange<Int64>) -> Statement {
        """
        SELECT user_id, device_id, kind, sequence, at FROM receipts WHERE conversation_id = \(id) \
        AND sequence >= \(range.lowerBound) AND sequence <= \(range.upperBound) UNION ALL \
        SELECT r.user_id, r.device_id, r.kind, r.sequence, r.at FROM receipts r JOIN \
        (SELECT user_id, device_id, kind, MIN(sequence) AS sequence FROM receipts WHERE conversation_id = \(id) \
        AND sequence > \(range.upperBound) GROUP BY user_id, device_id, kind) f ON f.user_id = r.user_id \
        AND f.device_id = r.device_id AND f.kind = r.kind AND f.sequence = r.sequence \
        WHERE r.conversation_id = \(id)
        """
    }

    static func stored(from row: Row) throws(StoreError) -> Stored {
        guard let kind = ReceiptKind(rawValue: try row.integer(2)) else {
            throw .corrupt("receipts: a kind that this version does not know")
        }
        return Stored(
            user: try row.identifier(0), device: try row.identifier(1), kind: kind, sequence: try row.integer(3),
            at: try row.timestamp(4))
    }

    /// Who has left is waited for by nobody.
    static func forget(_ id: ConversationID, _ user: UserID) -> Statement {
        "DELETE FROM receipts WHERE conversation_id = \(id) AND user_id = \(user)"
    }

    static func failed(_ id: MessageID, _ user: UserID, _ device: ClientDeviceID, at now: Timestamp) -> Statement {
        """
        INSERT INTO receipt_failures (message_id, user_id, device_id, at) \
        VALUES (\(id), \(user), \(device), \(now)) ON CONFLICT DO NOTHING
        """
    }

    /// Devices of the user, beside this one, that could not open it.
    static func failureCount(of id: MessageID, _ user: UserID, but device: ClientDeviceID) -> Statement {
        """
        SELECT COUNT(*) FROM receipt_failures WHERE message_id = \(id) AND user_id = \(user) AND device_id <> \(device)
        """
    }

    static func failures(_ ids: [MessageID]) -> Statement {
        "SELECT message_id, user_id, device_id, at FROM receipt_failures WHERE message_id IN (\(list: ids.padded))"
    }

    static func read(_ id: ConversationID, _ user: UserID, upTo sequence: Int64, at now: Timestamp) -> Statement {
        """
        UPDATE conversation_members SET read_sequence = \(sequence), read_at = \(now) WHERE conversation_id = \(id) \
        AND user_id = \(user) AND removed_at IS NULL AND read_sequence < \(sequence)
        """
    }
}
