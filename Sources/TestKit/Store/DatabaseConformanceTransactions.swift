// The second half of the suite: what transactions promise.

import Base
import Store

extension DatabaseConformance {
    static let transactions: [Check] = [
        Check("an error of the body rolls back and comes out as it was") { database in
            let table = try await Table.make(database)
            try await requireError(DomainError.self) {
                try await database.transaction { (transaction) async throws(DomainError) in
                    do throws(StoreError) { try await table.insert(1, in: transaction) } catch { throw .init(error) }
                    throw DomainError.refused
                }
            } matches: {
                $0 == .refused
            }
            try requireEqual(try await table.ids(), [])
        },
        Check("a failure of the store is wrapped into the domain's error") { database in
            let table = try await Table.make(database)
            try await table.insert(1)
            try await requireError(DomainError.self) {
                try await database.transaction { (transaction) async throws(DomainError) in
                    do throws(StoreError) { try await table.insert(1, in: transaction) } catch { throw .init(error) }
                }
            } matches: {
                $0 == .store(.conflict(constraint: "\(table.text).id"))
            }
        },
        Check("after a failed statement nothing is kept, even if the body goes on") { database in
            let table = try await Table.make(database)
            try await table.insert(1)
            try await requireConflict("\(table.text).id") {
                try await database.transaction { (transaction) async throws(StoreError) in
                    try await table.insert(2, in: transaction)
                    do { try await table.insert(1, in: transaction) } catch {}
                }
            }
            try await requireConflict("\(table.text).id") {
                try await database.transaction { (transaction) async throws(StoreError) in
                    do { try await table.insert(1, in: transaction) } catch {}
                    do { try await table.insert(3, in: transaction) } catch {}
                }
            }
            try requireEqual(try await table.ids(), [1])
        },
        Check("what is left for the end is done in order, with its transaction or not at all") { database in
            let table = try await Table.make(database)
            try await database.transaction { (transaction) async throws(StoreError) in
                try await transaction.executeLast("INSERT INTO \(part: table.name) (id, count) VALUES (1, 1)")
                try await transaction.executeLast("UPDATE \(part: table.name) SET count = count + 1 WHERE id = 1")
                try await table.insert(2, in: transaction)
            }
            try requireEqual(try await table.row(1).integer(1), 2)
            try await requireError(DomainError.self) {
                try await database.transaction { (transaction) async throws(DomainError) in
                    do throws(StoreError) {
                        try await transaction.executeLast("DELETE FROM \(part: table.name)")
                    } catch { throw .init(error) }
                    throw DomainError.refused
                }
            } matches: {
                $0 == .refused
            }
            try requireEqual(try await table.ids(), [1, 2])
        },
        Check("what is left for the end by many is kept for each that is kept") { database in
            let table = try await Table.make(database)
            await withTaskGroup { group in
                for id in 0..<60 {
                    group.addTask {
                        try? await database.transaction { (transaction) async throws(StoreError) in
                            try await transaction.executeLast(
                                "INSERT INTO \(part: table.name) (id, name) VALUES (\(id), \("late"))")
                            if id.isMultiple(of: 3) { throw StoreError.unavailable("refused by the test") }
                        }
                    }
                }
            }
            try requireEqual(try await table.ids(), (0..<60).filter { !$0.isMultiple(of: 3) }.map(Int64.init))
        },
        Check("a transaction sees its own rows, others see them after the commit") { database in
            let table = try await Table.make(database)
            let inside = try await database.transaction { (transaction) async throws(StoreError) in
                try await table.insert(1, in: transaction)
                return try await transaction.query("SELECT id FROM \(part: table.name)").count
            }
            try requireEqual(inside, 1)
            try requireEqual(try await table.ids(), [1])
        },
        Check("the database inside a body, and a transaction after its body, are misuse") { database in
            let table = try await Table.make(database)
            try await requireMisuse {
                try await database.transaction { (_) async throws(StoreError) in
                    _ = try await database.execute("DELETE FROM \(part: table.name)")
                }
            }
            try await requireMisuse {
                _ = try await database.transaction { (_) async throws(StoreError) in
                    try await database.query("SELECT 1")
                }
            }
            let escaped = try await database.transaction { (transaction) async throws(StoreError) in transaction }
            try await requireMisuse { _ = try await escaped.query("SELECT 1") }
        },
        Check("a body may await something else, and one bound to an actor works") { database in
            let table = try await Table.make(database)
            let counter = CountingActor()
            try await database.transaction { (transaction) async throws(StoreError) in
                try await table.insert(await counter.next(), in: transaction)
                await Task.yield()
                try await table.insert(await counter.next(), in: transaction)
            }
            try await database.transaction { @MainActor (transaction) async throws(StoreError) in
                try await table.insert(3, in: transaction)
            }
            try requireEqual(try await table.ids(), [1, 2, 3])
        },
        Check("statements of one transaction may be asked for side by side") { database in
            let table = try await Table.make(database)
            try await database.transaction { (transaction) async throws(StoreError) in
                async let first = table.insert(1, in: transaction)
                async let second = table.insert(2, in: transaction)
                do {
                    _ = try await (first, second)
                } catch {
                    throw error as? StoreError ?? .misuse("\(error)")
                }
            }
            try requireEqual(try await table.ids(), [1, 2])
        },
    ]

