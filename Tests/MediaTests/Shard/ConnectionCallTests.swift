// Calls of peers that get nothing but TCP through, and of one that moves; real sockets and real time.

import Base
import TestKit
import Testing
import Wire

@testable import Media

@Suite(.serialized) struct ConnectionCallTests {
    private struct Camera {
        var sequence: SequenceNumber = 1
        var frame = 0

        mutating func sendFrame(_ peer: SoftPeer, packets: Int = 4, size: Int = 1_000) {
            peer.sendFrame(
                section: 0, packets: packets, size: size, timestamp: UInt32(frame) * 3_000,
                isKeyframe: frame % 10 == 0, pictureID: UInt16(frame & 0x7FFF), sequence: &sequence, now: .now())
            frame += 1
        }
    }

    private func play(_ frames: Int, _ camera: inout Camera, _ publisher: SoftPeerSocket, in world: ShardWorld) {
        for _ in 0..<frames {
            camera.sendFrame(publisher.peer)
            let next = Instant.now() + .milliseconds(20)
            while Instant.now() < next { world.turn() }
        }
    }

    private func frames(_ viewer: SoftPeerSocket) -> Int { viewer.peer.streams.values.map(\.markers).max() ?? 0 }

    @Test func `who finds the server by its TCP candidate alone publishes and views`() throws {
        let world = try ShardWorld([LoopbackTests.v4])
        let publisher = try world.join(.publisher, .init(.video, .sendOnly), over: .connection)
        // What an estimate that begins low would leave out is not the subject.
        let viewer = try world.join(.viewer, .init(.video, .receiveOnly), over: .connection, reportsNetwork: false)
        #expect(world.run { publisher.peer.phase == .connected && viewer.peer.phase == .connected })
        var camera = Camera()
        play(25, &camera, publisher, in: world)
        #expect(world.run { self.frames(viewer) == 25 })
        #expect(viewer.peer.unreadable == 0)
        #expect(publisher.received[.datagrams] == nil && viewer.received[.datagrams] == nil)
        #expect(publisher.peer.feedbackReceived > 0)
        #expect(world.shard.socketCounters.sent == 0)
    }

    @Test func `a viewer moves from TCP to UDP and back in mid-call, and the publisher after it`() throws {
        let world = try ShardWorld([LoopbackTests.v4])
        let publisher = try world.join(.publisher, .init(.video, .sendOnly), over: .connection)
        // What an estimate that begins low would leave out is not the subject.
        let viewer = try world.join(.viewer, .init(.video, .receiveOnly), over: .connection, reportsNetwork: false)
        #expect(world.run { publisher.peer.phase == .connected && viewer.peer.phase == .connected })
        var camera = Camera()
        play(10, &camera, publisher, in: world)
        viewer.move(to: .datagrams)
        #expect(world.run { viewer.received[.datagrams, default: 0] > 0 })
        // The old connection ends: nothing of the call does.
        viewer.closeFormer()
        #expect(world.run { world.shard.connectionCount == 1 })
        let overTCP = viewer.received[.connection]
        play(10, &camera, publisher, in: world)
        #expect(viewer.received[.connection] == overTCP)

        publisher.move(to: .datagrams)
        #expect(world.run { publisher.received[.datagrams, default: 0] > 0 })
        publisher.closeFormer()
        #expect(world.run { world.shard.connectionCount == 0 })
        play(10, &camera, publisher, in: world)

        let overUDP = viewer.received[.datagrams] ?? 0
        viewer.move(to: .connection)
        #expect(world.run { viewer.received[.connection, default: 0] > overTCP ?? 0 })
        viewer.closeFormer()
        play(10, &camera, publisher, in: world)
        #expect(world.run { self.frames(viewer) == 40 })
        // What the server had sent before it knew of the move may still have come.
        #expect(viewer.received[.datagrams, default: 0] - overUDP < 10)
        #expect(viewer.peer.unreadable == 0)
        #expect(world.engine.participants.count == 2 && world.pathCount >= 2)
    }

    @Test func `what a viewer does not read is bounded, and the call goes on when it reads again`() throws {
        let world = try ShardWorld([LoopbackTests.v4])
        let publisher = try world.join(.publisher, .init(.video, .sendOnly), over: .connection)
        // One that reports its network would be held back by its estimate long before the queue is full.
        let viewer = try world.join(.viewer, .init(.video, .receiveOnly), over: .connection, reportsNetwork: false)
        #expect(world.run { publisher.peer.phase == .connected && viewer.peer.phase == .connected })
        viewer.isPaused = true
        var camera = Camera()
        let before = world.shard.connectionCounters
        var bytes = 0
        while bytes < 12 << 20 {
            camera.sendFrame(publisher.peer, packets: 20)
            bytes += 20_000
            world.turn()
        }
        let after = world.shard.connectionCounters
        #expect(after.dropped - before.dropped > 4_000)
        // The queue, the kernel's buffer here (twice what is asked for) and the viewer's.
        #expect(after.sent - before.sent < 6_000)
        #expect(world.shard.connectionCount == 2)

        viewer.isPaused = false
        let held = frames(viewer)
        // What had been queued is read first, whole frames of it.
        _ = world.run(seconds: 1) { false }
        play(25, &camera, publisher, in: world)
        #expect(world.run { self.frames(viewer) >= held + 25 })
        #expect(viewer.peer.unreadable == 0 && !viewer.isClosed)
    }
}
