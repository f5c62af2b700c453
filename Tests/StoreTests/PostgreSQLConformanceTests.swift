import Base
import Glibc
import Net
import Store
import TestKit
import Testing

/// Run when `PLEXI_PG` holds a connection string: `scripts/test-postgres run make test`.
@Suite(.enabled(if: PostgreSQLFixture.connection != nil, "PLEXI_PG is not set"))
struct PostgreSQLConformanceTests {
    @Test(arguments: DatabaseConformance.checks)
    func `on PostgreSQL`(_ check: DatabaseConformance.Check) async throws {
        try await PostgreSQLFixture.withDatabase { database in try await check.run(database) }
    }
}

enum PostgreSQLFixture {
    static let connection = getenv("PLEXI_PG").map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }

    /// A schema of its own for each test, on two loops of its own.
    static func withDatabase(
        _ options: PostgreSQLDatabase.Options = PostgreSQLDatabase.Options(),
        _ body: (PostgreSQLDatabase) async throws -> Void
    ) async throws {
        let shards = try ShardGroup(count: 2)
        defer { shards.stop() }
        let schema = "s" + Hex.encode(UUID.random().bytes.prefix(6))
        let admin = try PostgreSQLDatabase(connection: Secret(text: connection ?? ""), loops: [shards.shards[0]])
        try await admin.execute(Statement(stringLiteral: "CREATE SCHEMA \(schema)"))
        let database = try PostgreSQLDatabase(
            connection: Secret(text: "\(connection ?? "") options='-c search_path=\(schema)'"), loops: shards.shards,
            options: options)
        let result = await Result { try await body(database) }
        await database.close()
        try await admin.execute(Statement(stringLiteral: "DROP SCHEMA \(schema) CASCADE"))
        await admin.close()
        try result.get()
    }
}

extension Result where Failure == any Error {
    init(_ body: () async throws -> Success) async {
        do { self = .success(try await body()) } catch { self = .failure(error) }
    }
}
