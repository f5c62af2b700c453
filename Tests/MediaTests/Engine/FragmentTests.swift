import Base
import Crypto
import TestKit
import Testing
import Wire

@testable import Media

/// What may change after an offer by HTTP: candidates and ICE restarts, on a running call.
@Suite struct FragmentTests {
    private static func fresh(_ seed: UInt64) -> ICECredentials {
        var random = SplitMix(seed: seed)
        return ICECredentials(
            randomBytes: (0..<ICECredentials.randomByteCount).map { _ in UInt8(truncatingIfNeeded: random.next()) })
    }

    private func generation(_ world: EngineWorld, _ number: Int) -> String {
        world.engine.participants[world.peers[number].id]?.negotiator.transport?.local.ufrag ?? ""
    }

    private func apply(
        _ world: EngineWorld, _ number: Int, _ text: String, if condition: FragmentCondition
    ) throws(MediaError) -> MediaEngine.Patched {
        try world.engine.apply(
            fragment: Bytes(text.utf8), if: condition, to: world.peers[number].id, now: world.net.now)
    }

    @Test func `a candidate changes nothing, with the generation's name or without`() throws {
        let world = try EngineWorld(seed: 1)
        let peer = try world.join("r", as: .publisher, [.init(.video, .sendOnly)])
        let before = generation(world, peer)
        for condition in [FragmentCondition.none, .any, .generation(before)] {
            let patched = try apply(world, peer, world.peer(peer).fragment(), if: condition)
            #expect(patched == MediaEngine.Patched(answer: nil, iceGeneration: before))
        }
    }

    @Test func `a fragment for another generation is refused, and so is a restart that names none`() throws {
        let world = try EngineWorld(seed: 2)
        let peer = try world.join("r", as: .publisher, [.init(.video, .sendOnly)])
        let before = generation(world, peer)
        let restart = world.peer(peer).fragment(with: Self.fresh(5))
        #expect(throws: MediaError.otherGeneration) { try apply(world, peer, restart, if: .generation("other")) }
        #expect(throws: MediaError.conditionMissing) { try apply(world, peer, restart, if: .none) }
        #expect(generation(world, peer) == before)
        let participant = try #require(world.engine.participants[world.peers[peer].id])
        #expect(participant.ice.pendingUfrag == nil)
    }

