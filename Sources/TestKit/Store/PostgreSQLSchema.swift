// A schema of its own on the PostgreSQL that `PLEXI_PG` names, for one test.

import Base
import Glibc
import Net
package import Store

package enum PostgreSQLSchema {
    /// `nil` when there is none to test with: see `scripts/test-postgres`.
    package static let connection = getenv("PLEXI_PG").map { String(cString: $0) }

    package static func with(_ body: (PostgreSQLDatabase) async throws -> Void) async throws {
        guard let connection else { throw ConformanceFailure(description: "PLEXI_PG is not set") }
        let shards = try ShardGroup(count: 2)
        defer { shards.stop() }
        let schema = "s" + Hex.encode(UUID.random().bytes.prefix(6))
        let admin = try PostgreSQLDatabase(connection: Secret(text: connection), loops: shards.shards)
        try await admin.execute(Statement(text: "CREATE SCHEMA \(schema)"))
        let failure = await run(body, "\(connection) options='-c search_path=\(schema)'", shards)
        try await admin.execute(Statement(text: "DROP SCHEMA \(schema) CASCADE"))
        await admin.close()
        if let failure { throw failure }
    }

    private static func run(
        _ body: (PostgreSQLDatabase) async throws -> Void, _ connection: String, _ shards: ShardGroup
    ) async -> (any Error)? {
        do {
            let database = try PostgreSQLDatabase(connection: Secret(text: connection), loops: shards.shards)
            do {
                try await body(database)
            } catch {
                await database.close()
                return error
            }
            await database.close()
            return nil
        } catch {
            return error
        }
    }
}
