// Loss: is it the path, which loses a share of whatever is sent, or is it us, who send more than fits?
//
// A fixed rule (above 10 % down, below 2 % up) leaves a lossy radio unused. The idea kept from libwebrtc's second
// loss-based estimator is to fit a model with two unknowns to recent observations of rate and loss:
//
//     loss(rate) = inherent + (1 - inherent) * max(0, (rate - capacity) / rate)
//
// Ours is fitted by least squares: for a capacity the best inherent loss has a closed form, so a handful of capacities
// is tried, and congestion is believed only when it explains the observations much better than a constant loss does.
// Loss that does not depend on the rate does not lower the rate. When the rate has not varied enough to tell, and the
// loss is high, the model asks for an experiment: a lower rate for a second.

struct LossModel {
    /// Microseconds of sending in one observation. Shorter is noisier, longer is later.
    static let observationTime: Int64 = 250_000
    /// Observations in the fit, and the weight of each compared with the one after it.
    static let window = 20
    static let decay = 0.9
    static let fewestObservations = 5
    /// A window with less loss is not looked at: no model, no limit.
    static let insignificant = 0.02
    /// Capacities tried, as shares of the highest rate in the window.
    static let candidates: InlineArray<11, Double> = [0.97, 0.94, 0.9, 0.86, 0.82, 0.78, 0.7, 0.62, 0.54, 0.46, 0.38]
    /// How many times more than chance the congestion model must explain, and how much loss of the present rate.
    static let significance = 12.0
    static let leastCongestion = 0.03
    /// The limit when congestion is believed, as a share of the fitted capacity.
    static let backoff = 0.97
    /// Growth of the limit per observation without congestion.
    static let release = 1.08
    /// Inherent loss beyond this is not made up for by a higher rate.
    static let largestInherent = 0.4
    /// Two observations in a row with more loss than this, of this many packets: whatever it is, halve.
    static let collapse = 0.5
    static let collapsePackets = 20.0
    /// The experiment: when loss is above, the rate varies less (relative deviation), and none was made lately.
    static let doubtfulLoss = 0.08
    static let steadyRate = 0.06
    static let experimentShare = 0.8
    static let experimentLength = 4
    static let experimentEvery = 48

    private struct Observation {
        var packets = 0.0
        var lost = 0.0
        var rate = 0.0
        var share: Double { lost / max(packets, 1) }
    }

    /// Nil while loss is no reason to send less.
    private(set) var limit: Double?
    /// The share that the path loses anyway.
    private(set) var inherent = 0.0
    private(set) var isCongested = false

    private var ring = InlineArray<20, Observation>(repeating: Observation())
    private var next = 0
    private var count = 0
    private var open = Observation()
    private var openBytes = 0
    private var openFirst: Int64?
    private var openLast: Int64 = 0
    private var experimentLeft = 0
    private var sinceExperiment = Self.experimentEvery

    mutating func add(sendTime: Int64, size: Int, isLost: Bool) {
        if openFirst == nil || sendTime &- openLast > 4 &* Self.observationTime {
            // The first, or the first after a pause.
            open = Observation()
            openBytes = 0
            openFirst = sendTime
        }
        openLast = max(openLast, sendTime)
        open.packets += 1
        open.lost += isLost ? 1 : 0
        openBytes += size
    }

    /// Closes the observation when it is long enough, and judges. `current` is the rate allowed at present.
    mutating func update(current: Double) {
        guard let first = openFirst, openLast &- first >= Self.observationTime else { return }
        open.rate = Double(openBytes * 8) / Double(openLast &- first) * 1e6
        let previous = ring[next == 0 ? Self.window - 1 : next - 1]
        let last = open
        ring[next] = last
        next = next + 1 == Self.window ? 0 : next + 1
        count = min(count + 1, Self.window)
        openFirst = nil
        sinceExperiment = min(sinceExperiment + 1, Self.experimentEvery)
        judge(current: current, collapsed: isCollapse(previous) && isCollapse(last), lastRate: last.rate)
    }

    private func isCollapse(_ observation: Observation) -> Bool {
        observation.packets >= Self.collapsePackets && observation.share > Self.collapse
    }

    private struct Fit {
        var inherent = 0.0
        var residual = Double.infinity
        var capacity = Double.infinity
    }

