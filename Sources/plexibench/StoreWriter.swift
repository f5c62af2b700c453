// The two halves of the proof that nothing acknowledged is lost when the process is killed (`scripts/kill-test`).
//
// `plexibench store-writer --file F` writes numbered transactions from several tasks and prints each number when it
// is acknowledged. `plexibench store-check --file F --acknowledged G` opens the database afterwards and compares.

import Base
import Glibc
import Store

func runStoreWriter() {
    runToEnd {
        let database = try SQLiteDatabase(.file(Arguments.value("file") ?? "kill-test.db"))
        try await Migrations(StorePairs.migrations).apply(to: database)
        try await withThrowingTaskGroup { group in
            for writer in 0..<Arguments.integer("tasks", default: 8) {
                group.addTask { try await StorePairs(database: database, writer: writer).writeForever() }
            }
            try await group.waitForAll()
        }
    }
}

func runStoreCheck() {
    runToEnd {
        let database = try SQLiteDatabase(.file(Arguments.value("file") ?? "kill-test.db"))
        try await Migrations(StorePairs.migrations).apply(to: database)
        let faults = try await StorePairs.faults(in: database, Arguments.value("acknowledged") ?? "acknowledged.txt")
        await database.close()
        for fault in faults { print(fault) }
        exit(faults.isEmpty ? 0 : 1)
    }
}

/// Two rows in two tables that must come and go together.
private struct StorePairs {
    static let migrations = [
        Migration(
            name: "pairs-0001",
            sql: [
                """
                CREATE TABLE lefts (writer INTEGER NOT NULL, number INTEGER NOT NULL, body BLOB NOT NULL,
                    PRIMARY KEY (writer, number)) STRICT
                """,
                """
                CREATE TABLE rights (writer INTEGER NOT NULL, number INTEGER NOT NULL, body BLOB NOT NULL,
                    PRIMARY KEY (writer, number)) STRICT
                """,
            ])
    ]

    /// One in so many transactions is first tried by one that fails in the middle. With eight writers that is often
    /// enough for groups that are run twice, and seldom enough for those that are not.
    private static let halves: Int64 = 97

    let database: any Database
    let writer: Int

    func writeForever() async throws {
        var number = try await last() + 1
        while true {
            if number.isMultiple(of: Self.halves) { try await writeHalf(number) }
            try await write(number)
            // One write per line: a pipe or file takes it whole, so that a kill cannot leave half a number.
            let line = Bytes("\(writer) \(number)\n".utf8)
            guard Glibc.write(STDOUT_FILENO, line, line.count) == line.count else { exit(1) }
            number += 1
        }
    }

    private func last() async throws -> Int64 {
        let rows = try await database.query("SELECT MAX(number) FROM lefts WHERE writer = \(writer)")
        return try rows.first?.optional(0) { column throws(StoreError) in try rows[0].integer(column) } ?? 0
    }

    private func write(_ number: Int64) async throws {
        let body = Self.body(writer, number)
        try await database.transaction { (transaction) async throws(StoreError) in
            try await transaction.execute(
                "INSERT INTO lefts (writer, number, body) VALUES (\(writer), \(number), \(body))")
            try await transaction.execute(
                "INSERT INTO rights (writer, number, body) VALUES (\(writer), \(number), \(body))")
        }
    }

    /// Writes one of the two rows, and fails: nothing of it may ever be seen.
    private func writeHalf(_ number: Int64) async throws {
        let body = Self.body(writer, number)
        let refused = StoreError.conflict(constraint: "half")
        do throws(StoreError) {
            try await database.transaction { (transaction) async throws(StoreError) in
                try await transaction.execute(
                    "INSERT INTO lefts (writer, number, body) VALUES (\(writer), \(number), \(body))")
                throw refused
            }
        } catch {
            guard error == refused else { throw error }
        }
    }

    /// Sometimes longer than a page, so that a transaction spans several.
    private static func body(_ writer: Int, _ number: Int64) -> Bytes {
        Bytes(repeating: UInt8(truncatingIfNeeded: number &+ Int64(writer)), count: number % 7 == 0 ? 9_000 : 40)
    }

    // MARK: Checking

    static func faults(in database: any Database, _ file: String) async throws -> [String] {
        var faults: [String] = []
        for row in try await database.query("PRAGMA integrity_check") where try row.text(0) != "ok" {
            faults.append("integrity: \(try row.text(0))")
        }
        for (one, other) in [("lefts", "rights"), ("rights", "lefts")] as [(StaticString, StaticString)] {
            let torn = try await database.query(
                """
                SELECT writer, number FROM (SELECT writer, number, body FROM \(raw: one)
                EXCEPT SELECT writer, number, body FROM \(raw: other))
                """)
            for row in torn { faults.append("torn: \(try row.integer(0)) \(try row.integer(1)) only in \(one)") }
        }
        let kept = try await counts(database)
        for (writer, number) in acknowledged(in: file).sorted(by: { $0.key < $1.key }) {
            let count = kept[writer] ?? 0
            if count < number {
                faults.append("writer \(writer): \(number) was acknowledged, \(count) is the last kept")
            }
        }
        return faults
    }

    /// The last number of each writer, which is also the number of its rows: numbers have no gaps.
    private static func counts(_ database: any Database) async throws -> [Int64: Int64] {
        var counts: [Int64: Int64] = [:]
        for row in try await database.query("SELECT writer, COUNT(*), MAX(number) FROM lefts GROUP BY writer") {
            counts[try row.integer(0)] = try row.integer(1) == row.integer(2) ? try row.integer(1) : 0
        }
        return counts
    }

    private static func acknowledged(in file: String) -> [Int64: Int64] {
        guard let stream = fopen(file, "r") else { return [:] }
        defer { fclose(stream) }
        var highest: [Int64: Int64] = [:]
        var line = [CChar](repeating: 0, count: 128)
        while fgets(&line, Int32(line.count), stream) != nil {
            let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            let numbers = text.split(whereSeparator: \.isWhitespace).compactMap { Int64($0) }
            guard numbers.count == 2, text.hasSuffix("\n") else { continue }
            highest[numbers[0]] = max(highest[numbers[0]] ?? 0, numbers[1])
        }
        return highest
    }
}
