// Soft peers and a shard over real sockets and in real time: UDP and TCP, IPv4 and IPv6, at once.

import Base
import CShims
import Crypto
import Glibc
import TestKit
import Testing
import Wire

@testable import Media

@Suite(.serialized) struct LoopbackTests {
    static let v4 = TransportAddress(IPAddress(v4: 0x7F00_0001), 0)
    static let v6 = TransportAddress(IPAddress(v6: 0, 1), 0)

    struct Case: CustomTestStringConvertible, Sendable {
        let publisher: SoftPeerSocket.Way
        let publisherAddress: Int
        let viewer: SoftPeerSocket.Way
        let viewerAddress: Int
        var testDescription: String { "\(publisher) \(publisherAddress) to \(viewer) \(viewerAddress)" }
    }

    @Test(arguments: [
        Case(publisher: .datagrams, publisherAddress: 0, viewer: .datagrams, viewerAddress: 1),
        Case(publisher: .datagrams, publisherAddress: 1, viewer: .connection, viewerAddress: 0),
        Case(publisher: .connection, publisherAddress: 0, viewer: .datagrams, viewerAddress: 0),
        Case(publisher: .connection, publisherAddress: 1, viewer: .connection, viewerAddress: 1),
    ])
    func `video crosses a shard with sockets of two families and two kinds`(_ way: Case) throws {
        let world = try ShardWorld([Self.v4, Self.v6])
        let publisher = try world.join(
            .publisher, .init(.video, .sendOnly), over: way.publisher, address: way.publisherAddress)
        let viewer = try world.join(
            .viewer, .init(.video, .receiveOnly), over: way.viewer, address: way.viewerAddress)
        #expect(world.run { publisher.peer.phase == .connected && viewer.peer.phase == .connected })
        var sequence: SequenceNumber = 1
        for frame in 0..<25 {
            publisher.peer.sendFrame(
                section: 0, packets: 4, size: 1_000, timestamp: UInt32(frame) * 3_000, isKeyframe: frame == 0,
                pictureID: UInt16(frame), sequence: &sequence, now: .now())
            let end = Instant.now() + .milliseconds(33)
            while Instant.now() < end { world.turn() }
        }
        #expect(world.run { viewer.peer.streams.values.contains { $0.markers == 25 } })
        let stream = try #require(viewer.peer.streams.values.max { $0.packets < $1.packets })
        #expect(stream.packets == 100)
        #expect(viewer.peer.unreadable == 0)
        #expect(world.shard.connectionCounters.dropped == 0)
    }

    @Test func `a connection that ends takes its path along, and a new one carries on`() throws {
        let world = try ShardWorld([Self.v4])
        let peer = try world.join(.publisher, .init(.audio, .sendOnly), over: .connection)
        #expect(world.run { peer.peer.phase == .connected })
        #expect(world.pathCount == 1)
        peer.disconnect()
        #expect(world.run { world.pathCount == 0 })
        #expect(world.shard.connectionCount == 0)
        #expect(world.engine.participants.count == 1)
        // The same peer, over a new connection: its next check proves it.
        let again = try SoftPeerSocket(peer.peer, over: .connection, to: world.shard.connectionAddresses[0])
        again.send(try #require(peer.peer.makeCheck()))
        #expect(
            world.run {
                again.turn()
                return world.pathCount == 1
            })
    }

    @Test func `a viewer who stops reading costs others nothing, and reads on where frames begin`() throws {
        let world = try ShardWorld([Self.v4])
        let publisher = try world.join(.publisher, .init(.video, .sendOnly), over: .datagrams)
        let stuck = try world.join(.viewer, .init(.video, .receiveOnly), over: .connection)
        let other = try world.join(.viewer, .init(.video, .receiveOnly), over: .connection)
        #expect(world.run { world.peers.allSatisfy { $0.peer.phase == .connected } })
        stuck.isPaused = true
        var sequence: SequenceNumber = 1
        for frame in 0..<30 {
            publisher.peer.sendFrame(
                section: 0, packets: 4, size: 900, timestamp: UInt32(frame) * 3_000, isKeyframe: frame == 0,
                pictureID: UInt16(frame), sequence: &sequence, now: .now())
            let end = Instant.now() + .milliseconds(33)
            while Instant.now() < end { world.turn() }
        }
        #expect(world.run { other.peer.streams.values.contains { $0.markers == 30 } })
        stuck.isPaused = false
        #expect(world.run { !stuck.peer.streams.isEmpty })
        #expect(stuck.peer.unreadable == 0)
        #expect(!stuck.isClosed)
    }

