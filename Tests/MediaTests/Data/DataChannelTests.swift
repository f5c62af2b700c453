import Base
import TestKit
import Testing
import Wire

@testable import Media

@Suite struct DataChannelTests {
    final class Side {
        var channels: DataChannels
        var events: [DataChannels.Event] = []

        init(_ role: DataChannels.Role, seed: UInt64, _ configuration: SCTPConfiguration = .init()) {
            var random = SplitMix(seed: seed)
            channels = DataChannels(role: role, configuration: configuration, random: &random)
        }

        func open(_ open: DataChannelOpen, _ now: Instant) -> UInt16? { channels.open(open, now: now) }
        func send(_ payload: Bytes, _ kind: DataChannels.Kind, _ id: UInt16, _ now: Instant) -> SCTPSendResult {
            channels.send(payload, kind, on: id, now: now)
        }
        func channel(_ id: UInt16) -> DataChannels.Channel? { channels[id] }
        func add(_ open: DataChannelOpen, id: UInt16) -> Bool { channels.addNegotiated(open, id: id) }
        var ids: [UInt16] { channels.channelIDs }
        var refused: Int { channels.refusedChannels }
        var dropped: Int { channels.droppedMessages }
    }

    /// Client and server over a network without delay.
    final class Pair {
        let client: Side
        let server: Side
        var now = Instant(nanoseconds: 1_000_000_000)

        init(_ second: DataChannels.Role = .dtlsServer) {
            client = Side(.dtlsClient, seed: 1)
            server = Side(second, seed: 2)
            client.channels.connect(now: now)
            server.channels.connect(now: now)
            settle()
        }

        func settle() {
            var packet: Bytes = []
            var isBusy = true
            while isBusy {
                isBusy = false
                for (from, to) in [(client, server), (server, client)] {
                    while from.channels.nextPacket(into: &packet, now: now) {
                        to.channels.receive(packet.span.bytes, now: now)
                        isBusy = true
                    }
                    while let event = to.channels.nextEvent(now: now) { to.events.append(event) }
                    while let event = from.channels.nextEvent(now: now) { from.events.append(event) }
                }
            }
        }

        func wait(_ time: Duration) {
            now = now + time
            client.channels.handleTimeout(now: now)
            server.channels.handleTimeout(now: now)
            settle()
        }
    }

