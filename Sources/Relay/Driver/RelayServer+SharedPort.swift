// TURN on the port of HTTP: the HTTP server's neighbour.

package import Net
package import Wire

extension RelayServer: PortNeighbour {
    /// RFC 7443.
    package var applicationProtocol: String { RelayURL.alpn }

    /// The message that a client begins with is a request of a method below 0x80, whose type's first byte is zero (RFC
    /// 8489 §5). No HTTP request begins with NUL.
    package func begins(with byte: UInt8) -> Bool { byte == 0 }

    /// A stream as if it had come to a port of the relay's own; it stays on its thread. It counts as a connection of HTTP,
    /// not as one of `RelayDriverOptions.connections`.
    package func owner(of transport: Transport, from remote: TransportAddress) -> (any ConnectionProtocol)? {
        guard let shard = shards.first(where: { $0.loop === transport.loop }), !shard.isStopped else { return nil }
        // Its relayed address is the first of its family.
        let nowhere = TransportAddress(IPAddress(v4: 0), 0)
        return shard.accept(
            transport, remote, RelayStreamListener(address: nowhere, isSecure: transport.info.isSecure))
    }
}
