// Addresses, ranges of addresses, URLs and origins.

import Base
import Glibc

/// Where to listen.
package enum ListenAddress: Sendable, Hashable, CustomStringConvertible {
    /// A numeric IPv4 or IPv6 address (without brackets). Port 0 lets the kernel choose.
    case internet(host: String, port: UInt16)
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
            guard let host = Self.host(text[..<colon]) else { return nil }
            self = .internet(host: host, port: port)
        }
    }

    private static func host(_ text: Substring) -> String? {
        if text == "localhost" { return "127.0.0.1" }
        if text.hasPrefix("["), text.hasSuffix("]") {
            let inner = String(text.dropFirst().dropLast())
            return NumericAddress.bytes(inner)?.count == 16 ? inner : nil
        }
        return NumericAddress.bytes(String(text))?.count == 4 ? String(text) : nil
    }

    package var description: String {
        switch self {
        case .internet(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .local(let path): "unix:\(path)"
        }
    }
}

/// `10.0.0.0/8`, `fd00::/8`, or a single address.
package struct AddressRange: Sendable, Hashable, CustomStringConvertible {
    private let network: Bytes
    private let prefixLength: Int
    package let description: String

    package init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let network = NumericAddress.bytes(String(first)) else { return nil }
        var prefixLength = network.count * 8
        if parts.count == 2 {
            guard let given = Int(parts[1]), (0...prefixLength).contains(given) else { return nil }
            prefixLength = given
        }
        self.network = network
        self.prefixLength = prefixLength
        description = text
    }

    /// False for what is no numeric address.
    package func contains(_ address: String) -> Bool {
        guard let bytes = NumericAddress.bytes(address), bytes.count == network.count else { return false }
        let whole = prefixLength / 8
        guard bytes.prefix(whole) == network.prefix(whole) else { return false }
        let rest = prefixLength % 8
        return rest == 0 || (bytes[whole] ^ network[whole]) >> UInt8(8 - rest) == 0
    }
}

enum NumericAddress {
    /// 4 or 16 bytes in network order. An IPv4 address in IPv6 clothes (`::ffff:10.0.0.1`) comes out as the former,
    /// so that one range means one thing on a dual-stack socket.
    static func bytes(_ text: String) -> Bytes? {
        var four = in_addr()
        if inet_pton(AF_INET, text, &four) == 1 { return withUnsafeBytes(of: &four) { Bytes($0) } }
        var six = in6_addr()
        guard inet_pton(AF_INET6, text, &six) == 1 else { return nil }
        let bytes = withUnsafeBytes(of: &six) { Bytes($0) }
        let mapped = Bytes(repeating: 0, count: 10) + [0xFF, 0xFF]
        return bytes.starts(with: mapped) ? Bytes(bytes.dropFirst(12)) : bytes
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

extension Codec where Value == AddressRange {
    static let addressRange = Codec.scalar("address range", allowed: "ADDRESS, ADDRESS/BITS") {
        text throws(ValueFault) in
        guard let range = AddressRange(text) else {
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

    /// What a browser sends as `Origin`, or `*`.
    static let origin = Codec.scalar("origin", allowed: "*, SCHEME://HOST, SCHEME://HOST:PORT") {
        text throws(ValueFault) in
        if text == "*" { return text }
        guard let shape = URLShape(text, schemes: ["http", "https"]), shape.rest.isEmpty else {
            throw ValueFault("is no origin such as https://app.example.org (no path, no final slash)")
        }
        return text
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
