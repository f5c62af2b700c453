// Schedules of backups in manual.md's clothes: bare objects. The forms of a request's parts are those of `POST
// /backups/create`.

import Backup
import Base
import Wire

enum ManualBackupSchedulePresenter {
    static func one(_ schedule: BackupSchedule) -> Reply {
        ManualCallPresenter.reply { write(schedule, into: &$0) }
    }

    static func list(_ schedules: [BackupSchedule]) -> Reply {
        ManualCallPresenter.reply { json in
            json.array("schedules") { json in
                for schedule in schedules { json.object { write(schedule, into: &$0) } }
            }
        }
    }

    private static func write(_ schedule: BackupSchedule, into json: inout JSONWriter) {
        let (request, progress) = (schedule.request, schedule.progress)
        json.field("schedule_id", schedule.id)
        json.field("cron", schedule.cron.description)
        json.field("time_zone", schedule.zone.text)
        json.field("type", request.isIncremental ? "incremental" : "full")
        json.field("include", BackupPart.allCases.filter(request.parts.contains).map(\.rawValue))
        json.object("encryption") { json in
            json.field("algorithm", ManualRoutes.backupAlgorithm)
            json.field("key_rotation", request.rotatesKeys ? "auto" : "none")
        }
        if let destination = request.destination {
            json.object("destination") { json in
                json.field("type", destination.kind.rawValue)
                json.field("replication", destination.replication)
            }
        } else {
            json.null("destination")
        }
        if let retention = schedule.retention {
            json.object("retention") { json in
                json.field("last", retention.last)
                json.field("daily", retention.daily)
                json.field("weekly", retention.weekly)
                json.field("monthly", retention.monthly)
            }
        } else {
            json.null("retention")
        }
        json.field("enabled", schedule.isEnabled)
        json.field("created_at", schedule.createdAt)
        json.field("created_by", schedule.createdBy)
        json.field("next_run_at", progress.nextAt)
        json.field("is_running", progress.attempt != nil)
        run(progress.lastRun, into: &json)
        json.field("last_success_at", progress.lastSuccessAt)
    }

    private static func run(_ run: BackupSchedule.Run?, into json: inout JSONWriter) {
        guard let run else { return json.null("last_run") }
        json.object("last_run") { json in
            json.field("due_at", run.dueAt)
            json.field("started_at", run.startedAt)
            json.field("ended_at", run.endedAt)
            json.field("outcome", run.outcome.rawValue)
            json.field("backup_id", run.backup)
            json.field("bytes", run.bytes.map { Int64(clamping: $0) })
            json.field("new_bytes", run.newBytes.map { Int64(clamping: $0) })
            json.field("reason", run.reason)
        }
    }

    private static let runSchema = Schema.object([
        .required("due_at", .dateTime), .required("started_at", .dateTime), .required("ended_at", .dateTime),
        .required("outcome", .choice(BackupSchedule.Run.Outcome.allCases.map(\.rawValue))),
        .required("backup_id", .nullable(.uuid)), .required("bytes", .nullable(.count)),
        .required("new_bytes", .nullable(.count)), .required("reason", .nullable(.text)),
    ])

    static let schema = Schema.named(
        "BackupSchedule",
        .object([
            .required("schedule_id", .uuid), .required("cron", .text), .required("time_zone", .text),
            .required("type", .choice(["full", "incremental"])), .required("include", .array(.text, limit: 16)),
            .required(
                "encryption", .object([.required("algorithm", .text), .required("key_rotation", .text)])),
            .required(
                "destination",
                .nullable(.object([.required("type", .text), .required("replication", .nullable(.count))]))),
            .required(
                "retention",
                .nullable(
                    .object([
                        .required("last", .count), .required("daily", .count), .required("weekly", .count),
                        .required("monthly", .count),
                    ]))),
            .required("enabled", .boolean), .required("created_at", .dateTime),
            .required("created_by", .nullable(.uuid)),
            .required("next_run_at", .nullable(.dateTime), "null: it is not enabled, or never comes again"),
            .required("is_running", .boolean), .required("last_run", .nullable(runSchema)),
            .required("last_success_at", .nullable(.dateTime)),
        ]))

    static let listSchema = Schema.object([
        .required("schedules", .array(schema, limit: BackupScheduleLimits.schedules))
    ])
}
