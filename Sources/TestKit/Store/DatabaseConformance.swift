// What every `Database` must do alike. Each check makes tables of its own, so that they may run side by side on one
// PostgreSQL.

import Base
package import Store

package enum DatabaseConformance {
    package typealias Check = ConformanceCheck<any Database>

    package static let checks: [Check] =
        values + statements + constraints + transactions + concurrency + migrations

    // MARK: Values

    private static let values: [Check] = [
        Check("every kind of value comes back as it was stored") { database in
            let table = try await Table.make(database)
            let real = 0.1 + 0.2
            try await database.execute(
                "INSERT INTO \(part: table.name) (id, count, ratio, name, data) VALUES (\(1), \(Int64.min), \(real), \("α"), \(Bytes([0, 255])))"
            )
            let row = try await table.row(1)
            try requireEqual(
                row.values, [.integer(1), .integer(.min), .real(real), .text("α"), .blob([0, 255])])
        },
        Check("NULL, the empty text and the empty blob are three things") { database in
            let table = try await Table.make(database)
            try await table.insert(1, name: nil, data: nil)
            try await table.insert(2, name: "", data: [])
            try requireEqual(Array(try await table.row(1).values[3...]), [.null, .null])
            try requireEqual(Array(try await table.row(2).values[3...]), [.text(""), .blob([])])
        },
        Check("a blob of one MiB comes back whole") { database in
            let table = try await Table.make(database)
            let bytes = (0..<1 << 20).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
            try await table.insert(1, data: bytes)
            try require(try await table.row(1).blob(4) == bytes, "the blob differs")
        },
        Check("text keeps its code points, composed or not, quotes and question marks") { database in
            let table = try await Table.make(database)
            let texts = ["e\u{301}", "é", "日本語", "👩‍👩‍👧", "it's \"so\"?", "\u{202E}rtl", "a\\'b$1", "%_"]
            for (id, text) in texts.enumerated() { try await table.insert(id, name: text) }
            for (id, text) in texts.enumerated() {
                let found = try await table.row(id).text(3)
                try require(found.utf8.elementsEqual(text.utf8), "\(text) became \(found)")
            }
        },
        Check("text with a NUL and a number that is none are refused") { database in
            let table = try await Table.make(database)
            try await requireMisuse { try await table.insert(1, name: "a\0b") }
            try await requireMisuse {
                try await database.execute("UPDATE \(part: table.name) SET ratio = \(Double.nan)")
            }
            try await table.insert(2, data: [1, 0, 2])
        },
        Check("the limits of integers and reals come back") { database in
            let table = try await Table.make(database)
            for (id, value) in [Int64.max, .min, 0, -1, 1 << 53 + 1].enumerated() {
                try await database.execute("INSERT INTO \(part: table.name) (id, count) VALUES (\(id), \(value))")
                try requireEqual(try await table.row(id).integer(1), value)
            }
            for (id, value) in [.infinity, .leastNonzeroMagnitude, Double.greatestFiniteMagnitude, -0.0].enumerated() {
                try await database.execute("INSERT INTO \(part: table.name) (id, ratio) VALUES (\(10 + id), \(value))")
                try requireEqual(try await table.row(10 + id).real(2), value)
            }
        },
        Check("flags, times and identifiers are integers and blobs") { database in
            let table = try await Table.make(database)
            let id = UserID.timeOrdered(at: .now())
            let time = Timestamp.now()
            try await database.execute(
                "INSERT INTO \(part: table.name) (id, count, data) VALUES (\(true), \(time), \(id))")
            let row = try await table.row(1)
            try requireEqual(try row.flag(0), true)
            try requireEqual(try row.timestamp(1), time)
            try requireEqual(try row.identifier(4, UserKind.self), id)
        },
        Check("a column read as another type is corrupt, not a trap") { database in
            let table = try await Table.make(database)
            try await table.insert(1, name: "x", data: [1])
            let row = try await table.row(1)
            try await requireError(StoreError.self) {
                _ = try row.integer(3)
            } matches: {
                $0.isCorrupt
            }
            try await requireError(StoreError.self) {
                _ = try row.identifier(4, UserKind.self)
            } matches: {
                $0.isCorrupt
            }
        },
    ]

    // MARK: Statements

    private static let statements: [Check] = [
        Check("execute counts the rows that were changed") { database in
            let table = try await Table.make(database)
            for id in 0..<5 { try requireEqual(try await table.insert(id), 1) }
            try requireEqual(try await database.execute("UPDATE \(part: table.name) SET count = 1 WHERE id < \(3)"), 3)
            try requireEqual(try await database.execute("DELETE FROM \(part: table.name) WHERE id > \(9)"), 0)
            try requireEqual(
                try await database.execute(
                    "INSERT INTO \(part: table.name) (id) VALUES (\(1)) ON CONFLICT (id) DO NOTHING"), 0)
        },
        Check("RETURNING gives rows, ON CONFLICT updates") { database in
            let table = try await Table.make(database)
            for expected in 1...3 {
                let rows = try await database.transaction { (transaction) async throws(StoreError) in
                    try await transaction.query(
                        """
                        INSERT INTO \(part: table.name) (id, count) VALUES (\(7), \(1))
                        ON CONFLICT (id) DO UPDATE SET count = \(part: table.name).count + 1 RETURNING count
                        """)
                }
                try requireEqual(try rows.first?.integer(0), Int64(expected))
            }
        },
        Check("lists, sums, counts, EXISTS and limits") { database in
            let table = try await Table.make(database)
            for id in 1...9 { try await table.insert(id, name: "n\(id)") }
            let picked = try await database.query(
                "SELECT id FROM \(part: table.name) WHERE id IN (\(list: [2, 4, 99])) ORDER BY id")
            try requireEqual(try picked.map { try $0.integer(0) }, [2, 4])
            let none = try await database.query("SELECT id FROM \(part: table.name) WHERE id IN (\(list: [Int]()))")
            try require(none.isEmpty, "an empty list matches something")
            let sums = try await database.query(
                "SELECT COUNT(*), SUM(id), AVG(id), MAX(name), SUM(ratio) FROM \(part: table.name)")
            try requireEqual(sums.first?.values, [.integer(9), .integer(45), .real(5), .text("n9"), .null])
            let exists = try await database.query("SELECT EXISTS (SELECT 1 FROM \(part: table.name) WHERE id = \(3))")
            try requireEqual(try exists.first?.flag(0), true)
            let page = try await database.query(
                "SELECT id FROM \(part: table.name) ORDER BY id DESC LIMIT \(2) OFFSET \(1)")
            try requireEqual(try page.map { try $0.integer(0) }, [8, 7])
        },
        Check("text is ordered by code point and LIKE minds the case") { database in
            let table = try await Table.make(database)
            for (id, name) in ["b", "B", "a", "é", "z", "_"].enumerated() { try await table.insert(id, name: name) }
            let ordered = try await database.query("SELECT name FROM \(part: table.name) ORDER BY name")
            try requireEqual(try ordered.map { try $0.text(0) }, ["B", "_", "a", "b", "z", "é"])
            let alike = try await database.query("SELECT id FROM \(part: table.name) WHERE name LIKE \("B%")")
            try requireEqual(try alike.map { try $0.integer(0) }, [1])
            let lower = try await database.query("SELECT id FROM \(part: table.name) WHERE lower(name) = \("b")")
            try requireEqual(lower.count, 2)
        },
        Check("ten thousand rows come back in order") { database in
            let table = try await Table.make(database)
            _ = try await database.transaction { (transaction) async throws(StoreError) in
                for start in stride(from: 0, to: 10_000, by: 100) {
                    var statement: Statement = "INSERT INTO \(part: table.name) (id, name) VALUES (\(start), \("x"))"
                    for id in start + 1..<start + 100 { statement = "\(part: statement), (\(id), \("row \(id)"))" }
                    try await transaction.execute(statement)
                }
                return 0
            }
            let rows = try await database.query("SELECT id, name FROM \(part: table.name) ORDER BY id")
            try requireEqual(rows.count, 10_000)
            try requireEqual(try rows.last?.text(1), "row 9999")
            try requireEqual(try rows.map { try $0.integer(0) }, (0..<10_000).map(Int64.init))
        },
        Check("many different statements do not exhaust the cache") { database in
            let table = try await Table.make(database)
            try await table.insert(1)
            for length in 1...400 {
                let rows = try await database.query(
                    "SELECT id FROM \(part: table.name) WHERE id IN (\(list: Array(1...length)))")
                try requireEqual(rows.count, 1)
            }
        },
        Check("a statement that is wrong is misuse, and the next one works") { database in
            let table = try await Table.make(database)
            try await requireMisuse { _ = try await database.query("SELEC 1") }
            try await requireMisuse { _ = try await database.query("SELECT nothing FROM \(part: table.name)") }
            try await requireMisuse { _ = try await database.query("SELECT 1; SELECT 2") }
            try await requireMisuse { try await database.execute("INSERT INTO nowhere (id) VALUES (\(1))") }
            try await requireMisuse {
                try await database.execute("INSERT INTO \(part: table.name) (id) VALUES (\("x"))")
            }
            try await table.insert(1)
            try requireEqual(try await table.ids(), [1])
        },
        Check("a read outside a transaction cannot write") { database in
            let table = try await Table.make(database)
            guard database.engine != .sqlite || database.hasReaders else { return }
            try await requireMisuse {
                _ = try await database.query("INSERT INTO \(part: table.name) (id) VALUES (\(1)) RETURNING id")
            }
            try requireEqual(try await table.ids(), [])
        },
    ]

    // MARK: Constraints

    private static let constraints: [Check] = [
        Check("a unique column is named as table and column") { database in
            let table = try await Table.make(database)
            try await table.insert(1)
            try await requireConflict("\(table.text).id") { try await table.insert(1) }
            let other = try await Table.make(database, columns: "a INTEGER, b TEXT, UNIQUE (a, b)")
            let insert: Statement = "INSERT INTO \(part: other.name) (a, b) VALUES (\(1), \("x"))"
            try await database.execute(insert)
            try await requireConflict("\(other.text).a, \(other.text).b") { try await database.execute(insert) }
        },
        Check("a unique index on an expression is named by itself") { database in
            let table = try await Table.make(database)
            try await database.execute(
                Statement(text: "CREATE UNIQUE INDEX \(table.text)_lower ON \(table.text) (lower(name))"))
            try await table.insert(1, name: "Anna")
            try await requireConflict("\(table.text)_lower") { try await table.insert(2, name: "ANNA") }
        },
        Check("NOT NULL, CHECK and foreign keys are conflicts with names") { database in
            let parent = try await Table.make(database)
            let child = try await Table.make(
                database,
                columns: """
                    id INTEGER NOT NULL CONSTRAINT positive CHECK (id > 0),
                    parent INTEGER REFERENCES \(parent.text) (id)
                    """)
            try await requireConflict("\(child.text).id") {
                try await database.execute("INSERT INTO \(part: child.name) (parent) VALUES (NULL)")
            }
            try await requireConflict("positive") {
                try await database.execute("INSERT INTO \(part: child.name) (id) VALUES (\(-1))")
            }
            try await requireConflict("foreign key") {
                try await database.execute("INSERT INTO \(part: child.name) (id, parent) VALUES (\(1), \(77))")
            }
            try await parent.insert(77)
            try await database.execute("INSERT INTO \(part: child.name) (id, parent) VALUES (\(1), \(77))")
            try await requireConflict("foreign key") {
                try await database.execute("DELETE FROM \(part: parent.name) WHERE id = \(77)")
            }
        },
        Check("ON DELETE CASCADE deletes, and only own rows are counted") { database in
            let parent = try await Table.make(database)
            let child = try await Table.make(
                database, columns: "parent INTEGER NOT NULL REFERENCES \(parent.text) (id) ON DELETE CASCADE")
            try await parent.insert(1)
            for _ in 0..<3 { try await database.execute("INSERT INTO \(part: child.name) (parent) VALUES (\(1))") }
            try requireEqual(try await database.execute("DELETE FROM \(part: parent.name) WHERE id = \(1)"), 1)
            try require(try await database.query("SELECT 1 FROM \(part: child.name)").isEmpty, "children are left")
        },
    ]
}
