// What accounts have that needs a key.

import Base
import Crypto
import Store
import Vault

/// Secrets of authenticator apps, and addresses and numbers that codes are sent to.
struct SealedFactors: KeyUser {
    private static let purpose: StaticString = "accounts mfa factor v1"

    let key = KeyNames.factors
    let what = "second factors"
    let database: any Database

    static func seal(_ secret: Secret, of factor: UUID, _ keys: VaultKeys) throws(KeyError) -> Bytes {
        try keys.seal(secret, with: KeyNames.factors, purpose: purpose, context: factor.bytes)
    }

    static func open(_ sealed: Bytes, of factor: UUID, _ keys: VaultKeys) throws(KeyError) -> Secret {
        try keys.open(sealed, with: KeyNames.factors, purpose: purpose, context: factor.bytes)
    }

    func count(of version: KeyVersion, at now: Timestamp) async throws(KeyError) -> Int {
        try await count(Self.isSealed(by: version.number))
    }

    /// What a disabled version sealed waits until that is enabled: it stands in nobody's way.
    func countToRewrap(_ keys: VaultKeys) async throws(KeyError) -> Int {
        var total = 0
        for version in try keys.olderVersions(of: key) { total += try await count(Self.isSealed(by: version)) }
        return total
    }

    func rewrap(_ keys: VaultKeys, limit: Int) async throws(KeyError) -> Int {
        for version in try keys.olderVersions(of: key) {
            let done = try await rewrap(keys, from: version, limit: limit)
            if done > 0 { return done }
        }
        return 0
    }

    private func rewrap(_ keys: VaultKeys, from version: UInt32, limit: Int) async throws(KeyError) -> Int {
        try await database.transaction { (transaction) async throws(KeyError) -> Int in
            let rows: [Row]
            do {
                rows = try await transaction.query(
                    """
                    SELECT id, sealed FROM mfa_factors WHERE sealed IS NOT NULL \
                    AND \(part: Self.isSealed(by: version)) ORDER BY id LIMIT \(limit)
                    """)
                for row in rows {
                    guard let id = UUID(try row.blob(0)) else { throw StoreError.corrupt("mfa_factors: no identifier") }
                    try await Self.rewrap(id, try row.blob(1), keys, transaction)
                }
            } catch let error as KeyError {
                throw error
            } catch let error as StoreError {
                throw KeyError(error)
            } catch {
                throw .corrupt("\(error)")
            }
            return rows.count
        }
    }

    private static func rewrap(
        _ id: UUID, _ sealed: Bytes, _ keys: VaultKeys, _ transaction: any Transaction
    ) async throws {
        let anew = try seal(try open(sealed, of: id, keys), of: id, keys)
        try await transaction.execute("UPDATE mfa_factors SET sealed = \(anew) WHERE id = \(id) AND sealed = \(sealed)")
    }

    /// By the first bytes, as a range: both databases order bytes alike.
    private static func isSealed(by version: UInt32) -> Statement {
        let first = VaultKeys.header(of: version)
        guard version < .max else { return "sealed >= \(first)" }
        return "sealed >= \(first) AND sealed < \(VaultKeys.header(of: version + 1))"
    }

    private func count(_ condition: Statement) async throws(KeyError) -> Int {
        do {
            let rows = try await database.query(
                "SELECT COUNT(*) FROM mfa_factors WHERE sealed IS NOT NULL AND \(part: condition)")
            return Int(clamping: try rows.first?.integer(0) ?? 0)
        } catch { throw KeyError(error) }
    }
}

/// Tokens without a refresh token: of service accounts, nodes, and the console. Those of logins get a new one soon.
struct IssuedTokens: KeyUser {
    let key = KeyNames.tokens
    let what = "issued tokens"
    let database: any Database

    func count(of version: KeyVersion, at now: Timestamp) async throws(KeyError) -> Int {
        let end = version.state == .active ? now : version.changedAt
        do {
            let rows = try await database.query(
                """
                SELECT COUNT(*) FROM sessions s WHERE s.revoked_at IS NULL AND s.expires_at > \(now) \
                AND s.created_at >= \(version.createdAt) AND s.created_at <= \(end) \
                AND NOT EXISTS (SELECT 1 FROM refresh_tokens t WHERE t.session_id = s.id)
                """)
            return Int(clamping: try rows.first?.integer(0) ?? 0)
        } catch { throw KeyError(error) }
    }
}
