import Base
import Media
import Testing

/// `#expect` takes no noncopyable values.
private final class TestPacer {
    private var pacer: Pacer
    init(bitsPerSecond: Int) { pacer = Pacer(bitsPerSecond: bitsPerSecond) }
    func admits(_ bytes: Int, now: Instant) -> Bool { pacer.admits(bytes, now: now) }
    func charge(_ bytes: Int, now: Instant) { pacer.charge(bytes, now: now) }
    func enqueue(_ item: PacedItem, now: Instant) -> PacerDrop? { pacer.enqueue(item, now: now) }
    func take(_ now: Instant) -> PacedItem? { pacer.take(now) }
    func begin(_ plan: ProbePlan, now: Instant) { pacer.begin(plan, now: now) }
    var nextDeadline: Instant? { pacer.nextDeadline }
    var queuedPackets: Int { pacer.queuedPackets }
    var queuedBytes: Int { pacer.queuedBytes }
    var cluster: UInt16 { pacer.cluster }
}

@Suite struct PacerTests {
    private let start = Instant(nanoseconds: 1_000_000_000)

    private func item(
        _ packet: UInt64, stream: UInt16 = 1, kind: PacedItem.Kind = .video, priority: UInt8 = 0, size: UInt16 = 1_000,
        key: Bool = false
    ) -> PacedItem {
        PacedItem(
            packet: packet, enqueuedAt: start, stream: stream, size: size, kind: kind, priority: priority,
            startsKeyframe: key)
    }

    @Test func `An entry is 32 bytes and trivial`() {
        #expect(MemoryLayout<PacedItem>.stride <= 32)
        #expect(_isPOD(PacedItem.self))
    }

    @Test func `A burst is admitted, and what exceeds it waits for the rate`() {
        // 1 Mbit/s: 8 ms for 1000 bytes. The allowance is 10 ms.
        let pacer = TestPacer(bitsPerSecond: 1_000_000)
        let admitted = (0..<5).map { _ in pacer.admits(1_000, now: start) }
        #expect(admitted == [true, true, false, false, false])
        #expect(pacer.enqueue(item(1), now: start) == nil)
        #expect(pacer.take(start)?.packet == nil)
        #expect(pacer.nextDeadline == start + .milliseconds(6))
        #expect(pacer.take(start + .milliseconds(6))?.packet == 1)
        #expect(pacer.take(start + .milliseconds(6))?.packet == nil && pacer.nextDeadline == nil)
    }

    @Test func `What waits goes before what comes, and retransmissions before video`() {
        let pacer = TestPacer(bitsPerSecond: 8_000_000)
        for packet in 1...3 { _ = pacer.enqueue(item(UInt64(packet)), now: start) }
        _ = pacer.enqueue(item(9, kind: .retransmission), now: start)
        #expect(!pacer.admits(100, now: start))
        var order: [UInt64] = []
        while let next = pacer.take(start + .seconds(1)) { order.append(next.packet) }
        #expect(order == [9, 1, 2, 3])
    }

    @Test func `Audio is charged, so that video waits for it`() {
        let pacer = TestPacer(bitsPerSecond: 1_000_000)
        pacer.charge(2_000, now: start)
        #expect(!pacer.admits(100, now: start))
        #expect(pacer.admits(100, now: start + .milliseconds(7)))
    }

