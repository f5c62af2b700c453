// Vault: keys at rest.
//
// Owns: the root key and where it comes from (`RootKey.swift`), what is derived from it, and the form of sealed values.
// The bytes are described in docs/formats/vault.md, which is normative. Stores nothing but a new key file: sealed values
// and the check value belong to who has a database. No key leaves but by `derive`, and then as a `Secret`.

package import Base
import Crypto
import Synchronization

package enum VaultError: Error, Equatable, CustomStringConvertible {
    /// The root key cannot be had; the text says why and what to do.
    case rootKey(String)
    /// The data was sealed with another root key.
    case wrongRootKey(String)
    /// Too short to be a sealed value.
    case malformed
    /// Sealed by a newer version of the program.
    case unknownFormat(UInt8)
    case unknownGeneration(UInt32)
    /// Changed, moved to another row, or sealed for another purpose. Never says which.
    case authenticationFailed

    package var description: String {
        switch self {
        case .rootKey(let text), .wrongRootKey(let text): text
        case .malformed: "too short for a sealed value"
        case .unknownFormat(let format): "sealed in format \(format), which this version does not know"
        case .unknownGeneration(let generation): "sealed with generation \(generation) of its key, which is not here"
        case .authenticationFailed: "changed, or sealed for something else"
        }
    }
}

package final class Vault: Sendable {
    /// Where the root key comes from: path, name of a variable, name of a credential.
    package enum RootKeySource: Sendable {
        /// Made, with mode 0600, when it is absent and there is no data yet.
        case file(String)
        case environment(String)
        case systemdCredential(String)
    }

    /// Tells this vault's root key from others, and nothing about it. To be stored with the data.
    package let check: Bytes

    private let root: Secret
    /// Purposes are literals of the program, so this stays as small as the program has purposes.
    private let sealingKeys = Mutex<[String: Secret]>([:])

    /// `storedCheck` is the `check` that the data was stored with; `nil` for a new installation.
    package static func open(
        _ source: RootKeySource, storedCheck: Bytes? = nil
    ) throws(VaultError) -> Vault {
        if let format = storedCheck?.first, format != checkFormat {
            throw .rootKey("the data's root key check has format \(format): it was written by a newer version")
        }
        let vault = Vault(root: try source.rootKey(mayCreate: storedCheck == nil))
        if let storedCheck, !constantTimeEquals(storedCheck, vault.check) {
            throw .wrongRootKey(
                "the root key from \(source) is not the one that this data was sealed with; bring back that one")
        }
        return vault
    }

    private init(root: Secret) {
        self.root = root
        check = [Self.checkFormat] + Self.derive(root, Bytes("check".utf8), 16).exposedBytes
    }

    /// Encrypts, so that it opens only for the same purpose and context.
    package func seal(_ plaintext: Secret, purpose: StaticString, context: Bytes) -> Bytes {
        let header = SealedValue.header(generation: 0)
        let nonce = SecureRandom.bytes(AES256GCM.nonceCount)
        do {
            let ciphertext = try AES256GCM.seal(
                plaintext, key: sealingKey(purpose), nonce: nonce,
                authenticating: SealedValue.authenticated(header, purpose, context))
            return header + nonce + ciphertext
        } catch {
            // Key and nonce have the right lengths: only a value of a gigabyte gets here, and none is let in.
            fatalError("sealing for \(purpose): \(error)")
        }
    }

    package func open(_ sealed: Bytes, purpose: StaticString, context: Bytes) throws(VaultError) -> Secret {
        let value = try SealedValue(parsing: sealed)
        guard value.generation == 0 else { throw .unknownGeneration(value.generation) }
        do {
            return try AES256GCM.openSecret(
                value.ciphertext, key: sealingKey(purpose), nonce: value.nonce,
                authenticating: SealedValue.authenticated(value.header, purpose, context))
        } catch { throw .authenticationFailed }
    }

    /// A key for something else than sealing: signing cookies, say. The same for the same purpose and root key.
    package func derive(_ purpose: StaticString, count: Int) -> Secret {
        Self.derive(root, Bytes("derive".utf8) + [0] + SealedValue.bytes(of: purpose), count)
    }

    private func sealingKey(_ purpose: StaticString) -> Secret {
        let name = "\(purpose)"
        return sealingKeys.withLock { keys in
            if let key = keys[name] { return key }
            let key = Self.derive(
                root, Bytes("seal".utf8) + [0] + SealedValue.bytes(of: purpose), AES256GCM.keyCount)
            keys[name] = key
            return key
        }
    }

    private static let checkFormat: UInt8 = 1

    private static func derive(_ root: Secret, _ info: Bytes, _ count: Int) -> Secret {
        HKDF.sha256(root, salt: Bytes("plexichat vault 1".utf8), info: info, count: count)
    }
}

extension Vault.RootKeySource: CustomStringConvertible {
    package var description: String {
        switch self {
        case .file(let path): "the file \(path)"
        case .environment(let name): "the environment variable \(name)"
        case .systemdCredential(let name): "the systemd credential \(name)"
        }
    }
}