    private struct Summary {
        var weight = 0.0
        var loss = 0.0
        var meanRate = 0.0
        var deviation = 0.0
        var highest = 0.0
    }

    private mutating func judge(current: Double, collapsed: Bool, lastRate: Double) {
        isCongested = false
        let summary = summarise()
        if collapsed {
            isCongested = true
            limit = min(limit ?? .infinity, lastRate * 0.5)
            return
        }
        guard summary.loss > Self.insignificant, count >= Self.fewestObservations else {
            inherent = min(summary.loss, Self.insignificant)
            releaseLimit(current: current)
            return
        }
        let constant = fit(capacity: .infinity)
        var best = constant
        for index in 0..<Self.candidates.count {
            let tried = fit(capacity: summary.highest * Self.candidates[index])
            if tried.residual < best.residual { best = tried }
        }
        // What chance alone leaves: the larger of the binomial variance and the scatter around the better model.
        let chance = max(best.residual / summary.weight, summary.loss * (1 - summary.loss) / meanPackets())
        let explained = (constant.residual - best.residual) / summary.weight / chance * Double(count)
        let excess = lastRate > best.capacity ? (lastRate - best.capacity) / lastRate : 0
        if explained > Self.significance {
            inherent = min(best.inherent, Self.largestInherent)
            if excess > Self.leastCongestion {
                isCongested = true
                limit = best.capacity * Self.backoff
            } else {
                releaseLimit(current: current)
            }
            return
        }
        inherent = min(constant.inherent, Self.largestInherent)
        if experimentLeft == 0 { releaseLimit(current: current) }
        experiment(summary, current: current)
    }

    private mutating func releaseLimit(current: Double) {
        guard let value = limit else { return }
        let raised = value * Self.release
        limit = raised > current * 1.5 ? nil : raised
    }

    private mutating func experiment(_ summary: Summary, current: Double) {
        if experimentLeft > 0 {
            experimentLeft -= 1
            if experimentLeft == 0 { limit = nil }
        } else if summary.loss > Self.doubtfulLoss, summary.deviation < Self.steadyRate, count == Self.window,
            sinceExperiment == Self.experimentEvery
        {
            sinceExperiment = 0
            experimentLeft = Self.experimentLength
            limit = summary.meanRate * Self.experimentShare
        }
    }

    /// Visits observations from the newest to the oldest with their weights.
    private func forEach(_ body: (Observation, Double) -> Void) {
        var weight = 1.0
        var index = next
        for _ in 0..<count {
            index = index == 0 ? Self.window - 1 : index - 1
            body(ring[index], weight * ring[index].packets)
            weight *= Self.decay
        }
    }

    private func meanPackets() -> Double {
        var sum = 0.0
        forEach { observation, _ in sum += observation.packets }
        return max(sum / Double(max(count, 1)), 1)
    }

    private func summarise() -> Summary {
        var summary = Summary()
        var squares = 0.0
        forEach { observation, weight in
            summary.weight += weight
            summary.loss += weight * observation.share
            summary.meanRate += weight * observation.rate
            squares += weight * observation.rate * observation.rate
            summary.highest = max(summary.highest, observation.rate)
        }
        guard summary.weight > 0 else { return Summary() }
        summary.loss /= summary.weight
        summary.meanRate /= summary.weight
        let variance = max(squares / summary.weight - summary.meanRate * summary.meanRate, 0)
        summary.deviation = variance.squareRoot() / max(summary.meanRate, 1)
        return summary
    }

    /// The best inherent loss for a capacity. With the congestion share c of an observation the model is
    /// c + inherent * (1 - c), a line in the unknown.
    private func fit(capacity: Double) -> Fit {
        var numerator = 0.0
        var denominator = 0.0
        forEach { observation, weight in
            let congestion = max(0, (observation.rate - capacity) / max(observation.rate, 1))
            numerator += weight * (1 - congestion) * (observation.share - congestion)
            denominator += weight * (1 - congestion) * (1 - congestion)
        }
        var result = Fit(inherent: denominator > 0 ? min(max(numerator / denominator, 0), 1) : 0, residual: 0)
        result.capacity = capacity
        forEach { observation, weight in
            let congestion = max(0, (observation.rate - capacity) / max(observation.rate, 1))
            let error = observation.share - congestion - result.inherent * (1 - congestion)
            result.residual += weight * error * error
        }
        return result
    }
}
