// Tasks: rows of ours in manual.md's dialect. docs/protocol/tasks.md is normative.

import Accounts
import Base
import Tasks
import Wire

extension ManualRoutes {
    /// Whoever may start something may follow it; whose it is, the board decides.
    private static let mayFollow = RouteAccess.scope([.profile, .backups, .backupsAdmin, .calls, .callsAdmin])

    static var tasks: [Route] {
        [
            .get(
                "/tasks", mayFollow, "What runs, and ran, in the background", limit: .admin,
                query: [
                    Parameter("state", .choice(TaskState.allCases.map(\.rawValue))),
                    Parameter("kind", .text(0...100), "A family (`backup`) or a kind (`backup.create`)"),
                    Parameter("limit", .integer(1...Int64(TaskFilter.limitMax)), "50 where it is not given"),
                    Parameter("offset", .count),
                ], answer: ManualTaskPresenter.listSchema
            ) { call in
                let filter = TaskFilter(
                    state: call.queryText("state").flatMap { TaskState(rawValue: $0) }, kind: call.queryText("kind"),
                    offset: call.queryInteger("offset", default: 0), limit: call.queryInteger("limit", default: 50))
                let (tasks, total) = try await call.tasks.tasks(filter, for: TaskViewer(try call.principal))
                return ManualTaskPresenter.list(tasks, total: total)
            },
            .get("/tasks/{task_id}", mayFollow, "One task", limit: .admin, answer: ManualTaskPresenter.schema) { call in
                let task = try await call.tasks.task(
                    try call.identifier("task_id"), for: TaskViewer(try call.principal))
                return ManualTaskPresenter.reply(task)
            },
            .delete(
                "/tasks/{task_id}", mayFollow, "Ask a task to stop", status: .accepted, limit: .admin,
                answer: ManualTaskPresenter.schema
            ) { call in
                let task = try await call.tasks.cancel(
                    try call.identifier("task_id"), by: TaskViewer(try call.principal))
                return ManualTaskPresenter.reply(task)
            },
        ]
    }
}

enum ManualTaskPresenter {
    static func reply(_ task: TaskRecord) -> Reply {
        var json = JSONWriter(capacity: 512)
        json.object { write(task, into: &$0) }
        return .json(json.bytes)
    }

    static func list(_ tasks: [TaskRecord], total: Int) -> Reply {
        var json = JSONWriter(capacity: 2_048)
        json.object { json in
            json.array("tasks") { json in
                for task in tasks { json.object { write(task, into: &$0) } }
            }
            json.field("total", total)
        }
        return .json(json.bytes)
    }

    private static func write(_ task: TaskRecord, into json: inout JSONWriter) {
        json.field("task_id", task.id)
        json.field("kind", task.kind.description)
        json.field("state", task.state.rawValue)
        json.field("is_cancelling", task.isCancelling && !task.state.hasEnded)
        json.field("owner_id", task.owner)
        json.field("node_id", task.node)
        json.field("target", task.target)
        json.field("started_at", task.startedAt)
        json.field("changed_at", task.changedAt)
        json.field("ended_at", task.endedAt)
        json.object("progress") { json in
            let progress = task.progress
            json.field("percentage", progress.percentage)
            json.field("bytes", progress.bytes.map { Int64(clamping: $0) })
            json.field("bytes_expected", progress.bytesExpected.map { Int64(clamping: $0) })
            json.field("remaining_seconds", progress.remaining.map { Int64($0.inSeconds.rounded(.up)) })
            json.field("phase", progress.phase)
            json.field("details", JSONValue.object(progress.details))
        }
        json.field("error", task.error)
        json.field("result", task.result.map { .object($0) })
    }

    private static let progressSchema = Schema.object([
        .required("percentage", .nullable(.number), "0 to 100"), .required("bytes", .nullable(.count)),
        .required("bytes_expected", .nullable(.count)), .required("remaining_seconds", .nullable(.count)),
        .required("phase", .text), .required("details", .map(.any, limit: 64), "The kind's own"),
    ])

    static let schema = Schema.named(
        "Task",
        .object([
            .required("task_id", .uuid), .required("kind", .text, "`backup.create`, …"),
            .required("state", .choice(TaskState.allCases.map(\.rawValue))),
            .required("is_cancelling", .boolean, "Somebody asked it to stop, and it has not yet"),
            .required("owner_id", .nullable(.uuid), "null: the server itself"), .required("node_id", .text),
            .required("target", .nullable(.text), "What it works on"), .required("started_at", .dateTime),
            .required("changed_at", .dateTime), .required("ended_at", .nullable(.dateTime)),
            .required("progress", progressSchema), .required("error", .nullable(.text)),
            .required("result", .nullable(.map(.any, limit: 64)), "The kind's own, once it has succeeded"),
        ]))

    static let listSchema = Schema.object([
        .required("tasks", .array(schema, limit: TaskFilter.limitMax)), .required("total", .count),
    ])
}
