import Base
import Crypto
import TestKit
import Testing
import Wire

@testable import Media

/// Calls of a few people who do what comes to their mind: whatever the order, everybody sees everybody in the end, and
/// nothing is left when all have gone.
@Suite struct RandomCallTests {
    private final class Call {
        let world: EngineWorld
        var random: SplitMix
        var wishes: [ParticipantID] = []
        /// Who is in the call.
        var present: [Int] = []
        /// Offers of the server that have not been answered.
        var held: [Int: String] = [:]
        var sequences: [Int: SequenceNumber] = [:]
        var frames = 0
        let identity: DTLSIdentity

        init(seed: UInt64) throws {
            world = try EngineWorld(seed: seed)
            random = SplitMix(seed: seed)
            identity = try DTLSIdentity.make()
            world.engine.roomPolicy = { _ in .offerNew }
            world.engine.negotiationNeeded = { [unowned self] in wishes.append($0) }
        }

        func join() throws {
            guard present.count < 6 else { return }
            var link = SimLink(delay: .milliseconds(5))
            link.loss = .random(0.02)
            let (up, down) = (world.net.add(link), world.net.add(link))
            let sections: [[SoftPeer.Section]] = [
                [.init(.audio, .sendOnly), .init(.video, .sendOnly)],
                [.init(.video, .sendReceive), .init(.application, .sendReceive)],
                [.init(.application, .sendReceive)],
                [.init(.audio, .sendReceive), .init(.video, .receiveOnly)],
            ]
            present.append(
                try world.join(
                    "r", as: .publisher, sections.randomElement(using: &random) ?? [], up: [up], down: [down],
                    identity: identity))
        }

        func step() throws {
            guard let number = present.randomElement(using: &random) else { return try join() }
            let peer = world.peer(number)
            switch Int.random(in: 0..<12, using: &random) {
            case 0: try join()
            case 1:
                world.engine.leave(world.id(number), now: world.net.now)
                present.removeAll { $0 == number }
                held[number] = nil
            case 2 where peer.sections.count < 12:
                peer.add(.init(Bool.random(using: &random) ? .video : .audio, .sendOnly))
                try reoffer(number)
            case 3:
                // The first section is its own, whatever the server has added since.
                let directions = [SDPDirection.sendReceive, .sendOnly, .receiveOnly, .inactive]
                peer.turn(0, directions[Int.random(in: 0..<4, using: &random)])
                try reoffer(number)
            case 4:
                peer.renewCredentials()
                try reoffer(number)
            case 5: try world.engine.restartICE(of: world.id(number), now: world.net.now)
            case 6 where held[number] == nil:
                held[number] = try world.engine.offer(to: world.id(number), now: world.net.now)
            case 7: try answerHeld(number)
            case 8 where held[number] != nil:
                held[number] = nil
                try world.engine.rollback(world.id(number), now: world.net.now)
            case 9: _ = peer.openChannel(DataChannelOpen(label: "\(frames % 3)"), now: world.net.now)
            case 10: _ = peer.say(Bytes(repeating: 1, count: 3_000), on: "\(frames % 3)", now: world.net.now)
            default: peer.closeChannel("\(frames % 3)", now: world.net.now)
            }
            talk()
        }

        /// Glare, when an offer of the server is out: that one is forgotten.
        private func reoffer(_ number: Int) throws {
            held[number] = nil
            try world.reoffer(number)
        }

        private func answerHeld(_ number: Int) throws {
            guard let offer = held.removeValue(forKey: number) else { return }
            let answer = try world.peer(number).accept(offer: offer, now: world.net.now)
            try world.engine.accept(answer: answer, from: world.id(number), now: world.net.now)
        }

        private func talk() {
            for number in present {
                let peer = world.peer(number)
                for index in peer.sections.indices where peer.sections[index].kind == .video {
                    peer.sendFrame(
                        section: index, packets: 2, size: 500, timestamp: UInt32(frames) * 3_000,
                        isKeyframe: frames % 5 == 0, pictureID: UInt16(frames & 0x7FFF),
                        sequence: &sequences[number * 100 + index, default: 1], now: world.net.now)
                }
            }
            frames += 1
            world.run(.milliseconds(Int64.random(in: 1...60, using: &random)))
        }

        func settle() throws {
            world.run(.seconds(2))
            for number in present { try answerHeld(number) }
            var rounds = 0
            repeat {
                wishes.removeAll()
                for number in present { try world.takeOffer(number) }
                world.run(.milliseconds(200))
                rounds += 1
            } while !wishes.isEmpty && rounds < 20
            world.run(.seconds(2))
        }
    }

    @Test(arguments: 1...12 as ClosedRange<UInt64>)
    func `people who join, leave, turn and restart at random end up seeing each other`(seed: UInt64) throws {
        let call = try Call(seed: seed)
        let slots = call.world.engine.slab.freeCount
        for _ in 0..<120 { try call.step() }
        try call.settle()
        let engine = call.world.engine
        #expect(engine.participants.count == call.present.count)
        var shown = 0
        for number in call.present {
            #expect(call.world.peer(number).phase == .connected)
            let seen = Set(engine.shown(to: call.world.id(number)).map(\.track))
            let sent = call.present.filter { $0 != number }.flatMap { other in
                engine.participants[call.world.id(other)]?.tracks.map(\.id) ?? []
            }
            // Direction changes may have refused a section for good; what is shown is never more than there is.
            #expect(seen.isSubset(of: sent))
            shown += seen.count
            let dedicated = engine.participants[call.world.id(number)]?.dedicated.values
            #expect(Set(sent).subtracting(seen).isSubset(of: Set(dedicated.map(Array.init) ?? [])))
            #expect(engine.participants[call.world.id(number)]?.ice.pendingUfrag == nil)
        }
        #expect(engine.ufrags.count == call.present.count)
        #expect(call.present.count < 3 || shown > 0)
        for number in call.present { engine.leave(call.world.id(number), now: call.world.net.now) }
        call.world.run(.milliseconds(100))
        #expect(engine.participants.count == 0 && engine.rooms.isEmpty)
        #expect(engine.ufrags.count == 0 && engine.paths.count == 0)
        #expect(engine.slab.freeCount == slots)
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func `garbage inside of DTLS ends nobody else's channels`(seed: UInt64) throws {
        let world = try EngineWorld(seed: seed)
        for _ in 0..<3 { _ = try world.join("r", as: .viewer, [.init(.application, .sendReceive)]) }
        world.run(.seconds(1))
        for entry in world.peers { _ = entry.peer.openChannel(DataChannelOpen(label: "chat"), now: world.net.now) }
        world.run(.seconds(1))
        var random = SplitMix(seed: seed)
        for round in 0..<400 {
            world.peer(0).sendGarbage(using: &random)
            if round % 10 == 0 { _ = world.peer(0).say([99], on: "chat", now: world.net.now) }
            if round % 20 == 0 { _ = world.peer(1).say([UInt8(round / 20)], on: "chat", now: world.net.now) }
            world.run(.milliseconds(5))
        }
        world.run(.seconds(2))
        let heard = world.peer(2).data?.messages(on: "chat").filter { $0.count == 1 && $0[0] < 20 }
        #expect(heard == (0..<20).map { [UInt8($0)] })
        #expect(world.peer(1).phase == .connected && world.peer(2).phase == .connected)
        // Either it was thrown out, or what it said was counted.
        let counters = world.engine.participants[world.id(0)]?.data?.channels.counters
        #expect(counters.map { $0.malformed + $0.unusable + $0.duplicateChunks + $0.ignored > 50 } ?? true)
    }
}
