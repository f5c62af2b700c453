// Where a webhook may lead, as far as its text can tell. What its name leads to is looked at when it is called
// (`ConnectionOptions.reachable`): a name can be given another address at any time.

import Wire

struct WebhookURL {
    private static let lengthMax = 2_048

    let text: String
    /// For the audit log: a path may hold a secret.
    let host: String

    init(_ text: String, _ options: WebhookOptions) throws(ChatError) {
        guard text.utf8.count <= Self.lengthMax else {
            throw .invalid(.url, .tooLong, "at most \(Self.lengthMax) characters")
        }
        let isPlain = options.allowsHTTP && text.hasPrefix("http://")
        guard isPlain || text.hasPrefix("https://") else {
            throw .invalid(
                .url, .format, options.allowsHTTP ? "begins with https:// or http://" : "begins with https://")
        }
        guard text.utf8.allSatisfy({ (0x21...0x7E).contains($0) && !Self.excluded.contains($0) }) else {
            throw .invalid(.url, .format, "has a character that no URL has, or a fragment")
        }
        let rest = text.dropFirst(isPlain ? 7 : 8)
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        guard let (host, address) = Self.host(of: authority) else {
            throw .invalid(.url, .format, "has no host, a user, or a port that is none")
        }
        if let address, !options.reachable.contains(address) {
            throw .invalid(.url, .value, "is an address that this server does not call")
        }
        self.text = text
        self.host = host
    }

    /// RFC 3986 §2: never in a URI, and `#`, behind which nothing is sent.
    private static let excluded = Set("\"#<>\\^`{|}".utf8)

    private static func host(of authority: Substring) -> (String, IPAddress?)? {
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]"), isPort(authority[authority.index(after: end)...]) else {
                return nil
            }
            let text = String(authority[authority.index(after: authority.startIndex)..<end])
            return IPAddress(text).flatMap { $0.isV6 || text.contains(":") ? (text, $0) : nil }
        }
        let host = authority.prefix { $0 != ":" }
        let isName = host.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20) || byte == 0x2D || byte == 0x2E
                || byte == 0x5F
        }
        guard !host.isEmpty, isName, isPort(authority.dropFirst(host.count)) else { return nil }
        return (String(host), IPAddress(String(host)))
    }

    /// Nothing, or `:` and a number.
    private static func isPort(_ text: Substring) -> Bool {
        if text.isEmpty { return true }
        guard text.hasPrefix(":"), let port = UInt16(text.dropFirst()), text.dropFirst().allSatisfy(\.isASCII) else {
            return false
        }
        return port > 0
    }
}
