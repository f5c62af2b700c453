// X-Wing (draft-connolly-cfrg-xwing-kem, HPKE's KEM 0x647A): ML-KEM-768 and X25519 joined by SHA3-256, so that the
// shared key is secret as long as one of the two is unbroken.

package import Base
import COpenSSL

package enum XWing {
    /// The private key: what both private keys are derived from.
    package static let seedCount = 32
    package static let publicKeyCount = MLKEM768.publicKeyCount + X25519PublicKey.count
    package static let ciphertextCount = MLKEM768.ciphertextCount + X25519PublicKey.count
    package static let sharedKeyCount = 32
    /// A message of ML-KEM's and a private key of X25519's.
    package static let randomnessCount = MLKEM768.messageCount + X25519PrivateKey.count

    /// Drawn with characters: `\.//^\`.
    private static let label: Bytes = [0x5C, 0x2E, 0x2F, 0x2F, 0x5E, 0x5C]

    /// ML-KEM's ciphertext needs no place here: its shared key already depends on it.
    fileprivate static func join(_ mlkem: Secret, _ x25519: Secret, _ ciphertext: Bytes, _ publicKey: Bytes) -> Secret {
        Secret(count: sharedKeyCount) { shared in
            Sponge.with(.sha3Of256) { sponge in
                mlkem.withExposedBytes { sponge.absorb($0) }
                x25519.withExposedBytes { sponge.absorb($0) }
                ciphertext.withUnsafeBytes { sponge.absorb($0) }
                publicKey.withUnsafeBytes { sponge.absorb($0) }
                label.withUnsafeBytes { sponge.absorb($0) }
                sponge.squeeze(into: shared)
            }
        }
    }
}

package struct XWingPublicKey: Sendable, Hashable {
    package let bytes: Bytes
    fileprivate let mlkem: MLKEM768PublicKey
    fileprivate let x25519: X25519PublicKey

    package init(_ bytes: Bytes) throws(CryptoError) {
        guard bytes.count == XWing.publicKeyCount else {
            throw .badKey("an X-Wing public key has \(XWing.publicKeyCount) bytes, not \(bytes.count)")
        }
        self.init(
            try MLKEM768PublicKey(Bytes(bytes.prefix(MLKEM768.publicKeyCount))),
            try X25519PublicKey(Bytes(bytes.dropFirst(MLKEM768.publicKeyCount))))
    }

    fileprivate init(_ mlkem: MLKEM768PublicKey, _ x25519: X25519PublicKey) {
        self.mlkem = mlkem
        self.x25519 = x25519
        bytes = mlkem.bytes + x25519.bytes
    }

    package func encapsulate() throws(CryptoError) -> (ciphertext: Bytes, sharedKey: Secret) {
        try encapsulate(randomness: SecureRandom.secret(XWing.randomnessCount))
    }

    /// With randomness that is given: for vectors. Used twice, or guessed, it gives the shared key away.
    package func encapsulate(randomness: Secret) throws(CryptoError) -> (ciphertext: Bytes, sharedKey: Secret) {
        guard randomness.count == XWing.randomnessCount else {
            throw .badParameters("X-Wing takes \(XWing.randomnessCount) random bytes, not \(randomness.count)")
        }
        let (message, ephemeral) = randomness.withExposedBytes {
            (Secret($0.prefix(MLKEM768.messageCount)), Secret($0.dropFirst(MLKEM768.messageCount)))
        }
        let first = try mlkem.encapsulate(message: message)
        let key = try X25519PrivateKey(ephemeral)
        let second = try key.sharedSecret(with: x25519)
        let shared = XWing.join(first.sharedKey, second, key.publicKey.bytes, x25519.bytes)
        return (first.ciphertext + key.publicKey.bytes, shared)
    }

    package static func == (left: Self, right: Self) -> Bool { left.bytes == right.bytes }
    package func hash(into hasher: inout Hasher) { hasher.combine(bytes) }
}

package struct XWingPrivateKey: Sendable {
    package let seed: Secret
    package let publicKey: XWingPublicKey
    private let mlkem: MLKEM768PrivateKey
    private let x25519: X25519PrivateKey

    package init() {
        do {
            try self.init(seed: SecureRandom.secret(XWing.seedCount))
        } catch { fatalError("X-Wing refused a random seed: \(error)") }
    }

    package init(seed: Secret) throws(CryptoError) {
        guard seed.count == XWing.seedCount else {
            throw .badKey("an X-Wing private key has \(XWing.seedCount) bytes, not \(seed.count)")
        }
        let expanded = Secret(count: MLKEM768.seedCount + X25519PrivateKey.count) { output in
            seed.withExposedBytes { Sponge.hash(.shake256, $0, into: output) }
        }
        let (first, second) = expanded.withExposedBytes {
            (Secret($0.prefix(MLKEM768.seedCount)), Secret($0.dropFirst(MLKEM768.seedCount)))
        }
        self.seed = seed
        mlkem = try MLKEM768PrivateKey(seed: first)
        x25519 = try X25519PrivateKey(second)
        publicKey = XWingPublicKey(mlkem.publicKey, x25519.publicKey)
    }

    /// Fails for a wrong length and for a point of low order; else a ciphertext that was not made for this key gives a
    /// shared key that nobody knows.
    package func decapsulate(_ ciphertext: Bytes) throws(CryptoError) -> Secret {
        guard ciphertext.count == XWing.ciphertextCount else {
            throw .badParameters("an X-Wing ciphertext has \(XWing.ciphertextCount) bytes, not \(ciphertext.count)")
        }
        let point = Bytes(ciphertext.dropFirst(MLKEM768.ciphertextCount))
        let first = try mlkem.decapsulate(Bytes(ciphertext.prefix(MLKEM768.ciphertextCount)))
        let second = try x25519.sharedSecret(with: try X25519PublicKey(point))
        return XWing.join(first, second, point, x25519.publicKey.bytes)
    }
}
