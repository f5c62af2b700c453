// The one thread that writes. It takes the transactions that wait, runs their bodies one after another in one big
// transaction, commits once, and only then tells their callers: one sync of the disk serves them all, and nobody hears
// of success before it.
//
// A body that fails without having written leaves nothing to undo. When one fails that has, the whole group is rolled
// back and run once more, now each body in a savepoint of its own, and so are the groups that follow for a while. A
// savepoint keeps a copy of every page that its body changes: without it a message costs a sixth less.
//
// A body is an async closure. Its task is moved here (the thread is its task executor) for as long as it runs, so a
// statement is a plain call into SQLite and `await` does not suspend. Should a body wait for something else after
// all, the thread keeps running the jobs that come in until the body is done or its time is up.

import Base
import Synchronization

/// `@unchecked`: `admission` and `lastProblem` are locked; everything else is used on the writer's thread only.
final class SQLiteWriter: @unchecked Sendable {
    private struct Admission {
        /// Transactions that wait, run, or whose COMMIT is under way.
        var count = 0
        var isStopped = false
        var whenStopped: [CheckedContinuation<Void, Never>] = []
        var isOver = false
    }

    /// Groups that are run in savepoints after one that had to be run twice. Somebody who goes on sending what is
    /// refused in the middle of a transaction thus costs the others a savepoint each, and one time in so many the
    /// second run.
    private static let carefulGroups = 32

    let executor = ThreadExecutor()
    let transactions = Counter()
    let commits = Counter()
    let repetitions = Counter()
    private let location: SQLiteDatabase.Location
    private let options: SQLiteDatabase.Options
    private let admission = Mutex(Admission())
    private let lastProblem = Mutex<String?>(nil)

    private var connection: SQLiteConnection?
    private var waiting: [WriterTurn] = []
    /// So many of the next groups are run in savepoints.
    private var carefulGroupsLeft = 0

    init(_ location: SQLiteDatabase.Location, _ options: SQLiteDatabase.Options) throws(StoreError) {
        self.location = location
        self.options = options
        // Opened here, so that a file that is no database stops the start; used by the thread from then on.
        connection = try SQLiteConnection(location, .writer, options)
        try StoreThread.start("store-writer") { [self] in loop() }
    }

    // MARK: Callers, on any thread

    /// Takes one of the bounded places. `run` gives it back.
    func reserve() throws(StoreError) {
        try admission.withLock { (admission) throws(StoreError) in
            guard !admission.isStopped else { throw .unavailable("the database is closed") }
            guard admission.count < options.waitingTransactions else {
                throw .unavailable("too many transactions are waiting")
            }
            admission.count += 1
        }
    }

    /// Runs with the preference for `executor`: all of it is on the writer's thread.
    @concurrent func run<Value: Sendable, Failure: StoreFailureConvertible>(
        _ body: @escaping @Sendable (any Transaction) async throws(Failure) -> Value, in scope: TransactionScope
    ) async throws(Failure) -> Value {
        defer { release() }
        let turn = WriterTurn(writer: self)
        do throws(StoreError) {
            try await turn.begin { waiting.append($0) }
        } catch {
            throw Failure(error)
        }
        var scope = scope
        while true {
            let result = await scope.run { () async throws(Failure) -> Value in try await body(turn) }
            scope.end()
            let isOver: Bool
            do throws(StoreError) {
                isOver = try await turn.finish(keeping: (try? result.get()) != nil)
            } catch {
                throw Failure(error)
            }
            if isOver { return try result.get() }
            scope = scope.anew()
        }
    }

    private func release() {
        let isIdle = admission.withLock { admission in
            admission.count -= 1
            return admission.isStopped && admission.count == 0
        }
        if isIdle { executor.interrupt() }
    }

    /// What was wrong the last time, unless a write succeeds now.
    func problem() async -> String? {
        guard lastProblem.withLock({ $0 }) != nil else { return nil }
        guard (try? reserve()) != nil else { return lastProblem.withLock { $0 } }
        let probe = { @concurrent [self] () async -> Void in
            defer { release() }
            note(attempt { connection throws(StoreError) in try connection.probe() })
        }
        await withTaskExecutorPreference(executor) { await probe() }
        return lastProblem.withLock { $0 }
    }

    /// Refuses what comes from now on; what was admitted is still run.
    func stop() {
        admission.withLock { $0.isStopped = true }
        executor.interrupt()
    }

    func close() async {
        stop()
        await withCheckedContinuation { continuation in
            let isOver = admission.withLock { admission in
                if !admission.isOver { admission.whenStopped.append(continuation) }
                return admission.isOver
            }
            if isOver { continuation.resume() }
        }
    }

    // MARK: The thread

    private func loop() {
        executor.adoptThread()
        while !isFinished {
            executor.runReady()
            if waiting.isEmpty { executor.runOne() } else { commitGroup() }
        }
        // Closing the last connection moves the log into the file.
        connection = nil
        let continuations = admission.withLock { admission in
            admission.isOver = true
            defer { admission.whenStopped = [] }
            return admission.whenStopped
        }
        for continuation in continuations { continuation.resume() }
    }

    private var isFinished: Bool { admission.withLock { $0.isStopped && $0.count == 0 } }

