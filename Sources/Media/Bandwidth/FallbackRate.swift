// Without transport-wide feedback: the receiver's estimate (REMB) as a cap, and receiver reports by the classic rule of
// draft-ietf-rmcat-gcc-02 §6. Such a sender learns of a full link by loss or from the receiver, and late.

struct FallbackRate {
    /// Below, the rate grows; above `highLoss` it falls by half of the loss.
    static let lowLoss = 0.02
    static let highLoss = 0.10
    /// Per second.
    static let growth = 0.08
    static let longestStep = 1.0
    /// A REMB or a reported round trip holds for so long (microseconds).
    static let validity: Int64 = 10_000_000

    private(set) var bitsPerSecond: Double
    private var remb: (rate: Double, at: Int64)?
    private var lastReport: Int64?

    init(start: Double) { bitsPerSecond = start }

    func cap(now: Int64) -> Double? {
        guard let remb, now &- remb.at < Self.validity else { return nil }
        return remb.rate
    }

    mutating func onREMB(_ rate: Double, now: Int64) {
        // The receiver knows better than the start rate, in both directions.
        if remb == nil || bitsPerSecond > rate { bitsPerSecond = rate }
        remb = (rate, now)
    }

    mutating func onLoss(_ share: Double, now: Int64) {
        let seconds = lastReport.map { min(max(Double(now &- $0) / 1e6, 0), Self.longestStep) } ?? 0
        lastReport = now
        if share < Self.lowLoss {
            bitsPerSecond *= 1 + Self.growth * seconds
        } else if share > Self.highLoss {
            bitsPerSecond *= 1 - 0.5 * min(share, 1)
        }
        // Growth that nothing confirms ends at what the receiver believes, or at all.
        bitsPerSecond = min(max(bitsPerSecond, 1_000), cap(now: now) ?? 1e9)
    }
}
