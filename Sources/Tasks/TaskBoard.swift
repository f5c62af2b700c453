// The board of tasks: starts bodies, follows them, keeps a row of each.
//
// A row is written when a task starts and when it ends, and in between when `advance` is called. What this process runs is
// told from memory. A task of another server that shares the database is told from its row, and cancelled through it.

package import Base
package import Store
import Synchronization
package import Wire

/// What a task does. Its result is kept with the row; what it throws becomes the row's error. It looks for cancellation
/// itself, by `Task.isCancelled`.
package typealias TaskBody = @Sendable (TaskHandle) async throws -> JSONObject

package final class TaskBoard: Sendable {
    private static let log = Logger("tasks")

    /// Bodies at a time in one process. Higher: more that compete for the same disks; lower: more that have to wait.
    package static let runningMax = 16
    /// Ended tasks that are kept: some months of a backup a day with all that goes with it.
    package static let endedMax = 1_000
    package static let keptFor = Duration.days(90)
    /// How long a server that stops waits for bodies to notice. What has not by then is interrupted at the next start.
    package static let stopWait = Duration.seconds(20)
    /// Bytes of an error's text; longer ones are cut.
    static let errorBytesMax = 4_096
    /// Bytes of a result as JSON. A body whose result is larger fails: that is its bug.
    static let resultBytesMax = 262_144

    private let database: any Database
    private let clock: Clock
    private let node: String
    private let state = Mutex(State())

    private struct State {
        var running: [TaskID: RunningTask] = [:]
        /// Ended, and not in the database yet: it was away.
        var unwritten: [TaskID: TaskRecord] = [:]
        var isStopping = false
        var waitingForAll: CheckedContinuation<Void, Never>?
    }

    package init(database: any Database, node: String, clock: Clock = .system) {
        self.database = database
        self.node = node
        self.clock = clock
    }

    /// Before anything is started: what an earlier process of this node left is not running any more. Returns how many.
    @discardableResult
    package func open() async throws(TaskError) -> Int {
        let reason = "the server was stopped while this ran"
        let statement = TaskTable.interrupt(on: node, at: clock.now(), reason)
        do { return try await database.execute(statement) } catch { throw .store(error) }
    }

    // MARK: Starting

    /// Returns when the task stands in the database; its body runs from then on.
    package func start(_ new: NewTask, _ body: @escaping TaskBody) async throws(TaskError) -> TaskID {
        let now = clock.now()
        let task = TaskRecord(
            id: .timeOrdered(at: now), kind: new.kind, owner: new.owner, node: node, target: new.target, startedAt: now,
            changedAt: now)
        let handle = TaskHandle(task.id)
        try claim(task, handle, new)
        do throws(StoreError) {
            try await database.transaction { (transaction) async throws(StoreError) in
                try await transaction.execute(TaskTable.insert(task))
                try await transaction.execute(TaskTable.prune(before: now - Self.keptFor, keeping: Self.endedMax))
            }
        } catch {
            // The row may be there all the same: the news of its COMMIT was lost, perhaps.
            let row = Self.ended(task, .failure(error), isStopping: false, at: now)
            state.withLock { $0.unwritten[task.id] = row }
            settle(task.id)
            throw .store(error)
        }
        launch(task.id, handle, body)
        return task.id
    }

    /// A place among those that run, before anything is written: two that come at once are not both let in.
    private func claim(_ task: TaskRecord, _ handle: TaskHandle, _ new: NewTask) throws(TaskError) {
        try state.withLock { state throws(TaskError) in
            guard !state.isStopping else { throw .stopping }
            if new.isExclusive {
                let other = state.running.values.first { $0.isExclusive && $0.task.kind.family == task.kind.family }
                if let other { throw .busy(other.task.id, other.task.kind) }
            }
            let working = state.running.values.count { !$0.isFollower }
            guard new.isFollower || working < Self.runningMax else { throw .tooMany(Self.runningMax) }
            state.running[task.id] = RunningTask(
                task: task, handle: handle, isExclusive: new.isExclusive, isFollower: new.isFollower)
        }
    }

    private func launch(_ id: TaskID, _ handle: TaskHandle, _ body: @escaping TaskBody) {
        let work = Task { [self] in
            do {
                await end(id, .success(try await body(handle)))
            } catch {
                await end(id, .failure(error))
            }
        }
        let mustCancel = state.withLock { state in
            state.running[id]?.work = work
            return state.isStopping || state.running[id]?.task.isCancelling == true
        }
        if mustCancel { work.cancel() }
    }

    // MARK: Ending

    private func end(_ id: TaskID, _ outcome: Result<JSONObject, any Error>) async {
        let found = state.withLock { state in state.running[id].map { ($0.live, state.isStopping) } }
        guard let (live, isStopping) = found else { return }
        let task = Self.ended(live, outcome, isStopping: isStopping, at: clock.now())
        if case .failure(let error) = outcome, task.state == .failed {
            Self.log.warning("a task failed", [.text("task", id), .text("kind", task.kind), .error(error)])
        }
        // First the row, then the place: who is let in next finds the last one ended.
        let isWritten = await write(task)
        if !isWritten { state.withLock { $0.unwritten[id] = task } }
        settle(id)
    }

    private static func ended(
        _ live: TaskRecord, _ outcome: Result<JSONObject, any Error>, isStopping: Bool, at now: Timestamp
    ) -> TaskRecord {
        var task = live
        task.changedAt = now
        task.endedAt = now
        task.progress.remaining = nil
        switch outcome {
        case .success(let result) where JSONValue.object(result).encoded.count <= resultBytesMax:
            task.state = .succeeded
            task.progress.percentage = 100
            task.result = result
        case .success:
            task.state = .failed
            task.error = "it was done, but its result is too large to be kept"
        case .failure(let error):
            let wasAsked = task.isCancelling || isStopping
            task.state = !wasAsked ? .failed : task.isCancelling ? .cancelled : .interrupted
            task.error = isStopping && !task.isCancelling ? "the server was stopped while this ran" : cut("\(error)")
        }
        return task
    }

    private static func cut(_ text: String) -> String {
        guard text.utf8.count > errorBytesMax else { return text }
        var kept = ""
        for character in text {
            guard kept.utf8.count + character.utf8.count <= errorBytesMax - 3 else { break }
            kept.append(character)
        }
        return kept + "…"
    }

    private func write(_ task: TaskRecord) async -> Bool {
        do {
            try await database.execute(TaskTable.update(task))
            return true
        } catch {
            Self.log.warning(
                "a task's row could not be written; it is tried again", [.text("task", task.id), .error(error)])
            return false
        }
    }

    /// Its place is free, and who waited for it goes on.
    private func settle(_ id: TaskID) {
        let (waiting, all) = state.withLock { state in
            let waiting = state.running.removeValue(forKey: id)?.waiting ?? [:]
            return (waiting, state.running.isEmpty ? state.waitingForAll.take() : nil)
        }
        for continuation in waiting.values { continuation.resume() }
        all?.resume()
    }

    // MARK: Reading

    /// What is running here as it is now, everything else as it was written.
    private func live(_ stored: TaskRecord) -> TaskRecord {
        state.withLock { $0.running[stored.id]?.live ?? $0.unwritten[stored.id] } ?? stored
    }

    package func task(_ id: TaskID, for viewer: TaskViewer) async throws(TaskError) -> TaskRecord {
        let rows = try await rows(TaskTable.one(id))
        guard let task = try rows.first.map(record).map(live), viewer.maySee(task) else { throw .notFound }
        return task
    }

    /// Newest first, with how many there are.
    package func tasks(
        _ filter: TaskFilter, for viewer: TaskViewer
    ) async throws(TaskError) -> (tasks: [TaskRecord], total: Int) {
        var tasks: [TaskRecord] = []
        for row in try await rows(TaskTable.page(filter, viewer)) { tasks.append(live(try record(row))) }
        let counted = try await rows(TaskTable.count(filter, viewer)).first
        do throws(StoreError) { return (tasks, Int(clamping: try counted?.integer(0) ?? 0)) } catch {
            throw .store(error)
        }
    }

    private func rows(_ statement: Statement) async throws(TaskError) -> [Row] {
        do throws(StoreError) { return try await database.query(statement) } catch { throw .store(error) }
    }

    private func record(_ row: Row) throws(TaskError) -> TaskRecord {
        do throws(StoreError) { return try TaskTable.record(row) } catch { throw .store(error) }
    }

    /// What runs here and wants to be alone in its family.
    package func running(inFamily family: String) -> TaskRecord? {
        state.withLock { $0.running.values.first { $0.isExclusive && $0.task.kind.family == family }?.live }
    }

    /// Returns when the task has ended, when it does not run here, or after `limit`.
    package func wait(for id: TaskID, atMost limit: Duration? = nil) async {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            let number = state.withLock { state in state.running[id]?.addWaiting(continuation) }
            guard let number else { return continuation.resume() }
            guard let limit else { return }
            Task { [self] in
                try? await Task.sleep(for: limit)
                state.withLock { $0.running[id]?.waiting.removeValue(forKey: number) }?.resume()
            }
        }
    }

    // MARK: Cancelling

    /// Asks it to stop; it ends when its body has noticed. Returns it as it is now.
    @discardableResult
    package func cancel(_ id: TaskID, by viewer: TaskViewer) async throws(TaskError) -> TaskRecord {
        let task = try await task(id, for: viewer)
        guard !task.state.hasEnded else { throw .ended(task.state) }
        do { try await database.execute(TaskTable.cancel(id)) } catch { throw .store(error) }
        cancelHere(id)
        return try await self.task(id, for: viewer)
    }

    private func cancelHere(_ id: TaskID) {
        let work = state.withLock { state in
            state.running[id]?.task.isCancelling = true
            return state.running[id]?.work
        }
        work?.cancel()
    }

    // MARK: Time

    /// Every few seconds: writes how far everything is, and looks for what is to be cancelled.
    package func advance() async {
        let (running, unwritten) = state.withLock { state in (state.running.values.map(\.live), state.unwritten) }
        for (id, task) in unwritten {
            guard await write(task) else { return }
            state.withLock { _ = $0.unwritten.removeValue(forKey: id) }
        }
        guard !running.isEmpty else { return }
        do {
            for row in try await database.query(TaskTable.cancelling(on: node)) { cancelHere(try row.identifier(0)) }
        } catch {
            return Self.log.warning("tasks could not be looked after; it is tried again", [.error(error)])
        }
        let now = clock.now()
        for var task in running {
            let isNew = state.withLock { state in
                guard let last = state.running[task.id]?.written, last != task.progress else { return false }
                state.running[task.id]?.written = task.progress
                state.running[task.id]?.task.changedAt = now
                return true
            }
            task.changedAt = now
            if isNew { _ = await write(task) }
        }
    }

    /// Takes no more, cancels what runs, and returns when all of it has ended, or after `limit`. Called once.
    package func stop(within limit: Duration = stopWait) async {
        let works = state.withLock { state in
            state.isStopping = true
            return state.running.values.map(\.work)
        }
        for work in works { work?.cancel() }
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            let isIdle = state.withLock { state in
                guard !state.running.isEmpty else { return true }
                state.waitingForAll = continuation
                return false
            }
            guard !isIdle else { return continuation.resume() }
            Task { [self] in
                try? await Task.sleep(for: limit)
                guard let late = state.withLock({ $0.waitingForAll.take() }) else { return }
                Self.log.warning("tasks have not stopped in time")
                late.resume()
            }
        }
    }
}

