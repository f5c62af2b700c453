// Statements on `sessions` and `refresh_tokens`.

import Base
import Store

/// A login and everything that was issued from it: revoking it ends its access tokens, its cookie and the family of
/// its refresh tokens at once.
struct Session: Sendable {
    let id: SessionID
    let user: UserID
    let kind: TokenKind
    let createdAt: Timestamp
    var lastUsedAt: Timestamp
    var expiresAt: Timestamp
    var isRemembered: Bool
    /// False for clients whose document knows no second refresh token: see docs/protocol/tokens.md.
    var rotatesRefreshTokens: Bool
    let scopes: Scopes
    /// What an administrator called the token; empty for logins.
    let label: String
    let address: Private<String>
    let userAgent: Private<String>?
    var revokedAt: Timestamp?

    func isLive(at now: Timestamp) -> Bool { revokedAt == nil && now < expiresAt }
}

enum SessionTable {
    private static let columns: Statement = """
        s.id, s.user_id, s.kind, s.created_at, s.last_used_at, s.expires_at, s.is_remembered, s.rotates, s.scopes, \
        s.label, s.address, s.user_agent, s.revoked_at
        """
    private static let columnCount = 13

    static func insert(_ session: Session, cookieHash: Bytes?) -> Statement {
        """
        INSERT INTO sessions (id, user_id, kind, created_at, last_used_at, expires_at, is_remembered, rotates, \
        scopes, label, address, user_agent, revoked_at, cookie_hash) VALUES (\(session.id), \(session.user), \
        \(session.kind.rawValue), \(session.createdAt), \(session.lastUsedAt), \(session.expiresAt), \
        \(session.isRemembered), \(session.rotatesRefreshTokens), \(Int64(session.scopes.rawValue)), \
        \(session.label), \(session.address.exposed), \(session.userAgent?.exposed), \(session.revokedAt), \
        \(cookieHash))
        """
    }

    static func byID(_ id: SessionID) -> Selection<Session> {
        Selection("SELECT \(part: columns) FROM sessions s WHERE s.id = \(id)") { row throws(StoreError) in
            try session(from: row)
        }
    }

    static func withUser(id: SessionID) -> Selection<SessionAndUser> {
        withUser(where: "s.id = \(id)")
    }

    static func withUser(cookieHash: Bytes) -> Selection<SessionAndUser> {
        withUser(where: "s.cookie_hash = \(cookieHash)")
    }

    private static func withUser(where condition: Statement) -> Selection<SessionAndUser> {
        Selection(
            """
            SELECT \(part: columns), \(part: UserTable.joined) FROM sessions s JOIN users u ON u.id = s.user_id \
            WHERE \(part: condition)
            """
        ) { row throws(StoreError) in
            SessionAndUser(session: try session(from: row), user: try UserTable.user(from: row, at: columnCount))
        }
    }

    /// The live tokens of a service or a node, or all live sessions of a person, newest first.
    static func live(of user: UserID, at now: Timestamp) -> Selection<Session> {
        Selection(
            """
            SELECT \(part: columns) FROM sessions s WHERE s.user_id = \(user) AND s.revoked_at IS NULL \
            AND s.expires_at > \(now) ORDER BY s.created_at DESC
            """
        ) { row throws(StoreError) in try session(from: row) }
    }

    /// Of these, those that count, and whose account does.
    static func live(among ids: [SessionID], at now: Timestamp) -> Selection<SessionID> {
        Selection(
            """
            SELECT s.id FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id IN (\(list: ids)) \
            AND s.revoked_at IS NULL AND s.expires_at > \(now) AND u.is_active = 1
            """
        ) { row throws(StoreError) in try row.identifier(0) }
    }

    static func used(_ id: SessionID, at now: Timestamp, expires: Timestamp) -> Statement {
        "UPDATE sessions SET last_used_at = \(now), expires_at = \(expires) WHERE id = \(id)"
    }

