// How much may be sent to one subscriber: the sender's estimate from feedback about its own packets.
//
// Parts: a delay-based rate (InterArrival, DelayTrend, RateControl), a standing-queue correction (QueueDelay), a limit
// from loss that depends on the rate (LossModel), and probes (ProbeController, ProbeMeasurement). Without transport-wide
// feedback the receiver's own estimate (REMB) and receiver reports serve instead (FallbackRate). One per subscriber;
// no clock, no socket, no randomness, and no allocation after `init`. docs/media/bandwidth.md is the page for it.

package import Base

package struct BandwidthConfiguration: Sendable {
    /// The target never goes below: audio and the lowest layer must live on something.
    package var least = 50_000
    package var start = 300_000
    /// Nor above.
    package var largest = 20_000_000
    /// What is not yet sent may be sent in probes. Off for paths where padding is not wanted.
    package var probes = true

    package init() {}
}

/// The state in numbers, for statistics and tests.
package struct BandwidthSnapshot: Sendable {
    package let target: Int
    package let delayBased: Int
    package let lossLimit: Int?
    package let inherentLoss: Double
    package let acknowledged: Int?
    package let queueDelay: Duration
    package let roundTrip: Duration
    package let use: LinkUse
    package let isApplicationLimited: Bool
}

package struct SendSideEstimator: ~Copyable {
    /// A queue shorter than this is not drained: frames make it.
    package static let tolerableQueue: Int64 = 15_000
    /// A longer one is drained in about this time.
    package static let drainTime = 0.8
    /// At most this share of the rate is given up for it.
    package static let largestDrain = 0.5
    /// With a queue longer than this the rate does not grow and nothing is probed.
    package static let longQueue: Int64 = 40_000
    /// A queue longer than this that does not fall (milliseconds per millisecond) is overuse, every so often.
    package static let excessiveQueue: Int64 = 80_000
    package static let fallingSlope = -0.02
    package static let excessiveEvery: Int64 = 400_000
    /// One probe's success raises the rate of a link that was full before by the larger of this share and these bits:
    /// a burst fits between the packets of others where its rate does not, and the constant lets the smaller of two
    /// senders grow faster.
    package static let probeStepShare = 0.25
    package static let probeStepBits = 400_000.0
    /// Packets sent so soon after a probe see its queue, not the link's.
    package static let probeShadow: Int64 = 150_000
    /// Packets in flight and no feedback for the longer of this and `silenceRoundTrips`: the path is in trouble.
    package static let silence: Int64 = 1_000_000
    package static let silenceRoundTrips: Int64 = 3
    /// What is left of the rate each time.
    package static let silenceFactor = 0.7
    /// Before the first measurement.
    package static let assumedRoundTrip: Int64 = 200_000
    /// The pacer sends at this multiple of the target, so that a frame leaves within a third of its interval …
    package static let pacingFactor = 2.5
    /// … at this one where packets are lost, perhaps from a queue that holds no frame …
    package static let lossyPacingFactor = 1.4
    /// … and at this one while the queue on the path is long.
    package static let drainingPacingFactor = 1.1

    private let configuration: BandwidthConfiguration
    private var history: SentPacketHistory
    private var interArrival = InterArrival()
    private var trend = DelayTrend()
    private var queue = QueueDelay()
    private var acknowledged = AcknowledgedRate()
    private var limit = ApplicationLimit()
    private var rate: RateControl
    private var loss = LossModel()
    private var probes: ProbeController
    private var measurement = ProbeMeasurement()
    private var fallback: FallbackRate

    private var wanted: Double
    private var probeSends: ClosedRange<Int64>?
    private var roundTrip = Self.assumedRoundTrip
    private var reportedRoundTrip: (value: Int64, at: Int64)?
    private var hasFeedback = false
    private var hasSent = false
    /// Since when packets are out without any feedback.
    private var unheardSince: Int64?
    /// Of the report that is being taken in.
    private var newestSend: Int64?
    private var newestArrivalCount = 0

    /// Bits per second, on the wire as the sizes given to `onSent` are.
    package private(set) var target: Int

    package init(_ configuration: BandwidthConfiguration = .init(), historyCapacity: Int? = nil) {
        self.configuration = configuration
        history = SentPacketHistory(capacity: historyCapacity ?? SentPacketHistory.defaultCapacity)
        rate = RateControl(start: Double(configuration.start))
        probes = ProbeController(start: Double(configuration.start))
        fallback = FallbackRate(start: Double(configuration.start))
        wanted = Double(configuration.largest)
        target = configuration.start
        limit.setTarget(Double(configuration.start))
    }

    // MARK: - What goes out

    /// `cluster` is that of the pacer's probe, or 0. Sequence numbers of one subscriber go up by one.
    package mutating func onSent(sequence: UInt16, size: Int, cluster: UInt16 = 0, now: Instant) {
        let time = now.microseconds
        history.add(sequence, size: size, cluster: cluster, sendTime: time)
        limit.sent(size, at: time)
        if unheardSince == nil { unheardSince = time }
        hasSent = true
        if cluster != 0 { noteProbe(at: time) }
    }

    private mutating func noteProbe(at time: Int64) {
        if let sends = probeSends, time &- sends.upperBound < Self.probeShadow {
            probeSends = sends.lowerBound...max(time, sends.upperBound)
        } else {
            probeSends = time...time
        }
    }

    /// What the subscriber would use if it could: nothing is probed far beyond it.
    package mutating func setWanted(_ bitsPerSecond: Int) { wanted = Double(max(bitsPerSecond, 0)) }

    // MARK: - What comes back

    /// The packets of one report, in any order.
    package mutating func onFeedback(_ items: Span<FeedbackItem>, now: Instant) {
        for index in items.indices { report(items[index]) }
        endFeedback(now: now)
    }

    /// One packet of a report; `endFeedback` follows the last one.
    package mutating func report(_ item: FeedbackItem) {
        let arrival = item.arrivalTime
        acknowledged.presume(history.passedOver(until: item.sequence))
        switch history.report(item.sequence, isReceived: arrival != nil) {
        case .nothingNew: break
        case .lost(let sendTime, let size, let cluster):
            // A probe may overflow a short queue: that is its result, not a loss of the media's rate.
            if cluster == 0 { loss.add(sendTime: sendTime, size: size, isLost: true) }
        case .received(let sendTime, let size, let cluster):
            if cluster == 0 { loss.add(sendTime: sendTime, size: size, isLost: false) }
            guard let arrival else { return }
            received(PacketFeedback(sendTime: sendTime, arrivalTime: arrival, size: size, cluster: cluster))
        }
    }

    private mutating func received(_ packet: PacketFeedback) {
        newestSend = max(newestSend ?? packet.sendTime, packet.sendTime)
        newestArrivalCount += 1
        acknowledged.add(packet.size, at: packet.arrivalTime, isApplicationLimited: limit.isLimited)
        measurement.add(packet)
        queue.add(send: packet.sendTime, arrival: packet.arrivalTime)
        if let sends = probeSends, packet.sendTime >= sends.lowerBound,
            packet.sendTime <= sends.upperBound &+ Self.probeShadow
        {
            // A probe is overuse on purpose.
            interArrival.reset()
        } else if let difference = interArrival.add(send: packet.sendTime, arrival: packet.arrivalTime) {
            trend.update(difference)
        }
    }

    package mutating func endFeedback(now: Instant) {
        let time = now.microseconds
        hasFeedback = true
        unheardSince = nil
        if let newestSend { noteRoundTrip(time &- newestSend) }
        newestSend = nil
        guard newestArrivalCount > 0 else { return }
        newestArrivalCount = 0
        loss.update(current: Double(target), queue: queue.microseconds, now: time)
        let kept = 1 - loss.inherent
        rate.update(
            RateControl.Input(
                use: linkUse(time), acknowledged: acknowledged.bitsPerSecond.map { $0 / kept },
                isApplicationLimited: limit.isLimited, isDraining: queue.microseconds > Self.longQueue,
                roundTrip: currentRoundTrip(time), now: time),
            bounds: bounds)
        takeProbeResult(now: time)
        updateTarget(now: time)
    }

    /// The trend tells of a queue that grows; one that has grown slowly and stays is overuse too, told less often.
    private func linkUse(_ time: Int64) -> LinkUse {
        guard trend.use == .normal, queue.microseconds > Self.excessiveQueue, trend.slope > Self.fallingSlope,
            rate.lastDecrease == .min || time &- rate.lastDecrease > Self.excessiveEvery &+ currentRoundTrip(time)
        else { return trend.use }
        return .over
    }

    private mutating func takeProbeResult(now: Int64) {
        guard probes.awaited != nil, let result = measurement.result(inherentLoss: loss.inherent) else { return }
        measurement.end()
        probes.finished(
            result: result, wasFull: rate.lastDecrease != .min && !loss.isLossy, raised: result > rate.bitsPerSecond,
            now: now)
        if result > rate.bitsPerSecond {
            var raised = min(result, bounds.upperBound)
            if rate.lastDecrease != .min {
                let step = max(rate.bitsPerSecond * Self.probeStepShare, Self.probeStepBits)
                raised = min(raised, rate.bitsPerSecond + step)
            }
            rate.raise(to: raised, now: now)
            acknowledged.expectStep()
        }
    }

    /// The receiver's own estimate. A cap while transport-wide feedback comes, and the estimate itself when none does.
    package mutating func onREMB(_ bitsPerSecond: UInt64, now: Instant) {
        fallback.onREMB(Double(bitsPerSecond), now: now.microseconds)
        updateTarget(now: now.microseconds)
    }

    /// From a receiver report: `fractionLost` of 0…1 since the report before, and the round trip when it was measured.
    package mutating func onReceiverReport(fractionLost: Double, roundTrip: Duration?, now: Instant) {
        let time = now.microseconds
        if let roundTrip { reportedRoundTrip = (max(roundTrip.microseconds, 1), time) }
        guard !hasFeedback else { return }
        fallback.onLoss(fractionLost, now: time)
        updateTarget(now: time)
    }

    // MARK: - Time

    /// To be called at `deadline`, and as often as one likes.
    package mutating func tick(_ now: Instant) {
        let time = now.microseconds
        guard hasFeedback, let since = unheardSince, time &- since >= silenceLimit(time) else { return }
        unheardSince = time
        rate.cut(to: max(rate.bitsPerSecond * Self.silenceFactor, bounds.lowerBound), now: time)
        updateTarget(now: time)
    }

    /// When `tick` or `nextProbe` has something to do next.
    package var deadline: Instant? {
        guard hasSent else { return nil }
        var time = probes.deadline
        if hasFeedback, let since = unheardSince { time = min(time, since &+ silenceLimit(since)) }
        return Instant(nanoseconds: UInt64(max(time, 0)) &* 1_000)
    }

    /// A burst to send now, for the pacer. Asked for after feedback and at `deadline`.
    package mutating func nextProbe(_ now: Instant) -> ProbePlan? {
        // Without feedback a probe shows nothing; the very first one brings the feedback.
        guard configuration.probes, hasSent, hasFeedback else { return nil }
        let time = now.microseconds
        let plan = probes.plan(
            ProbeController.Input(
                estimate: Double(target), wanted: wanted, largest: bounds.upperBound,
                isApplicationLimited: limit.isLimited,
                isClear: queue.microseconds <= Self.longQueue && trend.use != .over && !loss.isCongested,
                isLossy: loss.isLossy, lastDecrease: rate.lastDecrease, rateBeforeDecrease: rate.rateBeforeDecrease,
                roundTrip: currentRoundTrip(time)),
            now: time)
        if let plan { measurement.expect(plan) }
        return plan
    }

    /// What the pacer sends at.
    package var pacingRate: Int {
        if queue.microseconds > Self.longQueue { return Int(Double(target) * Self.drainingPacingFactor) }
        return Int(Double(target) * (loss.isLossy ? Self.lossyPacingFactor : Self.pacingFactor))
    }

    package var snapshot: BandwidthSnapshot {
        BandwidthSnapshot(
            target: target, delayBased: Int(rate.bitsPerSecond), lossLimit: loss.limit.map { Int($0) },
            inherentLoss: loss.inherent, acknowledged: acknowledged.bitsPerSecond.map { Int($0) },
            queueDelay: .microseconds(queue.microseconds), roundTrip: .microseconds(roundTrip), use: trend.use,
            isApplicationLimited: limit.isLimited)
    }

    // MARK: - Inside

    private var bounds: ClosedRange<Double> {
        let least = Double(configuration.least)
        return least...max(least, Double(configuration.largest))
    }

    private func silenceLimit(_ time: Int64) -> Int64 {
        max(Self.silence, Self.silenceRoundTrips &* currentRoundTrip(time))
    }

    private func currentRoundTrip(_ time: Int64) -> Int64 {
        if let reported = reportedRoundTrip, time &- reported.at < FallbackRate.validity { return reported.value }
        return roundTrip
    }

    /// From sending to the report, which the receiver holds back for a moment: an upper bound.
    private mutating func noteRoundTrip(_ sample: Int64) {
        guard sample > 0 else { return }
        roundTrip = roundTrip == Self.assumedRoundTrip ? sample : (7 &* roundTrip &+ sample) / 8
    }

    private mutating func updateTarget(now: Int64) {
        var value = hasFeedback ? rate.bitsPerSecond : fallback.bitsPerSecond
        if let limit = loss.limit { value = min(value, limit) }
        if let cap = fallback.cap(now: now) { value = min(value, cap) }
        let excess = Double(max(queue.microseconds &- Self.tolerableQueue, 0)) / 1e6
        value *= 1 - min(excess / Self.drainTime, Self.largestDrain)
        // Arrival times come from the wire: whatever they did to the sums, a number comes out.
        value = value.isFinite ? min(max(value, bounds.lowerBound), bounds.upperBound) : bounds.lowerBound
        target = Int(value)
        limit.setTarget(value)
    }
}
