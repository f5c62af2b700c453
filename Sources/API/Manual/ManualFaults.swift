// Failures of the domain in manual.md's words.

import Accounts
import Backup
import Base
import Signaling
import Store
import Tasks
import Vault
import Wire

extension ManualFormat {
    func problem(for error: any Error) -> Problem? {
        if let error = error as? AccountError { return problem(of: error) }
        if let error = error as? CallError { return problem(of: error) }
        if let error = error as? RecordingError { return error.problem }
        if let error = error as? ClientSettingError { return problem(of: error) }
        if let fault = error as? DownloadFault { return problem(of: fault) }
        if let error = error as? KeyFault { return problem(of: error) }
        if let error = error as? BackupServiceError { return problem(of: error) }
        if let error = error as? BackupScheduleError { return problem(of: error) }
        if let error = error as? TaskError { return problem(of: error) }
        if let error = error as? StoreError { return problem(of: AccountError.store(error)) }
        return nil
    }

    func problem(of error: ClientSettingError) -> Problem {
        switch error {
        case .invalid(let field, let reason): problem(for: .validation(FieldFault(field, .value, reason)))
        case .notFound: Problem(.notFound, "not_found", "There is no such setting")
        case .preconditionFailed:
            Problem(
                .preconditionFailed, "precondition_failed",
                "The setting is not as If-Match or If-None-Match says; read it again")
        case .valueTooLarge(let limit):
            Problem(
                .contentTooLarge, "payload_too_large", "The value is larger than \(limit) bytes of JSON",
                details: JSONObject([("limit_bytes", .integer(Int64(limit)))]))
        case .quotaExceeded(let usage):
            Problem(.forbidden, "quota_exceeded", "User settings quota exceeded", details: usage.details)
        case .imageTooLarge(let limit):
            Problem(
                .contentTooLarge, "payload_too_large", "The image is larger than \(limit) bytes",
                details: JSONObject([("limit_bytes", .integer(Int64(limit)))]))
        case .imageQuotaExceeded(let usage):
            Problem(.forbidden, "quota_exceeded", "User storage quota exceeded", details: usage.details)
        case .image(let refusal): problem(of: refusal)
        case .account(let error): problem(of: error)
        case .store(let error): problem(of: AccountError.store(error))
        }
    }

    private func problem(of refusal: ClientImageRefusal) -> Problem {
        switch refusal {
        case .typeNotAllowed:
            Problem(.unsupportedMediaType, "unsupported_media_type", "The file is no image of a kind that is taken")
        case .virus: Problem(.badRequest, "virus_detected", "The file was found to be infected")
        case .damaged(let reason):
            problem(for: .validation(FieldFault(FileForm.fileField, .format, reason)))
        case .unavailable(let reason): problem(for: .unavailable(reason: reason, retryAfter: 60))
        }
    }

    private func problem(of fault: DownloadFault) -> Problem {
        var problem = fault.problem
        problem.code = problem.code.lowercased()
        return problem
    }

    private func problem(of fault: KeyFault) -> Problem {
        switch fault {
        case .account(let error): problem(of: error)
        case .key(let error): problem(of: error)
        }
    }

    private func problem(of error: KeyError) -> Problem {
        let text = error.description
        switch error {
        case .unknownKey, .unknownVersion: return Problem(.notFound, "not_found", text)
        case .state, .kind: return Problem(.conflict, "conflict", text)
        case .inUse(let count, let what):
            let info = JSONObject([
                ("uses", .integer(Int64(count))), ("what", .string(what)),
                ("remedy", .string("wait until they are sealed anew, or repeat with force=true and lose them")),
            ])
            return Problem(.conflict, "key_in_use", text, details: info)
        case .invalid: return Problem(.badRequest, "invalid_payload", text)
        case .limitReached: return Problem(.forbidden, "quota_exceeded", text)
        case .contended: return Problem(.conflict, "conflict", text, retryAfter: 1)
        case .repository(_, isPassing: true):
            return Problem(.serviceUnavailable, "service_unavailable", text, retryAfter: 1)
        // The text is for the operator, who finds it in the log.
        case .vault, .corrupt, .repository:
            return Problem(.serviceUnavailable, "service_unavailable", "The key vault is not available")
        }
    }

    private func problem(of error: CallError) -> Problem? {
        switch error {
        case .validation: error.problem(code: { _ in "invalid_payload" })
        // The document's word for every "not allowed".
        case .notHost: error.problem(code: { _ in "insufficient_scope" })
        case .account(let error): problem(of: error)
        case .store(let error): problem(of: AccountError.store(error))
        default: error.problem(code: { $0 })
        }
    }

    private func problem(of error: AccountError) -> Problem {
        switch error {
        case .invalidCredentials: error.problem(code: "invalid_credentials")
        case .mfaRequired: error.problem(code: "mfa_required")
        case .mfaInvalid, .challengeInvalid: error.problem(code: "mfa_invalid")
        case .tokenExpired: error.problem(code: "invalid_token")
        case .tokenInvalid: error.problem(code: "invalid_token")
        case .refreshInvalid, .refreshReused: error.problem(code: "invalid_token")
        case .resetInvalid: error.problem(code: "invalid_payload")
        case .validation: error.problem(code: "invalid_payload")
        case .alreadyExists: error.problem(code: "conflict")
        case .notFound: error.problem(code: "not_found")
        case .forbidden: error.problem(code: "insufficient_scope")
        case .inactive: error.problem(code: "account_inactive")
        case .throttled: error.problem(code: "too_many_requests")
        case .limitReached: error.problem(code: "quota_exceeded")
        case .busy, .undeliverable, .store(.unavailable): error.problem(code: "service_unavailable")
        case .store: error.problem(code: "internal_error", status: .internalServerError)
        }
    }
}

extension ClientSettingUsage {
    fileprivate var details: JSONObject {
        JSONObject([
            ("quota_bytes", .integer(Int64(bytesMax))), ("current_usage", .integer(Int64(bytes))),
            ("quota_count", .integer(Int64(countMax))), ("current_count", .integer(Int64(count))),
        ])
    }
}

extension BlobUsage {
    fileprivate var details: JSONObject {
        JSONObject([("quota_bytes", limit.map { .integer($0) } ?? .null), ("current_usage", .integer(used + reserved))])
    }
}
