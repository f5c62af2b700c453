import API
import Base
import Crypto
import Glibc
import Media
import Net
import TestKit
import Testing
import Wire

/// Real sockets and threads: soft peers on loopback, the media service on the server's own loops.
@Suite(.serialized) struct LoopbackCallTests {
    private static let owner = UUID.random()

    private func peer(
        _ sections: [SoftPeer.Section], _ seed: UInt64, over way: SoftPeerSocket.Way = .datagrams
    ) throws -> SoftPeerSocket {
        try SoftPeerSocket(try SoftPeer(sections, identity: try DTLSIdentity.make(), seed: seed), over: way)
    }

    private func join(
        _ peer: SoftPeerSocket, _ service: MediaService, _ room: String, as role: MediaService.Role
    ) async throws -> UUID {
        let answer = try await service.join(room, as: role, owner: Self.owner, offer: peer.peer.offer())
        try peer.peer.accept(answer: answer.sdp, now: .now())
        return answer.session
    }

    /// False when it did not come about within 10 s.
    private func run(_ peers: [SoftPeerSocket], until isDone: () -> Bool) -> Bool {
        let end = Instant.now() + .seconds(10)
        while !isDone() {
            if Instant.now() > end { return false }
            for peer in peers { peer.turn() }
            usleep(500)
        }
        return true
    }

    /// At half a megabit per second, which the estimator begins below: what it would drop is not this test's subject.
    private func sendFrames(_ count: Int, _ from: SoftPeerSocket, _ all: [SoftPeerSocket], _ first: inout Int) {
        var sequence = SequenceNumber(truncatingIfNeeded: 100 + first * 2)
        for _ in 0..<count {
            from.peer.sendFrame(
                section: 0, packets: 2, size: 900, timestamp: UInt32(first) * 3_000, isKeyframe: first % 15 == 0,
                pictureID: UInt16(first), sequence: &sequence, now: .now())
            first += 1
            let next = Instant.now() + .milliseconds(30)
            _ = run(all) { Instant.now() >= next }
        }
    }

    @Test func `a viewer sees what a publisher sends, on either of two threads, until the server stops`() async throws {
        let shards = try ShardGroup(count: 2)
        let media = try await TestMedia.make(on: shards.shards)
        let service = media.service
        for (index, room) in ["one", "two"].enumerated() {
            let publisher = try peer([.init(.video, .sendOnly)], UInt64(index) * 2 + 1)
            let viewer = try peer([.init(.video, .receiveOnly)], UInt64(index) * 2 + 2)
            let both = [publisher, viewer]
            let publishing = try await join(publisher, service, room, as: .publisher)
            _ = try await join(viewer, service, room, as: .viewer)
            #expect(run(both) { both.allSatisfy { $0.peer.phase == .connected } })
            var frame = 0
            sendFrames(30, publisher, both, &frame)
            #expect(run(both) { viewer.peer.streams.values.contains { $0.markers >= 30 } })
            let stream = try #require(viewer.peer.streams.values.first { $0.markers >= 30 })
            #expect(stream.sequences.count == 60 && viewer.peer.unreadable == 0)
            #expect(publisher.peer.feedbackReceived > 0)
            #expect(service.session(publishing)?.room == room)
        }
        // Each room is on a thread of its own: the second went to the emptier one.
        #expect(run([]) { service.statistics.allSatisfy { $0.participants == 2 && $0.media.forwardedPackets >= 60 } })
        await service.stop()
        #expect(service.statistics.allSatisfy { $0.participants == 0 && $0.ends.left == 2 })
        #expect(service.sessionCount == 0)
        shards.stop()
    }

    /// Posts the peer's offer as its client would, and gives it the answer.
    private func post(_ peer: SoftPeerSocket, _ path: String, _ api: APIHarness, _ person: APIHarness.Person)
        async throws
    {
        var request = TestRequest(.post, path, "", as: person, headers: [("Content-Type", "application/sdp")])
        request.body = Bytes(peer.peer.offer().utf8)
        let answer = try await api.send(request)
        #expect(answer.status == 201)
        try peer.peer.accept(answer: String(decoding: answer.body, as: UTF8.self), now: .now())
    }

