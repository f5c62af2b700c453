// The key that signs access tokens: the vault's key `accounts.tokens`. Its active version signs, the ones before verify
// until the last token that they signed is over; a token's `kid` is the version's fingerprint. Other nodes on the same
// database learn of a new version when they meet its `kid`.

import Base
import Crypto
import Store
import Vault

final class Keyring: Sendable {
    private static let log = Logger("accounts")

    private let database: any Database
    private let vault: Vault
    private let keys: VaultKeys

    init(database: any Database, vault: Vault, keys: VaultKeys) {
        self.database = database
        self.vault = vault
        self.keys = keys
    }

    /// Makes the keys that are not there yet, of what an older release kept where there is any.
    func start(at now: Timestamp) async throws(AccountError) {
        let stored = try await database.all(SigningKeyTable.all)
        var adopted: [AdoptedVersion] = []
        let current = stored.last { $0.retiredAt == nil }?.kid
        for key in stored where key.verifyUntil.map({ now < $0 }) ?? true {
            adopted.append(
                AdoptedVersion(
                    material: try seed(of: key), isActive: key.kid == current, createdAt: key.createdAt,
                    changedAt: key.retiredAt ?? key.createdAt, opensUntil: key.verifyUntil))
        }
        let versions = adopted
        try await keyed { () async throws(KeyError) in
            try await self.keys.start(adopting: [KeyNames.tokens: versions])
        }
        guard !stored.isEmpty else { return }
        try await forget(stored, at: now)
    }

    /// Their copies stand in the book now. After a kill before this, the next start comes here again.
    private func forget(_ stored: [StoredSigningKey], at now: Timestamp) async throws(AccountError) {
        let book = try await keyed { () async throws(KeyError) in try self.keys.book() }
        let known = Set(book.keys[KeyNames.tokens]?.versions.map(\.fingerprint) ?? [])
        let over = stored.filter { key in known.contains(key.kid) || key.verifyUntil.map { now >= $0 } ?? false }
        if over.count < stored.count {
            Self.log.warning("a node of an older release has made a signing key; its tokens are not known here")
        }
        let kids = over.map(\.kid)
        _ = try await database.transaction { (transaction) async throws(AccountError) in
            try await transaction.change(SigningKeyTable.delete(kids))
        }
        Self.log.info("signing keys were taken into the vault", [.count("keys", kids.count)])
    }

    private func seed(of stored: StoredSigningKey) throws(AccountError) -> Secret {
        do {
            return try vault.open(
                stored.sealedSeed, purpose: "accounts signing key v1", context: Bytes(stored.kid.utf8))
        } catch {
            throw .store(.corrupt("signing key \(stored.kid) cannot be opened: is this the database's own root key?"))
        }
    }

    /// The key to sign with.
    func current(at now: Timestamp) async throws(AccountError) -> VaultSigner {
        try await keyed { () async throws(KeyError) in
            try await self.keys.refresh()
            return try self.keys.signer(of: KeyNames.tokens)
        }
    }

    /// The key of a token, retired or not; `nil` when there is none (any more).
    func publicKey(_ kid: String, at now: Timestamp) async throws(AccountError) -> Ed25519PublicKey? {
        if let key = keys.publicKey(kid, of: KeyNames.tokens, at: now) { return key }
        return try await keyed { () async throws(KeyError) in
            try await self.keys.knownPublicKey(kid, of: KeyNames.tokens, at: now)
        }
    }
}

/// Turns a key's failure into an account's.
func keyed<Value>(_ body: () async throws(KeyError) -> Value) async throws(AccountError) -> Value {
    do { return try await body() } catch { throw AccountError(error) }
}

func keyed<Value>(_ body: () throws(KeyError) -> Value) throws(AccountError) -> Value {
    do { return try body() } catch { throw AccountError(error) }
}
