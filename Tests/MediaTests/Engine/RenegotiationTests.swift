import Base
import Crypto
import TestKit
import Testing
import Wire

@testable import Media

@Suite struct RenegotiationTests {
    /// What one section of one peer has sent so far.
    private struct Camera {
        let peer: Int
        let section: Int
        var frame = 0
        var sequence: SequenceNumber = 1_000

        init(_ peer: Int, _ section: Int) {
            self.peer = peer
            self.section = section
        }

        /// A keyframe every ten frames, so that nobody waits long.
        mutating func shoot(_ world: EngineWorld) {
            world.peer(peer).sendFrame(
                section: section, packets: 2, size: 800, timestamp: UInt32(frame) * 3_000, isKeyframe: frame % 10 == 0,
                pictureID: UInt16(frame & 0x7FFF), sequence: &sequence, now: world.net.now)
            frame += 1
        }
    }

    private func film(_ world: EngineWorld, _ cameras: inout [Camera], frames: Int) {
        for _ in 0..<frames {
            for index in cameras.indices { cameras[index].shoot(world) }
            world.run(.milliseconds(33))
        }
    }

    /// Without the streams of repair, on which probes come too.
    private func media(_ world: EngineWorld, _ number: Int) -> [SoftPeer.ReceivedStream] {
        world.peer(number).streams.values.filter { $0.retransmissions == 0 }
    }

    private func packets(_ world: EngineWorld, _ number: Int) -> Int {
        media(world, number).reduce(0) { $0 + $1.packets }
    }

    private func expectSound(_ world: EngineWorld) {
        for entry in world.peers {
            #expect(entry.peer.unreadable == 0)
            #expect(entry.peer.streams.values.allSatisfy { $0.duplicates == 0 || $0.retransmissions > 0 })
        }
    }

    // MARK: The client's offers

    @Test func `a track that is added in mid-call is seen, and one that is taken away is not`() throws {
        let world = try EngineWorld(seed: 1)
        let publisher = try world.join("r", as: .publisher, [.init(.audio, .sendOnly)])
        let viewer = try world.join("r", as: .viewer, [.init(.video, .receiveOnly)])
        world.run(.seconds(1))
        world.peer(publisher).add(.init(.video, .sendOnly))
        try world.reoffer(publisher)
        var cameras = [Camera(publisher, 1)]
        film(world, &cameras, frames: 30)
        #expect(packets(world, viewer) == 60)
        world.peer(publisher).stop(1)
        try world.reoffer(publisher)
        #expect(world.engine.participants[world.id(publisher)]?.tracks.map(\.kind) == [.audio])
        film(world, &cameras, frames: 10)
        #expect(packets(world, viewer) == 60)
        expectSound(world)
    }

    @Test func `a source that pauses after its numbers have wrapped comes back`() throws {
        let world = try EngineWorld(seed: 2)
        let publisher = try world.join("r", as: .publisher, [.init(.audio, .sendOnly)])
        let viewer = try world.join("r", as: .viewer, [.init(.audio, .receiveOnly)])
        world.run(.seconds(1))
        var index: ExtendedSequence = 65_500
        func speak() {
            for _ in 0..<60 {
                world.peer(publisher).sendMedia(
                    [1, 2, 3], section: 0, type: SoftPeer.opus, sequence: SequenceNumber(truncatingIfNeeded: index),
                    timestamp: UInt32(index) * 960, marker: false, rollover: index >> 16, now: world.net.now)
                index += 1
                world.run(.milliseconds(20))
            }
        }
        speak()
        #expect(packets(world, viewer) == 60)
        world.peer(publisher).turn(0, .inactive)
        try world.reoffer(publisher)
        #expect(world.engine.participants[world.id(publisher)]?.tracks.isEmpty == true)
        world.peer(publisher).turn(0, .sendOnly)
        try world.reoffer(publisher)
        speak()
        #expect(packets(world, viewer) == 120)
        #expect(world.engine.participants[world.id(publisher)]?.counters.forged == 0)
        expectSound(world)
    }

