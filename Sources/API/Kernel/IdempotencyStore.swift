// Idempotency-Key: the same request sent twice has its effect once and gets the first answer again.
//
// A row is reserved, durably, before the operation runs and holds the answer afterwards. A row whose answer never came
// (the process was killed in between) answers 409 until it expires: whether the effect happened is not known, and
// guessing would break the promise. Answers are sealed: some carry tokens.

package import Base
import Crypto
import Net
package import Store
package import Vault
import Wire

package struct IdempotencyStore: Sendable {
    enum Beginning: Sendable {
        case fresh
        /// With the fingerprint of the body that it answered.
        case replay(StoredReply, Bytes)
        case mismatch
        case pending
    }

    struct StoredReply: Sendable {
        let status: HTTPStatus
        /// The operation's own: the type of the body, and the cookies of a login, which a browser that lost the first
        /// answer would otherwise never get. What every answer carries is added anew.
        let headers: ResponseHeaders
        let body: Bytes
    }

    /// A client's key: long enough for any UUID or hash, short enough to hash without thinking.
    static let keyLengths = 1...255
    /// Longer answers are not kept; their key answers `pending` again. No JSON answer of a mutating route comes near.
    static let answerLimit = 256 << 10

    private static let sealingPurpose: StaticString = "api.idempotent-answer"

    private let database: any Database
    private let vault: Vault
    private let lifetime: Duration

    package init(database: any Database, vault: Vault, lifetime: Duration = .days(1)) {
        self.database = database
        self.vault = vault
        self.lifetime = lifetime
    }

    package static let migrations = [
        Migration(
            name: "api-0001-idempotency",
            sql: [
                """
                CREATE TABLE idempotency_keys (
                    id BLOB PRIMARY KEY,
                    fingerprint BLOB NOT NULL,
                    answer BLOB,
                    created_at INTEGER NOT NULL
                )
                """,
                "CREATE INDEX idempotency_keys_created_at ON idempotency_keys (created_at)",
            ])
    ]

    /// What a key belongs to: the caller, the method and the path; so that nobody meets another's key.
    static func identity(caller: String, method: HTTPMethod, path: String, key: String) -> Bytes {
        SHA256.hash(Bytes("\(caller)\n\(method.rawValue)\n\(path)\n\(key)".utf8))
    }

    /// Without a fingerprint nothing is compared: it is known only with the answer.
    func begin(_ id: Bytes, fingerprint: Bytes?, at now: Timestamp) async throws(StoreError) -> Beginning {
        let oldest = now - lifetime
        let row = try await database.transaction { (transaction) async throws(StoreError) -> Row? in
            try await transaction.execute("DELETE FROM idempotency_keys WHERE id = \(id) AND created_at < \(oldest)")
            let rows = try await transaction.query("SELECT fingerprint, answer FROM idempotency_keys WHERE id = \(id)")
            if let row = rows.first { return row }
            try await transaction.execute(
                "INSERT INTO idempotency_keys (id, fingerprint, created_at) VALUES (\(id), \(fingerprint ?? []), \(now))"
            )
            return nil
        }
        guard let row else { return .fresh }
        let stored = try row.blob(0)
        if let fingerprint, stored != fingerprint { return .mismatch }
        guard let sealed = try row.optional(1, row.blob), let reply = unseal(sealed, id) else { return .pending }
        return .replay(reply, stored)
    }

    /// Keeps the answer. One that asks for another try later (5xx, 429) is not kept: the key becomes free for it.
    func finish(_ id: Bytes, with reply: StoredReply, fingerprint: Bytes? = nil) async throws(StoreError) {
        guard reply.status.code < 500, reply.status != .tooManyRequests else {
            try await database.execute("DELETE FROM idempotency_keys WHERE id = \(id)")
            return
        }
        guard reply.body.count <= Self.answerLimit else { return }
        let sealed = seal(reply, id)
        guard let fingerprint else {
            try await database.execute("UPDATE idempotency_keys SET answer = \(sealed) WHERE id = \(id)")
            return
        }
        try await database.execute(
            "UPDATE idempotency_keys SET answer = \(sealed), fingerprint = \(fingerprint) WHERE id = \(id)")
    }

    /// Forgets what is older than a key's life. Called now and then by the server's maintenance.
    package func purge(at now: Timestamp) async throws(StoreError) {
        let oldest = now - lifetime
        try await database.execute("DELETE FROM idempotency_keys WHERE created_at < \(oldest)")
    }

    private func seal(_ reply: StoredReply, _ id: Bytes) -> Bytes {
        let head = Bytes("\(reply.status.code)\n\(reply.headers.encoded.count)\n".utf8)
        return vault.seal(
            Secret(head + reply.headers.encoded + reply.body), purpose: Self.sealingPurpose, context: id)
    }

    private func unseal(_ sealed: Bytes, _ id: Bytes) -> StoredReply? {
        guard let plain = try? vault.open(sealed, purpose: Self.sealingPurpose, context: id).exposedBytes else {
            return nil
        }
        let parts = plain.split(separator: 10, maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, let code = Int(String(decoding: parts[0], as: UTF8.self)),
            let headerCount = Int(String(decoding: parts[1], as: UTF8.self)),
            (0...parts[2].count).contains(headerCount)
        else { return nil }
        return StoredReply(
            status: HTTPStatus(code), headers: ResponseHeaders(encoded: Bytes(parts[2].prefix(headerCount))),
            body: Bytes(parts[2].dropFirst(headerCount)))
    }
}
