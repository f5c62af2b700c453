// Who the client is when proxies stand between: X-Forwarded-For and X-Forwarded-Proto are believed only as far as the
// proxies that wrote them are.

/// Which hops before us are our own.
package enum ProxyTrust: Sendable {
    /// The connection's peer is the client, whatever it says.
    case none
    /// The nearest `count` hops, the connection's peer being the first.
    case hops(Int)
    /// All hops with an address in one of these networks.
    case networks([IPNetwork])

    /// The hops that are looked at, from the nearest on.
    private static let maximumHops = 32

    /// The nearest address that is not a trusted proxy, and whether it used TLS. An entry that is not an address ends
    /// the walk: who wrote it is then the client.
    package func client(
        peer: IPAddress, isSecure: Bool, _ headers: RequestHeaders
    ) -> (address: IPAddress, isSecure: Bool) {
        var client = peer
        var depth = 0
        for entry in Self.entries(headers.list(of: "x-forwarded-for")) {
            guard trusts(client, depth: depth), let next = Self.address(entry) else { break }
            client = next
            depth += 1
        }
        guard trusts(peer, depth: 0) else { return (peer, isSecure) }
        // Most proxies write one word; those that append write one per hop.
        let words = Self.entries(headers.list(of: "x-forwarded-proto"))
        guard let word = words.isEmpty ? nil : words[min(max(depth - 1, 0), words.count - 1)] else {
            return (client, isSecure)
        }
        return (client, word.map(lowercased).elementsEqual("https".utf8))
    }

    private func trusts(_ address: IPAddress, depth: Int) -> Bool {
        switch self {
        case .none: false
        case .hops(let count): depth < count
        case .networks(let networks): networks.contains { $0.contains(address) }
        }
    }

    /// Nearest first.
    private static func entries(_ list: String?) -> [[UInt8]] {
        guard let list else { return [] }
        let parts = list.utf8.split(separator: 0x2C).reversed().prefix(maximumHops)
        return parts.map { part in
            let bytes = Array(part)
            return Array(bytes[bytes.span.trimmed(0..<bytes.count)])
        }
    }

    /// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`.
    private static func address(_ entry: [UInt8]) -> IPAddress? {
        if entry.first == 0x5B {
            guard let close = entry.firstIndex(of: 0x5D) else { return nil }
            return IPAddress(String(decoding: entry[1..<close], as: UTF8.self))
        }
        let colons = entry.count { $0 == 0x3A }
        let end = colons == 1 ? entry.firstIndex(of: 0x3A) ?? entry.count : entry.count
        return IPAddress(String(decoding: entry[..<end], as: UTF8.self))
    }
}
