// SQLite in the process: one writer thread that commits in groups, and a pool of threads that read.

package import Base

package final class SQLiteDatabase: Database {
    package enum Location: Sendable, Equatable {
        case memory
        case file(String)
    }

    /// Bounds, each with what a higher and a lower value would do.
    package struct Options: Sendable {
        /// Threads that read, each with a connection. More than cores helps only when reads miss the page cache.
        package var readers = 4
        /// Reads that may wait for a reader; the next is refused as `unavailable`. Higher: longer queues, more memory.
        package var waitingReads = 4_096
        /// Transactions that may wait or run; the next is refused as `unavailable`. At 10,000 commits/s a full queue
        /// is worth 0.4 s of waiting.
        package var waitingTransactions = 4_096
        /// Transactions that share one COMMIT. Higher: fewer syncs under load, and more to undo when one fails.
        package var groupCount = 256
        /// No further transaction joins a group that is this old, so that the first of it is not kept waiting.
        package var groupDuration = Duration.milliseconds(20)
        /// A body that takes longer is rolled back, so that one that hangs does not stop all writers.
        package var bodyLimit = Duration.seconds(10)
        /// A statement that runs longer is broken off and its transaction fails as `unavailable`.
        package var statementLimit = Duration.seconds(10)
        /// How long to wait for another process (a backup, a command line) that holds the file's lock.
        package var lockTimeout = Duration.seconds(5)
        /// Prepared statements kept per connection. Lower than the number of distinct statements: they are parsed anew.
        package var cachedStatements = 256
        /// Page cache per connection. It grows only as pages are used.
        package var cacheKiB = 4_096
        /// Bytes of the file to map into memory. Off: a bad disk gives an error when read, but a signal when mapped.
        package var mappedBytes = 0

        package init() {}
    }

    package let location: Location
    package var engine: DatabaseHealth.Engine { .sqlite }
    /// How many transactions were committed, in how many COMMITs.
    package var transactions: Counter { writer.transactions }
    package var commits: Counter { writer.commits }
    /// Groups whose bodies were run a second time, because one failed that had written.
    package var repetitions: Counter { writer.repetitions }
    private let writer: SQLiteWriter
    private let readers: SQLiteReaders?

    /// Opens the file, and creates it, readable by its owner only, when it is absent. Blocks; for start-up.
    package init(_ location: Location, options: Options = Options()) throws(StoreError) {
        self.location = location
        writer = try SQLiteWriter(location, options)
        // Connections to `:memory:` would each see a database of their own: there the writer reads as well.
        readers = location == .memory ? nil : try SQLiteReaders(location, options)
    }

    deinit {
        writer.stop()
        readers?.stop()
    }

    package func query(_ statement: Statement) async throws(StoreError) -> [Row] {
        try TransactionScope.requireNone(on: self)
        guard let readers else {
            return try await transaction { (transaction) async throws(StoreError) -> [Row] in
                try await transaction.query(statement)
            }
        }
        return try await readers.query(statement)
    }

    package func transaction<Value: Sendable, Failure: StoreFailureConvertible>(
        _ body: @escaping @Sendable (any Transaction) async throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        do throws(StoreError) {
            try TransactionScope.requireNone(on: self)
            try writer.reserve()
        } catch {
            throw Failure(error)
        }
        let scope = TransactionScope(of: self)
        return try await withTaskExecutorPreference(writer.executor) { () async throws(Failure) -> Value in
            try await writer.run(body, in: scope)
        }
    }

    package func health() async -> DatabaseHealth {
        var problem = await writer.problem()
        if problem == nil {
            do throws(StoreError) { _ = try await query("SELECT 1") } catch { problem = error.words }
        }
        let readerCount = readers?.count ?? 0
        return DatabaseHealth(
            engine: .sqlite, problem: problem, connections: 1 + readerCount, poolSize: 1 + readerCount)
    }

    package func close() async {
        // The writer last: who closes last moves the log into the file, which a reader may not do.
        await readers?.close()
        await writer.close()
    }
}
