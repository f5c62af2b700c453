// Outgoing mail as a value and a seam: who has something to say builds a message; Net's libcurl client, or a test's
// recording, delivers it to a mail server.

package enum MailError: Error, Equatable {
    /// Connection, TLS or login failed, or the server refused for good: the text is for an operator.
    case failed(String)
    case timedOut
    case cancelled
}

package protocol MailTransport: Sendable {
    /// Returns when the server has taken the message for all recipients.
    func send(from sender: MailAddress, to recipients: [MailAddress], message: MailMessage) async throws(MailError)
}

/// The address that SMTP works with, `local@domain`, found to hold nothing that could end a command or a header.
package struct MailAddress: Sendable, Hashable {
    package let exposed: String

    /// RFC 5321 §4.5.3.1.3 gives a path 256 octets, brackets included.
    private static let limit = 254
    private static let localLimit = 64

    /// A dot-atom before the `@`, a host name after it. Quoted local parts and non-ASCII addresses are refused: few mail
    /// servers take them. An international domain is written in its ASCII form.
    package init?(_ text: String) {
        guard text.utf8.count <= Self.limit, let at = text.utf8.lastIndex(of: UInt8(ascii: "@")) else { return nil }
        let local = text.utf8[..<at]
        let domain = text.utf8[text.utf8.index(after: at)...]
        guard local.count <= Self.localLimit, Self.isDotAtom(local), Self.isDomain(domain) else { return nil }
        exposed = text
    }

    private static func isDotAtom(_ text: Substring.UTF8View) -> Bool {
        let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        return parts.allSatisfy { part in
            !part.isEmpty && part.allSatisfy { isAlphanumeric($0) || "!#$%&'*+-/=?^_`{|}~".utf8.contains($0) }
        }
    }

    private static func isDomain(_ text: Substring.UTF8View) -> Bool {
        let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        let hyphen = UInt8(ascii: "-")
        return parts.allSatisfy { part in
            (1...63).contains(part.count) && part.first != hyphen && part.last != hyphen
                && part.allSatisfy { isAlphanumeric($0) || $0 == hyphen }
        }
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }
}

extension MailAddress: CustomStringConvertible {
    package var description: String { "‹private›" }
}
