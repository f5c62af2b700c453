import Accounts
import Base
import Store
import TestKit
import Accounts
import Testing

@Suite struct AccountConformanceTests {
    @Test(arguments: AccountConformance.checks)
    func `in memory`(_ check: AccountConformance.Check) async throws {
        try await run(check, on: try SQLiteDatabase(.memory))
    }

    @Test(arguments: AccountConformance.checks)
    func `in a file`(_ check: AccountConformance.Check) async throws {
        let folder = try TemporaryFolder()
        try await run(check, on: try SQLiteDatabase(.file(folder.path + "/test.db")))
    }

    private func run(_ check: AccountConformance.Check, on database: any Database) async throws {
        let accounts = try await TestAccounts.make(database)
        try await check.run(accounts)
        try await accounts.finish()
        await accounts.service.stop()
        await database.close()
    }
}
