// The driver of one engine: moves batches between its sockets and it, on the thread of its loop. It decides nothing.
//
//   sockets readable -> recvmmsg into slots of the slab -> engine, one datagram after the other
//                    -> the end of the batch: the engine forwards, the outbox is sent
//   timer            -> engine, outbox is sent
//
// `@unchecked Sendable`: everything is touched on the loop's thread only; `perform` is the way in from others.

package import Base
import CShims
package import Wire

package final class MediaShard: @unchecked Sendable {
    /// Batches from one socket before other sockets and timers are looked at again.
    static let batchesPerTurn = 8

    package let loop: any EventLoop
    private let engine: MediaEngine
    private var sockets: [DatagramSocket] = []
    private var watches: [any DescriptorWatch] = []
    private var alarm: (any ScheduledTimer)?
    private var alarmTime: Instant?

    /// Binds a UDP socket to each address. Not yet served: see `start`.
    package init(
        on loop: any EventLoop, engine: MediaEngine, addresses: [TransportAddress]
    ) throws(SystemError) {
        self.loop = loop
        self.engine = engine
        for address in addresses { sockets.append(try DatagramSocket(address, slab: &engine.slab)) }
        engine.outbox.flush = { [unowned self] outbox in send(outbox) }
    }

    /// Where the sockets are bound, with the ports that the kernel chose.
    package var addresses: [TransportAddress] { sockets.map(\.local) }

    /// Begins to serve. On the loop's thread.
    package func start() throws(SystemError) {
        alarm = loop.timer { [unowned self] in alarmRang() }
        for (index, socket) in sockets.enumerated() {
            watches.append(
                try loop.watch(socket.descriptor, for: .readable) { [unowned self] _ in
                    receive(from: socket, number: UInt32(index))
                })
        }
    }

    /// On the loop's thread. No datagram and no timer reaches the engine any more.
    package func stop() {
        for watch in watches { watch.cancel() }
        watches = []
        alarm?.cancel()
        alarm = nil
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

    /// Only moved forward: an alarm that rings early costs one empty look, moving it each time would cost every batch.
    private func armAlarm() {
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
            var end = first + 1
            while end < outbox.burstCount, outbox.sockets[end] == number { end += 1 }
            if Int(number) < sockets.count { sockets[Int(number)].send(outbox.bursts + first, end - first) }
            first = end
        }
        outbox.removeAll()
    }

    // MARK: From other threads

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

    /// What the kernel did with what the sockets were given.
    package var socketCounters: SocketCounters {
        sockets.reduce(into: SocketCounters()) { $0.add($1.counters) }
    }
}
