import Base
import Net
import Synchronization
import TestKit
import Testing

@testable import Store

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

    @Test func `a read whose connection is cut is asked again`() async throws {
        try await withConnections { database, admin, name in
            for _ in 0..<5 {
                let slow = Task { try await database.query("SELECT 7 FROM pg_sleep(0.2)") }
                try await Task.sleep(for: .milliseconds(50))
                try await cutConnections(named: name, admin)
                #expect(try await slow.value.first?.integer(0) == 7)
            }
            #expect(await database.health().problem == nil)
        }
    }

    /// The body cuts its own connection in its first `cuts` runs.
    private func insertUnderCuts(
        _ cuts: Int, into table: Statement, _ database: PostgreSQLDatabase, _ admin: PostgreSQLDatabase, _ name: String
    ) async throws {
        let runs = Atomic(0)
        try await database.transaction { (transaction) async throws(StoreError) in
            try await transaction.execute("INSERT INTO \(part: table) VALUES (\(1))")
            if runs.add(1, ordering: .relaxed).newValue <= cuts {
                do { try await cutConnections(named: name, admin) } catch { throw error as? StoreError ?? .misuse("") }
            }
            try await transaction.execute("INSERT INTO \(part: table) VALUES (\(2))")
        }
    }

    @Test func `a transaction that loses its connection is run again, but not for ever`() async throws {
        try await withConnections { database, admin, name in
            let table = Statement(stringLiteral: "cut_" + name.filter { $0 != "-" })
            try await admin.execute("CREATE TABLE \(part: table) (id BIGINT)")
            await #expect(throws: StoreError.self) {
                try await insertUnderCuts(.max, into: table, database, admin, name)
            }
            #expect(try await database.query("SELECT id FROM \(part: table)").isEmpty)
            try await insertUnderCuts(2, into: table, database, admin, name)
            let rows = try await database.query("SELECT id FROM \(part: table) ORDER BY id")
            #expect(try rows.map { try $0.integer(0) } == [1, 2])
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
