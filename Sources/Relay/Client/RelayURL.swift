// The URLs of STUN and TURN servers (RFC 7064, RFC 7065): a scheme, a host, a port, the transport to the server.
//
//     turn:relay.example.org:3478?transport=udp      stun:192.0.2.1      turns:[2001:db8::1]:5349

package import Wire

package struct RelayURL: Sendable, Equatable, CustomStringConvertible {
    /// How the client speaks with the server. What the relay speaks with peers is another matter.
    package enum Transport: String, Sendable, CaseIterable { case udp, tcp, tls, dtls }

    /// Whether it is asked for an allocation, or only for the client's address.
    package let isRelay: Bool
    package let transport: Transport
    /// A name, or an address without brackets.
    package let host: String
    package let port: UInt16

    package static let defaultPort: UInt16 = 3_478
    package static let defaultSecurePort: UInt16 = 5_349
    /// A host name has 253 letters at most (RFC 1035); the rest is the scheme, a port and the transport.
    private static let longestText = 300

    package init(isRelay: Bool = true, _ transport: Transport, host: String, port: UInt16) {
        self.isRelay = isRelay
        self.transport = transport
        self.host = host
        self.port = port
    }

    /// `nil` for what is no such URL. Schemes and transports are read in either case, as RFC 3986 has it.
    package init?(_ text: String) {
        guard text.utf8.count <= Self.longestText, let colon = text.firstIndex(of: ":") else { return nil }
        let scheme = text[..<colon].lowercased()
        guard ["stun", "stuns", "turn", "turns"].contains(scheme) else { return nil }
        isRelay = scheme.hasPrefix("turn")
        let isSecure = scheme.hasSuffix("s")
        let parts = text[text.index(after: colon)...]
            .split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        guard let transport = Self.transport(parts.count > 1 ? parts[1] : nil, isRelay, isSecure),
            let (host, port) = Self.authority(parts[0])
        else { return nil }
        self.transport = transport
        self.host = host
        self.port = port ?? (isSecure ? Self.defaultSecurePort : Self.defaultPort)
    }

    /// RFC 7065 §3.2. STUN's URLs name no transport.
    private static func transport(_ query: Substring?, _ isRelay: Bool, _ isSecure: Bool) -> Transport? {
        guard let query else { return isSecure ? .tls : .udp }
        guard isRelay else { return nil }
        switch query.lowercased() {
        case "transport=udp": return isSecure ? .dtls : .udp
        case "transport=tcp": return isSecure ? .tls : .tcp
        default: return nil
        }
    }

    private static func authority(_ text: Substring) -> (host: String, port: UInt16?)? {
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]"),
                let address = IPAddress(String(text[text.index(after: text.startIndex)..<end])), address.isV6
            else { return nil }
            guard let port = port(text[text.index(after: end)...]) else { return nil }
            return ("\(address)", port.number)
        }
        let end = text.firstIndex(of: ":") ?? text.endIndex
        let host = text[..<end]
        guard isName(host), let port = port(text[end...]) else { return nil }
        return (String(host), port.number)
    }

    /// Nothing, or a colon and a number other than 0; `nil` for anything else.
    private static func port(_ text: Substring) -> (number: UInt16?, Void)? {
        if text.isEmpty { return (nil, ()) }
        guard text.first == ":", text.dropFirst().utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let number = UInt16(text.dropFirst()), number > 0
        else { return nil }
        return (number, ())
    }

    private static func isName(_ text: Substring) -> Bool {
        !text.isEmpty && text.utf8.count <= 253
            && text.utf8.allSatisfy { letter in
                switch letter {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
    }

    /// The host, where it is an address.
    package var address: IPAddress? { IPAddress(host) }
    package var isSecure: Bool { transport == .tls || transport == .dtls }
    /// Bytes come in a stream, complete and in order.
    package var isStream: Bool { transport == .tcp || transport == .tls }

    package var description: String {
        let scheme = (isRelay ? "turn" : "stun") + (isSecure ? "s" : "")
        let host = address?.isV6 == true ? "[\(host)]" : host
        let base = "\(scheme):\(host):\(port)"
        return isRelay ? base + (isStream ? "?transport=tcp" : "?transport=udp") : base
    }
}
