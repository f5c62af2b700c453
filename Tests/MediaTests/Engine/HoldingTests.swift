// What calls need of the engine beyond offers and answers: people who are offered first, mute, hold, and who is told.

import Base
import Crypto
import TestKit
import Testing
import Wire

@testable import Media

@Suite struct HoldingTests {
    private final class Heard {
        var wishes: [ParticipantID] = []
        var events: [MediaEvent] = []
    }

    /// What one section of one peer has sent so far.
    private struct Camera {
        let peer: Int
        let section: Int
        var frame = 0
        var sequence: SequenceNumber = 1_000

        mutating func shoot(_ world: EngineWorld) {
            world.peer(peer).sendFrame(
                section: section, packets: 2, size: 800, timestamp: UInt32(frame) * 3_000, isKeyframe: frame % 10 == 0,
                pictureID: UInt16(frame & 0x7FFF), sequence: &sequence, now: world.net.now)
            frame += 1
        }
    }

    private func film(_ world: EngineWorld, _ camera: inout Camera, frames: Int) {
        for _ in 0..<frames {
            camera.shoot(world)
            world.run(.milliseconds(33))
        }
    }

    private func makeWorld(seed: UInt64) throws -> (EngineWorld, Heard) {
        let world = try EngineWorld(seed: seed)
        world.reportsNetwork = false
        let heard = Heard()
        world.engine.roomPolicy = { _ in .offerNew }
        world.engine.negotiationNeeded = { heard.wishes.append($0) }
        world.engine.onEvent = { heard.events.append($0) }
        return (world, heard)
    }

    private func settle(_ world: EngineWorld, _ heard: Heard) throws {
        world.run(.milliseconds(500))
        while !heard.wishes.isEmpty {
            let id = heard.wishes.removeFirst()
            guard let number = world.peers.firstIndex(where: { $0.id == id }) else { continue }
            try world.takeOffer(number)
            world.run(.milliseconds(50))
        }
    }

    private func packets(_ world: EngineWorld, _ number: Int) -> Int {
        world.peer(number).streams.values.filter { $0.retransmissions == 0 }.reduce(0) { $0 + $1.packets }
    }

    // MARK: Invited

    @Test func `somebody who is offered first sends and receives like everybody`() throws {
        let (world, heard) = try makeWorld(seed: 21)
        let first = try world.join("r", as: .participant, [.init(.audio, .sendOnly), .init(.video, .sendOnly)])
        world.run(.milliseconds(500))
        let invited = try world.invite("r", toSend: [.audio, .video])
        try settle(world, heard)
        #expect(world.peer(invited).phase == .connected)
        #expect(heard.events.contains(.connected(world.id(invited))))
        // His own two sections come first, then one for each track of the other.
        #expect(world.peer(invited).sections.map(\.direction) == [.sendOnly, .sendOnly, .receiveOnly, .receiveOnly])
        #expect(world.engine.shown(to: world.id(invited)).map(\.publisher) == [world.id(first), world.id(first)])
        #expect(world.engine.shown(to: world.id(first)).map(\.publisher) == [world.id(invited), world.id(invited)])
        var (there, back) = (Camera(peer: first, section: 1), Camera(peer: invited, section: 1))
        for _ in 0..<20 {
            there.shoot(world)
            back.shoot(world)
            world.run(.milliseconds(33))
        }
        #expect(packets(world, invited) == 40)
        #expect(packets(world, first) == 40)
    }

    @Test func `an invited one may answer that it shakes hands as the server`() throws {
        let (world, heard) = try makeWorld(seed: 22)
        let viewer = try world.join("r", as: .participant, [.init(.video, .receiveOnly)])
        let invited = try world.invite("r", toSend: [.video]) {
            $0.replacing("a=setup:active", with: "a=setup:passive")
        }
        // The soft peer is a client by nature, and so are we now: they do not understand each other. What matters is that
        // the role followed the answer, and that nobody else is harmed.
        #expect(world.engine.participants[world.id(invited)]?.negotiator.transport?.role == .client)
        try settle(world, heard)
        world.run(.seconds(40))
        #expect(world.peer(viewer).phase == .connected)
        #expect(world.engine.participants[world.id(invited)] == nil)
    }

