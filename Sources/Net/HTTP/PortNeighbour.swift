// Another protocol on the port of HTTP: a network that lets out nothing but web traffic lets this out, too.
//
// A client that asks for the neighbour's name in its TLS handshake (ALPN) is the neighbour's. One that asks for nothing,
// or speaks without TLS, is told by its first byte, which must be one that no HTTP request begins with. Until that byte
// is there the connection is HTTP's, and HTTP's bounds hold for it to its end.

package import Wire

package protocol PortNeighbour: AnyObject, Sendable {
    /// Its name in ALPN. The server's TLS context must offer it beside HTTP's.
    var applicationProtocol: String { get }

    /// Whether a connection with this first byte is its.
    func begins(with byte: UInt8) -> Bool

    /// On the thread of the connection's loop. `nil`: it takes nobody now, and the connection is closed.
    func owner(of transport: Transport, from remote: TransportAddress) -> (any ConnectionProtocol)?
}

extension HTTPConnection {
    /// The first bytes of the connection: true when they were not for HTTP.
    func passOn(_ bytes: Span<UInt8>) -> Bool {
        // Who comes over a local socket has no address that a neighbour could tell him by.
        guard let neighbour = lane.common.neighbour, let peer = transport.peer, bytes.count > 0 else { return false }
        if let agreed = transport.applicationProtocol {
            guard agreed == neighbour.applicationProtocol else { return false }
        } else if !neighbour.begins(with: bytes[0]) {
            return false
        }
        reading = .ended
        detach()
        guard let owner = neighbour.owner(of: transport, from: TransportAddress(peer, transport.info.remotePort)) else {
            transport.close()
            return true
        }
        transport.handOver(to: owner)
        owner.received(bytes)
        return true
    }
}
