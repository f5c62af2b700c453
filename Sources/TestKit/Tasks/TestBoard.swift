// A board of tasks with its time and its database in the test's hand, and bodies that end when the test says.

package import Base
package import Store
import Synchronization
package import Tasks
package import Wire

package final class TestBoard: Sendable {
    package static let node = "one"

    package let database: FaultyDatabase
    package let board: TaskBoard
    private let time: TestCell<Timestamp>

    package static func make(_ database: any Database) async throws -> TestBoard {
        try await Migrations(TasksSchema.migrations).apply(to: database)
        let test = TestBoard(FaultyDatabase(database))
        try await test.board.open()
        return test
    }

    private init(_ database: FaultyDatabase) {
        self.database = database
        let time = TestCell(Timestamp(secondsSinceEpoch: 1_760_000_000))
        self.time = time
        board = TaskBoard(database: database, node: Self.node, clock: Clock { time.value })
    }

    package func advance(by duration: Duration) { time.value = time.value + duration }
    package var now: Timestamp { time.value }

    /// As another process on the same database.
    package func another(node: String) -> TaskBoard {
        TaskBoard(database: database, node: node, clock: Clock { [time] in time.value })
    }

    package func task(_ id: TaskID) async throws -> TaskRecord { try await board.task(id, for: .everything) }
}

/// A body that runs until it is released or cancelled; of several tasks that have it, all.
package final class TestWork: Sendable {
    private struct State {
        var waiting: [CheckedContinuation<Void, Never>] = []
        var isReleased = false
        var hasBegun = false
    }
    private let state = Mutex(State())
    private let result: JSONObject

    package init(_ result: JSONObject = JSONObject()) { self.result = result }

    package var hasBegun: Bool { state.withLock { $0.hasBegun } }
    package var isReleased: Bool { state.withLock { $0.isReleased } }

    package var body: TaskBody {
        { [self] handle in
            handle.report(TaskProgress(percentage: 40, bytes: 4, bytesExpected: 10, phase: "working"))
            await withTaskCancellationHandler {
                await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
                    let mayGoOn = state.withLock { state in
                        state.hasBegun = true
                        if !state.isReleased { state.waiting.append(continuation) }
                        return state.isReleased
                    }
                    if mayGoOn { continuation.resume() }
                }
            } onCancel: {
                release()
            }
            try Task.checkCancellation()
            return result
        }
    }

    package func release() {
        let waiting = state.withLock { state in
            state.isReleased = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }
}
