// The keys that journals need. They are given as values at a recording's start: a rotation in the middle of it changes
// nothing, and what is sealed with a fresh key in each segment needs no newer one.

package import Base
package import Crypto
package import Vault

/// What a writer needs.
package struct JournalWritingKeys: Sendable {
    package let recipients: [AgeRecipient]
    package let signer: Ed25519PublicKey
    let sign: @Sendable (Bytes) -> Bytes

    package init(
        recipients: [AgeRecipient], signer: Ed25519PublicKey, sign: @escaping @Sendable (Bytes) -> Bytes
    ) {
        self.recipients = recipients
        self.signer = signer
        self.sign = sign
    }

    /// The newest versions of the vault's keys.
    package init(_ vault: VaultKeys) throws(KeyError) {
        let signer = try vault.signer(of: KeyNames.manifest)
        self.init(
            recipients: try vault.recipients(of: KeyNames.recording), signer: signer.publicKey,
            sign: { signer.sign($0) })
    }
}

/// What a reader needs: whoever has these can read, and can make nothing that another reader would believe.
package struct JournalReadingKeys: Sendable {
    package let identities: [AgeIdentity]
    /// Whose signatures are believed, old versions included.
    package let verifiers: [Ed25519PublicKey]

    package init(identities: [AgeIdentity], verifiers: [Ed25519PublicKey]) {
        self.identities = identities
        self.verifiers = verifiers
    }

    package init(_ vault: VaultKeys) throws(KeyError) {
        self.init(
            identities: try vault.identities(of: KeyNames.recording),
            verifiers: try vault.verifiers(of: KeyNames.manifest))
    }
}
