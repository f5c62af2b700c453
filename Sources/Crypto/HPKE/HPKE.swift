// HPKE (RFC 9180) in base mode, with HKDF-SHA256 and ChaCha20-Poly1305, and either of two KEMs: DHKEM(X25519,
// HKDF-SHA256) or X-Wing (0x647A). Other modes, KDFs and AEADs are left out: nothing here needs them.

package import Base
import COpenSSL

package enum HPKE {
    package enum PublicKey: Sendable, Hashable {
        case x25519(X25519PublicKey)
        case xWing(XWingPublicKey)
    }

    package enum PrivateKey: Sendable {
        case x25519(X25519PrivateKey)
        case xWing(XWingPrivateKey)
    }

    /// One message, one key: SealBase.
    package static func seal(
        _ plaintext: Secret, to key: PublicKey, info: Bytes, authenticating context: Bytes = []
    ) throws(CryptoError) -> (encapsulatedKey: Bytes, ciphertext: Bytes) {
        let (encapsulated, shared) = try encapsulate(to: key)
        var sender = HPKEContext(suite(of: key), shared, info)
        return (encapsulated, try sender.seal(plaintext, authenticating: context))
    }

    /// OpenBase. `authenticationFailed` when it was sealed for another key, for other purposes, or was changed; other
    /// errors mean that the encapsulated key can be nobody's.
    package static func open(
        _ ciphertext: Bytes, _ encapsulatedKey: Bytes, with key: PrivateKey, info: Bytes,
        authenticating context: Bytes = []
    ) throws(CryptoError) -> Secret {
        var recipient = try self.recipient(encapsulatedKey, with: key, info: info)
        return try recipient.open(ciphertext, authenticating: context)
    }

    /// SetupBaseS: for several messages, and for exported secrets.
    package static func sender(
        to key: PublicKey, info: Bytes
    ) throws(CryptoError) -> (encapsulatedKey: Bytes, context: HPKEContext) {
        let (encapsulated, shared) = try encapsulate(to: key)
        return (encapsulated, HPKEContext(suite(of: key), shared, info))
    }

    /// With an ephemeral key that is given: for vectors. One that is used twice gives the messages away.
    package static func sender(
        to key: X25519PublicKey, ephemeral: X25519PrivateKey, info: Bytes
    ) throws(CryptoError) -> HPKEContext {
        HPKEContext(.x25519, try encapsulate(to: key, ephemeral), info)
    }

    /// SetupBaseR.
    package static func recipient(
        _ encapsulatedKey: Bytes, with key: PrivateKey, info: Bytes
    ) throws(CryptoError) -> HPKEContext {
        switch key {
        case .x25519(let key):
            let ephemeral = try X25519PublicKey(encapsulatedKey)
            let shared = try key.sharedSecret(with: ephemeral)
            return HPKEContext(.x25519, extract(shared, ephemeral, key.publicKey), info)
        case .xWing(let key): return HPKEContext(.xWing, try key.decapsulate(encapsulatedKey), info)
        }
    }

    // MARK: - KEMs

    private static func suite(of key: PublicKey) -> HPKESuite {
        switch key {
        case .x25519: .x25519
        case .xWing: .xWing
        }
    }

    private static func encapsulate(to key: PublicKey) throws(CryptoError) -> (Bytes, Secret) {
        switch key {
        case .x25519(let key):
            let ephemeral = X25519PrivateKey()
            return (ephemeral.publicKey.bytes, try encapsulate(to: key, ephemeral))
        case .xWing(let key):
            let (ciphertext, shared) = try key.encapsulate()
            return (ciphertext, shared)
        }
    }

    private static func encapsulate(
        to key: X25519PublicKey, _ ephemeral: X25519PrivateKey
    ) throws(CryptoError) -> Secret {
        extract(try ephemeral.sharedSecret(with: key), ephemeral.publicKey, key)
    }

    /// DHKEM's ExtractAndExpand (RFC 9180 §4.1).
    private static func extract(_ shared: Secret, _ ephemeral: X25519PublicKey, _ key: X25519PublicKey) -> Secret {
        let kdf = HPKELabels(Bytes("KEM".utf8) + HPKESuite.x25519.kem)
        let extracted = kdf.extract("eae_prk", shared)
        return kdf.expand(extracted, "shared_secret", ephemeral.bytes + key.bytes, SHA256.count)
    }
}

struct HPKESuite {
    /// The KEM's number, big-endian.
    let kem: Bytes

    static let x25519 = HPKESuite(kem: [0x00, 0x20])
    static let xWing = HPKESuite(kem: [0x64, 0x7A])

    /// HKDF-SHA256 is 1, ChaCha20-Poly1305 is 3.
    var identifier: Bytes { Bytes("HPKE".utf8) + kem + [0, 1, 0, 3] }
}

