// The long-term key of a name (RFC 8489 §9.2.2, §18.5), and the codes that it makes over messages.

package import Base
import Crypto
package import Wire

package enum PasswordAlgorithm: UInt16, Sendable, CaseIterable {
    case md5 = 1
    case sha256 = 2

    /// The value of PASSWORD-ALGORITHMS: the stronger first, without parameters.
    static let offered: Bytes = [0, 2, 0, 0, 0, 1, 0, 0]
}

/// Which attribute carries the code.
package enum IntegrityKind: Sendable {
    /// MESSAGE-INTEGRITY.
    case sha1
    case sha256
}

package struct RelayKey: Sendable {
    package let algorithm: PasswordAlgorithm
    private let secret: Secret
    private let sha1: MessageIntegrityKey

    package init(name: Bytes, realm: String, password: String, _ algorithm: PasswordAlgorithm) {
        self.algorithm = algorithm
        let text = name + Bytes(":\(realm):\(password)".utf8)
        secret = Secret(algorithm == .md5 ? MD5.hash(text) : SHA256.hash(text))
        sha1 = MessageIntegrityKey(secret)
    }

    /// Whether the code of this kind is there and is this key's.
    package func authenticates(_ message: STUNMessage, _ kind: IntegrityKind) -> Bool {
        switch kind {
        case .sha1:
            guard let integrity = message.integrity else { return false }
            let code = sha1.code(over: integrity.firstWord, message.span.extracting(4..<integrity.coveredEnd))
            return code.matches(message.span.extracting(integrity.code))
        case .sha256:
            guard let integrity = message.integritySHA256 else { return false }
            var covered: Bytes = []
            covered.reserveCapacity(integrity.coveredEnd)
            covered.append(bigEndian: integrity.firstWord)
            covered.append(message.span.extracting(4..<integrity.coveredEnd))
            // It may be cut down to 16 bytes (RFC 8489 §14.6).
            let code = HMAC.sha256(covered, key: secret)
            var given: Bytes = []
            given.append(message.span.extracting(integrity.code))
            return constantTimeEquals(Bytes(code.prefix(given.count)), given)
        }
    }

    /// Adds the code to what the writer has.
    package func sign(_ writer: inout STUNWriter, _ kind: IntegrityKind) {
        switch kind {
        case .sha1:
            let offset = writer.reserveIntegrity()
            let code = sha1.code(over: writer.bytes.span.bytes.extracting(0..<offset))
            writer.fillIntegrity(offset, code.span)
        case .sha256:
            let offset = writer.reserveIntegritySHA256()
            let code = HMAC.sha256(Bytes(writer.bytes[..<offset]), key: secret)
            writer.fillIntegrity(offset, code.span.bytes)
        }
    }

    /// What USERHASH says (RFC 8489 §14.4).
    package static func userhash(name: Bytes, realm: String) -> Bytes { SHA256.hash(name + Bytes(":\(realm)".utf8)) }
}