/// What a body has in its hand.
package final class TaskHandle: Sendable {
    package let id: TaskID
    /// In a struct: a lock that holds a closure as its value wraps it once more with each access.
    private struct Source { var progress: @Sendable () -> TaskProgress = { TaskProgress() } }
    private let source = Mutex(Source())

    init(_ id: TaskID) { self.id = id }

    /// Where to ask how far it is, from now on: asked when somebody looks, and every few seconds. It must not wait.
    package func follow(_ source: @escaping @Sendable () -> TaskProgress) {
        self.source.withLock { $0.progress = source }
    }

    package func report(_ progress: TaskProgress) { follow { progress } }

    var progress: TaskProgress { source.withLock { $0.progress }() }
}

private struct RunningTask {
    var task: TaskRecord
    let handle: TaskHandle
    let isExclusive: Bool
    let isFollower: Bool
    var work: Task<Void, Never>?
    /// What the row says of how far it is.
    var written = TaskProgress()
    var waiting: [Int: CheckedContinuation<Void, Never>] = [:]
    private var nextWaiting = 0

    init(task: TaskRecord, handle: TaskHandle, isExclusive: Bool, isFollower: Bool) {
        self.task = task
        self.handle = handle
        self.isExclusive = isExclusive
        self.isFollower = isFollower
    }

    var live: TaskRecord {
        var task = task
        task.progress = handle.progress
        return task
    }

    mutating func addWaiting(_ continuation: CheckedContinuation<Void, Never>) -> Int {
        nextWaiting += 1
        waiting[nextWaiting] = continuation
        return nextWaiting
    }
}
