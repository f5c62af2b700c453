import Base
import Store
import Synchronization
import TestKit
import Testing

/// Transactions that share a COMMIT: which of them are run again when one of them fails, and what is kept.
@Suite struct SQLiteGroupTests {
    private struct Outcome {
        /// How often the bodies were run.
        var first = 0
        var second = 0
        /// What the last run of the first one returned.
        var value = 0
        var failure: StoreError?

        var runs: [Int] { [first, second] }
    }

    private final class Runs: Sendable {
        let outcome = Mutex(Outcome())

        func first() -> Int {
            outcome.withLock { outcome in
                outcome.first += 1
                return outcome.first
            }
        }
        func second() { outcome.withLock { $0.second += 1 } }
    }

    private static let refused = StoreError.conflict(constraint: "of the test")

    private func open(bodyLimit: Duration = .seconds(10)) async throws -> SQLiteDatabase {
        var options = SQLiteDatabase.Options()
        options.groupDuration = .seconds(10)
        options.bodyLimit = bodyLimit
        let database = try SQLiteDatabase(.memory, options: options)
        try await database.execute("CREATE TABLE kept (id INTEGER NOT NULL PRIMARY KEY, place TEXT NOT NULL) STRICT")
        return database
    }

    private func ids(_ database: SQLiteDatabase) async throws -> [Int64] {
        try await database.query("SELECT id FROM kept ORDER BY id").map { try $0.integer(0) }
    }

    /// Runs `body` behind a transaction that writes the rows `id` and, left for the end, `id + 1`. Whether both share a
    /// COMMIT is up to the threads, so this is done until they do, with other rows each time.
    private func behindAnother(
        in database: SQLiteDatabase, id: Int = 1,
        _ body: @escaping @Sendable (any Transaction) async throws(StoreError) -> Void
    ) async throws -> Outcome {
        for attempt in 0..<100 {
            let before = database.commits.current
            let outcome = try await attemptBehindAnother(in: database, id + attempt * 2, body)
            if database.commits.current == before + 1 { return outcome }
            try await database.execute("DELETE FROM kept")
        }
        throw StoreError.misuse("two transactions never shared a COMMIT")
    }

    private func attemptBehindAnother(
        in database: SQLiteDatabase, _ id: Int,
        _ body: @escaping @Sendable (any Transaction) async throws(StoreError) -> Void
    ) async throws -> Outcome {
        let (gate, opener) = AsyncStream<Void>.makeStream()
        let (started, starter) = AsyncStream<Void>.makeStream()
        let runs = Runs()
        let first = Task {
            try await database.transaction { (transaction) async throws(StoreError) -> Int in
                let run = runs.first()
                try await transaction.execute("INSERT INTO kept (id, place) VALUES (\(id), 'first')")
                try await transaction.executeLast("INSERT INTO kept (id, place) VALUES (\(id + 1), 'end')")
                starter.finish()
                for await _ in gate {}
                return run
            }
        }
        for await _ in started {}
        let second = Task { () async -> StoreError? in
            do throws(StoreError) {
                try await database.transaction { (transaction) async throws(StoreError) in
                    runs.second()
                    try await body(transaction)
                }
                return nil
            } catch {
                return error
            }
        }
        try await Task.sleep(for: .milliseconds(10))
        opener.finish()
        let value = try await first.value
        let failure = await second.value
        var outcome = runs.outcome.withLock { $0 }
        (outcome.value, outcome.failure) = (value, failure)
        return outcome
    }

    @Test func `a body that fails after it wrote is undone, and the one before it is run again and kept`() async throws
    {
        let database = try await open()
        let outcome = try await behindAnother(in: database) { (transaction) async throws(StoreError) in
            try await transaction.execute("INSERT INTO kept (id, place) VALUES (1000, 'second')")
            throw Self.refused
        }
        #expect(outcome.runs == [2, 2])
        #expect(outcome.value == 2, "the last run is the one that counts")
        #expect(outcome.failure == Self.refused)
        let kept = try await ids(database)
        #expect(kept.count == 2, "the row and the one for the end, once each: \(kept)")
        #expect(!kept.contains(1000))
        #expect(database.repetitions.current >= 1)
        await database.close()
    }

