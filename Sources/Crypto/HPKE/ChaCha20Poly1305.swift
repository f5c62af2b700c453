// ChaCha20-Poly1305 (RFC 8439).

package import Base
import COpenSSL

package enum ChaCha20Poly1305 {
    package static let keyCount = 32
    package static let nonceCount = 12
    package static let tagCount = 16
    package typealias Nonce = InlineArray<12, UInt8>
    /// OpenSSL counts in `int`; larger things are cut into chunks (`Age`).
    package static let longestMessage = 1 << 30

    /// Ciphertext and tag. One key must never see the same nonce twice.
    package static func seal(
        _ plaintext: Secret, key: Secret, nonce: Nonce, authenticating context: Bytes = []
    ) throws(CryptoError) -> Bytes {
        let cipher = try ChaCha20Poly1305Cipher(key, .sealing)
        var sealed = Bytes(repeating: 0, count: plaintext.count + tagCount)
        plaintext.withExposedBytes { plaintext in
            sealed.withUnsafeMutableBytes { cipher.seal(plaintext, nonce, authenticating: context, into: $0) }
        }
        return sealed
    }

    package static func open(
        _ sealed: Bytes, key: Secret, nonce: Nonce, authenticating context: Bytes = []
    ) throws(CryptoError) -> Secret {
        guard sealed.count >= tagCount else { throw .authenticationFailed }
        let cipher = try ChaCha20Poly1305Cipher(key, .opening)
        return try Secret(count: sealed.count - tagCount) { plaintext throws(CryptoError) in
            let authentic = sealed.withUnsafeBytes {
                cipher.open($0, nonce, authenticating: context, into: plaintext)
            }
            guard authentic else { throw .authenticationFailed }
        }
    }
}

/// One key for many messages, in one direction. OpenSSL keeps the key's schedule and wipes it when this is freed.
package struct ChaCha20Poly1305Cipher: ~Copyable, @unchecked Sendable {
    package enum Direction { case sealing, opening }

    /// Owned: nobody else has the pointer, so moving the cipher to another thread moves all of it.
    private let context: OpaquePointer

    package init(_ key: Secret, _ direction: Direction) throws(CryptoError) {
        guard key.count == ChaCha20Poly1305.keyCount else {
            throw .badKey("a ChaCha20-Poly1305 key has 32 bytes, not \(key.count)")
        }
        guard let context = EVP_CIPHER_CTX_new() else { fatalError("EVP_CIPHER_CTX_new: out of memory") }
        self.context = context
        let started = key.withExposedBytes {
            EVP_CipherInit_ex2(
                context, Self.algorithm.pointer, $0.bindMemory(to: UInt8.self).baseAddress, nil,
                direction == .sealing ? 1 : 0, nil)
        }
        OpenSSLFailure.require(started == 1, "ChaCha20-Poly1305 set-up")
    }

    deinit { EVP_CIPHER_CTX_free(context) }

    private static let algorithm = Algorithms.Handle(
        EVP_CIPHER_fetch(nil, "ChaCha20-Poly1305", nil), "ChaCha20-Poly1305")

    /// Fills `output`, which has room for the tag behind the ciphertext; it may begin where the plaintext does.
    package func seal(
        _ plaintext: UnsafeRawBufferPointer, _ nonce: ChaCha20Poly1305.Nonce, authenticating context: Bytes = [],
        into output: UnsafeMutableRawBufferPointer
    ) {
        precondition(
            plaintext.count <= ChaCha20Poly1305.longestMessage
                && output.count == plaintext.count + ChaCha20Poly1305.tagCount,
            "ciphertext and tag fill the output")
        let done =
            start(nonce, context) && update(plaintext, into: output.baseAddress) && finish()
            && tag(EVP_CTRL_AEAD_GET_TAG, output.baseAddress! + plaintext.count)
        OpenSSLFailure.require(done, "ChaCha20-Poly1305")
    }

    /// Fills `output`, 16 bytes less than `sealed`. When false is returned, nothing of the plaintext is left in it.
    package func open(
        _ sealed: UnsafeRawBufferPointer, _ nonce: ChaCha20Poly1305.Nonce, authenticating context: Bytes = [],
        into output: UnsafeMutableRawBufferPointer
    ) -> Bool {
        precondition(
            sealed.count <= ChaCha20Poly1305.longestMessage
                && sealed.count == output.count + ChaCha20Poly1305.tagCount,
            "a sealed message is its plaintext and a tag")
        let ciphertext = UnsafeRawBufferPointer(rebasing: sealed[..<output.count])
        let authentic =
            start(nonce, context) && update(ciphertext, into: output.baseAddress)
            && tag(EVP_CTRL_AEAD_SET_TAG, UnsafeMutableRawPointer(mutating: sealed.baseAddress! + output.count))
            && finish()
        guard !authentic else { return true }
        OPENSSL_cleanse(output.baseAddress, output.count)
        ERR_clear_error()
        return false
    }

    /// The key and the direction stay.
    private func start(_ nonce: ChaCha20Poly1305.Nonce, _ authenticated: Bytes) -> Bool {
        let started = nonce.span.withUnsafeBufferPointer {
            EVP_CipherInit_ex2(context, nil, nil, $0.baseAddress, -1, nil) == 1
        }
        return started && authenticated.withUnsafeBytes { update($0, into: nil) }
    }

    /// No output address: the input is authenticated only.
    private func update(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawPointer?) -> Bool {
        guard !input.isEmpty else { return true }
        var count: Int32 = 0
        return EVP_CipherUpdate(
            context, output?.assumingMemoryBound(to: UInt8.self), &count,
            input.bindMemory(to: UInt8.self).baseAddress, Int32(input.count)) == 1
    }

    private func finish() -> Bool {
        var count: Int32 = 0
        var none: (UInt64, UInt64) = (0, 0)
        return withUnsafeMutableBytes(of: &none) {
            EVP_CipherFinal_ex(context, $0.bindMemory(to: UInt8.self).baseAddress, &count) == 1
        }
    }

    private func tag(_ operation: Int32, _ address: UnsafeMutableRawPointer) -> Bool {
        EVP_CIPHER_CTX_ctrl(context, operation, Int32(ChaCha20Poly1305.tagCount), address) == 1
    }
}
