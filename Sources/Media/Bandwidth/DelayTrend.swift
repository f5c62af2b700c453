// Is the queue growing? A line through the delays of the last groups, against a threshold that follows the path's
// habits: the trendline filter and overuse detector of draft-ietf-rmcat-gcc-02 §5.3–5.4, as libwebrtc later tuned it.

package enum LinkUse: Sendable {
    case under
    case normal
    case over
}

struct DelayTrend {
    /// Groups in the line. More is calmer and later.
    static let window = 20
    /// Weight of the past in the smoothed delay.
    static let smoothing = 0.9
    /// The slope (milliseconds per millisecond) times the groups seen, up to `countCap`, times this is compared with
    /// the threshold.
    static let gain = 4.0
    static let countCap = 60
    /// Above the threshold for this long, and for two groups, is overuse.
    static let overuseTime = 10.0
    static let firstThreshold = 12.5
    static let thresholdRange = 6.0...600.0
    /// How fast the threshold follows the trend upwards and downwards, per millisecond.
    static let thresholdUp = 0.0087
    static let thresholdDown = 0.039
    /// A spike further than this above the threshold does not move it.
    static let spike = 15.0
    /// Time between two updates counts at most so much, in milliseconds.
    static let longestStep = 100.0

    private(set) var use = LinkUse.normal
    private var times = InlineArray<20, Float>(repeating: 0)
    private var delays = InlineArray<20, Float>(repeating: 0)
    private var next = 0
    private var count = 0
    private var firstArrival: Int64 = 0
    private var accumulated = 0.0
    private var smoothed = 0.0
    /// Milliseconds of queue per millisecond.
    private(set) var slope = 0.0
    private var previousSlope = 0.0
    private var threshold = Self.firstThreshold
    private var lastUpdate: Int64?
    private var timeOver: Double?
    private var groupsOver = 0

    mutating func update(_ difference: InterArrival.Difference) {
        let send = Double(difference.send) / 1_000
        let delta = Double(difference.arrival &- difference.send) / 1_000
        if count == 0 { firstArrival = difference.arrivalTime }
        count = min(count + 1, 1_000)
        accumulated += delta
        smoothed = Self.smoothing * smoothed + (1 - Self.smoothing) * accumulated
        times[next] = Float(difference.arrivalTime &- firstArrival) / 1_000
        delays[next] = Float(smoothed)
        next = next + 1 == Self.window ? 0 : next + 1
        if count >= Self.window { slope = fit() ?? slope }
        judge(sendDelta: send, arrivalTime: difference.arrivalTime)
    }

    /// Least squares. Times count from the oldest, as they grow without end and floats do not.
    private func fit() -> Double? {
        let origin = times[next]
        var sumX: Float = 0
        var sumY: Float = 0
        for index in 0..<Self.window {
            sumX += times[index] - origin
            sumY += delays[index]
        }
        let meanX = sumX / Float(Self.window)
        let meanY = sumY / Float(Self.window)
        var numerator: Float = 0
        var denominator: Float = 0
        for index in 0..<Self.window {
            let x = times[index] - origin - meanX
            numerator += x * (delays[index] - meanY)
            denominator += x * x
        }
        return denominator > 0 ? Double(numerator / denominator) : nil
    }

    private mutating func judge(sendDelta: Double, arrivalTime: Int64) {
        guard count >= 2 else { return }
        let trend = Double(min(count, Self.countCap)) * slope * Self.gain
        if trend > threshold {
            timeOver = timeOver.map { $0 + sendDelta } ?? sendDelta / 2
            groupsOver += 1
            if let time = timeOver, time > Self.overuseTime, groupsOver > 1, slope >= previousSlope {
                timeOver = 0
                groupsOver = 0
                use = .over
            }
        } else {
            timeOver = nil
            groupsOver = 0
            use = trend < -threshold ? .under : .normal
        }
        previousSlope = slope
        adapt(to: abs(trend), arrivalTime: arrivalTime)
    }

    private mutating func adapt(to trend: Double, arrivalTime: Int64) {
        defer { lastUpdate = arrivalTime }
        guard trend <= threshold + Self.spike, let lastUpdate else { return }
        let rate = trend < threshold ? Self.thresholdDown : Self.thresholdUp
        let step = min(max(Double(arrivalTime &- lastUpdate) / 1_000, 0), Self.longestStep)
        threshold += rate * (trend - threshold) * step
        threshold = min(max(threshold, Self.thresholdRange.lowerBound), Self.thresholdRange.upperBound)
    }
}
