// A message in the Internet Message Format (RFC 5322) with MIME (RFC 2045, 2047): plain text, in UTF-8.
//
// Whatever a name or a subject contains, it stays inside its header: text that is not plain ASCII is written as encoded
// words, and a control character is never copied. The body is base64, so no line of it is too long, none begins with
// "From ", and none is a lone dot.

package import Base

package struct MailMessage: Sendable {
    package var from: (name: String, address: MailAddress)
    package var to: [(name: String, address: MailAddress)]
    package var subject: String
    package var text: String
    package var date: Timestamp
    /// Left of the `@` of Message-ID; unique, for example an `Identifier`. ASCII letters, digits, `.`, `-`, `_`.
    package var identifier: String
    /// For automatic messages (RFC 3834): no holiday notices in return.
    package var isAutomatic = true

    package init(
        from: (name: String, address: MailAddress), to: [(name: String, address: MailAddress)], subject: String,
        text: String, date: Timestamp, identifier: String
    ) {
        self.from = from
        self.to = to
        self.subject = subject
        self.text = text
        self.date = date
        self.identifier = identifier
    }

    /// With CRLF line ends. Dots at line starts are not doubled: that is the transport's part.
    package var encoded: Bytes {
        var message = Bytes()
        message.appendLine("Date: \(Self.rfc5322(date))")
        message.appendLine("From: \(Self.mailbox(from))")
        message.appendLine("To: \(to.map(Self.mailbox).joined(separator: ",\r\n "))")
        message.appendLine("Subject: \(HeaderText.encode(subject, column: 9))")
        let domain = from.address.exposed.drop { $0 != "@" }
        message.appendLine("Message-ID: <\(identifier.filter(Self.isPlain))\(domain)>")
        if isAutomatic { message.appendLine("Auto-Submitted: auto-generated") }
        message.appendLine("MIME-Version: 1.0")
        message.appendLine("Content-Type: text/plain; charset=utf-8")
        message.appendLine("Content-Transfer-Encoding: base64")
        message.appendLine("")
        appendBody(to: &message)
        return message
    }

    /// RFC 2045 §6.8: lines of 76. Line ends in text are CRLF before encoding.
    private func appendBody(to message: inout Bytes) {
        var canonical = Bytes()
        var previous: UInt8 = 0
        for byte in text.utf8 {
            if byte == 10, previous != 13 { canonical.append(13) }
            canonical.append(byte)
            previous = byte
        }
        var rest = canonical[...]
        while !rest.isEmpty {
            message.appendLine(Base64.encode(Bytes(rest.prefix(57))))
            rest = rest.dropFirst(57)
        }
    }

    /// Each on a line of its own, so that no line grows with the number of recipients.
    private static func mailbox(_ mailbox: (name: String, address: MailAddress)) -> String {
        guard !mailbox.name.isEmpty else { return mailbox.address.exposed }
        return "\(HeaderText.encodePhrase(mailbox.name))\r\n <\(mailbox.address.exposed)>"
    }

    private static func isPlain(_ character: Character) -> Bool {
        guard let byte = character.asciiValue else { return false }
        return (48...57).contains(byte) || (65...90).contains(byte & 0xDF) || byte == 45 || byte == 46 || byte == 95
    }

    /// `Sun, 06 Nov 1994 08:49:37 +0000`: as HTTP's, but for the zone.
    private static func rfc5322(_ date: Timestamp) -> String { "\(date.imfFixdate.dropLast(3))+0000" }
}

/// Free text in a header: as it is where it is plain ASCII and short, as encoded words (RFC 2047) otherwise.
enum HeaderText {
    /// RFC 2047 §2: an encoded word has at most 75 characters. 45 bytes are 60 of base64, and 12 around them.
    private static let bytesPerWord = 45
    /// RFC 5322 §2.1.1 asks for lines of at most 78.
    private static let lineLength = 78

    static func encode(_ text: String, column: Int) -> String {
        let isPlain = text.utf8.allSatisfy { (0x20..<0x7F).contains($0) }
        // "=?" in plain text could be taken for an encoded word.
        guard isPlain, text.utf8.count + column <= lineLength, !text.utf8.elementsEqual(" ".utf8),
            text.firstRange(of: "=?") == nil
        else { return words(text) }
        return text
    }

    /// Before an address, most punctuation has a meaning.
    static func encodePhrase(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy {
            switch $0 {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: " "), UInt8(ascii: "-"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
        return isPlain && text.utf8.count <= 64 && text.utf8.first != 32 && text.utf8.last != 32 ? text : words(text)
    }

    /// Cut between characters, so that each word is valid UTF-8 by itself. Controls become spaces.
    private static func words(_ text: String) -> String {
        var words: [String] = []
        var pending = Bytes()
        for scalar in text.unicodeScalars {
            let isControl = scalar.value < 0x20 || scalar.value == 0x7F
            let bytes = isControl ? [0x20] : Bytes(String(scalar).utf8)
            if pending.count + bytes.count > bytesPerWord {
                words.append(Base64.encode(pending))
                pending = []
            }
            pending += bytes
        }
        if !pending.isEmpty || words.isEmpty { words.append(Base64.encode(pending)) }
        return words.map { "=?utf-8?B?\($0)?=" }.joined(separator: "\r\n ")
    }
}

extension Bytes {
    fileprivate mutating func appendLine(_ line: String) {
        append(contentsOf: line.utf8)
        append(13)
        append(10)
    }
}