    // MARK: Concurrency

    static let concurrency: [Check] = [
        Check("concurrent increments are not lost") { database in
            let table = try await Table.make(database)
            try await database.execute("INSERT INTO \(part: table.name) (id, count) VALUES (\(1), \(0))")
            let rounds = 8
            try await withThrowingTaskGroup { group in
                for _ in 0..<8 {
                    group.addTask {
                        for _ in 0..<rounds { try await increment(table, database) }
                    }
                }
                try await group.waitForAll()
            }
            try requireEqual(try await table.row(1).integer(1), Int64(8 * rounds))
        },
        Check("of two that check first and write then, one gives way") { database in
            // Write skew: each reads that the other is not there. Serialisable transactions do not let both in.
            let table = try await Table.make(database)
            try await withThrowingTaskGroup { group in
                for id in 0..<8 { group.addTask { try await insertIfEmpty(id, table, database) } }
                try await group.waitForAll()
            }
            try requireEqual(try await table.ids().count, 1)
        },
        Check("one that fails among many does not disturb the others") { database in
            let table = try await Table.make(database)
            try await table.insert(0)
            let conflicts = try await withThrowingTaskGroup(of: Int.self) { group in
                for id in 1...120 {
                    group.addTask {
                        do {
                            try await table.insert(id % 3 == 0 ? 0 : id)
                            return 0
                        } catch StoreError.conflict {
                            return 1
                        }
                    }
                }
                return try await group.reduce(0, +)
            }
            try requireEqual(conflicts, 40)
            try requireEqual(try await table.ids(), (0...120).filter { $0 == 0 || $0 % 3 != 0 }.map(Int64.init))
        },
        Check("of many at once, those that fail after they wrote leave nothing to the others") { database in
            let table = try await Table.make(database)
            try await database.execute("INSERT INTO \(part: table.name) (id, count) VALUES (\(0), \(0))")
            let counts = try await withThrowingTaskGroup(of: [Int64].self) { group in
                for writer in 0..<12 {
                    group.addTask {
                        var counts: [Int64] = []
                        for id in (writer * 10 + 1)...(writer * 10 + 10) {
                            let isKept = !id.isMultiple(of: 5)
                            if let count = try await count(id, in: table, database, isKept: isKept) {
                                counts.append(count)
                            }
                        }
                        return counts
                    }
                }
                return try await group.reduce([], +)
            }
            let kept = (1...120).filter { !$0.isMultiple(of: 5) }
            try requireEqual(try await table.ids(), ([0] + kept).map(Int64.init))
            try requireEqual(try await table.row(0).integer(1), Int64(kept.count))
            // What each was answered is what the run that was kept saw.
            try requireEqual(counts.sorted(), (1...kept.count).map(Int64.init))
        },
        Check("rows that are written together are read together, at any time") { database in
            let table = try await Table.make(database)
            try await withThrowingTaskGroup { group in
                group.addTask {
                    for pair in 0..<40 {
                        try await database.transaction { (transaction) async throws(StoreError) in
                            try await table.insert(pair * 2, in: transaction)
                            try await table.insert(pair * 2 + 1, in: transaction)
                        }
                    }
                }
                for _ in 0..<3 {
                    group.addTask {
                        for _ in 0..<60 {
                            try require(try await table.ids().count % 2 == 0, "half of a transaction is seen")
                        }
                    }
                }
                try await group.waitForAll()
            }
        },
        Check("hundreds of reads at once are all answered") { database in
            let table = try await Table.make(database)
            for id in 0..<10 { try await table.insert(id, name: "n\(id)") }
            try await withThrowingTaskGroup { group in
                for index in 0..<300 {
                    group.addTask {
                        let rows = try await database.query(
                            "SELECT name FROM \(part: table.name) WHERE id = \(index % 10)")
                        try requireEqual(try rows.first?.text(0), "n\(index % 10)")
                    }
                }
                for _ in 0..<10 {
                    group.addTask { try await requireMisuse { _ = try await database.query("SELECT oops") } }
                }
                try await group.waitForAll()
            }
        },
        Check("a cancelled task leaves the database usable") { database in
            let table = try await Table.make(database)
            let tasks = (0..<20).map { id in Task { try await table.insert(id) } }
            for task in tasks { task.cancel() }
            for task in tasks { _ = await task.result }
            try await table.insert(100)
            try require(try await table.ids().contains(100), "the row after the cancelled ones is missing")
        },
    ]

    @Sendable private static func increment(_ table: Table, _ database: any Database) async throws(StoreError) {
        try await database.transaction { (transaction) async throws(StoreError) in
            let rows = try await transaction.query("SELECT count FROM \(part: table.name) WHERE id = \(1)")
            guard let count = try rows.first?.integer(0) else { throw StoreError.corrupt("the row is gone") }
            try await transaction.execute("UPDATE \(part: table.name) SET count = \(count + 1) WHERE id = \(1)")
        }
    }

