// Schedules of backups of the running server.

import API
import Accounts
import Backup
import Base

enum BackupScheduleAssembly {
    struct Parts: Sendable {
        let schedules: BackupSchedules
        let scheduler: BackupScheduler
    }

    static func start(
        _ service: BackupService, _ storage: Storage, _ accounts: AccountService, _ metrics: Metrics
    ) async throws(StartFailure) -> Parts {
        let store = BackupScheduleStore(database: storage.database, events: AuditedSchedules(accounts.audit))
        let zones = ZoneFiles.ofMachine()
        let scheduler = BackupScheduler(
            store, service, zones: zones, node: service.node, metrics: BackupScheduleMetrics(metrics))
        do {
            try await scheduler.open()
        } catch {
            throw StartFailure(
                "schedules of backups", error, remedy: "Run `plexichat doctor` with the same options.")
        }
        return Parts(schedules: BackupSchedules(store, service, zones: zones), scheduler: scheduler)
    }
}
