// The layout of a sealed value: docs/formats/vault.md, "Sealed value".

import Base
import Crypto

struct SealedValue {
    static let format: UInt8 = 1
    private static let headerCount = 5
    private static let least = headerCount + AES256GCM.nonceCount + AES256GCM.tagCount
    /// Its length is one byte of the authenticated data; names of keys are short anyway.
    private static let purposeLimit = 64

    let header: Bytes
    let generation: UInt32
    let nonce: Bytes
    /// With its tag.
    let ciphertext: Bytes

    init(parsing bytes: Bytes) throws(VaultError) {
        guard bytes.count >= Self.least else { throw .malformed }
        guard bytes[0] == Self.format else { throw .unknownFormat(bytes[0]) }
        header = Bytes(bytes.prefix(Self.headerCount))
        generation = header.dropFirst().reduce(0) { $0 << 8 | UInt32($1) }
        nonce = Bytes(bytes.dropFirst(Self.headerCount).prefix(AES256GCM.nonceCount))
        ciphertext = Bytes(bytes.dropFirst(Self.headerCount + AES256GCM.nonceCount))
    }

    static func header(generation: UInt32) -> Bytes {
        [format] + stride(from: 24, through: 0, by: -8).map { UInt8(truncatingIfNeeded: generation >> UInt32($0)) }
    }

    static func authenticated(_ header: Bytes, _ purpose: StaticString, _ context: Bytes) -> Bytes {
        let purpose = bytes(of: purpose)
        return Bytes("plexichat sealed".utf8) + header + [UInt8(purpose.count)] + purpose + context
    }

    static func bytes(of purpose: StaticString) -> Bytes {
        let bytes = purpose.withUTF8Buffer { Bytes($0) }
        precondition(
            (1...purposeLimit).contains(bytes.count) && bytes.allSatisfy { $0 > 0 && $0 < 0x80 },
            "a purpose has 1 to 64 ASCII characters")
        return bytes
    }
}
