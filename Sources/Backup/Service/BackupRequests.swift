// What may be asked of the service, and by whom.

package import Base
package import Tasks
package import Wire

/// Parts of what the server keeps; each may be left out of a backup.
package enum BackupPart: String, Sendable, CaseIterable {
    case database = "db"
    case attachments
    case configuration
}

package struct BackupDestination: Sendable, Equatable {
    package enum Kind: String, Sendable, CaseIterable {
        /// Spread over all places.
        case distributed
        /// The one place that there is.
        case folder
    }

    package var kind: Kind
    /// Copies of everything; `nil` for what the configuration says.
    package var replication: Int?

    package init(_ kind: Kind, replication: Int? = nil) {
        self.kind = kind
        self.replication = replication
    }
}

package struct BackupRequest: Sendable, Equatable {
    package var isIncremental: Bool
    package var parts: Set<BackupPart>
    /// Whether a key of backups whose time has come is rotated before.
    package var rotatesKeys: Bool
    /// `nil`: to all places, protected as the configuration says.
    package var destination: BackupDestination?
    /// At most 256 bytes.
    package var note: String

    package init(
        isIncremental: Bool, parts: Set<BackupPart> = Set(BackupPart.allCases), rotatesKeys: Bool = false,
        destination: BackupDestination? = nil, note: String = ""
    ) {
        self.isIncremental = isIncremental
        self.parts = parts
        self.rotatesKeys = rotatesKeys
        self.destination = destination
        self.note = note
    }
}

package struct BackupRestoreRequest: Sendable, Equatable {
    package var backup: UUID
    /// What is in the folder already is exchanged.
    package var overwrites: Bool
    /// What is in the folder already stays.
    package var merges: Bool
    /// Items, or folders with all below them; empty for everything.
    package var selection: [ItemPath]

    package init(_ backup: UUID, overwrites: Bool = false, merges: Bool = false, selection: [ItemPath] = []) {
        self.backup = backup
        self.overwrites = overwrites
        self.merges = merges
        self.selection = selection
    }
}

/// Who asks; whoever notes what happened knows more of them.
package protocol BackupActor: Sendable {
    var user: UserID? { get }
}

/// What happened, for the audit log.
package struct BackupEvent: Sendable {
    package enum Action: String, Sendable, CaseIterable {
        case started = "backup.started"
        case made = "backup.made"
        case failed = "backup.failed"
        case verified = "backup.verified"
        case restoreStarted = "backup.restore_started"
        case restored = "backup.restored"
        case restoreFailed = "backup.restore_failed"
        case removalStarted = "backup.removal_started"
        case removed = "backup.removed"
        case removalFailed = "backup.removal_failed"
    }

    package let action: Action
    package let backup: UUID
    /// `nil`: the server itself.
    package let actor: (any BackupActor)?
    package let details: JSONObject
}

package protocol BackupEvents: Sendable {
    /// What throws keeps from being done what was to be noted before it.
    func note(_ event: BackupEvent) async throws(BackupServiceError)
}

/// Gives the keys of backups a new version when their time has come.
package protocol BackupKeyRotation: Sendable {
    /// Whether one was rotated.
    func rotateIfDue() async throws(BackupError) -> Bool
}

package enum BackupServiceError: Error {
    /// There are none in the configuration.
    case noPlaces
    /// Another backup, restore, verification or removal is at work in this process.
    case busy(TaskID)
    /// What was asked for cannot be; the field is that of the request.
    case invalid(field: String, reason: String)
    case notFound
    /// There is something in the way: the newest backup is not removed, a folder is not empty.
    case conflict(String)
    case tooLarge(bytes: UInt64, limit: UInt64)
    case unavailable(String)
    case repository(BackupError)
    case task(TaskError)
}

extension BackupServiceError: CustomStringConvertible {
    /// What a repository or the board says, in the service's words.
    init(_ error: BackupError) {
        switch error {
        case .notFound: self = .notFound
        case .refused(let reason): self = .conflict(reason)
        default: self = .repository(error)
        }
    }

    init(_ error: TaskError) {
        if case .busy(let id, _) = error { self = .busy(id) } else { self = .task(error) }
    }

    package var description: String {
        switch self {
        case .noPlaces: "this server has no places for backups; name some in backup.places, and make them once"
        case .busy(let id): "the task \(id) is at work on the backups; wait until it has ended, or cancel it"
        case .invalid(let field, let reason): "\(field) \(reason)"
        case .notFound: "there is no such backup"
        case .conflict(let reason), .unavailable(let reason): reason
        case .tooLarge(let bytes, let limit):
            "there are \(bytes) bytes to back up, and backup.max_size allows \(limit); back up less, or raise it"
        case .repository(.noRepository):
            "the places for backups hold none yet; make them once by `plexichat backup create --new`"
        case .repository(let error): error.description
        case .task(let error): error.description
        }
    }
}
