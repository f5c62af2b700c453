import Base
import Net
@testable import Store
import TestKit
import Testing

@Suite(.enabled(if: PostgreSQLFixture.connection != nil, "PLEXI_PG is not set"))
struct PostgreSQLFaultTests {
    /// Ends every other connection of the same name, as an operator or a restart would.
    private func cutConnections(named name: String, _ admin: PostgreSQLDatabase) async throws {
        _ = try await admin.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = \(name)")
    }

    private func withConnections(
        _ body: (_ database: PostgreSQLDatabase, _ admin: PostgreSQLDatabase, _ name: String) async throws -> Void
    ) async throws {
        let shards = try ShardGroup(count: 1)
        defer { shards.stop() }
        let name = "test-\(UUID.random())"
        let connection = PostgreSQLFixture.connection ?? ""
        let admin = try PostgreSQLDatabase(connection: Secret(text: connection), loops: shards.shards)
        let database = try PostgreSQLDatabase(
            connection: Secret(text: "\(connection) application_name='\(name)'"), loops: shards.shards)
        let result = await Result { try await body(database, admin, name) }
        await database.close()
        await admin.close()
        try result.get()
    }

    @Test func `lost connections fail what was under way and come back by themselves`() async throws {
        try await withConnections { database, admin, name in
            for _ in 0..<5 {
                _ = try await database.query("SELECT 1")
                let cut = Task { try await database.query("SELECT pg_sleep(5)") }
                try await Task.sleep(for: .milliseconds(50))
                try await cutConnections(named: name, admin)
                await #expect(throws: StoreError.self) { _ = try await cut.value }
                #expect(try await database.query("SELECT 7").first?.integer(0) == 7)
            }
            #expect(await database.health().problem == nil)
        }
    }

    @Test func `a transaction that loses its connection is unavailable and leaves nothing`() async throws {
        try await withConnections { database, admin, name in
            let table = Statement(stringLiteral: "cut_" + name.filter { $0 != "-" })
            try await admin.execute("CREATE TABLE \(part: table) (id BIGINT)")
            await #expect(throws: StoreError.self) {
                try await database.transaction { (transaction) async throws(StoreError) in
                    try await transaction.execute("INSERT INTO \(part: table) VALUES (\(1))")
                    do { try await cutConnections(named: name, admin) } catch {
                        throw error as? StoreError ?? .misuse("")
                    }
                    try await transaction.execute("INSERT INTO \(part: table) VALUES (\(2))")
                }
            }
            try await database.execute("INSERT INTO \(part: table) VALUES (\(3))")
            #expect(try await database.query("SELECT id FROM \(part: table)").map { try $0.integer(0) } == [3])
            try await admin.execute("DROP TABLE \(part: table)")
        }
    }

    /// COMMIT takes 0.4 s here, because of a trigger that is put off until then.
    private func makeSlowCommit(_ database: PostgreSQLDatabase) async throws {
        for sql in [
            "CREATE TABLE slow (id BIGINT)",
            """
            CREATE FUNCTION nap() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN PERFORM pg_sleep(0.4); IF NEW.id < 0 THEN RAISE EXCEPTION ''no''; END IF; RETURN NULL; END'
            """,
            """
            CREATE CONSTRAINT TRIGGER napping AFTER INSERT ON slow DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION nap()
            """,
        ] {
            try await database.execute(Statement(stringLiteral: sql))
        }
    }

    @Test(arguments: [true, false])
    func `a connection that is lost during COMMIT does not leave its fate open`(_ isKept: Bool) async throws {
        try await PostgreSQLFixture.withDatabase { database in
            try await makeSlowCommit(database)
            let id = isKept ? 1 : -1
            let insertion = Task { try await database.execute("INSERT INTO slow (id) VALUES (\(id))") }
            try await Task.sleep(for: .milliseconds(200))
            database.loseConnections()
            let result = await insertion.result
            let rows = try await database.query("SELECT id FROM slow")
            if isKept {
                #expect(try result.get() == 1)
                #expect(rows.count == 1)
            } else {
                #expect(throws: StoreError.self) { try result.get() }
                #expect(rows.isEmpty)
            }
        }
    }

    @Test func `a changed table does not upset prepared statements`() async throws {
        try await PostgreSQLFixture.withDatabase { database in
            try await database.execute("CREATE TABLE changing (id BIGINT)")
            try await database.execute("INSERT INTO changing (id) VALUES (\(1))")
            for step in 0..<4 {
                #expect(try await database.query("SELECT * FROM changing").first?.values.count == step + 1)
                let inside = try await database.transaction { (transaction) async throws(StoreError) in
                    try await transaction.query("SELECT * FROM changing")
                }
                #expect(inside.first?.values.count == step + 1)
                try await database.execute(Statement(stringLiteral: "ALTER TABLE changing ADD COLUMN c\(step) TEXT"))
            }
        }
    }

    @Test func `a statement that runs too long is broken off by the server`() async throws {
        var options = PostgreSQLDatabase.Options()
        options.statementLimit = .milliseconds(100)
        try await PostgreSQLFixture.withDatabase(options) { database in
            await #expect(throws: StoreError.unavailable("the statement took longer than is allowed")) {
                _ = try await database.query("SELECT pg_sleep(5)")
            }
            let rows = try await database.query("SELECT 1")
            #expect(rows.count == 1)
        }
    }

    @Test func `more transactions than connections wait for their turn`() async throws {
        var options = PostgreSQLDatabase.Options()
        options.exclusiveConnections = 2
        try await PostgreSQLFixture.withDatabase(options) { database in
            try await withThrowingTaskGroup { group in
                for _ in 0..<40 {
                    group.addTask {
                        try await database.transaction { (transaction) async throws(StoreError) in
                            _ = try await transaction.query("SELECT pg_sleep(0.005)")
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(await database.health().connections <= 2 * (2 + 2))
        }
    }

    @Test func `many statements evict one another`() async throws {
        var options = PostgreSQLDatabase.Options()
        options.cachedStatements = 4
        try await PostgreSQLFixture.withDatabase(options) { database in
            for round in 0..<3 {
                for count in 1...20 {
                    let rows = try await database.query("SELECT 1 WHERE 1 IN (\(list: Array(1...count)))")
                    #expect(rows.count == 1, "round \(round)")
                }
            }
        }
    }
}

/// These need no server.
@Suite struct PostgreSQLAbsenceTests {
    @Test func `a server that is not there is unavailable at once, in words without the password`() async throws {
        let shard = try Shard()
        defer { shard.stop() }
        let database = try PostgreSQLDatabase(
            connection: Secret(text: "host=127.0.0.1 port=1 user=u password=hunter2 dbname=d"), loops: [shard])
        for _ in 0..<3 {
            let words = await Result { _ = try await database.query("SELECT 1") }.words
            #expect(words.contains("not reachable"))
            #expect(!words.contains("hunter2"))
        }
        await #expect(throws: StoreError.self) { try await database.execute("SELECT 1") }
        #expect(await database.health().problem != nil)
        await database.close()
    }

    @Test func `a connection string that makes no sense is refused without being quoted`() throws {
        let shard = try Shard()
        defer { shard.stop() }
        #expect(throws: StoreError.misuse("the PostgreSQL connection string cannot be understood")) {
            _ = try PostgreSQLDatabase(connection: Secret(text: "host=a hunter2"), loops: [shard])
        }
    }
}

extension Result where Failure == any Error {
    fileprivate var words: String {
        guard case .failure(let error) = self, let error = error as? StoreError else { return "" }
        return error.words
    }
}
