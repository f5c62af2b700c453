// Statements on `files` and `file_attachments`, and who may read what.

import Accounts
import Base
import Store

enum FileTable {
    /// `now` decides whether a link is good.
    static func columns(_ now: Timestamp) -> Statement {
        """
        f.id, f.uploader_id, f.conversation_id, f.name, f.summary, f.type, f.size, f.hash, f.is_sealed, f.scan, \
        f.width, f.height, f.pages, f.title, f.author, f.thumbnail_type, f.thumbnail_size, f.thumbnail_hash, \
        f.created_at, CASE WHEN EXISTS (SELECT 1 FROM file_shares s WHERE s.file_id = f.id \
        AND \(part: FileShareTable.isGood(now))) THEN 1 ELSE 0 END
        """
    }

    /// It is there: nothing has taken it away, or a message still holds it.
    static let isAlive: Statement = """
        (f.state = 0 OR f.state = 1 AND EXISTS (SELECT 1 FROM file_attachments a JOIN conversations c \
        ON c.id = a.conversation_id WHERE a.file_id = f.id AND c.deleted_at IS NULL))
        """

    /// The rule of docs/chat/files.md, "Who may". Each of the three has an index.
    static func isReadable(by user: UserID) -> Statement {
        let theirs: Statement = """
            SELECT m.conversation_id FROM conversation_members m JOIN conversations c ON c.id = m.conversation_id \
            WHERE m.user_id = \(user) AND m.removed_at IS NULL AND c.deleted_at IS NULL
            """
        return """
            (f.uploader_id = \(user) OR f.conversation_id IN (\(part: theirs)) OR f.id IN (SELECT a.file_id \
            FROM file_attachments a WHERE a.conversation_id IN (\(part: theirs))))
            """
    }

    static func select(_ id: FileID, where condition: Statement, at now: Timestamp) -> Statement {
        """
        SELECT \(part: columns(now)) FROM files f WHERE f.id = \(id) AND \(part: isAlive) AND \(part: condition)
        """
    }

    static func insert(_ file: StoredFile) -> Statement {
        """
        INSERT INTO files (id, uploader_id, conversation_id, state, name, name_folded, summary, type, category, size, \
        hash, is_sealed, scan, width, height, pages, title, author, thumbnail_type, thumbnail_size, thumbnail_hash, \
        created_at) VALUES (\(file.id), \(file.uploader), \(file.conversation), 0, \(file.name), \
        \(ChatValidation.folded(file.name)), \(file.summary), \(file.type), \(FileCategory(file.type).rawValue), \
        \(file.size), \(file.key.hash), \(file.isSealed), \(file.scan.rawValue), \(file.details.width), \
        \(file.details.height), \(file.details.pages), \(file.details.title), \(file.details.author), \
        \(file.thumbnail?.type), \(file.thumbnail?.size), \(file.thumbnail?.key.hash), \(file.createdAt))
        """
    }

    static func file(from row: Row) throws(StoreError) -> StoredFile {
        guard let key = BlobKey(hash: try row.blob(7)), let scan = FileScan(rawValue: try row.integer(9)) else {
            throw .corrupt("files: a hash or a scan that this version does not know")
        }
        var details = FileDetails()
        details.width = try row.optional(10, row.integer).map { Int(clamping: $0) }
        details.height = try row.optional(11, row.integer).map { Int(clamping: $0) }
        details.pages = try row.optional(12, row.integer).map { Int(clamping: $0) }
        details.title = try row.optional(13, row.text)
        details.author = try row.optional(14, row.text)
        var thumbnail: FileThumbnail?
        if let type = try row.optional(15, row.text), let key = BlobKey(hash: try row.blob(17)) {
            thumbnail = FileThumbnail(type: type, size: try row.integer(16), key: key)
        }
        return StoredFile(
            id: try row.identifier(0), uploader: try row.identifier(1), conversation: try row.optionalIdentifier(2),
            name: try row.text(3), summary: try row.optional(4, row.text), type: try row.text(5),
            size: try row.integer(6), key: key, isSealed: try row.flag(8), scan: scan, details: details,
            thumbnail: thumbnail, isShared: try row.flag(19), createdAt: try row.timestamp(18))
    }

    // MARK: Lists

    static func condition(_ filter: FileFilter, for user: UserID) -> Statement {
        var condition: Statement = "\(part: isAlive) AND \(part: isReadable(by: user))"
        if let conversation = filter.conversation {
            condition = """
                \(part: condition) AND (f.conversation_id = \(conversation) OR f.id IN (SELECT b.file_id \
                FROM file_attachments b WHERE b.conversation_id = \(conversation)))
                """
        }
        if let uploader = filter.uploader { condition = "\(part: condition) AND f.uploader_id = \(uploader)" }
        if let category = filter.category { condition = "\(part: condition) AND f.category = \(category.rawValue)" }
        if let search = filter.search {
            let pattern = ChatService.likePattern(ChatValidation.folded(search))
            condition = "\(part: condition) AND f.name_folded LIKE \(pattern) ESCAPE '!'"
        }
        return condition
    }

