import Base
import Testing

@testable import Store

@Suite struct PostgreSQLCodecTests {
    /// The words are those that a server sends: count, weight, sign, places, digits to the base of 10,000.
    @Test(
        arguments: [
            ([0, 0, 0, 0], SQLValue.integer(0)),
            ([1, 0, 0, 0, 45], .integer(45)),
            ([1, 1, 0, 0, 3], .integer(30_000)),
            ([2, 1, 0x4000, 0, 1, 2], .integer(-10_002)),
            ([5, 4, 0, 0, 922, 3372, 368, 5477, 5807], .integer(.max)),
            ([5, 4, 0x4000, 0, 922, 3372, 368, 5477, 5808], .integer(.min)),
            ([5, 4, 0, 0, 922, 3372, 368, 5477, 5808], .real(9_223_372_036_854_775_808)),
            ([1, 0, 0, 16, 5], .real(5)),
            ([2, 0, 0, 1, 2, 5000], .real(2.5)),
            ([1, 0xFFFF, 0, 4, 1], .real(0.0001)),
        ] as [([UInt16], SQLValue)])
    func `a NUMERIC is an integer when it is whole, else a real`(_ words: [UInt16], _ expected: SQLValue) {
        let field = words.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xFF)] }
        #expect(field.withUnsafeBytes { PostgreSQLResult.decode($0, PostgreSQLType.numeric) } == expected)
    }

    @Test(arguments: [[], [0], [0, 1, 0], [0, 0, 0, 0, 0xC0, 0, 0, 0]] as [Bytes])
    func `a NUMERIC that is none is refused`(_ field: Bytes) {
        #expect(field.withUnsafeBytes { PostgreSQLResult.decode($0, PostgreSQLType.numeric) } == nil)
    }

    @Test func `integers of every width keep their sign`() {
        let minusTwo = Bytes(repeating: 0xFF, count: 7) + [0xFE]
        for (type, count) in [(PostgreSQLType.integer8, 8), (PostgreSQLType.integer4, 4), (PostgreSQLType.integer2, 2)]
        {
            let value = minusTwo.suffix(count).withUnsafeBytes { PostgreSQLResult.decode($0, type) }
            #expect(value == .integer(-2))
        }
    }

    @Test(arguments: [
        ("SELECT ?", "SELECT $1"), ("a = ? AND b = '?' AND c = ?", "a = $1 AND b = '?' AND c = $2"),
        ("-- ?\n? /* ? */ ?", "-- ?\n$1 /* ? */ $2"), ("\"?\" = ?", "\"?\" = $1"), ("'it''s ?' ?", "'it''s ?' $1"),
    ])
    func `placeholders are numbered, quotes and comments left alone`(_ given: String, _ expected: String) {
        #expect(PostgreSQLStatement.numbered(given) == expected)
    }

    private typealias Fields = PostgreSQLFailure.Fields

    @Test func `constraints are named as SQLite names them, in any language of the server`() {
        func name(_ fields: Fields) -> StoreError { PostgreSQLFailure(fields).error }
        #expect(
            name(Fields(state: "23505", detail: "Key (username)=(a) already exists.", table: "users"))
                == .conflict(constraint: "users.username"))
        #expect(
            name(Fields(state: "23505", detail: "Schlüssel »(a, b)=(1, 2)« existiert bereits.", table: "t"))
                == .conflict(constraint: "t.a, t.b"))
        #expect(
            name(Fields(state: "23505", detail: "Key (lower(name))=(a) already exists.", table: "t", constraint: "i"))
                == .conflict(constraint: "i"))
        #expect(
            name(Fields(state: "23505", detail: "", table: "t", constraint: "i")) == .conflict(constraint: "i"))
        #expect(name(Fields(state: "23502", table: "t", column: "a")) == .conflict(constraint: "t.a"))
        #expect(name(Fields(state: "23503", constraint: "fk")) == .conflict(constraint: "foreign key"))
        #expect(name(Fields(state: "23514", constraint: "positive")) == .conflict(constraint: "positive"))
    }

    @Test func `classes of errors become what callers can act on`() {
        for state in ["40001", "40P01"] {
            #expect(PostgreSQLFailure(Fields(state: state)).remedy == .runTransactionAgain)
        }
        #expect(PostgreSQLFailure(Fields(state: "26000")).remedy == .prepareAgain)
        for state in ["53100", "57P01", "08006", "28P01", "57014", "55P03"] {
            guard case .unavailable = PostgreSQLFailure(Fields(state: state)).error else {
                Issue.record("\(state) should be unavailable")
                continue
            }
        }
        for state in ["42601", "42P01", "22P02"] {
            guard case .misuse = PostgreSQLFailure(Fields(state: state)).error else {
                Issue.record("\(state) should be misuse")
                continue
            }
        }
    }
}

@Suite struct StatementCacheTests {
    @Test func `the least recently used statement goes first`() {
        var cache = StatementCache<Int>(capacity: 2)
        #expect(cache.insert(1, for: "a") == nil)
        #expect(cache.insert(2, for: "b") == nil)
        #expect(cache.value(for: "a") == 1)
        #expect(cache.insert(3, for: "c") == 2)
        #expect(cache.value(for: "b") == nil)
        #expect(cache.value(for: "a") == 1)
        #expect(cache.removeAll().sorted() == [1, 3])
        #expect(cache.count == 0)
    }
}
