// The TCP side of a shard: listeners beside its UDP sockets, and the connections that they accepted.
//
// A connection is nobody's until a check over it was authenticated: its first frame must be a check, and both have to
// come in time. From then on it lives as long as its path does; when either ends, so does the other. Everything here
// runs on the loop's thread. Connections are taken away at the end of a turn only, for sending may fail in the midst of
// a batch that is being received from the same connection.

import Base
import CShims
import Glibc
import Wire

final class StreamListeners {
    /// Read at once. Larger takes more frames into one batch, smaller lets others have their turn sooner.
    private static let chunkSize = 64 << 10
    private static let chunksPerTurn = 4
    private static let acceptsPerTurn = 32

    private struct Listener {
        let descriptor: Int32
        let local: TransportAddress
        var watch: (any DescriptorWatch)?
    }

    private let engine: MediaEngine
    private unowned let loop: any EventLoop
    /// After each turn: the engine's deadline may have moved.
    private let afterTurn: () -> Void
    private var listeners: [Listener] = []
    private var connections = ConnectionTable()
    private var sources = SourceCounts()
    private var touched: [StreamConnection] = []
    private var sweeper: (any ScheduledTimer)?
    private var isPaused = false
    private let chunk: UnsafeMutableRawPointer
    /// Of the slab: where the next frame goes.
    private var slot: PacketSlab.Slot
    private(set) var counters = ConnectionCounters()

    init(
        _ addresses: [TransportAddress], on loop: any EventLoop, engine: MediaEngine, afterTurn: @escaping () -> Void
    ) throws(SystemError) {
        guard let slot = engine.slab.allocate() else { preconditionFailure("the slab is too small for a shard") }
        self.slot = slot
        self.engine = engine
        self.loop = loop
        self.afterTurn = afterTurn
        chunk = .allocate(byteCount: Self.chunkSize, alignment: 64)
        for wanted in addresses {
            var address = plexi_address(wanted)
            let descriptor = plexi_stream_listener(&address, ConnectionLimits.backlog)
            guard descriptor >= 0 else { throw SystemError("listen on TCP \(wanted)") }
            listeners.append(Listener(descriptor: descriptor, local: TransportAddress(address)))
        }
    }

    deinit {
        for listener in listeners { close(listener.descriptor) }
        chunk.deallocate()
    }

    var addresses: [TransportAddress] { listeners.map(\.local) }
    var connectionCount: Int { connections.count }

    func start() throws(SystemError) {
        sweeper = loop.timer { [unowned self] in sweep() }
        sweeper?.arm(at: Instant.now() + ConnectionLimits.sweep)
        for index in listeners.indices {
            let descriptor = listeners[index].descriptor
            listeners[index].watch = try loop.watch(descriptor, for: .readable) { [unowned self] _ in
                accept(descriptor)
            }
        }
    }

    /// Ends every connection.
    func stop() {
        sweeper?.cancel()
        sweeper = nil
        for index in listeners.indices {
            listeners[index].watch?.cancel()
            listeners[index].watch = nil
        }
        for connection in connections.all { take(connection, now: Instant.now()) }
    }

    // MARK: - New connections

