// The recorder's way in: a call on two shards with threads and sockets of their own, a tap that is started, told who
// agreed, and stopped.

import Base
import Crypto
import Synchronization
import TestKit
import Testing
import Wire

@testable import Media

@Suite(.serialized) struct TapServiceTests {
    private final class Wakes: Sendable {
        let count = Atomic<Int>(0)
    }

    /// Two shards; the second person of a call is on the second.
    private final class Server {
        let loops = [PollLoop(), PollLoop()]
        let shards: [MediaShard]
        let service: MediaService

        init() throws {
            var settings = MediaSettings()
            settings.limits.packetSlots = 4_096
            settings.limits.sessions = 64
            settings.roomSpanThreshold = 1
            shards = try loops.map { loop in
                let engine = MediaEngine(
                    settings: settings, identity: try DTLSIdentity.make(), now: .now(), wallClock: .now(), seed: (4, 5))
                let shard = try MediaShard(on: loop, engine: engine, addresses: [LoopbackTests.v4])
                engine.advertise(shard.addresses)
                loop.runOnThread()
                return shard
            }
            service = MediaService(shards: shards, settings: settings)
        }

        deinit {
            for (loop, shard) in zip(loops, shards) {
                loop.submit { shard.stop() }
                loop.stop()
            }
        }
    }

    private struct Member {
        let owner = UUID.random()
        let session = UUID.random()
        let peer: SoftPeerSocket
        let person: RecordedPerson

        init(_ number: UInt64, in call: UUID, of service: MediaService) async throws {
            let soft = try SoftPeer(TapCallTests.sections, identity: try DTLSIdentity.make(), seed: number + 60)
            let answer = try await service.enter(call: call, as: session, owner: owner, offer: soft.offer())
            try soft.accept(answer: answer.sdp, now: .now())
            peer = try SoftPeerSocket(soft)
            person = RecordedPerson(soft, seed: number, now: .now())
        }
    }

    private func run(_ members: [Member], milliseconds: Int64, isSending: Bool = true, until condition: () -> Bool)
        -> Bool
    {
        let end = Instant.now() + .milliseconds(milliseconds)
        while Instant.now() < end {
            for member in members {
                if isSending { member.person.work(.now()) }
                member.peer.turn()
            }
            if condition() { return true }
            pause()
        }
        return condition()
    }

    @Test func `a call on two shards is heard whole, and nothing after it was stopped`() async throws {
        let server = try Server()
        let service = server.service
        try await service.start()
        let call = UUID.random()
        let members = [try await Member(0, in: call, of: service), try await Member(1, in: call, of: service)]
        #expect(Set(members.compactMap { $0.person.peer.remoteAddress?.port }).count == 2)
        #expect(
            run(members, milliseconds: 10_000, isSending: false) {
                members.allSatisfy { $0.person.peer.phase == .connected }
            })
        let wakes = Wakes()
        let tap = try await service.startTap(ofCall: call, capacity: 1 << 19) {
            wakes.count.add(1, ordering: .relaxed)
        }
        #expect(tap.pipes.count == 2)
        await #expect(throws: MediaError.conflict("the call is being recorded already")) {
            _ = try await service.startTap(ofCall: call) {}
        }
        for member in members { try await service.setTapped(member.owner, true, inCall: call) }
        let listeners = tap.pipes.map { TapListener($0) }
        func heard(_ member: Member) -> Set<UInt64> {
            var numbers: Set<UInt64> = []
            for listener in listeners {
                listener.read()
                for track in listener.tracks where track.owner == member.owner && track.kind == .video {
                    #expect(track.session == member.session)
                    for heard in listener.packets(of: track.number) {
                        #expect(member.person.video[heard.packet.sequence] == heard.payload)
                        #expect(numbers.insert(heard.packet.sequence).inserted)
                    }
                }
            }
            return numbers
        }
        _ = run(members, milliseconds: 1_500) { false }
        #expect(
            run(members, milliseconds: 3_000, isSending: false) {
                members.allSatisfy { heard($0) == Set($0.person.video.keys) }
            })
        // Each on the shard that he is on, and there only.
        #expect(listeners.map { Set($0.tracks.map(\.owner)).count } == [1, 1])
        #expect(wakes.count.load(ordering: .relaxed) > 1)

        try await service.setTapped(members[0].owner, false, inCall: call)
        let before = heard(members[0])
        _ = run(members, milliseconds: 500) { false }
        #expect(heard(members[0]) == before)
        #expect(heard(members[1]).count > 100)

        await service.stopTap(ofCall: call)
        let last = heard(members[1])
        #expect(listeners.allSatisfy { $0.end == .stopped })
        _ = run(members, milliseconds: 300) { false }
        #expect(heard(members[1]) == last)
        await #expect(throws: MediaError.conflict("the call is not being recorded")) {
            try await service.setTapped(members[0].owner, true, inCall: call)
        }
        await service.stopTap(ofCall: call)
        // It may be recorded again, and the server's end is the tap's.
        let second = try await service.startTap(ofCall: call) {}
        await service.stop()
        for pipe in second.pipes {
            let listener = TapListener(pipe)
            listener.read()
            #expect(listener.end == .stopped)
        }
        await #expect(throws: MediaError.self) { _ = try await service.startTap(ofCall: call) {} }
    }
}
