import Base
import TestKit
import Testing
import Wire

@testable import Media

/// Messages between two associations over bad networks.
@Suite struct SCTPTransferTests {
    struct Case: Sendable {
        var name: String
        var loss: Double
        var duplication: Double
        var jitter: Double
    }

    static let networks = [
        Case(name: "clean", loss: 0, duplication: 0, jitter: 0),
        Case(name: "reordering", loss: 0, duplication: 0.05, jitter: 30),
        Case(name: "5 % loss", loss: 0.05, duplication: 0.02, jitter: 5),
        Case(name: "20 % loss", loss: 0.20, duplication: 0.05, jitter: 20),
    ]

    static func pair(_ network: Case, seed: UInt64) -> SCTPPair {
        SCTPPair(
            seed: seed,
            network: .init(loss: network.loss, duplication: network.duplication, jitter: network.jitter))
    }

    /// The bytes of message `number`, so that a mix-up of fragments shows.
    static func payload(_ number: Int, _ count: Int) -> Bytes {
        var random = SplitMix(seed: UInt64(number) &+ 77)
        let block = (0..<61).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        var payload: Bytes = []
        while payload.count < count { payload += block }
        return Bytes(payload.prefix(count))
    }

    @Test(arguments: networks, [UInt64(1), 2, 3])
    func `reliable messages arrive once, whole and in order`(network: Case, seed: UInt64) {
        let pair = Self.pair(network, seed: seed)
        pair.connect(both: seed == 2)
        #expect(pair.left.isConnected && pair.right.isConnected)
        var random = SplitMix(seed: seed)
        let sizes = (0..<120).map { _ in
            [1, 2, 40, 900, 1_104, 1_105, 5_000, 40_000].randomElement(using: &random) ?? 1
        }
        let payloads = sizes.enumerated().map { Self.payload($0, $1) }
        var sent = 0
        let total = sizes.count
        let done = pair.run(.seconds(900)) {
            while sent < total {
                let result = pair.left.send(
                    payloads[sent], on: UInt16(sent % 3), protocolID: UInt32(sent), now: pair.now)
                guard result == .accepted else { break }
                let back = pair.right.send(
                    Bytes(payloads[sent].prefix(3_000)), on: 7, protocolID: UInt32(sent), now: pair.now)
                #expect(back == .accepted)
                sent += 1
            }
            return pair.right.messages.count >= total && pair.left.messages.count >= total
        }
        #expect(done, "\(network.name): \(pair.right.messages.count) and \(pair.left.messages.count) arrived")
        pair.run(.seconds(60))
        #expect(pair.right.messages.count == total && pair.left.messages.count == total)
        for stream in 0..<3 {
            let numbers = pair.right.messages.filter { $0.streamID == stream }.map { Int($0.protocolID) }
            #expect(numbers == stride(from: stream, to: total, by: 3).map { $0 })
        }
        for message in pair.right.messages {
            let number = Int(message.protocolID)
            #expect(message.payload == payloads[number], "message \(number)")
        }
        #expect(pair.left.messages.map { Int($0.protocolID) } == Array(0..<total))
        #expect(pair.left.bufferedBytes == 0 && pair.right.bufferedBytes == 0)
        #expect(pair.left.largestPacket <= SCTPConfiguration().largestPacket)
    }

    @Test(arguments: [UInt64(11), 12, 13])
    func `unordered messages arrive once and whole`(seed: UInt64) {
        let pair = Self.pair(Self.networks[3], seed: seed)
        pair.connect()
        for number in 0..<150 {
            let result = pair.left.send(
                Self.payload(number, number % 7 == 0 ? 4_000 : 100), on: 1, protocolID: UInt32(number),
                reliability: .init(isOrdered: false), now: pair.now)
            #expect(result == .accepted)
        }
        #expect(pair.run(.seconds(300)) { pair.right.messages.count == 150 })
        #expect(Set(pair.right.messages.map(\.protocolID)).count == 150)
        for message in pair.right.messages {
            let number = Int(message.protocolID)
            #expect(message.payload == Self.payload(number, number % 7 == 0 ? 4_000 : 100))
        }
    }