    /// Adds a row and counts it in row 0, whose new count is the answer; `nil` when it is refused after all that.
    @Sendable private static func count(
        _ id: Int, in table: Table, _ database: any Database, isKept: Bool
    ) async throws -> Int64? {
        do throws(DomainError) {
            return try await database.transaction { (transaction) async throws(DomainError) -> Int64 in
                let rows: [Row]
                do throws(StoreError) {
                    try await table.insert(id, in: transaction)
                    rows = try await transaction.query(
                        "UPDATE \(part: table.name) SET count = count + 1 WHERE id = 0 RETURNING count")
                } catch { throw .init(error) }
                guard isKept else { throw .refused }
                do throws(StoreError) { return try rows[0].integer(0) } catch { throw .init(error) }
            }
        } catch {
            guard error == .refused else { throw error }
            return nil
        }
    }

    @Sendable private static func insertIfEmpty(
        _ id: Int, _ table: Table, _ database: any Database
    ) async throws(StoreError) {
        try await database.transaction { (transaction) async throws(StoreError) in
            guard try await transaction.query("SELECT id FROM \(part: table.name)").isEmpty else { return }
            try await table.insert(id, in: transaction)
        }
    }

    // MARK: Migrations

    static let migrations: [Check] = [
        Check("migrations are applied in order, once") { database in
            let family = Table.freshName()
            let first = Migration(
                name: "\(family)-1", sql: ["CREATE TABLE \(family) (id INTEGER PRIMARY KEY, b BLOB) STRICT"])
            let second = Migration(
                name: "\(family)-2",
                sql: [
                    "ALTER TABLE \(family) ADD COLUMN name TEXT NOT NULL DEFAULT 'INTEGER'",
                    "INSERT INTO \(family) (id, b) VALUES (1, NULL)",
                    .only(.sqlite, "INSERT INTO \(family) (id, name) VALUES (2, 'sqlite')"),
                    .only(.postgresql, "INSERT INTO \(family) (id, name) VALUES (2, 'postgresql')"),
                ])
            try requireEqual(try await Migrations([first]).apply(to: database), [first.name])
            try requireEqual(try await Migrations([first, second]).apply(to: database), [second.name])
            try requireEqual(try await Migrations([first, second]).apply(to: database), [])
            let rows = try await database.query(Statement(text: "SELECT name FROM \(family) ORDER BY id"))
            try requireEqual(try rows.map { try $0.text(0) }, ["INTEGER", database.engine.rawValue])
        },
        Check("a migration that fails leaves nothing and can be applied later") { database in
            let family = Table.freshName()
            let create: MigrationStep = "CREATE TABLE \(family) (id INTEGER PRIMARY KEY)"
            let bad = Migration(name: "\(family)-1", sql: [create, "INSERT INTO \(family) (nothing) VALUES (1)"])
            let good = Migration(name: "\(family)-1", sql: [create])
            try await requireMisuse { try await Migrations([bad]).apply(to: database) }
            try requireEqual(try await Migrations([good]).apply(to: database), [good.name])
        },
        Check("a changed or an unknown migration is refused and nothing is applied") { database in
            let family = Table.freshName()
            let first = Migration(name: "\(family)-1", sql: ["CREATE TABLE \(family) (id INTEGER PRIMARY KEY)"])
            let changed = Migration(name: "\(family)-1", sql: ["CREATE TABLE \(family) (id INTEGER)"])
            let next = Migration(name: "\(family)-2", sql: ["CREATE TABLE \(family)_2 (id INTEGER PRIMARY KEY)"])
            try await Migrations([first]).apply(to: database)
            try await requireError(StoreError.self) {
                try await Migrations([changed, next]).apply(to: database)
            } matches: {
                $0.isCorrupt
            }
            try await requireError(StoreError.self) {
                try await Migrations([next]).apply(to: database)
            } matches: {
                $0.isCorrupt
            }
            try requireEqual(try await Migrations([first, next]).apply(to: database), [next.name])
        },
        Check("an automatic number is assigned and never reused") { database in
            let table = try await Table.make(
                database, columns: "id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT")
            let insert: Statement = "INSERT INTO \(part: table.name) (name) VALUES (\("x")) RETURNING id"
            var last: Int64 = 0
            for _ in 0..<3 {
                let rows = try await database.transaction { (transaction) async throws(StoreError) in
                    let rows = try await transaction.query(insert)
                    try await transaction.execute("DELETE FROM \(part: table.name)")
                    return rows
                }
                let id = try rows.first?.integer(0) ?? 0
                try require(id > last, "\(id) after \(last)")
                last = id
            }
        },
    ]
}

private enum DomainError: StoreFailureConvertible, Equatable {
    case refused
    case store(StoreError)
    init(_ failure: StoreError) { self = .store(failure) }
}

private actor CountingActor {
    private var count = 0
    func next() -> Int {
        count += 1
        return count
    }
}