    @Test func `a connection ends when its participant leaves`() throws {
        let world = try ShardWorld([Self.v4])
        let peer = try world.join(.publisher, .init(.audio, .sendOnly), over: .connection)
        #expect(world.run { peer.peer.phase == .connected })
        let participant = try #require(world.engine.participants[0])
        world.engine.leave(participant.id, now: .now())
        world.engine.outbox.flushIfNeeded()
        #expect(world.run { peer.isClosed })
        #expect(world.shard.connectionCount == 0)
    }

    @Test(
        arguments: [
            // A frame that is no check, and a length that no packet has.
            [0, 4, 0x80, 0x60, 0, 1], [0xFF, 0xFF, 0, 1],
        ] as [Bytes])
    func `a connection that does not begin with a check is closed`(_ bytes: Bytes) throws {
        let world = try ShardWorld([Self.v4])
        let soft = try SoftPeer([.init(.audio, .sendOnly)], identity: try DTLSIdentity.make(), seed: 3)
        let stranger = try SoftPeerSocket(soft, over: .connection, to: world.shard.connectionAddresses[0])
        #expect(world.run { world.shard.connectionCount == 1 })
        stranger.sendRaw(bytes)
        #expect(
            world.run {
                stranger.turn()
                return stranger.isClosed
            })
        #expect(world.shard.connectionCount == 0)
        #expect(world.shard.connectionCounters.unwanted == 1)
    }

    @Test func `a connection that says nothing is closed in time`() throws {
        let world = try ShardWorld([Self.v4])
        let soft = try SoftPeer([.init(.audio, .sendOnly)], identity: try DTLSIdentity.make(), seed: 3)
        let silent = try SoftPeerSocket(soft, over: .connection, to: world.shard.connectionAddresses[0])
        #expect(world.run { world.shard.connectionCount == 1 })
        #expect(
            world.run(seconds: 8) {
                silent.turn()
                return silent.isClosed
            })
    }

    @Test func `a source gets as many unproven connections as it may, and no more`() throws {
        let world = try ShardWorld([Self.v4])
        var descriptors: [Int32] = []
        defer { for descriptor in descriptors { close(descriptor) } }
        var address = plexi_address(world.shard.connectionAddresses[0])
        let asked = ConnectionLimits.unprovenPerSource + 8
        for _ in 0..<asked { descriptors.append(plexi_stream_connect(&address)) }
        #expect(world.run { world.shard.connectionCounters.refused == 8 })
        #expect(world.shard.connectionCount == ConnectionLimits.unprovenPerSource)
    }

    @Test func `a shard renews its certificate in time, and calls are set up before and after`() throws {
        let world = try ShardWorld([Self.v4], identityPeriod: .milliseconds(200))
        let first = world.engine.identity.fingerprints
        let publisher = try world.join(.publisher, .init(.video, .sendOnly), over: .datagrams)
        #expect(world.run { publisher.peer.phase == .connected })
        #expect(world.run { world.engine.identity.fingerprints != first })
        let second = world.engine.identity.fingerprints
        #expect(world.run { world.engine.identity.fingerprints != second })
        let viewer = try world.join(.viewer, .init(.video, .receiveOnly), over: .datagrams)
        #expect(world.run { viewer.peer.phase == .connected })
    }

    @Test func `the answer names a passive candidate behind the datagram one`() throws {
        let world = try ShardWorld([Self.v4])
        let soft = try SoftPeer([.init(.audio, .sendOnly)], identity: try DTLSIdentity.make(), seed: 3)
        let answer = try world.engine.join("r", as: .publisher, offer: soft.offer(), now: .now())
        let description = try SessionDescription(parsing: Bytes(answer.sdp.utf8))
        let candidates = try description.media[0].candidates.map { try ICECandidate(parsing: $0) }
        #expect(candidates.map(\.transport) == [.udp, .tcp(.passive)])
        #expect(candidates[0].priority > candidates[1].priority)
        #expect(candidates[0].port == candidates[1].port)
        #expect(candidates[0].foundation != candidates[1].foundation)
    }
}
