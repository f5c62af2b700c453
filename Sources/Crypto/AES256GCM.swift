// AES-256-GCM (NIST SP 800-38D) with 96-bit nonces and 128-bit tags only: other lengths are legal and weaker.

package import Base
import COpenSSL

package enum AES256GCM {
    package static let keyCount = 32
    package static let nonceCount = 12
    package static let tagCount = 16
    /// OpenSSL counts in `int`; far above any message of ours, far below the 64 GiB of the standard.
    package static let longestMessage = 1 << 30

    /// Ciphertext and tag. One key must never see the same nonce twice.
    package static func seal(
        _ plaintext: Bytes, key: Secret, nonce: Bytes, authenticating context: Bytes
    ) throws(CryptoError) -> Bytes {
        try check(key, nonce, context, plaintext.count)
        let sealed = plaintext.withUnsafeBytes { sealing($0, key, nonce, context) }
        guard let sealed else { throw OpenSSLFailure.error() }
        return sealed
    }

    package static func seal(
        _ plaintext: Secret, key: Secret, nonce: Bytes, authenticating context: Bytes
    ) throws(CryptoError) -> Bytes {
        try check(key, nonce, context, plaintext.count)
        let sealed = plaintext.withExposedBytes { sealing($0, key, nonce, context) }
        guard let sealed else { throw OpenSSLFailure.error() }
        return sealed
    }

    package static func open(
        _ sealed: Bytes, key: Secret, nonce: Bytes, authenticating context: Bytes
    ) throws(CryptoError) -> Bytes {
        try checkOpening(sealed, key, nonce, context)
        var plaintext = Bytes(repeating: 0, count: sealed.count - tagCount)
        let authentic = plaintext.withUnsafeMutableBytes { opening(sealed, key, nonce, context, into: $0) }
        guard authentic else { throw .authenticationFailed }
        return plaintext
    }

    /// For plaintexts that are themselves secret: no copy is left behind.
    package static func openSecret(
        _ sealed: Bytes, key: Secret, nonce: Bytes, authenticating context: Bytes
    ) throws(CryptoError) -> Secret {
        try checkOpening(sealed, key, nonce, context)
        return try Secret(count: sealed.count - tagCount) { buffer throws(CryptoError) in
            guard opening(sealed, key, nonce, context, into: buffer) else { throw .authenticationFailed }
        }
    }

    private static func check(_ key: Secret, _ nonce: Bytes, _ context: Bytes, _ count: Int) throws(CryptoError) {
        guard key.count == keyCount else { throw .badKey("an AES-256 key has 32 bytes, not \(key.count)") }
        guard nonce.count == nonceCount else {
            throw .badParameters("a nonce has 12 bytes, not \(nonce.count)")
        }
        guard count <= longestMessage, context.count <= longestMessage else {
            throw .badParameters("more than \(longestMessage) bytes in one message")
        }
    }

    private static func checkOpening(
        _ sealed: Bytes, _ key: Secret, _ nonce: Bytes, _ context: Bytes
    ) throws(CryptoError) {
        try check(key, nonce, context, sealed.count)
        guard sealed.count >= tagCount else { throw .authenticationFailed }
    }

    private static func sealing(
        _ plaintext: UnsafeRawBufferPointer, _ key: Secret, _ nonce: Bytes, _ context: Bytes
    ) -> Bytes? {
        let cipher = CipherContext()
        guard cipher.start(key, nonce, context, encrypting: true) else { return nil }
        var sealed = Bytes(repeating: 0, count: plaintext.count + tagCount)
        let done = sealed.withUnsafeMutableBytes { output in
            cipher.update(plaintext, into: output.baseAddress) && cipher.finish()
                && cipher.tag(EVP_CTRL_AEAD_GET_TAG, output.baseAddress.map { $0 + plaintext.count })
        }
        return done ? sealed : nil
    }

    private static func opening(
        _ sealed: Bytes, _ key: Secret, _ nonce: Bytes, _ context: Bytes, into output: UnsafeMutableRawBufferPointer
    ) -> Bool {
        let cipher = CipherContext()
        let authentic = sealed.withUnsafeBytes { input in
            let tag = input.baseAddress.map { UnsafeMutableRawPointer(mutating: $0 + output.count) }
            return cipher.start(key, nonce, context, encrypting: false)
                && cipher.update(UnsafeRawBufferPointer(rebasing: input[..<output.count]), into: output.baseAddress)
                && cipher.tag(EVP_CTRL_AEAD_SET_TAG, tag) && cipher.finish()
        }
        guard !authentic else { return true }
        // What was decrypted is not to be trusted, and not to be left lying about.
        OPENSSL_cleanse(output.baseAddress, output.count)
        ERR_clear_error()
        return false
    }
}

/// One message. OpenSSL wipes the key in it when it is freed.
private struct CipherContext: ~Copyable {
    private let pointer: OpaquePointer

    init() {
        guard let pointer = EVP_CIPHER_CTX_new() else { fatalError("EVP_CIPHER_CTX_new: out of memory") }
        self.pointer = pointer
    }

    deinit { EVP_CIPHER_CTX_free(pointer) }

    func start(_ key: Secret, _ nonce: Bytes, _ context: Bytes, encrypting: Bool) -> Bool {
        let started = key.withExposedBytes {
            EVP_CipherInit_ex2(
                pointer, Algorithms.aes256GCM.pointer, $0.bindMemory(to: UInt8.self).baseAddress, nonce,
                encrypting ? 1 : 0, nil)
        }
        guard started == 1 else { return false }
        return context.isEmpty || context.withUnsafeBytes { update($0, into: nil) }
    }

    /// No output address: the input is authenticated only.
    func update(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawPointer?) -> Bool {
        guard !input.isEmpty else { return true }
        var count: Int32 = 0
        return EVP_CipherUpdate(
            pointer, output?.assumingMemoryBound(to: UInt8.self), &count,
            input.bindMemory(to: UInt8.self).baseAddress, Int32(input.count)) == 1
    }

    /// GCM gives no bytes at the end; the address is only for form's sake.
    func finish() -> Bool {
        var count: Int32 = 0
        var none: (UInt64, UInt64) = (0, 0)
        return withUnsafeMutableBytes(of: &none) {
            EVP_CipherFinal_ex(pointer, $0.bindMemory(to: UInt8.self).baseAddress, &count) == 1
        }
    }

    func tag(_ operation: Int32, _ address: UnsafeMutableRawPointer?) -> Bool {
        EVP_CIPHER_CTX_ctrl(pointer, operation, Int32(AES256GCM.tagCount), address) == 1
    }
}
