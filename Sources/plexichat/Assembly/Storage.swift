// What every command needs that touches data: the folder, the loops, the database with its tables, the vault.

import API
import Accounts
import Base
import Chat
import Configuration
import Glibc
import Net
import Signaling
import Store
import Vault
import Wire

struct Storage: Sendable {
    let shards: ShardGroup
    let database: any Database
    let vault: Vault
    let installation: UUID

    /// In the order in which tables may refer to each other. Only ever appended to.
    static let migrations = Migrations(
        ServerState.migrations + AccountsSchema.migrations + IdempotencyStore.migrations
            + SignalingSchema.migrations + ChatSchema.migrations)

    static func open(_ configuration: Configuration, shards count: Int) async throws(StartFailure) -> Storage {
        try makeFolder(configuration.data.folder)
        let shards: ShardGroup
        do {
            shards = try ShardGroup(count: count)
        } catch {
            throw StartFailure("threads", error, remedy: "Raise the process's limit of threads or descriptors.")
        }
        let database = try await openDatabase(configuration, on: shards)
        do {
            _ = try await migrations.apply(to: database)
            let state = ServerState(database: database)
            let vault = try await openVault(configuration, state)
            return Storage(
                shards: shards, database: database, vault: vault, installation: try await state.installation())
        } catch let failure as StartFailure {
            throw failure
        } catch {
            throw StartFailure(
                "database", error,
                remedy: "Run `plexichat doctor` with the same options; see docs/operate/troubleshooting.md.")
        }
    }

    func close() async {
        await database.close()
        shards.stop()
    }

    // MARK: Parts

    private static func makeFolder(_ path: String) throws(StartFailure) {
        guard mkdir(path, 0o700) != 0, errno != EEXIST else { return }
        throw StartFailure(
            "data folder", SystemError("make \(path)"),
            remedy: "Make its parent folder, or choose another one with --data.")
    }

    private static func openDatabase(
        _ configuration: Configuration, on shards: ShardGroup
    ) async throws(StartFailure) -> any Database {
        switch configuration.store.url {
        case .sqlite:
            let path = configuration.data.folder + "/plexichat.db"
            do {
                return try SQLiteDatabase(.file(path), options: configuration.sqliteOptions)
            } catch {
                throw StartFailure(
                    "database", "\(path): \(error.words)",
                    remedy:
                        "Check that the folder is writable, that its disk has room, and that no other server uses it.")
            }
        case .postgresql(let url):
            do {
                return try PostgreSQLDatabase(
                    connection: url, loops: shards.shards, options: configuration.postgreSQLOptions)
            } catch {
                throw StartFailure(
                    "database", error,
                    remedy: "Check that PostgreSQL runs, and the URL, user and password in `store.url`.")
            }
        }
    }

    private static func openVault(
        _ configuration: Configuration, _ state: ServerState
    ) async throws -> Vault {
        let known = try await state.vaultCheck()
        do {
            let vault = try Vault.open(configuration.rootKeySource, storedCheck: known)
            if known == nil { try await state.keep(vaultCheck: vault.check) }
            return vault
        } catch let error as VaultError {
            throw StartFailure(
                "vault", error,
                remedy: "The root key belongs to the data: put the one back that it was made with (`vault.root_key`).")
        }
    }
}
