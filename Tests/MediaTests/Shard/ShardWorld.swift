// One shard on a poll loop, with soft peers on sockets around it.

import Base
import Crypto
import Glibc
import TestKit
import Wire

@testable import Media

final class ShardWorld {
    let loop = PollLoop()
    let engine: MediaEngine
    let shard: MediaShard
    private(set) var peers: [SoftPeerSocket] = []

    init(_ addresses: [TransportAddress], identityPeriod: Duration = DTLSIdentity.rotationPeriod) throws {
        var settings = MediaSettings()
        settings.limits.packetSlots = 4_096
        settings.limits.sessions = 64
        engine = MediaEngine(
            settings: settings, identity: try DTLSIdentity.make(), now: .now(), wallClock: .now(), seed: (1, 2))
        shard = try MediaShard(on: loop, engine: engine, addresses: addresses, identityPeriod: identityPeriod)
        engine.advertise(shard.addresses, tcp: shard.connectionAddresses)
        try shard.start()
    }

    deinit { shard.stop() }

    func join(
        _ role: MediaService.Role, _ section: SoftPeer.Section, over way: SoftPeerSocket.Way, address: Int? = nil,
        reportsNetwork: Bool = true
    ) throws -> SoftPeerSocket {
        let soft = try SoftPeer([section], identity: try DTLSIdentity.make(), seed: UInt64(peers.count) + 5)
        soft.offersTransportFeedback = reportsNetwork
        let joined = try engine.join("r", as: role, offer: soft.offer(), now: .now())
        try soft.accept(answer: joined.sdp, now: .now())
        // Without a number, to where the answer says.
        let server = address.map { way == .datagrams ? shard.addresses[$0] : shard.connectionAddresses[$0] }
        let peer = try SoftPeerSocket(soft, over: way, to: server)
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
