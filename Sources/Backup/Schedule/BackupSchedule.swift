// A schedule of backups as it is kept: docs/protocol/backup-schedules.md. When its time has come is said by
// `BackupPlanner`, what is done then by `BackupScheduler`.

package import Base
package import Store

package enum BackupScheduleKind: IdentifierKind { package static let prefix = "schedule" }
package typealias BackupScheduleID = Identifier<BackupScheduleKind>

/// What somebody asks for.
package struct NewBackupSchedule: Sendable {
    package var cron: String
    package var zone: String
    package var request: BackupRequest
    /// `nil`: everything stays.
    package var retention: Retention?
    package var isEnabled: Bool

    package init(
        cron: String, zone: String = ZoneName.utc.text, request: BackupRequest, retention: Retention? = nil,
        isEnabled: Bool = true
    ) {
        self.cron = cron
        self.zone = zone
        self.request = request
        self.retention = retention
        self.isEnabled = isEnabled
    }
}

package struct BackupSchedule: Sendable, Equatable {
    /// How the last time that came ended.
    package struct Run: Sendable, Equatable {
        package enum Outcome: String, Sendable, CaseIterable {
            case made, failed, cancelled
            /// Something else was at work until it was too late.
            case skipped
            /// No server ran until it was too late.
            case missed
        }

        package var dueAt: Timestamp
        package var startedAt: Timestamp
        package var endedAt: Timestamp
        package var outcome: Outcome
        package var backup: UUID?
        package var bytes: UInt64?
        package var newBytes: UInt64?
        /// Why it is not all well, in words.
        package var reason: String?

        package init(
            dueAt: Timestamp, startedAt: Timestamp, endedAt: Timestamp, outcome: Outcome, backup: UUID? = nil,
            bytes: UInt64? = nil, newBytes: UInt64? = nil, reason: String? = nil
        ) {
            self.dueAt = dueAt
            self.startedAt = startedAt
            self.endedAt = endedAt
            self.outcome = outcome
            self.backup = backup
            self.bytes = bytes
            self.newBytes = newBytes
            self.reason = reason
        }
    }

    /// What is under way.
    package struct Attempt: Sendable, Equatable {
        package var startedAt: Timestamp
        /// The server.
        package var node: String
    }

    package struct Progress: Sendable, Equatable {
        /// When it is to be looked at; `nil`: never again.
        package var nextAt: Timestamp?
        /// The time of the schedule that `nextAt` tries again, or that `attempt` is for.
        package var dueAt: Timestamp?
        package var attempt: Attempt?
        package var lastRun: Run?
        package var lastSuccessAt: Timestamp?

        package init(nextAt: Timestamp?) { self.nextAt = nextAt }
    }

    package let id: BackupScheduleID
    package let cron: CronExpression
    package let zone: ZoneName
    package let request: BackupRequest
    package let retention: Retention?
    package let isEnabled: Bool
    package let createdBy: UserID?
    package let createdAt: Timestamp
    /// Counts the changes of `progress`, so that of two servers one is first.
    package var revision: Int64
    package var progress: Progress

    package init(
        id: BackupScheduleID, cron: CronExpression, zone: ZoneName, request: BackupRequest, retention: Retention?,
        isEnabled: Bool, createdBy: UserID?, createdAt: Timestamp, revision: Int64, progress: Progress
    ) {
        self.id = id
        self.cron = cron
        self.zone = zone
        self.request = request
        self.retention = retention
        self.isEnabled = isEnabled
        self.createdBy = createdBy
        self.createdAt = createdAt
        self.revision = revision
        self.progress = progress
    }

    /// What its backups are known by.
    package var note: String { "schedule \(id)" }
}

package enum BackupScheduleLimits {
    /// Each is looked at every few seconds, and nobody oversees more.
    package static let schedules = 32
    /// Of each rule of a retention: no repository has more backups.
    package static let kept = BackupLimits.liveRecords
    /// What could not begin so long after its time is not made any more: higher, and the backup of the night burdens the
    /// next evening; lower, and a day's maintenance costs a day's backup.
    package static let grace = Duration.hours(12)
    /// Between two tries while something else is at work.
    package static let retryPause = Duration.minutes(1)
    /// Until it is tried again to read a zone that is not there any more.
    static let zonePause = Duration.hours(1)
    /// Bytes of a reason; longer ones are cut.
    static let reason = 1_000
}

package enum BackupScheduleError: Error, Equatable {
    /// The field is that of the request.
    case invalid(field: String, reason: String)
    case notFound
    case limitReached(Int)
    case store(StoreError)
}

extension BackupScheduleError: StoreFailureConvertible, CustomStringConvertible {
    package init(_ failure: StoreError) { self = .store(failure) }

    package var description: String {
        switch self {
        case .invalid(let field, let reason): "\(field) \(reason)"
        case .notFound: "there is no such schedule"
        case .limitReached(let count): "there are \(count) schedules, as many as there may be; remove one first"
        case .store(let error): error.words
        }
    }
}
