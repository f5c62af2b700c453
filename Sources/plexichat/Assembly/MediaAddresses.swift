// Where media comes in: which addresses, which ports, and which of them clients are told.

import Base
import Configuration
import Glibc
import Media
import Net
import Wire

enum MediaAddresses {
    /// Addresses found by themselves. Each is a socket per shard and a line in every answer; a machine with more says
    /// which with `media.addresses`.
    private static let foundMax = 8

    /// The addresses of each shard's sockets.
    static func bindings(
        _ configuration: Configuration, besides endpoints: [Endpoint]
    ) throws(StartFailure) -> [[TransportAddress]] {
        let addresses = try addresses(configuration, besides: endpoints)
        let first = configuration.media.port
        let count = configuration.mediaShardCount
        guard first == 0 || first + count - 1 <= 65_535 else {
            throw StartFailure(
                "media", "\(count) ports from \(first) on end beyond 65535", remedy: "Choose a lower media.port.")
        }
        return (0..<count).map { number in
            let port = UInt16(clamping: first == 0 ? 0 : first + number)
            return addresses.map { TransportAddress($0, port) }
        }
    }

    /// What clients are told of the sockets of one shard: these themselves, or where a NAT shows them. One that has an
    /// address of each family maps each to its own.
    static func advertised(_ shown: [IPAddress], for sockets: [TransportAddress]) -> [TransportAddress] {
        guard !shown.isEmpty else { return sockets }
        return shown.compactMap { address in
            let socket = sockets.first { $0.ip.isV6 == address.isV6 } ?? sockets.first
            return socket.map { TransportAddress(address, $0.port) }
        }
    }

    // MARK: Addresses

    private static func addresses(
        _ configuration: Configuration, besides endpoints: [Endpoint]
    ) throws(StartFailure) -> [IPAddress] {
        let wanted = configuration.media.addresses
        if wanted.isEmpty {
            let loopback = loopbackOnly(endpoints)
            return loopback.isEmpty ? try found { _ in true } : loopback
        }
        var addresses: [IPAddress] = []
        for address in wanted {
            // A socket at "any" does not say where a datagram came to, and so not where to answer from.
            let meant = address.isAny ? try found { $0.isV6 == address.isV6 } : [address]
            for one in meant where !addresses.contains(one) { addresses.append(one) }
        }
        return addresses
    }

    /// The loopback addresses that the server listens on when it listens on nothing else: whoever tries it out on one
    /// machine opens nothing to the network.
    private static func loopbackOnly(_ endpoints: [Endpoint]) -> [IPAddress] {
        var addresses: [IPAddress] = []
        for endpoint in endpoints {
            guard case .tcp(let address, _) = endpoint, address.isLoopback else { return [] }
            if !addresses.contains(address) { addresses.append(address) }
        }
        return addresses
    }

    /// Addresses of interfaces that are up, IPv4 first; loopback ones when there are no others. One that cannot be bound
    /// yet (an IPv6 address that is still being tried out) is left out.
    private static func found(_ isWanted: (IPAddress) -> Bool) throws(StartFailure) -> [IPAddress] {
        let all: [IPAddress]
        do {
            all = try interfaceAddresses().filter(isWanted)
        } catch {
            throw StartFailure("media", error, remedy: "Name the addresses with media.addresses.")
        }
        let usable = all.filter { !$0.isLoopback && !$0.isLinkLocal && canBind($0) }
        let chosen = usable.isEmpty ? all.filter(\.isLoopback) : usable
        guard !chosen.isEmpty else {
            throw StartFailure(
                "media", "this machine has no address to receive media at", remedy: "Name one with media.addresses.")
        }
        return Array((chosen.filter { !$0.isV6 } + chosen.filter(\.isV6)).prefix(foundMax))
    }

    private static func canBind(_ address: IPAddress) -> Bool {
        (try? MediaShard.probe(TransportAddress(address, 0))) != nil
    }

    private static func interfaceAddresses() throws(SystemError) -> [IPAddress] {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&list) == 0 else { throw SystemError("list the network interfaces") }
        defer { freeifaddrs(list) }
        var addresses: [IPAddress] = []
        var next = list
        while let entry = next?.pointee {
            next = entry.ifa_next
            guard entry.ifa_flags & interfaceIsUp != 0, let raw = entry.ifa_addr, let address = IPAddress(raw),
                !addresses.contains(address)
            else { continue }
            addresses.append(address)
        }
        return addresses
    }

    /// `IFF_UP`, which is an enumerator of another type in each version of glibc.
    private static let interfaceIsUp: UInt32 = 1
}

extension IPAddress {
    fileprivate var isAny: Bool { bytes.allSatisfy { $0 == 0 } }

    /// 169.254.0.0/16 and fe80::/10.
    fileprivate var isLinkLocal: Bool {
        let bytes = bytes
        return isV6 ? bytes[0] == 0xFE && bytes[1] & 0xC0 == 0x80 : bytes[0] == 169 && bytes[1] == 254
    }

    /// `nil` for a family other than IPv4 and IPv6.
    fileprivate init?(_ raw: UnsafeMutablePointer<sockaddr>) {
        switch Int32(raw.pointee.sa_family) {
        case AF_INET:
            let bits = raw.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { $0.pointee.sin_addr.s_addr }
            self.init(v4: UInt32(bigEndian: bits))
        case AF_INET6:
            let bytes = raw.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { address in
                withUnsafeBytes(of: address.pointee.sin6_addr) { Bytes($0) }
            }
            self.init(bytes: bytes)
        default: return nil
        }
    }
}
