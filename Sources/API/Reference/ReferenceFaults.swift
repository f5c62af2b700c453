// Failures of the domain in reference.md's words.

import Accounts
import Backup
import Base
import Chat
import Store
import Wire

extension ReferenceFormat {
    func problem(for error: any Error) -> Problem? {
        if let error = error as? AccountError { return problem(of: error) }
        if let error = error as? ChatError { return problem(of: error) }
        if let error = error as? FileError { return problem(of: error) }
        if let error = error as? DownloadFault { return error.problem }
        if let error = error as? BackupServiceError { return problem(of: error) }
        if let error = error as? StoreError { return problem(of: AccountError.store(error)) }
        return nil
    }

    private func problem(of error: ChatError) -> Problem {
        switch error {
        case .notFound: error.problem(code: "RESOURCE_NOT_FOUND")
        case .forbidden(.lastOwner), .forbidden(.archived): error.problem(code: "CONFLICT")
        case .forbidden: error.problem(code: "INSUFFICIENT_PERMISSIONS")
        case .validation:
            error.problem(code: "VALIDATION_ERROR", status: .unprocessableContent, field: Self.name)
        case .messageTooLong: error.problem(code: "VALIDATION_ERROR", status: .unprocessableContent)
        case .versionConflict, .full: error.problem(code: "CONFLICT")
        case .alreadyMember: error.problem(code: "RESOURCE_ALREADY_EXISTS")
        case .invitationInvalid: error.problem(code: "RESOURCE_NOT_FOUND")
        case .limitReached: error.problem(code: "LIMIT_EXCEEDED")
        case .throttled: error.problem(code: "RATE_LIMIT_EXCEEDED")
        case .account(let error): problem(of: error)
        case .store(let error): problem(of: AccountError.store(error))
        }
    }

    private static func name(_ field: ChatFault.Field) -> String {
        field == .messageType ? "content_type" : field.rawValue
    }

    private func problem(of error: FileError) -> Problem {
        switch error {
        case .notFound: error.problem(code: "RESOURCE_NOT_FOUND")
        case .tooLarge: error.problem(code: "FILE_TOO_LARGE")
        case .empty: error.problem(code: "VALIDATION_ERROR", status: .unprocessableContent)
        case .invalid: error.problem(code: "VALIDATION_ERROR", status: .unprocessableContent)
        case .quotaExceeded: error.problem(code: "QUOTA_EXCEEDED")
        case .typeNotAllowed: error.problem(code: "FILE_TYPE_NOT_ALLOWED")
        case .virusDetected: error.problem(code: "VIRUS_DETECTED")
        case .unreadableImage: error.problem(code: "IMAGE_UNREADABLE")
        case .scanPending: error.problem(code: "SCAN_PENDING")
        case .notUploader: error.problem(code: "INSUFFICIENT_PERMISSIONS")
        case .limitReached: error.problem(code: "LIMIT_EXCEEDED")
        case .unavailable: error.problem(code: "SERVICE_UNAVAILABLE")
        case .uploadBusy, .wrongOffset, .checksumMismatch: error.problem(code: "CONFLICT")
        case .uploadOver: error.problem(code: "UPLOAD_OVER")
        case .chat(let error): problem(of: error)
        case .store(let error): problem(of: AccountError.store(error))
        }
    }

    private func problem(of error: AccountError) -> Problem {
        switch error {
        case .invalidCredentials: error.problem(code: "INVALID_CREDENTIALS")
        case .mfaRequired: error.problem(code: "MFA_REQUIRED")
        case .mfaInvalid, .challengeInvalid: error.problem(code: "INVALID_CREDENTIALS")
        case .tokenExpired: error.problem(code: "TOKEN_EXPIRED")
        case .tokenInvalid: error.problem(code: "AUTHENTICATION_REQUIRED")
        case .refreshInvalid, .refreshReused: error.problem(code: "INVALID_CREDENTIALS")
        case .resetInvalid: error.problem(code: "VALIDATION_ERROR")
        case .validation: error.problem(code: "VALIDATION_ERROR", status: .unprocessableContent)
        case .alreadyExists: error.problem(code: "RESOURCE_ALREADY_EXISTS")
        case .notFound: error.problem(code: "RESOURCE_NOT_FOUND")
        case .forbidden: error.problem(code: "INSUFFICIENT_PERMISSIONS")
        case .inactive: error.problem(code: "INSUFFICIENT_PERMISSIONS")
        case .throttled: error.problem(code: "RATE_LIMIT_EXCEEDED")
        case .limitReached: error.problem(code: "LIMIT_EXCEEDED")
        case .busy, .undeliverable, .store(.unavailable): error.problem(code: "SERVICE_UNAVAILABLE")
        case .store: error.problem(code: "INTERNAL_SERVER_ERROR", status: .internalServerError)
        }
    }
}
