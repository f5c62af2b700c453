// The driver of one engine: moves bytes between its sockets and it, on the thread of its shard. It decides nothing.
//
//   sockets readable -> recvmmsg into the batch -> engine, one datagram after the other
//   streams          -> cut into messages       -> engine
//   after the poll   -> datagrams of the outbox leave, gathered by destination; commands are carried out
//   timer            -> engine.tick
//
// A client's datagrams always reach the same shard: the shards' sockets at one address share it (SO_REUSEPORT), and the
// kernel chooses by the addresses and ports of both ends, among sockets that are all there before the first datagram.
//
// `@unchecked Sendable`: everything is touched on the shard's thread only; `perform` is the way in from others.

package import Base
import CShims
import Crypto
import Glibc
package import Net
import Wire

package final class RelayShard: PollEndObserver, @unchecked Sendable {
    /// Batches from one socket before others are looked at again.
    private static let batchesPerTurn = 4
    /// Asked of the kernel for listening sockets, in both directions: a tenth of a second at 300 Mbit/s.
    static let kernelBufferSize: Int32 = 4 << 20
    /// What is closed because it said nothing, and what the metrics say, is looked at so often.
    private static let sweepInterval = Duration.seconds(1)

    package let loop: Shard
    let engine: RelayEngine
    let options: RelayDriverOptions
    let sender = RelaySender()
    private let batch: RelayBatch
    let listeners: [RelaySocketListener]
    let relays: RelayTable
    let clients: RelayClients
    private var watches: [any DescriptorWatch] = []
    private var alarm: (any ScheduledTimer)?
    private var alarmTime: Instant?
    private var sweep: (any ScheduledTimer)?
    private var isFlushPlanned = false
    private var isDraining = false
    /// Packets of the batch are still to be looked at: their slots are not free when the outbox is empty.
    private var isReading = false
    private(set) var isStopped = false
    private let published = RelayStatisticsCell()

    init(
        on loop: Shard, _ engine: RelayEngine, _ options: RelayDriverOptions, listeners: [RelaySocketListener],
        batch: RelayBatch, dtls: DTLSIdentity?
    ) {
        self.loop = loop
        self.engine = engine
        self.options = options
        self.listeners = listeners
        self.batch = batch
        relays = RelayTable(options)
        clients = RelayClients(options, dtls)
    }

    // MARK: - The beginning and the end

    /// On the loop's thread. The loop keeps the shard alive until `stop`.
    func start() throws(SystemError) {
        alarm = loop.timer { [self] in alarmRang() }
        sweep = loop.timer { [self] in sweepRang() }
        sweep?.arm(at: loop.now + Self.sweepInterval)
        for listener in listeners {
            watches.append(
                try loop.watch(listener.descriptor, for: .readable) { [self] _ in receive(from: listener) })
        }
    }

    /// On the loop's thread. Nothing reaches the engine any more.
    func stop() {
        guard !isStopped else { return }
        isStopped = true
        for watch in watches { watch.cancel() }
        watches = []
        for listener in listeners { Glibc.close(listener.descriptor) }
        relays.closeAll()
        clients.closeAll()
        alarm?.cancel()
        alarm = nil
        sweep?.cancel()
        sweep = nil
        publish()
    }

    // MARK: - Datagrams in

    private func receive(from listener: RelaySocketListener) {
        receive(listener.descriptor) { packet, remote, now, wallClock in
            take(packet, from: remote, listener, now, wallClock)
        }
    }

    private func receive(from relay: RelayID, _ descriptor: Int32) {
        receive(descriptor) { packet, peer, now, _ in
            engine.receive(packet, on: relay, from: peer, now: now)
            if !engine.outbox.hasRoom { drain() }
        }
    }

    @inline(__always)
    private func receive(
        _ descriptor: Int32, _ take: (RelayPacket, TransportAddress, Instant, Timestamp) -> Void
    ) {
        for _ in 0..<Self.batchesPerTurn {
            if !batch.hasRoom { drain() }
            let places = batch.receive(descriptor)
            guard !places.isEmpty else { break }
            let (now, wallClock) = (Instant.now(), Timestamp.now())
            isReading = true
            for place in places {
                if let joined = batch.joined(place) {
                    takeApart(place, joined.segment, joined.count) { take($0, $1, now, wallClock) }
                } else if let packet = batch.packet(place) {
                    take(packet, batch.source(place), now, wallClock)
                }
            }
            isReading = false
            if places.count < RelayBatch.perReceive { break }
        }
        planFlush()
    }

    @inline(__always)
    private func takeApart(
        _ place: Int, _ segment: Int, _ count: Int, _ take: (RelayPacket, TransportAddress) -> Void
    ) {
        let source = batch.source(place)
        var start = 0
        while start < count {
            let end = min(start &+ segment, count)
            if !batch.hasRoomApart { drain() }
            if let packet = batch.takeApart(place, start..<end) { take(packet, source) }
            start = end
        }
    }

    @inline(__always)
    private func take(
        _ packet: RelayPacket, from remote: TransportAddress, _ listener: RelaySocketListener, _ now: Instant,
        _ wallClock: Timestamp
    ) {
        if packet.count > 0, DTLSDatagram.isDTLS(packet.start.load(as: UInt8.self)) {
            return takeDTLS(packet, from: remote, listener, now, wallClock)
        }
        let path = ClientPath(remote: remote, handle: listener.handle, transport: .udp)
        engine.receive(packet, from: path, now: now, wallClock: wallClock)
        if !engine.outbox.hasRoom { drain() }
    }

    // MARK: - DTLS in

    private func takeDTLS(
        _ packet: RelayPacket, from remote: TransportAddress, _ listener: RelaySocketListener, _ now: Instant,
        _ wallClock: Timestamp
    ) {
        let bytes = UnsafeRawBufferPointer(start: packet.start, count: packet.count)
        guard let peer = clients.receiveDTLS(bytes, from: remote, listener, now: now) else { return }
        if let old = clients.takeReplaced() {
            engine.connectionClosed(old, now: now)
            drain()
        }
        while let message = peer.session.takeApplicationData() {
            deliver(message, from: peer.path, now, wallClock)
        }
        clients.flush(peer)
        if peer.isOver { dtlsEnded(peer, now) }
        armAlarm()
    }

    /// Bytes of ours: what the outbox says of them leaves before they go.
    private func deliver(_ message: Bytes, from path: ClientPath, _ now: Instant, _ wallClock: Timestamp) {
        var message = message
        message.withUnsafeMutableBytes { bytes in
            guard let start = bytes.baseAddress else { return }
            engine.receive(RelayPacket(start: start, count: bytes.count), from: path, now: now, wallClock: wallClock)
            drain()
        }
    }

    private func dtlsEnded(_ peer: RelayDTLSPeer, _ now: Instant) {
        guard clients.forget(peer) else { return }
        engine.connectionClosed(peer.path, now: now)
        drainSoon()
    }

    // MARK: - Streams

    /// A connection came: who speaks on it for us.
    func accept(_ transport: Transport, _ remote: TransportAddress, _ listener: RelayStreamListener) -> RelayStream {
        let stream = RelayStream(transport, local: listener.address.ip, self)
        stream.path = ClientPath(
            remote: remote, handle: clients.add(stream), transport: listener.isSecure ? .tls : .tcp)
        return stream
    }

    /// One whole message of a stream.
    func deliver(_ packet: RelayPacket, from stream: RelayStream, _ now: Instant, _ wallClock: Timestamp) {
        engine.receive(packet, from: stream.path, now: now, wallClock: wallClock)
        // What one read brings may be more messages than the outbox holds.
        if !engine.outbox.hasRoom { drain() }
    }

    func streamEnded(_ stream: RelayStream) {
        clients.forget(stream)
        guard !isStopped else { return }
        engine.connectionClosed(stream.path, now: .now())
        drainSoon()
    }

    // MARK: - Out

    /// Once after the watches of this turn were called.
    func planFlush() {
        guard !isFlushPlanned, !engine.outbox.isEmpty || batch.used > 0 else { return armAlarm() }
        isFlushPlanned = true
        loop.flushAfterPoll(self)
    }

    /// The same from anywhere: what is not a datagram can wait for the jobs of the turn, but not for the next datagram.
    private func drainSoon() {
        guard !engine.outbox.isEmpty, !isDraining else { return }
        loop.submit { [self] in
            drain()
            armAlarm()
        }
    }

    package func pollEnded() {
        isFlushPlanned = false
        drain()
        armAlarm()
    }

    /// Empties the outbox. What the batch holds may be overwritten afterwards.
    func drain() {
        guard !isDraining else { return }
        isDraining = true
        while !engine.outbox.isEmpty {
            send()
            let commands = engine.outbox.takeCommands()
            engine.outbox.removeDatagrams()
            for command in commands { carryOut(command) }
        }
        batch.resetApart()
        if !isReading { batch.reset() }
        isDraining = false
    }

    private func send() {
        let outbox = engine.outbox
        for index in 0..<outbox.count {
            let datagram = outbox[index]
            switch datagram.destination {
            case .peer(let relay, let peer):
                guard let descriptor = relays.descriptor(relay) else { continue }
                sender.add(index, descriptor, peer, forbidsFragments: datagram.dontFragment)
            case .client(let path):
                switch path.transport {
                case .udp:
                    guard Int(path.handle) < listeners.count else { continue }
                    let listener = listeners[Int(path.handle)]
                    sender.add(index, listener.descriptor, path.remote, forbidsFragments: false)
                case .tcp, .tls, .dtls:
                    if !clients.send(datagram, to: path) { sender.noteStreamDrop() }
                }
            }
        }
        sender.flush(outbox)
    }

    // MARK: - Commands

    private func carryOut(_ command: RelayCommand) {
        switch command {
        case .open(let order): open(order)
        case .close(let relay): relays.close(relay)
        case .closeClient(let path): closeClient(path)
        case .join(let path, let connection): clients.stream(path)?.join(relays.peers.take(connection), self)
        case .connect(let connection, let relay, let peer): connect(connection, relay, peer)
        case .closePeer(let connection): relays.peers.close(connection)
        }
    }

    private func open(_ order: RelayOrder) {
        let now = Instant.now()
        guard let ip = relayedAddress(for: order) else {
            return engine.relayRefused(order.relay, .noSuchFamily, now: now)
        }
        do throws(SystemError) {
            let opened = try relays.open(order, at: ip, on: loop, self)
            let shown = options.shown(ip)
            engine.relayOpened(
                order.relay, at: TransportAddress(shown, opened.port),
                next: opened.next.map { TransportAddress(shown, $0) }, now: now)
        } catch {
            engine.relayRefused(order.relay, error.code == EADDRNOTAVAIL ? .noSuchFamily : .exhausted, now: now)
        }
    }

    /// Where the client came in, if that is of the family: who reaches us there is reached from there.
    private func relayedAddress(for order: RelayOrder) -> IPAddress? {
        let own: IPAddress?
        switch order.client.transport {
        case .udp:
            own = Int(order.client.handle) < listeners.count ? listeners[Int(order.client.handle)].address.ip : nil
        case .tcp, .tls, .dtls: own = clients.local(order.client)
        }
        if let own, own.isV6 == order.relay.isV6, options.relayed.contains(own) { return own }
        return options.relayed.first { $0.isV6 == order.relay.isV6 }
    }

    private func closeClient(_ path: ClientPath) {
        switch path.transport {
        case .udp: break
        case .tcp, .tls: clients.stream(path)?.close()
        case .dtls:
            if let peer = clients.dtlsPeer(path) { close(peer, .now()) }
        }
    }

    private func close(_ peer: RelayDTLSPeer, _ now: Instant) {
        peer.session.close()
        clients.flush(peer)
        dtlsEnded(peer, now)
    }

    /// Bytes came to a relayed socket.
    func relayIsReadable(_ relay: RelayID, _ descriptor: Int32) { receive(from: relay, descriptor) }

    // MARK: - TCP to peers (RFC 6062)

    private func connect(_ connection: PeerConnectionID, _ relay: RelayID, _ peer: TransportAddress) {
        do throws(SystemError) {
            try relays.connect(connection, from: relay, to: peer, on: loop, self)
        } catch {
            engine.peerFailed(connection, now: .now())
        }
    }

    func peerIsConnected(_ connection: PeerConnectionID) {
        engine.peerConnected(connection, now: .now())
        drainSoon()
    }

    func peerHasFailed(_ connection: PeerConnectionID) {
        engine.peerFailed(connection, now: .now())
        drainSoon()
    }

    func peerHasClosed(_ connection: PeerConnectionID) {
        guard !isStopped else { return }
        engine.peerClosed(connection, now: .now())
        drainSoon()
    }

    func peerCalls(_ relay: RelayID, _ peer: TransportAddress) -> PeerConnectionID? {
        defer { drainSoon() }
        return engine.peerArrived(on: relay, from: peer, now: .now())
    }

    func pause(after count: Int, on connection: PeerConnectionID, toPeer: Bool) -> Duration {
        engine.pause(after: count, on: connection, toPeer: toPeer, now: .now())
    }

    // MARK: - Time

    private func alarmRang() {
        alarmTime = nil
        let now = Instant.now()
        engine.tick(now: now)
        clients.handleTimeouts(now: now)
        drain()
        armAlarm()
    }

    /// Only moved forward: an alarm that rings early costs one empty look, moving it each time would cost every batch.
    private func armAlarm() {
        guard let deadline = [engine.nextDeadline, clients.deadline].compactMap({ $0 }).min() else { return }
        if let alarmTime, alarmTime <= deadline { return }
        alarmTime = deadline
        alarm?.arm(at: deadline)
    }

    private func sweepRang() {
        let now = Instant.now()
        let silent = clients.silent(now: now)
        for stream in silent.streams { stream.close() }
        for peer in silent.associations { close(peer, now) }
        drain()
        publish()
        sweep?.arm(at: loop.now + Self.sweepInterval)
    }

    // MARK: - From other threads

    private func publish() {
        var statistics = RelayStatistics()
        statistics.allocations = engine.allocationCount
        statistics.counters = engine.counters
        statistics.sockets = sender.counters
        statistics.sockets.truncated = batch.truncated
        statistics.streams = clients.streamCount
        statistics.associations = clients.associationCount
        statistics.refusedAssociations = clients.refusedAssociations
        published.publish(statistics)
    }

    /// As they were at most a second ago.
    package var statistics: RelayStatistics { published.current }

    /// Runs `body` with the engine on its thread, and sends what it had to say.
    package func perform<Result: Sendable>(
        _ body: @escaping @Sendable (RelayEngine, Instant) -> sending Result
    ) async -> Result {
        await withCheckedContinuation { continuation in
            loop.submit { [self] in
                let result = body(engine, Instant.now())
                drain()
                armAlarm()
                continuation.resume(returning: result)
            }
        }
    }
}
