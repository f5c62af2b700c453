// A room on two engines: first in virtual time, then on two threads with real sockets.

import Base
import Crypto
import Synchronization
import TestKit
import Testing
import Wire

@testable import Media

/// What was posted to an engine and has not run yet.
private final class WorkQueue: Sendable {
    private let work = Mutex<[@Sendable (MediaEngine, Instant) -> Void]>([])

    func add(_ body: @escaping @Sendable (MediaEngine, Instant) -> Void) { work.withLock { $0.append(body) } }

    func take() -> [@Sendable (MediaEngine, Instant) -> Void] {
        work.withLock { work in
            defer { work = [] }
            return work
        }
    }
}

/// Two worlds whose engines are siblings, in step.
private final class TwinWorlds {
    let worlds: [EngineWorld]
    private let queues = [WorkQueue(), WorkQueue()]

    init() throws {
        worlds = [try EngineWorld(seed: 11), try EngineWorld(seed: 12)]
        for world in worlds { world.reportsNetwork = false }
        let pipes = (0..<2).map { from in
            let queue = queues[1 - from]
            return ShardPipe(capacity: 256) {
                queue.add { engine, now in engine.receiveFromSibling(from, now: now) }
            }
        }
        for own in 0..<2 {
            let queue = queues[1 - own]
            worlds[own].engine.connect(
                ShardLink(own: own, sibling: 1 - own, outgoing: pipes[own], incoming: pipes[1 - own]) { queue.add($0) })
        }
    }

    func span(_ room: String) {
        for own in 0..<2 { queues[own].add { engine, now in engine.span(room, to: 1 - own, now: now) } }
    }

    func unspan(_ room: String) {
        for own in 0..<2 { queues[own].add { engine, now in engine.unspan(room, from: 1 - own, now: now) } }
    }

    func run(_ duration: Duration) {
        for _ in 0..<duration.milliseconds {
            for (world, queue) in zip(worlds, queues) {
                for body in queue.take() { body(world.engine, world.net.now) }
                world.run(.milliseconds(1))
            }
        }
    }
}

@Suite(.serialized) struct SpanningRoomTests {
    private struct Publisher {
        var sequence: SequenceNumber = 100
        var frame = 0
        var answered = 0
        var keyframes = 0

        mutating func sendFrame(_ peer: SoftPeer, now: Instant) {
            let isKeyframe = frame == 0 || peer.keyframeRequests > answered
            answered = peer.keyframeRequests
            if isKeyframe { keyframes += 1 }
            peer.sendFrame(
                section: 0, packets: 4, size: 900, timestamp: UInt32(frame) * 3_000, isKeyframe: isKeyframe,
                pictureID: UInt16(frame), sequence: &sequence, now: now)
            frame += 1
        }
    }

    private func send(_ frames: Int, _ publisher: inout Publisher, _ peer: SoftPeer, in twins: TwinWorlds) {
        for _ in 0..<frames {
            publisher.sendFrame(peer, now: twins.worlds[0].net.now)
            twins.run(.milliseconds(33))
        }
    }

    @Test func `subscribers on both shards see a track, and a late one there gets a keyframe`() throws {
        let twins = try TwinWorlds()
        let (here, there) = (twins.worlds[0], twins.worlds[1])
        let source = here.peer(try here.join("r", as: .publisher, [.init(.video, .sendOnly)]))
        let near = here.peer(try here.join("r", as: .viewer, [.init(.video, .receiveOnly)]))
        twins.span("r")
        let far = there.peer(try there.join("r", as: .viewer, [.init(.video, .receiveOnly)]))
        twins.run(.milliseconds(500))
        #expect(far.phase == .connected)
        var publisher = Publisher()
        send(30, &publisher, source, in: twins)
        let late = there.peer(try there.join("r", as: .viewer, [.init(.video, .receiveOnly)]))
        let before = source.keyframeRequests
        send(30, &publisher, source, in: twins)
        #expect(source.keyframeRequests > before)
        #expect(publisher.keyframes >= 2)
        for peer in [near, far] {
            #expect(peer.streams.values.contains { $0.markers == 60 && $0.packets == 240 })
            #expect(peer.unreadable == 0)
        }
        #expect(late.streams.values.contains { $0.markers > 15 })
    }

