// Figures of a run, for assertions and for print.

import Base

struct SessionFigures: CustomStringConvertible {
    var meanTarget = 0.0
    var meanSent = 0.0
    var meanArrived = 0.0
    var meanQueueing = 0.0
    var highQueueing = 0.0
    var longestQueueing = 0.0
    var audioShare = 1.0
    /// Longest time without an arriving audio packet.
    var audioGap = 0.0
    var padding = 0.0

    init(_ samples: [SessionSample], from: Double, to: Double) {
        let part = samples.filter { $0.at >= from && $0.at < to }
        let span = max(to - from, 0.001)
        guard !part.isEmpty else { return }
        meanTarget = part.map(\.target).reduce(0, +) / Double(part.count)
        meanSent = part.map(\.sentBits).reduce(0, +) / span
        meanArrived = part.map(\.arrivedBits).reduce(0, +) / span
        padding = part.map(\.probeBits).reduce(0, +) / max(part.map(\.sentBits).reduce(0, +), 1)
        let queueing = part.flatMap(\.queueing).sorted()
        if !queueing.isEmpty {
            meanQueueing = queueing.reduce(0, +) / Double(queueing.count)
            highQueueing = queueing[min(queueing.count * 95 / 100, queueing.count - 1)]
            longestQueueing = queueing[queueing.count - 1]
        }
        audioShare =
            Double(part.map(\.audioArrived).reduce(0, +)) / max(Double(part.map(\.audioSent).reduce(0, +)), 1)
        var gap = 0.0
        for sample in part {
            gap = sample.audioArrived == 0 ? gap + MediaSession.sampleTime : 0
            audioGap = max(audioGap, gap)
        }
    }

    var description: String {
        func k(_ value: Double) -> String { "\(Int(value / 1_000))k" }
        func ms(_ value: Double) -> String { "\(Int(value * 1_000))" }
        return "target \(k(meanTarget)) sent \(k(meanSent)) arrived \(k(meanArrived)) queue ms mean "
            + "\(ms(meanQueueing)) p95 \(ms(highQueueing)) max \(ms(longestQueueing)) audio \(Int(audioShare * 100))% "
            + "gap \(ms(audioGap)) padding \(Int(padding * 1_000))‰"
    }
}

extension MediaSession {
    func figures(_ from: Double, _ to: Double) -> SessionFigures { SessionFigures(samples, from: from, to: to) }

    /// Seconds after `step` until the target stays for a second, on average, at or above `share` of `link`.
    func timeToReach(_ share: Double, of link: Double, after step: Double, until end: Double) -> Double? {
        let part = samples.filter { $0.at >= step && $0.at < end }
        guard part.count > 10 else { return nil }
        for start in 0..<(part.count - 10) {
            let mean = part[start..<(start + 10)].map(\.target).reduce(0, +) / 10
            if part[start].target >= share * link, mean >= share * link { return part[start].at - step }
        }
        return nil
    }

    /// Seconds after `step` from which no packet waits longer than `limit` for two seconds.
    func timeToDrain(_ limit: Double, after step: Double) -> Double? {
        let part = samples.filter { $0.at >= step }
        guard part.count > 20 else { return nil }
        for start in 0..<(part.count - 20)
        where part[start..<(start + 20)].allSatisfy({ ($0.queueing.max() ?? .infinity) <= limit }) {
            return part[start].at - step
        }
        return nil
    }

    /// A line per second, for a look at a run.
    func printCourse(_ name: String) {
        for start in stride(from: 0, to: Int(samples.last?.at ?? 0), by: 1) {
            let figures = figures(Double(start), Double(start + 1))
            print("\(name) \(start)s \(figures)")
        }
    }
}
