// manual.md, "Schedule Backup". The document shows no body for it; what stands there, and the other rows, are ours:
// docs/protocol/backup-schedules.md.

import Accounts
import Backup
import Base
import Wire

extension ManualRoutes {
    static var backupSchedules: [Route] {
        [
            .post(
                "/backups/schedule", .scope(.backupsAdmin), "Have backups made by a schedule", status: .created,
                limit: .admin, body: .json(scheduleSchema), answer: ManualBackupSchedulePresenter.schema
            ) { call in
                ManualBackupSchedulePresenter.one(
                    try await call.backupSchedules.create(try schedule(call), by: try call.backupCaller))
            },
            .get(
                "/backups/schedules", .scope([.backups, .backupsAdmin]), "All schedules of backups, oldest first",
                limit: .admin, answer: ManualBackupSchedulePresenter.listSchema
            ) { call in ManualBackupSchedulePresenter.list(try await call.backupSchedules.all()) },
            .delete(
                "/backups/schedules/{schedule_id}", .scope(.backupsAdmin), "Remove a schedule; its backups stay",
                limit: .admin
            ) { call in
                let id = try call.identifier("schedule_id", BackupScheduleKind.self)
                try await call.backupSchedules.remove(id, by: try call.backupCaller)
                return .empty
            },
        ]
    }

    private static let count = Schema.integer(0...Int64(BackupScheduleLimits.kept))

    private static let scheduleSchema = Schema.object([
        .required("cron", .text(1...CronExpression.textMax), "Five fields as cron has them, or a word such as @daily"),
        .optional("time_zone", .text(1...64), "As `Europe/Berlin`; UTC where it is not given"),
        .optional("type", .choice(["full", "incremental"]), "incremental where it is not given"),
        .optional(
            "include", .array(.choice(BackupPart.allCases.map(\.rawValue)), limit: 16), "All where it is not given"),
        .optional("encryption", encryptionSchema),
        .optional("destination", destinationSchema),
        .optional(
            "retention",
            .object([
                .optional("last", count, "The newest so many"),
                .optional("daily", count, "One of each of the newest so many days"),
                .optional("weekly", count, "The same of weeks"), .optional("monthly", count, "The same of months"),
            ]), "Which of its backups stay; all where it is not given"),
        .optional("enabled", .boolean, "true where it is not given"),
    ])

    private static func schedule(_ call: Call) throws -> NewBackupSchedule {
        var request = try request(call)
        request.isIncremental = call.optionalText("type") != "full"
        // Its backups are known by a note of their own.
        request.note = ""
        var new = NewBackupSchedule(cron: try call.text("cron"), request: request)
        if let zone = call.optionalText("time_zone") { new.zone = zone }
        if let retention = call.body["retention"] {
            let count = { (name: String) in Int(clamping: retention[name]?.integerValue ?? 0) }
            new.retention = Retention(
                last: count("last"), daily: count("daily"), weekly: count("weekly"), monthly: count("monthly"))
        }
        new.isEnabled = call.body["enabled"]?.boolValue ?? true
        return new
    }
}
