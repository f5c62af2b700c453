// Backups of the running server: the board of tasks, and the service over the places that the configuration names.

import API
import Accounts
import Backup
import Base
import Configuration
import Net
import Tasks
import Vault

enum BackupAssembly {
    private static let log = Logger("backup")

    struct Parts: Sendable {
        let tasks: TaskBoard
        let service: BackupService
        let schedules: BackupScheduleAssembly.Parts
    }

    static func start(
        _ loaded: LoadedConfiguration, _ storage: Storage, _ accounts: AccountService, _ metrics: Metrics
    ) async throws(StartFailure) -> Parts {
        let configuration = loaded.values
        let node = try NodeIdentity.load(configuration)
        let tasks = TaskBoard(database: storage.database, node: node)
        do {
            let count = try await tasks.open()
            if count > 0 { log.warning("tasks were interrupted by the last stop", [.count("tasks", count)]) }
        } catch {
            throw StartFailure("tasks", error, remedy: "Run `plexichat doctor` with the same options.")
        }
        let service = BackupService(
            setup(loaded, storage, accounts, node: node), board: tasks, database: storage.database,
            events: AuditedBackups(accounts.audit))
        let schedules = try await BackupScheduleAssembly.start(service, storage, accounts, metrics)
        return Parts(tasks: tasks, service: service, schedules: schedules)
    }

    private static func setup(
        _ loaded: LoadedConfiguration, _ storage: Storage, _ accounts: AccountService, node: String
    ) -> BackupSetup {
        let configuration = loaded.values
        let file = loaded.sources.file?.path
        let loop = storage.shards.first
        var setup = BackupSetup(
            folder: configuration.data.folder + "/backup", restoreFolder: configuration.backupRestoreFolder, node: node,
            holder: BackupSources.holderName, program: "plexichat \(ProductVersion.text)",
            places: { () async throws(BackupError) in
                guard !configuration.backup.places.isEmpty else { return [] }
                // What a place lacks is said where it is missed.
                return try BackupPlaces.make(configuration, on: loop, making: false).places
            },
            keys: { (places) async throws(BackupError) in
                try await VaultBackupKeys.make(accounts.keys, places: places)
            },
            sources: { (parts) async throws(BackupError) in
                try BackupSources.make(configuration, configurationFile: file, parts: parts, on: loop)
            })
        setup.rotation = DueBackupKeys(accounts: accounts)
        setup.protection = configuration.backupProtection
        setup.bytesPerSecond = configuration.backup.bandwidth
        setup.bytesMax = configuration.backup.maxSize.map { UInt64($0) }
        return setup
    }
}

/// Rotates the keys that backups are made with, when their time has come.
private struct DueBackupKeys: BackupKeyRotation {
    /// Of keys that no schedule rotates. What an old key opens is opened by whoever took it; younger ones only make more
    /// versions to keep.
    private static let ageMax = Duration.days(90)

    let accounts: AccountService

    func rotateIfDue() async throws(BackupError) -> Bool {
        do {
            let book = try await accounts.keyBook(by: .console)
            let now = Timestamp.now()
            var hasRotated = false
            for name in BackupKeyNames.all {
                guard let key = book.keys[name], let active = key.active else { continue }
                guard now >= key.rotatesAt ?? active.createdAt + Self.ageMax else { continue }
                try await accounts.rotateKey(name, by: .console, origin: .console)
                hasRotated = true
            }
            return hasRotated
        } catch { throw .unavailable("the keys of backups could not be rotated: \(error)") }
    }
}
