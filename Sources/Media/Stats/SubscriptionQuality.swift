// How a stream does at its subscriber: what it reports of it, and how evenly its frames left.

import Base
import Wire

struct SubscriptionQuality: BitwiseCopyable {
    /// A frame that leaves later than this after the one before, and later than three times the usual, is a freeze
    /// (nanoseconds): the definition of `freezeCount` in W3C's webrtc-stats, measured where frames leave.
    static let freezeBeyondMean: UInt64 = 150_000_000
    /// Longer is a pause, and no freeze.
    static let longestFreeze: UInt64 = 10_000_000_000

    // As the subscriber reported last
    private(set) var fractionLost: UInt8 = 0
    private(set) var cumulativeLost: Int32 = 0
    private(set) var jitter: UInt32 = 0
    private(set) var roundTripNanoseconds: UInt64 = 0
    private(set) var reports: UInt64 = 0
    /// Times that the subscriber asked for a keyframe.
    var pictureLosses: UInt64 = 0

    private(set) var frames: UInt64 = 0
    private(set) var freezes: UInt64 = 0
    private(set) var frozenNanoseconds: UInt64 = 0
    private var lastFrame: UInt64 = 0
    private var meanInterval: UInt64 = 0

    mutating func take(_ report: RTCPReportBlock, roundTrip: Duration?) {
        fractionLost = report.fractionLost
        cumulativeLost = report.cumulativeLost
        jitter = report.jitter
        if let roundTrip { roundTripNanoseconds = UInt64(clamping: roundTrip.nanoseconds) }
        reports &+= 1
    }

    /// The last packet of a frame has left.
    @inline(__always)
    mutating func sentFrame(now: Instant) {
        frames &+= 1
        let interval = now.nanoseconds &- lastFrame
        defer { lastFrame = now.nanoseconds }
        guard lastFrame != 0, interval < Self.longestFreeze else { return }
        if meanInterval != 0, interval > max(3 &* meanInterval, meanInterval &+ Self.freezeBeyondMean) {
            freezes &+= 1
            frozenNanoseconds &+= interval
        } else {
            meanInterval = meanInterval == 0 ? interval : (15 &* meanInterval &+ interval) / 16
        }
    }
}

/// An opinion score from the E-model (ITU-T G.107), reduced to what is known here: delay and loss.
package enum AudioOpinion {
    /// The default of all parameters but those below.
    private static let best = 93.2
    /// Of the codec without loss (Opus from 24 kbit/s is as good as the wideband reference is coarse).
    private static let codecImpairment = 0.0
    /// How robust the codec is against loss, in percent: Opus with its own concealment and in-band repair, an estimate
    /// in the range that G.113 gives for codecs with concealment.
    private static let lossRobustness = 20.0
    /// Jitter buffer, coding and playing out, beside the network.
    private static let deviceDelay = 60.0

    /// From 1 (bad) to 4.5. `oneWay` is half the round trip; the jitter buffer is taken for twice the jitter.
    package static func score(oneWay: Duration, jitter: Duration, lossShare: Double) -> Double {
        let delay = oneWay.inSeconds * 1_000 + 2 * jitter.inSeconds * 1_000 + deviceDelay
        let delayImpairment = 0.024 * delay + (delay > 177.3 ? 0.11 * (delay - 177.3) : 0)
        let loss = min(max(lossShare, 0), 1) * 100
        let lossImpairment = codecImpairment + (95 - codecImpairment) * loss / (loss + lossRobustness)
        let rating = best - delayImpairment - lossImpairment
        guard rating > 0 else { return 1 }
        let score = 1 + 0.035 * rating + rating * (rating - 60) * (100 - rating) * 7e-6
        return min(max(score, 1), 4.5)
    }
}
