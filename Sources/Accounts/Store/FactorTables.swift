// Statements on `mfa_factors`, `recovery_codes`, `challenges` and `password_resets`.

import Base
import Store

/// A second factor as it is stored.
struct Factor: Sendable {
    let id: UUID
    let user: UserID
    let method: MFAMethod
    let label: String
    /// False from enrolment until the first right code.
    var isActive: Bool
    /// A TOTP secret, an e-mail address or a number, sealed with `id` as its context.
    let sealed: Bytes?
    /// The last TOTP step that was accepted.
    var lastStep: Int64
    let credentialID: Bytes?
    /// A COSE key.
    let credentialKey: Bytes?
    var signCount: Int64
    let createdAt: Timestamp
    var lastUsedAt: Timestamp?
}

enum FactorTable {
    private static let columns: Statement = """
        id, user_id, method, label, is_active, sealed, last_step, credential_id, credential_key, sign_count, \
        created_at, last_used_at
        """

    static func insert(_ factor: Factor) -> Statement {
        """
        INSERT INTO mfa_factors (\(part: columns)) VALUES (\(factor.id), \(factor.user), \
        \(factor.method.rawValue), \(factor.label), \(factor.isActive), \(factor.sealed), \(factor.lastStep), \
        \(factor.credentialID), \(factor.credentialKey), \(factor.signCount), \(factor.createdAt), \
        \(factor.lastUsedAt))
        """
    }

    static func all(of user: UserID) -> Selection<Factor> {
        select("user_id = \(user) ORDER BY created_at, id")
    }

    static func byID(_ id: UUID, of user: UserID) -> Selection<Factor> {
        select("id = \(id) AND user_id = \(user)")
    }

    static func byCredential(_ credential: Bytes) -> Selection<Factor> {
        select("credential_id = \(credential)")
    }

    /// Changes nothing when a later step was accepted meanwhile: then the code counts as used.
    static func accept(step: Int64, of id: UUID, at now: Timestamp) -> Statement {
        """
        UPDATE mfa_factors SET last_step = \(step), last_used_at = \(now), is_active = 1 \
        WHERE id = \(id) AND last_step < \(step)
        """
    }

    static func activate(_ id: UUID, at now: Timestamp) -> Statement {
        "UPDATE mfa_factors SET is_active = 1, last_used_at = \(now) WHERE id = \(id)"
    }

    /// Changes nothing when the counter went on meanwhile.
    static func counted(_ count: Int64, after previous: Int64, of id: UUID, at now: Timestamp) -> Statement {
        """
        UPDATE mfa_factors SET sign_count = \(count), last_used_at = \(now) \
        WHERE id = \(id) AND sign_count = \(previous)
        """
    }

    static func delete(_ id: UUID, of user: UserID) -> Statement {
        "DELETE FROM mfa_factors WHERE id = \(id) AND user_id = \(user)"
    }

    /// An enrolment that was begun and not finished gives way to the next one.
    static func deletePending(_ method: MFAMethod, of user: UserID) -> Statement {
        "DELETE FROM mfa_factors WHERE user_id = \(user) AND method = \(method.rawValue) AND is_active = 0"
    }

    private static func select(_ condition: Statement) -> Selection<Factor> {
        Selection("SELECT \(part: columns) FROM mfa_factors WHERE \(part: condition)") { row throws(StoreError) in
            guard let method = MFAMethod(rawValue: try row.text(2)) else {
                throw .corrupt("mfa_factors: a method that this version does not know")
            }
            return Factor(
                id: try uuid(row, 0), user: try row.identifier(1), method: method, label: try row.text(3),
                isActive: try row.flag(4), sealed: try row.optional(5, row.blob), lastStep: try row.integer(6),
                credentialID: try row.optional(7, row.blob), credentialKey: try row.optional(8, row.blob),
                signCount: try row.integer(9), createdAt: try row.timestamp(10),
                lastUsedAt: try row.optional(11, row.timestamp))
        }
    }
}

enum RecoveryCodeTable {
    static func insert(_ hash: Bytes, of user: UserID) -> Statement {
        "INSERT INTO recovery_codes (user_id, hash) VALUES (\(user), \(hash))"
    }

    static func deleteAll(of user: UserID) -> Statement { "DELETE FROM recovery_codes WHERE user_id = \(user)" }

    /// Changes one row for a right code, and none the second time.
    static func use(_ hash: Bytes, of user: UserID, at now: Timestamp) -> Statement {
        """
        UPDATE recovery_codes SET used_at = \(now) \
        WHERE user_id = \(user) AND hash = \(hash) AND used_at IS NULL
        """
    }

    static func isUnused(_ hash: Bytes, of user: UserID) -> Selection<Int> {
        .count(
            """
            SELECT COUNT(*) FROM recovery_codes WHERE user_id = \(user) AND hash = \(hash) AND used_at IS NULL
            """)
    }

    static func unused(of user: UserID) -> Selection<Int> {
        .count("SELECT COUNT(*) FROM recovery_codes WHERE user_id = \(user) AND used_at IS NULL")
    }
}