    @Test func `WHIP and WHEP clients whose networks let nothing but TCP out see each other`() async throws {
        let shards = try ShardGroup(count: 1)
        let media = try await TestMedia.make(on: shards.shards)
        var setup = APIHarness.Setup()
        setup.media = MediaAccess(service: media.service)
        try await APIHarness.run(setup) { api in
            let alice = try await api.register()
            let publisher = try peer([.init(.video, .sendOnly)], 21, over: .connection)
            let viewer = try peer([.init(.video, .receiveOnly)], 22, over: .connection)
            let both = [publisher, viewer]
            try await post(publisher, "/whip/stage", api, alice)
            try await post(viewer, "/whep/stage", api, alice)
            #expect(run(both) { both.allSatisfy { $0.peer.phase == .connected } })
            var frame = 0
            sendFrames(30, publisher, both, &frame)
            #expect(run(both) { viewer.peer.streams.values.contains { $0.markers >= 30 } })
            #expect(viewer.peer.unreadable == 0)
            #expect(both.allSatisfy { $0.received[.datagrams] == nil })
            // The viewer's network lets UDP out after all.
            viewer.move(to: .datagrams)
            sendFrames(30, publisher, both, &frame)
            #expect(run(both) { viewer.peer.streams.values.contains { $0.markers >= 60 } })
            #expect(viewer.received[.datagrams, default: 0] > 50)
        }
        await media.service.stop()
        shards.stop()
    }

    @Test func `a restart over HTTP's fragments keeps the call`() async throws {
        let shards = try ShardGroup(count: 1)
        let media = try await TestMedia.make(on: shards.shards)
        let publisher = try peer([.init(.video, .sendOnly)], 11)
        let viewer = try peer([.init(.video, .receiveOnly)], 12)
        let both = [publisher, viewer]
        _ = try await join(publisher, media.service, "r", as: .publisher)
        let viewing = try await join(viewer, media.service, "r", as: .viewer)
        #expect(run(both) { both.allSatisfy { $0.peer.phase == .connected } })
        var frame = 0
        sendFrames(10, publisher, both, &frame)
        let fresh = try ICECredentials(ufrag: "fresh", password: "0123456789012345678901")
        let patched = try await media.service.patch(
            viewing, fragment: Bytes(viewer.peer.fragment(with: fresh).utf8), if: .any)
        try viewer.peer.restart(with: fresh, answer: try #require(patched.answer), now: .now())
        #expect(run(both) { viewer.peer.hasValidPath })
        sendFrames(20, publisher, both, &frame)
        #expect(run(both) { viewer.peer.streams.values.contains { $0.markers >= 30 } })
        await media.service.stop()
        shards.stop()
    }

    @Test func `a session that its shard has ended is gone for the service, and its place is free`() async throws {
        var settings = MediaSettings()
        settings.limits.sessions = 1
        let media = try await TestMedia.make(settings: settings)
        let offer = try SoftPeer([.init(.audio, .sendOnly)], identity: try DTLSIdentity.make(), seed: 1).offer()
        let first = try await media.service.join("r", as: .publisher, owner: Self.owner, offer: offer)
        await #expect(throws: MediaError.serverFull(limit: 1)) {
            try await media.service.join("r", as: .publisher, owner: Self.owner, offer: offer)
        }
        await media.shards[0].perform { engine, now in
            // Nobody connected for longer than anybody takes.
            for second in 1...62 { engine.handleDeadlines(now: now + .seconds(second)) }
        }
        #expect(media.service.session(first.session) == nil)
        await #expect(throws: MediaError.noSuchSession) { try await media.service.leave(first.session) }
        _ = try await media.service.join("r", as: .publisher, owner: Self.owner, offer: offer)
        #expect(media.service.sessionCount == 1)
        await media.service.stop()
    }

    @Test func `joins, leaves and a stop at the same time lose nobody`() async throws {
        let shards = try ShardGroup(count: 2)
        let media = try await TestMedia.make(on: shards.shards)
        let service = media.service
        let offer = try SoftPeer([.init(.audio, .sendOnly)], identity: try DTLSIdentity.make(), seed: 1).offer()
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<60 {
                group.addTask {
                    guard
                        let answer = try? await service.join(
                            "room\(number % 7)", as: .publisher, owner: Self.owner, offer: offer)
                    else { return }
                    if number % 3 > 0 { try? await service.leave(answer.session) }
                }
            }
            group.addTask {
                try? await Task.sleep(for: .milliseconds(30))
                await service.stop()
            }
        }
        #expect(service.sessionCount == 0)
        #expect(service.statistics.allSatisfy { $0.participants == 0 })
        shards.stop()
    }
}
