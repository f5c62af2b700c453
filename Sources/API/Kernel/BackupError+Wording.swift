// Failures of backups and tasks in the words that all dialects share: what they are, a sentence, details. Each dialect has
// its own codes for what they are.

import Backup
import Base
import Net
import Tasks
import Wire

/// What a failure is, whatever a dialect calls it.
enum BackupProblem {
    case invalid(FieldFault)
    case notFound, conflict, inProgress, quotaExceeded, unavailable
}

extension BackupServiceError {
    /// Seconds after which an operator may have mounted a disk.
    private static let retryAfter = 60

    var kind: BackupProblem {
        switch self {
        case .invalid(let field, let reason): .invalid(FieldFault(field, .value, reason))
        case .notFound, .task(.notFound): .notFound
        case .conflict, .task(.ended): .conflict
        case .busy, .repository(.locked), .task(.busy): .inProgress
        case .tooLarge: .quotaExceeded
        case .noPlaces, .unavailable, .repository, .task: .unavailable
        }
    }

    /// `code` is the dialect's.
    func problem(code: String) -> Problem {
        switch kind {
        case .invalid(let fault): RequestFault.validation(fault).problem(code: code)
        case .notFound: Problem(.notFound, code, description)
        case .conflict: Problem(.conflict, code, description)
        case .inProgress: Problem(.conflict, code, description, details: progressDetails)
        case .quotaExceeded: Problem(.contentTooLarge, code, description, details: quotaDetails)
        case .unavailable: Problem(.serviceUnavailable, code, sentence, retryAfter: Self.retryAfter)
        }
    }

    /// A database's own words are for the log.
    private var sentence: String {
        if case .task(.store) = self { return "The database is not available" }
        return description
    }

    private var progressDetails: JSONObject {
        let remedy = ("remedy", JSONValue.string("follow the task, or wait, and try again"))
        switch self {
        case .busy(let id), .task(.busy(let id, _)):
            return JSONObject([("task_id", .string("\(id)")), remedy])
        case .repository(.locked(let holder, let purpose, let since)):
            return JSONObject([
                ("holder", .string(holder)), ("purpose", .string(purpose)), ("since", .string(since.rfc3339)), remedy,
            ])
        default: return JSONObject([remedy])
        }
    }

    private var quotaDetails: JSONObject {
        guard case .tooLarge(let bytes, let limit) = self else { return JSONObject() }
        return JSONObject([
            ("quota_bytes", .integer(Int64(clamping: limit))), ("current_usage", .integer(Int64(clamping: bytes))),
        ])
    }
}
