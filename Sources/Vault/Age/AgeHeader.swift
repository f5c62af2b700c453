// The header of an age file: docs/formats/age.md, "File".

package import Base
import Crypto

/// Lines that wrap the file key for somebody.
package struct AgeStanza: Sendable, Equatable {
    /// At least one: the kind.
    let arguments: [String]
    let body: Bytes

    fileprivate func write(into bytes: inout Bytes) {
        bytes += Bytes("-> \(arguments.joined(separator: " "))\n".utf8)
        let text = Bytes(AgeBase64.encode(body).utf8)
        for start in stride(from: 0, through: text.count, by: AgeHeader.columns) {
            bytes += text[start..<min(start + AgeHeader.columns, text.count)]
            bytes.append(UInt8(ascii: "\n"))
        }
    }
}

/// A header that was read whole. Whether it is authentic shows when `fileKey` opens it.
package struct AgeHeader: Sendable {
    /// 64 hybrid recipients, and what other programs add. It is held in memory.
    package static let longest = 131_072
    /// Each may cost an operation with a key for each identity.
    package static let mostStanzas = 64
    static let columns = 64
    static let fileKeyCount = 16
    fileprivate static let versionLine = Bytes("age-encryption.org/v1\n".utf8)
    fileprivate static let macCount = 32
    /// ` `, 43 characters, a line feed.
    private static let macLineRest = 45

    /// As it lies in the file, up to the nonce.
    package let bytes: Bytes
    let stanzas: [AgeStanza]
    private let mac: Bytes

    fileprivate init(_ bytes: Bytes, _ stanzas: [AgeStanza], mac: Bytes) {
        self.bytes = bytes
        self.stanzas = stanzas
        self.mac = mac
    }

    /// A new header that wraps `fileKey`.
    static func make(wrapping fileKey: Secret, for recipients: [AgeRecipient]) throws(AgeError) -> AgeHeader {
        try AgeRecipient.check(recipients)
        var bytes = versionLine
        var stanzas: [AgeStanza] = []
        for recipient in recipients {
            let stanza = try recipient.wrap(fileKey)
            stanza.write(into: &bytes)
            stanzas.append(stanza)
        }
        bytes += Bytes("---".utf8)
        let mac = mac(over: bytes, fileKey)
        bytes += Bytes(" \(AgeBase64.encode(mac))\n".utf8)
        return AgeHeader(bytes, stanzas, mac: mac)
    }

    /// The file key, if one of the identities opens a stanza and the header is as it was written.
    package func fileKey(with identities: [AgeIdentity]) throws(AgeError) -> Secret {
        if stanzas.count > 1, stanzas.contains(where: { $0.arguments[0] == AgeIdentity.passphraseKind }) {
            throw .malformedHeader("a passphrase stands beside other stanzas")
        }
        for identity in identities {
            for stanza in stanzas {
                guard let fileKey = try identity.unwrap(stanza) else { continue }
                let authenticated = Bytes(bytes.dropLast(Self.macLineRest))
                guard constantTimeEquals(Self.mac(over: authenticated, fileKey), mac) else {
                    throw .headerNotAuthentic
                }
                return fileKey
            }
        }
        throw .noIdentityMatches
    }

    /// A header for others, of the same file: what lies behind the header stays as it is. See docs/formats/age.md,
    /// "Rewrapping", for what that does not do.
    package func rewrapped(
        with identities: [AgeIdentity], for recipients: [AgeRecipient]
    ) throws(AgeError) -> AgeHeader {
        try Self.make(wrapping: try fileKey(with: identities), for: recipients)
    }

    private static func mac(over bytes: Bytes, _ fileKey: Secret) -> Bytes {
        HMAC.sha256(bytes, key: HKDF.sha256(fileKey, salt: [], info: Bytes("header".utf8), count: SHA256.count))
    }
}

