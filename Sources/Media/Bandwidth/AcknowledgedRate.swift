// The rate at which packets arrive, weighed against what was believed: a scalar Kalman filter over short windows, whose
// samples count less the further they are off.

struct AcknowledgedRate {
    /// Microseconds per sample; the first takes longer, as it has nothing to be weighed against.
    static let window: Int64 = 150_000
    static let firstWindow: Int64 = 500_000
    /// How uncertain a sample is per unit of distance from the estimate, and below the estimate while the application
    /// sends little.
    static let uncertainty = 10.0
    static let uncertaintyWhenLimited = 20.0
    /// What a window adds to the variance of the estimate, and what is added when a step is expected.
    static let drift = 5.0
    static let expectedStep = 200.0
    static let firstVariance = 50.0

    /// Bits per second.
    var bitsPerSecond: Double? { kilobits.map { $0 * 1_000 } }

    private var kilobits: Double?
    private var variance = Self.firstVariance
    private var bytes = 0
    private var elapsed: Int64 = 0
    private var last: Int64?

    mutating func add(_ size: Int, at arrival: Int64, isApplicationLimited: Bool) {
        guard let sample = sample(size, at: arrival) else { return }
        guard let estimate = kilobits else {
            kilobits = sample
            return
        }
        let scale = isApplicationLimited && sample < estimate ? Self.uncertaintyWhenLimited : Self.uncertainty
        let spread = scale * abs(estimate - sample) / max(estimate, 1)
        let sampleVariance = spread * spread
        let predicted = variance + Self.drift
        kilobits = (sampleVariance * estimate + predicted * sample) / (sampleVariance + predicted)
        variance = sampleVariance * predicted / (sampleVariance + predicted)
    }

    /// Bytes that are taken to have arrived, though no report says so or when.
    mutating func presume(_ size: Int) { bytes += size }

    /// After a probe: let the next samples count.
    mutating func expectStep() { variance += Self.expectedStep }

    private mutating func sample(_ size: Int, at arrival: Int64) -> Double? {
        let window = kilobits == nil ? Self.firstWindow : Self.window
        if let last {
            let gap = arrival &- last
            if gap < 0 {
                // Reordered; it belongs to a window that is gone or to this one.
                bytes += size
                return nil
            }
            elapsed &+= gap
            if gap > window {
                bytes = 0
                elapsed %= window
            }
        }
        last = arrival
        defer { bytes += size }
        guard elapsed >= window else { return nil }
        let kilobits = Double(bytes * 8) / Double(elapsed) * 1_000
        elapsed = 0
        bytes = 0
        return kilobits
    }
}
