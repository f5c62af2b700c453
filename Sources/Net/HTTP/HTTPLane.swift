// One shard's part of the HTTP server: its listeners, its connections, and what they share.

import Base
import Crypto
import Glibc
import Wire

/// What all lanes of one server have in common.
final class HTTPCommon: Sendable {
    let service: any HTTPService
    let options: HTTPServer.Options
    let tls: TLSReloader?
    let neighbour: (any PortNeighbour)?
    let gate: ConnectionGate
    let figures: HTTPFigures

    init(
        service: any HTTPService, options: HTTPServer.Options, tls: TLSReloader?, neighbour: (any PortNeighbour)?,
        metrics: Metrics
    ) {
        self.neighbour = neighbour
        self.service = service
        self.options = options
        self.tls = tls
        figures = HTTPFigures(metrics)
        switch options.proxies {
        case .none:
            gate = ConnectionGate(
                limit: options.connections, limitPerAddress: options.connectionsPerAddress, exempt: [])
        case .hops:  // every peer is a proxy
            gate = ConnectionGate(
                limit: options.connections, limitPerAddress: options.connections, exempt: [])
        case .networks(let networks):
            gate = ConnectionGate(
                limit: options.connections, limitPerAddress: options.connectionsPerAddress, exempt: networks)
        }
    }
}

/// What the server counts.
final class HTTPFigures: Sendable {
    let opened: Counter
    let refused: Counter
    let open: Gauge
    let requests: Counter
    let faults: Counter
    let inProgress: Gauge
    let latency: Histogram
    let received: Counter
    let sent: Counter

    init(_ metrics: Metrics) {
        opened = metrics.counter("plexi_http_connections_total", "Connections accepted.")
        refused = metrics.counter(
            "plexi_http_connections_refused_total", "Connections closed because there were too many.")
        open = metrics.gauge("plexi_http_connections", "Open connections, WebSockets included.")
        requests = metrics.counter("plexi_http_requests_total", "Requests given to the service.")
        faults = metrics.counter(
            "plexi_http_refused_requests_total", "Requests refused before the service saw them.")
        inProgress = metrics.gauge("plexi_http_requests_in_progress", "Requests that are being answered.")
        latency = metrics.histogram(
            "plexi_http_request_seconds", "From the end of a request's head to the end of its answer.")
        received = metrics.counter("plexi_http_received_bytes_total", "Bytes of closed connections, received.")
        sent = metrics.counter("plexi_http_sent_bytes_total", "Bytes of closed connections, sent.")
    }
}

/// `@unchecked Sendable`: `shard` and `common` are constant, everything else is touched on the shard's thread only.
final class HTTPLane: TransportTable, @unchecked Sendable {
    struct Socket: Sendable {
        let socket: ListeningSocket
        let isSecure: Bool
    }

    let shard: Shard
    let common: HTTPCommon
    let compressors: GzipPool
    private var listeners: [Listener] = []
    private var connections: [Transport] = []
    private var nextLane = 0
    private(set) var isDraining = false
    private var waiters: [CheckedContinuation<Void, Never>] = []
    /// The text of the address from which the last connection came: behind a proxy all come from one.
    private var lastPeer: (address: IPAddress, text: Private<String>)?
    private var dateLine = Bytes()
    private var dateEnds = Instant(nanoseconds: 0)

    init(on shard: Shard, _ common: HTTPCommon) {
        self.shard = shard
        self.common = common
        compressors = GzipPool(level: common.options.compressionLevel)
    }

    // MARK: Accepting

    func listen(
        _ sockets: [Socket], handingOutTo lanes: [HTTPLane]
    ) async throws(SystemError) {
        let result: Result<Void, SystemError> = await withCheckedContinuation { continuation in
            shard.submit { [self] in
                continuation.resume(
                    returning: Result { () throws(SystemError) in
                        for socket in sockets { try listen(socket.socket, socket.isSecure, lanes) }
                    })
            }
        }
        try result.get()
    }

