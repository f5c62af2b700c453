// One sender over one link that changes: how fast the estimate follows, how full it keeps the link, how long packets
// wait. Each case prints its figures; the bounds are those of docs/media/bandwidth.md.

import Base
import Media
import TestKit
import Testing

@Suite struct LinkScenarioTests {
    struct Bounds {
        /// Of the link, on average from five seconds after a step to the next.
        var leastShare = 0.85
        var largestShare = 1.02
        /// Seconds, 95th percentile.
        var queueing = 0.150
        /// Of the audio that the path does not lose.
        var audio = 0.97
    }

    private static let steps = [(0.0, 2_000_000), (20, 500_000), (40, 2_000_000)]

    private func link(_ delay: Int, queue: Int = 500, steps: [(Double, Int)] = Self.steps) -> SimLink {
        var link = SimLink(steps: steps, delay: .milliseconds(delay))
        link.queue = .time(.milliseconds(queue))
        return link
    }

    private func back(_ delay: Int) -> SimLink { SimLink(delay: .milliseconds(delay)) }

    private func check(
        _ name: String, _ session: MediaSession, loss: Double = 0, bounds: Bounds = Bounds()
    ) {
        for (from, to, rate) in [(5.0, 20.0, 2e6), (25, 40, 0.5e6), (45, 60, 2e6)] {
            let figures = session.figures(from, to)
            print("scenario \(name) \(Int(from))-\(Int(to))s: \(figures)")
            #expect(figures.meanTarget >= bounds.leastShare * rate, "\(name) at \(from) s")
            #expect(figures.meanTarget <= bounds.largestShare * rate, "\(name) at \(from) s")
            #expect(figures.highQueueing <= bounds.queueing, "\(name) at \(from) s")
            #expect(figures.audioShare >= bounds.audio * (1 - loss), "\(name) at \(from) s")
            #expect(figures.audioGap <= 0.5, "\(name) at \(from) s")
        }
    }

    @Test(arguments: [UInt64(1), 2, 3, 4]) func `Steps 2, 0.5, 2 Mbit/s`(seed: UInt64) throws {
        var scenario = Scenario(forward: link(25), backward: back(25), seed: seed)
        scenario.run(seconds: 60)
        let session = scenario.sessions[0]
        check("steps seed \(seed)", session)
        let start = try #require(session.timeToReach(0.85, of: 2e6, after: 0, until: 20))
        let again = try #require(session.timeToReach(0.85, of: 2e6, after: 40, until: 60))
        let drained = try #require(session.timeToDrain(0.15, after: 20))
        print("scenario steps seed \(seed): 85 % after \(start) s, again after \(again) s, drained after \(drained) s")
        #expect(start <= 5 && again <= 5 && drained <= 5)
    }

    @Test(arguments: [UInt64(1), 2, 3]) func `A round trip of 300 ms`(seed: UInt64) throws {
        var scenario = Scenario(forward: link(150), backward: back(150), seed: seed)
        scenario.run(seconds: 60)
        let session = scenario.sessions[0]
        check("rtt 300 seed \(seed)", session)
        let again = try #require(session.timeToReach(0.85, of: 2e6, after: 40, until: 60))
        print("scenario rtt 300 seed \(seed): again after \(again) s")
        #expect(again <= 5)
    }

    @Test(arguments: [0.02, 0.05, 0.1, 0.2, 0.3], [UInt64(1), 2, 3])
    func `Random loss leaves the link in use`(share: Double, seed: UInt64) {
        var forward = link(25)
        forward.loss = .random(share)
        var scenario = Scenario(forward: forward, backward: back(25), seed: seed)
        scenario.run(seconds: 60)
        // The aim is 0.85 for all; what is met beyond 5 % is in the page.
        let least = share > 0.2 ? 0.72 : share > 0.1 ? 0.76 : share > 0.05 ? 0.82 : 0.85
        check(
            "loss \(share) seed \(seed)", scenario.sessions[0], loss: share,
            bounds: Bounds(leastShare: least, audio: 0.95))
    }

