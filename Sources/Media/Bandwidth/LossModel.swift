// Loss: is it the path, which loses a share of whatever is sent, or is it us, who send more than fits?
//
// A fixed rule (above 10 % down, below 2 % up) leaves a lossy radio unused; ignoring loss drowns a path with a short
// queue, where delay says little. So loss beyond what is believed of the path is taken for congestion, the rate is cut
// to what would then fit, and the cut is a trial: when the loss stays, it is the path's, is believed from then on, and
// the rate comes back at once; when it goes, the cut was right, and the limit grows again from there, slowly first.
//
// Tried and given up: fitting loss against rate by least squares over five seconds (the idea of libwebrtc's second
// loss-based estimator). The rate varies too little for it, and on a queue of 50 ms it took 45 % loss for the path's.

struct LossModel {
    /// Microseconds of sending in one observation. Shorter is noisier, longer is later.
    static let observationTime: Int64 = 250_000
    /// Observations in the mean that is judged, and in a trial.
    static let window = 4
    static let trialObservations = 3
    /// Fewer packets show nothing.
    static let fewestPackets = 20.0
    /// Loss beyond the believed one that is acted on: at least this, and so many standard deviations.
    static let leastExcess = 0.05
    static let deviations = 2.5
    /// One observation alone is acted on when it is this bad.
    static let suddenExcess = 0.3
    /// A trial in which this share of the excess remains has shown that the path loses it.
    static let remainingShare = 0.6
    /// More loss than in what led to the trial, by this, is another situation: another trial.
    static let worsening = 0.08
    /// No more than this is believed: what remains of such a path is not worth a full rate.
    static let largestInherent = 0.4
    /// How fast belief follows loss downwards, and upwards where the rate is clearly not the cause.
    static let forgetting = 0.2
    static let learning = 0.15
    /// The same after a trial that did help.
    static let trialLearning = 0.5
    /// The link carries what it delivered within the window. When that is this share of the rate, nothing is cut.
    static let deliveredShare = 0.95
    /// Microseconds of queue beyond which loss is not learnt, and not believed after a trial: a short queue that is full
    /// looks like this.
    static let quietQueue: Int64 = 6_000
    static let trialQueue: Int64 = 15_000
    /// With a queue longer than this belief fades by this share per observation.
    static let busyQueue: Int64 = 22_000
    static let fading = 0.04
    /// A limit below this multiple of what it was cut to counts as the cut rate.
    static let nearCut = 1.12
    /// Belief above this is checked every so many observations, by a trial at this share of the rate. Less often leaves
    /// a wrong belief, and what it does to a link with a very short queue, for longer; a check costs a part in sixty.
    static let checkedInherent = 0.08
    static let checkEvery = 48
    static let checkShare = 0.8
    /// Growth of the limit per observation: the first, and the last after some good ones.
    static let firstGrowth = 0.06
    static let lastGrowth = 0.2
    static let growthFactor = 1.25
    /// A limit this far above the rate is none.
    static let released = 1.5

    private struct Observation {
        var packets = 0.0
        var lost = 0.0
        var rate = 0.0
        var share: Double { lost / max(packets, 1) }
    }

    private struct Trial {
        let loss: Double
        /// To go back to when the cut was wrong; nil when there was no limit.
        let limitBefore: Double?
        let rateBefore: Double
        /// Of a belief, rather than of what to do about loss.
        let isCheck: Bool
        /// Packets sent before do not count.
        let since: Int64
    }

    /// Nil while loss is no reason to send less.
    private(set) var limit: Double?
    /// The share that the path is believed to lose of anything.
    private(set) var inherent = 0.0
    private var growth = Self.firstGrowth
    private var trial: Trial?
    private var ring = InlineArray<4, Observation>(repeating: Observation())
    /// Rates that arrived in the last observations, trials or not.
    private var delivered = InlineArray<4, Double>(repeating: 0)
    private var count = 0
    private var sinceCheck = 0
    private var lastCut = 0.0
    private var queue: Int64 = 0
    private var open = Observation()
    private var openBytes = 0
    private var openFirst: Int64?
    private var openLast: Int64 = 0

    /// A cut is being tried, or was right a moment ago.
    var isCongested: Bool { trial != nil || limit != nil && growth <= Self.firstGrowth }

    /// Some loss is limiting or believed.
    var isLossy: Bool { limit != nil || inherent > 0.02 }

