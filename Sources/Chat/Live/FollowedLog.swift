// Where one reader is in one conversation's log, and what to do with an event that comes: a machine without a socket.
//
//     catchingUp ──all of the log was read──▶ live ──no room, a gap, a miss──▶ behind ──room──▶ catchingUp
//
// Events come in the order of the log and without gaps from the moment on when the reader was registered. What was
// before that, or went by while there was no room, is read from the log: the held events then overlap with what was
// read, and each is passed on once.

package struct FollowedLog<Payload: Sendable>: Sendable {
    package enum Phase: Sendable, Equatable { case catchingUp, live, behind }

    package enum Verdict: Sendable, Equatable {
        case pass
        /// Known already, held for later, or of no use now.
        case drop
        /// It is read from the log later: `catchUp` is to be called when there is room.
        case behind
    }

    package private(set) var phase = Phase.catchingUp
    /// Of the last event that was passed on, or that the reader had; `nil` for who wants what comes from now on.
    package private(set) var position: LogPosition?
    private var held: [(position: LogPosition, payload: Payload)] = []
    private var hasHeldTooMany = false
    private let heldMax: Int

    package init(from position: LogPosition?, heldMax: Int) {
        self.position = position
        self.heldMax = heldMax
    }

    /// An event of the log has come.
    package mutating func received(_ at: LogPosition, _ payload: Payload, hasRoom: Bool) -> Verdict {
        switch phase {
        case .catchingUp:
            hold(at, payload)
            return .drop
        case .behind: return .drop
        case .live:
            guard let position, at.epoch == position.epoch else { return fallBehind() }
            if at.offset <= position.offset { return .drop }
            guard at.offset == position.offset + 1, hasRoom else { return fallBehind() }
            self.position = at
            return .pass
        }
    }

    /// Events of the log will not come that should have come now.
    package mutating func miss() -> Verdict {
        switch phase {
        case .catchingUp:
            // They may be beyond what is being read.
            hasHeldTooMany = true
            return .drop
        case .behind: return .drop
        case .live: return fallBehind()
        }
    }

    private mutating func hold(_ at: LogPosition, _ payload: Payload) {
        guard held.count < heldMax else {
            hasHeldTooMany = true
            return
        }
        held.append((at, payload))
    }

    private mutating func fallBehind() -> Verdict {
        phase = .behind
        return .behind
    }

    /// Reading the log begins (again).
    package mutating func catchUp() {
        phase = .catchingUp
        held = []
        hasHeldTooMany = false
    }

    /// There is no room for what was read: it is read again later.
    package mutating func pause() { phase = .behind }

    /// So far the log has been read, and passed on.
    package mutating func read(upTo position: LogPosition) { self.position = position }

    /// The log was read to its end. What was held after that is passed on; `nil` when not all of it could be held, and
    /// the log has to be read on.
    package mutating func goLive() -> [Payload]? {
        guard !hasHeldTooMany, var last = position else {
            catchUp()
            return nil
        }
        var rest: [Payload] = []
        for (at, payload) in held where at.epoch != last.epoch || at.offset > last.offset {
            guard at.epoch == last.epoch, at.offset == last.offset + 1 else {
                catchUp()
                return nil
            }
            last = at
            rest.append(payload)
        }
        (position, held, phase) = (last, [], .live)
        return rest
    }
}