    @Test(arguments: [
        "", "nonsense", "a=ice-ufrag:ab\r\na=ice-pwd:short\r\nm=audio 9 X 0\r\na=mid:0\r\n",
        "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:nowhere\r\n",
    ])
    func `a fragment that is none changes nothing`(_ text: String) throws {
        let world = try EngineWorld(seed: 3)
        let peer = try world.join("r", as: .publisher, [.init(.video, .sendOnly)])
        let before = generation(world, peer)
        do throws(MediaError) {
            let patched = try apply(world, peer, text, if: .any)
            #expect(patched.answer == nil && text.isEmpty)
        } catch {
            guard case .sdpInvalid = error else { return #expect(Bool(false), "\(error)") }
        }
        #expect(generation(world, peer) == before)
    }

    @Test func `a restart is make before break: media flows before, during and after it`() throws {
        let world = try EngineWorld(seed: 4)
        let publisher = try world.join("r", as: .publisher, [.init(.video, .sendOnly)])
        let viewer = try world.join("r", as: .viewer, [.init(.video, .receiveOnly)])
        world.run(.milliseconds(500))
        var sequence: SequenceNumber = 100
        var frame = 0
        func send(_ count: Int) {
            for _ in 0..<count {
                world.peer(publisher).sendFrame(
                    section: 0, packets: 2, size: 800, timestamp: UInt32(frame) * 3_000, isKeyframe: frame % 10 == 0,
                    pictureID: UInt16(frame), sequence: &sequence, now: world.net.now)
                world.run(.milliseconds(33))
                frame += 1
            }
        }
        send(20)
        for number in [publisher, viewer] {
            let participant = try #require(world.engine.participants[world.peers[number].id])
            let old = participant.ice.localUfrag
            let fresh = Self.fresh(UInt64(number) + 70)
            let patched = try apply(world, number, world.peer(number).fragment(with: fresh), if: .any)
            let answer = try #require(patched.answer)
            // Nothing has moved yet: the old credentials still count, and media still flows.
            #expect(participant.ice.localUfrag == old)
            #expect(participant.ice.pendingUfrag?.description == patched.iceGeneration)
            send(10)
            try world.peer(number).restart(with: fresh, answer: answer, now: world.net.now)
            world.run(.milliseconds(300))
            #expect(world.peer(number).hasValidPath)
            #expect(participant.ice.localUfrag.description == patched.iceGeneration)
            #expect(participant.ice.pendingUfrag == nil)
            #expect(generation(world, number) == patched.iceGeneration)
            send(10)
        }
        let stream = try #require(world.peer(viewer).streams.values.max { $0.markers < $1.markers })
        #expect(stream.markers == 60)
        #expect(world.peer(viewer).unreadable == 0)
        // Only the current fragments are left in the table: two more participants still find room there.
        #expect(world.engine.statistics().connected == 2)
    }

    @Test func `of two restarts the later one counts`() throws {
        let world = try EngineWorld(seed: 5)
        let peer = try world.join("r", as: .publisher, [.init(.video, .sendOnly)])
        world.run(.milliseconds(300))
        let first = Self.fresh(1)
        let second = Self.fresh(2)
        let one = try apply(world, peer, world.peer(peer).fragment(with: first), if: .any)
        let two = try apply(world, peer, world.peer(peer).fragment(with: second), if: .generation(one.iceGeneration))
        try world.peer(peer).restart(with: first, answer: try #require(one.answer), now: world.net.now)
        world.run(.milliseconds(300))
        #expect(!world.peer(peer).hasValidPath)
        try world.peer(peer).restart(with: second, answer: try #require(two.answer), now: world.net.now)
        world.run(.milliseconds(300))
        #expect(world.peer(peer).hasValidPath)
    }

    @Test func `who never comes is counted and told of, and a fragment for him finds nobody`() throws {
        let world = try EngineWorld(seed: 6)
        let id = try world.engine.join(
            "r", as: .publisher, offer: try Self.offer(), now: world.net.now
        ).participant
        var told: [ParticipantEnd] = []
        world.engine.participantEnded = { told.append($0 == id ? $1 : .silent) }
        world.run(.seconds(62))
        #expect(told == [.neverConnected])
        #expect(world.engine.statistics().ends.neverConnected == 1)
        #expect(world.engine.statistics().participants == 0)
        #expect(throws: MediaError.noSuchSession) {
            try world.engine.apply(fragment: [], if: .any, to: id, now: world.net.now)
        }
    }

    private static func offer() throws -> String {
        try SoftPeer([.init(.video, .sendOnly)], identity: try .make(), seed: 3).offer()
    }

    @Test func `who closes the association is gone at once`() throws {
        let world = try EngineWorld(seed: 8)
        let publisher = try world.join("r", as: .publisher, [.init(.video, .sendOnly)])
        _ = try world.join("r", as: .viewer, [.init(.video, .receiveOnly)])
        world.run(.milliseconds(500))
        var told: [ParticipantEnd] = []
        world.engine.participantEnded = { told.append($1) }
        world.peer(publisher).leave()
        world.run(.milliseconds(100))
        #expect(told == [.left])
        #expect(world.engine.statistics().participants == 1)
        #expect(world.engine.statistics().ends.left == 1)
    }

    @Test func `everybody is told goodbye, and the sums stay`() throws {
        let world = try EngineWorld(seed: 7)
        let publisher = try world.join("r", as: .publisher, [.init(.video, .sendOnly)])
        _ = try world.join("r", as: .viewer, [.init(.video, .receiveOnly)])
        world.run(.milliseconds(500))
        var sequence: SequenceNumber = 1
        for frame in 0..<10 {
            world.peer(publisher).sendFrame(
                section: 0, packets: 2, size: 800, timestamp: UInt32(frame) * 3_000, isKeyframe: frame == 0,
                pictureID: UInt16(frame), sequence: &sequence, now: world.net.now)
            world.run(.milliseconds(33))
        }
        let before = world.engine.statistics()
        #expect(before.participants == 2 && before.connected == 2 && before.tracks == 1)
        #expect(before.media.receivedPackets == 20)
        #expect(before.media.forwardedPackets >= 20)
        world.engine.leaveEverybody(now: world.net.now)
        #expect(!world.engine.outbox.isEmpty)
        let after = world.engine.statistics()
        #expect(after.participants == 0 && after.tracks == 0)
        #expect(after.ends.left == 2)
        #expect(after.media.receivedPackets == before.media.receivedPackets)
        #expect(after.media.forwardedPackets >= before.media.forwardedPackets)
        #expect(world.engine.rooms.isEmpty)
    }
}
