// When to ask a source for a key frame. Many subscribers want one at once, and each costs the publisher ten times a
// frame: the first wish is passed on at once, later ones no sooner than an interval allows, and a request is repeated
// until the key frame comes.

package import Base

package struct KeyframeRequester: Sendable {
    /// Between two requests at least. Encoders take 300 ms as their own limit; shorter is ignored or makes the picture
    /// coarse, longer keeps new viewers in the dark.
    package static let shortestInterval = Duration.milliseconds(300)
    /// And at most, however long the round trip is said to be.
    package static let longestInterval = Duration.seconds(2)
    /// Requests for one wish. A source that does not answer ten has stopped, or cannot; the next wish tries again.
    package static let attemptLimit: UInt8 = 10

    package enum Action: Sendable, Equatable {
        case none
        /// Send a PLI; or a FIR with this number, where the source has agreed to that alone. A repetition has the number
        /// of the first (RFC 5104 §4.3.1.2).
        case request(number: UInt8)
    }

    private var isWanted = false
    private var attempts: UInt8 = 0
    private var number: UInt8 = 0
    private var lastRequest: Instant?
    /// When to poll next; nil when nothing is wanted.
    package private(set) var deadline: Instant?
    package private(set) var requestCount: UInt64 = 0
    package private(set) var keyframeCount: UInt64 = 0

    package init() {}

    package var isWaiting: Bool { isWanted }

    /// Somebody wants a key frame. One that is under way serves all who asked before it came.
    package mutating func want(now: Instant) {
        guard !isWanted else { return }
        isWanted = true
        attempts = 0
        number &+= 1
        deadline = lastRequest.map { max(now, $0 + Self.shortestInterval) } ?? now
    }

    /// The first packet of a key frame came, asked for or not.
    package mutating func keyframeCame() {
        isWanted = false
        deadline = nil
        keyframeCount &+= 1
    }

    package mutating func poll(now: Instant, roundTrip: Duration) -> Action {
        guard isWanted, let due = deadline, due <= now else { return .none }
        guard attempts < Self.attemptLimit else {
            isWanted = false
            deadline = nil
            return .none
        }
        attempts &+= 1
        requestCount &+= 1
        lastRequest = now
        // A round trip for the request, and as much again for a frame to be made and to come in full.
        let interval = min(max(roundTrip + roundTrip, Self.shortestInterval), Self.longestInterval)
        deadline = now + interval
        return .request(number: number)
    }
}
