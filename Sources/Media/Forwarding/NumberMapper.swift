// Numbering anew what is forwarded of a numbered stream: sequence numbers of packets, ids of pictures.
//
// What is dropped on purpose leaves no gap; what was lost on the way here stays a gap, so that the receiver asks for it,
// and keeps its number until it comes. A ring of bits remembers the last drops, so that what comes late still gets the
// number that was kept for it.

/// One bit for each of the last 256 numbers.
struct DropRing: BitwiseCopyable, Sendable {
    /// How late a packet may be. 256 packets are half a second of a 5 Mbit/s stream, far more than a retransmission
    /// takes; higher costs 8 bytes per 64 for each subscription.
    static let window: UInt64 = 256

    private var words = InlineArray<4, UInt64>(repeating: 0)

    init() {}

    func contains(_ number: UInt64) -> Bool { words[Int(number >> 6 & 3)] >> (number & 63) & 1 != 0 }

    mutating func insert(_ number: UInt64) { words[Int(number >> 6 & 3)] |= 1 << (number & 63) }

    /// Forgets what `lower + 1` to `upper` overwrite.
    mutating func clear(after lower: UInt64, through upper: UInt64) {
        if upper &- lower >= Self.window {
            words = InlineArray(repeating: 0)
            return
        }
        var number = lower
        while number != upper {
            number &+= 1
            words[Int(number >> 6 & 3)] &= ~(1 << (number & 63))
        }
    }

    /// How many of `lower + 1` to `upper` are in; they are fewer than the window.
    func count(after lower: UInt64, through upper: UInt64) -> UInt64 {
        var start = lower &+ 1
        var count = 0
        while start <= upper {
            let low = start & 63
            let high = min(63, low &+ (upper &- start))
            let mask = (UInt64.max << low) & (UInt64.max >> (63 &- high))
            count &+= (words[Int(start >> 6 & 3)] & mask).nonzeroBitCount
            start &+= high &- low &+ 1
        }
        return UInt64(count)
    }
}

struct NumberMapper: BitwiseCopyable, Sendable {
    /// The first number of this source; what was before it has none.
    private var first: UInt64 = 0
    private(set) var highest: UInt64 = 0
    /// Added, modulo 2^64, to the highest number.
    private var offset: UInt64 = 0
    private var dropped = DropRing()

    init() {}

    /// The number of the highest, unless it was dropped.
    var highestOutgoing: UInt64 { highest &+ offset }

    /// What follows the highest number given out or kept.
    var next: UInt64 { highest &+ offset &+ 1 }

    mutating func begin(at number: UInt64, as outgoing: UInt64) {
        first = number
        highest = number
        offset = outgoing &- number
        dropped = DropRing()
    }

    /// For a number above the highest.
    mutating func advance(to number: UInt64) -> UInt64 {
        dropped.clear(after: highest, through: number)
        highest = number
        return number &+ offset
    }

    /// Takes back the number that `advance` has just given.
    mutating func drop() {
        dropped.insert(highest)
        offset &-= 1
    }

    func wasDropped(_ number: UInt64) -> Bool {
        number >= first && number <= highest && highest &- number < DropRing.window && dropped.contains(number)
    }

    /// The number that was kept for one at or below the highest; `nil` when it was dropped, is from before the first, or
    /// too long ago to tell.
    func late(_ number: UInt64) -> UInt64? {
        guard number >= first, number <= highest, highest &- number < DropRing.window, !dropped.contains(number) else {
            return nil
        }
        return number &+ offset &+ dropped.count(after: number, through: highest)
    }

    /// The other way round, within the window.
    func source(of outgoing: UInt64) -> UInt64? {
        var number = highest
        var given = highest &+ offset
        guard outgoing <= given, given &- outgoing < DropRing.window else { return nil }
        for _ in 0..<DropRing.window {
            if !dropped.contains(number) {
                if given == outgoing { return number }
                given &-= 1
            }
            guard number > first else { return nil }
            number &-= 1
        }
        return nil
    }
}