/// What both sides have after the set-up: a key for messages in sequence, and one for exported secrets.
package struct HPKEContext: Sendable {
    private let labels: HPKELabels
    private let key: Secret
    private let baseNonce: Bytes
    private let exporter: Secret
    private var sequence: UInt64 = 0

    /// KeySchedule of RFC 9180 §5.1, mode 0: no pre-shared key.
    fileprivate init(_ suite: HPKESuite, _ shared: Secret, _ info: Bytes) {
        labels = HPKELabels(suite.identifier)
        let nobody = labels.extract("psk_id_hash", Secret([]))
        let purpose = labels.extract("info_hash", Secret(info))
        let context = [0] + nobody.exposedBytes + purpose.exposedBytes
        let secret = labels.extract("secret", salt: shared, Secret([]))
        key = labels.expand(secret, "key", context, ChaCha20Poly1305.keyCount)
        // No secret: it goes into nonces, which are none.
        baseNonce = labels.expand(secret, "base_nonce", context, ChaCha20Poly1305.nonceCount).exposedBytes
        exporter = labels.expand(secret, "exp", context, SHA256.count)
    }

    package mutating func seal(
        _ plaintext: Secret, authenticating context: Bytes = []
    ) throws(CryptoError) -> Bytes {
        let sealed = try ChaCha20Poly1305.seal(plaintext, key: key, nonce: nonce, authenticating: context)
        sequence += 1
        return sealed
    }

    /// A message that does not open leaves the sequence where it was.
    package mutating func open(
        _ ciphertext: Bytes, authenticating context: Bytes = []
    ) throws(CryptoError) -> Secret {
        let plaintext = try ChaCha20Poly1305.open(ciphertext, key: key, nonce: nonce, authenticating: context)
        sequence += 1
        return plaintext
    }

    /// The count is the program's: more than HKDF gives stops it.
    package func export(_ context: Bytes, count: Int) -> Secret { labels.expand(exporter, "sec", context, count) }

    private var nonce: ChaCha20Poly1305.Nonce {
        var nonce = ChaCha20Poly1305.Nonce(repeating: 0)
        for index in nonce.indices {
            let shift = UInt64(8 * (ChaCha20Poly1305.nonceCount - 1 - index))
            nonce[index] = baseNonce[index] ^ (shift < 64 ? UInt8(truncatingIfNeeded: sequence >> shift) : 0)
        }
        return nonce
    }
}

/// LabeledExtract and LabeledExpand (RFC 9180 §4): HKDF that says what for.
private struct HPKELabels: Sendable {
    private let prefix: Bytes

    init(_ suite: Bytes) { prefix = Bytes("HPKE-v1".utf8) + suite }

    func extract(_ label: String, salt: Secret = Secret([]), _ input: Secret) -> Secret {
        let start = prefix + Bytes(label.utf8)
        let labeled = Secret(count: start.count + input.count) { bytes in
            start.withUnsafeBytes { bytes.copyMemory(from: $0) }
            input.withExposedBytes {
                UnsafeMutableRawBufferPointer(rebasing: bytes[start.count...]).copyMemory(from: $0)
            }
        }
        return HKDF.extractSHA256(labeled, salt: salt)
    }

    func expand(_ key: Secret, _ label: String, _ info: Bytes, _ count: Int) -> Secret {
        let length = [UInt8(truncatingIfNeeded: count >> 8), UInt8(truncatingIfNeeded: count)]
        return HKDF.expandSHA256(key, info: length + prefix + Bytes(label.utf8) + info, count: count)
    }
}

extension HKDF {
    /// RFC 5869 §2.2 alone.
    fileprivate static func extractSHA256(_ input: Secret, salt: Secret) -> Secret {
        salt.withExposedBytes { salt in
            step("EXTRACT_ONLY", input, Parameter.bytes(plexi_kdf_param_salt(), salt), count: SHA256.count)
        }
    }

    /// RFC 5869 §2.3 alone.
    fileprivate static func expandSHA256(_ key: Secret, info: Bytes, count: Int) -> Secret {
        precondition(count > 0 && count <= longest, "HKDF-SHA256 gives 1 to \(longest) bytes")
        return info.withUnsafeBytes { info in
            step("EXPAND_ONLY", key, Parameter.bytes(plexi_kdf_param_info(), info), count: count)
        }
    }

    private static func step(_ mode: StaticString, _ key: Secret, _ other: OSSL_PARAM, count: Int) -> Secret {
        let context = EVP_KDF_CTX_new(Algorithms.hkdf.pointer)
        defer { EVP_KDF_CTX_free(context) }
        return Secret(count: count) { output in
            let done = key.withExposedBytes { key in
                let parameters = [
                    Parameter.text(plexi_kdf_param_digest(), "SHA256"), Parameter.text(plexi_kdf_param_mode(), mode),
                    Parameter.bytes(plexi_kdf_param_key(), key), other, Parameter.end,
                ]
                let start = output.bindMemory(to: UInt8.self).baseAddress
                return EVP_KDF_derive(context, start, output.count, parameters) == 1
            }
            OpenSSLFailure.require(done, "HKDF")
        }
    }
}
