// Where STUN's messages and the keys meet: checking and adding MESSAGE-INTEGRITY.

package import Crypto
package import Wire

extension MessageIntegrityKey {
    /// Whether MESSAGE-INTEGRITY is there and is this key's.
    package func authenticates(_ message: STUNMessage) -> Bool {
        guard let integrity = message.integrity else { return false }
        let code = code(over: integrity.firstWord, message.span.extracting(4..<integrity.coveredEnd))
        return code.matches(message.span.extracting(integrity.code))
    }
}

extension STUNWriter {
    package mutating func addIntegrity(_ key: MessageIntegrityKey) {
        let offset = reserveIntegrity()
        let code = key.code(over: bytes.span.bytes.extracting(0..<offset))
        fillIntegrity(offset, code.span)
    }
}