    private func commitGroup() {
        var group: [WriterTurn] = []
        let failure = attempt { connection throws(StoreError) in
            let isCareful = carefulGroupsLeft > 0
            if isCareful { carefulGroupsLeft -= 1 }
            let isKept = try transact(on: connection) { () throws(StoreError) in
                guard try runBodies(on: connection, into: &group, inSavepoints: isCareful) else { return false }
                try runLastStatements(of: group, on: connection)
                return true
            }
            // One that was alone has failed, is rolled back, and concerns nobody else.
            if !isKept, group.count > 1 { try repeatBodies(of: group, on: connection) }
        }
        if group.isEmpty, failure != nil {
            // Not even BEGIN worked: all that wait would fare alike.
            swap(&group, &waiting)
        }
        note(failure)
        if failure == nil {
            commits.increment()
            transactions.increment(by: UInt64(group.count))
        }
        for turn in group { turn.settle(failure) }
    }

    /// Does `work` in a transaction, which is committed when it returns true and rolled back when it does not.
    private func transact(
        on connection: SQLiteConnection, _ work: () throws(StoreError) -> Bool
    ) throws(StoreError) -> Bool {
        try connection.command("BEGIN IMMEDIATE")
        do throws(StoreError) {
            let isKept = try work()
            try connection.command(isKept ? "COMMIT" : "ROLLBACK")
            return isKept
        } catch {
            if connection.isInTransaction { try? connection.command("ROLLBACK") }
            throw error
        }
    }

    /// False when the group has to be undone: one of it has failed and had written. Nobody joins it after that.
    private func runBodies(
        on connection: SQLiteConnection, into group: inout [WriterTurn], inSavepoints: Bool
    ) throws(StoreError) -> Bool {
        let end = Instant.now() + options.groupDuration
        var next = 0
        defer { waiting.removeFirst(next) }
        while next < waiting.count, next < options.groupCount, next == 0 || Instant.now() < end {
            let turn = waiting[next]
            next += 1
            group.append(turn)
            if inSavepoints {
                try runInSavepoint(turn, on: connection)
            } else {
                let before = connection.changeMark
                try runBody(of: turn, on: connection)
                guard turn.wantsKeeping || connection.changeMark == before else { return false }
            }
        }
        return true
    }

    /// Each body once more, also those that failed: what they decided by may never have been.
    private func repeatBodies(of group: [WriterTurn], on connection: SQLiteConnection) throws(StoreError) {
        repetitions.increment()
        carefulGroupsLeft = Self.carefulGroups
        _ = try transact(on: connection) { () throws(StoreError) in
            for turn in group where !turn.hasExpired { try runInSavepoint(turn, on: connection) }
            try runLastStatements(of: group, on: connection)
            return true
        }
    }

    private func runInSavepoint(_ turn: WriterTurn, on connection: SQLiteConnection) throws(StoreError) {
        try connection.command("SAVEPOINT body")
        try runBody(of: turn, on: connection)
        if !turn.wantsKeeping { try connection.command("ROLLBACK TO body") }
        try connection.command("RELEASE body")
    }

    /// Throws only what concerns the whole group.
    private func runBody(of turn: WriterTurn, on connection: SQLiteConnection) throws(StoreError) {
        turn.start(on: connection)
        let deadline = Instant.now() + options.bodyLimit
        while !turn.isDone {
            if !executor.runOne(waitingUntil: deadline), Instant.now() >= deadline { turn.expire() }
        }
        guard connection.isInTransaction else {
            throw turn.failure ?? .unavailable("the transaction was rolled back by the database")
        }
        if turn.wantsKeeping, connection.hasOpenForeignKeys { turn.fail(.conflict(constraint: "foreign key")) }
    }

    /// What the bodies that are kept left for the end. Behind the last savepoint: at each one SQLite's full text index
    /// writes what it holds in memory as a segment of its own, which it has to merge later. So a group makes one
    /// segment instead of one for each message.
    private func runLastStatements(of group: [WriterTurn], on connection: SQLiteConnection) throws(StoreError) {
        do throws(StoreError) {
            for turn in group where turn.wantsKeeping {
                for statement in turn.lastStatements { try connection.command(statement) }
            }
        } catch {
            switch error {
            case .unavailable, .corrupt: throw error
            // The other callers of the group have nothing to do with this row.
            case .conflict, .misuse: throw .misuse("a statement that was left for the end was refused: \(error.words)")
            }
        }
    }

    /// Does something with the connection, which is opened anew when the last thing that was done broke it.
    private func attempt(_ work: (SQLiteConnection) throws(StoreError) -> Void) -> StoreError? {
        do throws(StoreError) {
            try work(opened())
            return nil
        } catch {
            // A database in memory has nowhere else to be.
            if SQLiteFailure.wantsReopening(error), location != .memory { connection = nil }
            return error
        }
    }

    private func opened() throws(StoreError) -> SQLiteConnection {
        if let connection { return connection }
        let new = try SQLiteConnection(location, .writer, options)
        connection = new
        return new
    }

    private func note(_ failure: StoreError?) { lastProblem.withLock { $0 = failure?.words } }
}
