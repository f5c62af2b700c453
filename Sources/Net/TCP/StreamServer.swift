// Stream connections for protocols other than HTTP, on one shard: accepting, TLS, bounds. The owner is made by who
// serves; what the bytes mean is his business.

package import Base
import Crypto
import Glibc
package import Wire

/// Bound sockets of one endpoint, one for each shard (SO_REUSEPORT), before anybody serves them.
package struct StreamSockets: Sendable {
    /// With the port that the kernel chose.
    package let endpoint: Endpoint
    fileprivate let sockets: [ListeningSocket]

    package static func open(
        _ address: TransportAddress, shards: Int, backlog: Int32
    ) throws(SystemError) -> StreamSockets {
        let opened = try ListeningSocket.open(.tcp(address.ip, port: address.port), shards: shards, backlog: backlog)
        return StreamSockets(endpoint: opened[0].endpoint, sockets: opened)
    }

    package func close() { for socket in sockets { Glibc.close(socket.descriptor) } }
}

/// Connections at one time and of one address, over all lanes of a server.
package final class StreamGate: Sendable {
    fileprivate let gate: ConnectionGate

    package init(limit: Int, limitPerAddress: Int) {
        gate = ConnectionGate(limit: limit, limitPerAddress: limitPerAddress, exempt: [])
    }

    package var total: Int { gate.total }
}

/// One shard's part of it. Everything on the shard's thread.
package final class StreamLane: TransportTable {
    private let shard: Shard
    private let options: TransportOptions
    private let gate: StreamGate
    private let make: (Transport, TransportAddress) -> any ConnectionProtocol
    private var listeners: [Listener] = []
    private var connections: [Transport] = []
    private var isClosing = false
    /// Connections that were closed as they came, because there were too many.
    package private(set) var refused: UInt64 = 0

    /// `make` gives each connection its owner; it is not yet read from.
    package init(
        on shard: Shard, options: TransportOptions, gate: StreamGate,
        owner make: @escaping (Transport, TransportAddress) -> any ConnectionProtocol
    ) {
        self.shard = shard
        self.options = options
        self.gate = gate
        self.make = make
    }

    package var count: Int { connections.count }

    /// The lane of the shard with this number serves its socket of those.
    package func listen(_ sockets: StreamSockets, number: Int, tls: TLSReloader?) throws(SystemError) {
        shard.checkIsolated()
        listeners.append(
            try Listener(sockets.sockets[number], on: shard) { [unowned self] descriptor, peer in
                accepted(descriptor, peer, tls)
            })
    }

    private func accepted(_ descriptor: Int32, _ address: SocketAddress, _ tls: TLSReloader?) {
        guard !isClosing, let peer = address.ip, gate.gate.admit(peer.address) else {
            close(descriptor)
            refused &+= 1
            return
        }
        let info = ConnectionInfo(
            remoteAddress: Private("\(peer.address)"), remotePort: peer.port, isSecure: tls != nil)
        // A session fails to be made for want of memory only; the connection is then closed as if refused.
        let session = tls.flatMap { try? TLSSession(server: $0.current) }
        let transport = Transport(
            descriptor, on: shard, info: info, peer: peer.address, options: options, session: session, in: self)
        transport.tableIndex = connections.count
        connections.append(transport)
        let owner = make(transport, TransportAddress(peer.address, peer.port))
        guard tls == nil || session != nil, (try? transport.start(owner)) != nil else { return transport.cut() }
    }

    func left(_ transport: Transport) {
        gate.gate.leave(transport.peer)
        let last = connections.removeLast()
        guard last !== transport else { return }
        connections[transport.tableIndex] = last
        last.tableIndex = transport.tableIndex
    }

    /// Accepts nobody any more; those who are there stay.
    package func stopAccepting() {
        for listener in listeners { listener.close() }
        listeners = []
    }

    package func cutAll() {
        isClosing = true
        stopAccepting()
        for transport in connections { transport.cut() }
    }
}
