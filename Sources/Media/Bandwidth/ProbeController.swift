// When to probe, and how high.
//
// At the start with 3 and 6 times the start rate; then at twice the estimate while probes succeed; later every two
// seconds while more is wanted than is allowed, or the application sends too little to show what fits. Growth without
// probes (8 % a second) would take a quarter of a minute from 0.5 to 2 Mbit/s.

struct ProbeController {
    /// The first probes, as multiples of the start rate.
    static let firstFactor = 3.0
    static let secondFactor = 6.0
    /// Later ones, as multiples of the estimate.
    static let factor = 2.0
    /// A result above this share of the probed rate asks for a further probe.
    static let successShare = 0.7
    /// The same on a link that was full before and loses nothing: there a burst fits between the packets of others, and a
    /// chain of such successes is what fills the queue. Higher finds freed bandwidth later.
    static let fullLinkShare = 0.8
    /// A periodic probe is at least this much above the estimate: twice little is too little for a small sender to get
    /// its part of a shared link.
    static let leastStepBits = 200_000.0
    /// A raise that overuse follows so soon was too much; the next periodic probe waits for twice the period.
    static let regretTime: Int64 = 1_500_000
    /// No probe beyond this multiple of what is wanted.
    static let wantedFactor = 1.5
    /// With an estimate of this multiple of what is wanted nothing is probed: a step up of the allocator fits, and what
    /// more there is nobody would use. Higher sends bytes for nothing, lower holds layers back for their margin.
    static let enoughFactor = 1.25
    /// More is wanted by this factor than at the last probe: the next one does not wait for its period.
    static let jumpFactor = 1.15
    /// So long after the last one. Shorter measures into its queue, longer leaves a shared screen dark.
    static let jumpWait: Int64 = 250_000
    /// When nothing is to be probed, it is asked about again after this, and after each report.
    static let lookInterval: Int64 = 500_000
    /// Microseconds between periodic probes. Less costs bytes and queue, more leaves a freed link unused.
    static let period: Int64 = 2_000_000
    /// A probe whose result has not come after this and two round trips is given up.
    static let patience: Int64 = 500_000
    /// No periodic probe for so long after overuse.
    static let calm: Int64 = 700_000
    /// A probe lasts this long (microseconds), and has at least so many packets.
    static let length = 15_000
    static let leastPackets = 5
    /// What was lost in one drop to less than this share is asked for again, at this share of it, within this time.
    static let largeDrop = 0.66
    static let regainShare = 0.85
    static let regainTime: Int64 = 5_000_000

    struct Input {
        let estimate: Double
        let wanted: Double
        let largest: Double
        let isApplicationLimited: Bool
        /// The queue is short and loss is no limit.
        let isClear: Bool
        /// Losses are the path's, or may be: overuse then says little.
        let isLossy: Bool
        let lastDecrease: Int64
        let rateBeforeDecrease: Double
        let roundTrip: Int64
    }

    private enum Phase {
        case fresh
        /// The second of the first two probes waits for the result of the first.
        case second
        case running
    }

    private var phase = Phase.fresh
    private var cluster: UInt16 = 0
    /// The probe whose result is awaited.
    private(set) var awaited: (plan: ProbePlan, since: Int64)?
    private var further: Double?
    private var isCapped = false
    /// A raise that has not been judged yet, and whether the last one was too much.
    private var raisedAt: Int64?
    private var isRegretted = false
    private var lastProbe: Int64 = .min
    /// When `plan` is to be asked, if nothing else happens.
    private var nextLook: Int64 = 0
    /// What was wanted at the last probe, or has not been more than since.
    private var lastWanted = Double.infinity
    private var regainedDecrease: Int64 = .min
    private let start: Double

    init(start: Double) { self.start = start }

