// Coming, going and not coming at all: what an engine keeps of it, which is nothing.

import Base
import Crypto
import TestKit
import Testing
import Wire

@testable import Media

@Suite struct LifecycleAttackTests {
    @Test func `Ten thousand who join and leave leave nothing behind`() throws {
        let world = try EngineWorld(seed: 41)
        let offer = try SoftPeer(
            [.init(.audio, .sendReceive), .init(.video, .sendReceive)], identity: try DTLSIdentity.make(), seed: 5
        ).offer()
        let before = Footprint(world.engine)
        for round in 0..<10_000 {
            let joined = try world.engine.join(
                round % 3 == 0 ? "one" : "two \(round % 50)", as: .publisher, offer: offer, now: world.net.now)
            if round % 10 == 0 { world.engine.handleDeadlines(now: world.net.now) }
            world.engine.leave(joined.participant, now: world.net.now)
        }
        #expect(Footprint(world.engine) == before)
        #expect(world.engine.participants.capacity == 1)
        #expect(world.engine.deadline == nil)
    }

    @Test func `Those who connected, sent and left leave nothing behind either`() throws {
        let world = try EngineWorld(seed: 42)
        let before = Footprint(world.engine)
        for round in 0..<25 {
            let sender = try world.join("r", as: .publisher, [.init(.video, .sendReceive)])
            let watcher = try world.join("r", as: .publisher, [.init(.video, .sendReceive)])
            world.run(.milliseconds(120))
            var sequence: SequenceNumber = 1
            for frame in 0..<5 {
                world.peer(sender).sendFrame(
                    section: 0, packets: 3, size: 900, timestamp: UInt32(frame) * 3_000, isKeyframe: frame == 0,
                    pictureID: UInt16(frame), sequence: &sequence, now: world.net.now)
                world.run(.milliseconds(10))
            }
            // Who leaves first changes, and sometimes packets are on their way.
            for number in round % 2 == 0 ? [sender, watcher] : [watcher, sender] {
                world.engine.leave(world.peers[number].id, now: world.net.now)
                world.run(.milliseconds(Int64(round % 4)))
            }
            // The peers do not know and go on; their paths are strangers' now.
            for number in [sender, watcher] { world.net.detach(world.peers[number].address) }
        }
        #expect(Footprint(world.engine) == before)
    }

    @Test func `A subscriber whose network stands still does not hold up the others`() throws {
        let call = try AttackedCall(seed: 43)
        let dead = call.world.net.add(SimLink(steps: [(0, 5_000_000), (1, 0)], delay: .milliseconds(5)))
        let blocked = try call.world.join("r", as: .viewer, [.init(.video, .receiveOnly)], down: [dead])
        call.play(90)
        #expect(call.world.peer(blocked).phase == .connected)
        call.expectUndisturbed()
        let waiting = call.participant(blocked)?.sending?.bandwidth?.pacer.queuedPackets ?? 0
        #expect(waiting <= Pacer.videoCapacity)
    }

    @Test func `A handshake that never completes ends, and takes its path along`() throws {
        let call = try AttackedCall(seed: 44)
        let before = Footprint(call.engine)
        var ends: [ParticipantEnd] = []
        call.engine.participantEnded = { _, end in ends.append(end) }
        let offer = try SoftPeer([.init(.video, .receiveOnly)], identity: try DTLSIdentity.make(), seed: 6).offer()
        // One who never sends anything, and one who proves a path and then says nothing of DTLS.
        _ = try call.engine.join("r", as: .viewer, offer: offer, now: call.now)
        let mute = try SoftPeer([.init(.video, .receiveOnly)], identity: try DTLSIdentity.make(), seed: 7)
        let joined = try call.engine.join("r", as: .viewer, offer: mute.offer(), now: call.now)
        try mute.accept(answer: joined.sdp, now: call.now)
        let address = call.stranger(9)
        var nextCheck = call.now
        call.play(70 * 30) { now in
            guard now >= nextCheck, let check = mute.makeCheck() else { return }
            nextCheck = now + .seconds(2)
            call.send(check, from: address)
        }
        #expect(ends.sorted { "\($0)" < "\($1)" } == [.handshakeFailed, .neverConnected])
        #expect(Footprint(call.engine).participants == before.participants)
        #expect(Footprint(call.engine).paths == before.paths)
        #expect(Footprint(call.engine).fragments == before.fragments)
        call.expectUndisturbed()
    }

    @Test func `Who falls silent is removed with all it had`() throws {
        let world = try EngineWorld(seed: 45)
        let before = Footprint(world.engine)
        var ends: [ParticipantEnd] = []
        world.engine.participantEnded = { _, end in ends.append(end) }
        let sender = try world.join("r", as: .publisher, [.init(.video, .sendOnly)])
        world.run(.milliseconds(300))
        var sequence: SequenceNumber = 1
        world.peer(sender).sendFrame(
            section: 0, packets: 5, size: 900, timestamp: 0, isKeyframe: true, pictureID: 1, sequence: &sequence,
            now: world.net.now)
        world.run(.milliseconds(50))
        #expect(world.engine.slab.freeCount < before.freeSlots)
        world.net.detach(world.peers[sender].address)
        world.run(.seconds(33))
        #expect(ends == [.silent])
        #expect(Footprint(world.engine) == before)
    }

