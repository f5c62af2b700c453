// Replacing the root key: docs/formats/vault.md, "Replacing the root key". Every wrapped key is wrapped anew; nothing that
// they opened is touched.

import Base
import Crypto
import Synchronization

extension VaultKeys {
    /// Where the next root key comes from.
    package enum NextRoot: Sendable, Equatable {
        /// A new one in the place of the file that is in use, which is kept as `….old`.
        case sameFile
        /// A new file; any other source: the key that is there, which must not be the one in use.
        case source(Vault.RootKeySource)
    }

    /// Replaces the root key. At every moment of it a start finds the key that the data needs: the old one or the new
    /// one. Returns what the configuration has to say from now on.
    @discardableResult
    package func replaceRoot(
        by next: NextRoot, actor: (any KeyActor)? = nil
    ) async throws(KeyError) -> Vault.RootKeySource {
        let prepared: PreparedRoot
        do { prepared = try PreparedRoot(next, now: state.withLock { $0.vault }) } catch { throw .vault(error) }
        try await changeRoot(to: prepared, by: actor)
        do { try prepared.settle() } catch { throw .vault(error) }
        return prepared.source
    }

    private func changeRoot(to next: PreparedRoot, by actor: (any KeyActor)?) async throws(KeyError) {
        for _ in 0..<8 {
            guard let old = try await repository.load() else { throw .corrupt("there is no record of the root key") }
            let vault = try Self.vault(state.withLock { $0.vault }, for: old)
            let successor: Vault
            do {
                successor = try vault.succeeded(by: next.key, from: next.source, passphrase: next.passphrase)
            } catch { throw .vault(error) }
            var new = KeyBook(root: successor.record, keys: try Self.rewrapped(old, from: vault, to: successor))
            new.root.revision = old.root.revision + 1
            new.root.mac = successor.mac(of: new)
            let event = KeyEvent(
                .rootChanged, nil, details: [("epoch", "\(new.root.epoch)"), ("source", "\(next.source)")])
            if try await repository.replace(old, with: new, noting: [event], by: actor) {
                state.withLock { $0.vault = successor }
                return
            }
        }
        throw .contended
    }

    static func rewrapped(_ book: KeyBook, from old: Vault, to new: Vault) throws(KeyError) -> [String: NamedKey] {
        var keys = book.keys
        for (name, key) in book.keys {
            for (index, version) in key.versions.enumerated() {
                guard let wrapped = version.wrapped else { continue }
                do {
                    let material = try old.unwrap(wrapped, key.kind, name, version.number)
                    keys[name]?.versions[index].wrapped = new.wrap(material, key.kind, name, version.number)
                } catch { throw .corrupt("version \(version.number) of `\(name)`: \(error)") }
            }
        }
        return keys
    }

    /// Shares of the root key in use; that they were made is noted.
    package func recoveryShares(
        needed: Int, of count: Int, by actor: (any KeyActor)? = nil
    ) async throws(KeyError) -> [RecoveryShare] {
        let shares: [RecoveryShare]
        do {
            shares = try state.withLock { $0.vault }.recoveryShares(needed: needed, of: count)
        } catch { throw .vault(error) }
        try await note([KeyEvent(.sharesMade, nil, details: [("needed", "\(needed)"), ("of", "\(count)")])], by: actor)
        return shares
    }

    package var rootSource: Vault.RootKeySource { state.withLock { $0.vault.source } }
}

/// The next root key, durable wherever it has to be before the data needs it.
private struct PreparedRoot {
    let key: Secret
    let source: Vault.RootKeySource
    let passphrase: String?
    /// The file whose place it takes.
    private let replaces: String?

    init(_ next: VaultKeys.NextRoot, now vault: Vault) throws(VaultError) {
        switch next {
        case .sameFile:
            guard case .file(let path) = vault.source else {
                throw .rootKey("the root key comes from \(vault.source); say with --to where the next one comes from")
            }
            key = SecureRandom.secret(Vault.RootKeySource.keyCount)
            (source, passphrase, replaces) = (vault.source, nil, path)
            try RootKeyFile.prepare(key, for: path)
        case .source(.file(let path)):
            guard vault.source != .file(path) else { throw .rootKey("\(vault.source) is in use; leave --to out") }
            key = SecureRandom.secret(Vault.RootKeySource.keyCount)
            (source, passphrase, replaces) = (.file(path), nil, nil)
            // One that is there may be another installation's.
            guard try RootKeyFile.create(path, key) else {
                throw .rootKey("\(path) is there already; name a file that is not, or move it away")
            }
        case .source(let other):
            (key, passphrase) = try other.rootKey(for: nil)
            (source, replaces) = (other, nil)
            guard !constantTimeEquals(Vault.check(of: key), vault.check) else {
                throw .rootKey("\(other) holds the root key that is in use")
            }
        }
    }

    /// After the data needs it.
    func settle() throws(VaultError) {
        if let replaces { try RootKeyFile.finishReplacement(of: replaces, by: Vault.check(of: key)) }
    }
}
