// The few values that belong to the installation as a whole: its identity, and the check of its root key. They stand
// in the database, so that they travel with the data.

import Base
import Store

struct ServerState: Sendable {
    static let migrations = [
        Migration(
            name: "server-0001",
            sql: ["CREATE TABLE server_state (name TEXT NOT NULL PRIMARY KEY, value BLOB NOT NULL)"])
    ]

    private static let vaultCheck = "vault.check"
    private static let installation = "installation.id"

    let database: any Database

    func vaultCheck() async throws(StoreError) -> Bytes? { try await value(Self.vaultCheck) }

    func keep(vaultCheck: Bytes) async throws(StoreError) { try await insert(Self.vaultCheck, vaultCheck) }

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