    @Test(arguments: [(0.01, 0.3), (0.02, 0.1), (0.005, 0.05), (0.002, 0.02)], [UInt64(1), 2])
    func `Bursts of loss leave the link in use`(bursts: (Double, Double), seed: UInt64) {
        var forward = link(25)
        forward.loss = .gilbertElliott(toBad: bursts.0, toGood: bursts.1, inGood: 0, inBad: 0.8)
        var scenario = Scenario(forward: forward, backward: back(25), seed: seed)
        scenario.run(seconds: 60)
        // The aim is 0.85 for all. After a step up through 13 % of loss in bursts the limit grows too slowly.
        let least = bursts.0 == 0.02 ? 0.2 : bursts.0 == 0.002 ? 0.68 : 0.85
        check(
            "bursts \(bursts) seed \(seed)", scenario.sessions[0], loss: 0.2, bounds: Bounds(leastShare: least))
    }

    @Test func `Jitter of 20 ms`() {
        var forward = link(25)
        forward.jitter = .milliseconds(20)
        var scenario = Scenario(forward: forward, backward: back(25))
        scenario.run(seconds: 60)
        check("jitter", scenario.sessions[0])
    }

    @Test(arguments: [20, 50, 100, 2_000]) func `Short and long queues at the bottleneck`(queue: Int) {
        var scenario = Scenario(forward: link(25, queue: queue), backward: back(25))
        scenario.run(seconds: 60)
        // A queue of 20 ms holds four packets, less than a frame: burst loss at any rate near the link's.
        let bounds =
            queue == 20
            ? Bounds(largestShare: 1.15, audio: 0.7)
            : queue == 50 ? Bounds(largestShare: 1.05, audio: 0.85) : Bounds()
        check("queue \(queue)", scenario.sessions[0], bounds: bounds)
    }

    @Test func `A lossy way back`() {
        var backward = back(25)
        backward.loss = .random(0.2)
        var scenario = Scenario(forward: link(25), backward: backward)
        scenario.run(seconds: 60)
        check("lossy way back", scenario.sessions[0])
    }

    @Test func `Audio alone for ten seconds does not cost the estimate`() throws {
        var scenario = Scenario(
            forward: link(25, steps: [(0, 2_000_000)]), backward: back(25), paused: 10...20)
        scenario.run(seconds: 40)
        let session = scenario.sessions[0]
        print("scenario audio alone: \(session.figures(11, 20)) then \(session.figures(25, 40))")
        #expect(session.figures(11, 20).meanTarget >= 1_000_000)
        #expect(try #require(session.timeToReach(0.85, of: 2e6, after: 20, until: 40)) <= 5)
        #expect(session.figures(25, 40).highQueueing <= 0.15)
    }

    @Test func `A sender that needs little learns what fits`() {
        var scenario = Scenario(forward: link(25, steps: [(0, 2_000_000)]), backward: back(25))
        scenario.sessions[0].limitedUntil = (300_000, 20)
        scenario.run(seconds: 40)
        let session = scenario.sessions[0]
        print("scenario limited: \(session.figures(5, 20)) then \(session.figures(20, 25)) \(session.figures(25, 40))")
        #expect(session.figures(10, 20).meanTarget >= 1_500_000)
        #expect(session.figures(25, 40).meanTarget >= 1_700_000)
        #expect(session.figures(20, 40).highQueueing <= 0.15)
    }

    @Test func `No feedback for some seconds is a reason to send less`() throws {
        var scenario = Scenario(
            forward: link(25, steps: [(0, 2_000_000)]),
            backward: SimLink(
                steps: [(0, 10_000_000), (10, 0), (16, 10_000_000)], delay: .milliseconds(25)))
        scenario.run(seconds: 40)
        let session = scenario.sessions[0]
        print("scenario silence: \(session.figures(14, 16)) then \(session.figures(21, 40))")
        #expect(session.figures(15, 16).meanTarget <= 700_000)
        #expect(session.figures(21, 40).meanTarget >= 1_700_000)
    }

    @Test func `An outage of three seconds passes`() throws {
        var scenario = Scenario(
            forward: link(25, steps: [(0, 2_000_000), (10, 0), (13, 2_000_000)]), backward: back(25))
        scenario.run(seconds: 40)
        let session = scenario.sessions[0]
        print("scenario outage: \(session.figures(10, 13)) then \(session.figures(18, 40))")
        #expect(session.figures(18, 40).meanTarget >= 1_700_000)
        #expect(session.figures(18, 40).highQueueing <= 0.15)
    }

    @Test func `Without any feedback the rate stays where it starts`() {
        var scenario = Scenario(
            forward: link(25, steps: [(0, 2_000_000)]), backward: back(25), feedsBack: false)
        scenario.run(seconds: 10)
        let session = scenario.sessions[0]
        #expect(session.figures(1, 10).meanTarget == 300_000)
        #expect(session.probesSent == 0)
    }
}
