// Addresses, ranges of addresses, URLs and origins.

package import Wire

/// Where to listen.
package enum ListenAddress: Sendable, Hashable, CustomStringConvertible {
    /// Port 0 lets the kernel choose.
    case internet(IPAddress, port: UInt16)
    /// A socket in the file system.
    case local(path: String)

    package init?(_ text: String) {
        if text.hasPrefix("unix:") {
            let path = String(text.dropFirst(5))
            // sockaddr_un holds 108 bytes with the final NUL.
            guard !path.isEmpty, path.utf8.count < 108, path.isOneLine else { return nil }
            self = .local(path: path)
        } else {
            guard let colon = text.lastIndex(of: ":") else { return nil }
            guard let port = UInt16(text[text.index(after: colon)...]) else { return nil }
            guard let address = Self.address(text[..<colon]) else { return nil }
            self = .internet(address, port: port)
        }
    }

    private static func address(_ text: Substring) -> IPAddress? {
        if text == "localhost" { return IPAddress(v4: 0x7F00_0001) }
        let isBracketed = text.hasPrefix("[") && text.hasSuffix("]")
        guard let address = IPAddress(String(isBracketed ? text.dropFirst().dropLast() : text)) else { return nil }
        return address.isV6 == isBracketed ? address : nil
    }

    package var description: String {
        switch self {
        case .internet(let address, let port): address.isV6 ? "[\(address)]:\(port)" : "\(address):\(port)"
        case .local(let path): "unix:\(path)"
        }
    }
}

extension Codec where Value == ListenAddress {
    static let address = Codec.scalar("address", allowed: "ADDRESS:PORT, [ADDRESS]:PORT, unix:PATH") {
        text throws(ValueFault) in
        guard let address = ListenAddress(text) else {
            throw ValueFault("is no address such as 127.0.0.1:8000, [::]:8000 or unix:/run/plexichat/http")
        }
        return address
    } show: {
        $0.description
    }
}

extension Codec where Value == IPAddress {
    static let ipAddress = Codec.scalar("IP address") { text throws(ValueFault) in
        guard let address = IPAddress(text) else {
            throw ValueFault("is no IP address such as 192.0.2.1 or 2001:db8::1")
        }
        return address
    } show: {
        $0.description
    }
}

extension Codec where Value == IPNetwork {
    static let addressRange = Codec.scalar("address range", allowed: "ADDRESS, ADDRESS/BITS") {
        text throws(ValueFault) in
        guard let range = IPNetwork(text) else {
            throw ValueFault("is no address or range such as 127.0.0.1, 10.0.0.0/8 or fd00::/8")
        }
        return range
    } show: {
        $0.description
    }
}

extension Codec where Value == String {
    static func url(_ schemes: String...) -> Codec {
        let allowed = schemes.map { "\($0)://…" }.joined(separator: ", ")
        return scalar("URL", allowed: allowed) { text throws(ValueFault) in
            guard URLShape(text, schemes: schemes) != nil else { throw ValueFault("is no URL of the allowed kinds") }
            return text
        } show: {
            $0
        }
    }

    /// A URL to which paths are appended: without query, fragment and final slash.
    static let baseURL = Codec.scalar("URL", allowed: "http://…, https://…") { text throws(ValueFault) in
        guard URLShape(text, schemes: ["http", "https"]) != nil else { throw ValueFault("is no http or https URL") }
        guard !text.hasSuffix("/"), !text.contains("?"), !text.contains("#") else {
            throw ValueFault("should end without a slash, query or fragment")
        }
        return text
    } show: {
        $0
    }

    /// Where clamd listens: by address, since looking a name up would block.
    static let clamd = Codec.scalar("address", allowed: "unix:PATH, tcp:ADDRESS:PORT, tcp:[ADDRESS]:PORT") {
        text throws(ValueFault) in
        let isPath = text.hasPrefix("unix:/") && text.utf8.count <= 107 && text.isOneLine
        var isEndpoint = false
        if text.hasPrefix("tcp:"), !text.hasPrefix("tcp:localhost"),
            case .internet? = ListenAddress(String(text.dropFirst(4)))
        {
            isEndpoint = true
        }
        guard isPath || isEndpoint else { throw ValueFault("is no address such as unix:/run/clamav/clamd.ctl") }
        return text
    } show: {
        $0
    }

    /// A STUN or TURN server (RFC 7064, RFC 7065).
    static let iceServer = Codec.scalar("URI", allowed: "stun:HOST:PORT, turn:HOST:PORT?transport=udp, turns:HOST:PORT")
    {
        text throws(ValueFault) in
        let schemes = ["stun:", "stuns:", "turn:", "turns:"]
        let isPlain =
            text.utf8.count <= 256 && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x3E && $0 != 0x22 }
        guard isPlain, let scheme = schemes.first(where: text.hasPrefix), text.count > scheme.count,
            !text.hasPrefix(scheme + "/")
        else { throw ValueFault("is no STUN or TURN server such as stun:stun.example.org:3478") }
        return text
    } show: {
        $0
    }

    /// What a browser sends as `Origin`.
    static let origin = Codec.scalar("origin", allowed: "SCHEME://HOST, SCHEME://HOST:PORT") {
        text throws(ValueFault) in
        guard let shape = URLShape(text, schemes: ["http", "https"]), shape.rest.isEmpty else {
            throw ValueFault("is no origin such as https://app.example.org (no path, no final slash)")
        }
        return text
    } show: {
        $0
    }

    /// The same, or `*` for any.
    static let originPattern = Codec.scalar("origin", allowed: "*, \(origin.allowed ?? "")") {
        text throws(ValueFault) in
        text == "*" ? text : try origin.parse(.text(text))
    } show: {
        $0
    }
}

/// As much of a URL as a check of a setting needs.
private struct URLShape {
    /// From the first slash, question mark or hash after the authority.
    let rest: Substring

    init?(_ text: String, schemes: [String]) {
        guard text.utf8.count <= 2_048, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
        guard let scheme = schemes.first(where: { text.hasPrefix($0 + "://") }) else { return nil }
        let tail = text.dropFirst(scheme.count + 3)
        let authority = tail.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        guard !authority.isEmpty, !authority.hasPrefix(":"), !authority.contains("@") else { return nil }
        rest = tail.dropFirst(authority.count)
    }
}
