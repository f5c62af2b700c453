// The driver of one engine: moves batches between its sockets and it, on the thread of its loop. It decides nothing.
//
//   sockets readable -> recvmmsg into slots of the slab -> engine, one datagram after the other
//                    -> the end of the batch: the engine forwards and does what is due, the outbox is sent
//   timer            -> engine, outbox is sent
//
// `@unchecked Sendable`: everything is touched on the loop's thread only; `perform` is the way in from others.

package import Base
import CShims
import Crypto
import Glibc
package import Wire

package final class MediaShard: @unchecked Sendable {
    /// Batches from one socket before other sockets and timers are looked at again.
    static let batchesPerTurn = 8

    package let loop: any EventLoop
    private let engine: MediaEngine
    private var sockets: [DatagramSocket] = []
    private var streams: StreamListeners?
    private var watches: [any DescriptorWatch] = []
    private var alarm: (any ScheduledTimer)?
    private var alarmTime: Instant?
    private let published = ShardStatistics()
    private var statisticsAlarm: (any ScheduledTimer)?
    private var statisticsAreDue = false
    private let identityPeriod: Duration
    private var identityAlarm: (any ScheduledTimer)?
    private static let log = Logger("media")

    /// Binds a UDP socket to each address, and beside it a TCP one of the same port for those who get no UDP through.
    /// Not yet served: see `start`.
    package init(
        on loop: any EventLoop, engine: MediaEngine, addresses: [TransportAddress], acceptsTCP: Bool = true,
        identityPeriod: Duration = DTLSIdentity.rotationPeriod
    ) throws(SystemError) {
        self.loop = loop
        self.engine = engine
        self.identityPeriod = identityPeriod
        engine.outbox.flush = { [unowned self] outbox in send(outbox) }
        guard acceptsTCP else {
            try bind(addresses)
            return
        }
        // A port that the kernel chose for TCP may be taken for UDP: then it chooses another.
        let attempts = addresses.contains { $0.port == 0 } ? Self.portAttempts : 1
        for attempt in 1...attempts {
            do throws(SystemError) {
                let listeners = try StreamListeners(addresses, on: loop, engine: engine) { [unowned self] in armAlarm()
                }
                try bind(listeners.addresses)
                streams = listeners
                return
            } catch {
                guard error.code == EADDRINUSE, attempt < attempts else { throw error }
            }
        }
    }

    /// How often a pair of ports is looked for. Each try fails only when somebody else has just the same port.
    private static let portAttempts = 16

    private func bind(_ addresses: [TransportAddress]) throws(SystemError) {
        sockets = []
        for address in addresses { sockets.append(try DatagramSocket(address, slab: &engine.slab)) }
    }

    /// Where the sockets are bound, with the ports that the kernel chose.
    package var addresses: [TransportAddress] { sockets.map(\.local) }
    /// Where TCP connections are accepted.
    package var connectionAddresses: [TransportAddress] { streams?.addresses ?? [] }

    /// Whether a shard could be bound there: binds and lets go.
    package static func probe(_ address: TransportAddress) throws(SystemError) {
        var slab = PacketSlab(count: DatagramSocket.batchSize)
        _ = try DatagramSocket(address, slab: &slab)
    }

    /// Begins to serve. On the loop's thread. The loop keeps the shard alive until `stop`.
    package func start() throws(SystemError) {
        alarm = loop.timer { [self] in alarmRang() }
        statisticsAlarm = loop.timer { [self] in publishStatistics() }
        identityAlarm = loop.timer { [self] in renewIdentity() }
        identityAlarm?.arm(at: loop.now + identityPeriod)
        for (index, socket) in sockets.enumerated() {
            watches.append(
                try loop.watch(socket.descriptor, for: .readable) { [self] _ in
                    receive(from: socket, number: UInt32(index))
                })
        }
        try streams?.start()
    }

    /// On the loop's thread. No datagram and no timer reaches the engine any more.
    package func stop() {
        for watch in watches { watch.cancel() }
        watches = []
        streams?.stop()
        alarm?.cancel()
        alarm = nil
        statisticsAlarm?.cancel()
        statisticsAlarm = nil
        identityAlarm?.cancel()
        identityAlarm = nil
        publishStatistics()
    }

    // MARK: In

    private func receive(from socket: DatagramSocket, number: UInt32) {
        for _ in 0..<Self.batchesPerTurn {
            let count = socket.receive()
            guard count > 0 else { break }
            // One time for the batch: what came together was waited for together.
            let now = Instant.now()
            for index in 0..<count {
                guard let datagram = socket.received(index, socket: number) else { continue }
                let next = engine.receive(datagram.slot, datagram.count, from: datagram.path, now: now)
                if next != datagram.slot { socket.setSlot(next, at: index, in: engine.slab) }
            }
            engine.endBatch(now: now)
            engine.handleDeadlines(now: now)
            engine.outbox.flushIfNeeded()
            engine.noteBatchSent(startedAt: now, at: Instant.now())
            if count < DatagramSocket.batchSize { break }
        }
        armAlarm()
    }

    // MARK: Time

    private func alarmRang() {
        alarmTime = nil
        engine.handleDeadlines(now: Instant.now())
        engine.outbox.flushIfNeeded()
        armAlarm()
    }

    /// Each shard has a certificate of its own, and renews it by itself.
    private func renewIdentity() {
        var next = identityPeriod
        do throws(CryptoError) {
            engine.renew(try DTLSIdentity.make())
        } catch {
            next = DTLSIdentity.rotationRetry
            Self.log.warning("no new certificate for calls could be made; the old one stays", [.error(error)])
        }
        identityAlarm?.arm(at: loop.now + next)
    }

    /// Only moved forward: an alarm that rings early costs one empty look, moving it each time would cost every batch.
    private func armAlarm() {
        if !statisticsAreDue, let statisticsAlarm {
            statisticsAreDue = true
            statisticsAlarm.arm(at: loop.now + ShardStatistics.interval)
        }
        guard let deadline = engine.deadline else { return }
        if let alarmTime, alarmTime <= deadline { return }
        alarmTime = deadline
        alarm?.arm(at: deadline)
    }

    // MARK: Out

    private func send(_ outbox: Outbox) {
        var first = 0
        while first < outbox.burstCount {
            let number = outbox.sockets[first]
            if ConnectionTable.isConnection(number) {
                streams?.send(outbox.bursts[first], to: number)
                first += 1
                continue
            }
            var end = first + 1
            while end < outbox.burstCount, outbox.sockets[end] == number { end += 1 }
            if Int(number) < sockets.count { sockets[Int(number)].send(outbox.bursts + first, end - first) }
            first = end
        }
        outbox.removeAll()
        streams?.flush()
    }

    // MARK: Siblings

    /// Joins every two of the shards by pipes, so that rooms may span them. Before anybody joins.
    package static func connect(_ shards: [MediaShard]) {
        for (low, first) in shards.enumerated() {
            for (high, second) in shards.enumerated() where high > low {
                let up = ShardPipe { [weak second] in second?.drain(from: low) }
                let down = ShardPipe { [weak first] in first?.drain(from: high) }
                first.link(own: low, to: second, as: high, outgoing: up, incoming: down)
                second.link(own: high, to: first, as: low, outgoing: down, incoming: up)
            }
        }
    }

    private func link(
        own: Int, to sibling: MediaShard, as number: Int, outgoing: ShardPipe, incoming: ShardPipe
    ) {
        let toSibling: SiblingPost = { [weak sibling] body in sibling?.post(body) }
        post { engine, _ in
            engine.connect(
                ShardLink(own: own, sibling: number, outgoing: outgoing, incoming: incoming, post: toSibling))
        }
    }

    private func drain(from sibling: Int) {
        post { engine, now in engine.receiveFromSibling(sibling, now: now) }
    }

    // MARK: From other threads

    /// Begins to serve, on the loop's thread. `ended` is told there of everybody who ended by himself.
    package func start(
        telling ended: @escaping @Sendable (ParticipantID, ParticipantEnd) -> Void
    ) async throws(SystemError) {
        let result = await perform { [self] engine, _ -> Result<Void, SystemError> in
            engine.participantEnded = ended
            return Result { () throws(SystemError) in try start() }
        }
        try result.get()
    }

    /// Does the last thing, sends it, and stops serving.
    package func stop(after last: @escaping @Sendable (MediaEngine, Instant) -> Void) async {
        await perform { [self] engine, now in
            last(engine, now)
            engine.outbox.flushIfNeeded()
            stop()
        }
    }

    /// Runs `body` with the engine on its thread, in order of these calls, and sends what it had to say.
    func post(_ body: @escaping @Sendable (MediaEngine, Instant) -> Void) {
        loop.submit { [self] in
            body(engine, Instant.now())
            engine.outbox.flushIfNeeded()
            armAlarm()
        }
    }

    /// Runs `body` with the engine on its thread, and sends what it had to say.
    package func perform<Result: Sendable>(
        _ body: @escaping @Sendable (MediaEngine, Instant) -> sending Result
    ) async -> Result {
        await withCheckedContinuation { continuation in
            loop.submit { [self] in
                let result = body(engine, Instant.now())
                engine.outbox.flushIfNeeded()
                armAlarm()
                continuation.resume(returning: result)
            }
        }
    }

    // MARK: Statistics

    private func publishStatistics() {
        statisticsAreDue = false
        var statistics = engine.statistics()
        for socket in sockets { statistics.drops.add(socket.counters) }
        published.publish(statistics)
    }

    package var connectionCounters: ConnectionCounters { streams?.counters ?? ConnectionCounters() }
    package var connectionCount: Int { streams?.connectionCount ?? 0 }

    /// What the kernel did with what the sockets were given.
    package var socketCounters: SocketCounters {
        sockets.reduce(into: SocketCounters()) { $0.add($1.counters) }
    }

    /// From any thread: as they were at most a second ago.
    package var statistics: EngineStatistics { published.current }
}
