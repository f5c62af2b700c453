// How a reader of a log comes from where it was to what happens now, without a gap and without a repetition.
//
// A machine for whoever carries events to a client: it owns no socket and asks nobody. It is told of live events from
// its beginning on, and of pages of the log that it asked for; it says what to do. A gap among live events (they were
// dropped on the way, or came from another node) is closed by asking for a page again.

package struct LogFollower: Sendable {
    package enum Step: Sendable, Equatable {
        /// Hand these on, in order.
        case deliver([ChatEvent])
        /// Read a page after this place, and tell `received`.
        case fetch(LogPosition)
        /// The client cannot be caught up: it begins anew from here, with what history shows.
        case restart(LogPosition)
        case nothing
    }

    private enum Phase: Sendable { case fetching, following }

    /// Live events that wait for a page. Beyond it they are let go: the next page will have them.
    package static let heldLimit = 256

    /// Everything up to here was handed on.
    package private(set) var position: LogPosition
    private var phase = Phase.fetching
    private var held: [ChatEvent] = []

    /// Begins with asking for what is after `position`: `fetch` first, after live events are being told.
    package init(after position: LogPosition) { self.position = position }

    package var start: Step { .fetch(position) }

    package mutating func live(_ event: ChatEvent) -> Step {
        guard let place = event.position else { return phase == .following ? .deliver([event]) : .nothing }
        switch phase {
        case .fetching:
            if held.count < Self.heldLimit { held.append(event) }
            return .nothing
        case .following:
            guard place.epoch == position.epoch else { return refetch() }
            if place.offset <= position.offset { return .nothing }
            guard place.offset == position.offset + 1 else {
                held.append(event)
                return refetch()
            }
            position = place
            return .deliver([event])
        }
    }

    private mutating func refetch() -> Step {
        phase = .fetching
        return .fetch(position)
    }

    /// The page that was asked for. Ends with `nothing` once all is said; each other step wants the next call:
    /// after `deliver` call `resume`.
    package mutating func received(_ page: LogPage) -> Step {
        guard phase == .fetching else { return .nothing }
        position = page.position
        guard page.isRecovered else {
            held.removeAll { ($0.position?.offset ?? 0) <= page.position.offset }
            phase = .following
            return .restart(page.position)
        }
        if !page.hasMore { phase = .following }
        return page.events.isEmpty ? resume() : .deliver(page.events)
    }

    /// What comes after a page, or a restart, was handed on.
    package mutating func resume() -> Step {
        guard phase == .following else { return .fetch(position) }
        let waiting = held.filter { event in
            guard let place = event.position else { return false }
            return place.epoch == position.epoch && place.offset > position.offset
        }
        held.removeAll()
        var ready: [ChatEvent] = []
        for event in waiting.sorted(by: { ($0.position?.offset ?? 0) < ($1.position?.offset ?? 0) }) {
            guard let place = event.position, place.offset > position.offset else { continue }
            guard place.offset == position.offset + 1 else {
                // Some were let go. What is ready goes out first; its `resume` asks for the rest.
                held = [event]
                if ready.isEmpty { return refetch() }
                phase = .fetching
                return .deliver(ready)
            }
            position = place
            ready.append(event)
        }
        return ready.isEmpty ? .nothing : .deliver(ready)
    }
}
