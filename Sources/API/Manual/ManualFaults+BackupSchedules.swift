// Failures of schedules of backups in manual.md's words.

import Backup
import Base
import Wire

extension ManualFormat {
    func problem(of error: BackupScheduleError) -> Problem {
        switch error {
        case .invalid(let field, let reason): problem(for: .validation(FieldFault(field, .value, reason)))
        case .notFound: Problem(.notFound, "not_found", error.description)
        case .limitReached: Problem(.forbidden, "quota_exceeded", error.description)
        case .store(let failure): problem(for: failure as any Error) ?? problem(for: RequestFault.internalError)
        }
    }
}
