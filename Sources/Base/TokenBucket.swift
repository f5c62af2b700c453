// So many at once, and so many a second after that.

package struct TokenBucket: Sendable {
    private let capacity: Double
    private let perSecond: Double
    private var level: Double
    private var filledAt: Instant

    package init(capacity: Double, perSecond: Double, now: Instant) {
        self.capacity = capacity
        self.perSecond = perSecond
        level = capacity
        filledAt = now
    }

    package mutating func take(_ now: Instant) -> Bool {
        let passed = max(0, Double((now - filledAt).nanoseconds) / 1_000_000_000)
        filledAt = max(filledAt, now)
        level = min(capacity, level + passed * perSecond)
        guard level >= 1 else { return false }
        level -= 1
        return true
    }

    /// Until there is room for one more.
    package var secondsToNext: Int { max(1, Int(((1 - level) / perSecond).rounded(.up))) }
}
