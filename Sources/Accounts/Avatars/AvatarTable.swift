// The table of users' pictures, and the statements on it.

import Base
import Store

enum AvatarTable {
    /// No foreign key: a row outlives its user until `sweep` has let its blob go.
    static let migration = Migration(
        name: "avatars-0001",
        sql: [
            """
            CREATE TABLE avatars (
                id BLOB NOT NULL PRIMARY KEY, user_id BLOB NOT NULL, hash BLOB NOT NULL, size INTEGER NOT NULL,
                type TEXT NOT NULL, created_at INTEGER NOT NULL
            ) STRICT
            """,
            "CREATE INDEX avatars_by_user ON avatars (user_id)",
        ])

    static func insert(_ avatar: Avatar) -> Statement {
        """
        INSERT INTO avatars (id, user_id, hash, size, type, created_at) VALUES (\(avatar.id), \(avatar.user), \
        \(avatar.key.hash), \(avatar.size), \(avatar.type), \(avatar.createdAt))
        """
    }

    static func byID(_ id: UUID) -> Statement {
        "SELECT id, user_id, hash, size, type, created_at FROM avatars WHERE id = \(id)"
    }

    static func of(_ user: UserID) -> Statement { "SELECT id FROM avatars WHERE user_id = \(user)" }

    static func withoutUser(limit: Int) -> Statement {
        """
        SELECT a.id FROM avatars a WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.id = a.user_id) LIMIT \(limit)
        """
    }

    static func delete(_ ids: [UUID]) -> Statement { "DELETE FROM avatars WHERE id IN (\(list: ids))" }

    static func avatar(from row: Row) throws(StoreError) -> Avatar {
        guard let key = BlobKey(hash: try row.blob(2)) else { throw .corrupt("avatars: a hash of another length") }
        return Avatar(
            id: try uuid(row, 0), user: try row.identifier(1), key: key, size: try row.integer(3),
            type: try row.text(4), createdAt: try row.timestamp(5))
    }
}
