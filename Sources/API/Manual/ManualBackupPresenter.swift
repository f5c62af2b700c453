// Backups in manual.md's clothes: bare objects.

import Backup
import Base
import Tasks
import Wire

enum ManualBackupPresenter {
    // MARK: What was started

    static func started(_ backup: UUID, _ task: TaskID) -> Reply {
        ManualCallPresenter.reply { json in
            json.field("backup_id", backup)
            json.field("status", "started")
            json.field("task_id", task)
        }
    }

    static let startedSchema = Schema.object([
        .required("backup_id", .uuid), .required("status", .choice(["started"])), .required("task_id", .uuid),
    ])

    static func restoring(_ task: TaskID, to folder: String) -> Reply {
        ManualCallPresenter.reply { json in
            json.field("task_id", task)
            json.field("folder", folder)
        }
    }

    static let restoreSchema = Schema.object([
        .required("task_id", .uuid), .required("folder", .text, "Where it goes, on the server's machine"),
    ])

    // MARK: Backups

    static func reply(_ found: BackupLookup, _ id: UUID) -> Reply {
        ManualCallPresenter.reply { json in
            switch found {
            case .stored(let entry): Self.entry(entry, into: &json)
            case .task(let task): Self.task(task, id, into: &json)
            }
        }
    }

    static func list(_ listing: BackupListing) -> Reply {
        ManualCallPresenter.reply { json in
            json.array("backups") { json in
                for entry in listing.entries { json.object { Self.entry(entry, into: &$0) } }
            }
            json.field("total", listing.total)
            json.field("findings", listing.findings.prefix(findingsMax).map(\.description))
            json.field("running_task_id", listing.running?.id)
        }
    }

    /// What more there is, `plexichat backup list` says.
    private static let findingsMax = 100

    private static func entry(_ entry: BackupEntry, into json: inout JSONWriter) {
        let manifest = entry.stored.manifest
        json.field("backup_id", manifest.id)
        json.field("status", "available")
        json.field("type", manifest.isIncremental ? "incremental" : "full")
        json.field("snapshot_at", manifest.taken)
        json.field("created_at", entry.stored.made)
        json.field("items", Int64(clamping: manifest.items))
        json.field("size_bytes", Int64(clamping: manifest.bytes))
        json.field("new_bytes", Int64(clamping: manifest.newBytes))
        json.object("protection") { json in
            json.field("data", manifest.protection.data)
            json.field("parity", manifest.protection.parity)
        }
        json.field("program", manifest.program)
        json.field("note", manifest.note)
        verification(entry.check, into: &json)
        json.null("task_id")
        json.null("error")
    }

    /// One that is being made, or could not be.
    private static func task(_ task: TaskRecord, _ id: UUID, into json: inout JSONWriter) {
        json.field("backup_id", id)
        json.field("status", task.state.rawValue)
        for name in ["type", "snapshot_at", "created_at", "items", "size_bytes", "new_bytes", "protection", "program"]
            as [StaticString]
        { json.null(name) }
        json.null("note")
        verification(nil, into: &json)
        json.field("task_id", task.id)
        json.field("error", task.error)
    }

    private static func verification(_ check: BackupCheck?, into json: inout JSONWriter) {
        json.object("verification") { json in
            json.field("status", check?.verdict.rawValue ?? "unverified")
            json.field("checked_at", check?.checkedAt)
            json.field("depth", check?.depth.name)
        }
    }

    private static let states = ["available"] + TaskState.allCases.map(\.rawValue)
    private static let verdicts = BackupCheck.Verdict.allCases.map(\.rawValue)

    static let schema = Schema.named(
        "Backup",
        .object([
            .required("backup_id", .uuid), .required("status", .choice(states)),
            .required("type", .nullable(.choice(["full", "incremental"]))),
            .required("snapshot_at", .nullable(.dateTime)), .required("created_at", .nullable(.dateTime)),
            .required("items", .nullable(.count)), .required("size_bytes", .nullable(.count)),
            .required("new_bytes", .nullable(.count), "Of them, what was stored anew"),
            .required(
                "protection",
                .nullable(.object([.required("data", .count), .required("parity", .count)])),
                "Any `data` of so many pieces together are enough"),
            .required("program", .nullable(.text)), .required("note", .nullable(.text)),
            .required(
                "verification",
                .object([
                    .required("status", .choice(["unverified"] + verdicts)),
                    .required("checked_at", .nullable(.dateTime)), .required("depth", .nullable(.text)),
                ])),
            .required("task_id", .nullable(.uuid), "Of one that is no backup"), .required("error", .nullable(.text)),
        ]))

    static let listSchema = Schema.object([
        .required("backups", .array(schema, limit: 100)), .required("total", .count),
        .required("findings", .array(.text, limit: findingsMax), "What is wrong with the repository"),
        .required("running_task_id", .nullable(.uuid)),
    ])

    // MARK: Verification

    /// All `null` while it runs.
    static func report(_ task: TaskRecord, _ id: UUID) -> Reply {
        ManualCallPresenter.reply { json in
            json.field("backup_id", id)
            json.field("task_id", task.id)
            json.field("state", task.state.rawValue)
            for name in reportMembers { json.field(name, task.result?["\(name)"]) }
        }
    }

    /// Those of the task's result that are the report's.
    private static let reportMembers: [StaticString] = [
        "verdict", "depth", "is_restorable", "checksums_match", "shards", "items", "packs", "bytes", "failures",
        "warnings",
    ]

    private static let shardSchema = Schema.object([
        .required("place", .text), .required("good", .count), .required("bad", .count),
    ])

    static let reportSchema = Schema.named(
        "BackupVerification",
        .object([
            .required("backup_id", .uuid), .required("task_id", .uuid),
            .required("state", .choice([TaskState.running.rawValue, TaskState.succeeded.rawValue])),
            .required("verdict", .nullable(.choice(verdicts))), .required("depth", .nullable(.text)),
            .required("is_restorable", .nullable(.boolean)),
            .required("checksums_match", .nullable(.boolean), "null where not every byte was read"),
            .required("shards", .nullable(.array(shardSchema, limit: BackupLimits.places))),
            .required("items", .nullable(.count)), .required("packs", .nullable(.count)),
            .required("bytes", .nullable(.count)),
            .required("failures", .nullable(.array(.text, limit: 100))),
            .required("warnings", .nullable(.array(.text, limit: 100))),
        ]))
}
