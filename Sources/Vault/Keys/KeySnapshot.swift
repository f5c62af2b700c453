// Some named keys as they were at one moment, opened: for work that is long and must not see them change (a backup), and
// for work where no database is (restoring one). The form in which a copy of the book is kept elsewhere belongs to who
// keeps it: docs/formats/backup.md, "Keys".

package import Base
package import Crypto
import Synchronization

package struct KeySnapshot: Sendable {
    /// With these keys only. Its seal is the whole book's, and fits no other one.
    package let book: KeyBook
    package let vault: Vault
    private let rings: [String: KeyRing]

    /// Opens what may open. That the book is what it was when it was kept is for the caller to see: `codeOfCopy`.
    package init(opening book: KeyBook, with vault: Vault) throws(KeyError) {
        var rings: [String: KeyRing] = [:]
        for (name, key) in book.keys { rings[name] = try KeyRing(key, vault, reusing: nil) }
        self.init(book, vault, rings)
    }

    fileprivate init(_ book: KeyBook, _ vault: Vault, _ rings: [String: KeyRing]) {
        self.book = book
        self.vault = vault
        self.rings = rings
    }

    private func ring(_ name: String, _ kind: KeyKind) throws(KeyError) -> KeyRing {
        guard let ring = rings[name] else { throw .unknownKey(name) }
        guard ring.kind == kind else { throw .kind("`\(name)` is of kind \(ring.kind.rawValue), not \(kind.rawValue)") }
        return ring
    }

    private func active(_ name: String, _ kind: KeyKind) throws(KeyError) -> KeyRing.Opened {
        guard let active = try ring(name, kind).active else {
            throw .state("the key `\(name)` has no active version; rotate it")
        }
        return active
    }

    package func recipient(of name: String) throws(KeyError) -> AgeRecipient {
        guard case .hybrid(let key) = try active(name, .hybrid).material else { throw .unknownKey(name) }
        return .hybrid(key.publicKey)
    }

    package func signer(of name: String) throws(KeyError) -> VaultSigner {
        let active = try active(name, .ed25519)
        guard case .ed25519(let key) = active.material else { throw .unknownKey(name) }
        return VaultSigner(active.version, key)
    }

    /// Newest first, with the versions' fingerprints.
    package func identities(of name: String) throws(KeyError) -> [(fingerprint: String, identity: AgeIdentity)] {
        try ring(name, .hybrid).opened.compactMap { opened in
            guard case .hybrid(let key) = opened.material else { return nil }
            return (opened.version.fingerprint, .hybrid(key))
        }
    }

    /// The same of keys that verify.
    package func verifiers(of name: String) throws(KeyError) -> [(fingerprint: String, key: Ed25519PublicKey)] {
        try ring(name, .ed25519).opened.compactMap { opened in
            guard case .ed25519(let key) = opened.material else { return nil }
            return (opened.version.fingerprint, key.publicKey)
        }
    }

    /// Of every version, whatever its state.
    package func fingerprints(of name: String) -> Set<String> {
        Set(book.keys[name]?.versions.map(\.fingerprint) ?? [])
    }
}

extension VaultKeys {
    /// From the book as it was read last.
    package func snapshot(of names: [String]) throws(KeyError) -> KeySnapshot {
        let (vault, book, rings) = state.withLock { ($0.vault, $0.book, $0.rings) }
        guard let book else { throw .repository("the keys were not read yet", isPassing: true) }
        for name in names where rings[name] == nil { throw .unknownKey(name) }
        return KeySnapshot(
            KeyBook(root: book.root, keys: book.keys.filter { names.contains($0.key) }), vault,
            rings.filter { names.contains($0.key) })
    }
}

extension Vault {
    /// Authenticates a copy of some of the book, in whatever form it is kept.
    package func codeOfCopy(_ bytes: Bytes) -> Bytes { HMAC.sha256(bytes, key: copyKey) }
}
