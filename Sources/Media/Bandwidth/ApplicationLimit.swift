// Does the sender send less than it may? Then silence about congestion says nothing about the link.

struct ApplicationLimit {
    /// Sending less than this share of the target fills the budget.
    static let share = 0.65
    /// The budget holds this much time, in seconds.
    static let depth = 0.5
    /// Parts of the budget at which the state is entered and left.
    static let enter = 0.8
    static let leave = 0.5

    private(set) var isLimited = false
    private var level = 0.0
    private var last: Int64 = 0
    /// Bytes per microsecond.
    private var rate = 0.0

    mutating func setTarget(_ bitsPerSecond: Double) { rate = bitsPerSecond * Self.share / 8e6 }

    mutating func sent(_ bytes: Int, at time: Int64) {
        let depth = rate * 1e6 * Self.depth
        let gained = Double(time &- last) * rate
        last = time
        level = min(max(min(level + gained, depth) - Double(bytes), -depth), depth)
        if isLimited { isLimited = level > depth * Self.leave } else { isLimited = level > depth * Self.enter }
    }
}
