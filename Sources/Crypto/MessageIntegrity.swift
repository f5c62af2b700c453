// HMAC-SHA1 with a key that stays, for STUN's MESSAGE-INTEGRITY (RFC 8489 §14.5), which ICE fixes.
//
// The states of SHA-1 after the two padded keys are computed once and copied for each message: three to five blocks of
// SHA-1 a check, and no allocation. Through EVP (tried: EVP_MAC with a kept context) every message allocates a state.
// The states are as good as the key and are not wiped: an ICE password lives as long as one call's transport does.

package import Base
import COpenSSL

package struct MessageIntegrityCode: Sendable {
    package static let count = 20

    fileprivate var bytes = InlineArray<20, UInt8>(repeating: 0)

    package var span: RawSpan {
        @_lifetime(borrow self) get { bytes.span.bytes }
    }

    /// In constant time. A code of another length is another code.
    package func matches(_ other: RawSpan) -> Bool {
        guard other.byteCount == Self.count else { return false }
        return bytes.span.bytes.withUnsafeBytes { own in
            other.withUnsafeBytes { CRYPTO_memcmp(own.baseAddress, $0.baseAddress, Self.count) == 0 }
        }
    }
}

package struct MessageIntegrityKey: Sendable {
    private static let blockBytes = 64

    private var inner = SHA_CTX()
    private var outer = SHA_CTX()

    package init(_ key: Secret) {
        var block = [UInt8](repeating: 0, count: Self.blockBytes)
        key.withExposedBytes { key in
            if key.count > Self.blockBytes {
                var state = SHA_CTX()
                plexi_sha1_init(&state)
                plexi_sha1_update(&state, key.baseAddress, key.count)
                plexi_sha1_final(&block, &state)
            } else {
                for (index, byte) in key.enumerated() { block[index] = byte }
            }
        }
        for index in block.indices { block[index] ^= 0x36 }
        plexi_sha1_init(&inner)
        plexi_sha1_update(&inner, block, block.count)
        for index in block.indices { block[index] ^= 0x36 ^ 0x5C }
        plexi_sha1_init(&outer)
        plexi_sha1_update(&outer, block, block.count)
        block.withUnsafeMutableBytes { OPENSSL_cleanse($0.baseAddress, $0.count) }
    }

    package func code(over message: RawSpan) -> MessageIntegrityCode {
        var state = inner
        message.withUnsafeBytes { plexi_sha1_update(&state, $0.baseAddress, $0.count) }
        return finish(&state)
    }

    /// Over four bytes and then `rest`: a STUN message is authenticated with another length than it carries.
    package func code(over firstWord: UInt32, _ rest: RawSpan) -> MessageIntegrityCode {
        var state = inner
        var word = firstWord.bigEndian
        plexi_sha1_update(&state, &word, 4)
        rest.withUnsafeBytes { plexi_sha1_update(&state, $0.baseAddress, $0.count) }
        return finish(&state)
    }

    private func finish(_ state: inout SHA_CTX) -> MessageIntegrityCode {
        var code = MessageIntegrityCode()
        var last = outer
        code.bytes.withMutableBytes { bytes in
            plexi_sha1_final(bytes, &state)
            plexi_sha1_update(&last, bytes, MessageIntegrityCode.count)
            plexi_sha1_final(bytes, &last)
        }
        return code
    }
}

extension InlineArray where Element == UInt8 {
    fileprivate mutating func withMutableBytes(_ body: (UnsafeMutablePointer<UInt8>) -> Void) {
        var span = mutableSpan
        span.withUnsafeMutableBufferPointer { if let start = $0.baseAddress { body(start) } }
    }
}
