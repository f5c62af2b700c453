// Vault: keys at rest.
//
// Owns: the root key and where it comes from (`RootKey.swift`), what is derived from it, the form of sealed values, and
// named keys with their versions (`Keys/VaultKeys.swift`). The bytes are described in docs/formats/vault.md, which is
// normative. Stores nothing but key files: the rest belongs to who has a database (`Keys/KeyRepository.swift`). No key
// leaves but by `derive` and for age files, and then as a `Secret`.

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
    package enum RootKeySource: Sendable, Equatable {
        /// Made, with mode 0600, when it is absent and there is no data yet.
        case file(String)
        case environment(String)
        case systemdCredential(String)
        /// Computed from a passphrase, which is read from there.
        indirect case passphrase(RootKeySource)
    }

    /// Tells this vault's root key from others, and nothing about it. To be stored with the data.
    package var check: Bytes { record.check }
    /// What has to be kept for new data. Of data that is there, what was kept when it was opened.
    package let record: RootRecord
    package let source: RootKeySource

    private let root: Secret
    /// What the data's first root key was. Everything that is not kept as a named key is derived from it, so that it
    /// stays when the root key is replaced.
    private let base: Secret
    /// Seals named keys.
    private let wrappingKey: Secret
    /// Authenticates the book of them.
    private let bookKey: Secret
    /// Authenticates copies of some of it.
    let copyKey: Secret
    /// Purposes are literals of the program, so this stays as small as the program has purposes.
    private let sealingKeys = Mutex<[String: Secret]>([:])

    /// `storedCheck` is the `check` that the data was stored with; `nil` for a new installation.
    package static func open(
        _ source: RootKeySource, storedCheck: Bytes? = nil
    ) throws(VaultError) -> Vault {
        try open(source, record: storedCheck.map { RootRecord(check: $0) })
    }

    /// `record` is what the data was stored with; `nil` for a new installation.
    package static func open(_ source: RootKeySource, record: RootRecord?) throws(VaultError) -> Vault {
        if let format = record?.check.first, format != checkFormat {
            throw .rootKey("the data's root key check has format \(format): it was written by a newer version")
        }
        let (root, passphrase) = try source.rootKey(for: record)
        guard let record else {
            return try Vault(root, source, RootRecord(check: check(of: root), passphrase: passphrase))
        }
        guard constantTimeEquals(record.check, check(of: root)) else {
            throw .wrongRootKey(
                "the root key from \(source) is not the one that this data was sealed with; bring back that one")
        }
        return try Vault(root, source, record)
    }

    /// For data whose root key has come from elsewhere (shares of it).
    static func open(_ root: Secret, from source: RootKeySource, record: RootRecord) throws(VaultError) -> Vault {
        guard constantTimeEquals(record.check, check(of: root)) else {
            throw .wrongRootKey("this is not the root key that the data was sealed with")
        }
        return try Vault(root, source, record)
    }

    private init(_ root: Secret, _ source: RootKeySource, _ record: RootRecord) throws(VaultError) {
        self.root = root
        self.source = source
        self.record = record
        wrappingKey = Self.derive(root, Bytes("wrap".utf8), AES256GCM.keyCount)
        bookKey = Self.derive(root, Bytes("book".utf8), AES256GCM.keyCount)
        copyKey = Self.derive(root, Bytes("copy".utf8), AES256GCM.keyCount)
        if let wrapped = record.base {
            base = try Self.openValue(wrapped, with: wrappingKey, generation: record.epoch, Self.basePurpose, [])
        } else {
            base = root
        }
    }

    /// Encrypts, so that it opens only for the same purpose and context.
    package func seal(_ plaintext: Secret, purpose: StaticString, context: Bytes) -> Bytes {
        Self.sealValue(plaintext, with: sealingKey(purpose), generation: 0, purpose, context)
    }

    package func open(_ sealed: Bytes, purpose: StaticString, context: Bytes) throws(VaultError) -> Secret {
        try Self.openValue(sealed, with: sealingKey(purpose), generation: 0, purpose, context)
    }

    /// A key for something else than sealing: signing cookies, say. The same for the same purpose and root key.
    package func derive(_ purpose: StaticString, count: Int) -> Secret {
        Self.derive(base, Bytes("derive".utf8) + [0] + SealedValue.bytes(of: purpose), count)
    }

    private func sealingKey(_ purpose: StaticString) -> Secret {
        let name = "\(purpose)"
        return sealingKeys.withLock { keys in
            if let key = keys[name] { return key }
            let key = Self.sealingKey(of: base, purpose)
            keys[name] = key
            return key
        }
    }

    // MARK: For named keys

    private static let basePurpose: StaticString = "vault base"
    private static let keyPurpose: StaticString = "vault key"

    /// The material of a version as it is kept: it opens only as this version of this key.
    func wrap(_ material: Secret, _ kind: KeyKind, _ name: String, _ version: UInt32) -> Bytes {
        Self.sealValue(
            material, with: wrappingKey, generation: record.epoch, Self.keyPurpose, Self.context(kind, name, version))
    }

    func unwrap(_ wrapped: Bytes, _ kind: KeyKind, _ name: String, _ version: UInt32) throws(VaultError) -> Secret {
        try Self.openValue(
            wrapped, with: wrappingKey, generation: record.epoch, Self.keyPurpose, Self.context(kind, name, version))
    }

    private static func context(_ kind: KeyKind, _ name: String, _ version: UInt32) -> Bytes {
        let number = SealedValue.header(generation: version).dropFirst()
        return Bytes(kind.rawValue.utf8) + [0] + number + Bytes(name.utf8)
    }

    func mac(of book: KeyBook) -> Bytes { HMAC.sha256(book.canonical, key: bookKey) }

    /// The vault of the same data under another root key. Nothing is kept by this.
    func succeeded(
        by root: Secret, from source: RootKeySource, passphrase: String?
    ) throws(VaultError) -> Vault {
        guard record.epoch < .max else { throw .rootKey("the root key was replaced 2^32 times") }
        let epoch = record.epoch + 1
        let key = Self.derive(root, Bytes("wrap".utf8), AES256GCM.keyCount)
        let record = RootRecord(
            revision: record.revision, epoch: epoch, check: Self.check(of: root),
            base: Self.sealValue(base, with: key, generation: epoch, Self.basePurpose, []), passphrase: passphrase)
        return try Vault(root, source, record)
    }

    /// For shares of it, and for writing its file again.
    func withRootKey<Result>(_ body: (Secret) throws(VaultError) -> Result) throws(VaultError) -> Result {
        try body(root)
    }

    // MARK: Derivation

    private static let checkFormat: UInt8 = 1
    private static let salt = Bytes("plexichat vault 1".utf8)

    static func derive(_ key: Secret, _ info: Bytes, _ count: Int) -> Secret {
        HKDF.sha256(key, salt: salt, info: info, count: count)
    }

    static func check(of root: Secret) -> Bytes {
        [checkFormat] + derive(root, Bytes("check".utf8), 16).exposedBytes
    }

    static func sealingKey(of key: Secret, _ purpose: StaticString) -> Secret {
        derive(key, Bytes("seal".utf8) + [0] + SealedValue.bytes(of: purpose), AES256GCM.keyCount)
    }

    static func sealValue(
        _ plaintext: Secret, with key: Secret, generation: UInt32, _ purpose: StaticString, _ context: Bytes
    ) -> Bytes {
        let header = SealedValue.header(generation: generation)
        let nonce = SecureRandom.bytes(AES256GCM.nonceCount)
        do {
            let ciphertext = try AES256GCM.seal(
                plaintext, key: key, nonce: nonce,
                authenticating: SealedValue.authenticated(header, purpose, context))
            return header + nonce + ciphertext
        } catch {
            // Key and nonce have the right lengths: only a value of a gigabyte gets here, and none is let in.
            fatalError("sealing for \(purpose): \(error)")
        }
    }

    static func openValue(
        _ sealed: Bytes, with key: Secret, generation: UInt32, _ purpose: StaticString, _ context: Bytes
    ) throws(VaultError) -> Secret {
        let value = try SealedValue(parsing: sealed)
        guard value.generation == generation else { throw .unknownGeneration(value.generation) }
        do {
            return try AES256GCM.openSecret(
                value.ciphertext, key: key, nonce: value.nonce,
                authenticating: SealedValue.authenticated(value.header, purpose, context))
        } catch { throw .authenticationFailed }
    }
}

extension Vault.RootKeySource: CustomStringConvertible {
    package var description: String {
        switch self {
        case .file(let path): "the file \(path)"
        case .environment(let name): "the environment variable \(name)"
        case .systemdCredential(let name): "the systemd credential \(name)"
        case .passphrase(let source): "the passphrase in \(source)"
        }
    }
}