    @Test(arguments: [
        "SELECT id FROM kept", "UPDATE kept SET place = 'other' WHERE id = -1", "DELETE FROM kept WHERE id = -1",
        "INSERT INTO kept (id, place) SELECT -1, 'x' WHERE 0",
    ])
    func `a body that fails without having written costs nobody a second run`(_ sql: String) async throws {
        let database = try await open()
        let outcome = try await behindAnother(in: database) { (transaction) async throws(StoreError) in
            _ = try await transaction.query(Statement(stringLiteral: sql))
            throw Self.refused
        }
        #expect(outcome.runs == [1, 1])
        #expect(outcome.failure == Self.refused)
        #expect(try await ids(database).count == 2)
        await database.close()
    }

    @Test func `a row that is refused costs nobody a second run`() async throws {
        let database = try await open()
        let outcome = try await behindAnother(in: database) { (transaction) async throws(StoreError) in
            try await transaction.execute("INSERT INTO kept (id, place) SELECT id, 'again' FROM kept")
        }
        #expect(outcome.runs == [1, 1])
        #expect(outcome.failure == .conflict(constraint: "kept.id"))
        #expect(try await ids(database).count == 2)
        await database.close()
    }

    @Test func `a table that a failing body made is undone with it`() async throws {
        let database = try await open()
        let outcome = try await behindAnother(in: database) { (transaction) async throws(StoreError) in
            try await transaction.execute("CREATE TABLE made (id INTEGER PRIMARY KEY)")
            throw Self.refused
        }
        #expect(outcome.runs == [2, 2])
        #expect(try await database.query("SELECT 1 FROM sqlite_schema WHERE name = 'made'").isEmpty)
        #expect(try await ids(database).count == 2)
        await database.close()
    }

    @Test func `after a second run the next groups fail one by one, and later ones do not`() async throws {
        let database = try await open()
        let fails: @Sendable (any Transaction) async throws(StoreError) -> Void = {
            (transaction) async throws(StoreError) in
            try await transaction.execute("DELETE FROM kept")
            throw Self.refused
        }
        _ = try await behindAnother(in: database, fails)
        let careful = try await behindAnother(in: database, id: 10_000, fails)
        #expect(careful.runs == [1, 1])
        #expect(careful.failure == Self.refused)
        #expect(try await ids(database).contains { $0 >= 10_000 })
        for _ in 0..<40 { try await database.execute("DELETE FROM kept") }
        let later = try await behindAnother(in: database, id: 20_000, fails)
        #expect(later.runs == [2, 2])
        await database.close()
    }

    @Test func `a body that fails alone is run once`() async throws {
        let database = try await open()
        let runs = Counter()
        for _ in 0..<3 {
            await #expect(throws: Self.refused) {
                try await database.transaction { (transaction) async throws(StoreError) in
                    runs.increment()
                    try await transaction.execute("INSERT INTO kept (id, place) VALUES (1, 'x')")
                    throw Self.refused
                }
            }
        }
        #expect(runs.current == 3)
        #expect(try await ids(database).isEmpty)
        await database.close()
    }

    @Test(.timeLimit(.minutes(1)))
    func `one that hangs after it wrote is undone, and not run again with the others`() async throws {
        let database = try await open(bodyLimit: .seconds(1))
        let outcome = try await behindAnother(in: database) { (transaction) async throws(StoreError) in
            try await transaction.execute("INSERT INTO kept (id, place) VALUES (1000, 'second')")
            try? await Task.sleep(for: .milliseconds(1_200))
            try await transaction.execute("INSERT INTO kept (id, place) VALUES (1001, 'second')")
        }
        #expect(outcome.runs == [2, 1])
        #expect(outcome.failure == .unavailable("the transaction took too long and was rolled back"))
        let kept = try await ids(database)
        #expect(kept.count == 2 && !kept.contains(1000) && !kept.contains(1001), "\(kept)")
        await database.close()
    }
}