    @Test func `channels open from both sides with numbers of their own`() throws {
        let pair = Pair()
        #expect(pair.client.events == [.connected] && pair.server.events == [.connected])
        let reliability = DataChannelReliability(limit: .retransmissions(2), isOrdered: false)
        let chat = try #require(
            pair.client.open(.init(label: "chat", protocol: "v1", reliability: reliability), pair.now))
        let files = try #require(pair.server.open(.init(label: "files"), pair.now))
        #expect(chat == 0 && files == 1)
        pair.settle()
        #expect(pair.client.events.contains(.opened(chat)) && pair.client.events.contains(.opened(files)))
        #expect(pair.server.events.contains(.opened(chat)) && pair.server.events.contains(.opened(files)))
        let seen = try #require(pair.server.channel(chat))
        #expect(seen.label == "chat" && seen.protocol == "v1" && seen.reliability == reliability)
    }

    @Test func `texts, bytes and empty messages arrive as what they are`() throws {
        let pair = Pair()
        let id = try #require(pair.client.open(.init(label: "a"), pair.now))
        for (payload, kind) in [(Bytes("hé".utf8), .string), ([1, 2], .binary), ([], .string), ([], .binary)]
            as [(Bytes, DataChannels.Kind)]
        {
            // Also before the acknowledgement.
            #expect(pair.client.send(payload, kind, id, pair.now) == .accepted)
        }
        pair.settle()
        let messages = pair.server.events.filter { if case .message = $0 { true } else { false } }
        #expect(
            messages == [
                .message(id, .string, Bytes("hé".utf8)), .message(id, .binary, [1, 2]), .message(id, .string, []),
                .message(id, .binary, []),
            ])
    }

    @Test(arguments: [true, false])
    func `a closed channel is closed on both sides, and its number is free again`(byClient: Bool) throws {
        let pair = Pair()
        for round in 1...3 {
            let id = try #require(pair.client.open(.init(label: "a"), pair.now))
            #expect(id == 0)
            pair.settle()
            _ = pair.client.send([9], .binary, id, pair.now)
            if byClient {
                pair.client.channels.close(id, now: pair.now)
            } else {
                pair.server.channels.close(id, now: pair.now)
            }
            pair.settle()
            pair.wait(.seconds(2))
            pair.wait(.seconds(2))
            for side in [pair.client, pair.server] {
                #expect(side.events.filter { $0 == .closed(id) }.count == round)
                #expect(side.ids.isEmpty)
            }
            #expect(pair.client.send([9], .binary, id, pair.now) == .refused)
        }
    }

    @Test func `a channel of the wrong parity is closed at once`() throws {
        let pair = Pair(.dtlsClient)
        let id = try #require(pair.client.open(.init(label: "a"), pair.now))
        pair.settle()
        pair.wait(.seconds(2))
        #expect(pair.server.refused == 1 && pair.server.ids.isEmpty)
        #expect(pair.client.events.contains(.closed(id)) && pair.client.ids.isEmpty)
        // The number works again for whoever may use it.
        #expect(pair.client.open(.init(label: "b"), pair.now) == id)
    }

    @Test func `channels have a bound on both sides`() throws {
        let pair = Pair()
        for number in 0..<DataChannels.most {
            #expect(pair.client.open(.init(label: "c\(number)"), pair.now) != nil)
        }
        #expect(pair.client.open(.init(label: "one more"), pair.now) == nil)
        pair.settle()
        #expect(pair.server.ids.count == DataChannels.most)
        #expect(pair.server.open(.init(label: "one more"), pair.now) == nil)
        // Both take the last place at the same time.
        pair.client.channels.close(0, now: pair.now)
        pair.settle()
        pair.wait(.seconds(2))
        #expect(pair.client.ids.count == DataChannels.most - 1)
        #expect(pair.server.open(.init(label: "last"), pair.now) == 1)
        #expect(pair.client.open(.init(label: "crossing"), pair.now) == 0)
        pair.settle()
        pair.wait(.seconds(2))
        #expect(pair.server.refused == 1 && pair.client.refused == 1)
    }

    @Test func `negotiated channels need no message`() {
        let pair = Pair()
        #expect(pair.client.add(.init(label: "n"), id: 500))
        #expect(pair.server.add(.init(label: "n"), id: 500))
        #expect(!pair.server.add(.init(label: "m"), id: 500))
        #expect(!pair.server.add(.init(label: "m"), id: UInt16(SCTPLimits.streams)))
        #expect(pair.client.send([1], .binary, 500, pair.now) == .accepted)
        pair.settle()
        #expect(pair.server.events.contains(.message(500, .binary, [1])))
    }

    @Test func `a message for no channel is dropped and counted`() {
        let pair = Pair()
        _ = pair.client.channels.addNegotiated(.init(label: "n"), id: 7)
        _ = pair.client.send([1], .binary, 7, pair.now)
        pair.settle()
        #expect(pair.server.dropped == 1)
        #expect(pair.server.events == [.connected])
    }

    @Test func `the end closes every channel first`() throws {
        let pair = Pair()
        let id = try #require(pair.client.open(.init(label: "a"), pair.now))
        pair.settle()
        pair.client.channels.abort(now: pair.now)
        pair.settle()
        #expect(pair.client.events.suffix(2) == [.closed(id), .ended(.abortedLocally)])
        #expect(pair.server.events.suffix(2) == [.closed(id), .ended(.abortedByPeer(cause: SCTPCause.userAbort))])
    }

    // MARK: - The fan-out

    @Test func `a message goes to the same label of everybody else`() {
        var fanOut = DataFanOut()
        for member in 0..<4 { #expect(taken { fanOut.channelOpened(member, UInt16(member * 2), label: "chat") }) }
        #expect(taken { fanOut.channelOpened(1, 9, label: "files") })
        #expect(!taken { fanOut.channelOpened(1, 11, label: "files") })
        let now = Instant(nanoseconds: 1)
        #expect(taken { fanOut.verdict(on: [1], from: 2, label: "chat", reliability: .init(), now: now) } == .forward)
        #expect(fanOut.recipients(label: "chat").map(\.member) == [0, 1, 2, 3])
        #expect(taken { fanOut.verdict(on: [1], from: 2, label: "files", reliability: .init(), now: now) } == .unknown)
        fanOut.channelClosed(0, 0, label: "chat")
        fanOut.leave(1)
        #expect(fanOut.recipients(label: "chat").map(\.member) == [2, 3])
        #expect(fanOut.recipients(label: "files").isEmpty)
    }

    @Test func `whoever sends too much is stopped, and nobody else`() {
        var fanOut = DataFanOut()
        for member in 0..<2 { _ = fanOut.channelOpened(member, 0, label: "chat") }
        var now = Instant(nanoseconds: 1)
        let block = Bytes(repeating: 1, count: 100_000)
        let lossy = DataChannelReliability(limit: .retransmissions(0), isOrdered: false)
        var passed = 0
        for _ in 0..<1_000 {
            if fanOut.verdict(on: block, from: 0, label: "chat", reliability: lossy, now: now) == .forward {
                passed += 1
            }
            now = now + .milliseconds(10)
        }
        // The burst, and ten seconds of the rate.
        #expect((58...63).contains(passed))
        #expect(
            taken { fanOut.verdict(on: block, from: 0, label: "chat", reliability: lossy, now: now) } == .tooFast(.drop)
        )
        #expect(
            taken { fanOut.verdict(on: block, from: 0, label: "chat", reliability: .init(), now: now) }
                == .tooFast(.close))
        #expect(taken { fanOut.verdict(on: block, from: 1, label: "chat", reliability: .init(), now: now) } == .forward)
    }

    @Test func `in a large room a message costs more`() {
        let now = Instant(nanoseconds: 1)
        var passed: [Int] = []
        for members in [64, 65, 640] {
            var fanOut = DataFanOut()
            for member in 0..<members { _ = fanOut.channelOpened(member, 0, label: "chat") }
            let block = Bytes(repeating: 1, count: 10_000)
            passed.append(
                (0..<200).count { _ in
                    fanOut.verdict(on: block, from: 0, label: "chat", reliability: .init(), now: now) == .forward
                })
        }
        #expect(passed == [103, 51, 10])
    }

    @Test func `labels have a bound`() {
        var fanOut = DataFanOut()
        for number in 0..<DataFanOut.mostLabels {
            #expect(taken { fanOut.channelOpened(number, 0, label: "\(number)") })
        }
        #expect(!taken { fanOut.channelOpened(1, 0, label: "one more") })
        #expect(taken { fanOut.channelOpened(1, 0, label: "0") })
    }

    @Test func `a slow subscriber loses its own messages and holds up nobody`() throws {
        // Everybody's server side; the slow one's packets go nowhere.
        let fast = Pair()
        let slow = Pair()
        let lossy = DataChannelReliability(limit: .milliseconds(100), isOrdered: false)
        let fastID = try #require(fast.client.open(.init(label: "x", reliability: lossy), fast.now))
        let slowID = try #require(slow.client.open(.init(label: "x", reliability: lossy), slow.now))
        fast.settle()
        slow.settle()
        let payload = Bytes(repeating: 5, count: 10_000)
        var refusals = 0
        for _ in 0..<300 {
            #expect(fast.server.send(payload, .binary, fastID, fast.now) == .accepted)
            if slow.server.send(payload, .binary, slowID, slow.now) == .full { refusals += 1 }
            fast.settle()
        }
        let arrived = fast.client.events.filter { if case .message = $0 { true } else { false } }.count
        #expect(arrived == 300)
        #expect(refusals > 150)
        let buffered = slow.server.channels.bufferedBytes
        #expect(buffered <= SCTPConfiguration().sendBuffer)
    }
}
