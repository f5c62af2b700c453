// The keys that a repository needs. `VaultBackupKeys` are those that the server writes with.

package import Base
package import Crypto
package import Vault

/// Given by whoever keeps keys. All of them may have several versions: the current one writes, all read.
package protocol BackupKeys: Sendable {
    /// To whom what is written is encrypted.
    var recipients: [AgeRecipient] { get }
    /// What opens it, old versions included.
    var identities: [AgeIdentity] { get }
    /// Whose signatures are believed, old versions included.
    var verifiers: [Ed25519PublicKey] { get }
    /// The newest of `verifiers`.
    var signer: Ed25519PublicKey { get }
    func sign(_ message: Bytes) -> Bytes
    /// What lies in the repository so that the root key alone opens it: docs/formats/backup.md, "Keys".
    var kept: KeptKeys? { get }
    /// Those of them that write: what they alone open and believe outlives the others.
    var newest: (any BackupKeys)? { get }
    /// A version that wrote at some time after `made`, and opens nothing any more.
    func lostVersion(since made: Timestamp) -> UInt32?
    /// For a repository that was made before these keys were, and is not opened by them alone.
    var former: (any BackupKeys)? { get }
}

extension BackupKeys {
    package var kept: KeptKeys? { nil }
    package var newest: (any BackupKeys)? { nil }
    package var former: (any BackupKeys)? { nil }
    package func lostVersion(since made: Timestamp) -> UInt32? { nil }
}

/// Keys that follow from the first root key of the data: what repositories were written with before the vault had named
/// keys for it.
package struct RootBackupKeys: BackupKeys {
    private let identity: XWingPrivateKey
    private let signing: Ed25519PrivateKey

    package init(_ vault: Vault) {
        do {
            identity = try XWingPrivateKey(seed: vault.derive("backup.recipient", count: XWing.seedCount))
            signing = try Ed25519PrivateKey(seed: vault.derive("backup.signature", count: Ed25519PrivateKey.seedCount))
        } catch { fatalError("derived seeds have the right length: \(error)") }
    }

    package var recipients: [AgeRecipient] { [.hybrid(identity.publicKey)] }
    package var identities: [AgeIdentity] { [.hybrid(identity)] }
    package var verifiers: [Ed25519PublicKey] { [signing.publicKey] }
    package var signer: Ed25519PublicKey { signing.publicKey }
    package func sign(_ message: Bytes) -> Bytes { signing.sign(message) }
}