    @Test func `a viewer that turns a section off and on gets the same stream, which goes on`() throws {
        let world = try EngineWorld(seed: 3)
        let publisher = try world.join("r", as: .publisher, [.init(.video, .sendOnly)])
        let viewer = try world.join("r", as: .viewer, [.init(.video, .receiveOnly)])
        world.run(.seconds(1))
        var cameras = [Camera(publisher, 0)]
        film(world, &cameras, frames: 20)
        let before = packets(world, viewer)
        world.peer(viewer).turn(0, .inactive)
        try world.reoffer(viewer)
        film(world, &cameras, frames: 20)
        #expect(packets(world, viewer) == before)
        world.peer(viewer).turn(0, .receiveOnly)
        try world.reoffer(viewer)
        film(world, &cameras, frames: 20)
        #expect(packets(world, viewer) >= before + 20)
        #expect(media(world, viewer).count == 1)
        #expect(world.engine.participants[world.id(viewer)]?.subscriptions.count == 1)
        expectSound(world)
    }

    @Test func `a track that changes its terms goes on for those who watch it`() throws {
        let world = try EngineWorld(seed: 12)
        let publisher = try world.join("r", as: .publisher, [.init(.video, .sendOnly)])
        let viewer = try world.join("r", as: .viewer, [.init(.video, .receiveOnly)])
        world.run(.seconds(1))
        var cameras = [Camera(publisher, 0)]
        film(world, &cameras, frames: 20)
        let old = try #require(world.engine.participants[world.id(publisher)]?.tracks.first?.id)
        let answer = try world.engine.accept(
            offer: world.peer(publisher).offer().replacing("a=rtcp-fb:96 nack pli\r\n", with: ""),
            from: world.id(publisher), now: world.net.now)
        try world.peer(publisher).accept(answer: answer, now: world.net.now)
        let track = try #require(world.engine.participants[world.id(publisher)]?.tracks.first)
        #expect(track.id != old && !track.takesPictureLoss)
        film(world, &cameras, frames: 20)
        #expect(packets(world, viewer) == 80)
        #expect(media(world, viewer).count == 1)
        expectSound(world)
    }

