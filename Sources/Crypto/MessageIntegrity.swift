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
    private var states = plexi_hmac_sha1()

    package init(_ key: Secret) {
        key.withExposedBytes { key in
            plexi_hmac_sha1_init(&states, key.bindMemory(to: UInt8.self).baseAddress, key.count)
        }
    }

    package func code(over message: RawSpan) -> MessageIntegrityCode { code(nil, message) }

    /// Over four bytes and then `rest`: a STUN message is authenticated with another length than it carries.
    package func code(over firstWord: UInt32, _ rest: RawSpan) -> MessageIntegrityCode { code(firstWord, rest) }

    private func code(_ firstWord: UInt32?, _ rest: RawSpan) -> MessageIntegrityCode {
        var code = MessageIntegrityCode()
        var word = (firstWord ?? 0).bigEndian
        withUnsafePointer(to: states) { states in
            code.bytes.withMutableBytes { tag in
                rest.withUnsafeBytes { rest in
                    plexi_hmac_sha1_tag(
                        states, &word, firstWord == nil ? 0 : 4, rest.baseAddress, rest.count, tag)
                }
            }
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