    static func revoke(_ id: SessionID, at now: Timestamp) -> Statement {
        "UPDATE sessions SET revoked_at = \(now) WHERE id = \(id) AND revoked_at IS NULL"
    }

    static func revokeAll(of user: UserID, but kept: SessionID?, at now: Timestamp) -> Statement {
        let all: Statement = "UPDATE sessions SET revoked_at = \(now) WHERE user_id = \(user) AND revoked_at IS NULL"
        guard let kept else { return all }
        return "\(part: all) AND id <> \(kept)"
    }

    /// Of many logins only the newest stay (`AccountOptions.sessionsPerUser`). Issued tokens are not logins.
    static func revokeOldest(of user: UserID, keeping count: Int, at now: Timestamp) -> Statement {
        """
        UPDATE sessions SET revoked_at = \(now) WHERE id IN (SELECT id FROM sessions WHERE user_id = \(user) \
        AND kind = \(TokenKind.user.rawValue) AND revoked_at IS NULL ORDER BY created_at DESC, id DESC LIMIT 1000 OFFSET \(count))
        """
    }

    /// Rows that nobody can use or ask about any more.
    static func sweep(before limit: Timestamp) -> Statement {
        "DELETE FROM sessions WHERE expires_at < \(limit) OR revoked_at < \(limit)"
    }

    private static func session(from row: Row) throws(StoreError) -> Session {
        guard let kind = TokenKind(rawValue: try row.text(2)) else {
            throw .corrupt("sessions: a kind that this version does not know")
        }
        return Session(
            id: try row.identifier(0), user: try row.identifier(1), kind: kind, createdAt: try row.timestamp(3),
            lastUsedAt: try row.timestamp(4), expiresAt: try row.timestamp(5), isRemembered: try row.flag(6),
            rotatesRefreshTokens: try row.flag(7),
            scopes: Scopes(rawValue: UInt32(truncatingIfNeeded: try row.integer(8))), label: try row.text(9),
            address: Private(try row.text(10)), userAgent: try row.optional(11, row.text).map { Private($0) },
            revokedAt: try row.optional(12, row.timestamp))
    }
}

struct SessionAndUser: Sendable {
    let session: Session
    let user: User
}

enum RefreshTokenTable {
    static func insert(hash: Bytes, session: SessionID, generation: Int, expires: Timestamp) -> Statement {
        """
        INSERT INTO refresh_tokens (hash, session_id, generation, expires_at) \
        VALUES (\(hash), \(session), \(generation), \(expires))
        """
    }

    static func byHash(_ hash: Bytes) -> Selection<RefreshToken> {
        Selection(
            """
            SELECT hash, session_id, generation, expires_at, used_at, used_by, salt FROM refresh_tokens \
            WHERE hash = \(hash)
            """
        ) { row throws(StoreError) in
            RefreshToken(
                hash: try row.blob(0), session: try row.identifier(1), generation: Int(clamping: try row.integer(2)),
                expiresAt: try row.timestamp(3), usedAt: try row.optional(4, row.timestamp),
                usedBy: try row.optional(5, row.blob), salt: try row.optional(6, row.blob))
        }
    }

    static func markUsed(_ hash: Bytes, at now: Timestamp, by client: Bytes, salt: Bytes) -> Statement {
        """
        UPDATE refresh_tokens SET used_at = \(now), used_by = \(client), salt = \(salt) \
        WHERE hash = \(hash) AND used_at IS NULL
        """
    }

    static func isUnused(session: SessionID, generation: Int) -> Selection<Int> {
        .count(
            """
            SELECT COUNT(*) FROM refresh_tokens WHERE session_id = \(session) AND generation = \(generation) \
            AND used_at IS NULL
            """)
    }

    /// Used tokens are kept as long as they would have lived, because their coming back is what betrays a theft.
    static func sweep(before limit: Timestamp) -> Statement {
        "DELETE FROM refresh_tokens WHERE expires_at < \(limit)"
    }
}
