// What named keys do. All of it works on what is in memory and waits for nothing; `know` and `refresh` are there for who
// can wait and may meet a version that another node has made.

package import Base
package import Crypto
import Synchronization

extension VaultKeys {
    private func ring(_ name: String, _ kind: KeyKind) throws(KeyError) -> KeyRing {
        guard let ring = state.withLock({ $0.rings[name] }) else { throw .unknownKey(name) }
        guard ring.kind == kind else { throw .kind("`\(name)` is of kind \(ring.kind.rawValue), not \(kind.rawValue)") }
        return ring
    }

    private func active(_ ring: KeyRing) throws(KeyError) -> KeyRing.Opened {
        guard let active = ring.active else { throw .state("the key `\(ring.name)` has no active version; rotate it") }
        return active
    }

    /// The number of the version that new things are made with.
    package func activeVersion(of name: String) throws(KeyError) -> UInt32 {
        guard let ring = state.withLock({ $0.rings[name] }) else { throw .unknownKey(name) }
        return try active(ring).version.number
    }

    // MARK: Sealed values (data)

    /// Encrypts, so that it opens only for the same purpose and context.
    package func seal(
        _ plaintext: Secret, with name: String, purpose: StaticString, context: Bytes
    ) throws(KeyError) -> Bytes {
        let active = try active(try ring(name, .data))
        guard case .data(let key) = active.material else { throw .unknownKey(name) }
        return Vault.sealValue(
            plaintext, with: Vault.sealingKey(of: key, purpose), generation: active.version.number, purpose, context)
    }

    /// Also what was sealed before the key had a name (generation 0).
    package func open(
        _ sealed: Bytes, with name: String, purpose: StaticString, context: Bytes
    ) throws(KeyError) -> Secret {
        let ring = try ring(name, .data)
        do throws(VaultError) {
            let generation = try SealedValue(parsing: sealed).generation
            if generation == 0 {
                return try state.withLock { $0.vault }.open(sealed, purpose: purpose, context: context)
            }
            guard let opened = ring.opened(generation), case .data(let key) = opened.material else {
                throw VaultError.unknownGeneration(generation)
            }
            return try Vault.openValue(
                sealed, with: Vault.sealingKey(of: key, purpose), generation: generation, purpose, context)
        } catch { throw .vault(error) }
    }

    /// The versions whose values can be opened and are not the active one's, with 0 for what was sealed before the key had
    /// a name: what is sealed anew.
    package func olderVersions(of name: String) throws(KeyError) -> [UInt32] {
        let ring = try ring(name, .data)
        let active = try active(ring).version.number
        return ring.opened.map(\.version.number).filter { $0 != active } + [0]
    }

    /// The version that sealed a value; `nil` for what is no sealed value.
    package static func generation(of sealed: Bytes) -> UInt32? { try? SealedValue(parsing: sealed).generation }

    /// What the sealed values of a version begin with: for finding them.
    package static func header(of version: UInt32) -> Bytes { SealedValue.header(generation: version) }

    /// Reads the book once more when another node may have made the version.
    package func know(_ version: UInt32, of name: String) async throws(KeyError) {
        guard version > 0, state.withLock({ $0.rings[name]?.opened(version) }) == nil else { return }
        _ = try await reloadForUnknown()
    }

    // MARK: Signatures (ed25519)

    package func signer(of name: String) throws(KeyError) -> VaultSigner {
        let active = try active(try ring(name, .ed25519))
        guard case .ed25519(let key) = active.material else { throw .unknownKey(name) }
        return VaultSigner(active.version, key)
    }

    package func sign(_ message: Bytes, with name: String) throws(KeyError) -> VaultSignature {
        let signer = try signer(of: name)
        return VaultSignature(version: signer.version, bytes: signer.sign(message))
    }