    private func listen(
        _ socket: ListeningSocket, _ isSecure: Bool, _ lanes: [HTTPLane]
    ) throws(SystemError) {
        listeners.append(
            try Listener(socket, on: shard) { [self] descriptor, peer in
                guard !socket.isPerShard else { return accepted(descriptor, peer, isSecure) }
                nextLane = (nextLane + 1) % lanes.count
                let lane = lanes[nextLane]
                lane.shard.submit { lane.accepted(descriptor, peer, isSecure) }
            })
    }

    private func accepted(_ descriptor: Int32, _ peer: SocketAddress, _ isSecure: Bool) {
        let ip = peer.ip
        guard !isDraining, common.gate.admit(ip?.address) else {
            close(descriptor)
            common.figures.refused.increment()
            return
        }
        let info = ConnectionInfo(
            remoteAddress: ip.map { text(of: $0.address) } ?? Private("unix"), remotePort: ip?.port ?? 0,
            isSecure: isSecure)
        // A session fails to be made for want of memory only; the connection is then closed as if refused.
        let session = isSecure ? common.tls.flatMap { try? TLSSession(server: $0.current) } : nil
        let transport = Transport(
            descriptor, on: shard, info: info, peer: ip?.address, options: common.options.transport, session: session,
            in: self)
        transport.tableIndex = connections.count
        connections.append(transport)
        common.figures.opened.increment()
        common.figures.open.add(1)
        let connection = HTTPConnection(transport, in: self)
        guard !isSecure || session != nil, (try? transport.start(connection)) != nil else { return transport.cut() }
        connection.start()
    }

    private func text(of address: IPAddress) -> Private<String> {
        if let lastPeer, lastPeer.address == address { return lastPeer.text }
        let text = Private("\(address)")
        lastPeer = (address, text)
        return text
    }

    func left(_ transport: Transport) {
        shard.connectionsMoved(1)
        common.gate.leave(transport.peer)
        common.figures.open.add(-1)
        common.figures.received.increment(by: transport.bytesReceived)
        common.figures.sent.increment(by: transport.bytesSent)
        let last = connections.removeLast()
        if last !== transport {
            connections[transport.tableIndex] = last
            last.tableIndex = transport.tableIndex
        }
        if isDraining, connections.isEmpty { becameEmpty() }
    }

    // MARK: Stopping

    func beginDrain(within limit: Duration) {
        shard.submit { [self] in
            guard !isDraining else { return }
            for listener in listeners { listener.close() }
            listeners = []
            isDraining = true
            for transport in connections { transport.serverStops() }
            _ = shard.schedule(after: limit) { [self] in
                for transport in connections { transport.cut() }
            }
        }
    }

    func waitUntilEmpty() async {
        await withCheckedContinuation { continuation in
            shard.submit { [self] in
                waiters.append(continuation)
                if connections.isEmpty { becameEmpty() }
            }
        }
    }

    private func becameEmpty() {
        for waiter in waiters { waiter.resume() }
        waiters = []
    }

    // MARK: Shared by its connections

    /// The value of Date, made once a second.
    var date: Bytes {
        if shard.now >= dateEnds { renewDate() }
        return dateLine
    }

    private func renewDate() {
        let time = Timestamp.now()
        dateLine = Bytes(time.imfFixdate.utf8)
        let rest = 1_000_000 - (time.microsecondsSinceEpoch - time.secondsSinceEpoch * 1_000_000)
        dateEnds = .now() + .microseconds(rest)
    }
}

/// gzip states that one thread lends out: each holds about 268 KB.
final class GzipPool {
    /// States kept for reuse. More answers than this are compressed at one time only while they are streamed.
    private static let kept = 2

    private let level: Int
    private var idle: [Deflater] = []

    init(level: Int) { self.level = level }

    /// `nil` when there is no memory for it: the answer then goes out as it is.
    func take() -> Deflater? { idle.popLast() ?? Deflater(.gzip, level: level) }

    func giveBack(_ deflater: Deflater) {
        guard idle.count < Self.kept else { return }
        deflater.reset()
        idle.append(deflater)
    }
}
