// What the board of tasks must do on every database. Each check gets an empty one.

import Base
import Store
import Tasks
import Wire

package enum TaskConformance {
    package static let checks: [ConformanceCheck<TestBoard>] = running + ending + seeing + keeping

    private static let kind = TaskKind("backup", "create")
    private static let alice = UserID(UUID(high: 1, low: 1))
    private static let bob = UserID(UUID(high: 1, low: 2))

    private static func new(_ owner: UserID? = alice, target: String? = nil, isExclusive: Bool = false) -> NewTask {
        NewTask(kind, owner: owner, target: target, isExclusive: isExclusive)
    }

    private struct Broken: Error, CustomStringConvertible {
        let description: String
    }

    // MARK: Running

    private static let running: [ConformanceCheck<TestBoard>] = [
        ConformanceCheck("a task runs, tells how far it is, and keeps its result") { test in
            let work = TestWork(JSONObject([("backup_id", .string("b"))]))
            let id = try await test.board.start(new(target: "b"), work.body)
            while !work.hasBegun { await Task.yield() }
            let running = try await test.task(id)
            try requireEqual(running.state, .running)
            try requireEqual(running.progress.percentage, 40)
            try requireEqual(running.progress.phase, "working")
            try requireEqual(running.node, TestBoard.node)
            test.advance(by: .seconds(5))
            work.release()
            await test.board.wait(for: id)
            let ended = try await test.task(id)
            try requireEqual(ended.state, .succeeded)
            try requireEqual(ended.progress.percentage, 100)
            try requireEqual(ended.result, JSONObject([("backup_id", .string("b"))]))
            try requireEqual(ended.endedAt, test.now)
            try requireEqual(ended.owner, alice)
            try requireEqual(ended.target, "b")
        },
        ConformanceCheck("another process sees progress as it was written last") { test in
            let other = test.another(node: "two")
            let work = TestWork()
            let id = try await test.board.start(new(), work.body)
            while !work.hasBegun { await Task.yield() }
            try requireEqual(try await other.task(id, for: .everything).progress, TaskProgress())
            test.advance(by: .seconds(5))
            await test.board.advance()
            let seen = try await other.task(id, for: .everything)
            try requireEqual(seen.progress.bytes, 4)
            try requireEqual(seen.changedAt, test.now)
            test.advance(by: .seconds(5))
            await test.board.advance()
            try requireEqual(try await other.task(id, for: .everything).changedAt, test.now - .seconds(5))
            work.release()
            await test.board.wait(for: id)
        },
        ConformanceCheck("two that want to be alone are not let in together, others are") { test in
            let work = TestWork()
            let id = try await test.board.start(new(isExclusive: true), work.body)
            try await requireError(TaskError.self) {
                _ = try await test.board.start(new(isExclusive: true), work.body)
            } matches: {
                $0 == .busy(id, kind)
            }
            let other = NewTask(TaskKind("recording", "export"), owner: alice, isExclusive: true)
            let second = try await test.board.start(other, work.body)
            let third = try await test.board.start(new(), work.body)
            work.release()
            for id in [id, second, third] { await test.board.wait(for: id) }
            let after = try await test.board.start(new(isExclusive: true), work.body)
            await test.board.wait(for: after)
            try requireEqual(try await test.task(after).state, .succeeded)
        },
        ConformanceCheck("more than may run at once are refused") { test in
            let work = TestWork()
            for _ in 0..<TaskBoard.runningMax { _ = try await test.board.start(new(), work.body) }
            try await requireError(TaskError.self) {
                _ = try await test.board.start(new(), work.body)
            } matches: {
                $0 == .tooMany(TaskBoard.runningMax)
            }
            work.release()
            await test.board.stop()
        },
    ]

    // MARK: Ending

    private static let ending: [ConformanceCheck<TestBoard>] = [
        ConformanceCheck("a failure is told in words, cut where it is long") { test in
            let id = try await test.board.start(new()) { _ in throw Broken(description: "the disk is full") }
            await test.board.wait(for: id)
            try requireEqual(try await test.task(id).state, .failed)
            try requireEqual(try await test.task(id).error, "the disk is full")
            let long = try await test.board.start(new()) { _ in
                throw Broken(description: String(repeating: "é", count: 5_000))
            }
            await test.board.wait(for: long)
            let error = try await test.task(long).error ?? ""
            try require(error.utf8.count <= 4_096 && error.hasSuffix("é…"), "\(error.utf8.count) bytes")
        },
        ConformanceCheck("a result that is too large is a failure") { test in
            let id = try await test.board.start(new()) { _ in
                JSONObject([("text", .string(String(repeating: "x", count: 262_144)))])
            }
            await test.board.wait(for: id)
            let task = try await test.task(id)
            try requireEqual(task.state, .failed)
            try requireEqual(task.result, nil)
        },
        ConformanceCheck("a cancelled task stops, and cannot be cancelled again") { test in
            let work = TestWork()
            let id = try await test.board.start(new(), work.body)
            let asked = try await test.board.cancel(id, by: .everything)
            try require(asked.isCancelling || asked.state == .cancelled, "\(asked.state)")
            await test.board.wait(for: id)
            try requireEqual(try await test.task(id).state, .cancelled)
            try await requireError(TaskError.self) {
                try await test.board.cancel(id, by: .everything)
            } matches: {
                $0 == .ended(.cancelled)
            }
        },
        ConformanceCheck("a task is cancelled through another process") { test in
            let other = test.another(node: "two")
            let work = TestWork()
            let id = try await test.board.start(new(), work.body)
            try requireEqual(try await other.cancel(id, by: .everything).isCancelling, true)
            try requireEqual(try await test.task(id).state, .running)
            await test.board.advance()
            await test.board.wait(for: id)
            try requireEqual(try await test.task(id).state, .cancelled)
        },
        ConformanceCheck("what was done in spite of a cancellation has succeeded") { test in
            let id = try await test.board.start(new()) { _ in
                while !Task.isCancelled { await Task.yield() }
                return JSONObject([("done", .bool(true))])
            }
            try await test.board.cancel(id, by: .everything)
            await test.board.wait(for: id)
            try requireEqual(try await test.task(id).state, .succeeded)
        },
        ConformanceCheck("what a dead process of this node left is interrupted, and nothing else") { test in
            let (own, foreign) = (TestWork(), TestWork())
            let other = test.another(node: "two")
            let left = try await test.board.start(new(), own.body)
            let running = try await other.start(new(), foreign.body)
            try requireEqual(try await test.another(node: TestBoard.node).open(), 1)
            let seen = try await other.task(left, for: .everything)
            try requireEqual(seen.state, .interrupted)
            try requireEqual(seen.error, "the server was stopped while this ran")
            try requireEqual(seen.endedAt, test.now)
            try requireEqual(try await other.task(running, for: .everything).state, .running)
            // The dead do not change what was written after them.
            own.release()
            await test.board.wait(for: left)
            try requireEqual(try await other.task(left, for: .everything).state, .interrupted)
            foreign.release()
            await other.wait(for: running)
        },
        ConformanceCheck("a board that stops interrupts its tasks, and takes no more") { test in
            let work = TestWork()
            let id = try await test.board.start(new(), work.body)
            await test.board.stop()
            try requireEqual(try await test.task(id).state, .interrupted)
            try await requireError(TaskError.self) {
                _ = try await test.board.start(new(), work.body)
            } matches: {
                $0 == .stopping
            }
        },
        ConformanceCheck("a board that stops does not wait for what does not notice") { test in
            let work = TestWork()
            let id = try await test.board.start(new()) { _ in
                while !work.isReleased { await Task.yield() }
                return JSONObject()
            }
            await test.board.stop(within: .milliseconds(5))
            try requireEqual(try await test.task(id).state, .running)
            try requireEqual(try await test.another(node: TestBoard.node).open(), 1)
            work.release()
            await test.board.wait(for: id)
            try requireEqual(try await test.another(node: "two").task(id, for: .everything).state, .interrupted)
        },
        ConformanceCheck("waiting has an end, and nobody waits for what does not run") { test in
            let work = TestWork()
            let id = try await test.board.start(new(), work.body)
            await test.board.wait(for: id, atMost: .milliseconds(5))
            try requireEqual(try await test.task(id).state, .running)
            await test.board.wait(for: TaskID(.random()))
            work.release()
            await test.board.wait(for: id, atMost: .seconds(60))
            try requireEqual(try await test.task(id).state, .succeeded)
        },
    ]

    // MARK: Seeing

    private static let seeing: [ConformanceCheck<TestBoard>] = [
        ConformanceCheck("who started it and who has its family's scope see a task, others do not") { test in
            let id = try await test.board.start(new(alice)) { _ in JSONObject() }
            await test.board.wait(for: id)
            let viewers: [(TaskViewer, Bool)] = [
                (.some(of: alice, families: []), true), (.some(of: bob, families: ["backup"]), true),
                (.some(of: bob, families: ["recording"]), false), (.some(of: bob, families: []), false),
                (.everything, true),
            ]
            for (viewer, sees) in viewers {
                try requireEqual(try await test.board.tasks(TaskFilter(), for: viewer).total, sees ? 1 : 0)
                if sees {
                    _ = try await test.board.task(id, for: viewer)
                } else {
                    for body in [
                        { _ = try await test.board.task(id, for: viewer) },
                        { _ = try await test.board.cancel(id, by: viewer) },
                    ] as [@Sendable () async throws -> Void] {
                        try await requireError(TaskError.self, body) { $0 == .notFound }
                    }
                }
            }
        },
        ConformanceCheck("tasks are listed newest first, by state, kind and target, in pages") { test in
            var ids: [TaskID] = []
            for index in 0..<5 {
                test.advance(by: .seconds(1))
                let kinds = [kind, kind, kind, TaskKind("backup", "verify"), TaskKind("recording", "export")]
                let id = try await test.board.start(NewTask(kinds[index], owner: alice, target: "t\(index % 2)")) { _ in
                    if index == 0 { throw Broken(description: "no") }
                    return JSONObject()
                }
                await test.board.wait(for: id)
                ids.append(id)
            }
            func list(_ filter: TaskFilter) async throws -> ([TaskID], Int) {
                let (tasks, total) = try await test.board.tasks(filter, for: .everything)
                return (tasks.map(\.id), total)
            }
            try require(try await list(TaskFilter()) == (ids.reversed(), 5), "all")
            try require(try await list(TaskFilter(offset: 1, limit: 2)) == ([ids[3], ids[2]], 5), "a page")
            try require(try await list(TaskFilter(state: .failed)) == ([ids[0]], 1), "by state")
            try require(try await list(TaskFilter(kind: "backup")) == (ids[0...3].reversed(), 4), "by family")
            try require(try await list(TaskFilter(kind: "backup.verify")) == ([ids[3]], 1), "by kind")
            try require(try await list(TaskFilter(kind: "backup.")) == ([], 0), "by half a kind")
            try require(try await list(TaskFilter(target: "t1")) == ([ids[3], ids[1]], 2), "by target")
        },
    ]

    // MARK: Keeping

    private static let keeping: [ConformanceCheck<TestBoard>] = [
        ConformanceCheck("an end that cannot be written is told from memory, and written later") { test in
            let work = TestWork()
            let id = try await test.board.start(new(), work.body)
            test.database.kill(after: 0)
            work.release()
            await test.board.wait(for: id)
            _ = test.database.revive()
            try requireEqual(try await test.task(id).state, .succeeded)
            let other = test.another(node: "two")
            try requireEqual(try await other.task(id, for: .everything).state, .running)
            await test.board.advance()
            try requireEqual(try await other.task(id, for: .everything).state, .succeeded)
        },
        ConformanceCheck("a start whose commit was not heard of leaves no task that seems to run") { test in
            for moment in 0..<4 {
                test.database.kill(after: moment)
                try await requireError(TaskError.self) {
                    _ = try await test.board.start(new(isExclusive: true)) { _ in JSONObject() }
                } matches: {
                    if case .store = $0 { true } else { false }
                }
                _ = test.database.revive()
                await test.board.advance()
                let running = try await test.board.tasks(TaskFilter(state: .running), for: .everything)
                try requireEqual(running.total, 0)
            }
        },
        ConformanceCheck("ended tasks go when they are old; what runs stays") { test in
            let work = TestWork()
            let running = try await test.board.start(new(), work.body)
            let old = try await test.board.start(new()) { _ in JSONObject() }
            await test.board.wait(for: old)
            test.advance(by: TaskBoard.keptFor + .seconds(1))
            let next = try await test.board.start(new()) { _ in JSONObject() }
            await test.board.wait(for: next)
            try await requireError(TaskError.self) {
                _ = try await test.task(old)
            } matches: {
                $0 == .notFound
            }
            try requireEqual(try await test.task(running).state, .running)
            work.release()
            await test.board.wait(for: running)
        },
        ConformanceCheck("no more ended tasks are kept than a bound") { test in
            let now = test.now
            _ = try await test.database.transaction { (transaction) async throws(StoreError) in
                for index in 0..<(TaskBoard.endedMax + 20) {
                    try await transaction.execute(
                        """
                        INSERT INTO tasks (id, family, verb, node_id, state, is_cancelling, started_at, changed_at, \
                        progress) VALUES (\(UUID(high: 7, low: UInt64(index))), 'backup', 'create', 'two', \
                        'succeeded', 0, \(now - .hours(1)), \(now), '{}')
                        """)
                }
            }
            let id = try await test.board.start(new()) { _ in JSONObject() }
            await test.board.wait(for: id)
            try requireEqual(
                try await test.board.tasks(TaskFilter(), for: .everything).total, TaskBoard.endedMax + 1)
        },
    ]
}
