// What is known of a task.

package import Base
package import Store
package import Wire

package enum TaskIDKind: IdentifierKind { package static let prefix = "task" }
package typealias TaskID = Identifier<TaskIDKind>

/// What a task does: a family and a verb, `backup.create`. Who has a family's administrative scope sees all of its tasks.
package struct TaskKind: Sendable, Hashable, CustomStringConvertible {
    package let family: String
    package let verb: String

    package init(_ family: String, _ verb: String) {
        self.family = family
        self.verb = verb
    }

    package var description: String { "\(family).\(verb)" }
}

package enum TaskState: String, Sendable, CaseIterable {
    case running, succeeded, failed, cancelled
    /// The process that ran it stopped before it was done.
    case interrupted

    package var hasEnded: Bool { self != .running }
}

/// How far a task is. What it does not know is `nil`.
package struct TaskProgress: Sendable, Equatable {
    /// 0 to 100.
    package var percentage: Double?
    package var bytes: UInt64?
    package var bytesExpected: UInt64?
    package var remaining: Duration?
    /// A word of the kind's own: `preparing`, `working`.
    package var phase: String
    /// What else the kind tells, such as the state of each place.
    package var details: JSONObject

    package init(
        percentage: Double? = nil, bytes: UInt64? = nil, bytesExpected: UInt64? = nil, remaining: Duration? = nil,
        phase: String = "preparing", details: JSONObject = JSONObject()
    ) {
        self.percentage = percentage
        self.bytes = bytes
        self.bytesExpected = bytesExpected
        self.remaining = remaining
        self.phase = phase
        self.details = details
    }
}

/// One task, running or ended.
package struct TaskRecord: Sendable, Equatable {
    package let id: TaskID
    package let kind: TaskKind
    /// Who started it; `nil` for the server itself.
    package let owner: UserID?
    /// The server that runs it, or ran it.
    package let node: String
    /// What it works on, as an identifier.
    package let target: String?
    package let startedAt: Timestamp
    package var state = TaskState.running
    /// Somebody wants it to stop.
    package var isCancelling = false
    package var changedAt: Timestamp
    package var endedAt: Timestamp?
    package var progress = TaskProgress()
    /// Why it failed, in words.
    package var error: String?
    /// What it brought.
    package var result: JSONObject?
}

/// What is to be started.
package struct NewTask: Sendable {
    package var kind: TaskKind
    package var owner: UserID?
    package var target: String?
    /// While it runs in this process, no other one of its family that says so is started.
    package var isExclusive: Bool
    /// It only follows what goes on elsewhere, for hours perhaps, and has its own bound there: it takes none of the places
    /// of `TaskBoard.runningMax`.
    package var isFollower: Bool

    package init(
        _ kind: TaskKind, owner: UserID?, target: String? = nil, isExclusive: Bool = false, isFollower: Bool = false
    ) {
        self.kind = kind
        self.owner = owner
        self.target = target
        self.isExclusive = isExclusive
        self.isFollower = isFollower
    }
}

/// Whose tasks are seen: those that somebody started, and all of some families.
package enum TaskViewer: Sendable {
    case everything
    case some(of: UserID, families: Set<String>)

    package func maySee(_ task: TaskRecord) -> Bool {
        switch self {
        case .everything: true
        case .some(let user, let families): task.owner == user || families.contains(task.kind.family)
        }
    }
}

package struct TaskFilter: Sendable {
    package static let limitMax = 100

    package var state: TaskState?
    /// A family, or a kind: `backup`, `backup.create`.
    package var kind: String?
    package var target: String?
    package let offset: Int
    package let limit: Int

    package init(
        state: TaskState? = nil, kind: String? = nil, target: String? = nil, offset: Int = 0, limit: Int = 50
    ) {
        self.state = state
        self.kind = kind
        self.target = target
        self.offset = max(0, offset)
        self.limit = min(max(1, limit), Self.limitMax)
    }
}

package enum TaskError: Error, Equatable {
    /// Another one of its family runs, and both want to be alone.
    case busy(TaskID, TaskKind)
    /// As many run as may.
    case tooMany(Int)
    case notFound
    /// It has ended, and cannot be cancelled.
    case ended(TaskState)
    /// The server is about to stop.
    case stopping
    case store(StoreError)
}

extension TaskError: CustomStringConvertible, StoreFailureConvertible {
    package init(_ failure: StoreError) { self = .store(failure) }

    package var description: String {
        switch self {
        case .busy(let id, let kind): "the task \(id) (\(kind)) runs; wait until it has ended, or cancel it"
        case .tooMany(let count): "\(count) tasks run, as many as may; wait until one has ended"
        case .notFound: "there is no such task"
        case .ended(let state): "the task has ended (\(state.rawValue))"
        case .stopping: "the server is about to stop"
        case .store(let error): error.words
        }
    }
}
