// The schema, as a list of steps that are applied once and in order.
//
// A target above hands in its migrations; `plexichat` concatenates the lists and applies them at start-up. What was
// applied is kept with its text, so that a changed step is found, and so is a database of a newer release.

package import Base

package struct Migration: Sendable {
    /// The name of its family and a number: `accounts-0001`. Never reused, never renamed.
    package let name: String
    package let sql: [MigrationStep]

    package init(name: String, sql: [MigrationStep]) {
        self.name = name
        self.sql = sql
    }

    /// What is kept of it, to be compared with what the next release calls by this name.
    fileprivate var text: String { sql.map(\.sql).joined(separator: ";\n") }
}

/// One command in the common subset (`docs/formats/database.md`), or in one engine's own words where there is no
/// other way (`.only(.sqlite, "…")`).
package struct MigrationStep: Sendable, ExpressibleByStringInterpolation {
    package let sql: String
    package let engine: DatabaseHealth.Engine?

    package init(stringLiteral value: String) {
        sql = value
        engine = nil
    }

    private init(sql: String, engine: DatabaseHealth.Engine) {
        self.sql = sql
        self.engine = engine
    }

    package static func only(_ engine: DatabaseHealth.Engine, _ sql: String) -> MigrationStep {
        MigrationStep(sql: sql, engine: engine)
    }
}

package struct Migrations: Sendable {
    private static let log = Logger("store")
    private let list: [Migration]

    package init(_ list: [Migration]) { self.list = list }

    /// Applies what is new, each migration in a transaction of its own. Returns the names of those.
    ///
    /// `corrupt` when the database holds a migration that is unknown here or was changed: then nothing is applied.
    @discardableResult
    package func apply(to database: any Database, now: Timestamp = .now()) async throws(StoreError) -> [String] {
        guard Set(list.map(\.name)).count == list.count else { throw .misuse("two migrations have one name") }
        try await prepare(database)
        let applied = try await database.transaction { (transaction) async throws(StoreError) in
            try await Self.applied(transaction)
        }
        try check(applied)
        var names: [String] = []
        for migration in list where applied[migration.name] == nil {
            if try await Self.apply(migration, to: database, now: now) { names.append(migration.name) }
        }
        return names
    }

    private func prepare(_ database: any Database) async throws(StoreError) {
        _ = try await database.transaction { (transaction) async throws(StoreError) in
            try await Self.lock(transaction, database.engine)
            return try await transaction.execute(
                Statement(
                    migration: """
                        CREATE TABLE IF NOT EXISTS schema_migrations (
                            name TEXT NOT NULL PRIMARY KEY, sql TEXT NOT NULL, applied_at INTEGER NOT NULL
                        ) STRICT
                        """, for: database.engine))
        }
    }

    private func check(_ applied: [String: String]) throws(StoreError) {
        for (name, text) in applied.sorted(by: { $0.key < $1.key }) {
            guard let known = list.first(where: { $0.name == name }) else {
                throw .corrupt("the database holds migration \(name), which this release does not know: it is newer")
            }
            guard known.text == text else {
                throw .corrupt("migration \(name) is not the one that was applied to this database")
            }
        }
    }

    /// False when another process applied it in the meantime.
    private static func apply(
        _ migration: Migration, to database: any Database, now: Timestamp
    ) async throws(StoreError) -> Bool {
        let isNew = try await database.transaction { (transaction) async throws(StoreError) -> Bool in
            try await lock(transaction, database.engine)
            guard try await Self.applied(transaction)[migration.name] == nil else { return false }
            for step in migration.sql where step.engine == nil || step.engine == database.engine {
                try await transaction.execute(Statement(migration: step.sql, for: database.engine))
            }
            try await transaction.execute(
                "INSERT INTO schema_migrations (name, sql, applied_at) VALUES (\(migration.name), \(migration.text), \(now))"
            )
            return true
        }
        if isNew { log.info("migration applied", [.text("name", migration.name)]) }
        return isNew
    }

    private static func applied(_ transaction: any Transaction) async throws(StoreError) -> [String: String] {
        var texts: [String: String] = [:]
        for row in try await transaction.query("SELECT name, sql FROM schema_migrations") {
            texts[try row.text(0)] = try row.text(1)
        }
        return texts
    }

    /// Nodes that start together on one PostgreSQL migrate one after another; on SQLite a transaction is enough.
    private static func lock(
        _ transaction: any Transaction, _ engine: DatabaseHealth.Engine
    ) async throws(StoreError) {
        guard engine == .postgresql else { return }
        // On SQLite the statement itself carries this.
        try await transaction.execute("SET LOCAL statement_timeout = 0")
        let migrationLock: Int64 = 0x706C_6578_6963_6861  // "plexicha": any number that nobody else uses
        _ = try await transaction.query("SELECT pg_advisory_xact_lock(\(migrationLock))")
    }
}

extension Statement {
    /// A command of a migration, in the words of `engine`.
    fileprivate init(migration sql: String, for engine: DatabaseHealth.Engine) {
        self.init(stringLiteral: engine == .postgresql ? SchemaTranslator.postgreSQL(sql) : sql)
        isUnbounded = true
    }
}
