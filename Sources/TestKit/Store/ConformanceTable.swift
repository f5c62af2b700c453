// The table that most checks use, with a name of its own in each.

import Base
import Store

struct Table: Sendable {
    static let usual = "id INTEGER NOT NULL PRIMARY KEY, count INTEGER, ratio REAL, name TEXT, data BLOB"

    let database: any Database
    let text: String
    var name: Statement { Statement(text: text) }

    static func freshName() -> String { "t" + Hex.encode(UUID.random().bytes.prefix(6)) }

    static func make(_ database: any Database, columns: String = usual) async throws(StoreError) -> Table {
        let table = Table(database: database, text: freshName())
        let sql = "CREATE TABLE \(table.text) (\(columns)) STRICT"
        try await database.execute(
            Statement(text: database.engine == .postgresql ? SchemaTranslator.postgreSQL(sql) : sql))
        return table
    }

    @discardableResult
    func insert(_ id: Int, name: String? = nil, data: Bytes? = nil) async throws(StoreError) -> Int {
        try await database.execute(insertion(id, name, data))
    }

    func insert(_ id: Int, in transaction: any Transaction) async throws(StoreError) {
        try await transaction.execute(insertion(id, nil, nil))
    }

    private func insertion(_ id: Int, _ name: String?, _ data: Bytes?) -> Statement {
        "INSERT INTO \(part: self.name) (id, name, data) VALUES (\(id), \(name), \(data))"
    }

    func row(_ id: Int) async throws -> Row {
        let rows = try await database.query(
            "SELECT id, count, ratio, name, data FROM \(part: name) WHERE id = \(id)")
        guard let row = rows.first else { throw ConformanceFailure(description: "row \(id) is missing") }
        return row
    }

    func ids() async throws(StoreError) -> [Int64] {
        var ids: [Int64] = []
        for row in try await database.query("SELECT id FROM \(part: name) ORDER BY id") {
            ids.append(try row.integer(0))
        }
        return ids
    }
}

extension Statement {
    /// Text that a test made; `Statement` itself takes none that was not written in the source.
    init(text: String) { self.init(stringLiteral: text) }
}

extension StoreError {
    var isCorrupt: Bool { if case .corrupt = self { true } else { false } }
    var isMisuse: Bool { if case .misuse = self { true } else { false } }
}

extension Database {
    /// False for `:memory:`, where a read outside a transaction is a transaction.
    var hasReaders: Bool { (self as? SQLiteDatabase)?.location != .memory }
}

func requireMisuse(line: Int = #line, _ body: () async throws -> Void) async throws {
    try await requireError(StoreError.self, line: line, body) { $0.isMisuse }
}

func requireConflict(_ constraint: String, line: Int = #line, _ body: () async throws -> Void) async throws {
    try await requireError(StoreError.self, line: line, body) { $0 == .conflict(constraint: constraint) }
}
