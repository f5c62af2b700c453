// Statements on `messages` and what hangs on a message, and how they become a value.

import Base
import Store

enum MessageTable {
    static let columns: Statement = """
        s.id, s.conversation_id, s.sequence, s.sender_id, s.type, s.form, s.content, s.nonce, s.key_version, \
        s.algorithm, s.preview_hash, s.device_keys, s.reply_to, s.thread_id, s.client_id, s.mentions, s.version, \
        s.attachment_count, s.reaction_count, s.reply_count, s.last_reply_at, s.pinned_at, s.created_at, s.edited_at, \
        s.deleted_at, s.number
        """

    /// A message as its own row has it.
    struct Stored: Sendable {
        var message: Message
        let number: Int64
        let attachmentCount: Int
        let reactionCount: Int
    }

    /// A body as the columns `form`, `content`, `nonce`, `key_version`, `algorithm`, `preview_hash`, `device_keys`.
    struct BodyColumns: Sendable {
        let form: Int64
        let content: String
        var nonce: String?
        var keyVersion: Int64?
        var algorithm: String?
        var previewHash: String?
        var deviceKeys: Bytes?

        init(_ body: MessageBody) {
            switch body {
            case .plain(let text):
                form = 0
                content = text
            case .box(let box):
                form = 1
                content = box.data
                nonce = box.nonce
                keyVersion = box.keyVersion
            case .deviceBox(let box):
                form = 2
                content = box.ciphertext
                nonce = box.nonce
                algorithm = box.algorithm
                previewHash = box.previewHash
                deviceKeys = DeviceKeyCodec.encode(box.keys)
            case .removed:
                form = 3
                content = ""
            }
        }
    }

    /// Returns the row's number.
    static func insert(_ message: Message) -> Statement {
        let body = BodyColumns(message.body)
        return """
            INSERT INTO messages (id, conversation_id, sequence, sender_id, type, form, content, nonce, key_version, \
            algorithm, preview_hash, device_keys, reply_to, thread_id, client_id, mentions, version, attachment_count, \
            reaction_count, reply_count, created_at) VALUES (\(message.id), \(message.conversation), \
            \(message.sequence), \(message.sender), \(message.type.rawValue), \(body.form), \(body.content), \
            \(body.nonce), \(body.keyVersion), \(body.algorithm), \(body.previewHash), \(body.deviceKeys), \
            \(message.replyTo), \(message.thread), \(message.clientID), \(IdentifierListCodec.encode(message.mentions)), \
            1, \(message.attachments.count), 0, 0, \(message.createdAt)) ON CONFLICT DO NOTHING RETURNING number
            """
    }

    static func insert(_ attachment: Attachment, of id: MessageID, place: Int) -> Statement {
        """
        INSERT INTO message_attachments (message_id, place, id, name, size, content_type, storage) \
        VALUES (\(id), \(place), \(attachment.id), \(attachment.name), \(attachment.size), \
        \(attachment.contentType), \(attachment.storage))
        """
    }

    /// One more answer in the thread that this message began.
    static func answered(_ root: MessageID, at now: Timestamp) -> Statement {
        "UPDATE messages SET reply_count = reply_count + 1, last_reply_at = \(now) WHERE id = \(root)"
    }

    static func edit(_ id: MessageID, _ newBody: MessageBody, version: Int64, at now: Timestamp) -> Statement {
        let body = BodyColumns(newBody)
        return """
            UPDATE messages SET form = \(body.form), content = \(body.content), nonce = \(body.nonce), \
            key_version = \(body.keyVersion), algorithm = \(body.algorithm), preview_hash = \(body.previewHash), \
            device_keys = \(body.deviceKeys), version = \(version), edited_at = \(now) WHERE id = \(id)
            """
    }

    /// Everything that it said goes; its place stays.
    static func empty(_ id: MessageID, at now: Timestamp) -> Statement {
        """
        UPDATE messages SET form = 3, content = '', nonce = NULL, key_version = NULL, algorithm = NULL, \
        preview_hash = NULL, device_keys = NULL, mentions = NULL, attachment_count = 0, reaction_count = 0, \
        pinned_at = NULL, deleted_at = \(now) WHERE id = \(id)
        """
    }

    /// What hangs on messages, to go with what they said.
    static func removals(_ ids: [MessageID]) -> [Statement] {
        let list = ids.padded
        return FileTable.letGo(list) + [
            "DELETE FROM message_versions WHERE message_id IN (\(list: list))",
            "DELETE FROM message_attachments WHERE message_id IN (\(list: list))",
            "DELETE FROM reactions WHERE message_id IN (\(list: list))",
            "DELETE FROM receipt_failures WHERE message_id IN (\(list: list))",
        ]
    }

    static func keepVersion(_ message: Message, replacedAt now: Timestamp) -> Statement {
        let body = BodyColumns(message.body)
        return """
            INSERT INTO message_versions (message_id, version, form, content, nonce, key_version, algorithm, \
            preview_hash, device_keys, replaced_at) VALUES (\(message.id), \(message.version), \(body.form), \
            \(body.content), \(body.nonce), \(body.keyVersion), \(body.algorithm), \(body.previewHash), \
            \(body.deviceKeys), \(now))
            """
    }

    static func forgetVersions(_ id: MessageID, upTo version: Int64) -> Statement {
        "DELETE FROM message_versions WHERE message_id = \(id) AND version <= \(version)"
    }

