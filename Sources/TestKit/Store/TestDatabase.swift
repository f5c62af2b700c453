// Where a test's tables stand: in memory, in a file, and on PostgreSQL where there is one.

package import Store

package enum TestDatabase: String, Sendable, CaseIterable {
    case memory, file, postgresql

    /// `scripts/test-postgres run` brings the third.
    package static var available: [TestDatabase] {
        allCases.filter { $0 != .postgresql || PostgreSQLSchema.connection != nil }
    }

    package func with(_ body: (any Database) async throws -> Void) async throws {
        switch self {
        case .memory: try await Self.with(try SQLiteDatabase(.memory), body)
        case .file:
            let folder = try TemporaryFolder()
            try await Self.with(try SQLiteDatabase(.file(folder.path + "/test.db")), body)
        case .postgresql: try await PostgreSQLSchema.with { try await body($0) }
        }
    }

    private static func with(
        _ database: SQLiteDatabase, _ body: (any Database) async throws -> Void
    ) async throws {
        var failure: (any Error)?
        do { try await body(database) } catch { failure = error }
        await database.close()
        if let failure { throw failure }
    }
}

/// One check of a suite on one database: the argument of a test.
package struct CheckOnDatabase<Subject: Sendable>: Sendable, CustomStringConvertible {
    private let check: ConformanceCheck<Subject>
    private let place: TestDatabase

    init(_ check: ConformanceCheck<Subject>, on place: TestDatabase) {
        self.check = check
        self.place = place
    }

    package var description: String { "\(check.name), \(place.rawValue)" }

    /// Over an empty database; `finish` checks what must hold after every check.
    package func run(
        _ make: (any Database) async throws -> Subject, finish: (Subject) async throws -> Void
    ) async throws {
        try await place.with { database in
            let subject = try await make(database)
            try await check.run(subject)
            try await finish(subject)
        }
    }
}

/// Each check on each database that there is. Run one after the other (`.serialized`): on PostgreSQL each opens
/// connections of its own, and a server has a hundred.
package func onEveryDatabase<Subject>(_ checks: [ConformanceCheck<Subject>]) -> [CheckOnDatabase<Subject>] {
    TestDatabase.available.flatMap { place in checks.map { CheckOnDatabase($0, on: place) } }
}
