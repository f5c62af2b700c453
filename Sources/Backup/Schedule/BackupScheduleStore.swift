// Schedules in the database, and their table.

package import Base
package import Store

package enum BackupScheduleSchema {
    package static let migrations: [Migration] = [
        Migration(
            name: "backup-schedules-0001",
            sql: [
                // No foreign key to who made it: a schedule goes on without them. `parts` are words with commas between;
                // `keep_last` and its like are all NULL where everything stays; the columns from `next_at` on are the
                // progress, and change together with `revision`.
                """
                CREATE TABLE backup_schedules (
                    id BLOB NOT NULL PRIMARY KEY, cron TEXT NOT NULL, zone TEXT NOT NULL,
                    is_incremental INTEGER NOT NULL, parts TEXT NOT NULL, rotates_keys INTEGER NOT NULL,
                    destination TEXT, replication INTEGER,
                    keep_last INTEGER, keep_daily INTEGER, keep_weekly INTEGER, keep_monthly INTEGER,
                    is_enabled INTEGER NOT NULL, created_by BLOB, created_at INTEGER NOT NULL,
                    revision INTEGER NOT NULL, next_at INTEGER, due_at INTEGER,
                    attempt_at INTEGER, attempt_node TEXT,
                    run_due_at INTEGER, run_started_at INTEGER, run_ended_at INTEGER, run_outcome TEXT,
                    run_backup BLOB, run_bytes INTEGER, run_new_bytes INTEGER, run_reason TEXT,
                    succeeded_at INTEGER
                ) STRICT
                """
            ])
    ]
}

package struct BackupScheduleStore: Sendable {
    private let database: any Database
    private let events: any BackupScheduleEvents

    package init(database: any Database, events: any BackupScheduleEvents) {
        self.database = database
        self.events = events
    }

    // MARK: Reading

    /// Oldest first.
    package func all() async throws(BackupScheduleError) -> [BackupSchedule] {
        try await schedules(BackupScheduleTable.all)
    }

    package func due(at now: Timestamp) async throws(BackupScheduleError) -> [BackupSchedule] {
        try await schedules(BackupScheduleTable.due(at: now))
    }

    private func schedules(_ statement: Statement) async throws(BackupScheduleError) -> [BackupSchedule] {
        do throws(StoreError) {
            var schedules: [BackupSchedule] = []
            for row in try await database.query(statement) { schedules.append(try BackupScheduleTable.schedule(row)) }
            return schedules
        } catch {
            throw .store(error)
        }
    }

    // MARK: Changing

    /// With its note, or not at all. Refused when there are as many as may be.
    package func insert(
        _ schedule: BackupSchedule, noting event: BackupScheduleEvent
    ) async throws(BackupScheduleError) {
        try await database.transaction { [events] (transaction) async throws(BackupScheduleError) in
            do throws(StoreError) {
                let count = try await transaction.query("SELECT COUNT(*) FROM backup_schedules").first?.integer(0)
                if count ?? 0 < BackupScheduleLimits.schedules {
                    try await transaction.execute(BackupScheduleTable.insert(schedule))
                    return try await events.note(event, in: transaction)
                }
            } catch {
                throw .store(error)
            }
            throw .limitReached(BackupScheduleLimits.schedules)
        }
        events.noted()
    }

    package func remove(
        _ id: BackupScheduleID, noting event: BackupScheduleEvent
    ) async throws(BackupScheduleError) {
        try await database.transaction { [events] (transaction) async throws(BackupScheduleError) in
            do throws(StoreError) {
                let statement: Statement = "DELETE FROM backup_schedules WHERE id = \(id)"
                if try await transaction.execute(statement) == 1 {
                    return try await events.note(event, in: transaction)
                }
            } catch {
                throw .store(error)
            }
            throw .notFound
        }
        events.noted()
    }

    /// Keeps its progress, with a note where there is something to tell. `nil` when somebody else changed it since it was
    /// read, or removed it; otherwise as it now is.
    package func replace(
        _ schedule: BackupSchedule, noting event: BackupScheduleEvent? = nil
    ) async throws(BackupScheduleError) -> BackupSchedule? {
        let isFirst = try await changing { [events] (transaction) async throws(StoreError) -> Bool in
            guard try await transaction.execute(BackupScheduleTable.update(schedule)) == 1 else { return false }
            if let event { try await events.note(event, in: transaction) }
            return true
        }
        guard isFirst else { return nil }
        if event != nil { events.noted() }
        var schedule = schedule
        schedule.revision += 1
        return schedule
    }

    /// Changes it as it is by now; nothing where it was removed.
    package func change(
        _ id: BackupScheduleID, noting event: BackupScheduleEvent? = nil,
        _ body: @escaping @Sendable (inout BackupSchedule) -> Void
    ) async throws(BackupScheduleError) {
        try await changing { [events] (transaction) async throws(StoreError) in
            guard let row = try await transaction.query(BackupScheduleTable.one(id)).first else { return }
            var schedule = try BackupScheduleTable.schedule(row)
            body(&schedule)
            try await transaction.execute(BackupScheduleTable.update(schedule))
            if let event { try await events.note(event, in: transaction) }
        }
        if event != nil { events.noted() }
    }

    /// A transaction of which only the database can fail.
    private func changing<Value: Sendable>(
        _ body: @escaping @Sendable (any Transaction) async throws(StoreError) -> Value
    ) async throws(BackupScheduleError) -> Value {
        do throws(StoreError) { return try await database.transaction(body) } catch { throw .store(error) }
    }
}
