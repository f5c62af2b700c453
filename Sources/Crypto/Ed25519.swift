// Ed25519 (RFC 8032), keys as their 32 raw bytes.

package import Base
import COpenSSL

/// An OpenSSL key that is freed with its last owner.
///
/// `@unchecked`: the key is complete when it gets here, and OpenSSL locks what it caches in it by itself.
final class KeyHandle: @unchecked Sendable {
    let pointer: OpaquePointer

    init?(_ pointer: OpaquePointer?) {
        guard let pointer else { return nil }
        self.pointer = pointer
    }

    deinit { EVP_PKEY_free(pointer) }
}

package struct Ed25519PrivateKey: Sendable {
    package static let seedCount = 32

    package let seed: Secret
    package let publicKey: Ed25519PublicKey
    private let handle: KeyHandle

    package init() {
        do {
            try self.init(seed: SecureRandom.secret(Self.seedCount))
        } catch { fatalError("Ed25519 refused a random seed: \(error)") }
    }

    package init(seed: Secret) throws(CryptoError) {
        guard seed.count == Self.seedCount else {
            throw .badKey("an Ed25519 seed has 32 bytes, not \(seed.count)")
        }
        let key = seed.withExposedBytes {
            EVP_PKEY_new_raw_private_key_ex(nil, "ED25519", nil, $0.bindMemory(to: UInt8.self).baseAddress, $0.count)
        }
        guard let handle = KeyHandle(key) else { throw .badKey(OpenSSLFailure.take()) }
        var count = Ed25519PublicKey.count
        var bytes = Bytes(repeating: 0, count: count)
        guard EVP_PKEY_get_raw_public_key(handle.pointer, &bytes, &count) == 1 else {
            throw .badKey(OpenSSLFailure.take())
        }
        self.seed = seed
        self.handle = handle
        publicKey = try Ed25519PublicKey(bytes)
    }

    package func sign(_ message: Bytes) -> Bytes {
        let context = EVP_MD_CTX_new()
        defer { EVP_MD_CTX_free(context) }
        let started = EVP_DigestSignInit_ex(context, nil, nil, nil, nil, handle.pointer, nil)
        OpenSSLFailure.require(started == 1, "Ed25519 set-up")
        return Bytes(unsafeUninitializedCapacity: Ed25519PublicKey.signatureCount) { buffer, initialized in
            initialized = buffer.count
            let done = EVP_DigestSign(context, buffer.baseAddress, &initialized, message, message.count)
            OpenSSLFailure.require(done == 1, "Ed25519 signature")
        }
    }
}

package struct Ed25519PublicKey: Sendable, Hashable {
    package static let count = 32
    package static let signatureCount = 64

    package let bytes: Bytes
    private let handle: KeyHandle

    /// Any 32 bytes are taken; those that are no point on the curve make no signature valid.
    package init(_ bytes: Bytes) throws(CryptoError) {
        guard bytes.count == Self.count else {
            throw .badKey("an Ed25519 public key has 32 bytes, not \(bytes.count)")
        }
        let key = EVP_PKEY_new_raw_public_key_ex(nil, "ED25519", nil, bytes, bytes.count)
        guard let handle = KeyHandle(key) else { throw .badKey(OpenSSLFailure.take()) }
        self.bytes = bytes
        self.handle = handle
    }

    package func isValid(_ signature: Bytes, for message: Bytes) -> Bool {
        guard signature.count == Self.signatureCount else { return false }
        let context = EVP_MD_CTX_new()
        defer {
            EVP_MD_CTX_free(context)
            ERR_clear_error()
        }
        return EVP_DigestVerifyInit_ex(context, nil, nil, nil, nil, handle.pointer, nil) == 1
            && EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
    }

    package static func == (left: Self, right: Self) -> Bool { left.bytes == right.bytes }
    package func hash(into hasher: inout Hasher) { hasher.combine(bytes) }
}