    static func page(_ condition: Statement, _ filter: FileFilter, at now: Timestamp) -> Statement {
        """
        SELECT \(part: columns(now)) FROM files f WHERE \(part: condition) ORDER BY f.created_at DESC, f.id DESC \
        LIMIT \(filter.limit) OFFSET \(filter.offset)
        """
    }

    // MARK: Messages

    /// 1 when the file is there and the user may read it.
    static func mayAttach(_ id: FileID, _ user: UserID) -> Statement {
        """
        SELECT COUNT(*) FROM files f WHERE f.id = \(id) AND f.scan <> \(FileScan.infected.rawValue) \
        AND \(part: isAlive) AND \(part: isReadable(by: user))
        """
    }

    static func attach(_ id: FileID, to message: MessageID, in conversation: ConversationID) -> Statement {
        """
        INSERT INTO file_attachments (file_id, message_id, conversation_id) \
        VALUES (\(id), \(message), \(conversation)) ON CONFLICT DO NOTHING
        """
    }

    static func adopt(_ id: FileID, by conversation: ConversationID) -> Statement {
        "UPDATE files SET conversation_id = \(conversation) WHERE id = \(id) AND conversation_id IS NULL"
    }

    /// What these messages held is kept only as long as another one holds it.
    static func letGo(_ messages: [MessageID]) -> [Statement] {
        [
            """
            UPDATE files SET state = 1 WHERE state = 0 AND id IN (SELECT file_id FROM file_attachments \
            WHERE message_id IN (\(list: messages)))
            """,
            "DELETE FROM file_attachments WHERE message_id IN (\(list: messages))",
        ]
    }

    // MARK: Ends

    static func letGo(in conversation: ConversationID) -> Statement {
        "UPDATE files SET state = 1 WHERE conversation_id = \(conversation) AND state = 0"
    }

    static func letGo(of user: UserID) -> Statement {
        "UPDATE files SET state = 2 WHERE uploader_id = \(user) AND state <> 2"
    }

    /// Files that nothing keeps: those of an account that is gone, and those whose last message is gone.
    static func unkept(limit: Int) -> Statement {
        """
        SELECT f.id FROM files f WHERE f.state <> 0 AND (f.state = 2 OR NOT EXISTS (SELECT 1 FROM file_attachments a \
        WHERE a.file_id = f.id)) LIMIT \(limit)
        """
    }

    /// Files that are older than their conversation keeps messages.
    static func letGoOutdated(_ usual: Duration?, now: Timestamp) -> Statement {
        let age: Statement = "COALESCE(c.retention, CAST(\(usual?.microseconds) AS BIGINT))"
        return """
            UPDATE files SET state = 1 WHERE state = 0 AND id IN (SELECT f.id FROM conversations c JOIN files f \
            ON f.conversation_id = c.id WHERE c.deleted_at IS NULL AND \(part: age) IS NOT NULL AND f.state = 0 \
            AND f.created_at < \(now) - \(part: age) LIMIT 500)
            """
    }

    static func remove(_ ids: [FileID]) -> [Statement] {
        [
            "DELETE FROM file_attachments WHERE file_id IN (\(list: ids))",
            "DELETE FROM files WHERE id IN (\(list: ids))",
        ]
    }

    static func pending(limit: Int, at now: Timestamp) -> Statement {
        """
        SELECT \(part: columns(now)) FROM files f WHERE f.scan = \(FileScan.pending.rawValue) AND f.state <> 2 \
        ORDER BY f.created_at LIMIT \(limit)
        """
    }

    static func scanned(_ id: FileID, _ scan: FileScan) -> Statement {
        "UPDATE files SET scan = \(scan.rawValue) WHERE id = \(id)"
    }
}

extension FileCategory {
    private static let documents: Set<String> = [
        "application/pdf", "application/rtf", "application/msword", "application/epub+zip",
        "application/x-ole-storage",
    ]

    init(_ type: String) {
        if type.hasPrefix("image/") {
            self = .image
        } else if type.hasPrefix("audio/") {
            self = .audio
        } else if type.hasPrefix("video/") {
            self = .video
        } else if type.hasPrefix("text/") || Self.documents.contains(type)
            || type.hasPrefix("application/vnd.openxmlformats-officedocument.")
            || type.hasPrefix("application/vnd.oasis.opendocument.")
        {
            self = .document
        } else {
            self = .other
        }
    }
}
