// The keys that the server's backups hang on: the vault's `backup` and `manifest`. The active versions write, all that may
// open read, and a copy of them lies in every place, so that the root key alone is enough where no data is.
// docs/formats/backup.md, "Keys".

package import Base
package import Crypto
package import Vault

package enum BackupKeyNames {
    package static let all = [KeyNames.backup, KeyNames.manifest]
}

/// As the keys were at one moment: made anew for each backup, restore, verification or removal.
package struct VaultBackupKeys: BackupKeys {
    package let recipients: [AgeRecipient]
    package let identities: [AgeIdentity]
    package let verifiers: [Ed25519PublicKey]
    package let kept: KeptKeys?
    private let signing: VaultSigner
    private let own: KeySnapshot
    private let others: [KeySnapshot]
    private let isWithFormer: Bool

    package var signer: Ed25519PublicKey { signing.publicKey }
    package func sign(_ message: Bytes) -> Bytes { signing.sign(message) }

    /// `others`: what copies know of the keys. A version that `own` knows is as `own` says; others, of which a server that
    /// was put back to an earlier day knows nothing, are read with too.
    private init(
        _ own: KeySnapshot, _ others: [KeySnapshot], _ kept: KeptKeys?, isWithFormer: Bool = false
    ) throws(KeyError) {
        var identities: [AgeIdentity] = []
        var verifiers: [Ed25519PublicKey] = []
        var known: Set<String> = []
        for snapshot in [own] + others {
            identities += try snapshot.identities(of: KeyNames.backup).filter { !known.contains($0.fingerprint) }
                .map(\.identity)
            verifiers += try snapshot.verifiers(of: KeyNames.manifest).filter { !known.contains($0.fingerprint) }
                .map(\.key)
            for name in BackupKeyNames.all { known.formUnion(snapshot.fingerprints(of: name)) }
        }
        let former = RootBackupKeys(own.vault)
        if isWithFormer {
            identities = Array(identities.prefix(AgeIdentity.most - 1)) + former.identities
            verifiers += former.verifiers
        }
        recipients = [try own.recipient(of: KeyNames.backup)]
        self.identities = Array(identities.prefix(AgeIdentity.most))
        self.verifiers = verifiers
        signing = try own.signer(of: KeyNames.manifest)
        self.kept = kept
        self.own = own
        self.others = others
        self.isWithFormer = isWithFormer
    }

    /// None for a repository of before: that its configuration needs the former keys is what tells it.
    package var newest: (any BackupKeys)? {
        guard !isWithFormer, let identities = try? own.identities(of: KeyNames.backup), let identity = identities.first
        else {
            return nil
        }
        return NewestBackupKeys(recipients: recipients, identities: [identity.identity], signing: signing)
    }

    package func lostVersion(since made: Timestamp) -> UInt32? {
        let versions = own.book.keys[KeyNames.backup]?.versions ?? []
        return zip(versions, versions.dropFirst())
            .first { !$0.state.mayOpen && $1.createdAt > made }?.0.number
    }

    /// The same, and what followed from the first root key. Tried only when a repository does not open without: whoever
    /// has an old root key must not be able to have a new repository believe them.
    package var former: (any BackupKeys)? {
        guard !isWithFormer else { return nil }
        return try? VaultBackupKeys(own, others, kept, isWithFormer: true)
    }
}

private struct NewestBackupKeys: BackupKeys {
    let recipients: [AgeRecipient]
    let identities: [AgeIdentity]
    let signing: VaultSigner

    var verifiers: [Ed25519PublicKey] { [signing.publicKey] }
    var signer: Ed25519PublicKey { signing.publicKey }
    func sign(_ message: Bytes) -> Bytes { signing.sign(message) }
}

extension VaultBackupKeys {
    /// Those of a server, as they are now.
    package static func make(
        _ keys: VaultKeys, places: [any Place]
    ) async throws(BackupError) -> VaultBackupKeys {
        let copies = await KeyCopies(places)
        do throws(KeyError) {
            try await keys.refresh()
            return try make(try keys.snapshot(of: BackupKeyNames.all), copies)
        } catch { throw .unavailable("the keys of backups: \(error)") }
    }

    static func make(_ own: KeySnapshot, _ copies: KeyCopies) throws(KeyError) -> VaultBackupKeys {
        let opened = copies.opened(by: own.vault)
        return try VaultBackupKeys(own, opened.map(\.snapshot), KeptKeys(own, copies, opened))
    }

    /// Where no data is: what the root key opens of the copies in the places. Of repositories that have none: what
    /// follows from the root key.
    package static func recover(
        _ source: Vault.RootKeySource, places: [any Place]
    ) async throws(BackupError) -> any BackupKeys {
        if case .file(let path) = source, Files.status(of: path) == nil {
            throw .refused("the root key \(path) is not there; say where it is with --data or --set vault.root_key=…")
        }
        let copies = await KeyCopies(places)
        let opened = copies.opened(from: source)
        do throws(KeyError) {
            if let newest = opened.first?.snapshot {
                return try VaultBackupKeys(
                    newest, opened.dropFirst().map(\.snapshot), KeptKeys(newest, copies, opened))
            }
        } catch { throw .malformed("a copy of the keys: \(error)") }
        if case .passphrase = source {
            guard let copy = copies.all.first else {
                throw .refused("there is no copy of the keys in these places, and a passphrase alone makes none")
            }
            throw .wrongKey(file: RepositoryFile.keys(copy.id).name)
        }
        do { return RootBackupKeys(try Vault.open(source)) } catch { throw .refused("\(error)") }
    }
}
