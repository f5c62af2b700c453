import Base
import TestKit
import Testing
import Wire

@testable import Media

@Suite struct NACKGeneratorTests {
    private let roundTrip = Duration.milliseconds(50)

    private func time(_ milliseconds: Int) -> Instant { Instant(nanoseconds: UInt64(1_000 + milliseconds) * 1_000_000) }

    private func collect(_ generator: inout NACKGenerator, at milliseconds: Int) -> [SequenceNumber] {
        var lost: [SequenceNumber] = []
        generator.collect(now: time(milliseconds), roundTrip: roundTrip, into: &lost)
        return lost
    }

    private func feed(_ generator: inout NACKGenerator, _ numbers: [UInt64], at milliseconds: Int = 0)
        -> [NACKGenerator.Arrival]
    {
        numbers.map { generator.receive($0 + 65_536, now: time(milliseconds)) }
    }

    @Test(
        arguments: [
            ([10, 11, 12], [.next, .next, .next]), ([10, 12], [.next, .ahead(missing: 1)]),
            ([10, 12, 11], [.next, .ahead(missing: 1), .recovered]),
            ([10, 12, 11, 11], [.next, .ahead(missing: 1), .recovered, .late]),
            ([10, 9, 11, 11], [.next, .late, .next, .late]),
            ([10, 15, 13, 11, 16], [.next, .ahead(missing: 4), .recovered, .recovered, .next]),
            ([10, 10 + 257], [.next, .ahead(missing: 256)]), ([10, 10 + 258, 10 + 259], [.next, .restart, .next]),
        ] as [([UInt64], [NACKGenerator.Arrival])])
    func `arrivals are told apart`(numbers: [UInt64], wanted: [NACKGenerator.Arrival]) {
        var generator = NACKGenerator()
        #expect(feed(&generator, numbers) == wanted)
    }

    @Test func `nothing missing, nothing due`() {
        var generator = NACKGenerator()
        _ = feed(&generator, Array(0..<100))
        #expect(generator.deadline == nil && collect(&generator, at: 1_000).isEmpty)
        _ = feed(&generator, [101, 100])
        #expect(generator.deadline == nil && generator.count == 0 && generator.recoveredCount == 1)
    }

    @Test func `a packet is asked for when three overtook it, or ten milliseconds passed`() {
        var generator = NACKGenerator()
        _ = feed(&generator, [1, 3])
        #expect(generator.deadline == time(10) && collect(&generator, at: 9).isEmpty)
        _ = feed(&generator, [4], at: 1)
        #expect(collect(&generator, at: 1).isEmpty)
        _ = feed(&generator, [5], at: 2)
        #expect(generator.deadline == time(2))
        #expect(collect(&generator, at: 2) == [2])
        var slow = NACKGenerator()
        _ = feed(&slow, [1, 3])
        #expect(collect(&slow, at: 10) == [2])
    }

    @Test func `it is asked for again each round trip, ten times`() {
        var generator = NACKGenerator()
        _ = feed(&generator, [1, 6])
        var asked: [Int] = []
        for now in 0..<2_000 {
            guard let deadline = generator.deadline, deadline <= time(now) else { continue }
            if collect(&generator, at: now).contains(2) { asked.append(now) }
        }
        #expect(asked == (0..<10).map { $0 * 55 })
        #expect(generator.count == 0 && generator.deadline == nil && generator.abandonedCount == 4)
        let wishes = [generator.takeKeyframeWish(), generator.takeKeyframeWish()]
        #expect(wishes == [true, false])
    }

    @Test(arguments: [(0, 20), (5, 20), (100, 105), (10_000, 500)])
    func `the wait for an answer has bounds`(roundTrip: Int, wait: Int) {
        var generator = NACKGenerator()
        _ = feed(&generator, [1, 6])
        var lost: [SequenceNumber] = []
        generator.collect(now: time(0), roundTrip: .milliseconds(roundTrip), into: &lost)
        #expect(generator.deadline.map { ($0 - time(0)).milliseconds } == 10, "the packet before the highest")
        generator.collect(now: time(10), roundTrip: .milliseconds(roundTrip), into: &lost)
        #expect(lost == [2, 3, 4, 5])
        #expect(generator.deadline == time(wait))
    }

    @Test func `what is too old is given up before ten requests`() {
        var generator = NACKGenerator()
        _ = feed(&generator, [1, 6])
        var lost: [SequenceNumber] = []
        for now in stride(from: 0, to: 2_000, by: 500) {
            generator.collect(now: time(now), roundTrip: .seconds(9), into: &lost)
        }
        #expect(generator.count == 4)
        generator.collect(now: time(2_000), roundTrip: .seconds(9), into: &lost)
        #expect(generator.count == 0 && generator.abandonedCount == 4)
    }

