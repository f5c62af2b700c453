// The HTTP server as its owner sees it: where it listens, its bounds, and how it stops.

package import Base
package import Crypto
import Glibc
import Synchronization
package import Wire

package final class HTTPServer: Sendable {
    /// Every bound of a connection and of all of them together.
    package struct Options: Sendable {
        /// Sizes of request heads; more gets 414 or 431.
        package var limits = HTTPLimits()
        package var transport = TransportOptions()

        /// Connections at one time; more are closed as they come. Each may hold a few KiB, or `pipelineWindow` and
        /// `bodyWindow` when it is busy, twice `uploadWindow` for an upload. The process needs as many descriptors.
        package var connections = 20_000
        /// The same from one address (one /64 in IPv6), proxies that are trusted excepted. A company behind one
        /// address needs hundreds; one attacker should not have them all.
        package var connectionsPerAddress = 1_024
        /// Connections that the kernel keeps for us until they are accepted; it caps this at `somaxconn`.
        package var backlog: Int32 = 4_096

        /// From a connection's beginning, or a request's first byte, to the end of its head; longer gets 408. Slow
        /// networks need a few seconds for 32 KiB of cookies.
        package var headerTimeout: Duration = .seconds(10)
        /// Between requests. Higher saves clients a handshake, lower saves us connections.
        package var idleTimeout: Duration = .seconds(75)
        /// Bytes per second that a client must send of a body that is waited for, on average over
        /// `bodyRateWindow`; less gets 408.
        package var bodyRate = 1 << 10
        package var bodyRateWindow: Duration = .seconds(10)
        /// Bytes of a body that are read before the service has asked for them.
        package var bodyWindow = 64 << 10
        /// The same of a body whose reader is on another thread and has asked for some of it: an upload that is hashed
        /// and written. It holds up to twice as much, for it reads one window while the next one comes. Higher changes
        /// threads less often (with 64 KiB that cost a third of an upload), lower takes less memory for each upload.
        package var uploadWindow = 256 << 10
        /// Bytes of further requests that are kept while one is answered; then reading stops.
        package var pipelineWindow = 16 << 10
        /// The rest of a body that nobody wanted is read and dropped up to this, so that the connection can go on;
        /// a longer one costs the client its connection.
        package var discardLimit = 64 << 10

        /// Shorter answers are not compressed: the saving would be less than a packet.
        package var compressionThreshold = 1 << 10
        /// zlib's, from 1 (fast) to 9 (small).
        package var compressionLevel = 4

        /// Whose X-Forwarded-For and X-Forwarded-Proto are believed.
        package var proxies = ProxyTrust.none

        package init() {}
    }

    package struct Listening: Sendable {
        package let endpoint: Endpoint
        package let isSecure: Bool

        package init(_ endpoint: Endpoint, isSecure: Bool = false) {
            self.endpoint = endpoint
            self.isSecure = isSecure
        }
    }

    /// Where it listens, with the ports that the kernel chose.
    package let listening: [Listening]
    private let lanes: [HTTPLane]

    /// Binds all endpoints, then begins to serve. `tls` is needed where a listener is secure. Connections that are for
    /// `neighbour` become its.
    package static func start(
        _ endpoints: [Listening], service: any HTTPService, on shards: ShardGroup, options: Options = Options(),
        tls: TLSReloader? = nil, neighbour: (any PortNeighbour)? = nil, metrics: Metrics = Metrics()
    ) async throws(SystemError) -> HTTPServer {
        signal(SIGPIPE, SIG_IGN)  // sendfile has no flag against it
        var sockets = Array(repeating: [HTTPLane.Socket](), count: shards.shards.count)
        var bound: [Listening] = []
        do throws(SystemError) {
            for wanted in endpoints {
                precondition(!wanted.isSecure || tls != nil, "a secure listener needs a certificate")
                let opened = try ListeningSocket.open(
                    wanted.endpoint, shards: shards.shards.count, backlog: options.backlog)
                for (shard, socket) in opened.enumerated() {
                    sockets[shard].append(HTTPLane.Socket(socket: socket, isSecure: wanted.isSecure))
                }
                bound.append(Listening(opened[0].endpoint, isSecure: wanted.isSecure))
            }
        } catch {
            for socket in sockets.joined() { close(socket.socket.descriptor) }
            throw error
        }
        let common = HTTPCommon(
            service: service, options: options, tls: tls, neighbour: neighbour, metrics: metrics)
        let lanes = shards.shards.map { HTTPLane(on: $0, common) }
        for (lane, own) in zip(lanes, sockets) { try await lane.listen(own, handingOutTo: lanes) }
        return HTTPServer(listening: bound, lanes: lanes)
    }

    private init(listening: [Listening], lanes: [HTTPLane]) {
        self.listening = listening
        self.lanes = lanes
    }

    /// Throws when nobody could listen at `endpoint` now; for `doctor`.
    package static func probe(_ endpoint: Endpoint) throws(SystemError) {
        for socket in try ListeningSocket.probe(endpoint) { close(socket.descriptor) }
    }

    /// Open connections, WebSockets included.
    package var connectionCount: Int { lanes[0].common.gate.total }

    /// Stops accepting, lets requests in progress be answered with `Connection: close`, closes idle connections and
    /// WebSockets (1001), and cuts what is left after `limit`. Returns when no connection is left.
    package func stop(within limit: Duration) async {
        for lane in lanes { lane.beginDrain(within: limit) }
        for lane in lanes { await lane.waitUntilEmpty() }
    }
}

/// The certificate in use. New connections take the newest; connections that are open keep theirs.
package final class TLSReloader: Sendable {
    private let load: @Sendable () throws(CryptoError) -> TLSContext
    private let context: Mutex<TLSContext>

    /// `load` reads the files; it is called now and at each `reload`.
    package init(_ load: @escaping @Sendable () throws(CryptoError) -> TLSContext) throws(CryptoError) {
        self.load = load
        context = Mutex(try load())
    }

    package var current: TLSContext { context.withLock { $0 } }

    /// On failure the context in use stays.
    package func reload() throws(CryptoError) {
        let new = try load()
        context.withLock { $0 = new }
    }
}
