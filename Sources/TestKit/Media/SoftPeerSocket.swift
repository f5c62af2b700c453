// A soft peer on a UDP socket of this machine: for tests of the whole way, kernel and threads included.

package import Base
import Glibc
import Wire

package final class SoftPeerSocket {
    package let peer: SoftPeer
    private let descriptor: Int32
    private var buffer = Bytes(repeating: 0, count: 2_048)

    /// On a port of 127.0.0.1 that the kernel chooses.
    package init(_ peer: SoftPeer) throws(SystemError) {
        self.peer = peer
        descriptor = socket(
            AF_INET, Int32(SOCK_DGRAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw SystemError("open a socket") }
        var address = Self.address(IPAddress(v4: 0x7F00_0001), 0)
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw SystemError("bind a socket") }
    }

    deinit { close(descriptor) }

    /// Moves what there is, both ways, and lets the peer do what is due.
    package func turn() {
        let now = Instant.now()
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { break }
            peer.receive(Bytes(buffer[..<count]), now: now)
        }
        peer.tick(now: now)
        guard let remote = peer.remoteAddress else { return }
        var address = Self.address(remote.ip, remote.port)
        for datagram in peer.takeOutgoing() {
            withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    _ = sendto(
                        descriptor, datagram, datagram.count, 0, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        }
    }

    private static func address(_ ip: IPAddress, _ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        withUnsafeMutableBytes(of: &address.sin_addr) { $0.copyBytes(from: ip.bytes) }
        return address
    }
}
