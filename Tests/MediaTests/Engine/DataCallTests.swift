import Base
import Crypto
import TestKit
import Testing
import Wire

@testable import Media

@Suite struct DataCallTests {
    private static let application = SoftPeer.Section(.application, .sendReceive)

    /// A room of people with data channels over a lossy, jittery network, everyone with a channel of that label open.
    private func room(
        _ count: Int, seed: UInt64, loss: Double = 0.02, sections: [SoftPeer.Section] = [application],
        _ open: DataChannelOpen = DataChannelOpen(label: "chat")
    ) throws -> EngineWorld {
        let world = try EngineWorld(seed: seed)
        for _ in 0..<count {
            var link = SimLink(delay: .milliseconds(20))
            link.loss = .random(loss)
            link.reorder = loss > 0 ? 0.05 : 0
            let (up, down) = (world.net.add(link), world.net.add(link))
            _ = try world.join("r", as: .publisher, sections, up: [up], down: [down])
        }
        #expect(world.run(upTo: .seconds(10)) { world.peers.allSatisfy { $0.peer.data?.isConnected == true } })
        for entry in world.peers { #expect(entry.peer.openChannel(open, now: world.net.now)) }
        world.run(.seconds(2))
        return world
    }

    private func payload(_ size: Int, _ number: Int) -> Bytes {
        var payload = Bytes(repeating: UInt8(truncatingIfNeeded: number), count: size)
        for index in stride(from: 0, to: size, by: 97) { payload[index] = UInt8(truncatingIfNeeded: index / 97) }
        return payload
    }

    @Test(arguments: [2, 5], [1, 2] as [UInt64])
    func `what one says reaches all others once and in order, though packets are lost`(
        count: Int, seed: UInt64
    ) throws {
        let world = try room(count, seed: seed, loss: 0.05)
        for number in 0..<30 {
            for speaker in 0..<count {
                let text = Bytes("\(speaker):\(number)".utf8)
                #expect(world.peer(speaker).say(text, .string, on: "chat", now: world.net.now) == .accepted)
            }
            world.run(.milliseconds(20))
        }
        world.run(.seconds(10))
        for listener in 0..<count {
            let heard = try #require(world.peer(listener).data?.messages)
            for speaker in 0..<count {
                let texts = heard.map { String(decoding: $0.payload, as: UTF8.self) }
                    .filter { $0.hasPrefix("\(speaker):") }
                #expect(texts == (speaker == listener ? [] : (0..<30).map { "\(speaker):\($0)" }))
            }
            #expect(heard.allSatisfy { $0.kind == .string && $0.label == "chat" })
        }
    }

    @Test func `large messages arrive whole beside media both ways`() throws {
        let sections = [SoftPeer.Section(.video, .sendReceive), Self.application]
        let world = try room(2, seed: 3, loss: 0.01, sections: sections)
        let file = payload(200_000, 7)
        #expect(world.peer(0).say(file, on: "chat", now: world.net.now) == .accepted)
        var sequences: [SequenceNumber] = [10, 20]
        for frame in 0..<90 {
            for number in 0...1 {
                world.peer(number).sendFrame(
                    section: 0, packets: 3, size: 900, timestamp: UInt32(frame) * 3_000, isKeyframe: frame % 30 == 0,
                    pictureID: UInt16(frame), sequence: &sequences[number], now: world.net.now)
            }
            world.run(.milliseconds(33))
        }
        world.run(.seconds(5))
        #expect(world.peer(1).data?.messages(on: "chat") == [file])
        for number in 0...1 {
            // One percent is lost each way, and no repair is asked for by a soft peer.
            #expect((world.peer(number).streams.values.map(\.packets).max() ?? 0) > 240)
            #expect(world.peer(number).unreadable == 0)
        }
    }

    @Test func `an unordered channel without retransmissions loses messages and nothing else`() throws {
        let reliability = DataChannelReliability(limit: .retransmissions(0), isOrdered: false)
        let world = try room(2, seed: 4, loss: 0.15, DataChannelOpen(label: "moves", reliability: reliability))
        for number in 0..<300 {
            _ = world.peer(0).say(payload(200, number), on: "moves", now: world.net.now)
            world.run(.milliseconds(10))
        }
        world.run(.seconds(3))
        let heard = try #require(world.peer(1).data?.messages(on: "moves"))
        // Lost on the way up or down: a quarter.
        #expect(heard.count > 180 && heard.count < 270)
        #expect(Set(heard.map { $0[1] }).count == heard.count || heard.count <= 256)
        #expect(heard.allSatisfy { $0.count == 200 })
    }

    @Test func `labels keep apart, and a closed channel hears nothing more`() throws {
        let world = try room(3, seed: 5)
        #expect(world.peer(0).openChannel(DataChannelOpen(label: "files"), now: world.net.now))
        #expect(world.peer(1).openChannel(DataChannelOpen(label: "files"), now: world.net.now))
        world.run(.seconds(1))
        _ = world.peer(0).say([1], on: "files", now: world.net.now)
        world.peer(2).closeChannel("chat", now: world.net.now)
        world.run(.seconds(3))
        #expect(world.peer(1).data?.messages.map(\.label) == ["files"])
        #expect(world.peer(2).data?.messages == [])
        #expect(world.peer(2).data?.closed == ["chat"])
        _ = world.peer(0).say([2], on: "chat", now: world.net.now)
        world.run(.seconds(2))
        #expect(world.peer(1).data?.messages(on: "chat") == [[2]])
        #expect(world.peer(2).data?.messages == [])
        // And opens again.
        #expect(world.peer(2).openChannel(DataChannelOpen(label: "chat"), now: world.net.now))
        world.run(.seconds(1))
        _ = world.peer(0).say([3], on: "chat", now: world.net.now)
        world.run(.seconds(2))
        #expect(world.peer(2).data?.messages(on: "chat") == [[3]])
    }

    @Test func `who joins in mid-call hears what is said from then on, and who leaves is not missed`() throws {
        let world = try room(2, seed: 6)
        _ = world.peer(0).say([1], on: "chat", now: world.net.now)
        world.run(.seconds(1))
        let late = try world.join("r", as: .viewer, [Self.application])
        world.run(.seconds(2))
        #expect(world.peer(late).openChannel(DataChannelOpen(label: "chat"), now: world.net.now))
        world.run(.seconds(1))
        _ = world.peer(0).say([2], on: "chat", now: world.net.now)
        world.run(.seconds(1))
        #expect(world.peer(late).data?.messages(on: "chat") == [[2]])
        world.engine.leave(world.peers[1].id, now: world.net.now)
        world.run(.seconds(1))
        #expect(world.peer(1).data?.closed == ["chat"])
        #expect(world.peer(1).phase == .closed)
        _ = world.peer(late).say([3], on: "chat", now: world.net.now)
        world.run(.seconds(1))
        #expect(world.peer(0).data?.messages(on: "chat") == [[3]])
        #expect(world.engine.rooms["r"]?.data.fanOut.recipients(label: "chat").count == 2)
    }

    @Test func `a peer that knows no SRTP has data channels all the same`() throws {
        let world = try EngineWorld(seed: 7)
        _ = try world.join("r", as: .viewer, [Self.application])
        let plain = try world.join(
            "r", as: .viewer, [Self.application], identity: try DTLSIdentity.make(offersSRTP: false))
        world.run(.seconds(2))
        for number in [0, plain] {
            #expect(world.peer(number).phase == .connected)
            #expect(world.peer(number).openChannel(DataChannelOpen(label: "chat"), now: world.net.now))
        }
        // Longer than a participant may take to connect.
        world.run(.seconds(62))
        _ = world.peer(0).say([1, 2], on: "chat", now: world.net.now)
        world.run(.seconds(1))
        #expect(world.peer(plain).data?.messages(on: "chat") == [[1, 2]])
        #expect(world.engine.participants.count == 2)
    }

    @Test func `with media agreed, a peer without SRTP is refused`() throws {
        let world = try EngineWorld(seed: 8)
        let number = try world.join(
            "r", as: .publisher, [.init(.audio, .sendOnly), Self.application],
            identity: try DTLSIdentity.make(offersSRTP: false))
        world.run(.seconds(3))
        #expect(world.peer(number).phase == .failed)
        #expect(world.engine.participants.count == 0)
    }

    @Test func `a flood on a reliable channel closes it, and the others go on`() throws {
        let world = try room(3, seed: 9, loss: 0)
        for number in 0..<40 {
            _ = world.peer(0).say(payload(60_000, number), on: "chat", now: world.net.now)
            _ = world.peer(2).say([UInt8(number)], on: "chat", now: world.net.now)
            world.run(.milliseconds(25))
        }
        world.run(.seconds(5))
        #expect(world.peer(0).data?.closed == ["chat"])
        let heard = try #require(world.peer(1).data?.messages(on: "chat"))
        #expect(heard.filter { $0.count == 1 } == (0..<40).map { [UInt8($0)] })
        let flood = heard.filter { $0.count > 1 }.reduce(0) { $0 + $1.count }
        #expect(flood > 900_000 && flood < 1_048_576 + 2 * 524_288)
    }

    @Test func `a subscriber that takes nothing loses its reliable channel, and nobody waits for it`() throws {
        let world = try room(3, seed: 10, loss: 0)
        world.peer(2).data?.isReading = false
        for number in 0..<60 {
            #expect(world.peer(0).say(payload(50_000, number), on: "chat", now: world.net.now) != .notConnected)
            world.run(.milliseconds(150))
        }
        world.run(.seconds(3))
        #expect(world.peer(1).data?.messages(on: "chat").count == 60)
        #expect(world.engine.bufferedData(of: world.peers[2].id) <= 1_048_576)
        world.peer(2).data?.isReading = true
        world.run(.seconds(20))
        #expect(world.peer(2).data?.closed == ["chat"])
    }

    @Test func `a section that is given up ends the channels and not the media`() throws {
        let world = try room(3, seed: 13, sections: [Self.application, .init(.audio, .sendReceive)])
        world.peer(1).stop(0)
        try world.reoffer(1)
        _ = world.peer(0).say([1], on: "chat", now: world.net.now)
        world.peer(1).sendMedia(
            [1, 2], section: 1, type: SoftPeer.opus, sequence: 1, timestamp: 0, marker: false, now: world.net.now)
        world.run(.seconds(2))
        #expect(world.peer(1).data?.messages == [] && world.peer(1).data?.closed == ["chat"])
        #expect(world.peer(2).data?.messages(on: "chat") == [[1]])
        #expect(world.engine.rooms["r"]?.data.fanOut.recipients(label: "chat").count == 2)
        #expect(world.engine.participants.count == 3)
    }

    @Test func `who takes no message of that length loses a reliable channel, not a message of it`() throws {
        let world = try room(2, seed: 14)
        let short = try SoftPeer([Self.application], identity: try DTLSIdentity.make(), seed: 5)
        let number = try world.join("r", as: .viewer, short) { $0.replacing("size:262144", with: "size:1000") }
        world.run(.seconds(1))
        #expect(world.peer(number).openChannel(DataChannelOpen(label: "chat"), now: world.net.now))
        world.run(.seconds(1))
        _ = world.peer(0).say([1], on: "chat", now: world.net.now)
        _ = world.peer(0).say(payload(1_001, 2), on: "chat", now: world.net.now)
        _ = world.peer(0).say([3], on: "chat", now: world.net.now)
        world.run(.seconds(2))
        #expect(world.peer(number).data?.messages(on: "chat") == [[1]])
        #expect(world.peer(number).data?.closed == ["chat"])
        #expect(world.peer(1).data?.messages(on: "chat").count == 3)
    }

    @Test func `the server speaks to one and to all, on channels of its own too`() throws {
        let world = try room(2, seed: 11)
        let now = world.net.now
        #expect(world.engine.send([1], .binary, label: "chat", to: world.peers[0].id, now: now) == .accepted)
        #expect(world.engine.send([2], .binary, label: "chat", toRoom: "r", now: now) == 2)
        #expect(world.engine.send([3], .binary, label: "none", to: world.peers[0].id, now: now) == .notConnected)
        #expect(world.engine.openChannel(DataChannelOpen(label: "server"), to: world.peers[1].id, now: now))
        world.run(.seconds(1))
        #expect(
            world.engine.send(Bytes("hi".utf8), .string, label: "server", to: world.peers[1].id, now: world.net.now)
                == .accepted)
        world.run(.seconds(1))
        #expect(world.peer(0).data?.messages(on: "chat") == [[1], [2]])
        #expect(world.peer(1).data?.messages(on: "chat") == [[2]])
        #expect(world.peer(1).data?.messages(on: "server") == [Bytes("hi".utf8)])
    }

    @Test func `without a data section the handshake's memory is given back at the first media packet`() throws {
        let world = try EngineWorld(seed: 12)
        let media = try world.join("r", as: .publisher, [.init(.audio, .sendOnly)])
        let both = try world.join("r", as: .publisher, [.init(.audio, .sendOnly), Self.application])
        world.run(.seconds(1))
        for number in [media, both] {
            world.peer(number).sendMedia(
                [1, 2, 3], section: 0, type: SoftPeer.opus, sequence: 1, timestamp: 0, marker: false,
                now: world.net.now)
        }
        world.run(.milliseconds(50))
        #expect(world.engine.participants[world.peers[media].id]?.handshake.isReleased == true)
        #expect(world.engine.participants[world.peers[both].id]?.handshake.isReleased == false)
    }
}
