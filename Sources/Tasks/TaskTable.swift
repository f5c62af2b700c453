// The table of tasks and its statements, in the common subset of SQL.

import Base
package import Store
import Wire

package enum TasksSchema {
    package static let migrations: [Migration] = [
        Migration(
            name: "tasks-0001",
            sql: [
                // No foreign key to the owner: what somebody started goes on without them. `progress` and `result` are
                // JSON (`TaskTable`).
                """
                CREATE TABLE tasks (
                    id BLOB NOT NULL PRIMARY KEY, family TEXT NOT NULL, verb TEXT NOT NULL, owner_id BLOB,
                    node_id TEXT NOT NULL, target TEXT, state TEXT NOT NULL, is_cancelling INTEGER NOT NULL,
                    started_at INTEGER NOT NULL, changed_at INTEGER NOT NULL, ended_at INTEGER,
                    progress TEXT NOT NULL, error TEXT, result TEXT
                ) STRICT
                """,
                "CREATE INDEX tasks_by_start ON tasks (started_at)",
                "CREATE INDEX tasks_by_node ON tasks (node_id, state)",
                "CREATE INDEX tasks_by_target ON tasks (target)",
            ])
    ]
}

enum TaskTable {
    private static let columns: Statement = """
        id, family, verb, owner_id, node_id, target, state, is_cancelling, started_at, changed_at, ended_at, progress, \
        error, result
        """

    // MARK: Writing

    static func insert(_ task: TaskRecord) -> Statement {
        """
        INSERT INTO tasks (\(part: columns)) VALUES (\(task.id), \(task.kind.family), \(task.kind.verb), \(task.owner), \
        \(task.node), \(task.target), \(task.state.rawValue), \(task.isCancelling), \(task.startedAt), \
        \(task.changedAt), \(task.endedAt), \(text(of: task.progress)), \(task.error), \(task.result.map(text)))
        """
    }

    /// What changes while it runs, and at its end. A row that has ended stays as it ended.
    static func update(_ task: TaskRecord) -> Statement {
        """
        UPDATE tasks SET state = \(task.state.rawValue), changed_at = \(task.changedAt), ended_at = \(task.endedAt), \
        progress = \(text(of: task.progress)), error = \(task.error), result = \(task.result.map(text)) \
        WHERE id = \(task.id) AND state = \(TaskState.running.rawValue)
        """
    }

    static func cancel(_ id: TaskID) -> Statement {
        "UPDATE tasks SET is_cancelling = 1 WHERE id = \(id) AND state = \(TaskState.running.rawValue)"
    }

    static func interrupt(on node: String, at now: Timestamp, _ reason: String) -> Statement {
        """
        UPDATE tasks SET state = \(TaskState.interrupted.rawValue), changed_at = \(now), ended_at = \(now), \
        error = \(reason) WHERE node_id = \(node) AND state = \(TaskState.running.rawValue)
        """
    }

    /// Ended ones that are older, or more than are kept.
    static func prune(before time: Timestamp, keeping count: Int) -> Statement {
        """
        DELETE FROM tasks WHERE state <> \(TaskState.running.rawValue) AND (started_at < \(time) OR id IN (\
        SELECT id FROM tasks WHERE state <> \(TaskState.running.rawValue) \
        ORDER BY started_at DESC, id DESC LIMIT \(pruneBatch) OFFSET \(count)))
        """
    }

    /// One is added at a time, so that there is seldom more than one to remove.
    private static let pruneBatch = 1_000

    // MARK: Reading

    static func one(_ id: TaskID) -> Statement { "SELECT \(part: columns) FROM tasks WHERE id = \(id)" }

    static func page(_ filter: TaskFilter, _ viewer: TaskViewer) -> Statement {
        """
        SELECT \(part: columns) FROM tasks WHERE \(part: condition(filter, viewer)) \
        ORDER BY started_at DESC, id DESC LIMIT \(filter.limit) OFFSET \(filter.offset)
        """
    }

    static func count(_ filter: TaskFilter, _ viewer: TaskViewer) -> Statement {
        "SELECT COUNT(*) FROM tasks WHERE \(part: condition(filter, viewer))"
    }

    /// Those of a node that somebody, perhaps on another node, wants to stop.
    static func cancelling(on node: String) -> Statement {
        """
        SELECT id FROM tasks WHERE node_id = \(node) AND state = \(TaskState.running.rawValue) AND is_cancelling = 1
        """
    }

    private static func condition(_ filter: TaskFilter, _ viewer: TaskViewer) -> Statement {
        var condition: Statement = "1 = 1"
        if case .some(let user, let families) = viewer {
            condition = "(owner_id = \(user) OR family IN (\(list: families.sorted())))"
        }
        if let state = filter.state { condition = "\(part: condition) AND state = \(state.rawValue)" }
        if let target = filter.target { condition = "\(part: condition) AND target = \(target)" }
        if let kind = filter.kind {
            let words = kind.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            condition = "\(part: condition) AND family = \(words[0])"
            if words.count == 2 { condition = "\(part: condition) AND verb = \(words[1])" }
        }
        return condition
    }

    static func record(_ row: Row) throws(StoreError) -> TaskRecord {
        guard let state = TaskState(rawValue: try row.text(6)) else {
            throw .corrupt("tasks: a state that this version does not know")
        }
        var task = TaskRecord(
            id: try row.identifier(0), kind: TaskKind(try row.text(1), try row.text(2)),
            owner: try row.optional(3) { (column) throws(StoreError) in try row.identifier(column, UserKind.self) },
            node: try row.text(4), target: try row.optional(5, row.text), startedAt: try row.timestamp(8),
            changedAt: try row.timestamp(9))
        task.state = state
        task.isCancelling = try row.flag(7)
        task.endedAt = try row.optional(10, row.timestamp)
        task.progress = progress(try object(try row.text(11)))
        task.error = try row.optional(12, row.text)
        task.result = try row.optional(13) { (column) throws(StoreError) in try object(try row.text(column)) }
        return task
    }

    // MARK: JSON

    private static func text(_ object: JSONObject) -> String {
        String(decoding: JSONValue.object(object).encoded, as: UTF8.self)
    }

    private static func object(_ text: String) throws(StoreError) -> JSONObject {
        guard let object = (try? JSONValue(parsing: Bytes(text.utf8)))?.objectValue else {
            throw .corrupt("tasks: a row that this version cannot read")
        }
        return object
    }

    private static func text(of progress: TaskProgress) -> String {
        var object = JSONObject([("phase", .string(progress.phase)), ("details", .object(progress.details))])
        object["percentage"] = progress.percentage.map { .number($0) }
        object["bytes"] = progress.bytes.map { .integer(Int64(clamping: $0)) }
        object["bytes_expected"] = progress.bytesExpected.map { .integer(Int64(clamping: $0)) }
        object["remaining_ms"] = progress.remaining.map { .integer($0.milliseconds) }
        return text(object)
    }

    private static func progress(_ object: JSONObject) -> TaskProgress {
        TaskProgress(
            percentage: object["percentage"]?.numberValue,
            bytes: object["bytes"]?.integerValue.map { UInt64(clamping: $0) },
            bytesExpected: object["bytes_expected"]?.integerValue.map { UInt64(clamping: $0) },
            remaining: object["remaining_ms"]?.integerValue.map { .milliseconds($0) },
            phase: object["phase"]?.stringValue ?? "", details: object["details"]?.objectValue ?? JSONObject())
    }
}
