// What somebody can do who has no place in the call: he may know addresses, and write any of them as his own.

import Base
import Crypto
import TestKit
import Testing
import Wire

@testable import Media

@Suite struct OutsiderAttackTests {
    @Test func `A ClientHello from a second address does not get into the handshake`() throws {
        let world = try EngineWorld(seed: 11)
        let stranger = TransportAddress(IPAddress(v4: 0xCB00_7101), 7_000)
        world.net.attach(stranger)
        let hello = DTLSSession.clientHello(now: world.net.now)
        #expect(!hello.isEmpty)
        let publisher = try world.join("r", as: .publisher, [.init(.video, .sendOnly)])
        world.run(.milliseconds(400)) { _ in
            world.net.send(hello, from: stranger, to: EngineWorld.serverAddress)
        }
        #expect(world.peer(publisher).phase == .connected)
        #expect(world.engine.paths.count == 1)
    }

    @Test func `Checks with a wrong password change nothing`() throws {
        let call = try AttackedCall(seed: 12)
        let before = Footprint(call.engine)
        let stranger = call.stranger(1)
        let check = try AttackedCall.check(
            naming: call.viewerPeer.remoteFragment, password: String(repeating: "x", count: 24), seed: 1, now: call.now)
        call.play(20) { _ in
            for _ in 0..<10 { call.send(check, from: stranger) }
            // And in the viewer's name.
            call.send(check, from: call.world.peers[call.viewer].address)
        }
        call.expectUndisturbed()
        #expect(Footprint(call.engine).paths == before.paths)
        #expect(Footprint(call.engine).fragments == before.fragments)
    }

    @Test func `Guessed fragments leave no trace`() throws {
        let call = try AttackedCall(seed: 13)
        let before = Footprint(call.engine)
        let stranger = call.stranger(1)
        var guess: UInt64 = 0
        call.play(20) { _ in
            for _ in 0..<5 {
                guess += 1
                let fragment = ICECredentials(
                    randomBytes: (0..<ICECredentials.randomByteCount).map {
                        UInt8(truncatingIfNeeded: guess &* 31 &+ UInt64($0))
                    }
                ).ufrag
                guard
                    let check = try? AttackedCall.check(
                        naming: fragment, password: String(repeating: "y", count: 24), seed: guess, now: call.now)
                else { continue }
                call.send(check, from: stranger)
            }
        }
        call.expectUndisturbed()
        #expect(Footprint(call.engine).paths == before.paths)
        #expect(call.engine.counters.strangers >= 100)
    }

    @Test func `Packets of any source that nobody signed take no state`() throws {
        let call = try AttackedCall(seed: 14)
        let participant = try #require(call.participant(call.publisher))
        let sources = participant.sources.count
        var random = SplitMix(seed: 3)
        call.play(30) { _ in
            for _ in 0..<10 {
                var packet = Bytes((0..<200).map { _ in UInt8(truncatingIfNeeded: random.next()) })
                packet[0] = 0x80
                packet[1] = 96
                call.send(packet, from: call.world.peers[call.publisher].address)
                packet[1] = 200
                call.send(packet, from: call.world.peers[call.viewer].address)
            }
        }
        call.expectUndisturbed()
        #expect(participant.sources.count == sources)
        #expect(participant.counters.forged > 1_000)
    }

    @Test func `Replayed and truncated packets are refused`() throws {
        let call = try AttackedCall(seed: 15)
        let participant = try #require(call.participant(call.publisher))
        var recorded: [Bytes] = []
        let from = call.world.peers[call.publisher].address
        call.play(20) { _ in
            recorded = (recorded + call.publisherPeer.outgoing).suffix(64)
            for (index, datagram) in recorded.enumerated() {
                call.send(datagram, from: from)
                call.send(Bytes(datagram.prefix(datagram.count * (index % 7) / 7)), from: from)
                // A number that was not seen yet, so that the window has nothing against it.
                guard datagram.count > 40 else { continue }
                var fresh = Bytes(datagram.dropLast(index % 20))
                fresh[2] &+= 16
                call.send(fresh, from: from)
            }
        }
        call.expectUndisturbed()
        #expect(participant.counters.replayed > 500)
        #expect(participant.counters.forged + participant.counters.malformed > 500)
    }

    @Test func `A path that its owner uses cannot be taken over from its own address`() throws {
        let call = try AttackedCall(seed: 16)
        // The villain is a participant with good credentials, and writes the publisher's address.
        let villain = try call.world.join("r", as: .viewer, [.init(.audio, .receiveOnly)])
        call.world.run(.milliseconds(300))
        let victim = call.world.peers[call.publisher].address
        call.play(60) { _ in
            if let check = call.world.peer(villain).makeCheck() { call.send(check, from: victim) }
        }
        call.expectUndisturbed()
    }

    @Test func `Fragments of no length and records of nothing do not end a call`() throws {
        let call = try AttackedCall(seed: 17)
        // A handshake record: type 22, version, epoch 0, sequence, length 12; a ClientHello of 0 bytes in 0 fragments.
        var fragment: Bytes = [22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 9, 0, 12]
        fragment += [1, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0]
        let empty: Bytes = [22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0]
        let alert: Bytes = [21, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 10, 0, 2, 2, 40]
        call.play(20) { _ in
            for datagram in [fragment, empty, alert, [22], [22, 0xFE]] {
                call.send(datagram, from: call.world.peers[call.publisher].address)
                call.send(datagram, from: call.world.peers[call.viewer].address)
            }
        }
        call.expectUndisturbed()
        #expect(call.engine.participants.count == 2)
    }

    @Test func `Fragments of no length do not end a handshake`() throws {
        let world = try EngineWorld(seed: 18)
        let publisher = try world.join("r", as: .publisher, [.init(.video, .sendOnly)])
        var fragment: Bytes = [22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 9, 0, 12]
        fragment += [1, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0]
        world.run(.milliseconds(400)) { _ in
            world.net.send(fragment, from: world.peers[publisher].address, to: EngineWorld.serverAddress)
        }
        #expect(world.peer(publisher).phase == .connected)
    }
}

extension DTLSSession {
    /// The first datagram of somebody else's handshake.
    static func clientHello(now: Instant) -> Bytes {
        guard let identity = try? DTLSIdentity.make(), let session = try? DTLSSession(.client, identity) else {
            return []
        }
        session.start(now: now)
        return session.takeDatagram() ?? []
    }
}
