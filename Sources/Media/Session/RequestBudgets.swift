// How much work and how many bytes one participant may ask for. Each of these is spent by what comes in, and refilled
// by what was sent or by time; who asks for more gets nothing for it, and only for himself.

import Base

/// Retransmissions to one participant. A request of 4 bytes names 17 packets of 1,200: without a bound whoever sends
/// requests makes the server send five thousand times as much, and in the name of a path that need not be his network's
/// any more.
struct RepairBudget {
    /// Retransmitted bytes for each 100 of media. A network that loses more than a third cannot be repaired, only
    /// relieved: lower leaves bursts unrepaired, higher adds to the jam that loses.
    static let share: UInt64 = 50
    /// And so much at once: half a second of 4 Mbit/s that was lost whole. Lower gives a viewer a frozen picture after
    /// a short outage, higher is what one request can make us send.
    static let burst: UInt64 = 256 << 10

    private var left = RepairBudget.burst
    /// Of the transport's, all that was seen, and what of it were repairs.
    private var seen: UInt64 = 0
    private(set) var repaired: UInt64 = 0
    private(set) var refused: UInt64 = 0

    /// Whether a packet of this size may be repeated. `sentBytes` is all that the transport has sent so far.
    mutating func take(_ size: Int, sentBytes: UInt64) -> Bool {
        let size = UInt64(max(0, size))
        let news = sentBytes &- min(seen, sentBytes)
        seen = max(seen, sentBytes)
        left = min(left &+ news &* Self.share / 100, Self.burst)
        guard size <= left else {
            refused &+= 1
            return false
        }
        left &-= size
        // Its own bytes earn nothing.
        seen &+= size
        repaired &+= size
        return true
    }
}

/// Packets that a participant's transport-wide reports may tell of. A report of 28 bytes can tell of 16,384 packets,
/// and a datagram holds fifty of them.
struct FeedbackBudget {
    /// Times that a sent packet may be told of: late packets make reports overlap. Lower refuses honest reports of a
    /// network that reorders, higher is work for nothing.
    static let repetition: UInt64 = 4
    /// What may be saved up: two seconds of what a subscriber can be sent, four times.
    static let limit: UInt64 = 32_768
    /// Before anything was sent.
    static let start: UInt64 = 2_048

    private var left = FeedbackBudget.start
    private var seen: UInt64 = 0

    mutating func take(_ count: Int, sentPackets: UInt64) -> Bool {
        left = min(left &+ (sentPackets &- min(seen, sentPackets)) &* Self.repetition, Self.limit)
        seen = max(seen, sentPackets)
        guard count >= 0, UInt64(count) <= left else { return false }
        left &-= UInt64(count)
        return true
    }
}

/// Layers that a participant may make. Each takes some 150 KiB until the next takes its place, so a sender that gave
/// every packet a source of its own would keep the server busy with memory.
struct LayerBudget {
    /// At once: four layers for sixteen tracks. Lower delays who publishes much, higher is what a hostile sender may
    /// waste at once.
    static let burst = 64
    /// And one more each so often.
    static let refill = Duration.milliseconds(250)

    private var left = LayerBudget.burst
    private var refilled = Instant(nanoseconds: 0)

    mutating func take(_ now: Instant) -> Bool {
        let earned = (now - refilled).nanoseconds / Self.refill.nanoseconds
        if earned > 0 {
            left = min(left + Int(clamping: earned), Self.burst)
            refilled = now
        }
        guard left > 0 else { return false }
        left -= 1
        return true
    }
}
