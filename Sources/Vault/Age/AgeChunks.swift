// The payload of an age file, chunk by chunk: docs/formats/age.md, "File".

package import Base
import CShims
import Crypto

package enum AgeChunk {
    package static let plainCount = 65_536
    package static let sealedCount = plainCount + ChaCha20Poly1305.tagCount
    package static let nonceCount = 16

    /// The chunk's number in 11 bytes, and whether it is the last one.
    static func nonce(_ index: UInt64, isLast: Bool) -> ChaCha20Poly1305.Nonce {
        var nonce = ChaCha20Poly1305.Nonce(repeating: 0)
        for place in 0..<8 { nonce[3 + place] = UInt8(truncatingIfNeeded: index >> UInt64(56 - 8 * place)) }
        nonce[11] = isLast ? 1 : 0
        return nonce
    }

    /// Bytes behind the nonce for a plaintext of so many.
    package static func sealedCount(ofPlaintext count: UInt64) -> UInt64 {
        let chunks = max(1, (count + UInt64(plainCount) - 1) / UInt64(plainCount))
        return count + chunks * UInt64(ChaCha20Poly1305.tagCount)
    }

    /// `nil` when there is no such plaintext: the last chunk would be empty after others, or shorter than its tag.
    package static func plaintextCount(ofSealed count: UInt64) -> UInt64? {
        let tag = UInt64(ChaCha20Poly1305.tagCount)
        let (whole, rest) = count.quotientAndRemainder(dividingBy: UInt64(sealedCount))
        if rest == 0 { return whole > 0 ? whole * UInt64(plainCount) : nil }
        guard rest > tag || (rest == tag && whole == 0) else { return nil }
        return whole * UInt64(plainCount) + rest - tag
    }

    /// What is said of a last piece that does not open. A length from elsewhere decides whether it was cut.
    static func damage(at index: UInt64, received: UInt64, expected: UInt64?) -> AgeError {
        guard let expected else { return .damagedEnd(index) }
        return received < expected ? .truncated(.payload(index)) : .tampered(index)
    }

    package static func payloadKey(_ fileKey: Secret, nonce: Bytes) -> Secret {
        HKDF.sha256(fileKey, salt: nonce, info: Bytes("payload".utf8), count: ChaCha20Poly1305.keyCount)
    }
}

/// Seals one chunk after the other.
package struct AgeChunkSealer: ~Copyable, Sendable {
    private let cipher: ChaCha20Poly1305Cipher
    private var index: UInt64 = 0

    /// The key must not have sealed anything yet.
    package init(payloadKey: Secret) {
        do {
            cipher = try ChaCha20Poly1305Cipher(payloadKey, .sealing)
        } catch { fatalError("a payload key comes from HKDF: \(error)") }
    }

    /// Fills `output`, 16 bytes more than the plaintext. All chunks but the last are whole.
    package mutating func seal(
        _ plaintext: UnsafeRawBufferPointer, isLast: Bool, into output: UnsafeMutableRawBufferPointer
    ) {
        precondition(
            plaintext.count == AgeChunk.plainCount || (isLast && plaintext.count < AgeChunk.plainCount),
            "only the last chunk is shorter")
        precondition(index == 0 || !plaintext.isEmpty, "an empty chunk is the only one")
        cipher.seal(plaintext, AgeChunk.nonce(index, isLast: isLast), into: output)
        index += 1
    }
}

/// Opens chunks in any order.
package struct AgeChunkOpener: ~Copyable, Sendable {
    private let cipher: ChaCha20Poly1305Cipher

    package init(payloadKey: Secret) {
        do {
            cipher = try ChaCha20Poly1305Cipher(payloadKey, .opening)
        } catch { fatalError("a payload key comes from HKDF: \(error)") }
    }

    /// Fills `output`, 16 bytes less than `sealed`; false, and zeros in it, when this is not that chunk.
    package func open(
        _ sealed: UnsafeRawBufferPointer, _ index: UInt64, isLast: Bool, into output: UnsafeMutableRawBufferPointer
    ) -> Bool {
        cipher.open(sealed, AgeChunk.nonce(index, isLast: isLast), into: output)
    }
}

/// Memory for a chunk, wiped and freed with its owner.
struct AgeBuffer: ~Copyable, @unchecked Sendable {
    /// Owned: nobody else keeps the address, so moving the buffer to another thread moves all of it.
    let bytes: UnsafeMutableRawBufferPointer

    init(_ count: Int) { bytes = .allocate(byteCount: count, alignment: 64) }

    deinit {
        plexi_zeroise(bytes.baseAddress, UInt(bytes.count))
        bytes.deallocate()
    }
}
