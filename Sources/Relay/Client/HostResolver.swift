// Names to addresses, by the system's own resolver, on a thread that may block.

import Base
import Glibc
package import Net
package import Wire

package struct HostResolver: Sendable {
    package struct Failure: Error, Sendable, CustomStringConvertible {
        package let description: String
    }

    /// Addresses of one name that are tried. A name with more is a list to choose from, and the first ones serve.
    static let addressesMax = 8

    private let pool: BlockingPool

    /// `pool` lends a thread for as long as the system's resolver takes: with silent name servers, tens of seconds.
    package init(pool: BlockingPool) { self.pool = pool }

    /// In the order in which the system would use them; an address is its own answer.
    package func addresses(of host: String) async throws(Failure) -> [IPAddress] {
        if let address = IPAddress(host) { return [address] }
        let result: Result<[IPAddress], Failure>
        do {
            result = try await pool.perform { Self.ask(host) }
        } catch {
            throw Failure(description: "\(error.limit) names are being looked up already")
        }
        return try result.get()
    }

    private static func ask(_ host: String) -> Result<[IPAddress], Failure> {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_DGRAM.rawValue)
        hints.ai_flags = AI_ADDRCONFIG
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, nil, &hints, &list)
        guard code == 0 else { return .failure(Failure(description: String(cString: gai_strerror(code)))) }
        defer { freeaddrinfo(list) }
        var addresses: [IPAddress] = []
        var next = list
        while let entry = next?.pointee, addresses.count < addressesMax {
            next = entry.ai_next
            if let raw = entry.ai_addr, let address = address(raw), !addresses.contains(address) {
                addresses.append(address)
            }
        }
        guard !addresses.isEmpty else { return .failure(Failure(description: "the name has no address")) }
        return .success(addresses)
    }

    private static func address(_ raw: UnsafeMutablePointer<sockaddr>) -> IPAddress? {
        switch Int32(raw.pointee.sa_family) {
        case AF_INET:
            let bits = raw.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { $0.pointee.sin_addr.s_addr }
            return IPAddress(v4: UInt32(bigEndian: bits))
        case AF_INET6:
            let bytes = raw.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { address in
                withUnsafeBytes(of: address.pointee.sin6_addr) { Bytes($0) }
            }
            return IPAddress(bytes: bytes)
        default: return nil
        }
    }
}
