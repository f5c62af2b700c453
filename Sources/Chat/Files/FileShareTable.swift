// Statements on `file_shares`.

import Base
import Crypto
import Store

/// 32 random bytes in Base64. Only their hash is kept: who reads the database reads no files.
enum FileShareToken {
    private static let bytes = 32

    static func new() -> String { Base64.encode(SecureRandom.bytes(bytes), .urlSafe) }

    static func hash(_ token: String) -> Bytes { SHA256.hash(Bytes("plexichat file link v1 ".utf8) + token.utf8) }

    /// `nil` for what is no token: it would only be looked for in vain.
    static func hash(parsing token: String) -> Bytes? {
        guard Base64.decode(token, .urlSafe)?.count == bytes else { return nil }
        return hash(token)
    }
}

enum FileShareTable {
    private static let columns: Statement =
        "s.id, s.file_id, s.created_by, s.expires_at, s.max_downloads, s.downloads, s.created_at"

    static func isGood(_ now: Timestamp) -> Statement {
        """
        (s.expires_at IS NULL OR s.expires_at > \(now)) AND (s.max_downloads IS NULL OR s.downloads < s.max_downloads)
        """
    }

    static func insert(_ share: FileShare, _ hash: Bytes) -> Statement {
        """
        INSERT INTO file_shares (id, file_id, token_hash, created_by, expires_at, max_downloads, downloads, created_at) \
        VALUES (\(share.id), \(share.file), \(hash), \(share.createdBy), \(share.expiresAt), \(share.maxDownloads), 0, \
        \(share.createdAt))
        """
    }

    static func good(of file: FileID, at now: Timestamp) -> Statement {
        """
        SELECT \(part: columns) FROM file_shares s WHERE s.file_id = \(file) AND \(part: isGood(now)) \
        ORDER BY s.created_at DESC, s.id DESC
        """
    }

    static func byHash(_ hash: Bytes, at now: Timestamp) -> Statement {
        "SELECT \(part: columns) FROM file_shares s WHERE s.token_hash = \(hash) AND \(part: isGood(now))"
    }

    /// Of two who come at once for the last download, one gets it.
    static func use(_ id: FileShareID, at now: Timestamp) -> Statement {
        """
        UPDATE file_shares SET downloads = downloads + 1 WHERE id = \(id) AND (expires_at IS NULL OR \
        expires_at > \(now)) AND (max_downloads IS NULL OR downloads < max_downloads)
        """
    }

    static func revoke(_ id: FileShareID, of file: FileID) -> Statement {
        "DELETE FROM file_shares WHERE id = \(id) AND file_id = \(file)"
    }

    static func sweep(before now: Timestamp) -> Statement { "DELETE FROM file_shares WHERE expires_at <= \(now)" }

    static func share(from row: Row) throws(StoreError) -> FileShare {
        FileShare(
            id: try row.identifier(0), file: try row.identifier(1), createdBy: try row.identifier(2),
            expiresAt: try row.optional(3, row.timestamp),
            maxDownloads: try row.optional(4, row.integer).map { Int(clamping: $0) },
            downloads: Int(clamping: try row.integer(5)), createdAt: try row.timestamp(6))
    }
}
