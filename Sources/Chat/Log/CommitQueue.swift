// Lets one change of a conversation into the database at a time, for an engine that would otherwise run them against
// each other.
//
// All changes of a conversation write its one row. On PostgreSQL, SERIALIZABLE, all but one of those that meet there
// fail and run again, and with many at once most of the work is thrown away. SQLite has one writer anyway.

import Base
import Store
import Synchronization

final class CommitQueue: Sendable {
    private typealias Turn = CheckedContinuation<Bool, Never>

    private struct State {
        /// Conversations in which a change is under way, with those that wait behind it.
        var lines: [ConversationID: [Turn]] = [:]
        var waitingCount = 0
    }

    /// Changes that may wait, of all conversations together; the next is refused. As many as the database lets wait.
    private static let limit = 4_096

    private let state = Mutex(State())

    /// Returns when it is this change's turn; `leave` must follow. Several conversations are entered in the order of
    /// their identifiers, so that no two changes wait for each other.
    func enter(_ id: ConversationID) async throws(ChatError) {
        let isAdmitted = await withCheckedContinuation { (turn: Turn) in
            let answer = state.withLock { state -> Bool? in
                guard state.lines[id] != nil else {
                    state.lines[id] = []
                    return true
                }
                guard state.waitingCount < Self.limit else { return false }
                state.waitingCount += 1
                state.lines[id]?.append(turn)
                return nil
            }
            if let answer { turn.resume(returning: answer) }
        }
        guard isAdmitted else { throw .store(.unavailable("too many changes of conversations are waiting")) }
    }

    func leave(_ id: ConversationID) {
        let next = state.withLock { state -> Turn? in
            guard var line = state.lines[id], !line.isEmpty else {
                state.lines[id] = nil
                return nil
            }
            let next = line.removeFirst()
            state.lines[id] = line
            state.waitingCount -= 1
            return next
        }
        next?.resume(returning: true)
    }
}
