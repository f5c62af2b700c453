import Base
import Media
import TestKit
import Testing

@Suite struct LinkScenarioTests {
    private func link(_ steps: [(Double, Int)], delay: Int, queue: Int = 500) -> SimLink {
        var link = SimLink(steps: steps, delay: .milliseconds(delay))
        link.queue = .time(.milliseconds(queue))
        return link
    }
    func show(_ name: String, _ s: Scenario, _ windows: [(Double, Double)], course: Bool = false) {
        for (i, session) in s.sessions.enumerated() {
            for w in windows { print(name, i, w, session.figures(w.0, w.1), "inh", session.snapshot.inherentLoss) }
            if course { session.printCourse(name) }
        }
    }

    @Test func `explore`() {
        for loss in [0.0, 0.02, 0.05, 0.1, 0.2, 0.3] {
            for seed in UInt64(1)...3 {
            var f = link([(0, 2_000_000), (20, 500_000), (40, 2_000_000)], delay: 25)
            f.loss = .random(loss)
            var s = Scenario(forward: f, backward: link([], delay: 25), seed: seed)
            s.run(seconds: 60)
            show("random \(loss)", s, [(5, 20), (25, 40), (45, 60)])
            }
        }
        for (g, b) in [(0.01, 0.3), (0.02, 0.1), (0.005, 0.05)] {
            for seed in UInt64(1)...2 {
            var f = link([(0, 2_000_000), (20, 500_000), (40, 2_000_000)], delay: 25)
            f.loss = .gilbertElliott(toBad: g, toGood: b, inGood: 0, inBad: 0.8)
            var s = Scenario(forward: f, backward: link([], delay: 25), seed: seed)
            s.run(seconds: 60)
            show("GE \(g) \(b)", s, [(5, 20), (25, 40), (45, 60)])
            }
        }
        for q in [10, 20, 50, 100, 2000] {
            var s = Scenario(forward: link([(0, 2_000_000), (20, 500_000), (40, 2_000_000)], delay: 25, queue: q), backward: link([], delay: 25))
            s.run(seconds: 60)
            show("queue \(q)", s, [(5, 20), (25, 40), (45, 60)])
        }
        var s = Scenario(forward: link([(0, 2_000_000), (20, 500_000), (40, 2_000_000)], delay: 150), backward: link([], delay: 150))
        s.run(seconds: 60)
        show("rtt300", s, [(5, 20), (25, 40), (45, 60)])
        var j = link([(0, 2_000_000), (20, 500_000), (40, 2_000_000)], delay: 25)
        j.jitter = .milliseconds(20)
        s = Scenario(forward: j, backward: link([], delay: 25))
        s.run(seconds: 60)
        show("jitter", s, [(5, 20), (25, 40), (45, 60)])
        for delay in [0, 5] {
        s = Scenario(forward: link([(0, 3_000_000)], delay: 25), backward: link([], delay: 25), count: 3, startEvery: .seconds(delay))
        s.run(seconds: 60)
        show("shared \(delay)", s, [(5, 20), (20, 40), (40, 60)])
        print("total", s.sessions.map { $0.figures(20, 60).meanArrived }.reduce(0, +))
        }
    }
}
