// Reading and writing with a failure worded as chat's: the same questions are asked outside and inside transactions.

import Base
import Store

/// Where a question goes.
enum ChatReader: Sendable {
    case database(any Database)
    case transaction(any Transaction)

    func rows(_ statement: Statement) async throws(ChatError) -> [Row] {
        do {
            switch self {
            case .database(let database): return try await database.query(statement)
            case .transaction(let transaction): return try await transaction.query(statement)
            }
        } catch {
            throw ChatError(error)
        }
    }

    func all<Value>(
        _ statement: Statement, _ read: (Row) throws(StoreError) -> Value
    ) async throws(ChatError) -> [Value] {
        let rows = try await rows(statement)
        var values: [Value] = []
        values.reserveCapacity(rows.count)
        do {
            for row in rows { values.append(try read(row)) }
        } catch {
            throw ChatError(error)
        }
        return values
    }

    func first<Value>(
        _ statement: Statement, _ read: (Row) throws(StoreError) -> Value
    ) async throws(ChatError) -> Value? {
        try await all(statement, read).first
    }

    /// One number; 0 where there is no row.
    func number(_ statement: Statement) async throws(ChatError) -> Int64 {
        try await first(statement) { (row) throws(StoreError) in try row.integer(0) } ?? 0
    }
}

extension Transaction {
    var reader: ChatReader { .transaction(self) }

    /// The number of rows that were changed.
    @discardableResult
    func change(_ statement: Statement) async throws(ChatError) -> Int {
        do { return try await execute(statement) } catch { throw ChatError(error) }
    }

    /// A change of the index, which no body reads; see `Transaction.executeLast`. All of them go this way, so that
    /// they stay in order.
    func index(_ statement: Statement) async throws(ChatError) {
        do { try await executeLast(statement) } catch { throw ChatError(error) }
    }
}

extension Row {
    func uuid(_ column: Int) throws(StoreError) -> UUID {
        guard let uuid = UUID(try blob(column)) else { throw .corrupt("column \(column) should hold sixteen bytes") }
        return uuid
    }

    func optionalIdentifier<Kind>(_ column: Int, _ kind: Kind.Type = Kind.self) throws(StoreError) -> Identifier<Kind>?
    {
        isNull(column) ? nil : try identifier(column, kind)
    }
}

extension Array where Element: SQLConvertible {
    /// Filled up with its last element to a power of two, so that lists of all lengths come to a few statements that
    /// stay prepared. For `IN (…)`, where a repetition says nothing.
    var padded: [Element] {
        guard let last, count > 1 else { return self }
        var size = 1
        while size < count { size <<= 1 }
        return self + Array(repeating: last, count: size - count)
    }
}
