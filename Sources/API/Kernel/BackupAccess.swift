// Backups and tasks, as rows of all dialects reach them: the services, who asks, and what is noted of it.

package import Accounts
package import Backup
package import Base
import Tasks
import Wire

enum BackupIDKind: IdentifierKind { static let prefix = "backup" }

/// Who asks for a backup, and from where.
package struct BackupCaller: BackupActor {
    package let actor: Actor
    package let origin: RequestOrigin

    package init(_ actor: Actor, _ origin: RequestOrigin) {
        self.actor = actor
        self.origin = origin
    }

    package var user: UserID? {
        if case .principal(let principal) = actor { principal.user } else { nil }
    }
}

/// What happens to backups stands in the audit log.
package struct AuditedBackups: BackupEvents {
    private let audit: AuditLog
    private let clock: Clock

    package init(_ audit: AuditLog, clock: Clock = .system) {
        self.audit = audit
        self.clock = clock
    }

    package func note(_ event: BackupEvent) async throws(BackupServiceError) {
        let caller = event.actor as? BackupCaller
        let hasFailed = [.failed, .restoreFailed, .removalFailed].contains(event.action)
        let isGrave = [.restoreStarted, .removalStarted].contains(event.action) || hasFailed
        let note = AuditEvent(
            time: clock.now(), actor: event.actor?.user, action: event.action.rawValue,
            severity: isGrave ? .warning : .info, outcome: hasFailed ? .failure : .success, target: "\(event.backup)",
            origin: caller?.origin ?? .console, details: event.details)
        do throws(AccountError) { try await audit.append(note) } catch {
            if case .store(let failure) = error { throw .task(.store(failure)) }
            throw .unavailable("what is to be done could not be noted: \(error)")
        }
    }
}

extension TaskViewer {
    /// Whose administrative scope lets somebody see all tasks of a family: docs/protocol/tasks.md.
    static let families: [(name: String, scope: Scopes)] = [
        (BackupService.family, .backupsAdmin), ("recording", .callsAdmin),
    ]

    init(_ principal: Principal) {
        if principal.isAdmin {
            self = .everything
        } else {
            self = .some(
                of: principal.user,
                families: Set(Self.families.filter { principal.has($0.scope) }.map(\.name)))
        }
    }
}

extension Call {
    var tasks: TaskBoard {
        get throws(RequestFault) {
            guard let tasks = services.tasks else {
                throw .unavailable(reason: "This program keeps no tasks", retryAfter: 3_600)
            }
            return tasks
        }
    }

    var backups: BackupService {
        get throws(RequestFault) {
            guard let backups = services.backups else {
                throw .unavailable(reason: "This program makes no backups", retryAfter: 3_600)
            }
            return backups
        }
    }

    var backupCaller: BackupCaller {
        get throws(RequestFault) { BackupCaller(.principal(try principal), origin) }
    }

    var backupID: UUID {
        get throws(RequestFault) { try identifier("backup_id", BackupIDKind.self).uuid }
    }
}
