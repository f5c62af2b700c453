// The few values that belong to the installation as a whole: its identity. They stand in the database, so that they travel
// with the data.

import Base
import Store

struct ServerState: Sendable {
    static let migrations = [
        Migration(
            name: "server-0001",
            sql: ["CREATE TABLE server_state (name TEXT NOT NULL PRIMARY KEY, value BLOB NOT NULL)"])
    ]

    /// After the tables of the vault: the check of the root key stood here before there were named keys.
    static let laterMigrations = [
        Migration(
            name: "server-0002",
            sql: [
                """
                INSERT INTO vault_root (id, revision, epoch, check_value) \
                SELECT 1, 0, 0, value FROM server_state WHERE name = 'vault.check'
                """,
                "DELETE FROM server_state WHERE name = 'vault.check'",
            ])
    ]

    private static let installation = "installation.id"

    let database: any Database

    /// Made at the first start. Two nodes that start at once on one database agree on the one that was first.
    func installation() async throws(StoreError) -> UUID {
        try await insert(Self.installation, UUID.random().bytes)
        guard let id = try await value(Self.installation).flatMap({ UUID($0) }) else {
            throw .corrupt("the installation's id is not one")
        }
        return id
    }

    private func value(_ name: String) async throws(StoreError) -> Bytes? {
        try await database.query("SELECT value FROM server_state WHERE name = \(name)").first?.blob(0)
    }

    /// Keeps what is there already.
    private func insert(_ name: String, _ value: Bytes) async throws(StoreError) {
        try await database.execute(
            "INSERT INTO server_state (name, value) VALUES (\(name), \(value)) ON CONFLICT (name) DO NOTHING")
    }
}