/// Takes a header line by line, from pieces of any size.
package struct AgeHeaderReader: Sendable {
    private enum Line { case version, stanzaOrEnd, body }

    private var bytes = Bytes()
    private var lineStart = 0
    private var expected = Line.version
    private var stanzas: [AgeStanza] = []
    private var arguments: [String] = []
    private var body = Bytes()

    package init() {}

    /// The header when it is complete, and how many bytes of `input` belonged to it; else all of them did.
    package mutating func update(
        _ input: UnsafeRawBufferPointer
    ) throws(AgeError) -> (header: AgeHeader, used: Int)? {
        var used = 0
        while used < input.count {
            let byte = input[used]
            used += 1
            bytes.append(byte)
            if byte == UInt8(ascii: "\n") {
                if let header = try endLine() { return (header, used) }
            } else {
                try checkLength()
            }
        }
        return nil
    }

    private func checkLength() throws(AgeError) {
        guard bytes.count < AgeHeader.longest else {
            throw .malformedHeader("longer than \(AgeHeader.longest) bytes")
        }
        // What is no age file at all is told at its first bytes, not at the end of its first line.
        let known = "age-encryption.org/".utf8
        guard expected != .version || bytes.count > known.count || known.starts(with: bytes) else {
            throw .malformedHeader("this is no age file")
        }
    }

    private mutating func endLine() throws(AgeError) -> AgeHeader? {
        let line = bytes[lineStart..<bytes.count - 1]
        lineStart = bytes.count
        switch expected {
        case .version:
            try checkVersion()
            expected = .stanzaOrEnd
        case .stanzaOrEnd:
            if line.starts(with: "---".utf8) { return try end(line) }
            arguments = try Self.arguments(of: line)
            body = []
            expected = .body
        case .body: try addBody(line)
        }
        return nil
    }

    private func checkVersion() throws(AgeError) {
        guard bytes != AgeHeader.versionLine else { return }
        let isOther =
            bytes.starts(with: "age-encryption.org/".utf8) && !bytes.starts(with: AgeHeader.versionLine.dropLast())
        throw isOther ? .unsupportedVersion : .malformedHeader("this is no age file")
    }

    private static func arguments(of line: ArraySlice<UInt8>) throws(AgeError) -> [String] {
        guard line.starts(with: "-> ".utf8) else {
            throw .malformedHeader("a line that begins neither a stanza nor the end")
        }
        let words = line.dropFirst(3).split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        guard words.allSatisfy({ !$0.isEmpty && $0.allSatisfy { (33...126).contains($0) } }) else {
            throw .malformedHeader("a stanza's argument is empty or not ASCII")
        }
        return words.map { String(decoding: $0, as: UTF8.self) }
    }

    private mutating func addBody(_ line: ArraySlice<UInt8>) throws(AgeError) {
        guard line.count <= AgeHeader.columns else {
            throw .malformedHeader("a line of a stanza has more than \(AgeHeader.columns) characters")
        }
        body += line
        guard line.count < AgeHeader.columns else { return }
        guard let body = AgeBase64.decode(body) else {
            throw .malformedHeader("a stanza's body is not canonical Base64")
        }
        guard stanzas.count < AgeHeader.mostStanzas else {
            throw .malformedHeader("more than \(AgeHeader.mostStanzas) stanzas")
        }
        stanzas.append(AgeStanza(arguments: arguments, body: body))
        expected = .stanzaOrEnd
    }

    private func end(_ line: ArraySlice<UInt8>) throws(AgeError) -> AgeHeader {
        guard line.starts(with: "--- ".utf8), let mac = AgeBase64.decode(Bytes(line.dropFirst(4))),
            mac.count == AgeHeader.macCount
        else { throw .malformedHeader("the last line is not `---` and a MAC") }
        guard !stanzas.isEmpty else { throw .malformedHeader("no stanza") }
        return AgeHeader(bytes, stanzas, mac: mac)
    }
}

/// Base64 as age has it outside of armour: canonical, and without padding.
enum AgeBase64 {
    static func encode(_ bytes: Bytes) -> String {
        let padded = Base64.encode(bytes)
        return String(padded.prefix { $0 != "=" })
    }

    static func decode(_ text: Bytes) -> Bytes? {
        guard !text.contains(UInt8(ascii: "=")) else { return nil }
        let padding = Bytes(repeating: UInt8(ascii: "="), count: (4 - text.count % 4) % 4)
        // Three characters of padding belong to no text.
        return padding.count == 3 ? nil : Base64.decode(String(decoding: text + padding, as: UTF8.self))
    }
}
