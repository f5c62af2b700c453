// Schedules of backups, as rows reach them, and what is noted of them.

package import Accounts
package import Backup
import Base
package import Store
import Wire

/// What happens to schedules stands in the audit log, together with the change that it tells of.
package struct AuditedSchedules: BackupScheduleEvents {
    private let audit: AuditLog

    package init(_ audit: AuditLog) { self.audit = audit }

    package func note(_ event: BackupScheduleEvent, in transaction: any Transaction) async throws(StoreError) {
        let caller = event.actor as? BackupCaller
        let hasFailed = [.missed, .skipped, .failed].contains(event.action)
        let note = AuditEvent(
            time: event.time, actor: event.actor?.user, action: event.action.rawValue,
            severity: hasFailed || event.action == .removed ? .warning : .info,
            outcome: hasFailed ? .failure : .success, target: "\(event.schedule)",
            origin: caller?.origin ?? .console, details: event.details)
        do throws(AccountError) { try await AuditLog.append(note, in: transaction) } catch {
            if case .store(let failure) = error { throw failure }
            throw .unavailable("what is to be done could not be noted: \(error)")
        }
    }

    package func noted() { audit.sealSoon() }
}

extension Call {
    var backupSchedules: BackupSchedules {
        get throws(RequestFault) {
            guard let schedules = services.backupSchedules else {
                throw .unavailable(reason: "This program makes no backups", retryAfter: 3_600)
            }
            return schedules
        }
    }
}
