// Who an age file is encrypted for, and who opens it: docs/formats/age.md, "Recipients".

package import Base
package import Crypto

package enum AgeRecipient: Sendable {
    /// `age1pq1…`: safe from quantum computers, as far as is known. What the server writes.
    case hybrid(XWingPublicKey)
    /// `age1…`
    case x25519(X25519PublicKey)
    /// log₂ of scrypt's factor: each step doubles the memory and the time of who tries passphrases, and of who has one.
    case passphrase(Secret, workFactor: Int = AgeRecipient.usualWorkFactor)

    /// 256 MiB and a second, as `age -p`.
    package static let usualWorkFactor = 18

    package init(parsing text: String) throws(AgeError) {
        let bytes = Bytes(text.utf8)
        guard let (prefix, data) = bytes.withUnsafeBytes({ Bech32.decode($0) }) else {
            throw .badKey("an age recipient is written `age1…` or `age1pq1…`; this is not, or has a typing error")
        }
        do {
            switch prefix {
            case "age": self = .x25519(try X25519PublicKey(data.exposedBytes))
            case "age1pq": self = .hybrid(try XWingPublicKey(data.exposedBytes))
            default: throw CryptoError.badKey("recipients of the kind `\(prefix)` are not known")
            }
        } catch { throw .badKey("the age recipient cannot be used: \(error)") }
    }

    /// `nil` for a passphrase.
    package var text: String? {
        let (prefix, bytes): (String, Bytes)
        switch self {
        case .hybrid(let key): (prefix, bytes) = ("age1pq", key.bytes)
        case .x25519(let key): (prefix, bytes) = ("age", key.bytes)
        case .passphrase: return nil
        }
        return String(decoding: bytes.withUnsafeBytes { Bech32.encode(prefix, $0) }, as: UTF8.self)
    }

    /// What may be in one header.
    static func check(_ recipients: [AgeRecipient]) throws(AgeError) {
        guard (1...AgeHeader.mostStanzas).contains(recipients.count) else {
            throw .badKey("an age file has 1 to \(AgeHeader.mostStanzas) recipients, not \(recipients.count)")
        }
        var (hybrid, x25519, passphrases) = (0, 0, 0)
        for recipient in recipients {
            switch recipient {
            case .hybrid: hybrid += 1
            case .x25519: x25519 += 1
            case .passphrase: passphrases += 1
            }
        }
        guard passphrases == 0 || recipients.count == 1 else {
            throw .badKey("a passphrase is an age file's only recipient, or none of them")
        }
        guard hybrid == 0 || x25519 == 0 else {
            throw .badKey("an X25519 recipient would undo what a hybrid one beside it is for")
        }
    }

    func wrap(_ fileKey: Secret) throws(AgeError) -> AgeStanza {
        do {
            switch self {
            case .hybrid(let key):
                let (encapsulated, body) = try HPKE.seal(fileKey, to: .xWing(key), info: AgeIdentity.hybridInfo)
                return AgeStanza(arguments: [AgeIdentity.hybridKind, AgeBase64.encode(encapsulated)], body: body)
            case .x25519(let key): return try Self.wrap(fileKey, for: key)
            case .passphrase(let passphrase, let workFactor):
                return try Self.wrap(fileKey, passphrase, workFactor)
            }
        } catch { throw .badKey("the age recipient cannot be used: \(error)") }
    }

    private static func wrap(_ fileKey: Secret, for key: X25519PublicKey) throws(CryptoError) -> AgeStanza {
        let ephemeral = X25519PrivateKey()
        let share = ephemeral.publicKey.bytes
        let wrapKey = AgeIdentity.x25519Key(try ephemeral.sharedSecret(with: key), share, key)
        return AgeStanza(
            arguments: [AgeIdentity.x25519Kind, AgeBase64.encode(share)],
            body: try ChaCha20Poly1305.seal(fileKey, key: wrapKey, nonce: AgeIdentity.zeros))
    }

    private static func wrap(
        _ fileKey: Secret, _ passphrase: Secret, _ workFactor: Int
    ) throws(CryptoError) -> AgeStanza {
        guard passphrase.count > 0 else { throw .badKey("an empty passphrase protects nothing") }
        guard (1...AgeIdentity.usualWorkFactorLimit).contains(workFactor) else {
            throw .badParameters("the factor 2^\(workFactor) is not in 2^1...2^\(AgeIdentity.usualWorkFactorLimit)")
        }
        let salt = SecureRandom.bytes(AgeIdentity.saltCount)
        let wrapKey = try AgeIdentity.passphraseKey(passphrase, salt, workFactor)
        return AgeStanza(
            arguments: [AgeIdentity.passphraseKind, AgeBase64.encode(salt), "\(workFactor)"],
            body: try ChaCha20Poly1305.seal(fileKey, key: wrapKey, nonce: AgeIdentity.zeros))
    }
}