    mutating func add(sendTime: Int64, size: Int, isLost: Bool) {
        if let trial, sendTime < trial.since { return }
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
    mutating func update(current: Double, queue: Int64, now: Int64) {
        guard let first = openFirst, openLast &- first >= Self.observationTime else { return }
        open.rate = Double(openBytes * 8) / Double(openLast &- first) * 1e6
        openFirst = nil
        for index in stride(from: Self.window - 1, to: 0, by: -1) {
            ring[index] = ring[index - 1]
            delivered[index] = delivered[index - 1]
        }
        delivered[0] = open.rate * (1 - open.share)
        ring[0] = open
        count = min(count + 1, Self.window)
        self.queue = queue
        if let trial {
            if count >= Self.trialObservations { conclude(trial, now: now) }
        } else {
            if queue > Self.busyQueue { inherent *= 1 - Self.fading }
            sinceCheck = min(sinceCheck + 1, Self.checkEvery)
            if inherent > Self.checkedInherent, sinceCheck == Self.checkEvery, count > 1 {
                return begin(loss: mean().share, rate: min(mean().rate, current), now: now, isCheck: true)
            }
            judge(current: current, now: now)
        }
    }

    private func mean() -> Observation {
        var sum = Observation()
        for index in 0..<count {
            sum.packets += ring[index].packets
            sum.lost += ring[index].lost
            sum.rate += ring[index].rate / Double(count)
        }
        return sum
    }

    private func excess(_ observation: Observation, least: Double) -> Double? {
        guard observation.packets >= Self.fewestPackets else { return nil }
        let share = max(inherent, observation.share)
        let deviation = (share * (1 - share) / observation.packets).squareRoot()
        let excess = observation.share - inherent
        return excess > max(least, Self.deviations * deviation) ? excess : nil
    }

    private mutating func judge(current: Double, now: Int64) {
        let mean = mean()
        let found = excess(ring[0], least: Self.suddenExcess) ?? excess(mean, least: Self.leastExcess)
        let rate = min(mean.rate, current)
        // Below a rate that was cut, with an empty queue: what is lost here is the path's.
        if let limit, limit < Self.nearCut * lastCut { learn(mean.share) }
        guard let found else {
            if mean.share < inherent { inherent += Self.forgetting * (mean.share - inherent) }
            return grow(current: current)
        }
        let loss = inherent + found
        let fitting = fittingRate(rate, loss: loss)
        guard fitting < Self.deliveredShare * rate else {
            // Bursts: at this very rate a moment ago all was well.
            learn(mean.share)
            return grow(current: current)
        }
        begin(loss: loss, rate: rate, now: now)
    }

    private mutating func learn(_ share: Double, weight: Double = Self.learning) {
        guard queue < Self.quietQueue else { return }
        if share > inherent { inherent = min(inherent + weight * (share - inherent), Self.largestInherent) }
    }

    /// What would fit if all loss came from the rate. Inherent loss is not made up for here: on a full queue that looks
    /// like a lossy path, belief and rate would push each other up.
    private func fittingRate(_ rate: Double, loss: Double) -> Double {
        var fitting = rate * (1 - min(loss, 0.9))
        for index in 0..<Self.window { fitting = max(fitting, delivered[index]) }
        return min(fitting, rate)
    }

    private mutating func begin(loss: Double, rate: Double, now: Int64, isCheck: Bool = false) {
        trial = Trial(loss: loss, limitBefore: limit, rateBefore: rate, isCheck: isCheck, since: now)
        limit = isCheck ? min(limit ?? .infinity, rate * Self.checkShare) : fittingRate(rate, loss: loss)
        lastCut = limit ?? 0
        if isCheck { sinceCheck = 0 }
        growth = Self.firstGrowth
        count = 0
        openFirst = nil
    }

    private mutating func conclude(_ trial: Trial, now: Int64) {
        let mean = mean()
        guard mean.packets >= Self.fewestPackets else { return end() }
        if trial.isCheck {
            limit = trial.limitBefore
            if mean.share < Self.remainingShare * inherent {
                inherent = 0
                limit = fittingRate(trial.rateBefore, loss: trial.loss)
            }
            return end()
        }
        let remaining = mean.share - inherent
        let stays = remaining > Self.remainingShare * (trial.loss - inherent)
        let isWorse = mean.share > trial.loss + Self.worsening
        if stays, !isWorse, queue < Self.trialQueue, mean.share <= Self.largestInherent,
            mean.rate < 0.97 * trial.rateBefore
        {
            inherent = max(mean.share, inherent)
            limit = trial.limitBefore.map { max($0, trial.rateBefore) }
            growth = Self.lastGrowth
            end()
        } else if remaining > Self.leastExcess {
            begin(loss: mean.share, rate: mean.rate, now: now)
        } else {
            learn(mean.share, weight: Self.trialLearning)
            end()
        }
    }

    private mutating func end() {
        trial = nil
        count = 0
    }

    private mutating func grow(current: Double) {
        guard let value = limit else { return }
        let raised = value * (1 + growth)
        growth = min(growth * Self.growthFactor, Self.lastGrowth)
        limit = raised > current * Self.released ? nil : raised
    }
}
