// Where a server listens and who connects to it: addresses, ports and socket paths, to and from the kernel's form.

import Base
import Glibc
package import Wire

package enum Endpoint: Sendable, Equatable, CustomStringConvertible {
    /// Port 0 lets the kernel choose.
    case tcp(IPAddress, port: UInt16)
    case unix(path: String)
    /// A listening socket that the service manager opened.
    case inherited(descriptor: Int32)

    /// `127.0.0.1:8000`, `[::1]:8000` or `unix:/run/plexichat.sock`.
    package init?(_ text: String) {
        if text.hasPrefix("unix:") {
            self = .unix(path: String(text.dropFirst(5)))
            return
        }
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            return nil
        }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        guard let address = IPAddress(String(host)) else { return nil }
        self = .tcp(address, port: port)
    }

    package var description: String {
        switch self {
        case .tcp(let address, let port): address.isV6 ? "[\(address)]:\(port)" : "\(address):\(port)"
        case .unix(let path): "unix:\(path)"
        case .inherited(let descriptor): "descriptor \(descriptor)"
        }
    }

    package var port: UInt16? {
        if case .tcp(_, let port) = self { port } else { nil }
    }
}

/// A socket address in the kernel's form.
struct SocketAddress {
    private var storage = sockaddr_storage()
    private(set) var length = socklen_t(0)

    init(_ address: IPAddress, port: UInt16) {
        if address.isV6 {
            var raw = sockaddr_in6()
            raw.sin6_family = sa_family_t(AF_INET6)
            raw.sin6_port = port.bigEndian
            withUnsafeMutableBytes(of: &raw.sin6_addr) { $0.copyBytes(from: address.bytes) }
            store(raw)
        } else {
            var raw = sockaddr_in()
            raw.sin_family = sa_family_t(AF_INET)
            raw.sin_port = port.bigEndian
            withUnsafeMutableBytes(of: &raw.sin_addr) { $0.copyBytes(from: address.bytes) }
            store(raw)
        }
    }

    init(path: String) throws(SystemError) {
        var raw = sockaddr_un()
        raw.sun_family = sa_family_t(AF_UNIX)
        // One byte stays 0 and ends the path.
        guard path.utf8.count < MemoryLayout.size(ofValue: raw.sun_path), !path.isEmpty else {
            throw SystemError("use \(path) as a socket path", code: ENAMETOOLONG)
        }
        withUnsafeMutableBytes(of: &raw.sun_path) { $0.copyBytes(from: path.utf8) }
        store(raw)
    }

    /// What `fill` (accept, getsockname) writes.
    init(_ fill: (UnsafeMutableRawPointer, inout socklen_t) throws(SystemError) -> Void) throws(SystemError) {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        try fill(&storage, &length)
        self.storage = storage
        self.length = length
    }

    private mutating func store<Raw>(_ raw: Raw) {
        length = socklen_t(MemoryLayout<Raw>.size)
        withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: raw, as: Raw.self) }
    }

    var family: Int32 { Int32(storage.ss_family) }

    /// `nil` for a local socket.
    var ip: (address: IPAddress, port: UInt16)? {
        withUnsafeBytes(of: storage) { bytes -> (address: IPAddress, port: UInt16)? in
            switch family {
            case AF_INET:
                let raw = bytes.load(as: sockaddr_in.self)
                let address = IPAddress(v4: UInt32(bigEndian: raw.sin_addr.s_addr))
                return (address, UInt16(bigEndian: raw.sin_port))
            case AF_INET6:
                let raw = bytes.load(as: sockaddr_in6.self)
                guard let address = IPAddress(bytes: withUnsafeBytes(of: raw.sin6_addr) { Bytes($0) }) else {
                    return nil
                }
                return (address, UInt16(bigEndian: raw.sin6_port))
            default: return nil
            }
        }
    }

    func withPointer<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        withUnsafePointer(to: storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
        }
    }
}
