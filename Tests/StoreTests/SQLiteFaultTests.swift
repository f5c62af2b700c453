import Base
import Glibc
import Store
import Synchronization
import TestKit
import Testing

/// What goes wrong with a file on a disk, and that it goes right again.
@Suite struct SQLiteFaultTests {
    private static let table = Migration(
        name: "fault-0001", sql: ["CREATE TABLE kept (id INTEGER NOT NULL PRIMARY KEY, body BLOB NOT NULL) STRICT"])

    private func open(
        _ path: String, _ options: SQLiteDatabase.Options = SQLiteDatabase.Options()
    ) async throws -> SQLiteDatabase {
        let database = try SQLiteDatabase(.file(path), options: options)
        try await Migrations([Self.table]).apply(to: database)
        return database
    }

    private func insert(_ id: Int, _ count: Int = 10, into database: SQLiteDatabase) async throws(StoreError) {
        try await database.execute("INSERT INTO kept (id, body) VALUES (\(id), \(Bytes(repeating: 1, count: count)))")
    }

    private func ids(_ database: SQLiteDatabase) async throws -> [Int64] {
        try await database.query("SELECT id FROM kept ORDER BY id").map { try $0.integer(0) }
    }

    @Test func `a full disk fails what does not fit, keeps what was acknowledged, and heals`() async throws {
        guard let disk = try SmallDisk(megabytes: 3) else { return }
        let database = try await open(disk.path + "/test.db")
        var acknowledged: [Int64] = []
        var failure: StoreError?
        for id in 0..<200 where failure == nil {
            do throws(StoreError) {
                try await insert(id, 50_000, into: database)
                acknowledged.append(Int64(id))
            } catch {
                failure = error
            }
        }
        guard case .unavailable? = failure else {
            Issue.record("the failure is \(String(describing: failure))"); return
        }
        #expect(acknowledged.count > 5)
        #expect(try await ids(database) == acknowledged)
        // Room comes back from somewhere else.
        #expect(umount2(disk.path, 0) != 0, "the file is in use")
        #expect(mount("tmpfs", disk.path, "tmpfs", UInt(MS_REMOUNT), "size=20m") == 0)
        #expect(await database.health().problem == nil)
        try await insert(1_000, 50_000, into: database)
        #expect(try await ids(database) == acknowledged + [1_000])
        await database.close()
        #expect(try await ids(try await open(disk.path + "/test.db")) == acknowledged + [1_000])
    }

    @Test func `a full disk fails the whole group, and each of it is told`() async throws {
        guard let disk = try SmallDisk(megabytes: 3) else { return }
        let database = try await open(disk.path + "/test.db")
        let outcomes = await withTaskGroup(of: (Int64, Bool).self) { group in
            for id in 0..<100 {
                group.addTask {
                    ((Int64(id)), (try? await insert(id, 100_000, into: database)) != nil)
                }
            }
            return await group.reduce(into: [Int64: Bool]()) { $0[$1.0] = $1.1 }
        }
        #expect(outcomes.values.contains(false))
        #expect(try await ids(database) == outcomes.filter(\.value).keys.sorted())
    }

