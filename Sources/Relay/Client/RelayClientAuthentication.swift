// The long-term credentials of RFC 8489 §9.2, on the client's side: what the server asked for, the key that follows from
// it, signing requests and judging answers.
//
// The hash of the key is MD5, which every server knows; what it protects is the password against who reads the key, and
// passwords of relays live for hours. The MAC of messages is HMAC-SHA1.

import Base
import Crypto
import Wire

struct RelayClientAuthentication: Sendable {
    /// RFC 8489 §14.9 and §14.10: fewer than 128 characters, 763 bytes.
    private static let longestText = 763

    let username: Bytes
    let realm: Bytes
    private(set) var nonce: Bytes
    private let key: MessageIntegrityKey

    /// `nil` when the challenge lacks its realm or its nonce, or they are longer than they may be.
    init?(challenge: STUNMessage, _ credentials: RelayClientCredentials) {
        guard let realm = Self.text(challenge, .realm), let nonce = Self.text(challenge, .nonce) else { return nil }
        let username = Bytes(credentials.username.utf8)
        self.username = username
        self.realm = realm
        self.nonce = nonce
        let colon = UInt8(ascii: ":")
        let text = credentials.password.withExposedBytes { username + [colon] + realm + [colon] + $0 }
        key = MessageIntegrityKey(Secret(MD5.hash(text)))
    }

    private static func text(_ message: STUNMessage, _ type: STUNAttributeType) -> Bytes? {
        guard let attribute = message.attribute(type), (1...longestText).contains(attribute.length) else { return nil }
        let value = message.value(attribute)
        return value.withUnsafeBytes { unsafe Bytes($0) }
    }

    /// A 438: the same realm, another nonce.
    mutating func renew(from challenge: STUNMessage) -> Bool {
        guard let nonce = Self.text(challenge, .nonce) else { return false }
        self.nonce = nonce
        return true
    }

    /// The last of a request.
    func sign(_ writer: inout STUNWriter) {
        writer.add(.username, username.span.bytes)
        writer.add(.realm, realm.span.bytes)
        writer.add(.nonce, nonce.span.bytes)
        let offset = writer.reserveIntegrity()
        let code = key.code(over: writer.bytes.span.bytes.extracting(0..<offset))
        writer.fillIntegrity(offset, code.span)
    }

    func signs(_ answer: STUNMessage) -> Bool {
        guard let integrity = answer.integrity else { return false }
        let covered = answer.span.extracting(4..<integrity.coveredEnd)
        return key.code(over: integrity.firstWord, covered).matches(answer.span.extracting(integrity.code))
    }
}
