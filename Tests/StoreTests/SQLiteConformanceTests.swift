import Base
import Store
import TestKit
import Testing

@Suite struct SQLiteConformanceTests {
    @Test(arguments: DatabaseConformance.checks)
    func `in memory`(_ check: DatabaseConformance.Check) async throws {
        let database = try SQLiteDatabase(.memory)
        try await check.run(database)
        await database.close()
    }

    @Test(arguments: DatabaseConformance.checks)
    func `in a file`(_ check: DatabaseConformance.Check) async throws {
        let folder = try TemporaryFolder()
        let database = try SQLiteDatabase(.file(folder.path + "/test.db"))
        try await check.run(database)
        await database.close()
        #expect(folder.entries() == ["test.db"], "the log was not moved into the file")
    }
}