    @Test func `an offer that is refused changes nothing`() throws {
        let world = try EngineWorld(seed: 4)
        let publisher = try world.join("r", as: .publisher, [.init(.video, .sendOnly)])
        let viewer = try world.join("r", as: .viewer, [.init(.video, .receiveOnly)])
        world.run(.seconds(1))
        let good = world.peer(publisher).offer()
        for bad in ["", "v=0", good.replacing("a=mid:0", with: "a=mid:7"), good.replacing("a=rtcp-mux\r\n", with: "")] {
            #expect(throws: MediaError.self) {
                try world.engine.accept(offer: bad, from: world.id(publisher), now: world.net.now)
            }
        }
        let stranger = try SoftPeer([.init(.video, .sendOnly)], identity: try DTLSIdentity.make(), seed: 77)
        #expect(throws: MediaError.notAcceptable("another certificate or role needs a new session")) {
            try world.engine.accept(offer: stranger.offer(), from: world.id(publisher), now: world.net.now)
        }
        var cameras = [Camera(publisher, 0)]
        film(world, &cameras, frames: 20)
        #expect(packets(world, viewer) == 40)
    }

    // MARK: Everybody sees everybody

    private final class Wishes {
        var ids: [ParticipantID] = []
    }

    private func call(_ count: Int, seed: UInt64) throws -> (EngineWorld, Wishes) {
        let world = try EngineWorld(seed: seed)
        world.reportsNetwork = false
        let wishes = Wishes()
        world.engine.roomPolicy = { _ in .offerNew }
        world.engine.negotiationNeeded = { wishes.ids.append($0) }
        for _ in 0..<count {
            _ = try world.join("r", as: .publisher, [.init(.audio, .sendOnly), .init(.video, .sendOnly)])
        }
        try settle(world, wishes)
        return (world, wishes)
    }

    /// Every wish for an offer is granted, until there is none.
    private func settle(_ world: EngineWorld, _ wishes: Wishes) throws {
        world.run(.milliseconds(500))
        while !wishes.ids.isEmpty {
            let id = wishes.ids.removeFirst()
            guard let number = world.peers.firstIndex(where: { $0.id == id }),
                world.engine.participants[id] != nil
            else { continue }
            try world.takeOffer(number)
            world.run(.milliseconds(50))
        }
    }

    @Test func `a new publisher is offered to all others, and gone ones make room`() throws {
        let (world, wishes) = try call(4, seed: 5)
        for number in 0..<4 {
            let shown = world.engine.shown(to: world.id(number))
            #expect(shown.count == 6)
            #expect(Set(shown.map(\.publisher)) == Set((0..<4).map(world.id)).subtracting([world.id(number)]))
            // What the description says is what is shown: one stream for each publisher.
            let names = Dictionary(grouping: shown, by: \.publisher).mapValues { tracks in
                Set(tracks.compactMap { world.peer(number).shown[$0.mid] })
            }
            #expect(names.values.allSatisfy { $0.count == 1 } && Set(names.values).count == 3)
        }
        var cameras = (0..<4).map { Camera($0, 1) }
        film(world, &cameras, frames: 30)
        for number in 0..<4 { #expect(packets(world, number) == 3 * 60) }
        let sections = world.peer(0).sections.count
        world.engine.leave(world.id(3), now: world.net.now)
        try settle(world, wishes)
        #expect(world.engine.shown(to: world.id(0)).count == 4)
        #expect(world.peer(0).shown.count == 4)
        let late = try world.join("r", as: .publisher, [.init(.audio, .sendOnly), .init(.video, .sendOnly)])
        try settle(world, wishes)
        // The sections of who has left are used again.
        #expect(world.peer(0).sections.count == sections)
        #expect(world.engine.shown(to: world.id(0)).count == 6)
        #expect(world.engine.shown(to: world.id(late)).count == 6)
        cameras = [Camera(late, 1)]
        let before = (0..<3).map { packets(world, $0) }
        film(world, &cameras, frames: 20)
        for number in 0..<3 { #expect(packets(world, number) == before[number] + 40) }
        expectSound(world)
    }

    @Test func `both offer at once: the client's counts, and the server's comes again`() throws {
        let (world, wishes) = try call(2, seed: 6)
        _ = try world.join("r", as: .publisher, [.init(.audio, .sendOnly)])
        #expect(wishes.ids.contains(world.id(0)))
        wishes.ids.removeAll { $0 == world.id(0) }
        let offer = try #require(try world.engine.offer(to: world.id(0), now: world.net.now))
        #expect(try world.engine.offer(to: world.id(0), now: world.net.now) == nil)
        world.peer(0).add(.init(.video, .sendOnly))
        // The server's is on its way and will be ignored: places of sections are the client's now.
        _ = offer
        try world.reoffer(0)
        #expect(wishes.ids.contains(world.id(0)))
        try settle(world, wishes)
        #expect(world.engine.shown(to: world.id(0)).count == 3)
        #expect(world.engine.shown(to: world.id(1)).count == 4)
    }

    @Test func `an answer that is refused, or never comes, can be taken back`() throws {
        let (world, wishes) = try call(2, seed: 7)
        #expect(throws: MediaError.self) { try world.engine.rollback(world.id(0), now: world.net.now) }
        _ = try world.join("r", as: .publisher, [.init(.audio, .sendOnly)])
        let offer = try #require(try world.engine.offer(to: world.id(0), now: world.net.now))
        for bad in ["", "v=0", world.peer(1).offer()] {
            #expect(throws: MediaError.self) {
                try world.engine.accept(answer: bad, from: world.id(0), now: world.net.now)
            }
        }
        wishes.ids.removeAll()
        try world.engine.rollback(world.id(0), now: world.net.now)
        #expect(wishes.ids == [world.id(0)])
        #expect(throws: MediaError.self) {
            try world.engine.accept(
                answer: try world.peer(0).accept(offer: offer, now: world.net.now), from: world.id(0),
                now: world.net.now)
        }
        #expect(try world.takeOffer(0))
        #expect(world.engine.shown(to: world.id(0)).count == 3)
    }

    // MARK: ICE

    @Test(arguments: [true, false]) func `ICE restarts under a call without a lost packet`(byClient: Bool) throws {
        let world = try EngineWorld(seed: 8)
        let publisher = try world.join("r", as: .publisher, [.init(.video, .sendOnly)])
        let viewer = try world.join("r", as: .viewer, [.init(.video, .receiveOnly)])
        world.run(.seconds(1))
        var cameras = [Camera(publisher, 0)]
        film(world, &cameras, frames: 20)
        for number in [publisher, viewer] {
            let old = try #require(world.engine.participants[world.id(number)]?.ice.localUfrag)
            if byClient {
                world.peer(number).renewCredentials()
                try world.reoffer(number)
            } else {
                try world.engine.restartICE(of: world.id(number), now: world.net.now)
                #expect(try world.takeOffer(number))
            }
            film(world, &cameras, frames: 20)
            let ice = try #require(world.engine.participants[world.id(number)]?.ice)
            #expect(ice.localUfrag != old)
            #expect(ice.pendingUfrag == nil)
            #expect(world.engine.participants[world.id(number)]?.restart == nil)
        }
        film(world, &cameras, frames: 20)
        #expect(packets(world, viewer) == 160)
        // Consent comes with the new credentials.
        world.run(.seconds(60))
        #expect(world.engine.participants.count == 2)
    }

    @Test func `a restart that was offered and taken back leaves the old credentials in force`() throws {
        let world = try EngineWorld(seed: 9)
        let number = try world.join("r", as: .publisher, [.init(.video, .sendOnly)])
        world.run(.seconds(1))
        try world.engine.restartICE(of: world.id(number), now: world.net.now)
        let participant = try #require(world.engine.participants[world.id(number)])
        let old = participant.ice.localUfrag
        _ = try #require(try world.engine.offer(to: world.id(number), now: world.net.now))
        #expect(participant.ice.pendingUfrag != nil)
        try world.engine.rollback(world.id(number), now: world.net.now)
        #expect(participant.ice.pendingUfrag == nil && participant.ice.localUfrag == old)
        // The next offer tries again.
        #expect(try world.takeOffer(number))
        world.run(.seconds(1))
        #expect(participant.ice.localUfrag != old && participant.ice.pendingUfrag == nil)
        world.run(.seconds(60))
        #expect(world.engine.participants.count == 1)
    }

    // MARK: Data

    @Test(arguments: [true, false]) func `data channels come in mid-call`(byClient: Bool) throws {
        let (world, wishes) = try call(2, seed: 10)
        // Past the packet that shows that the peer has the keys.
        var cameras = [Camera(0, 1), Camera(1, 1)]
        film(world, &cameras, frames: 10)
        for number in 0..<2 {
            if byClient {
                world.peer(number).add(.init(.application, .sendReceive))
                try world.reoffer(number)
                world.peer(number).beginData(now: world.net.now)
            } else {
                try world.engine.requestData(of: world.id(number), now: world.net.now)
                try settle(world, wishes)
            }
        }
        world.run(.seconds(2))
        for number in 0..<2 {
            #expect(world.peer(number).openChannel(DataChannelOpen(label: "chat"), now: world.net.now))
        }
        world.run(.seconds(1))
        _ = world.peer(0).say([1], on: "chat", now: world.net.now)
        film(world, &cameras, frames: 30)
        #expect(world.peer(1).data?.messages(on: "chat") == [[1]])
        #expect(packets(world, 0) == 80)
        expectSound(world)
    }

    @Test func `a data section that comes after the association was given back is rejected`() throws {
        let world = try EngineWorld(seed: 11)
        let number = try world.join("r", as: .publisher, [.init(.video, .sendOnly)])
        world.run(.seconds(1))
        var cameras = [Camera(number, 0)]
        film(world, &cameras, frames: 3)
        world.peer(number).add(.init(.application, .sendReceive))
        try world.reoffer(number)
        #expect(world.peer(number).remoteDescription?.media.last?.port == 0)
        #expect(throws: MediaError.self) { try world.engine.requestData(of: world.id(number), now: world.net.now) }
    }
}