    private func accept(_ listener: Int32) {
        for _ in 0..<Self.acceptsPerTurn {
            var peer = plexi_address()
            let descriptor = plexi_stream_accept(listener, &peer, ConnectionLimits.kernelBuffer)
            guard descriptor >= 0 else {
                if [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(errno) { pause(true) }
                return
            }
            open(descriptor, TransportAddress(peer))
        }
    }

    /// Out of descriptors: the listeners stay readable, and would be asked in vain until there are some.
    private func pause(_ paused: Bool) {
        guard paused != isPaused else { return }
        isPaused = paused
        for listener in listeners { listener.watch?.interest = paused ? [] : .readable }
    }

    private func open(_ descriptor: Int32, _ remote: TransportAddress) {
        guard let number = connections.nextNumber(), sources.admit(remote.ip) else {
            counters.refused &+= 1
            close(descriptor)
            return
        }
        let connection = StreamConnection(
            descriptor: descriptor, path: MediaPath(remote: remote, socket: number), opened: Instant.now())
        let watch = try? loop.watch(descriptor, for: .readable) { [unowned self, unowned connection] readiness in
            if readiness.contains(.writable) { connection.flush() }
            read(connection)
        }
        guard let watch else {
            sources.ended(remote.ip, wasProven: false)
            return
        }
        connection.watch = watch
        connections.insert(connection)
        counters.accepted &+= 1
    }

    // MARK: - In

    private func read(_ connection: StreamConnection) {
        for _ in 0..<Self.chunksPerTurn where !connection.isEnded {
            let count = plexi_stream_read(connection.descriptor, chunk, UInt(Self.chunkSize))
            if count < 0 { connection.isEnded = true }
            guard count > 0 else { break }
            deliver(count, of: connection, now: Instant.now())
            if count < Self.chunkSize { break }
        }
        if connection.isEnded { take(connection, now: Instant.now()) }
        afterTurn()
    }

    private func deliver(_ count: Int, of connection: StreamConnection, now: Instant) {
        let bytes = RawSpan(_unsafeStart: UnsafeRawPointer(chunk), byteCount: count)
        var offset = 0
        var inBatch = 0
        do throws(WireError) {
            reading: while !connection.isEnded {
                switch try connection.deframer.next(in: bytes, from: &offset) {
                case .frame(let range): receive(copy(bytes.extracting(range)), of: connection, now)
                case .assembled: receive(copy(connection.deframer.assembled), of: connection, now)
                case .needsMore: break reading
                }
                inBatch &+= 1
                // A track has room for so many packets of one batch.
                if inBatch % DatagramSocket.batchSize == 0 { engine.endBatch(now: now) }
            }
        } catch {
            drop(connection)
        }
        engine.endBatch(now: now)
        engine.outbox.flushIfNeeded()
    }

    /// The deframer gives nothing longer than a slot.
    private func copy(_ frame: RawSpan) -> Int {
        frame.withUnsafeBytes { engine.slab[slot].copyMemory(from: $0) }
        return frame.byteCount
    }

    private func receive(_ count: Int, of connection: StreamConnection, _ now: Instant) {
        if connection.phase == .fresh {
            let start = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(engine.slab[slot])[..<count])
            guard DatagramKind(RawSpan(_unsafeBytes: start)) == .stun else { return drop(connection) }
            connection.phase = .checking
        }
        slot = engine.receive(slot, count, from: connection.path, now: now)
        guard connection.phase == .checking else { return }
        connection.frames &+= 1
        if engine.isInUse(connection.path) {
            connection.phase = .proven
            sources.proved(connection.path.remote.ip)
        } else if connection.frames >= ConnectionLimits.framesBeforeProof {
            drop(connection)
        }
    }

    private func drop(_ connection: StreamConnection) {
        counters.unwanted &+= 1
        connection.isEnded = true
    }

    // MARK: - Out

    /// Queues the burst's datagrams, each in a frame. Written at `flush`.
    func send(_ burst: plexi_burst, to number: UInt32) {
        guard let connection = connections[number], !connection.isEnded else { return }
        var offset: UInt32 = 0
        while offset < burst.count {
            let size = min(burst.segment, burst.count - offset)
            if connection.queue.append(burst.bytes + Int(offset), Int(size)) {
                counters.sent &+= 1
            } else {
                counters.dropped &+= 1
            }
            offset += size
        }
        guard !connection.isTouched else { return }
        connection.isTouched = true
        touched.append(connection)
    }

    func flush() {
        guard !touched.isEmpty else { return }
        for connection in touched { connection.flush() }
        touched.removeAll(keepingCapacity: true)
    }

    // MARK: - The end

    /// Who is overdue, whose path has ended, or whose writing failed.
    private func sweep() {
        let now = Instant.now()
        for connection in connections.all {
            if connection.phase == .proven {
                if !engine.isInUse(connection.path) { connection.isEnded = true }
            } else if connection.isOverdue(now) {
                drop(connection)
            }
            if connection.isEnded { take(connection, now: now) }
        }
        pause(false)
        afterTurn()
        sweeper?.arm(at: now + ConnectionLimits.sweep)
    }

    private func take(_ connection: StreamConnection, now: Instant) {
        connection.isEnded = true
        connection.watch?.cancel()
        connection.watch = nil
        connections.remove(connection)
        sources.ended(connection.path.remote.ip, wasProven: connection.phase == .proven)
        engine.connectionEnded(connection.path, now: now)
    }
}
