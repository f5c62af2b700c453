// Where a test's tables stand: in memory, and on PostgreSQL where there is one.

import Base
import Glibc
import Net
package import Store

package enum TestDatabase: String, Sendable, CaseIterable {
    case memory, postgresql

    /// A connection string; `scripts/test-postgres run` sets it.
    private static let connection = getenv("PLEXI_PG").map { String(cString: $0) }

    package static var available: [TestDatabase] { connection == nil ? [.memory] : allCases }

    package func with(_ body: (any Database) async throws -> Void) async throws {
        switch self {
        case .memory:
            let database = try SQLiteDatabase(.memory)
            do { try await body(database) } catch {
                await database.close()
                throw error
            }
            await database.close()
        case .postgresql: try await Self.withSchema(Self.connection ?? "", body)
        }
    }

    /// A schema of its own for each test, on a loop of its own.
    private static func withSchema(
        _ connection: String, _ body: (any Database) async throws -> Void
    ) async throws {
        let shards = try ShardGroup(count: 1)
        defer { shards.stop() }
        let schema = "s" + Hex.encode(UUID.random().bytes.prefix(6))
        let admin = try PostgreSQLDatabase(connection: Secret(text: connection), loops: shards.shards)
        try await admin.execute(Statement(text: "CREATE SCHEMA \(schema)"))
        let database = try PostgreSQLDatabase(
            connection: Secret(text: "\(connection) options='-c search_path=\(schema)'"), loops: shards.shards)
        var failure: (any Error)?
        do { try await body(database) } catch { failure = error }
        await database.close()
        try await admin.execute(Statement(text: "DROP SCHEMA \(schema) CASCADE"))
        await admin.close()
        if let failure { throw failure }
    }
}