package enum AgeIdentity: Sendable {
    /// `AGE-SECRET-KEY-PQ-1…`
    case hybrid(XWingPrivateKey)
    /// `AGE-SECRET-KEY-1…`
    case x25519(X25519PrivateKey)
    /// With the largest log₂ of scrypt's factor that a file may ask for.
    case passphrase(Secret, workFactorLimit: Int = AgeIdentity.usualWorkFactorLimit)

    /// 1 GiB: more than `age -p` asks for by two doublings.
    package static let usualWorkFactorLimit = 20
    /// Each is tried on each stanza.
    package static let most = 64

    static let hybridKind = "mlkem768x25519"
    static let x25519Kind = "X25519"
    static let passphraseKind = "scrypt"
    static let saltCount = 16
    static let hybridInfo = Bytes("age-encryption.org/mlkem768x25519".utf8)
    /// Each wrapping key seals once.
    static let zeros = ChaCha20Poly1305.Nonce(repeating: 0)

    package init(parsing text: Secret) throws(AgeError) {
        guard let (prefix, data) = text.withExposedBytes({ Bech32.decode($0) }) else {
            throw .badKey(
                "an age identity is written `AGE-SECRET-KEY-1…` or `AGE-SECRET-KEY-PQ-1…`; this is not, or has a typing "
                    + "error")
        }
        do {
            switch prefix {
            case "age-secret-key-": self = .x25519(try X25519PrivateKey(data))
            case "age-secret-key-pq-": self = .hybrid(try XWingPrivateKey(seed: data))
            default: throw CryptoError.badKey("it is of another kind")
            }
        } catch { throw .badKey("the age identity cannot be used: \(error)") }
    }

    /// `nil` for a passphrase.
    package var text: Secret? {
        let (prefix, key): (String, Secret)
        switch self {
        case .hybrid(let privateKey): (prefix, key) = ("age-secret-key-pq-", privateKey.seed)
        case .x25519(let privateKey): (prefix, key) = ("age-secret-key-", privateKey.bytes)
        case .passphrase: return nil
        }
        let lower = key.withExposedBytes { Bech32.encode(prefix, $0) }
        let letters = UInt8(ascii: "a")...UInt8(ascii: "z")
        return Secret(lower.map { letters.contains($0) ? $0 & ~0x20 : $0 })
    }

    /// Who this opens files of.
    package var recipient: AgeRecipient {
        switch self {
        case .hybrid(let key): .hybrid(key.publicKey)
        case .x25519(let key): .x25519(key.publicKey)
        case .passphrase(let passphrase, _): .passphrase(passphrase)
        }
    }

    // MARK: - Unwrapping

    /// `nil` when the stanza is for somebody else. What is wrong for anybody is an error.
    func unwrap(_ stanza: AgeStanza) throws(AgeError) -> Secret? {
        switch self {
        case .hybrid(let key):
            guard stanza.arguments[0] == Self.hybridKind else { return nil }
            let encapsulated = try Self.binary(stanza, arguments: 2, count: XWing.ciphertextCount)
            return try Self.opened {
                () throws(CryptoError) in
                try HPKE.open(stanza.body, encapsulated, with: .xWing(key), info: Self.hybridInfo)
            }
        case .x25519(let key):
            guard stanza.arguments[0] == Self.x25519Kind else { return nil }
            let share = try Self.binary(stanza, arguments: 2, count: X25519PublicKey.count)
            return try Self.opened { () throws(CryptoError) in
                let shared = try key.sharedSecret(with: try X25519PublicKey(share))
                let wrapKey = Self.x25519Key(shared, share, key.publicKey)
                return try ChaCha20Poly1305.open(stanza.body, key: wrapKey, nonce: Self.zeros)
            }
        case .passphrase(let passphrase, let limit):
            guard stanza.arguments[0] == Self.passphraseKind else { return nil }
            let salt = try Self.binary(stanza, arguments: 3, count: Self.saltCount)
            let workFactor = try Self.workFactor(stanza.arguments[2], limit: limit)
            return try Self.opened { () throws(CryptoError) in
                let wrapKey = try Self.passphraseKey(passphrase, salt, workFactor)
                return try ChaCha20Poly1305.open(stanza.body, key: wrapKey, nonce: Self.zeros)
            }
        }
    }

    /// The second argument as bytes. The body's length is checked before anything is opened: a longer one could be made
    /// to open with many keys.
    private static func binary(_ stanza: AgeStanza, arguments: Int, count: Int) throws(AgeError) -> Bytes {
        let kind = stanza.arguments[0]
        guard stanza.arguments.count == arguments else {
            throw .malformedHeader("a stanza of kind \(kind) has \(arguments) arguments")
        }
        guard let bytes = AgeBase64.decode(Bytes(stanza.arguments[1].utf8)), bytes.count == count else {
            throw .malformedHeader("the second argument of \(kind) is not \(count) bytes in canonical Base64")
        }
        guard stanza.body.count == AgeHeader.fileKeyCount + ChaCha20Poly1305.tagCount else {
            throw .malformedHeader("the file key in \(kind) has not the right length")
        }
        return bytes
    }

    private static func opened(_ open: () throws(CryptoError) -> Secret) throws(AgeError) -> Secret? {
        do throws(CryptoError) {
            return try open()
        } catch {
            if error == .authenticationFailed { return nil }
            throw .malformedHeader("\(error)")
        }
    }

    /// `^[1-9][0-9]*$`
    private static func workFactor(_ text: String, limit: Int) throws(AgeError) -> Int {
        guard text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }), text.utf8.first != 48
        else {
            throw .malformedHeader("scrypt's factor is not a number")
        }
        // More digits than a number of ours has are too much in any case.
        let factor = text.utf8.count < 10 ? Int(text) ?? .max : .max
        guard factor <= min(limit, Scrypt.largestLogN) else { throw .workFactor(factor, most: limit) }
        return factor
    }

    static func x25519Key(_ shared: Secret, _ share: Bytes, _ recipient: X25519PublicKey) -> Secret {
        HKDF.sha256(
            shared, salt: share + recipient.bytes, info: Bytes("age-encryption.org/v1/X25519".utf8),
            count: ChaCha20Poly1305.keyCount)
    }

    static func passphraseKey(_ passphrase: Secret, _ salt: Bytes, _ logN: Int) throws(CryptoError) -> Secret {
        try Scrypt.derive(passphrase, salt: Bytes("age-encryption.org/v1/scrypt".utf8) + salt, logN: logN)
    }
}