    @Test func `Who falls silent with two paths is removed, too`() throws {
        let world = try EngineWorld(seed: 46)
        let before = Footprint(world.engine)
        let sender = try world.join("r", as: .viewer, [.init(.video, .receiveOnly)])
        world.run(.milliseconds(300))
        let second = TransportAddress(IPAddress(v4: 0xCB00_7102), 7_000)
        world.net.attach(second)
        world.run(.milliseconds(10))
        let check = try #require(world.peer(sender).makeCheck())
        // Both paths are checked at one moment, and never again.
        world.net.send(check, from: world.peers[sender].address, to: EngineWorld.serverAddress)
        let other = try #require(world.peer(sender).makeCheck())
        world.net.send(other, from: second, to: EngineWorld.serverAddress)
        world.run(.milliseconds(5))
        #expect(world.engine.paths.count == 2)
        world.net.detach(world.peers[sender].address)
        world.net.detach(second)
        world.run(.seconds(65))
        #expect(Footprint(world.engine) == before)
    }

    @Test func `A publisher may leave while its packets wait for their turn`() throws {
        let world = try EngineWorld(seed: 47)
        let narrow = world.net.add(SimLink(bitsPerSecond: 300_000, delay: .milliseconds(20)))
        let sender = try world.join("r", as: .publisher, [.init(.video, .sendOnly)])
        let watcher = try world.join("r", as: .viewer, [.init(.video, .receiveOnly)], down: [narrow])
        world.run(.milliseconds(500))
        let free = Footprint(world.engine).freeSlots
        let participant = try #require(world.engine.participants[world.peers[watcher].id])
        var sequence: SequenceNumber = 1
        for frame in 0..<20 {
            world.peer(sender).sendFrame(
                section: 0, packets: 30, size: 1_000, timestamp: UInt32(frame) * 3_000, isKeyframe: true,
                pictureID: UInt16(frame), sequence: &sequence, now: world.net.now)
            world.run(.milliseconds(5))
            if participant.sending?.bandwidth?.pacer.queuedPackets ?? 0 > 10 { break }
        }
        #expect((participant.sending?.bandwidth?.pacer.queuedPackets ?? 0) > 10)
        world.engine.leave(world.peers[sender].id, now: world.net.now)
        world.run(.seconds(2))
        #expect(Footprint(world.engine).freeSlots == free)
        #expect(participant.sending?.bandwidth?.pacer.queuedPackets == 0)
        #expect(world.peer(watcher).unreadable == 0)
    }

    @Test func `Descriptions that are bombs are refused, or taken, in good time`() throws {
        let world = try EngineWorld(seed: 48)
        let peer = try SoftPeer([.init(.video, .sendReceive)], identity: try DTLSIdentity.make(), seed: 5)
        let offer = peer.offer()
        let section = offer[(offer.range(of: "m=")?.lowerBound ?? offer.startIndex)...]
        let bombs = [
            "", "v=0", String(repeating: "a", count: 1 << 20), offer + String(repeating: "a=x\r\n", count: 100_000),
            offer + String(repeating: String(section), count: 300),
            offer + String(repeating: "a=ssrc:1 cname:x\r\n", count: 900),
            offer + (0..<900).map { "a=ssrc:\($0) cname:\($0)\r\n" }.joined(),
            offer + (0..<120).map { "a=rtpmap:\($0) VP8/90000\r\na=fmtp:\($0) apt=\($0)\r\n" }.joined(),
            offer + "a=simulcast:send " + (0..<200).map { "r\($0)" }.joined(separator: ";") + "\r\n",
            offer + "a=ssrc-group:SIM " + (0..<255).map { "\($0)" }.joined(separator: " ") + "\r\n",
            offer.replacing("a=mid:0", with: "a=mid:" + String(repeating: "m", count: 8_000)),
            offer.replacing("VP8/90000", with: "VP8/0"),
            offer.replacing("VP8/90000", with: "VP8/99999999999999999999"),
            offer.replacing("a=extmap:3", with: "a=extmap:99999999999999999999"),
        ]
        let start = Instant.now()
        for bomb in bombs {
            guard let joined = try? world.engine.join("r", as: .publisher, offer: bomb, now: world.net.now) else {
                continue
            }
            let participant = try #require(world.engine.participants[joined.participant])
            #expect(participant.tracks.count <= world.engine.settings.limits.tracksPerParticipant)
            #expect(participant.subscriptions.count <= world.engine.settings.limits.tracksPerParticipant)
            world.engine.leave(joined.participant, now: world.net.now)
        }
        #expect((Instant.now() - start).milliseconds < 10_000)
        #expect(world.engine.participants.count == 0)
    }
}

extension String {
    fileprivate func range(of text: String) -> Range<String.Index>? { firstRange(of: text) }
}
