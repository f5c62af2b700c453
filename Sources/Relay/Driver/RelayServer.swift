// A relay over all shards of a process: where it listens, how it starts, drains and stops.

package import Base
import CShims
package import Crypto
import Glibc
package import Net
package import Wire

package final class RelayServer: Sendable {
    package struct Listening: Sendable, Equatable {
        package enum Kind: Sendable, Equatable {
            /// UDP, and DTLS beside it when there is a certificate.
            case udp
            case tcp
            case tls
        }

        package let kind: Kind
        package let address: TransportAddress

        package init(_ kind: Kind, _ address: TransportAddress) {
            self.kind = kind
            self.address = address
        }
    }

    /// What each engine is told; `settings.listeners` and `settings.shard` are filled in here.
    package struct Service: Sendable {
        package var settings: RelaySettings
        package var secrets: RelaySecrets
        package var policy: PeerPolicy

        package init(settings: RelaySettings, secrets: RelaySecrets, policy: PeerPolicy) {
            self.settings = settings
            self.secrets = secrets
            self.policy = policy
        }
    }

    /// What a relay listens with for TLS and DTLS.
    package struct Security: Sendable {
        package let tls: TLSReloader
        let loadDTLS: @Sendable () throws(CryptoError) -> DTLSIdentity
        let dtls: DTLSIdentity

        /// `loadDTLS` reads the same files for DTLS; it is called now and at each `reloadCertificate`.
        package init(
            tls: TLSReloader, loadDTLS: @escaping @Sendable () throws(CryptoError) -> DTLSIdentity
        ) throws(CryptoError) {
            self.tls = tls
            self.loadDTLS = loadDTLS
            dtls = try loadDTLS()
        }
    }

    /// Connections that the kernel keeps for us until they are accepted.
    private static let backlog: Int32 = 512
    /// Numbers below `RelayClients.firstHandle`, and each a socket for each shard.
    package static let listenersMax = 64
    private static let log = Logger("relay")

    /// With the ports that the kernel chose.
    package let listening: [Listening]
    package let shards: [RelayShard]
    private let lanes: [StreamLaneBox]
    private let security: Security?

    private init(
        _ listening: [Listening], _ shards: [RelayShard], _ lanes: [StreamLaneBox], _ security: Security?
    ) {
        self.security = security
        self.listening = listening
        self.shards = shards
        self.lanes = lanes
    }

    // MARK: - Starting

    /// Binds everything, then begins to serve.
    package static func start(
        _ wanted: [Listening], _ service: Service, _ options: RelayDriverOptions, security: Security?,
        on group: ShardGroup
    ) async throws(SystemError) -> RelayServer {
        precondition(wanted.count <= listenersMax, "a relay listens at \(listenersMax) addresses at most")
        var sockets = RelaySockets()
        do throws(SystemError) {
            for one in wanted { try sockets.bind(one, shards: group.shards.count, backlog: backlog) }
            let server = try make(sockets, service, options, security, group)
            try await server.begin(sockets, security)
            return server
        } catch {
            sockets.close()
            throw error
        }
    }

    private static func make(
        _ sockets: RelaySockets, _ service: Service, _ options: RelayDriverOptions, _ security: Security?,
        _ group: ShardGroup
    ) throws(SystemError) -> RelayServer {
        let gate = StreamGate(limit: options.connections, limitPerAddress: options.connectionsPerAddress)
        let policy = service.policy.sparing(sockets.bound)
        var options = options
        options.acceptsOldNumbers = service.settings.acceptsOldNumbers
        var shards: [RelayShard] = []
        var lanes: [StreamLaneBox] = []
        for (number, loop) in group.shards.enumerated() {
            var settings = service.settings
            settings.shard = UInt8(truncatingIfNeeded: number)
            settings.listeners = sockets.engineListeners
            settings.relaysV4 = settings.relaysV4 && options.relayed.contains { !$0.isV6 }
            settings.relaysV6 = settings.relaysV6 && options.relayed.contains { $0.isV6 }
            guard let batch = RelayBatch() else { throw SystemError("make room for datagrams", code: ENOMEM) }
            let engine = RelayEngine(settings: settings, secrets: service.secrets, policy: policy, now: .now())
            let shard = RelayShard(
                on: loop, engine, options, listeners: sockets.datagrams.map { $0[number] }, batch: batch,
                dtls: security?.dtls)
            shards.append(shard)
            lanes.append(StreamLaneBox(shard, gate))
        }
        return RelayServer(sockets.bound, shards, lanes, security)
    }

    private func begin(_ sockets: RelaySockets, _ security: Security?) async throws(SystemError) {
        for (number, (shard, lane)) in zip(shards, lanes).enumerated() {
            let result: Result<Void, SystemError> = await withCheckedContinuation { continuation in
                shard.loop.submit {
                    continuation.resume(
                        returning: Result { () throws(SystemError) in
                            try shard.start()
                            for (listening, streams) in sockets.streams {
                                try lane.listen(listening, streams, number, security)
                            }
                        })
                }
            }
            try result.get()
        }
    }

    // MARK: - Serving

    /// As they were at most a second ago, of each shard.
    package var statistics: [RelayStatistics] { shards.map(\.statistics) }

    package func set(_ secrets: RelaySecrets) async {
        for shard in shards { await shard.perform { engine, _ in engine.set(secrets) } }
    }

    /// Reads the certificate again. New connections and associations get it, those that are there keep theirs; on
    /// failure what is in use stays.
    package func reloadCertificate() throws(CryptoError) {
        guard let security else { return }
        let identity = try security.loadDTLS()
        try security.tls.reload()
        for shard in shards { shard.loop.submit { shard.clients.adopt(identity) } }
    }

    /// Ends a session's allocations on every shard, and refuses its credentials from now on.
    package func revoke(session: String) async {
        for shard in shards {
            await shard.perform { engine, now in
                _ = engine.revoke(session: session, now: now, wallClock: .now())
            }
        }
    }

    // MARK: - The end

    /// How often it is looked whether the last allocation has gone.
    private static let drainInterval = Duration.milliseconds(200)

    /// Takes no new allocations; those who have one may go on for so long.
    package func drain(within limit: Duration, alternate: TransportAddress? = nil) async {
        let until = Instant.now() + limit
        for lane in lanes { lane.stopAccepting() }
        for shard in shards {
            await shard.perform { engine, _ in engine.drain(alternate: alternate, until: until) }
        }
        while Instant.now() < until {
            var count = 0
            for shard in shards { count += await shard.perform { engine, _ in engine.allocationCount } }
            if count == 0 { return }
            try? await Task.sleep(for: Self.drainInterval)
        }
    }

    /// Closes everything at once.
    package func stop() async {
        for (shard, lane) in zip(shards, lanes) {
            await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
                shard.loop.submit {
                    shard.stop()
                    lane.cutAll()
                    continuation.resume()
                }
            }
        }
    }
}

