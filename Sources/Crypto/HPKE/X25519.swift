// X25519 (RFC 7748), keys as their 32 raw bytes. A shared secret of zeros, which low-order points give, is refused.

package import Base
import COpenSSL

package struct X25519PublicKey: Sendable, Hashable {
    package static let count = 32

    package let bytes: Bytes
    fileprivate let handle: KeyHandle

    /// Any 32 bytes are taken: those that are of no use show when a secret is to be shared.
    package init(_ bytes: Bytes) throws(CryptoError) {
        guard bytes.count == Self.count else {
            throw .badKey("an X25519 public key has 32 bytes, not \(bytes.count)")
        }
        let key = EVP_PKEY_new_raw_public_key_ex(nil, "X25519", nil, bytes, bytes.count)
        guard let handle = KeyHandle(key) else { throw .badKey(OpenSSLFailure.take()) }
        self.bytes = bytes
        self.handle = handle
    }

    package static func == (left: Self, right: Self) -> Bool { left.bytes == right.bytes }
    package func hash(into hasher: inout Hasher) { hasher.combine(bytes) }
}

package struct X25519PrivateKey: Sendable {
    package static let count = 32

    package let bytes: Secret
    package let publicKey: X25519PublicKey
    private let handle: KeyHandle

    package init() {
        do {
            try self.init(SecureRandom.secret(Self.count))
        } catch { fatalError("X25519 refused random bytes: \(error)") }
    }

    /// Any 32 bytes: they are clamped where they are used.
    package init(_ bytes: Secret) throws(CryptoError) {
        guard bytes.count == Self.count else {
            throw .badKey("an X25519 private key has 32 bytes, not \(bytes.count)")
        }
        let key = bytes.withExposedBytes {
            EVP_PKEY_new_raw_private_key_ex(nil, "X25519", nil, $0.bindMemory(to: UInt8.self).baseAddress, $0.count)
        }
        guard let handle = KeyHandle(key) else { throw .badKey(OpenSSLFailure.take()) }
        var count = X25519PublicKey.count
        var publicBytes = Bytes(repeating: 0, count: count)
        guard EVP_PKEY_get_raw_public_key(handle.pointer, &publicBytes, &count) == 1 else {
            throw .badKey(OpenSSLFailure.take())
        }
        self.bytes = bytes
        self.handle = handle
        publicKey = try X25519PublicKey(publicBytes)
    }

    package func sharedSecret(with other: X25519PublicKey) throws(CryptoError) -> Secret {
        let context = EVP_PKEY_CTX_new_from_pkey(nil, handle.pointer, nil)
        defer { EVP_PKEY_CTX_free(context) }
        guard EVP_PKEY_derive_init(context) == 1, EVP_PKEY_derive_set_peer(context, other.handle.pointer) == 1 else {
            throw OpenSSLFailure.error()
        }
        return try Secret(count: X25519PublicKey.count) { shared throws(CryptoError) in
            var count = shared.count
            let start = shared.bindMemory(to: UInt8.self).baseAddress
            guard EVP_PKEY_derive(context, start, &count) == 1, shared.reduce(0, |) != 0 else {
                ERR_clear_error()
                throw .badKey("the X25519 public key is a point of low order")
            }
        }
    }
}
