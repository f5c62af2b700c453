// Statements on `backup_schedules`, and schedules from its rows.

import Base
import Store
import Wire

enum BackupScheduleTable {
    private static let columns: Statement = """
        id, cron, zone, is_incremental, parts, rotates_keys, destination, replication, keep_last, keep_daily, \
        keep_weekly, keep_monthly, is_enabled, created_by, created_at, revision, next_at, due_at, attempt_at, \
        attempt_node, run_due_at, run_started_at, run_ended_at, run_outcome, run_backup, run_bytes, run_new_bytes, \
        run_reason, succeeded_at
        """

    static let all: Statement = "SELECT \(part: columns) FROM backup_schedules ORDER BY created_at, id"

    static func one(_ id: BackupScheduleID) -> Statement {
        "SELECT \(part: columns) FROM backup_schedules WHERE id = \(id)"
    }

    /// The longest due first.
    static func due(at now: Timestamp) -> Statement {
        """
        SELECT \(part: columns) FROM backup_schedules WHERE is_enabled = 1 AND next_at <= \(now) ORDER BY next_at, id
        """
    }

    static func insert(_ schedule: BackupSchedule) -> Statement {
        let (request, keep) = (schedule.request, schedule.retention)
        return """
            INSERT INTO backup_schedules (id, cron, zone, is_incremental, parts, rotates_keys, destination, replication, \
            keep_last, keep_daily, keep_weekly, keep_monthly, is_enabled, created_by, created_at, revision, next_at) \
            VALUES (\(schedule.id), \(schedule.cron.description), \(schedule.zone.text), \(request.isIncremental), \
            \(text(of: request.parts)), \(request.rotatesKeys), \(request.destination?.kind.rawValue), \
            \(request.destination?.replication), \(keep?.last), \(keep?.daily), \(keep?.weekly), \(keep?.monthly), \
            \(schedule.isEnabled), \(schedule.createdBy), \(schedule.createdAt), \(schedule.revision), \
            \(schedule.progress.nextAt))
            """
    }

    /// Changes no row where somebody else was faster.
    static func update(_ schedule: BackupSchedule) -> Statement {
        let (progress, run) = (schedule.progress, schedule.progress.lastRun)
        return """
            UPDATE backup_schedules SET revision = \(schedule.revision + 1), next_at = \(progress.nextAt), \
            due_at = \(progress.dueAt), attempt_at = \(progress.attempt?.startedAt), \
            attempt_node = \(progress.attempt?.node), run_due_at = \(run?.dueAt), run_started_at = \(run?.startedAt), \
            run_ended_at = \(run?.endedAt), run_outcome = \(run?.outcome.rawValue), run_backup = \(run?.backup), \
            run_bytes = \(run?.bytes.map { Int64(clamping: $0) }), \
            run_new_bytes = \(run?.newBytes.map { Int64(clamping: $0) }), run_reason = \(run?.reason), \
            succeeded_at = \(progress.lastSuccessAt) WHERE id = \(schedule.id) AND revision = \(schedule.revision)
            """
    }

    private static func text(of parts: Set<BackupPart>) -> String {
        BackupPart.allCases.filter(parts.contains).map(\.rawValue).joined(separator: ",")
    }

    // MARK: Reading

    static func schedule(_ row: Row) throws(StoreError) -> BackupSchedule {
        var progress = BackupSchedule.Progress(nextAt: try row.optional(16, row.timestamp))
        progress.dueAt = try row.optional(17, row.timestamp)
        if !row.isNull(18), !row.isNull(19) {
            progress.attempt = BackupSchedule.Attempt(startedAt: try row.timestamp(18), node: try row.text(19))
        }
        progress.lastRun = row.isNull(23) ? nil : try run(row)
        progress.lastSuccessAt = try row.optional(28, row.timestamp)
        guard let cron = try? CronExpression(parsing: try row.text(1)), let zone = ZoneName(try row.text(2)) else {
            throw .corrupt("backup_schedules: an expression or a zone that this version cannot read")
        }
        return BackupSchedule(
            id: try row.identifier(0), cron: cron, zone: zone, request: try request(row),
            retention: try retention(row), isEnabled: try row.flag(12),
            createdBy: try row.optional(13) { (column) throws(StoreError) in try row.identifier(column) },
            createdAt: try row.timestamp(14), revision: try row.integer(15), progress: progress)
    }

    private static func request(_ row: Row) throws(StoreError) -> BackupRequest {
        var request = BackupRequest(isIncremental: try row.flag(3), parts: [], rotatesKeys: try row.flag(5))
        for word in try row.text(4).split(separator: ",") {
            guard let part = BackupPart(rawValue: String(word)) else {
                throw .corrupt("backup_schedules: a part that this version does not know")
            }
            request.parts.insert(part)
        }
        guard let word = try row.optional(6, row.text) else { return request }
        guard let kind = BackupDestination.Kind(rawValue: word) else {
            throw .corrupt("backup_schedules: a destination that this version does not know")
        }
        request.destination = BackupDestination(
            kind, replication: try row.optional(7, row.integer).map(Int.init(clamping:)))
        return request
    }

    private static func retention(_ row: Row) throws(StoreError) -> Retention? {
        guard !row.isNull(8) else { return nil }
        return Retention(
            last: Int(clamping: try row.integer(8)), daily: Int(clamping: try row.integer(9)),
            weekly: Int(clamping: try row.integer(10)), monthly: Int(clamping: try row.integer(11)))
    }

    private static func run(_ row: Row) throws(StoreError) -> BackupSchedule.Run {
        guard let outcome = BackupSchedule.Run.Outcome(rawValue: try row.text(23)) else {
            throw .corrupt("backup_schedules: an outcome that this version does not know")
        }
        let count = { (column: Int) throws(StoreError) -> UInt64 in UInt64(clamping: try row.integer(column)) }
        return BackupSchedule.Run(
            dueAt: try row.timestamp(20), startedAt: try row.timestamp(21), endedAt: try row.timestamp(22),
            outcome: outcome, backup: try row.optional(24, row.blob).flatMap { UUID($0) },
            bytes: try row.optional(25, count), newBytes: try row.optional(26, count),
            reason: try row.optional(27, row.text))
    }
}
