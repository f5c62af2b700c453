// The suite of TestKit/Signaling on each database.

import Accounts
import Base
import Signaling
import Store
import TestKit
import Testing

@Suite struct CallConformanceTests {
    @Test(arguments: CallConformance.checks)
    func `in memory`(_ check: CallConformance.Check) async throws {
        let database = try SQLiteDatabase(.memory)
        try await run(check, on: database)
        await database.close()
    }

    @Test(arguments: CallConformance.checks)
    func `in a file`(_ check: CallConformance.Check) async throws {
        let folder = try TemporaryFolder()
        let database = try SQLiteDatabase(.file(folder.path + "/test.db"))
        try await run(check, on: database)
        await database.close()
    }

    /// One after the other: each opens connections of its own, and a server has a hundred.
    @Test(
        .enabled(if: PostgreSQLSchema.connection != nil, "PLEXI_PG is not set"), .serialized,
        arguments: CallConformance.checks)
    func `on PostgreSQL`(_ check: CallConformance.Check) async throws {
        try await PostgreSQLSchema.with { database in try await run(check, on: database) }
    }

    private func run(_ check: CallConformance.Check, on database: any Database) async throws {
        let calls = try await TestCalls.make(database)
        try await check.run(calls)
        await calls.service.stop()
        try await calls.domain.finish()
        await calls.domain.service.stop()
    }
}
