// The parts that take what comes from the wire, and the estimator without transport-wide feedback.

import Base
import Media
import TestKit
import Testing

@Suite struct EstimatorInputTests {
    private let start = Instant(nanoseconds: 1_000_000_000_000)

    private func isReceived(_ report: SentPacketHistory.Report, size: Int) -> Bool {
        if case .received(_, let found, _) = report { return found == size }
        return false
    }

    private func isNothing(_ report: SentPacketHistory.Report) -> Bool {
        if case .nothingNew = report { return true }
        return false
    }

    @Test func `The history tells each packet once, over the wrap, and forgets the old`() {
        var history = SentPacketHistory(capacity: 16)
        for index in 0..<20 {
            history.add(UInt16(65_530) &+ UInt16(index), size: 100 + index, cluster: 0, sendTime: Int64(index))
        }
        let inFlight = history.bytesInFlight
        #expect(inFlight == (4..<20).reduce(0) { $0 + 100 + $1 })
        let first = history.report(65_530, isReceived: true)
        let lost = history.report(0, isReceived: false)
        let again = history.report(0, isReceived: false)
        let late = history.report(0, isReceived: true)
        let twice = history.report(0, isReceived: true)
        let unsent = history.report(14, isReceived: true)
        #expect(isNothing(first) && isNothing(again) && isNothing(twice) && isNothing(unsent))
        if case .lost = lost {} else { Issue.record("a packet was not lost") }
        #expect(isReceived(late, size: 106))
    }

    @Test func `Bytes that a lost report passed over are told once`() {
        var history = SentPacketHistory(capacity: 16)
        for index in 0..<10 { history.add(UInt16(index), size: 100, cluster: 0, sendTime: 0) }
        let passed = [2, 3, 6, 4, 6, 9].map { history.passedOver(until: UInt16($0)) }
        #expect(passed == [0, 0, 200, 0, 0, 200])
    }

    @Test func `A clock that wraps goes on in both directions`() {
        var clock = ClockUnwrapper(period: 1_000)
        #expect(
            [990, 10, 995, 5, 500, 900, 100].map { clock.unwrap($0) } == [990, 1_010, 995, 1_005, 1_500, 1_900, 2_100])
    }

    @Test func `Hostile feedback leaves a number within the bounds`() {
        var random = SplitMix(seed: 9)
        var configuration = BandwidthConfiguration()
        configuration.largest = 5_000_000
        for round in 0..<200 {
            var estimator = SendSideEstimator(configuration, historyCapacity: 64)
            var now = start
            var sequence = UInt16.random(in: 0...UInt16.max, using: &random)
            for _ in 0..<60 {
                for _ in 0..<Int.random(in: 0...20, using: &random) {
                    estimator.onSent(sequence: sequence, size: 1_200, now: now)
                    sequence &+= 1
                    now = now + .microseconds(Int.random(in: 0...9_000, using: &random))
                }
                let items = (0..<Int.random(in: 0...40, using: &random)).map { _ in
                    let times: [Int64?] = [
                        nil, 0, .min + 1, .max, Int64.random(in: Int64.min...Int64.max, using: &random),
                        Int64(now.nanoseconds / 1_000),
                    ]
                    return FeedbackItem(
                        sequence: sequence &- UInt16.random(in: 0...90, using: &random),
                        arrivalTime: times.randomElement(using: &random) ?? nil)
                }
                estimator.onFeedback(items.span, now: now)
                _ = estimator.nextProbe(now)
                estimator.tick(now)
                let target = estimator.target
                #expect((50_000...5_000_000).contains(target), "round \(round)")
            }
        }
    }

    @Test func `Without feedback REMB is the estimate and loss lowers it`() {
        var estimator = SendSideEstimator()
        estimator.onREMB(1_200_000, now: start)
        var target = estimator.target
        #expect(target == 1_200_000)
        estimator.onREMB(900_000, now: start + .seconds(1))
        target = estimator.target
        #expect(target == 900_000)
        estimator.onReceiverReport(fractionLost: 0.2, roundTrip: .milliseconds(50), now: start + .seconds(2))
        target = estimator.target
        #expect(target == 810_000)
        for second in 3...6 {
            estimator.onReceiverReport(fractionLost: 0, roundTrip: nil, now: start + .seconds(second))
        }
        target = estimator.target
        #expect(target == 900_000)
        estimator.onREMB(.max, now: start + .seconds(7))
        target = estimator.target
        #expect(target <= 20_000_000)
        estimator.onREMB(0, now: start + .seconds(8))
        target = estimator.target
        #expect(target == 50_000)
    }

    @Test func `A publisher's REMB stays at the cap until its path is full, and then below the path`() {
        var limit = ReceiveLimit(largest: 2_500_000)
        var told: [UInt64] = []
        // 1.6 Mbit/s arrive, 2 are sent: each packet of 1000 bytes leaves every 4 ms and arrives every 5 ms.
        for index in 0..<4_000 {
            let isFull = index > 1_000
            let sent = UInt32(truncatingIfNeeded: (index * 4_000) << 18 / 1_000_000) & 0xFF_FFFF
            let late = isFull ? (index - 1_000) * 1_000 : 0
            let now = start + .microseconds(index * 4_000 + late)
            limit.onPacket(sendTime: sent, size: 1_000, now: now)
            told.append(limit.update(roundTrip: .milliseconds(50), now: now))
        }
        #expect(told.first == 2_500_000)
        #expect(told.allSatisfy { $0 <= 2_500_000 })
        #expect(told.last ?? .max < 1_600_000)
    }

    @Test func `A layer is paused when nobody has watched it for a while, and comes back at once`() {
        var interest = LayerInterest()
        let quiet = interest.update(published: 0b111, watched: 0b001, now: start)
        #expect(!quiet && interest.paused == 0 && interest.deadline == start + .seconds(4))
        let early = interest.update(published: 0b111, watched: 0b011, now: start + .seconds(2))
        #expect(!early)
        let third = interest.update(published: 0b111, watched: 0b001, now: start + .seconds(4))
        #expect(third && interest.paused == 0b100)
        let second = interest.update(published: 0b111, watched: 0b001, now: start + .seconds(8))
        #expect(second && interest.paused == 0b110)
        let back = interest.update(published: 0b111, watched: 0b100, now: start + .seconds(8))
        #expect(back && interest.paused == 0b010)
    }
}