    @Test func `a key frame ends the search for what came before it`() {
        var generator = NACKGenerator()
        _ = feed(&generator, [1, 4, 8])
        generator.keyframe(at: 65_536 + 6)
        #expect(generator.count == 2)
        #expect(collect(&generator, at: 10) == [6, 7])
    }

    @Test func `when too many are missing all are forgotten for a key frame`() {
        var generator = NACKGenerator()
        var number: UInt64 = 0
        for _ in 0..<128 {
            _ = feed(&generator, [number])
            number += 3
        }
        #expect(generator.count == 254)
        #expect(feed(&generator, [number]) == [.ahead(missing: 2)])
        #expect(feed(&generator, [number + 2]) == [.ahead(missing: 0)])
        let isWanted = generator.takeKeyframeWish()
        #expect(generator.count == 0 && generator.deadline == nil && isWanted)
    }

    @Test func `numbers wrap`() {
        var generator = NACKGenerator()
        _ = feed(&generator, [65_533, 65_539])
        #expect(collect(&generator, at: 10) == [65_534, 65_535, 0, 1, 2])
        #expect(feed(&generator, [65_536]) == [.recovered])
        // The lower half of what is kept wraps too.
        var far = NACKGenerator()
        let high: UInt64 = 0x1_FFFF_FFFE
        _ = far.receive(high, now: time(0))
        _ = far.receive(high + 4, now: time(0))
        #expect(collect(&far, at: 10) == [0xFFFF, 0, 1])
        let arrival = far.receive(high + 1, now: time(11))
        #expect(arrival == .recovered)
    }

    /// Against a plain model: a packet is missing when it is below the highest, never came and was not given up.
    @Test(arguments: [1, 2, 3, 4, 5, 6, 7, 8] as [UInt64]) func `any loss, order and repetition`(seed: UInt64) {
        var random = SplitMix(seed: seed)
        var generator = NACKGenerator()
        var missing: Set<UInt64> = []
        var highest: UInt64 = 65_536 + 65_000
        _ = generator.receive(highest, now: time(0))
        var now = 0
        for _ in 0..<4_000 {
            now += Int.random(in: 0...3, using: &random)
            switch Int.random(in: 0..<10, using: &random) {
            case 0:
                let next = highest + 1 + UInt64.random(in: 1...4, using: &random)
                for number in highest + 1..<next { missing.insert(number) }
                let arrival = generator.receive(next, now: time(now))
                #expect(arrival == .ahead(missing: Int(next - highest - 1)))
                highest = next
            case 1...5 where !missing.isEmpty:
                let number = missing.sorted()[Int.random(in: 0..<missing.count, using: &random)]
                missing.remove(number)
                let arrivals = [generator.receive(number, now: time(now)), generator.receive(number, now: time(now))]
                #expect(arrivals == [.recovered, .late])
            default:
                highest += 1
                let arrival = generator.receive(highest, now: time(now))
                #expect(arrival == .next)
            }
            #expect(generator.count == missing.count)
            for number in collect(&generator, at: now) {
                #expect(missing.contains { SequenceNumber(truncatingIfNeeded: $0) == number })
            }
            if generator.abandonedCount > 0 { break }
            #expect((generator.deadline == nil) == missing.isEmpty)
        }
    }

    /// A link with 10 % loss both ways and a round trip of 50 ms, asked every 20 ms as the engine does.
    @Test func `one packet in ten lost, nearly none stays lost`() {
        var random = SplitMix(seed: 21)
        var generator = NACKGenerator()
        var answers: [(at: Int, number: UInt64)] = []
        var asked = 0
        var lost: [SequenceNumber] = []
        let first: UInt64 = 65_536
        for now in 0..<20_000 {
            for answer in answers where answer.at == now { _ = generator.receive(answer.number, now: time(now)) }
            answers.removeAll { $0.at <= now }
            let isLost = Int.random(in: 0..<10, using: &random) == 0
            if now == 0 || !isLost { _ = generator.receive(first + UInt64(now), now: time(now)) }
            guard now % 20 == 0 else { continue }
            lost.removeAll()
            generator.collect(now: time(now), roundTrip: roundTrip, into: &lost)
            asked += lost.count
            for number in lost where Int.random(in: 0..<10, using: &random) > 1 {
                // A packet per millisecond, so the number of this turn is the last below the clock's.
                let newest = first + UInt64(now)
                let behind = UInt64(SequenceNumber(truncatingIfNeeded: newest) &- number)
                answers.append((now + 50, newest - behind))
            }
        }
        #expect(generator.abandonedCount == 0)
        #expect(generator.recoveredCount > 1_850 && generator.count < 30)
        #expect(asked < 2_800, "\(asked) requests for \(generator.recoveredCount) packets")
    }
}