/// A question that waits for its answer.
struct StoredChallenge: Sendable {
    enum Purpose: String, Sendable {
        /// The second step of a login.
        case login
        /// Proving an address or a number before it becomes a factor.
        case enrolment
        case passkeyRegistration = "passkey_registration"
        /// A login that begins with a passkey.
        case passkeyLogin = "passkey_login"
    }

    let tokenHash: Bytes
    let user: UserID?
    let purpose: Purpose
    var attempts: Int
    /// How many codes were sent for it.
    var sent: Int
    var factor: UUID?
    var codeHash: Bytes?
    /// The random bytes that a WebAuthn client signs.
    let challenge: Bytes?
    /// What kind of session the login asked for.
    let session: SessionRequest
    let createdAt: Timestamp
    let expiresAt: Timestamp
}

enum ChallengeTable {
    private static let columns: Statement = """
        token_hash, user_id, purpose, attempts, sent, factor_id, code_hash, challenge, session, created_at, expires_at
        """

    static func insert(_ challenge: StoredChallenge) -> Statement {
        """
        INSERT INTO challenges (\(part: columns)) VALUES (\(challenge.tokenHash), \(challenge.user), \
        \(challenge.purpose.rawValue), \(challenge.attempts), \(challenge.sent), \(challenge.factor), \
        \(challenge.codeHash), \(challenge.challenge), \(challenge.session.stored), \(challenge.createdAt), \
        \(challenge.expiresAt))
        """
    }

    static func byToken(_ hash: Bytes) -> Selection<StoredChallenge> {
        Selection("SELECT \(part: columns) FROM challenges WHERE token_hash = \(hash)") { row throws(StoreError) in
            guard let purpose = StoredChallenge.Purpose(rawValue: try row.text(2)) else {
                throw .corrupt("challenges: a purpose that this version does not know")
            }
            return StoredChallenge(
                tokenHash: try row.blob(0),
                user: try row.optional(
                    1,
                    { column throws(StoreError) in
                        try row.identifier(column, UserKind.self)
                    }), purpose: purpose, attempts: Int(clamping: try row.integer(3)),
                sent: Int(clamping: try row.integer(4)),
                factor: try row.optional(5, { column throws(StoreError) in try uuid(row, column) }),
                codeHash: try row.optional(6, row.blob), challenge: try row.optional(7, row.blob),
                session: SessionRequest(stored: try row.text(8)), createdAt: try row.timestamp(9),
                expiresAt: try row.timestamp(10))
        }
    }

    /// Counts an answer before it is looked at: answers that come together cannot share one attempt. Changes nothing
    /// when there are none left.
    static func attempt(_ hash: Bytes, limit: Int, at now: Timestamp) -> Statement {
        """
        UPDATE challenges SET attempts = attempts + 1 \
        WHERE token_hash = \(hash) AND attempts < \(limit) AND expires_at > \(now)
        """
    }

    static func setCode(_ codeHash: Bytes, factor: UUID, of hash: Bytes, limit: Int) -> Statement {
        """
        UPDATE challenges SET code_hash = \(codeHash), factor_id = \(factor), sent = sent + 1 \
        WHERE token_hash = \(hash) AND sent < \(limit)
        """
    }

    static func delete(_ hash: Bytes) -> Statement { "DELETE FROM challenges WHERE token_hash = \(hash)" }

    static func waiting(_ purpose: StoredChallenge.Purpose) -> Selection<Int> {
        .count("SELECT COUNT(*) FROM challenges WHERE purpose = \(purpose.rawValue)")
    }

    static func deleteAll(of user: UserID) -> Statement { "DELETE FROM challenges WHERE user_id = \(user)" }

    static func sweep(at now: Timestamp) -> Statement { "DELETE FROM challenges WHERE expires_at < \(now)" }
}

enum PasswordResetTable {
    static func insert(_ hash: Bytes, user: UserID, at now: Timestamp, expires: Timestamp) -> Statement {
        """
        INSERT INTO password_resets (token_hash, user_id, created_at, expires_at) \
        VALUES (\(hash), \(user), \(now), \(expires))
        """
    }

    static func user(of hash: Bytes, at now: Timestamp) -> Selection<UserID> {
        Selection("SELECT user_id FROM password_resets WHERE token_hash = \(hash) AND expires_at > \(now)") {
            row throws(StoreError) in try row.identifier(0)
        }
    }

    static func delete(_ hash: Bytes) -> Statement { "DELETE FROM password_resets WHERE token_hash = \(hash)" }

    static func deleteAll(of user: UserID) -> Statement { "DELETE FROM password_resets WHERE user_id = \(user)" }

    static func sweep(at now: Timestamp) -> Statement { "DELETE FROM password_resets WHERE expires_at < \(now)" }
}

func uuid(_ row: Row, _ column: Int) throws(StoreError) -> UUID {
    guard let uuid = UUID(try row.blob(column)) else { throw .corrupt("column \(column) should hold sixteen bytes") }
    return uuid
}
