// What every command needs that touches data: the folder, the loops, the database with its tables, the vault.

import API
import Accounts
import Backup
import Base
import Chat
import Configuration
import Glibc
import Net
import Signaling
import Store
import Tasks
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
            + SignalingSchema.migrations + ChatSchema.migrations + ServerState.laterMigrations
            + TasksSchema.migrations + BackupSchema.migrations + BackupScheduleSchema.migrations)

    static func open(_ configuration: Configuration, shards count: Int) async throws(StartFailure) -> Storage {
        let (shards, database) = try await openUnsealed(configuration, shards: count)
        do {
            let vault = try await openVault(configuration, database)
            return Storage(
                shards: shards, database: database, vault: vault,
                installation: try await ServerState(database: database).installation())
        } catch {
            await database.close()
            shards.stop()
            throw failure(error)
        }
    }

    /// The database with its tables, without any key: for who has lost the root key.
    static func openUnsealed(
        _ configuration: Configuration, shards count: Int
    ) async throws(StartFailure) -> (ShardGroup, any Database) {
        try makeFolder(configuration.data.folder)
        let shards: ShardGroup
        do {
            shards = try ShardGroup(count: count)
        } catch {
            throw StartFailure("threads", error, remedy: "Raise the process's limit of threads or descriptors.")
        }
        let database = try await openDatabase(configuration, on: shards)
        do { _ = try await migrations.apply(to: database) } catch { throw failure(error) }
        return (shards, database)
    }

    private static func failure(_ error: any Error) -> StartFailure {
        if let failure = error as? StartFailure { return failure }
        return StartFailure(
            "database", error,
            remedy: "Run `plexichat doctor` with the same options; see docs/operate/troubleshooting.md.")
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

    static func openDatabase(
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
        _ configuration: Configuration, _ database: any Database
    ) async throws -> Vault {
        do {
            let repository = SQLKeyRepository(database: database)
            let record = try await repository.load()?.root
            return try Vault.open(configuration.rootKeySource, record: record)
        } catch {
            throw StartFailure(
                "vault", error,
                remedy: """
                    The root key belongs to the data: put the one back that it was made with (`vault.root_key`), or bring \
                    recovery shares to `plexichat vault recover`.
                    """)
        }
    }
}