    @Test func `an invitation with a refused answer can be taken back and made again`() throws {
        let (world, _) = try makeWorld(seed: 23)
        let peer = try SoftPeer([], identity: DTLSIdentity.make(), seed: 5)
        let invited = try world.engine.invite("r", toSend: [.audio], now: world.net.now)
        let answer = try peer.accept(offer: invited.sdp, now: world.net.now)
        for bad in ["", "v=0", answer.replacing("m=audio 9", with: "m=audio 0")] {
            #expect(throws: MediaError.self) {
                try world.engine.accept(answer: bad, from: invited.participant, now: world.net.now)
            }
        }
        try world.engine.rollback(invited.participant, now: world.net.now)
        let again = try #require(try world.engine.offer(to: invited.participant, now: world.net.now))
        #expect(again.contains("m=audio 9"))
        try world.engine.accept(answer: answer, from: invited.participant, now: world.net.now)
        #expect(world.engine.participants[invited.participant]?.tracks.map(\.kind) == [.audio])
    }

    @Test func `one who offers by himself before he answers an invitation is taken at his word`() throws {
        let (world, heard) = try makeWorld(seed: 24)
        let invited = try world.engine.invite("r", toSend: [.audio, .video], now: world.net.now)
        let peer = try SoftPeer([.init(.audio, .sendOnly)], identity: DTLSIdentity.make(), seed: 5)
        let answer = try world.engine.accept(offer: peer.offer(), from: invited.participant, now: world.net.now)
        try peer.accept(answer: answer, now: world.net.now)
        #expect(world.engine.participants[invited.participant]?.tracks.map(\.kind) == [.audio])
        #expect(world.engine.participants[invited.participant]?.negotiator.needsOffer == false)
        #expect(heard.wishes.isEmpty)
    }

    @Test func `who is invited and never answers is removed`() throws {
        let (world, _) = try makeWorld(seed: 25)
        let invited = try world.engine.invite("r", toSend: [.audio], now: world.net.now)
        world.run(.seconds(62))
        #expect(world.engine.participants[invited.participant] == nil)
        #expect(world.engine.rooms.isEmpty)
    }

    // MARK: Held

    @Test func `what is held reaches nobody, and what comes after it follows without a gap`() throws {
        let (world, heard) = try makeWorld(seed: 26)
        let publisher = try world.join("r", as: .participant, [.init(.video, .sendOnly)])
        let viewer = try world.join("r", as: .participant, [.init(.video, .receiveOnly)])
        try settle(world, heard)
        var camera = Camera(peer: publisher, section: 0)
        film(world, &camera, frames: 20)
        #expect(packets(world, viewer) == 40)
        try world.engine.hold(.video, of: world.id(publisher), now: world.net.now)
        film(world, &camera, frames: 200)
        #expect(packets(world, viewer) == 40)
        // The client goes on sending, and is not to believe that its network fails.
        let layers = world.engine.statistics(of: world.id(publisher), now: world.net.now)?.tracks.first?.layers
        #expect(layers?.first?.lost == 0)
        try world.engine.hold([], of: world.id(publisher), now: world.net.now)
        film(world, &camera, frames: 20)
        let stream = try #require(world.peer(viewer).streams.values.max { $0.packets < $1.packets })
        #expect(stream.packets >= 60)
        let numbers = stream.sequences.sorted()
        #expect(Int(numbers[numbers.count - 1] - numbers[0]) + 1 == numbers.count)
    }

    @Test func `held audio alone leaves video alone, and a track that comes later is held too`() throws {
        let (world, heard) = try makeWorld(seed: 27)
        let publisher = try world.join("r", as: .participant, [.init(.video, .sendOnly)])
        let viewer = try world.join(
            "r", as: .participant, [.init(.audio, .receiveOnly), .init(.video, .receiveOnly)])
        try settle(world, heard)
        try world.engine.hold(.audio, of: world.id(publisher), now: world.net.now)
        world.peer(publisher).add(.init(.audio, .sendOnly))
        try world.reoffer(publisher)
        var camera = Camera(peer: publisher, section: 0)
        var sequence: SequenceNumber = 1
        for _ in 0..<20 {
            world.peer(publisher).sendAudio(
                section: 1, level: 10, sequence: sequence, timestamp: UInt32(sequence) * 960, now: world.net.now)
            sequence += 1
            film(world, &camera, frames: 1)
        }
        #expect(packets(world, viewer) == 40)
        try world.engine.hold([], of: world.id(publisher), now: world.net.now)
        for _ in 0..<20 {
            world.peer(publisher).sendAudio(
                section: 1, level: 10, sequence: sequence, timestamp: UInt32(sequence) * 960, now: world.net.now)
            sequence += 1
            world.run(.milliseconds(20))
        }
        #expect(packets(world, viewer) == 60)
    }

    @Test func `who does not receive is shown nothing, and everything again afterwards`() throws {
        let (world, heard) = try makeWorld(seed: 28)
        let publisher = try world.join("r", as: .participant, [.init(.video, .sendOnly)])
        let viewer = try world.join("r", as: .participant, [.init(.video, .receiveOnly)])
        try settle(world, heard)
        var camera = Camera(peer: publisher, section: 0)
        film(world, &camera, frames: 10)
        try world.engine.setReceiving(false, of: world.id(viewer), now: world.net.now)
        #expect(world.engine.shown(to: world.id(viewer)).isEmpty)
        // Somebody new is not offered to him either.
        let other = try world.join("r", as: .participant, [.init(.video, .sendOnly)])
        try settle(world, heard)
        film(world, &camera, frames: 10)
        #expect(packets(world, viewer) == 20)
        #expect(world.peer(viewer).sections.count == 1)
        try world.engine.setReceiving(true, of: world.id(viewer), now: world.net.now)
        try settle(world, heard)
        let shown = Set(world.engine.shown(to: world.id(viewer)).map(\.publisher))
        #expect(shown == [world.id(publisher), world.id(other)])
        film(world, &camera, frames: 20)
        #expect(packets(world, viewer) >= 40)
    }

    // MARK: Told

    @Test func `a change of what is shown is told once, until somebody asks`() throws {
        let (world, heard) = try makeWorld(seed: 29)
        let viewer = try world.join("r", as: .participant, [.init(.video, .receiveOnly), .init(.audio, .receiveOnly)])
        _ = world.engine.shown(to: world.id(viewer))
        heard.events.removeAll()
        let publisher = try world.join("r", as: .participant, [.init(.audio, .sendOnly), .init(.video, .sendOnly)])
        let told = heard.events.filter { $0 == .shownChanged(world.id(viewer)) }
        #expect(told.count == 1)
        #expect(world.engine.shown(to: world.id(viewer)).count == 2)
        world.engine.leave(world.id(publisher), now: world.net.now)
        #expect(heard.events.filter { $0 == .shownChanged(world.id(viewer)) }.count == 2)
        #expect(world.engine.shown(to: world.id(viewer)).isEmpty)
    }
}