extension PeerPolicy {
    /// Where the relay itself listens is never a peer. `listenersMax` more stay within the policy's own bound unless it
    /// was filled to the brim; then nobody is one.
    fileprivate func sparing(_ listening: [RelayServer.Listening]) -> PeerPolicy {
        PeerPolicy(mode, denied: denied, allowed: allowed, listeners: listeners + listening.map(\.address)) ?? .nobody
    }
}

/// One shard's streams.
///
/// `@unchecked Sendable`: the lane is touched on the shard's thread only.
final class StreamLaneBox: @unchecked Sendable {
    private let shard: RelayShard
    private let gate: StreamGate
    private var lanes: [StreamLane] = []

    init(_ shard: RelayShard, _ gate: StreamGate) {
        self.shard = shard
        self.gate = gate
    }

    func listen(
        _ listening: RelayServer.Listening, _ sockets: StreamSockets, _ number: Int, _ security: RelayServer.Security?
    ) throws(SystemError) {
        let isSecure = listening.kind == .tls
        let listener = RelayStreamListener(address: listening.address, isSecure: isSecure)
        let lane = StreamLane(on: shard.loop, options: TransportOptions(), gate: gate) { [shard] transport, remote in
            shard.accept(transport, remote, listener)
        }
        try lane.listen(sockets, number: number, tls: isSecure ? security?.tls : nil)
        lanes.append(lane)
    }

    func stopAccepting() { shard.loop.submit { [self] in for lane in lanes { lane.stopAccepting() } } }
    func cutAll() { for lane in lanes { lane.cutAll() } }
}

/// Sockets that are bound and not yet served.
struct RelaySockets {
    /// By address, then by shard.
    private(set) var datagrams: [[RelaySocketListener]] = []
    private(set) var streams: [(RelayServer.Listening, StreamSockets)] = []
    private(set) var bound: [RelayServer.Listening] = []

    mutating func bind(_ wanted: RelayServer.Listening, shards: Int, backlog: Int32) throws(SystemError) {
        guard wanted.kind == .udp else {
            let sockets = try StreamSockets.open(wanted.address, shards: shards, backlog: backlog)
            let address = TransportAddress(wanted.address.ip, sockets.endpoint.port ?? wanted.address.port)
            let listening = RelayServer.Listening(wanted.kind, address)
            streams.append((listening, sockets))
            bound.append(listening)
            return
        }
        let opened = try Self.open(wanted.address, shards, handle: UInt32(datagrams.count))
        datagrams.append(opened)
        bound.append(RelayServer.Listening(.udp, opened[0].address))
    }

    private static func open(
        _ address: TransportAddress, _ shards: Int, handle: UInt32
    ) throws(SystemError) -> [RelaySocketListener] {
        if address.port != 0 { try checkUnused(address) }
        var listeners: [RelaySocketListener] = []
        var raw = plexi_address(address)
        for _ in 0..<shards {
            let descriptor = plexi_shared_datagram_socket(&raw, RelayShard.kernelBufferSize)
            guard descriptor >= 0 else {
                let error = SystemError("bind UDP \(address)")
                for listener in listeners { Glibc.close(listener.descriptor) }
                throw error
            }
            _ = plexi_datagram_join(descriptor)
            listeners.append(
                RelaySocketListener(descriptor: descriptor, handle: handle, address: TransportAddress(raw)))
        }
        return listeners
    }

    /// SO_REUSEPORT would let a second server of the same user share the port in silence, so one socket without it
    /// tries first.
    private static func checkUnused(_ address: TransportAddress) throws(SystemError) {
        var raw = plexi_address(address)
        let descriptor = plexi_datagram_socket(&raw, 0)
        guard descriptor >= 0 else { throw SystemError("bind UDP \(address)") }
        Glibc.close(descriptor)
    }

    /// For the engine: where we listen, which is never a peer.
    var engineListeners: [RelayListener] {
        datagrams.map { RelayListener(handle: $0[0].handle, address: $0[0].address, transport: .udp) }
            + streams.map { listening, _ in
                RelayListener(
                    handle: .max, address: listening.address, transport: listening.kind == .tls ? .tls : .tcp)
            }
    }

    func close() {
        for listener in datagrams.joined() { Glibc.close(listener.descriptor) }
        for (_, sockets) in streams { sockets.close() }
    }
}
