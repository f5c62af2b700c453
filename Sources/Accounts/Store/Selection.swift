// A question to the database together with how its rows are read, so that reads outside and inside a transaction are
// written once; and the turning of a store's failure into an account's.

import Base
import Store

struct Selection<Value: Sendable>: Sendable {
    let statement: Statement
    let read: @Sendable (Row) throws(StoreError) -> Value

    init(_ statement: Statement, _ read: @escaping @Sendable (Row) throws(StoreError) -> Value) {
        self.statement = statement
        self.read = read
    }

    func values(of rows: [Row]) throws(StoreError) -> [Value] {
        var values: [Value] = []
        values.reserveCapacity(rows.count)
        for row in rows { values.append(try read(row)) }
        return values
    }
}

extension Selection where Value == Int {
    /// One number.
    static func count(_ statement: Statement) -> Selection<Int> {
        Selection(statement) { (row) throws(StoreError) in Int(clamping: try row.integer(0)) }
    }
}

extension Database {
    func all<Value>(_ selection: Selection<Value>) async throws(AccountError) -> [Value] {
        do { return try selection.values(of: await query(selection.statement)) } catch { throw AccountError(error) }
    }

    func first<Value>(_ selection: Selection<Value>) async throws(AccountError) -> Value? {
        try await all(selection).first
    }
}

extension Transaction {
    func all<Value>(_ selection: Selection<Value>) async throws(AccountError) -> [Value] {
        do { return try selection.values(of: await query(selection.statement)) } catch { throw AccountError(error) }
    }

    func first<Value>(_ selection: Selection<Value>) async throws(AccountError) -> Value? {
        try await all(selection).first
    }

    /// The number of rows that were changed.
    @discardableResult
    func change(_ statement: Statement) async throws(AccountError) -> Int {
        do { return try await execute(statement) } catch { throw AccountError(error) }
    }
}
