// One change of a conversation at a time, in the order of their coming.

import Base
@testable import Chat
import Synchronization
import Testing

@Suite struct CommitQueueTests {
    private final class Room: Sendable {
        private struct State {
            var inside = 0
            var most = 0
            var total = 0
        }

        private let state = Mutex(State())

        func enter() {
            state.withLock { state in
                state.inside += 1
                state.total += 1
                state.most = max(state.most, state.inside)
            }
        }
        func leave() { state.withLock { $0.inside -= 1 } }
        var most: Int { state.withLock { $0.most } }
        var total: Int { state.withLock { $0.total } }
    }

    @Test func `two are never inside for one conversation, and nobody is forgotten`() async throws {
        let queue = CommitQueue()
        let room = Room()
        let id = ConversationID(.random())
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<50 {
                group.addTask {
                    for _ in 0..<20 {
                        try await queue.enter(id)
                        room.enter()
                        await Task.yield()
                        room.leave()
                        queue.leave(id)
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(room.most == 1)
        #expect(room.total == 1_000)
    }

    @Test func `conversations do not wait for each other`() async throws {
        let queue = CommitQueue()
        let (first, second) = (ConversationID(.random()), ConversationID(.random()))
        try await queue.enter(first)
        try await queue.enter(second)
        queue.leave(first)
        try await queue.enter(first)
        queue.leave(first)
        queue.leave(second)
    }
}