    @Test func `voice and picture stay together for who watches on the other shard`() throws {
        let twins = try TwinWorlds()
        let (here, there) = (twins.worlds[0], twins.worlds[1])
        let source = here.peer(
            try here.join("r", as: .publisher, [.init(.audio, .sendOnly), .init(.video, .sendOnly)]))
        twins.span("r")
        let far = there.peer(
            try there.join("r", as: .viewer, [.init(.audio, .receiveOnly), .init(.video, .receiveOnly)]))
        let viewer = SyncedViewer(far)
        twins.run(.milliseconds(500))
        let synced = SyncedPublisher(source, seed: 78, now: here.net.now)
        for _ in 0..<800 {
            synced.work(here.net.now)
            twins.run(.milliseconds(5))
        }
        let apart = try #require(viewer.milliseconds)
        #expect(abs(apart) < 1)
    }

    @Test func `who watches fewer layers on the other shard is told which are active`() throws {
        let twins = try TwinWorlds()
        let (here, there) = (twins.worlds[0], twins.worlds[1])
        let source = try here.join("r", as: .publisher, [.init(.video, .sendOnly)], edit: LayeredVideo.edit)
        twins.span("r")
        let number = try there.join("r", as: .viewer, [.init(.video, .receiveOnly)], edit: LayeredVideo.edit)
        let watcher = LayeredWatcher(there.peer(number))
        twins.run(.milliseconds(500))
        var video = LayeredVideo(here.peer(source))
        for picture in 0..<60 {
            if picture == 20 {
                var preference = StreamPreference()
                preference.largestLayer = 0
                try there.engine.setPreference(preference, of: "0", for: there.id(number), now: there.net.now)
            }
            video.send()
            twins.run(.milliseconds(33))
        }
        #expect(watcher.masks.first == 0x1FF)
        #expect(watcher.masks.last == 0x07)
    }

    /// Reports every loss, as a soft peer does not by itself.
    @Test func `what a subscriber there lost is repeated from the mirror, not by the publisher`() throws {
        let twins = try TwinWorlds()
        let (here, there) = (twins.worlds[0], twins.worlds[1])
        let source = here.peer(try here.join("r", as: .publisher, [.init(.video, .sendOnly)]))
        twins.span("r")
        let far = there.peer(try there.join("r", as: .viewer, [.init(.video, .receiveOnly)]))
        twins.run(.milliseconds(500))
        var publisher = Publisher()
        send(20, &publisher, source, in: twins)
        let (ssrc, stream) = try #require(far.streams.first { $0.value.markers == 20 })
        var nack: Bytes = []
        let lost = [stream.highest &- 9, stream.highest &- 4]
        _ = RTCPNACK.write(from: 1, to: ssrc, lost: lost.span, into: &nack)
        far.sendReports(nack)
        twins.run(.milliseconds(100))
        #expect(far.streams.values.contains { $0.retransmissions >= 2 })
        #expect(source.nacksReceived == 0)
        #expect(far.unreadable == 0)
    }

    @Test func `mirrors go with their track, and the room falls apart when it is to`() throws {
        let twins = try TwinWorlds()
        let (here, there) = (twins.worlds[0], twins.worlds[1])
        twins.span("r")
        twins.run(.milliseconds(2))
        let one = try here.join("r", as: .publisher, [.init(.video, .sendReceive)])
        let other = try there.join("r", as: .publisher, [.init(.video, .sendReceive)])
        twins.run(.milliseconds(300))
        func standIns(_ world: EngineWorld) -> Int {
            world.engine.rooms["r"]?.participants.count { $0.origin != nil } ?? 0
        }
        #expect(standIns(here) == 1)
        #expect(standIns(there) == 1)
        let slots = there.engine.slab.freeCount
        var publisher = Publisher()
        send(10, &publisher, here.peer(one), in: twins)
        #expect(there.engine.slab.freeCount < slots)
        here.engine.leave(here.peers[one].id, now: here.net.now)
        twins.run(.milliseconds(10))
        #expect(standIns(there) == 0)
        #expect(standIns(here) == 1)
        #expect(there.engine.slab.freeCount == slots)
        twins.unspan("r")
        twins.run(.milliseconds(10))
        #expect(here.engine.rooms["r"] == nil)
        #expect(standIns(there) == 0)
        #expect(there.engine.rooms["r"]?.participants.count == 1)
        there.engine.leave(there.peers[other].id, now: there.net.now)
        #expect(there.engine.rooms.isEmpty)
        #expect(there.engine.participants.count == 0)
        #expect(here.engine.participants.count == 0)
    }

