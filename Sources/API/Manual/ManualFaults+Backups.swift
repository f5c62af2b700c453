// Failures of backups and tasks in manual.md's words.

import Backup
import Base
import Tasks

extension ManualFormat {
    func problem(of error: BackupServiceError) -> Problem {
        switch error.kind {
        case .invalid: error.problem(code: "invalid_payload")
        case .notFound: error.problem(code: "not_found")
        case .conflict: error.problem(code: "conflict")
        case .inProgress: error.problem(code: "backup_in_progress")
        case .quotaExceeded: error.problem(code: "quota_exceeded")
        case .unavailable: error.problem(code: "service_unavailable")
        }
    }

    func problem(of error: TaskError) -> Problem { problem(of: BackupServiceError.task(error)) }
}