    /// A probe to send now.
    mutating func plan(_ input: Input, now: Int64) -> ProbePlan? {
        if let awaited {
            guard now &- awaited.since > Self.patience &+ 2 &* input.roundTrip else { return nil }
            self.awaited = nil
            further = nil
        }
        // The first two are small, and what is wanted of a new subscriber is soon more.
        let isStarting = phase != .running
        let cap = isStarting ? input.largest : min(input.largest, input.wanted * Self.wantedFactor)
        nextLook = 0
        lastWanted = min(lastWanted, input.wanted)
        guard cap > 0, isStarting || input.estimate < input.wanted * Self.enoughFactor else {
            further = nil
            nextLook = now &+ Self.lookInterval
            return nil
        }
        guard let rate = rate(input, now: now) else { return nil }
        let capped = min(rate, cap)
        guard capped > input.estimate * 1.05 else { return nil }
        // Nothing beyond it is wanted: its success asks for no further one.
        isCapped = rate >= cap
        return begin(capped, wanted: input.wanted, now: now)
    }

    /// The estimate follows from a result; the estimate after it is given.
    mutating func finished(result: Double, wasFull: Bool, raised: Bool, now: Int64) {
        guard let awaited else { return }
        let asksFurther =
            !isCapped
            && result > (wasFull ? Self.fullLinkShare : Self.successShare) * Double(awaited.plan.bitsPerSecond)
        if raised { raisedAt = now }
        further = asksFurther ? result * Self.factor : nil
        self.awaited = nil
    }

    /// When to ask for a plan, besides after each report.
    var deadline: Int64 { lastProbe == .min ? nextLook : max(lastProbe &+ Self.period, nextLook) }

    private mutating func rate(_ input: Input, now: Int64) -> Double? {
        switch phase {
        case .fresh:
            phase = .second
            return max(start * Self.firstFactor, input.estimate * Self.factor)
        case .second:
            phase = .running
            // The first may have shown that the second is pointless.
            if further != nil {
                further = nil
                return max(start * Self.secondFactor, input.estimate * Self.factor)
            }
        case .running: break
        }
        guard input.isClear, now &- max(input.lastDecrease, now &- Self.calm &- 1) > Self.calm else { return nil }
        if let rate = further {
            further = nil
            return rate
        }
        if let rate = regained(input, now: now) { return rate }
        judgeRaise(input, now: now)
        // With less the allocator takes no step up, though it would fit.
        let needed = input.wanted * Allocator.upgradeMargin
        let hasJumped = input.wanted > Self.jumpFactor * lastWanted && needed > input.estimate
        let isDue =
            lastProbe == .min || now &- lastProbe >= (isRegretted && !input.isLossy ? 2 * Self.period : Self.period)
        guard isDue || hasJumped && now &- lastProbe >= Self.jumpWait else { return nil }
        guard input.isApplicationLimited || needed > input.estimate else { return nil }
        return max(input.estimate * Self.factor, input.estimate + Self.leastStepBits)
    }

    private mutating func judgeRaise(_ input: Input, now: Int64) {
        guard let raised = raisedAt else { return }
        // Of who sends little, overuse was a keyframe's, and says nothing about the raise.
        if input.lastDecrease > raised, input.lastDecrease &- raised < Self.regretTime, !input.isApplicationLimited {
            isRegretted = true
        } else if now &- raised > Self.regretTime {
            isRegretted = false
        } else {
            return
        }
        raisedAt = nil
    }

    private mutating func regained(_ input: Input, now: Int64) -> Double? {
        guard input.lastDecrease != .min, input.lastDecrease != regainedDecrease,
            now &- input.lastDecrease < Self.regainTime
        else { return nil }
        regainedDecrease = input.lastDecrease
        guard input.estimate < Self.largeDrop * input.rateBeforeDecrease else { return nil }
        return max(input.rateBeforeDecrease * Self.regainShare, input.estimate * Self.factor)
    }

    private mutating func begin(_ rate: Double, wanted: Double, now: Int64) -> ProbePlan {
        cluster = cluster == .max ? 1 : cluster + 1
        let plan = ProbePlan(
            cluster: cluster, bitsPerSecond: Int(rate), leastPackets: Self.leastPackets,
            leastBytes: Int(rate / 8e6 * Double(Self.length)))
        awaited = (plan, now)
        lastProbe = now
        lastWanted = wanted
        return plan
    }
}
