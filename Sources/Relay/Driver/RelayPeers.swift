// TCP connections between relayed addresses and peers (RFC 6062), and the copying once a client's connection is joined.

import Base
import CShims
import Glibc
import Net

final class RelayPeers {
    static let kernelBuffer: Int32 = 256 << 10

    private var peers: [PeerConnectionID: RelayPeer] = [:]

    func keep(_ id: PeerConnectionID, _ descriptor: Int32, isConnected: Bool, _ owner: RelayShard) {
        let peer = RelayPeer(id, descriptor, isConnected: isConnected, owner)
        peers[id] = peer
        peer.start()
    }

    func take(_ id: PeerConnectionID) -> RelayPeer? { peers[id] }

    func close(_ id: PeerConnectionID) { peers.removeValue(forKey: id)?.close() }

    fileprivate func forget(_ id: PeerConnectionID) { peers[id] = nil }

    func closeAll() {
        for peer in peers.values { peer.close() }
        peers = [:]
    }
}

/// One connection. On the shard's thread.
final class RelayPeer {
    /// How long a peer may take to accept (RFC 6062 §5.2 wants 30 seconds at least).
    private static let connectLimit = Duration.seconds(30)
    /// Read at once; what the client's transport holds beyond its low-water mark is at most this.
    private static let readBytes = 64 << 10
    /// What may wait for the peer before the client is not read any more.
    private static let unsentMax = 64 << 10

    let id: PeerConnectionID
    private let descriptor: Int32
    private unowned let owner: RelayShard
    private var isConnected: Bool
    private var watch: (any DescriptorWatch)?
    private var timer: (any ScheduledTimer)?
    private weak var stream: RelayStream?
    private var unsent = Bytes()
    private var isHeld = false
    private var isClosed = false

    init(_ id: PeerConnectionID, _ descriptor: Int32, isConnected: Bool, _ owner: RelayShard) {
        self.id = id
        self.descriptor = descriptor
        self.isConnected = isConnected
        self.owner = owner
    }

    func start() {
        timer = owner.loop.timer { [weak self] in self?.timerRang() }
        if !isConnected { timer?.arm(at: owner.loop.now + Self.connectLimit) }
        // A peer that is connected is not read before it is joined; that it goes away is seen then, or by the engine's
        // own limit.
        watch = try? owner.loop.watch(descriptor, for: isConnected ? [] : .writable) { [weak self] in self?.ready($0) }
        if watch == nil, !isConnected { fail() }
    }

    func close() {
        guard !isClosed else { return }
        isClosed = true
        timer?.cancel()
        watch?.cancel()
        watch = nil
        Glibc.close(descriptor)
        stream?.peerIsGone()
        stream = nil
    }

    private func timerRang() {
        guard isConnected else { return fail() }
        isHeld = false
        stream?.transport.resumeReading()
        applyInterest()
    }

    private func fail() {
        close()
        owner.relays.peers.forget(id)
        owner.peerHasFailed(id)
    }

    private func ready(_ readiness: Readiness) {
        guard isConnected else {
            timer?.cancel()
            guard plexi_socket_error(descriptor) == 0 else { return fail() }
            isConnected = true
            watch?.interest = []
            return owner.peerIsConnected(id)
        }
        if readiness.contains(.writable) { flush() }
        if readiness.contains(.readable), !isClosed { read() }
    }

    // MARK: - Joined

    func join(_ stream: RelayStream) {
        self.stream = stream
        applyInterest()
    }

    /// Without interest nothing is read, and the peer's window closes.
    private func applyInterest() {
        guard let stream, !isClosed else { return }
        var interest: Readiness = []
        if !isHeld, stream.transport.hasRoom { interest.insert(.readable) }
        if !unsent.isEmpty { interest.insert(.writable) }
        watch?.interest = interest
    }

    /// Bytes of the client.
    func write(_ bytes: UnsafeRawBufferPointer) {
        guard !isClosed else { return }
        unsent.append(contentsOf: bytes)
        flush()
        hold(after: bytes.count, toPeer: true)
    }

    private func flush() {
        while !unsent.isEmpty {
            let taken = plexi_stream_write(descriptor, unsent, UInt(unsent.count))
            guard taken >= 0 else { return end() }
            guard taken > 0 else { break }
            unsent.removeFirst(taken)
        }
        if unsent.count > Self.unsentMax {
            stream?.transport.pauseReading()
        } else if !isHeld {
            stream?.transport.resumeReading()
        }
        applyInterest()
    }

    /// The client's side has taken enough to go on.
    func drained() { applyInterest() }

    private func read() {
        guard let stream else { return }
        var hasEnded = false
        let bytes = Bytes(unsafeUninitializedCapacity: Self.readBytes) { buffer, count in
            let read = plexi_stream_read(descriptor, buffer.baseAddress, UInt(buffer.count))
            hasEnded = read < 0
            count = max(0, read)
        }
        if hasEnded { return end() }
        guard !bytes.isEmpty else { return }
        stream.transport.send(bytes)
        if !stream.transport.hasRoom { stream.transport.callWhenDrained() }
        applyInterest()
        hold(after: bytes.count, toPeer: false)
    }

    /// The bandwidth that the allocation has: both sides wait.
    private func hold(after count: Int, toPeer: Bool) {
        let pause = owner.pause(after: count, on: id, toPeer: toPeer)
        guard pause > .zero, !isClosed else { return }
        isHeld = true
        stream?.transport.pauseReading()
        applyInterest()
        timer?.arm(at: .now() + pause)
    }

    private func end() {
        let transport = stream?.transport
        stream?.peerIsGone()
        stream = nil
        close()
        owner.relays.peers.forget(id)
        transport?.close()
        owner.peerHasClosed(id)
    }

    /// The client's connection ended.
    func streamIsGone() {
        stream = nil
        close()
        owner.relays.peers.forget(id)
        owner.peerHasClosed(id)
    }
}
