// Senders that share a bottleneck: the link is full, nobody starves, and a late one gets its part.

import Base
import Media
import TestKit
import Testing

@Suite struct SharedLinkTests {
    @Test(arguments: [0, 5], [UInt64(1), 2, 3]) func `Three receivers behind one link`(startEvery: Int, seed: UInt64) {
        var scenario = Scenario(
            forward: SimLink(bitsPerSecond: 3_000_000, delay: .milliseconds(25)),
            backward: SimLink(delay: .milliseconds(25)), count: 3, seed: seed, startEvery: .seconds(startEvery))
        scenario.run(seconds: 60)
        let figures = scenario.sessions.map { $0.figures(20, 60) }
        let total = figures.map(\.meanArrived).reduce(0, +)
        print("scenario shared start \(startEvery) seed \(seed): total \(Int(total / 1_000))k \(figures)")
        #expect(total >= 0.85 * 3e6)
        for one in figures {
            #expect(one.meanArrived >= 0.15 * 3e6)
            #expect(one.highQueueing <= 0.15)
            #expect(one.audioShare >= 0.98 && one.audioGap <= 0.3)
        }
    }

    @Test func `Three receivers and a step down and up`() {
        var scenario = Scenario(
            forward: SimLink(steps: [(0, 6_000_000), (20, 1_500_000), (40, 6_000_000)], delay: .milliseconds(25)),
            backward: SimLink(delay: .milliseconds(25)), count: 3)
        scenario.run(seconds: 60)
        for (from, to, rate) in [(5.0, 20.0, 6e6), (25, 40, 1.5e6), (45, 60, 6e6)] {
            let figures = scenario.sessions.map { $0.figures(from, to) }
            let total = figures.map(\.meanArrived).reduce(0, +)
            print("scenario shared steps \(from): total \(Int(total / 1_000))k \(figures)")
            #expect(total >= 0.85 * rate)
            for one in figures {
                #expect(one.meanArrived >= 0.08 * rate)
                #expect(one.highQueueing <= 0.17)
            }
        }
    }
}
