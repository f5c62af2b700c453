// The suite of TestKit/Accounts on each database.

import Accounts
import Base
import Store
import TestKit
import Testing

@Suite struct AccountConformanceTests {
    @Test(arguments: AccountConformance.checks)
    func `in memory`(_ check: AccountConformance.Check) async throws {
        let database = try SQLiteDatabase(.memory)
        try await run(check, on: database)
        await database.close()
    }

    @Test(arguments: AccountConformance.checks)
    func `in a file`(_ check: AccountConformance.Check) async throws {
        let folder = try TemporaryFolder()
        let database = try SQLiteDatabase(.file(folder.path + "/test.db"))
        try await run(check, on: database)
        await database.close()
    }

    /// One after the other: each opens connections of its own, and a server has a hundred.
    @Test(
        .enabled(if: PostgreSQLSchema.connection != nil, "PLEXI_PG is not set"), .serialized,
        arguments: AccountConformance.checks)
    func `on PostgreSQL`(_ check: AccountConformance.Check) async throws {
        try await PostgreSQLSchema.with { database in try await run(check, on: database) }
    }

    private func run(_ check: AccountConformance.Check, on database: any Database) async throws {
        let accounts = try await TestAccounts.make(database)
        try await check.run(accounts)
        try await accounts.finish()
        await accounts.service.stop()
    }
}
