// ML-KEM-768 (FIPS 203): a key encapsulation that quantum computers do not break, as far as is known.
//
// Where the linked OpenSSL has it (3.5 and newer) OpenSSL does the work, else `MLKEMCore`; both pass the same vectors.
// Alone it is not for use: `XWing` joins it with X25519, so that a break of either leaves the other.

package import Base
import COpenSSL

package enum MLKEM768 {
    /// d and z of the standard: the form of a private key that is worth keeping.
    package static let seedCount = 64
    package static let publicKeyCount = MLKEMCore.publicKeyCount
    /// ŝ, public key, its hash, and z.
    package static let expandedPrivateKeyCount = MLKEMCore.privateKeyCount
    package static let ciphertextCount = MLKEMCore.ciphertextCount
    package static let sharedKeyCount = 32
    static let messageCount = 32

    /// Who does the work.
    package enum Implementation: Sendable, CaseIterable {
        case swift, openSSL

        /// Whether it can be had here.
        package var isAvailable: Bool { self == .swift || MLKEM768OpenSSL.isAvailable }
        package static let preferred: Implementation = MLKEM768OpenSSL.isAvailable ? .openSSL : .swift
    }
}

package struct MLKEM768PublicKey: Sendable {
    enum Form {
        case swift(MLKEMCore.PublicKey)
        case openSSL(KeyHandle)
    }

    package let bytes: Bytes
    private let form: Form

    /// Checks the length and that all coefficients are below q (FIPS 203 §7.2).
    package init(_ bytes: Bytes, using implementation: MLKEM768.Implementation = .preferred) throws(CryptoError) {
        guard bytes.count == MLKEM768.publicKeyCount else {
            throw .badKey("an ML-KEM-768 public key has \(MLKEM768.publicKeyCount) bytes, not \(bytes.count)")
        }
        switch implementation {
        case .swift:
            guard let key = MLKEMCore.PublicKey(bytes) else {
                throw .badKey("an ML-KEM-768 public key has a coefficient above q")
            }
            self.init(bytes, .swift(key))
        case .openSSL: self.init(bytes, .openSSL(try MLKEM768OpenSSL.publicKey(bytes)))
        }
    }

    init(_ bytes: Bytes, _ form: Form) {
        self.bytes = bytes
        self.form = form
    }

    package func encapsulate() throws(CryptoError) -> (ciphertext: Bytes, sharedKey: Secret) {
        try encapsulate(message: SecureRandom.secret(MLKEM768.messageCount))
    }

    /// With a message that is given: for vectors. One that is used twice, or guessed, gives the shared key away.
    package func encapsulate(message: Secret) throws(CryptoError) -> (ciphertext: Bytes, sharedKey: Secret) {
        guard message.count == MLKEM768.messageCount else {
            throw .badParameters("a message has 32 bytes, not \(message.count)")
        }
        switch form {
        case .swift(let key):
            var ciphertext = Bytes()
            let shared = Secret(count: MLKEM768.sharedKeyCount) { shared in
                ciphertext = MLKEMCore.encapsulate(message, to: key, into: shared)
            }
            return (ciphertext, shared)
        case .openSSL(let key): return try MLKEM768OpenSSL.encapsulate(message, to: key)
        }
    }
}

package struct MLKEM768PrivateKey: Sendable {
    private enum Form {
        case swift(MLKEMCore.PrivateKey)
        case openSSL(KeyHandle)
    }

    package let publicKey: MLKEM768PublicKey
    private let form: Form

    package init() {
        do {
            try self.init(seed: SecureRandom.secret(MLKEM768.seedCount))
        } catch { fatalError("ML-KEM-768 refused a random seed: \(error)") }
    }

    package init(
        seed: Secret, using implementation: MLKEM768.Implementation = .preferred
    ) throws(CryptoError) {
        guard seed.count == MLKEM768.seedCount else {
            throw .badKey("an ML-KEM-768 seed has \(MLKEM768.seedCount) bytes, not \(seed.count)")
        }
        switch implementation {
        case .swift: self.init(MLKEMCore.PrivateKey(seed: seed))
        case .openSSL: self.init(try MLKEM768OpenSSL.privateKey(seed: seed))
        }
    }

    /// Checks the length, the public key in it, and that key's hash (FIPS 203 §7.3).
    package init(
        expanded: Secret, using implementation: MLKEM768.Implementation = .preferred
    ) throws(CryptoError) {
        guard expanded.count == MLKEM768.expandedPrivateKeyCount else {
            let wanted = MLKEM768.expandedPrivateKeyCount
            throw .badKey("an expanded ML-KEM-768 private key has \(wanted) bytes, not \(expanded.count)")
        }
        switch implementation {
        case .swift:
            guard let key = MLKEMCore.PrivateKey(expanded: expanded) else {
                throw .badKey("an ML-KEM-768 private key does not fit the public key in it")
            }
            self.init(key)
        case .openSSL: self.init(try MLKEM768OpenSSL.privateKey(expanded: expanded))
        }
    }

    /// From G's two halves and z. This is where the secret part of making a key begins, for who checks that its time
    /// tells nothing; always in Swift.
    package init(publicSeed: Bytes, noiseSeed: Secret, rejection: Secret) throws(CryptoError) {
        guard publicSeed.count == 32, noiseSeed.count == 32, rejection.count == 32 else {
            throw .badKey("the three seeds of an ML-KEM-768 key have 32 bytes each")
        }
        self.init(
            publicSeed.withUnsafeBytes { publicSeed in
                noiseSeed.withExposedBytes {
                    MLKEMCore.PrivateKey(publicSeed: publicSeed, noiseSeed: $0, rejection: rejection)
                }
            })
    }

    private init(_ key: MLKEMCore.PrivateKey) {
        form = .swift(key)
        publicKey = MLKEM768PublicKey(key.publicKey.bytes, .swift(key.publicKey))
    }

    private init(_ pair: (key: KeyHandle, publicKey: Bytes)) {
        form = .openSSL(pair.key)
        publicKey = MLKEM768PublicKey(pair.publicKey, .openSSL(pair.key))
    }

    package func expanded() throws(CryptoError) -> Secret {
        switch form {
        case .swift(let key): key.expanded
        case .openSSL(let key): try MLKEM768OpenSSL.expanded(key)
        }
    }

    /// Fails for a wrong length only. Any other ciphertext that was not made for this key gives a key that nobody knows.
    package func decapsulate(_ ciphertext: Bytes) throws(CryptoError) -> Secret {
        guard ciphertext.count == MLKEM768.ciphertextCount else {
            throw .badParameters(
                "an ML-KEM-768 ciphertext has \(MLKEM768.ciphertextCount) bytes, not \(ciphertext.count)")
        }
        switch form {
        case .swift(let key):
            return Secret(count: MLKEM768.sharedKeyCount) { MLKEMCore.decapsulate(ciphertext, with: key, into: $0) }
        case .openSSL(let key): return try MLKEM768OpenSSL.decapsulate(ciphertext, with: key)
        }
    }
}
