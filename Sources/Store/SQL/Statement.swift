// SQL as a value: text with placeholders, and what stands in them.

package import Base

package enum SQLValue: Sendable, Hashable {
    case null
    case integer(Int64)
    case real(Double)
    case text(String)
    case blob(Bytes)
}

/// What may stand in a statement. Times are integers of microseconds, identifiers 16-byte blobs, flags 0 and 1, so
/// that SQLite and PostgreSQL hold and order them alike.
package protocol SQLConvertible {
    var sqlValue: SQLValue { get }
}

extension SQLValue: SQLConvertible { package var sqlValue: SQLValue { self } }
extension Int: SQLConvertible { package var sqlValue: SQLValue { .integer(Int64(self)) } }
extension Int64: SQLConvertible { package var sqlValue: SQLValue { .integer(self) } }
extension Double: SQLConvertible { package var sqlValue: SQLValue { .real(self) } }
extension Bool: SQLConvertible { package var sqlValue: SQLValue { .integer(self ? 1 : 0) } }
extension String: SQLConvertible { package var sqlValue: SQLValue { .text(self) } }
extension Bytes: SQLConvertible { package var sqlValue: SQLValue { .blob(self) } }
extension Timestamp: SQLConvertible { package var sqlValue: SQLValue { .integer(microsecondsSinceEpoch) } }
extension UUID: SQLConvertible { package var sqlValue: SQLValue { .blob(bytes) } }
extension Identifier: SQLConvertible { package var sqlValue: SQLValue { .blob(uuid.bytes) } }
extension Optional: SQLConvertible where Wrapped: SQLConvertible {
    package var sqlValue: SQLValue { self?.sqlValue ?? .null }
}

/// `"SELECT name FROM users WHERE id = \(id)"`: an interpolation becomes a parameter, never text, so there is no way
/// to write an injection by accident. Text that is decided at run time (a column of a fixed set) goes in by
/// `\(raw: …)`, which takes a `StaticString` only.
package struct Statement: Sendable, ExpressibleByStringInterpolation {
    /// With `?` for each parameter, in order. The PostgreSQL driver numbers them.
    package private(set) var sql: String
    package private(set) var parameters: [SQLValue]
    /// A migration may take as long as it needs.
    var isUnbounded = false

    package init(stringLiteral value: String) {
        sql = value
        parameters = []
    }

    package init(stringInterpolation: StringInterpolation) {
        sql = stringInterpolation.sql
        parameters = stringInterpolation.parameters
    }

    package struct StringInterpolation: StringInterpolationProtocol {
        var sql = ""
        var parameters: [SQLValue] = []

        package init(literalCapacity: Int, interpolationCount: Int) {
            sql.reserveCapacity(literalCapacity + interpolationCount)
            parameters.reserveCapacity(interpolationCount)
        }

        package mutating func appendLiteral(_ literal: String) { sql += literal }

        package mutating func appendInterpolation(_ value: some SQLConvertible) {
            sql += "?"
            parameters.append(value.sqlValue)
        }

        /// NULL for `nil`. An overload of its own, or the compiler would warn of an optional in a text.
        package mutating func appendInterpolation(_ value: (some SQLConvertible)?) {
            sql += "?"
            parameters.append(value.sqlValue)
        }

        package mutating func appendInterpolation(raw text: StaticString) { sql += "\(text)" }

        /// A part of a statement, with its own parameters.
        package mutating func appendInterpolation(part: Statement) {
            sql += part.sql
            parameters += part.parameters
        }

        /// A list for `IN (…)`. An empty one becomes `NULL`, which matches nothing.
        package mutating func appendInterpolation(list values: [some SQLConvertible]) {
            sql += values.isEmpty ? "NULL" : values.map { _ in "?" }.joined(separator: ", ")
            parameters += values.map(\.sqlValue)
        }
    }
}

/// One row of an answer, read by position.
package struct Row: Sendable {
    package let values: [SQLValue]
    package init(_ values: [SQLValue]) { self.values = values }

    package func integer(_ column: Int) throws(StoreError) -> Int64 {
        guard case .integer(let value) = values[column] else { throw mismatch(column, "an integer") }
        return value
    }
    package func flag(_ column: Int) throws(StoreError) -> Bool { try integer(column) != 0 }
    package func real(_ column: Int) throws(StoreError) -> Double {
        switch values[column] {
        case .real(let value): return value
        case .integer(let value): return Double(value)
        default: throw mismatch(column, "a number")
        }
    }
    package func text(_ column: Int) throws(StoreError) -> String {
        guard case .text(let value) = values[column] else { throw mismatch(column, "text") }
        return value
    }
    package func blob(_ column: Int) throws(StoreError) -> Bytes {
        guard case .blob(let value) = values[column] else { throw mismatch(column, "bytes") }
        return value
    }
    package func timestamp(_ column: Int) throws(StoreError) -> Timestamp {
        Timestamp(microsecondsSinceEpoch: try integer(column))
    }
    package func identifier<Kind>(_ column: Int, _ kind: Kind.Type = Kind.self) throws(StoreError) -> Identifier<Kind> {
        guard let uuid = UUID(try blob(column)) else { throw mismatch(column, "sixteen bytes") }
        return Identifier(uuid)
    }
    package func isNull(_ column: Int) -> Bool { values[column] == .null }

    /// `nil` where the column is NULL, else what `read` makes of it: `try row.optional(3, row.text)`.
    package func optional<Value>(
        _ column: Int, _ read: (Int) throws(StoreError) -> Value
    ) throws(StoreError) -> Value? {
        isNull(column) ? nil : try read(column)
    }

    private func mismatch(_ column: Int, _ expected: String) -> StoreError {
        .corrupt("column \(column) should hold \(expected)")
    }
}