    @Test(arguments: [true, false], [UInt64(21), 22, 23])
    func `what may be lost is lost whole, and the rest goes on`(isOrdered: Bool, seed: UInt64) {
        let pair = Self.pair(Self.networks[3], seed: seed)
        pair.connect()
        let reliability = DataChannelReliability(limit: .retransmissions(0), isOrdered: isOrdered)
        for number in 0..<300 {
            _ = pair.left.send(
                Self.payload(number, number % 5 == 0 ? 6_000 : 200), on: 2, protocolID: UInt32(number),
                reliability: reliability, now: pair.now)
            pair.run(.milliseconds(20))
        }
        // A reliable one behind them all: nothing is stuck.
        _ = pair.left.send([42], on: 2, protocolID: 9_999, now: pair.now)
        #expect(pair.run(.seconds(120)) { pair.right.messages.last?.protocolID == 9_999 })
        let numbers = pair.right.messages.dropLast().map { Int($0.protocolID) }
        #expect(numbers.count > 100 && numbers.count < 300)
        #expect(Set(numbers).count == numbers.count)
        if isOrdered { #expect(numbers == numbers.sorted()) }
        for message in pair.right.messages.dropLast() {
            let number = Int(message.protocolID)
            #expect(message.payload == Self.payload(number, number % 5 == 0 ? 6_000 : 200))
        }
        pair.run(.seconds(30))
        #expect(pair.left.bufferedBytes == 0)
        #expect(pair.left.counters.abandonedMessages > 0)
    }

    @Test func `a message older than its lifetime is given up, also half sent`() {
        let pair = SCTPPair(seed: 31)
        pair.connect()
        var isBroken = true
        pair.filter = { toRight, _ in toRight && isBroken }
        let short = DataChannelReliability(limit: .milliseconds(300), isOrdered: true)
        for number in 0..<10 {
            _ = pair.left.send(
                Self.payload(number, 50_000), on: 2, protocolID: UInt32(number), reliability: short, now: pair.now)
        }
        pair.run(.seconds(3))
        isBroken = false
        _ = pair.left.send([1], on: 2, protocolID: 77, reliability: short, now: pair.now)
        pair.run(.milliseconds(250))
        _ = pair.left.send([2], on: 2, protocolID: 78, now: pair.now)
        pair.run(.seconds(30))
        #expect(pair.right.messages.last?.protocolID == 78)
        #expect(!pair.right.messages.contains { $0.protocolID < 10 })
        #expect(pair.left.bufferedBytes == 0)
    }

    @Test func `a full buffer refuses, and takes again when the peer has taken`() {
        let pair = SCTPPair(seed: 41)
        pair.connect()
        let block = Bytes(repeating: 7, count: 100_000)
        var accepted = 0
        while pair.left.send(block, on: 1, protocolID: 53, now: pair.now) == .accepted { accepted += 1 }
        #expect(accepted == 10)
        #expect(pair.left.send(block, on: 1, protocolID: 53, now: pair.now) == .full)
        #expect(pair.left.bufferedBytes <= SCTPConfiguration().sendBuffer)
        pair.run(.seconds(30))
        #expect(pair.right.messages.count == accepted)
        #expect(pair.left.send(block, on: 1, protocolID: 53, now: pair.now) == .accepted)
    }

    @Test func `a peer that does not read closes its window, and opens it again`() {
        let pair = SCTPPair(seed: 51)
        pair.connect()
        pair.right.isReading = false
        let block = Bytes(repeating: 7, count: 100_000)
        var sent = 0
        for _ in 0..<200 {
            if pair.left.send(block, on: 1, protocolID: 53, now: pair.now) == .accepted { sent += 1 }
            pair.run(.milliseconds(200))
        }
        // Both buffers are full, nothing more.
        #expect(sent >= 19 && sent <= 24)
        #expect(pair.left.isConnected)
        pair.right.isReading = true
        #expect(pair.run(.seconds(120)) { pair.right.messages.count == sent })
    }

    @Test func `a loss on one stream does not hold up small messages of another`() {
        let pair = SCTPPair(seed: 61)
        pair.connect()
        pair.run(.seconds(1))
        var dropped = false
        pair.filter = { toRight, packet in
            guard toRight, packet.count > 12, packet[12] == SCTPChunk.data, !dropped else { return false }
            dropped = true
            return true
        }
        _ = pair.left.send([1], on: 1, protocolID: 1, now: pair.now)
        pair.run(.milliseconds(1))
        _ = pair.left.send([2], on: 2, protocolID: 2, now: pair.now)
        _ = pair.left.send([3], on: 2, protocolID: 3, now: pair.now)
        pair.run(.milliseconds(50))
        #expect(pair.right.messages.map(\.protocolID) == [2, 3])
        pair.run(.seconds(3))
        #expect(pair.right.messages.map(\.protocolID) == [2, 3, 1])
    }

    @Test func `a chunk lost once is sent again before any timeout`() {
        let pair = SCTPPair(seed: 71)
        pair.connect()
        var count = 0
        pair.filter = { toRight, packet in
            guard toRight, packet.count > 1_000 else { return false }
            count += 1
            return count == 5
        }
        _ = pair.left.send(Self.payload(1, 200_000), on: 1, protocolID: 53, now: pair.now)
        #expect(pair.run(.seconds(10)) { pair.right.messages.count == 1 })
        #expect(pair.left.counters.fastRetransmissions == 1)
        #expect(pair.left.counters.timeouts == 0)
    }

    @Test(arguments: [100, 200_000])
    func `the window grows on a clean path and throughput follows it`(count: Int) {
        let pair = SCTPPair(seed: 81)
        pair.connect()
        let before = pair.left.congestionWindow
        for _ in 0..<(400_000 / count) {
            #expect(
                pair.left.send(Self.payload(1, count), on: 1, protocolID: 53, now: pair.now) == .accepted)
        }
        #expect(pair.run(.seconds(5)) { pair.left.bufferedBytes == 0 })
        #expect(pair.left.congestionWindow > before * 2)
        #expect(pair.left.counters.retransmissions == 0)
    }
}
