// Failures of the domain in design.md's words.

import Accounts
import Base
import Chat
import Signaling
import Store
import Wire

extension DesignFormat {
    func problem(for error: any Error) -> Problem? {
        if let error = error as? AccountError { return problem(of: error) }
        if let error = error as? CallError { return problem(of: error) }
        if let error = error as? ChatError { return problem(of: error) }
        if let error = error as? FileError { return problem(of: error) }
        if let error = error as? DownloadFault { return error.problem }
        if let error = error as? Tus.Fault { return error.problem }
        if let error = error as? StoreError { return problem(of: AccountError.store(error)) }
        return nil
    }

    private func problem(of error: CallError) -> Problem? {
        switch error {
        case .tooManyInitiations: error.problem(code: { _ in "RATE_LIMITED" })
        case .scopeMissing: error.problem(code: { _ in "FORBIDDEN" })
        case .account(let error): problem(of: error)
        case .store(let error): problem(of: AccountError.store(error))
        default: error.problem(code: { $0.uppercased() })
        }
    }

    /// The document: 409 for what exists already, 422 for what stands against the rules of chat as things are.
    private func problem(of error: ChatError) -> Problem {
        switch error {
        case .notFound: error.problem(code: "NOT_FOUND")
        case .forbidden(.lastOwner): error.problem(code: "LAST_OWNER", status: .unprocessableContent)
        case .forbidden(.archived): error.problem(code: "ARCHIVED", status: .unprocessableContent)
        case .forbidden: error.problem(code: "FORBIDDEN")
        case .validation: error.problem(code: "VALIDATION_ERROR", field: Self.name)
        case .messageTooLong: error.problem(code: "MESSAGE_TOO_LONG")
        case .versionConflict: error.problem(code: "VERSION_CONFLICT")
        case .alreadyMember: error.problem(code: "CONFLICT")
        case .full: error.problem(code: "CHANNEL_FULL", status: .unprocessableContent)
        case .invitationInvalid: error.problem(code: "INVITATION_INVALID")
        case .limitReached: error.problem(code: "LIMIT_EXCEEDED")
        case .throttled: error.problem(code: "RATE_LIMITED")
        case .account(let error): problem(of: error)
        case .store(let error): problem(of: AccountError.store(error))
        }
    }

    private static func name(_ field: ChatFault.Field) -> String {
        switch field {
        case .title: "name"
        case .participants: "members"
        case .messageType: "type"
        case .retention: "retention_seconds"
        case .encryptedData, .iv, .keyVersion, .ciphertext: "sealed.\(field.rawValue)"
        case .nonce: "sealed.ciphertext_nonce"
        case .recipientKeys: "sealed.encrypted_keys"
        default: field.rawValue
        }
    }

    private func problem(of error: FileError) -> Problem {
        switch error {
        case .notFound: error.problem(code: "NOT_FOUND")
        case .tooLarge: error.problem(code: "FILE_TOO_LARGE")
        case .empty: error.problem(code: "VALIDATION_ERROR")
        case .invalid: error.problem(code: "VALIDATION_ERROR")
        case .quotaExceeded: error.problem(code: "QUOTA_EXCEEDED")
        case .typeNotAllowed: error.problem(code: "FILE_TYPE_NOT_ALLOWED")
        case .virusDetected: error.problem(code: "VIRUS_DETECTED")
        case .unreadableImage: error.problem(code: "IMAGE_UNREADABLE")
        case .scanPending: error.problem(code: "SCAN_PENDING")
        case .notUploader: error.problem(code: "FORBIDDEN")
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
        case .mfaInvalid, .challengeInvalid: error.problem(code: "INVALID_CODE")
        case .tokenExpired: error.problem(code: "TOKEN_EXPIRED")
        case .tokenInvalid: error.problem(code: "UNAUTHORIZED")
        case .refreshInvalid, .refreshReused: error.problem(code: "INVALID_REFRESH_TOKEN")
        case .resetInvalid: error.problem(code: "INVALID_RESET_TOKEN")
        case .validation: error.problem(code: "VALIDATION_ERROR")
        case .alreadyExists: error.problem(code: "CONFLICT")
        case .notFound: error.problem(code: "NOT_FOUND")
        case .forbidden: error.problem(code: "FORBIDDEN")
        case .inactive: error.problem(code: "ACCOUNT_INACTIVE")
        case .throttled: error.problem(code: "RATE_LIMITED")
        case .limitReached: error.problem(code: "LIMIT_EXCEEDED")
        case .busy, .undeliverable, .store(.unavailable): error.problem(code: "SERVICE_UNAVAILABLE")
        case .store: error.problem(code: "INTERNAL_ERROR", status: .internalServerError)
        }
    }
}
