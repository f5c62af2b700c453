// How long packets wait at present: the least delay of the last moments above the least of the last while.
//
// Delay is arrival minus departure on two clocks, so only differences mean something; drift of the clocks within the
// window is a millisecond or two. A path whose delay rises for good is taken to queue until the window has passed.

struct QueueDelay {
    /// Half of the time over which the least delay is the path without a queue. Longer mistakes a change of route for
    /// a queue for longer, shorter takes a standing queue for the path.
    static let baseTime: Int64 = 10_000_000
    /// Half of the time over which the least delay is the present. Shorter takes the burst of a frame for a queue.
    static let presentTime: Int64 = 60_000

    private struct Minimum {
        let half: Int64
        private var since: Int64 = .min
        private var previous: Int64 = .max
        private var current: Int64 = .max

        init(half: Int64) { self.half = half }

        var value: Int64 { min(previous, current) }

        mutating func add(_ value: Int64, at time: Int64) {
            if since == .min || time &- since >= half {
                // After a pause of more than a half both halves are old.
                previous = since != .min && time &- since < 2 &* half ? current : .max
                current = value
                since = time
            } else {
                current = min(current, value)
            }
        }
    }

    private var base = Minimum(half: Self.baseTime)
    private var present = Minimum(half: Self.presentTime)
    private(set) var microseconds: Int64 = 0

    mutating func add(send: Int64, arrival: Int64) {
        let delay = arrival &- send
        base.add(delay, at: send)
        present.add(delay, at: send)
        microseconds = max(present.value &- base.value, 0)
    }
}
