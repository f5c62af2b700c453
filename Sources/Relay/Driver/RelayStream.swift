// One TCP or TLS connection of a client: messages of TURN, or, once it is joined (RFC 6062), bytes for a peer.

import Base
import Net
import Wire

/// On the shard's thread.
final class RelayStream: ConnectionProtocol {
    let transport: Transport
    /// Our end.
    let local: IPAddress
    /// Set once, before anything is read.
    var path = ClientPath.none
    private unowned let owner: RelayShard
    private var deframer: TURNDeframer
    private var peer: RelayPeer?
    private(set) var lastHeard = Instant.now()
    private(set) var hasSpoken = false

    /// A message is relayed as a datagram, and no longer one than a datagram may be.
    private static let messageBytesMax = RelayBatch.datagramBytesMax + 128

    init(_ transport: Transport, local: IPAddress, _ owner: RelayShard) {
        self.transport = transport
        self.local = local
        deframer = TURNDeframer(limit: Self.messageBytesMax, takesOldChannels: owner.options.acceptsOldNumbers)
        self.owner = owner
    }

    // MARK: - In

    func received(_ bytes: Span<UInt8>) {
        lastHeard = owner.loop.now
        bytes.withUnsafeBytes { bytes in
            if let peer { return peer.write(bytes) }
            do throws(WireError) {
                try cut(bytes)
            } catch {
                // What follows could not be told apart from lengths.
                transport.cut()
            }
        }
    }

    private func cut(_ chunk: UnsafeRawBufferPointer) throws(WireError) {
        let (now, wallClock) = (Instant.now(), Timestamp.now())
        var offset = 0
        while transport.isOpen {
            switch try deframer.next(in: chunk.bytes, from: &offset) {
            case .needsMore:
                owner.drain()
                return owner.planFlush()
            case .message(let range):
                deliver(UnsafeRawBufferPointer(rebasing: chunk[range]), now, wallClock)
            case .assembled:
                deliverAssembled(now, wallClock)
            }
            guard let peer else { continue }
            if offset < chunk.count { peer.write(UnsafeRawBufferPointer(rebasing: chunk[offset...])) }
            return
        }
        owner.drain()
    }

    private func deliverAssembled(_ now: Instant, _ wallClock: Timestamp) {
        let deframer = deframer
        let message = deframer.assembled
        message.withUnsafeBytes { deliver($0, now, wallClock) }
        owner.drain()
    }

    /// The engine reads it, and may point to it until the outbox is empty: `cut` sees to that before the bytes go.
    private func deliver(_ message: UnsafeRawBufferPointer, _ now: Instant, _ wallClock: Timestamp) {
        guard let start = message.baseAddress else { return }
        hasSpoken = true
        owner.deliver(
            RelayPacket(start: UnsafeMutableRawPointer(mutating: start), count: message.count), from: self, now,
            wallClock)
    }

    func receivedEnd() { close() }
    func drained() { peer?.drained() }
    func serverStops() {}

    // MARK: - Out

    /// False when too much waits: the datagram is lost, whole, and the messages stay in step.
    func send(_ bytes: UnsafeRawBufferPointer, queueMax: Int) -> Bool {
        guard peer == nil, transport.isOpen, transport.queuedBytes &+ bytes.count <= queueMax else { return false }
        transport.send(message: bytes)
        return true
    }

    // MARK: - Joining, and the end

    func join(_ peer: RelayPeer?, _ owner: RelayShard) {
        guard let peer else { return transport.close() }
        self.peer = peer
        peer.join(self)
    }

    func peerIsGone() { peer = nil }

    func close() { transport.close() }

    func closed(_ reason: TransportClosure) {
        let peer = peer
        self.peer = nil
        peer?.streamIsGone()
        owner.streamEnded(self)
    }
}
