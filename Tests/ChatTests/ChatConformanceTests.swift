// The suite of TestKit/Chat on each database.

import Accounts
import Base
import Chat
import Store
import TestKit
import Testing

@Suite struct ChatConformanceTests {
    @Test(arguments: ChatConformance.checks)
    func `in memory`(_ check: ChatConformance.Check) async throws {
        let database = try SQLiteDatabase(.memory)
        try await run(check, on: database)
        await database.close()
    }

    @Test(arguments: ChatConformance.checks)
    func `in a file`(_ check: ChatConformance.Check) async throws {
        let folder = try TemporaryFolder()
        let database = try SQLiteDatabase(.file(folder.path + "/test.db"))
        try await run(check, on: database)
        await database.close()
    }

    /// One after the other: each opens connections of its own, and a server has a hundred.
    @Test(
        .enabled(if: PostgreSQLSchema.connection != nil, "PLEXI_PG is not set"), .serialized,
        arguments: ChatConformance.checks)
    func `on PostgreSQL`(_ check: ChatConformance.Check) async throws {
        try await PostgreSQLSchema.with { database in try await run(check, on: database) }
    }

    private func run(_ check: ChatConformance.Check, on database: any Database) async throws {
        let chat = try await TestChat.make(database)
        try await check.run(chat)
        try await chat.domain.finish()
        await chat.domain.service.stop()
    }
}
