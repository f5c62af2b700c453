// The delay-based rate: up while the queue does not grow, down below what arrives when it does
// (draft-ietf-rmcat-gcc-02 §5.5), with a memory of what the link carried when it was full.

/// What arrived at the times the link was full: the mean and how far the values lie apart.
struct LinkCapacity {
    /// Weight of a new value.
    static let weight = 0.15
    /// Standard deviations between the mean and a value that shows another link.
    static let deviations = 3.0
    static let spreadRange = 0.4...2.5

    private(set) var bitsPerSecond: Double?
    private var spread = Self.spreadRange.lowerBound

    var upperBound: Double { bitsPerSecond.map { $0 + Self.deviations * deviation($0) } ?? .infinity }
    var lowerBound: Double { bitsPerSecond.map { max($0 - Self.deviations * deviation($0), 0) } ?? 0 }

    mutating func reset() { bitsPerSecond = nil }

    mutating func add(_ sample: Double) {
        let mean = bitsPerSecond.map { $0 + Self.weight * (sample - $0) } ?? sample
        let error = (mean - sample) / 1_000
        spread = (1 - Self.weight) * spread + Self.weight * error * error / max(mean / 1_000, 1)
        spread = min(max(spread, Self.spreadRange.lowerBound), Self.spreadRange.upperBound)
        bitsPerSecond = mean
    }

    private func deviation(_ mean: Double) -> Double { (spread * mean / 1_000).squareRoot() * 1_000 }
}

struct RateControl {
    /// What is left of the arriving rate on overuse. Lower empties the queue faster and wastes more of the link.
    static let backoff = 0.85
    /// Growth per second without a known capacity, and at least this many bits per second more each second.
    static let growth = 1.08
    static let leastGrowth = 1_000.0
    /// Growth per second back to a known capacity, once the queue has gone.
    static let recovery = 1.6
    /// The share of a known capacity up to which `recovery` holds.
    static let recoveredShare = 0.95
    /// Bits per second each second, at least, near the capacity.
    static let leastAddition = 4_000.0
    /// The rate does not grow beyond this multiple of what arrives, and a constant.
    static let headroom = 1.5
    static let headroomBits = 10_000.0
    /// Overuse is acted on again after the round trip, within these bounds (microseconds).
    static let reactionRange: ClosedRange<Int64> = 10_000...200_000
    /// Time between two updates counts at most so much.
    static let longestStep = 1.0

    private enum Phase { case hold, increase, decrease }

    private(set) var bitsPerSecond: Double
    private(set) var capacity = LinkCapacity()
    /// The last time overuse lowered the rate, and the rate before it.
    private(set) var lastDecrease: Int64 = .min
    private(set) var rateBeforeDecrease = 0.0
    private var phase = Phase.hold
    private var lastChange: Int64?

    init(start: Double) { bitsPerSecond = start }

    struct Input {
        let use: LinkUse
        /// What arrives, in sent bits: the share that the path loses anyway is added back.
        let acknowledged: Double?
        let isApplicationLimited: Bool
        /// The queue is long: not a time for growth, even though it does not grow itself.
        let isDraining: Bool
        let roundTrip: Int64
        let now: Int64
    }

    mutating func update(_ input: Input, bounds: ClosedRange<Double>) {
        switch input.use {
        case .over: phase = .decrease
        case .under: phase = .hold
        case .normal: phase = input.isDraining ? .hold : .increase
        }
        switch phase {
        case .hold: break
        case .increase: increase(input)
        case .decrease: decrease(input)
        }
        lastChange = input.now
        bitsPerSecond = min(max(bitsPerSecond, bounds.lowerBound), bounds.upperBound)
    }

    /// A probe has shown that the link carries this much.
    mutating func raise(to rate: Double, now: Int64) {
        guard rate > bitsPerSecond else { return }
        if rate > capacity.upperBound { capacity.reset() }
        bitsPerSecond = rate
        lastChange = now
    }

    /// Nothing is heard of.
    mutating func cut(to rate: Double, now: Int64) {
        bitsPerSecond = min(bitsPerSecond, rate)
        lastChange = now
    }

    private mutating func increase(_ input: Input) {
        if let acknowledged = input.acknowledged, acknowledged > capacity.upperBound { capacity.reset() }
        let seconds = lastChange.map { min(Double(input.now &- $0) / 1e6, Self.longestStep) } ?? 0
        var next = bitsPerSecond
        if let known = capacity.bitsPerSecond {
            let recovered = known * Self.recoveredShare
            if next < recovered {
                next = min(next * power(Self.recovery, seconds), recovered)
            } else {
                next += addition(roundTrip: input.roundTrip) * seconds
            }
        } else {
            next += max(next * (power(Self.growth, seconds) - 1), Self.leastGrowth * seconds)
        }
        let limit = input.acknowledged.map { $0 * Self.headroom + Self.headroomBits } ?? .infinity
        bitsPerSecond = max(bitsPerSecond, min(next, limit))
    }

    /// About one packet per response time.
    private func addition(roundTrip: Int64) -> Double {
        let frame = bitsPerSecond / 30
        let packets = max((frame / (8 * 1_200)).rounded(.up), 1)
        return max(frame / packets / (Double(roundTrip &+ 100_000) * 2 / 1e6), Self.leastAddition)
    }

    private mutating func decrease(_ input: Input) {
        let reaction = min(max(input.roundTrip, Self.reactionRange.lowerBound), Self.reactionRange.upperBound)
        let arriving = input.acknowledged ?? bitsPerSecond
        guard lastDecrease == .min || input.now &- lastDecrease >= reaction || bitsPerSecond > 2 * arriving else {
            return
        }
        // An application that sends little shows little of the link: what arrives is then no measure of it.
        let rate = Self.backoff * (input.isApplicationLimited ? max(arriving, bitsPerSecond) : arriving)
        if !input.isApplicationLimited {
            if arriving < capacity.lowerBound { capacity.reset() }
            capacity.add(arriving)
        }
        if rate < bitsPerSecond {
            rateBeforeDecrease = bitsPerSecond
            bitsPerSecond = rate
        }
        lastDecrease = input.now
    }
}

/// `base` to the power of `exponent` for a base near 1 and up to a second; good to a part in a thousand there, and
/// without the mathematics library.
private func power(_ base: Double, _ exponent: Double) -> Double {
    // Two terms of the binomial series.
    let part = base - 1
    return max(1 + exponent * part + exponent * (exponent - 1) / 2 * part * part, 0)
}
