// Statements on `api_keys` and `signing_keys`.

import Base
import Store

enum APIKeyTable {
    private static let columns: Statement = """
        k.id, k.user_id, k.name, k.hint, k.access, k.scopes, k.created_at, k.expires_at, k.revoked_at, k.last_used_at
        """
    private static let columnCount = 10

    static func insert(_ key: APIKey, hash: Bytes) -> Statement {
        """
        INSERT INTO api_keys (id, user_id, hash, name, hint, access, scopes, created_at, expires_at) VALUES \
        (\(key.id), \(key.user), \(hash), \(key.name), \(key.hint), \(Int64(key.access.rawValue)), \
        \(Int64(key.scopes.rawValue)), \(key.createdAt), \(key.expiresAt))
        """
    }

    static func withUser(hash: Bytes) -> Selection<APIKeyAndUser> { withUser(where: "k.hash = \(hash)") }

    static func withUser(id: APIKeyID) -> Selection<APIKeyAndUser> { withUser(where: "k.id = \(id)") }

    private static func withUser(where condition: Statement) -> Selection<APIKeyAndUser> {
        Selection(
            """
            SELECT \(part: columns), \(part: UserTable.joined) FROM api_keys k JOIN users u ON u.id = k.user_id \
            WHERE \(part: condition)
            """
        ) { row throws(StoreError) in
            APIKeyAndUser(key: try key(from: row), user: try UserTable.user(from: row, at: columnCount))
        }
    }

    static func all(of user: UserID) -> Selection<APIKey> {
        Selection("SELECT \(part: columns) FROM api_keys k WHERE k.user_id = \(user) ORDER BY k.created_at, k.id") {
            row throws(StoreError) in try key(from: row)
        }
    }

    static func live(of user: UserID, at now: Timestamp) -> Selection<Int> {
        .count(
            """
            SELECT COUNT(*) FROM api_keys WHERE user_id = \(user) AND revoked_at IS NULL \
            AND (expires_at IS NULL OR expires_at > \(now))
            """)
    }

    /// Of these, those that count, and whose account does.
    static func live(among ids: [APIKeyID], at now: Timestamp) -> Selection<APIKeyID> {
        Selection(
            """
            SELECT k.id FROM api_keys k JOIN users u ON u.id = k.user_id WHERE k.id IN (\(list: ids)) \
            AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > \(now)) AND u.is_active = 1
            """
        ) { row throws(StoreError) in try row.identifier(0) }
    }

    static func revoke(_ id: APIKeyID, of user: UserID, at now: Timestamp) -> Statement {
        "UPDATE api_keys SET revoked_at = \(now) WHERE id = \(id) AND user_id = \(user) AND revoked_at IS NULL"
    }

    static func used(_ id: APIKeyID, at now: Timestamp) -> Statement {
        "UPDATE api_keys SET last_used_at = \(now) WHERE id = \(id)"
    }

    private static func key(from row: Row) throws(StoreError) -> APIKey {
        APIKey(
            id: try row.identifier(0), user: try row.identifier(1), name: try row.text(2), hint: try row.text(3),
            access: Access(rawValue: UInt8(truncatingIfNeeded: try row.integer(4))),
            scopes: Scopes(rawValue: UInt32(truncatingIfNeeded: try row.integer(5))),
            createdAt: try row.timestamp(6), expiresAt: try row.optional(7, row.timestamp),
            revokedAt: try row.optional(8, row.timestamp), lastUsedAt: try row.optional(9, row.timestamp))
    }
}

struct APIKeyAndUser: Sendable {
    let key: APIKey
    let user: User
}

/// Where the keys that sign tokens were kept before they had a name.
enum SigningKeyTable {
    static var all: Selection<StoredSigningKey> {
        Selection(
            "SELECT kid, sealed_seed, created_at, retired_at, verify_until FROM signing_keys ORDER BY created_at, kid"
        ) { row throws(StoreError) in
            StoredSigningKey(
                kid: try row.text(0), sealedSeed: try row.blob(1), createdAt: try row.timestamp(2),
                retiredAt: try row.optional(3, row.timestamp), verifyUntil: try row.optional(4, row.timestamp))
        }
    }

    static func delete(_ kids: [String]) -> Statement { "DELETE FROM signing_keys WHERE kid IN (\(list: kids))" }
}

struct StoredSigningKey: Sendable {
    let kid: String
    let sealedSeed: Bytes
    let createdAt: Timestamp
    let retiredAt: Timestamp?
    let verifyUntil: Timestamp?
}
