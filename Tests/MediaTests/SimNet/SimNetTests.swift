// The simulated network does what its links say, and the same thing for the same seed.

import Base
import TestKit
import Testing
import Wire

@Suite struct SimNetTests {
    private let left = TransportAddress(IPAddress(v4: 0x0A00_0001), 1_000)
    private let right = TransportAddress(IPAddress(v4: 0x0A00_0002), 2_000)

    private func pair(_ link: SimLink, seed: UInt64 = 1) -> (net: SimNet, link: SimNet.LinkID) {
        var net = SimNet(seed: seed)
        let id = net.add(link)
        net.attach(left, up: [id])
        net.attach(right)
        return (net, id)
    }

    private func drain(_ net: inout SimNet) -> [SimDelivery] {
        var all: [SimDelivery] = []
        while let delivery = net.next(until: SimClock.start + .seconds(3_600)) { all.append(delivery) }
        return all
    }

    /// `count` packets of 972 bytes (1000 on the wire), one each `every`.
    private func run(_ link: SimLink, count: Int, every: Duration, seed: UInt64 = 1) -> [SimDelivery] {
        var (net, _) = pair(link, seed: seed)
        var all: [SimDelivery] = []
        for index in 0..<count {
            while let delivery = net.next(until: SimClock.start + every * index) { all.append(delivery) }
            net.send(Bytes(repeating: UInt8(truncatingIfNeeded: index), count: 972), from: left, to: right)
        }
        return all + drain(&net)
    }

    @Test func `A packet takes the time of its bits and the delay`() {
        let arrived = run(SimLink(bitsPerSecond: 1_000_000, delay: .milliseconds(30)), count: 2, every: .zero)
        #expect(arrived.map { ($0.arrivedAt - SimClock.start).milliseconds } == [38, 46])
        #expect(arrived.map { $0.queueing.milliseconds } == [0, 8])
        #expect(arrived.map(\.from) == [left, left] && arrived.map(\.to) == [right, right])
    }

    @Test func `A step of the rate is felt in the middle of a packet`() {
        // Half of the first packet at 1 Mbit/s (4 ms), the other half at 100 kbit/s (40 ms).
        var link = SimLink(steps: [(0, 1_000_000), (0.004, 100_000)], delay: .zero)
        #expect(run(link, count: 1, every: .zero).map { $0.arrivedAt - SimClock.start } == [.milliseconds(44)])
        link = SimLink(steps: [(0, 0), (1, 1_000_000)], delay: .zero)
        #expect(run(link, count: 1, every: .zero).map { $0.arrivedAt - SimClock.start } == [.milliseconds(1_008)])
    }

    @Test(arguments: [SimLink.QueueLimit.time(.milliseconds(40)), .bytes(6_000)])
    func `A full queue drops what comes last`(limit: SimLink.QueueLimit) {
        var link = SimLink(bitsPerSecond: 1_000_000)
        link.queue = limit
        let arrived = run(link, count: 20, every: .zero)
        #expect(arrived.map { $0.datagram[0] } == [0, 1, 2, 3, 4, 5])
    }

    @Test func `Random loss takes its share, and bursts take theirs in a row`() {
        func losses(_ loss: SimLink.Loss) -> (share: Double, longest: Int) {
            var link = SimLink()
            link.loss = loss
            var (net, _) = pair(link)
            var arrived = Set<Int>()
            for index in 0..<10_000 {
                net.send([UInt8(index >> 8), UInt8(index & 255)], from: left, to: right)
                for delivery in drain(&net) {
                    arrived.insert(Int(delivery.datagram[0]) << 8 | Int(delivery.datagram[1]))
                }
            }
            var longest = 0
            var current = 0
            for index in 0..<10_000 {
                current = arrived.contains(index) ? 0 : current + 1
                longest = max(longest, current)
            }
            return (1 - Double(arrived.count) / 10_000, longest)
        }
        #expect(abs(losses(.random(0.1)).share - 0.1) < 0.015)
        // Bad a share of 0.02 / (0.02 + 0.2) of the time.
        let bursts = losses(.gilbertElliott(toBad: 0.02, toGood: 0.2, inGood: 0, inBad: 1))
        #expect(abs(bursts.share - 0.0909) < 0.03)
        #expect(bursts.longest > 15)
    }

    @Test func `Jitter keeps the order and reordering does not`() {
        var link = SimLink(bitsPerSecond: 10_000_000, delay: .milliseconds(10))
        link.jitter = .milliseconds(15)
        let jittered = run(link, count: 200, every: .milliseconds(2))
        #expect(jittered.map { $0.datagram[0] } == (0..<200).map { UInt8($0) })
        #expect(Set(jittered.map { $0.arrivedAt - $0.sentAt }).count > 50)
        link.reorder = 0.1
        let mixed = run(link, count: 200, every: .milliseconds(2)).map { $0.datagram[0] }
        #expect(mixed.count == 200 && mixed != mixed.sorted())
    }

    @Test func `Duplication delivers twice`() {
        var link = SimLink()
        link.duplicate = 1
        #expect(run(link, count: 3, every: .milliseconds(1)).map { $0.datagram[0] } == [0, 0, 1, 1, 2, 2])
    }

    @Test func `A shared link is one queue for all its nodes`() {
        var net = SimNet(seed: 1)
        let shared = net.add(SimLink(bitsPerSecond: 1_000_000))
        let others = (3...5).map { TransportAddress(IPAddress(v4: 0x0A00_0000 | UInt32($0)), 1) }
        net.attach(left)
        for other in others { net.attach(other, down: [shared]) }
        for other in others { net.send(Bytes(repeating: 0, count: 972), from: left, to: other) }
        let arrived = drain(&net)
        #expect(arrived.map(\.to) == others)
        #expect(arrived.map { $0.queueing.milliseconds } == [0, 8, 16])
        #expect(net.report(shared).longestQueueing == .milliseconds(16) && net.report(shared).wireBytes == 3_000)
    }

    @Test func `The same seed gives the same run, another seed another`() {
        var link = SimLink(bitsPerSecond: 2_000_000, delay: .milliseconds(20))
        link.loss = .random(0.2)
        link.jitter = .milliseconds(9)
        link.duplicate = 0.1
        link.reorder = 0.1
        func trace(_ seed: UInt64) -> [UInt64] {
            run(link, count: 300, every: .milliseconds(3), seed: seed).map(\.arrivedAt.nanoseconds)
        }
        #expect(trace(7) == trace(7))
        #expect(trace(7) != trace(8))
    }

    @Test func `Time stops at the limit, and strangers are not served`() {
        var (net, _) = pair(SimLink(delay: .milliseconds(100)))
        net.send([1], from: left, to: right)
        #expect(net.next(until: SimClock.start + .milliseconds(50))?.datagram == nil)
        #expect(net.elapsed == .milliseconds(50))
        #expect(net.next(until: SimClock.start + .milliseconds(500))?.arrivedAt == SimClock.start + .milliseconds(100))
        net.send([1], from: left, to: TransportAddress(IPAddress(v4: 1), 1))
        #expect(net.unrouted == 1)
        net.send([1], from: left, to: right)
        net.detach(right)
        #expect(net.next(until: SimClock.start + .seconds(5))?.datagram == nil && net.unrouted == 2)
    }
}
