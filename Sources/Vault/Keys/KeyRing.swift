// One key with its versions opened: what is in memory while the server runs. Nothing of it prints.

package import Base
package import Crypto

/// Signs, without telling its key.
package struct VaultSigner: Sendable {
    package let version: UInt32
    /// What a token's `kid` says.
    package let fingerprint: String
    package let createdAt: Timestamp
    private let key: Ed25519PrivateKey

    init(_ version: KeyVersion, _ key: Ed25519PrivateKey) {
        self.version = version.number
        fingerprint = version.fingerprint
        createdAt = version.createdAt
        self.key = key
    }

    package var publicKey: Ed25519PublicKey { key.publicKey }
    package func sign(_ message: Bytes) -> Bytes { key.sign(message) }
}

/// A signature, and the version of the key that made it.
package struct VaultSignature: Sendable, Equatable {
    package let version: UInt32
    package let bytes: Bytes
    package init(version: UInt32, bytes: Bytes) {
        self.version = version
        self.bytes = bytes
    }
}

struct KeyRing: Sendable {
    enum Material: Sendable {
        case data(Secret)
        case hmac(Secret)
        case hybrid(XWingPrivateKey)
        case ed25519(Ed25519PrivateKey)

        init(_ kind: KeyKind, _ bytes: Secret) throws(KeyError) {
            do {
                switch kind {
                case .data: self = .data(bytes)
                case .hmac: self = .hmac(bytes)
                case .hybrid: self = .hybrid(try XWingPrivateKey(seed: bytes))
                case .ed25519: self = .ed25519(try Ed25519PrivateKey(seed: bytes))
                }
            } catch { throw .corrupt("\(error)") }
        }

        /// Eight bytes: of the public key's hash where there is one, else derived.
        var fingerprint: String {
            switch self {
            case .data(let key), .hmac(let key):
                Hex.encode(Vault.derive(key, Bytes("fingerprint".utf8), 8).exposedBytes)
            case .hybrid(let key): Hex.encode(SHA256.hash(key.publicKey.bytes).prefix(8))
            case .ed25519(let key): Hex.encode(SHA256.hash(key.publicKey.bytes).prefix(8))
            }
        }
    }

    struct Opened: Sendable {
        let version: KeyVersion
        let material: Material
    }

    let name: String
    let kind: KeyKind
    /// Those that may open, newest first.
    let opened: [Opened]

    var active: Opened? { opened.first { $0.version.state == .active } }

    func opened(_ number: UInt32) -> Opened? { opened.first { $0.version.number == number } }

    /// Opens what may open, and takes from `old` what it has opened already.
    init(_ key: NamedKey, _ vault: Vault, reusing old: KeyRing?) throws(KeyError) {
        name = key.name
        kind = key.kind
        var opened: [Opened] = []
        for version in key.versions.reversed() where version.state.mayOpen {
            if let known = old?.opened(version.number), known.version.fingerprint == version.fingerprint {
                opened.append(Opened(version: version, material: known.material))
            } else {
                opened.append(Opened(version: version, material: try Self.material(of: version, key, vault)))
            }
        }
        self.opened = opened
    }

    static func material(of version: KeyVersion, _ key: NamedKey, _ vault: Vault) throws(KeyError) -> Material {
        guard let wrapped = version.wrapped else {
            throw .corrupt("version \(version.number) of `\(key.name)` is \(version.state.rawValue) and has no key")
        }
        let bytes: Secret
        do {
            bytes = try vault.unwrap(wrapped, key.kind, key.name, version.number)
        } catch {
            throw .corrupt("version \(version.number) of `\(key.name)`: \(error)")
        }
        guard bytes.count == KeyKind.materialCount else {
            throw .corrupt("version \(version.number) of `\(key.name)` has not the length of a key")
        }
        let material = try Material(key.kind, bytes)
        guard material.fingerprint == version.fingerprint else {
            throw .corrupt("version \(version.number) of `\(key.name)` is not the key that its fingerprint names")
        }
        return material
    }
}
