import Base
import Testing
import Wire

private func address(_ text: String) throws -> MailAddress { try #require(MailAddress(text)) }

private func encoded(
    subject: String = "Hello", name: String = "Plexi", to: String = "", text: String = "Hi\n"
) throws -> [String] {
    let message = MailMessage(
        from: (name, try address("chat@example.org")), to: [(to, try address("ann@example.com"))], subject: subject,
        text: text, date: Timestamp(secondsSinceEpoch: 784_111_777), identifier: "id-1\r\nX: y")
    return String(decoding: message.encoded, as: UTF8.self)
        .split(separator: "\r\n", omittingEmptySubsequences: false).map(String.init)
}

@Suite struct MailMessageTests {
    @Test func `a plain message is written as RFC 5322 shows it`() throws {
        #expect(
            try encoded() == [
                "Date: Sun, 06 Nov 1994 08:49:37 +0000", "From: Plexi", " <chat@example.org>", "To: ann@example.com",
                "Subject: Hello", "Message-ID: <id-1Xy@example.org>", "Auto-Submitted: auto-generated",
                "MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8",
                "Content-Transfer-Encoding: base64", "", "SGkNCg==", "",
            ])
    }

    @Test(arguments: [
        "Hi\r\nBcc: all@example.org", "Hi\nBcc: x", "\r\n\r\nbody", "Hi\u{0}", "Grüße", "日本語",
        "=?utf-8?B?eA==?=",
    ])
    func `a subject stays inside its header, whatever is in it`(_ subject: String) throws {
        let lines = try encoded(subject: subject)
        #expect(lines.contains { $0.hasPrefix("Subject: =?utf-8?B?") })
        #expect(!lines.contains { $0.lowercased().hasPrefix("bcc") })
        #expect(lines.count == 13)
    }

    @Test(arguments: [
        "A\r\nB: c", "Eve <eve@example.org>,", "\"", "a, b", "Jürgen", String(repeating: "x", count: 500),
    ])
    func `a name cannot add an address or a header`(_ name: String) throws {
        let lines = try encoded(name: name, to: name)
        #expect(lines.filter { $0.contains("<") && $0.contains("@") && !$0.hasPrefix("Message-ID") }.count == 2)
        #expect(!lines.contains { $0.hasPrefix("B:") || $0.contains("eve@") })
    }

    @Test func `no line is longer than 78 characters, and nothing of a long subject is lost`() throws {
        let subject = String(repeating: "Grüße 🙂 ", count: 60)
        let lines = try encoded(subject: subject, name: subject, text: String(repeating: "lorem ipsum ", count: 500))
        #expect(lines.allSatisfy { $0.utf8.count <= 86 })
        let start = try #require(lines.firstIndex { $0.hasPrefix("Subject: ") })
        let end = try #require(lines.firstIndex { $0.hasPrefix("Message-ID") })
        let words = lines[start..<end].map { $0.drop { $0 != "=" }.dropFirst(10).dropLast(2) }
        let bytes = words.flatMap { Base64.decode($0) ?? [] }
        #expect(String(decoding: bytes, as: UTF8.self) == subject)
        for word in words { #expect(Base64.decode(word).map { String(validating: $0, as: UTF8.self) } != nil) }
    }

    @Test func `the text is base64 with CRLF line ends`() throws {
        let lines = try encoded(text: "one\ntwo\r\n.\n")
        let body = lines[(lines.firstIndex(of: "")! + 1)...].joined()
        #expect(Base64.decode(body) == Bytes("one\r\ntwo\r\n.\r\n".utf8))
    }

    @Test(arguments: ["a@b", "a.b+c@example.org", "!#$%@x-y.example", String(repeating: "a", count: 64) + "@b"])
    func `an ordinary address is taken`(_ text: String) {
        #expect(MailAddress(text)?.exposed == text)
    }

    @Test(arguments: [
        "", "@", "a@", "@b", "a b@c", "a@b c", "a@b>", "<a@b>", "a\r\n@b", "a@b\r\nRCPT TO:<x@y>", ".a@b", "a.@b",
        "a..b@c", "a@-b", "a@b-", "a@b..c", "a@b.", "ä@b", "a@ä", "\"a b\"@c", "a@[127.0.0.1]",
        String(repeating: "a", count: 65) + "@b", "a@" + String(repeating: "b", count: 64),
    ])
    func `an address that could be more than an address is refused`(_ text: String) {
        #expect(MailAddress(text) == nil)
    }
}
