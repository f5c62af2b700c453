// age: encrypted files that another program can open as well.
//
// docs/formats/age.md says what of the format is written and read. It lies in Vault and not in Wire because nearly every
// line of it needs a key. `AgeHeader.swift` is the header, `AgeKeys.swift` who may open it, `AgeChunks.swift` the payload
// chunk by chunk, `AgeEncryptor.swift` and `AgeDecryptor.swift` the machines over both (bytes go in, bytes come out),
// `AgeReaders.swift` the same for who wants to pull, `AgeRandomAccess.swift` ranges, `AgeArmor.swift` the form in text.
// Nothing here opens a file or a socket. Work with a passphrase takes seconds and as much memory as its factor says:
// never on a loop's thread.

package import Base
import Crypto

package enum AgeError: Error, Equatable, CustomStringConvertible {
    /// Where a file was cut.
    package enum Place: Equatable, Sendable {
        case armor
        /// The header, or the nonce behind it.
        case header
        /// With the number of the first chunk that is not whole.
        case payload(UInt64)
    }

    case malformedHeader(String)
    case unsupportedVersion
    /// log₂ of scrypt's factor that the file asks for, and the most that is taken.
    case workFactor(Int, most: Int)
    case noIdentityMatches
    case headerNotAuthentic
    case malformedArmor(String)
    case truncated(Place)
    /// With the chunk's number.
    case tampered(UInt64)
    /// The last chunk does not open: cut off within it, or changed. Told apart when the file's length is known.
    case damagedEnd(UInt64)
    case trailingData
    /// A recipient, an identity or a set of them that cannot be used.
    case badKey(String)

    package var description: String {
        switch self {
        case .malformedHeader(let reason): "the age header is malformed: \(reason)"
        case .unsupportedVersion: "an age file of another version than v1"
        case .workFactor(let asked, let most):
            "the passphrase would need scrypt with 2^\(asked), more than the 2^\(most) that is allowed"
        case .noIdentityMatches: "encrypted for none of the identities given"
        case .headerNotAuthentic: "the age header was changed"
        case .malformedArmor(let reason): "the age armour is malformed: \(reason)"
        case .truncated(.armor): "cut off: the armour has no last line"
        case .truncated(.header): "cut off within the age header"
        case .truncated(.payload(let chunk)): "cut off in or before chunk \(chunk)"
        case .tampered(let chunk): "chunk \(chunk) was changed"
        case .damagedEnd(let chunk): "ends in chunk \(chunk), which does not open: cut off within it, or changed"
        case .trailingData: "more bytes follow the end of the age file"
        case .badKey(let reason): reason
        }
    }
}

package enum Age {
    /// Whole files that are small enough to be in memory.
    package static func encrypt(
        _ plaintext: Bytes, to recipients: [AgeRecipient], armored: Bool = false
    ) throws(AgeError) -> Bytes {
        var encryptor = try AgeEncryptor(to: recipients)
        var file = Bytes()
        file.reserveCapacity(plaintext.count + plaintext.count / 4_096 + 4_096)
        plaintext.withUnsafeBytes { encryptor.update($0, into: &file) }
        encryptor.finish(into: &file)
        guard armored else { return file }
        var encoder = AgeArmorEncoder()
        var text = Bytes()
        file.withUnsafeBytes { encoder.update($0, into: &text) }
        encoder.finish(into: &text)
        return text
    }

    /// Armoured or not: it shows in the first character.
    package static func decrypt(_ file: Bytes, with identities: [AgeIdentity]) throws(AgeError) -> Bytes {
        let binary = AgeArmor.begins(file) ? try AgeArmor.decode(file) : file
        var decryptor = try AgeDecryptor(with: identities, expecting: UInt64(binary.count))
        var plaintext = Bytes()
        plaintext.reserveCapacity(binary.count)
        let buffer = binary.span.bytes
        try buffer.withUnsafeBytes { bytes throws(AgeError) in try decryptor.update(bytes, into: &plaintext) }
        try decryptor.finish(into: &plaintext)
        return plaintext
    }
}