    @Test func `a shard that has let everybody go knows nothing of what a sibling still sends`() throws {
        let twins = try TwinWorlds()
        let (here, there) = (twins.worlds[0], twins.worlds[1])
        let source = try here.join("r", as: .publisher, [.init(.video, .sendOnly)])
        twins.span("r")
        _ = try there.join("r", as: .viewer, [.init(.video, .receiveOnly)])
        twins.run(.milliseconds(500))
        var publisher = Publisher()
        send(5, &publisher, here.peer(source), in: twins)
        there.engine.leaveEverybody(now: there.net.now)
        let unknown = there.engine.counters.unknown
        send(5, &publisher, here.peer(source), in: twins)
        #expect(there.engine.counters.unknown > unknown)
        here.engine.leave(here.peers[source].id, now: here.net.now)
        twins.run(.milliseconds(10))
        #expect(there.engine.participants.count == 0)
    }

    @Test func `a stand-in stays however long its publisher is silent`() throws {
        let twins = try TwinWorlds()
        let (here, there) = (twins.worlds[0], twins.worlds[1])
        twins.span("r")
        _ = try here.join("r", as: .publisher, [.init(.video, .sendOnly)])
        _ = try there.join("r", as: .viewer, [.init(.video, .receiveOnly)])
        twins.run(.seconds(70))
        #expect(there.engine.rooms["r"]?.participants.count == 2)
    }

    // MARK: - Threads

    private func shard(_ loop: PollLoop, _ settings: MediaSettings) throws -> MediaShard {
        let engine = MediaEngine(
            settings: settings, identity: try DTLSIdentity.make(), now: .now(), wallClock: .now(), seed: (4, 5))
        let shard = try MediaShard(on: loop, engine: engine, addresses: [LoopbackTests.v4])
        engine.advertise(shard.addresses)
        try shard.start()
        loop.runOnThread()
        return shard
    }

    private func join(_ service: MediaService, _ role: MediaService.Role, _ soft: SoftPeer) async throws -> UUID {
        let answer = try await service.join("r", as: role, owner: UUID.random(), offer: soft.offer())
        try soft.accept(answer: answer.sdp, now: .now())
        return answer.session
    }

    @Test func `the service spans a room over two threads, and video crosses`() async throws {
        var settings = MediaSettings()
        settings.limits.packetSlots = 4_096
        settings.limits.sessions = 64
        settings.roomSpanThreshold = 1
        let loops = [PollLoop(), PollLoop()]
        let shards = try loops.map { try shard($0, settings) }
        defer {
            for (loop, shard) in zip(loops, shards) {
                loop.submit { shard.stop() }
                loop.stop()
            }
        }
        let service = MediaService(shards: shards, settings: settings)
        var softs: [SoftPeer] = []
        var sessions: [UUID] = []
        for number in 0..<3 {
            let section = SoftPeer.Section(.video, number == 0 ? .sendOnly : .receiveOnly)
            let soft = try SoftPeer([section], identity: try DTLSIdentity.make(), seed: UInt64(number) + 40)
            sessions.append(try await join(service, number == 0 ? .publisher : .viewer, soft))
            softs.append(soft)
        }
        // The first on one shard, the second on the other, the third where there is most room.
        let ports = Set(softs.compactMap { $0.remoteAddress?.port })
        #expect(ports == Set(shards.flatMap(\.addresses).map(\.port)))
        let peers = try softs.map { try SoftPeerSocket($0) }
        #expect(run(peers, seconds: 10) { softs.allSatisfy { $0.phase == .connected } })
        var publisher = Publisher()
        for _ in 0..<40 {
            publisher.sendFrame(softs[0], now: .now())
            _ = run(peers, milliseconds: 33) { false }
        }
        _ = run(peers, seconds: 2) { softs[1].streams.values.contains { $0.markers >= 38 } }
        for soft in softs[1...] {
            let frames = soft.streams.values.map(\.markers).max() ?? 0
            #expect(frames >= 35)
            #expect(soft.unreadable == 0)
        }
        for session in sessions { try await service.leave(session) }
        for shard in shards {
            let left = await shard.perform { engine, _ in engine.participants.count + engine.rooms.count }
            #expect(left == 0)
        }
    }

    private func run(
        _ peers: [SoftPeerSocket], seconds: Int64 = 0, milliseconds: Int64 = 0, until condition: () -> Bool
    ) -> Bool {
        let end = Instant.now() + .milliseconds(seconds * 1_000 + milliseconds)
        while Instant.now() < end {
            for peer in peers { peer.turn() }
            if condition() { return true }
            pause()
        }
        return condition()
    }
}
