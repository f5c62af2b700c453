import Base
import Media
import TestKit
import Testing

@Suite struct AllocatorTests {
    private let simulcast = MediaLayers([
        MediaLayer(spatial: 0, temporal: 0, height: 180, bitsPerSecond: 150_000),
        MediaLayer(spatial: 1, temporal: 0, height: 360, bitsPerSecond: 500_000),
        MediaLayer(spatial: 2, temporal: 0, height: 720, bitsPerSecond: 1_500_000),
    ])

    private func stream(_ id: UInt32, _ priority: StreamPriority = .rest, height: UInt16 = 0) -> WantedStream {
        WantedStream(id: id, priority: priority, largestHeight: height, layers: simulcast)
    }

    private func spatial(_ allocation: Allocation) -> [Int?] {
        allocation.decisions.map { $0.layer.map { Int($0.spatial) } }
    }

    private func allocate(_ streams: [WantedStream], _ estimate: Int, audio: Int = 0, now: Int64 = 0) -> Allocation {
        Allocator.allocate(streams, estimate: estimate, audioBitsPerSecond: audio, now: now)
    }

    @Test func `The lowest layer for all comes before a higher one for anybody`() {
        let streams = [stream(1, .pinned), stream(2), stream(3)]
        #expect(spatial(allocate(streams, 450_000)) == [0, 0, 0])
        #expect(spatial(allocate(streams, 800_000)) == [1, 0, 0])
        #expect(spatial(allocate(streams, 300_000)) == [0, 0, nil])
        #expect(spatial(allocate(streams, 10_000_000)) == [2, 2, 2])
    }

    @Test func `The pinned stream goes up first, then the speaker, then the rest in turns`() {
        let streams = [stream(1), stream(2, .speaker), stream(3, .pinned)]
        #expect(spatial(allocate(streams, 1_800_000)) == [0, 0, 2])
        #expect(spatial(allocate(streams, 2_150_000)) == [0, 1, 2])
        #expect(spatial(allocate(streams, 3_200_000)) == [0, 2, 2])
        #expect(spatial(allocate([stream(1), stream(2)], 1_000_000)) == [1, 1])
    }

    @Test func `Audio is reserved first`() {
        #expect(spatial(allocate([stream(1), stream(2)], 320_000, audio: 40_000)) == [0, nil])
        #expect(allocate([stream(1)], 1_000_000, audio: 40_000).usedBitsPerSecond == 540_000)
    }

    @Test func `The only stream gets its only layer, whatever the estimate`() {
        let allocation = allocate([stream(1)], 10_000)
        #expect(spatial(allocation) == [0] && allocation.isForced)
        #expect(spatial(allocate([stream(1), stream(2)], 10_000)) == [nil, nil])
    }

    @Test func `No more is sent than is shown`() {
        #expect(spatial(allocate([stream(1, height: 180)], 10_000_000)) == [0])
        #expect(spatial(allocate([stream(1, height: 200)], 10_000_000)) == [1])
        var limited = stream(1)
        limited.largestSpatial = 1
        #expect(spatial(allocate([limited], 10_000_000)) == [1])
        #expect(allocate([limited], 10_000_000).wantedBitsPerSecond == 500_000)
    }

    @Test func `Down at once, up with a margin and after a while`() {
        var one = stream(1)
        one.current = simulcast[1]
        #expect(spatial(allocate([one], 400_000)) == [0])
        // It fits, but not with the margin.
        #expect(spatial(allocate([one], 1_600_000)) == [1])
        var waiting = allocate([one], 1_800_000, now: 5_000_000)
        #expect(spatial(waiting) == [1] && waiting.decisions[0].upgradeSince == 5_000_000)
        one.upgradeSince = waiting.decisions[0].upgradeSince
        waiting = allocate([one], 1_800_000, now: 5_900_000)
        #expect(spatial(waiting) == [1])
        let risen = allocate([one], 1_800_000, now: 6_000_000)
        #expect(spatial(risen) == [2] && risen.decisions[0].event == .changed)
        // A dip starts the wait again.
        #expect(allocate([one], 1_600_000, now: 6_000_000).decisions[0].upgradeSince == nil)
    }

    @Test func `Pausing and resuming are told once`() {
        var streams = [stream(1), stream(2)]
        for index in 0..<2 { streams[index].current = simulcast[0] }
        #expect(allocate(streams, 200_000).decisions.map(\.event) == [.none, .paused])
        streams[1].current = nil
        streams[1].isPaused = true
        #expect(allocate(streams, 200_000).decisions.map(\.event) == [.none, .none])
        let since = allocate(streams, 400_000, now: 1_000_000).decisions[1].upgradeSince
        #expect(since == 1_000_000)
        streams[1].upgradeSince = since
        #expect(allocate(streams, 400_000, now: 1_500_000).decisions.map(\.event) == [.none, .resumed])
    }

    @Test func `Seeded random streams: never beyond the estimate, never less for one pinned stream with more`() {
        var random = SplitMix(seed: 42)
        for _ in 0..<2_000 {
            let count = Int.random(in: 1...8, using: &random)
            var streams = (0..<count).map { id in randomStream(UInt32(id), &random) }
            let estimate = Int.random(in: 0...6_000_000, using: &random)
            let audio = Int.random(in: 0...100_000, using: &random)
            let now = Int64.random(in: 0...3_000_000, using: &random)
            let allocation = allocate(streams, estimate, audio: audio, now: now)
            #expect(allocation.decisions.map(\.id) == streams.map(\.id))
            let sum = allocation.decisions.reduce(audio) { $0 + ($1.layer?.bitsPerSecond ?? 0) }
            #expect(sum == allocation.usedBitsPerSecond)
            let isNothing = allocation.decisions.allSatisfy { $0.layer == nil }
            #expect(allocation.isForced || isNothing || sum <= estimate)
            #expect(!allocation.isForced || allocation.decisions.filter { $0.layer != nil }.count == 1)
            // Once all are shown, more bandwidth is never worse for the only pinned stream.
            for index in streams.indices {
                streams[index].priority = index == 0 ? .pinned : .rest
                streams[index].current = nil
                streams[index].isPaused = false
            }
            let less = allocate(streams, estimate)
            let more = allocate(streams, estimate + 300_000)
            if less.decisions.allSatisfy({ $0.layer != nil }) && !less.isForced {
                #expect(more.decisions[0].layer?.bitsPerSecond ?? 0 >= less.decisions[0].layer?.bitsPerSecond ?? 0)
            }
        }
    }

    private func randomStream(_ id: UInt32, _ random: inout SplitMix) -> WantedStream {
        var rate = 0
        let layers = (0..<Int.random(in: 1...6, using: &random)).map { index in
            rate += Int.random(in: 30_000...700_000, using: &random)
            return MediaLayer(
                spatial: UInt8(index / 2), temporal: UInt8(index % 2), height: UInt16(180 << (index / 2)),
                bitsPerSecond: rate)
        }
        var stream = WantedStream(
            id: id, priority: [.rest, .speaker, .pinned].randomElement(using: &random) ?? .rest,
            layers: MediaLayers(layers))
        if Bool.random(using: &random) { stream.current = layers.randomElement(using: &random) }
        stream.isPaused = stream.current == nil && Bool.random(using: &random)
        if Bool.random(using: &random) { stream.upgradeSince = 0 }
        return stream
    }
}