    static func versions(_ id: MessageID) -> Statement {
        """
        SELECT version, form, content, nonce, key_version, algorithm, preview_hash, device_keys, replaced_at \
        FROM message_versions WHERE message_id = \(id) ORDER BY version DESC
        """
    }

    static func version(from row: Row) throws(StoreError) -> FormerVersion {
        FormerVersion(
            version: try row.integer(0), body: try body(from: row, at: 1), replacedAt: try row.timestamp(8))
    }

    static func pinCount(_ id: ConversationID) -> Statement {
        "SELECT COUNT(*) FROM messages WHERE conversation_id = \(id) AND pinned_at IS NOT NULL"
    }

    // MARK: Reading

    static func select(_ condition: Statement) -> Statement {
        "SELECT \(part: columns) FROM messages s WHERE \(part: condition)"
    }

    static func byID(_ id: MessageID) -> Statement { select("s.id = \(id)") }

    static func repetition(_ id: ConversationID, _ sender: UserID, _ clientID: String) -> Statement {
        select("s.conversation_id = \(id) AND s.sender_id = \(sender) AND s.client_id = \(clientID)")
    }

    static func stored(from row: Row) throws(StoreError) -> Stored {
        guard let type = MessageType(rawValue: try row.integer(4)) else {
            throw .corrupt("messages: a type that this version does not know")
        }
        let mentions = try row.optional(15, row.blob)
        let message = Message(
            id: try row.identifier(0), conversation: try row.identifier(1), sequence: try row.integer(2),
            sender: try row.optionalIdentifier(3), type: type, body: try body(from: row, at: 5),
            replyTo: try row.optionalIdentifier(12), thread: try row.optionalIdentifier(13),
            clientID: try row.optional(14, row.text),
            mentions: try mentions.map { (bytes) throws(StoreError) in try IdentifierListCodec.decode(bytes) } ?? [],
            version: try row.integer(16), replyCount: Int(clamping: try row.integer(19)),
            lastReplyAt: try row.optional(20, row.timestamp), pinnedAt: try row.optional(21, row.timestamp),
            createdAt: try row.timestamp(22), editedAt: try row.optional(23, row.timestamp),
            deletedAt: try row.optional(24, row.timestamp), attachments: [], reactions: [], statuses: [])
        return Stored(
            message: message, number: try row.integer(25), attachmentCount: Int(clamping: try row.integer(17)),
            reactionCount: Int(clamping: try row.integer(18)))
    }

    private static func body(from row: Row, at first: Int) throws(StoreError) -> MessageBody {
        switch try row.integer(first) {
        case 0: return .plain(try row.text(first + 1))
        case 1:
            return .box(
                SealedBox(
                    data: try row.text(first + 1), nonce: try row.text(first + 2),
                    keyVersion: try row.integer(first + 3)))
        case 2:
            return .deviceBox(
                DeviceBox(
                    ciphertext: try row.text(first + 1), nonce: try row.optional(first + 2, row.text),
                    algorithm: try row.optional(first + 4, row.text),
                    previewHash: try row.optional(first + 5, row.text),
                    keys: try DeviceKeyCodec.decode(try row.blob(first + 6))))
        case 3: return .removed
        default: throw .corrupt("messages: a form that this version does not know")
        }
    }
}

extension ChatReader {
    /// Messages with what hangs on them, in the order of the statement.
    func messages(_ statement: Statement) async throws(ChatError) -> [Message] {
        try await complete(try await all(statement, MessageTable.stored(from:)))
    }

    /// Fetches attachments and reactions of those that have any: two questions for a page, however long it is.
    func complete(_ stored: [MessageTable.Stored]) async throws(ChatError) -> [Message] {
        var messages = stored.map(\.message)
        let places = Dictionary(uniqueKeysWithValues: messages.enumerated().map { ($0.element.id, $0.offset) })
        let withAttachments = stored.filter { $0.attachmentCount > 0 }.map(\.message.id)
        if !withAttachments.isEmpty {
            let rows = try await all(Self.attachments(withAttachments), Self.attachment(from:))
            for (id, attachment) in rows { places[id].map { messages[$0].attachments.append(attachment) } }
        }
        let withReactions = stored.filter { $0.reactionCount > 0 }.map(\.message.id)
        if !withReactions.isEmpty {
            let rows = try await all(Self.reactions(withReactions), Self.reaction(from:))
            for (id, reaction) in rows { places[id].map { messages[$0].reactions.append(reaction) } }
        }
        return messages
    }

    private static func attachments(_ ids: [MessageID]) -> Statement {
        """
        SELECT message_id, id, name, size, content_type, storage FROM message_attachments \
        WHERE message_id IN (\(list: ids.padded)) ORDER BY message_id, place
        """
    }

    private static func attachment(from row: Row) throws(StoreError) -> (MessageID, Attachment) {
        (
            try row.identifier(0),
            Attachment(
                id: try row.identifier(1), name: try row.text(2), size: try row.integer(3),
                contentType: try row.text(4), storage: try row.text(5))
        )
    }

    private static func reactions(_ ids: [MessageID]) -> Statement {
        """
        SELECT message_id, user_id, emoji, created_at FROM reactions WHERE message_id IN (\(list: ids.padded)) \
        ORDER BY created_at, emoji, user_id
        """
    }

    private static func reaction(from row: Row) throws(StoreError) -> (MessageID, Reaction) {
        (
            try row.identifier(0),
            Reaction(user: try row.identifier(1), emoji: try row.text(2), createdAt: try row.timestamp(3))
        )
    }
}