    /// False also for a version that does not count any more, or never was.
    package func verify(
        _ signature: VaultSignature, of message: Bytes, with name: String
    ) throws(KeyError) -> Bool {
        guard let opened = try ring(name, .ed25519).opened(signature.version) else { return false }
        guard counts(opened.version), case .ed25519(let key) = opened.material else { return false }
        return key.publicKey.isValid(signature.bytes, for: message)
    }

    /// By fingerprint; `nil` when there is no such version (any more).
    package func publicKey(_ fingerprint: String, of name: String, at now: Timestamp) -> Ed25519PublicKey? {
        let opened = state.withLock { $0.rings[name]?.opened.first { $0.version.fingerprint == fingerprint } }
        guard let opened, case .ed25519(let key) = opened.material else { return nil }
        if let until = opened.version.opensUntil, now >= until { return nil }
        return key.publicKey
    }

    /// The same, and looks whether another node has made it.
    package func knownPublicKey(
        _ fingerprint: String, of name: String, at now: Timestamp
    ) async throws(KeyError) -> Ed25519PublicKey? {
        if let key = publicKey(fingerprint, of: name, at: now) { return key }
        guard try await reloadForUnknown() else { return nil }
        return publicKey(fingerprint, of: name, at: now)
    }

    /// Whose signatures count, newest first: for who checks many and cannot ask for each.
    package func verifiers(of name: String) throws(KeyError) -> [Ed25519PublicKey] {
        try ring(name, .ed25519).opened.filter { counts($0.version) }.compactMap {
            if case .ed25519(let key) = $0.material { key.publicKey } else { nil }
        }
    }

    private func counts(_ version: KeyVersion) -> Bool {
        version.opensUntil.map { clock.now() < $0 } ?? true
    }

    // MARK: age files (mlkem768x25519)

    /// Whom new files are written for.
    package func recipients(of name: String) throws(KeyError) -> [AgeRecipient] {
        let active = try active(try ring(name, .hybrid))
        guard case .hybrid(let key) = active.material else { throw .unknownKey(name) }
        return [.hybrid(key.publicKey)]
    }

    /// Who opens them, newest first; for `AgeDecryptor`, and nobody else.
    package func identities(of name: String) throws(KeyError) -> [AgeIdentity] {
        try ring(name, .hybrid).opened.prefix(AgeIdentity.most).compactMap {
            if case .hybrid(let key) = $0.material { AgeIdentity.hybrid(key) } else { nil }
        }
    }

    // MARK: Authentication and derivation (hmac)

    package func authenticate(_ message: Bytes, with name: String) throws(KeyError) -> VaultSignature {
        let active = try active(try ring(name, .hmac))
        guard case .hmac(let key) = active.material else { throw .unknownKey(name) }
        return VaultSignature(version: active.version.number, bytes: Self.code(message, key))
    }

    package func isAuthentic(
        _ code: VaultSignature, for message: Bytes, with name: String
    ) throws(KeyError) -> Bool {
        guard let opened = try ring(name, .hmac).opened(code.version), counts(opened.version),
            case .hmac(let key) = opened.material
        else { return false }
        return constantTimeEquals(code.bytes, Self.code(message, key))
    }

    private static func code(_ message: Bytes, _ key: Secret) -> Bytes {
        HMAC.sha256(message, key: Vault.derive(key, Bytes("mac".utf8), SHA256.count))
    }

    /// Secrets for parts that cannot ask for each use (the relay's credentials): the active version's first, then those
    /// of the ones before, newest first. Each is good for `purpose` and tells nothing of the key.
    package func derive(
        from name: String, purpose: StaticString, count: Int
    ) throws(KeyError) -> [Secret] {
        let ring = try ring(name, .hmac)
        _ = try active(ring)
        return ring.opened.compactMap {
            guard case .hmac(let key) = $0.material else { return nil }
            return Vault.derive(key, Bytes("derive".utf8) + [0] + SealedValue.bytes(of: purpose), count)
        }
    }
}
