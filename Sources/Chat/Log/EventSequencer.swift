// Puts events that were committed into the order of their logs before they go out.
//
// Many transactions share one COMMIT, and their callers resume in any order; a reader of a log must not see 7 before
// 6. So each conversation has a lane: who changes something announces it, and brings afterwards what was committed, or
// nothing. An event goes out when it is the next one, or when nobody is left who could bring an earlier one (another
// node on the same database did; its events are for the cluster to carry).
//
// Nothing here waits: the caller that completes the order delivers for the others.

import Base
import Synchronization

final class EventSequencer: Sendable {
    private struct Lane {
        /// The offset that goes out next.
        var next: Int64
        /// Changes that were announced and have not come back.
        var pending = 0
        /// Arrived too early, by offset.
        var held: [Int64: ChatEvent] = [:]
        /// In order, on their way.
        var ready: [ChatEvent] = []
        var isDelivering = false

        var isIdle: Bool { pending == 0 && held.isEmpty && ready.isEmpty && !isDelivering }
    }

    /// Conversations whose place is remembered; beyond it those at rest are forgotten, and asked for again.
    private static let laneLimit = 50_000

    private let lanes = Mutex<[ConversationID: Lane]>([:])
    private let deliver: @Sendable (ChatEvent) -> Void

    init(deliver: @escaping @Sendable (ChatEvent) -> Void) { self.deliver = deliver }

    /// Announces a change, unless the lane has to be told first where its log stands: then false, and `announce` again
    /// with what the database says.
    func announce(_ id: ConversationID) -> Bool {
        lanes.withLock { lanes in
            guard lanes[id] != nil else { return false }
            lanes[id]?.pending += 1
            return true
        }
    }

    /// `lastOffset` was read before the change began. Where two come at once, the lower one is right for both.
    func announce(_ id: ConversationID, lastOffset: Int64) {
        lanes.withLock { lanes in
            if lanes.count >= Self.laneLimit { lanes = lanes.filter { !$0.value.isIdle } }
            lanes[id, default: Lane(next: lastOffset + 1)].pending += 1
        }
    }

    /// Ends what was announced, with what of it was committed.
    func finish(_ id: ConversationID, _ events: [ChatEvent]) {
        lanes.withLock { lanes in
            guard var lane = lanes.removeValue(forKey: id) else { return }
            lane.pending -= 1
            for event in events { Self.place(event, in: &lane) }
            Self.release(&lane)
            lanes[id] = lane
        }
        drain(id)
    }

    private static func place(_ event: ChatEvent, in lane: inout Lane) {
        guard let offset = event.position?.offset, offset >= lane.next else {
            lane.ready.append(event)
            return
        }
        lane.held[offset] = event
    }

    private static func release(_ lane: inout Lane) {
        while let event = lane.held.removeValue(forKey: lane.next) {
            lane.ready.append(event)
            lane.next += 1
        }
        guard lane.pending == 0, !lane.held.isEmpty else { return }
        for (offset, event) in lane.held.sorted(by: { $0.key < $1.key }) {
            lane.ready.append(event)
            lane.next = offset + 1
        }
        lane.held.removeAll()
    }

    /// One caller at a time delivers for a lane; the others leave theirs to it.
    private func drain(_ id: ConversationID) {
        while true {
            let batch = lanes.withLock { lanes -> [ChatEvent] in
                guard var lane = lanes.removeValue(forKey: id) else { return [] }
                defer { lanes[id] = lane }
                guard !lane.isDelivering, !lane.ready.isEmpty else { return [] }
                lane.isDelivering = true
                defer { lane.ready = [] }
                return lane.ready
            }
            if batch.isEmpty { return }
            for event in batch { deliver(event) }
            lanes.withLock { $0[id]?.isDelivering = false }
        }
    }

    /// Conversations whose order is kept in mind; for tests and metrics.
    var laneCount: Int { lanes.withLock { $0.count } }
}
