// The suite of TestKit/Tasks on each database.

import Tasks
import TestKit
import Testing

@Suite struct TaskConformanceTests {
    @Test(.serialized, arguments: onEveryDatabase(TaskConformance.checks))
    func `tasks on every database`(_ check: CheckOnDatabase<TestBoard>) async throws {
        try await check.run({ try await TestBoard.make($0) }) { test in await test.board.stop() }
    }
}