    @Test func `a file that is no database stops the start`() async throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/test.db"
        let descriptor = Glibc.open(path, O_CREAT | O_WRONLY, 0o600)
        let garbage = Bytes(repeating: 0x41, count: 8_192)
        #expect(write(descriptor, garbage, garbage.count) == garbage.count)
        close(descriptor)
        #expect(throws: StoreError.corrupt("the file is not a SQLite database")) {
            _ = try SQLiteDatabase(.file(path))
        }
    }

    @Test func `damaged pages are corrupt, not a trap`() async throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/test.db"
        let database = try await open(path)
        for id in 0..<50 { try await insert(id, 4_000, into: database) }
        await database.close()
        let descriptor = Glibc.open(path, O_WRONLY)
        let garbage = Bytes(repeating: 0xFF, count: 4_096)
        for page in 3..<40 { #expect(pwrite(descriptor, garbage, garbage.count, off_t(page * 4_096)) == 4_096) }
        close(descriptor)
        let damaged = try await open(path)
        await #expect(throws: StoreError.self) { _ = try await damaged.query("SELECT id, body FROM kept") }
        await damaged.close()
    }

    @Test func `a folder that is not there is named`() {
        #expect(throws: StoreError.unavailable("make /nowhere/at/all.db: No such file or directory")) {
            _ = try SQLiteDatabase(.file("/nowhere/at/all.db"))
        }
    }

    @Test func `the file can be read by its owner only`() async throws {
        let folder = try TemporaryFolder()
        let database = try await open(folder.path + "/test.db")
        for name in folder.entries() {
            var status = stat()
            #expect(stat(folder.path + "/" + name, &status) == 0)
            #expect(status.st_mode & 0o077 == 0, "\(name)")
        }
        await database.close()
    }

    @Test func `a lock of another process is waited for, up to a limit`() async throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/test.db"
        let holder = try await open(path)
        var options = SQLiteDatabase.Options()
        options.lockTimeout = .milliseconds(100)
        let other = try await open(path, options)
        try await holder.transaction { (transaction) async throws(StoreError) in
            try await transaction.execute("DELETE FROM kept")
            // Another process would be waiting just so.
            let refused = await Task.detached { () async -> StoreError? in
                do throws(StoreError) { try await other.execute("DELETE FROM kept") } catch { return error }
                return nil
            }.value
            #expect(refused == .unavailable("the database is locked by another process"))
            let problem = await Task.detached { await other.health().problem }.value
            #expect(problem == "the database is locked by another process")
        }
        #expect(await other.health().problem == nil)
        try await insert(1, into: other)
        #expect(try await ids(holder) == [1])
        await other.close()
        await holder.close()
    }

    @Test(.timeLimit(.minutes(1))) func `a body that hangs is rolled back and does not stop the others`() async throws {
        let folder = try TemporaryFolder()
        var options = SQLiteDatabase.Options()
        options.bodyLimit = .milliseconds(50)
        let database = try await open(folder.path + "/test.db", options)
        let (gate, opener) = AsyncStream<Void>.makeStream()
        let (started, starter) = AsyncStream<Void>.makeStream()
        let hanging = Task {
            try await database.transaction { (transaction) async throws(StoreError) in
                try await transaction.execute("INSERT INTO kept (id, body) VALUES (1, x'00')")
                starter.finish()
                for await _ in gate {}
                try await transaction.execute("INSERT INTO kept (id, body) VALUES (2, x'00')")
            }
        }
        for await _ in started {}
        // Returns although the other body has not.
        try await insert(3, into: database)
        opener.finish()
        await #expect(throws: StoreError.unavailable("the transaction took too long and was rolled back")) {
            try await hanging.value
        }
        #expect(try await ids(database) == [3])
        await database.close()
    }

    @Test func `more transactions than may wait are refused at once`() async throws {
        var options = SQLiteDatabase.Options()
        options.waitingTransactions = 3
        let database = try SQLiteDatabase(.memory, options: options)
        let refused = Atomic(0)
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<20 {
                group.addTask {
                    do {
                        try await database.transaction { (_) async throws(StoreError) in
                            try? await Task.sleep(for: .milliseconds(20))
                        }
                        return true
                    } catch StoreError.unavailable("too many transactions are waiting") {
                        return false
                    }
                }
            }
            for try await wasRun in group where !wasRun { refused.add(1, ordering: .relaxed) }
        }
        #expect((1...17).contains(refused.load(ordering: .relaxed)))
        await database.close()
    }

    @Test func `a statement that runs too long is broken off`() async throws {
        let folder = try TemporaryFolder()
        var options = SQLiteDatabase.Options()
        options.statementLimit = .milliseconds(50)
        let database = try await open(folder.path + "/test.db", options)
        let endless: Statement = """
            WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n
            """
        await #expect(throws: StoreError.unavailable("the statement took longer than is allowed")) {
            _ = try await database.query(endless)
        }
        try await insert(1, into: database)
        #expect(try await ids(database) == [1])
        await database.close()
    }

    @Test func `a refusal at the end of a group leaves nothing of it, and blames no row`() async throws {
        let database = try SQLiteDatabase(.memory)
        try await Migrations([Self.table]).apply(to: database)
        try await insert(1, into: database)
        await #expect {
            try await database.transaction { (transaction) async throws(StoreError) in
                try await transaction.execute("INSERT INTO kept (id, body) VALUES (2, \(Bytes()))")
                try await transaction.executeLast("INSERT INTO kept (id, body) VALUES (1, \(Bytes()))")
            }
        } throws: { error in
            guard case .misuse(let words)? = error as? StoreError else { return false }
            return words.contains("kept.id")
        }
        try await insert(3, into: database)
        #expect(try await ids(database) == [1, 3])
        await database.close()
    }

    @Test func `sixty-four writers share commits`() async throws {
        let folder = try TemporaryFolder()
        let database = try await open(folder.path + "/test.db")
        let (transactions, commits) = (database.transactions.current, database.commits.current)
        try await withThrowingTaskGroup { group in
            for writer in 0..<64 {
                group.addTask { for number in 0..<10 { try await insert(writer * 100 + number, into: database) } }
            }
            try await group.waitForAll()
        }
        #expect(database.transactions.current - transactions == 640)
        #expect(database.commits.current - commits < 320)
        await database.close()
    }

    @Test func `after close everything is refused, and what was begun is done`() async throws {
        let database = try SQLiteDatabase(.memory)
        try await Migrations([Self.table]).apply(to: database)
        let begun = (0..<10).map { id in Task { try await insert(id, into: database) } }
        await database.close()
        for task in begun { _ = await task.result }
        await #expect(throws: StoreError.unavailable("the database is closed")) {
            try await insert(100, into: database)
        }
        await #expect(throws: StoreError.unavailable("the database is closed")) {
            _ = try await database.query("SELECT 1")
        }
        await database.close()
    }
}
