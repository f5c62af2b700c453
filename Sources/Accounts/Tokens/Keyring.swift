// The keys that sign access tokens. One signs, the retired ones verify until the last token that they signed is over;
// seeds are stored sealed. Other nodes on the same database learn of a new key when they meet its `kid`.

package import Base
import Crypto
import Store
import Synchronization
import Vault

package final class Keyring: Sendable {
    struct SigningKey: Sendable {
        let kid: String
        let privateKey: Ed25519PrivateKey
        let createdAt: Timestamp
        let retiredAt: Timestamp?
        let verifyUntil: Timestamp?
    }

    private struct State {
        var keys: [String: SigningKey] = [:]
        var current: SigningKey?
        var loadedAt: Timestamp?
    }

    /// A token with an unknown `kid` makes a node look for new keys, at most this often: otherwise invented ones would
    /// buy a database read each.
    private static let reloadInterval = Duration.seconds(1)
    /// A node that signs looks this often whether another node has rotated.
    private static let refreshInterval = Duration.seconds(60)

    private let database: any Database
    private let vault: Vault
    private let state = Mutex(State())

    init(database: any Database, vault: Vault) {
        self.database = database
        self.vault = vault
    }

    /// The key to sign with. Makes the first one.
    func current(at now: Timestamp) async throws(AccountError) -> SigningKey {
        if let key = fresh(at: now) { return key }
        try await load(at: now)
        if let key = state.withLock({ $0.current }) { return key }
        _ = try await insertKey(at: now, verifyingOld: .zero, onlyIfNone: true)
        try await load(at: now)
        guard let key = state.withLock({ $0.current }) else { throw .store(.corrupt("no signing key was kept")) }
        return key
    }

    private func fresh(at now: Timestamp) -> SigningKey? {
        state.withLock { state in
            guard let loadedAt = state.loadedAt, now < loadedAt + Self.refreshInterval else { return nil }
            return state.current
        }
    }

    /// The key of a token, retired or not; `nil` when there is none (any more).
    func publicKey(_ kid: String, at now: Timestamp) async throws(AccountError) -> Ed25519PublicKey? {
        if let key = known(kid, at: now) { return key }
        let mayLoad = state.withLock { state in
            state.loadedAt.map { now >= $0 + Self.reloadInterval } ?? true
        }
        guard mayLoad else { return nil }
        try await load(at: now)
        return known(kid, at: now)
    }

    private func known(_ kid: String, at now: Timestamp) -> Ed25519PublicKey? {
        guard let key = state.withLock({ $0.keys[kid] }) else { return nil }
        if let until = key.verifyUntil, now >= until { return nil }
        return key.privateKey.publicKey
    }

    /// Makes a new key the current one; what the old one signed stays valid for `verifyingOld`.
    func rotate(at now: Timestamp, verifyingOld: Duration) async throws(AccountError) -> String {
        let kid = try await insertKey(at: now, verifyingOld: verifyingOld, onlyIfNone: false)
        try await load(at: now)
        return kid
    }

    /// All keys, without what is secret about them.
    func list(at now: Timestamp) async throws(AccountError) -> [SigningKeyInfo] {
        try await load(at: now)
        return state.withLock { state in state.keys.values.map { $0.info } }.sorted { $0.createdAt > $1.createdAt }
    }

    /// Forgets a retired key at once, and with it every token that it signed.
    func discard(_ kid: String, at now: Timestamp) async throws(AccountError) -> Bool {
        let count = try await database.transaction { (transaction) async throws(AccountError) in
            try await transaction.change(SigningKeyTable.delete(kid))
        }
        try await load(at: now)
        return count > 0
    }

    private func insertKey(
        at now: Timestamp, verifyingOld: Duration, onlyIfNone: Bool
    ) async throws(AccountError) -> String {
        let key = Ed25519PrivateKey()
        let kid = Hex.encode(SHA256.hash(key.publicKey.bytes).prefix(8))
        let stored = StoredSigningKey(
            kid: kid, publicKey: key.publicKey.bytes,
            sealedSeed: vault.seal(key.seed, purpose: "accounts signing key v1", context: Bytes(kid.utf8)),
            createdAt: now, retiredAt: nil, verifyUntil: nil)
        try await database.transaction { (transaction) async throws(AccountError) in
            if onlyIfNone {
                let keys = try await transaction.all(SigningKeyTable.all)
                guard keys.allSatisfy({ $0.retiredAt != nil }) else { return }
            }
            try await transaction.change(SigningKeyTable.retireAll(at: now, verifyUntil: now + verifyingOld))
            try await transaction.change(SigningKeyTable.insert(stored))
        }
        return kid
    }

    private func load(at now: Timestamp) async throws(AccountError) {
        var keys: [String: SigningKey] = [:]
        for stored in try await database.all(SigningKeyTable.all) { keys[stored.kid] = try open(stored) }
        let current = keys.values.filter { $0.retiredAt == nil }.max { $0.createdAt < $1.createdAt }
        state.withLock { $0 = State(keys: keys, current: current, loadedAt: now) }
    }

    private func open(_ stored: StoredSigningKey) throws(AccountError) -> SigningKey {
        do {
            let seed = try vault.open(
                stored.sealedSeed, purpose: "accounts signing key v1", context: Bytes(stored.kid.utf8))
            return SigningKey(
                kid: stored.kid, privateKey: try Ed25519PrivateKey(seed: seed), createdAt: stored.createdAt,
                retiredAt: stored.retiredAt, verifyUntil: stored.verifyUntil)
        } catch {
            throw .store(.corrupt("signing key \(stored.kid) cannot be opened: is this the database's own root key?"))
        }
    }
}

/// What may be told about a signing key.
package struct SigningKeyInfo: Sendable, Equatable {
    package let kid: String
    package let createdAt: Timestamp
    package let retiredAt: Timestamp?
    package let verifyUntil: Timestamp?
}

extension Keyring.SigningKey {
    fileprivate var info: SigningKeyInfo {
        SigningKeyInfo(kid: kid, createdAt: createdAt, retiredAt: retiredAt, verifyUntil: verifyUntil)
    }
}