    @Test func `A full queue sheds the least important stream up to its keyframe`() throws {
        let pacer = TestPacer(bitsPerSecond: 1_000_000)
        // 400 ms at 1 Mbit/s are 50 packets of 1000 bytes.
        for packet in 0..<20 { #expect(pacer.enqueue(item(UInt64(packet), stream: 7, priority: 2), now: start) == nil) }
        for packet in 20..<30 { #expect(pacer.enqueue(item(UInt64(packet), stream: 3), now: start) == nil) }
        for packet in 30..<50 {
            #expect(pacer.enqueue(item(UInt64(packet), stream: 3, key: packet == 30), now: start) == nil)
        }
        let drop = try #require(pacer.enqueue(item(50, stream: 7, priority: 2), now: start))
        #expect(drop == PacerDrop(stream: 3, packets: 10, needsKeyframe: false))
        #expect(pacer.queuedPackets == 41)
        var order: [UInt64] = []
        while let next = pacer.take(start + .seconds(5) + .seconds(order.count)) { order.append(next.packet) }
        #expect(order == (0..<20).map { $0 } + (30...50).map { $0 })
    }

    @Test func `A stream that sheds itself loses the newcomer too, and asks for a keyframe`() throws {
        let pacer = TestPacer(bitsPerSecond: 1_000_000)
        for packet in 0..<50 { _ = pacer.enqueue(item(UInt64(packet)), now: start) }
        let drop = try #require(pacer.enqueue(item(50), now: start))
        #expect(drop == PacerDrop(stream: 1, packets: 51, needsKeyframe: true))
        #expect(pacer.queuedPackets == 0 && pacer.queuedBytes == 0)
    }

    @Test func `A stream of less importance does not displace the others`() {
        let pacer = TestPacer(bitsPerSecond: 20_000_000)
        for packet in 0..<Pacer.videoCapacity {
            _ = pacer.enqueue(item(UInt64(packet), stream: 1, priority: 2), now: start)
        }
        #expect(
            pacer.enqueue(item(1_000, stream: 2, priority: 1), now: start)
                == PacerDrop(stream: 2, packets: 1, needsKeyframe: true))
        #expect(pacer.queuedPackets == Pacer.videoCapacity)
    }

    @Test func `A probe fills up with padding at its rate, names its packets and ends`() {
        let pacer = TestPacer(bitsPerSecond: 500_000)
        pacer.begin(
            ProbePlan(cluster: 4, bitsPerSecond: 2_400_000, leastPackets: 5, leastBytes: 4_500), now: start)
        var times: [Int64] = []
        var clusters: [UInt16] = []
        var now = start
        while let deadline = pacer.nextDeadline, times.count < 20 {
            now = max(now, deadline)
            guard let next = pacer.take(now) else { break }
            #expect(next.kind == .padding)
            times.append((now - start).milliseconds)
            clusters.append(pacer.cluster)
        }
        // 1200 bytes at 2.4 Mbit/s every 4 ms.
        #expect(times == [0, 4, 8, 12, 16])
        #expect(clusters == [4, 4, 4, 4, 4])
        pacer.charge(100, now: now)
        #expect(pacer.cluster == 0)
    }

    @Test func `A probe beyond a packet for each millisecond leaves at its rate all the same`() {
        let pacer = TestPacer(bitsPerSecond: 500_000)
        pacer.begin(
            ProbePlan(cluster: 4, bitsPerSecond: 28_800_000, leastPackets: 5, leastBytes: 54_000), now: start)
        var left: [Int] = []
        for millisecond in 0..<30 {
            var packets = 0
            while pacer.take(start + .milliseconds(millisecond)) != nil { packets += 1 }
            left.append(packets)
        }
        // 1200 bytes every third of a millisecond: 45 packets in 15 ms, and no burst longer than a timer's step.
        #expect(left.reduce(0, +) == 45)
        #expect(left.max() == 3)
        #expect(left[16...].allSatisfy { $0 == 0 })
    }

    @Test func `A probe makes up for a late timer, but not for a long one`() {
        let pacer = TestPacer(bitsPerSecond: 500_000)
        pacer.begin(
            ProbePlan(cluster: 4, bitsPerSecond: 19_200_000, leastPackets: 5, leastBytes: 54_000), now: start)
        #expect(pacer.take(start) != nil)
        var packets = 0
        while pacer.take(start + .milliseconds(100)) != nil { packets += 1 }
        // Two packets a millisecond; what was missed beyond five milliseconds is not made up for.
        #expect(packets == 11)
    }

    @Test func `Among many voices a probe still has three packets that are not audio`() {
        let pacer = TestPacer(bitsPerSecond: 500_000)
        pacer.begin(ProbePlan(cluster: 4, bitsPerSecond: 900_000, leastPackets: 5, leastBytes: 1_687), now: start)
        var paced: [Int] = []
        var audio = 0
        for millisecond in 0..<200 {
            let now = start + .milliseconds(millisecond)
            while pacer.take(now) != nil { paced.append(millisecond) }
            guard millisecond % 3 == 0, paced.count < 3 else { continue }
            pacer.charge(128, now: now)
            #expect(pacer.cluster == 4)
            audio += 1
        }
        // 1200 bytes at 900 kbit/s are 10.7 ms, and with the audio between them 17.
        #expect(paced.count == 3)
        #expect(audio >= 8 && (paced.last ?? 0) >= 30)
    }

    @Test func `A probe for which audio leaves no room is over after forty packets`() {
        let pacer = TestPacer(bitsPerSecond: 500_000)
        pacer.begin(ProbePlan(cluster: 4, bitsPerSecond: 300_000, leastPackets: 5, leastBytes: 562), now: start)
        var counted = 0
        for packet in 0..<60 {
            pacer.charge(128, now: start + .milliseconds(packet))
            if pacer.cluster == 4 { counted += 1 }
        }
        #expect(counted == 40)
    }

    @Test func `A probe that cannot leave is over after a while`() {
        let pacer = TestPacer(bitsPerSecond: 500_000)
        pacer.begin(ProbePlan(cluster: 1, bitsPerSecond: 1_000_000, leastPackets: 5, leastBytes: 1), now: start)
        #expect(pacer.take(start + .seconds(2))?.packet == nil)
        #expect(pacer.nextDeadline == nil)
    }
}
