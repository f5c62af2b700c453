// A soft peer with a socket of its own, UDP or TCP, and real time.

import Base
import CShims
import Crypto
import Glibc
import TestKit
import Wire

@testable import Media

final class SocketPeer {
    enum Way { case datagrams, connection }

    let peer: SoftPeer
    private let way: Way
    private let descriptor: Int32
    private let server: TransportAddress
    private var deframer = StreamDeframer()
    private var unsent: Bytes = []
    private(set) var isClosed = false
    /// Reads nothing.
    var isPaused = false

    init(_ peer: SoftPeer, over way: Way, to server: TransportAddress) throws {
        self.peer = peer
        self.way = way
        self.server = server
        var raw = plexi_address(server)
        switch way {
        case .connection: descriptor = plexi_stream_connect(&raw)
        case .datagrams:
            var local = plexi_address(TransportAddress(server.ip, 0))
            descriptor = plexi_datagram_socket(&local, 1 << 20)
        }
        guard descriptor >= 0 else { throw SystemError("make a socket") }
    }

    deinit { close(descriptor) }

    /// Receives what there is, does what is due and sends what is to be said.
    func turn() {
        let now = Instant.now()
        if !isPaused { if way == .datagrams { receiveDatagrams(now) } else { receiveFrames(now) } }
        peer.tick(now: now)
        for datagram in peer.takeOutgoing() { send(datagram) }
        writeUnsent()
    }

    private func receiveDatagrams(_ now: Instant) {
        var buffer = Bytes(repeating: 0, count: 2_048)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            guard count > 0 else { return }
            peer.receive(Bytes(buffer[..<count]), now: now)
        }
    }

    private func receiveFrames(_ now: Instant) {
        var buffer = Bytes(repeating: 0, count: 32 << 10)
        while true {
            let count = plexi_stream_read(descriptor, &buffer, UInt(buffer.count))
            // Before the connection is made there is nothing to read, and no end either.
            if count < 0 { isClosed = true }
            guard count > 0 else { return }
            let chunk = Bytes(buffer[..<count])
            var offset = 0
            reading: while true {
                guard let step = try? deframer.next(in: chunk.span.bytes, from: &offset) else { return }
                switch step {
                case .frame(let range): peer.receive(Bytes(chunk[range]), now: now)
                case .assembled: peer.receive(assembled(), now: now)
                case .needsMore: break reading
                }
            }
        }
    }

    private func assembled() -> Bytes {
        let done = deframer
        var bytes: Bytes = []
        bytes.append(done.assembled)
        return bytes
    }

    func send(_ datagram: Bytes) {
        switch way {
        case .connection: unsent.append(framed: datagram.span.bytes)
        case .datagrams:
            datagram.withUnsafeBytes { bytes in
                var burst = plexi_burst(
                    bytes: bytes.baseAddress, count: UInt32(bytes.count), segment: UInt32(bytes.count),
                    address: plexi_address(server))
                _ = plexi_send_datagrams(descriptor, &burst, 0)
            }
        }
    }

    func sendRaw(_ bytes: Bytes) {
        unsent += bytes
        writeUnsent()
    }

    func disconnect() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    private func writeUnsent() {
        guard !unsent.isEmpty else { return }
        let taken = plexi_stream_write(descriptor, unsent, UInt(unsent.count))
        if taken > 0 { unsent.removeFirst(taken) }
    }
}

/// One shard on a poll loop, and peers around it.
final class ShardWorld {
    let loop = PollLoop()
    let engine: MediaEngine
    let shard: MediaShard
    private(set) var peers: [SocketPeer] = []

    init(_ addresses: [TransportAddress]) throws {
        var settings = MediaSettings()
        settings.limits.packetSlots = 4_096
        settings.limits.sessions = 64
        engine = MediaEngine(
            settings: settings, identity: try DTLSIdentity.make(), now: .now(), wallClock: .now(), seed: (1, 2))
        shard = try MediaShard(on: loop, engine: engine, addresses: addresses)
        engine.advertise(shard.addresses, tcp: shard.connectionAddresses)
        try shard.start()
    }

    deinit { shard.stop() }

    func join(
        _ role: MediaService.Role, _ section: SoftPeer.Section, over way: SocketPeer.Way, address: Int = 0
    ) throws -> SocketPeer {
        let soft = try SoftPeer([section], identity: try DTLSIdentity.make(), seed: UInt64(peers.count) + 5)
        let joined = try engine.join("r", as: role, offer: soft.offer(), now: .now())
        try soft.accept(answer: joined.sdp, now: .now())
        let server = way == .datagrams ? shard.addresses[address] : shard.connectionAddresses[address]
        let peer = try SocketPeer(soft, over: way, to: server)
        peers.append(peer)
        return peer
    }

    var pathCount: Int { engine.paths.count }

    func turn() {
        loop.turn()
        for peer in peers { peer.turn() }
    }

    /// `false` when it did not happen in so many seconds.
    func run(seconds: Int64 = 5, until condition: () -> Bool) -> Bool {
        let end = Instant.now() + .seconds(seconds)
        while Instant.now() < end {
            if condition() { return true }
            turn()
        }
        return condition()
    }
}

/// Lets the other threads have their turn.
func pause() { usleep(500) }
