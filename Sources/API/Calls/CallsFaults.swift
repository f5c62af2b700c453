// Failures of the domain in calls.md's words.

import Accounts
import Base
import Chat
import Signaling
import Store
import Wire

extension CallsFormat {
    func problem(for error: any Error) -> Problem? {
        if let error = error as? AccountError { return problem(of: error) }
        if let error = error as? CallError { return problem(of: error) }
        if let error = error as? ChatError { return problem(of: error) }
        if let error = error as? StoreError { return problem(of: AccountError.store(error)) }
        return nil
    }

    /// The document: 400 for a user who is in a call already, 422 for what does not validate, and `RATE_LIMITED`.
    private func problem(of error: CallError) -> Problem? {
        switch error {
        case .alreadyInCall: error.problem(code: { $0.uppercased() }, status: .badRequest)
        case .validation: error.problem(code: { $0.uppercased() }, status: .unprocessableContent)
        case .tooManyInitiations: error.problem(code: { _ in "RATE_LIMITED" })
        case .scopeMissing: error.problem(code: { _ in "FORBIDDEN" })
        case .account(let error): problem(of: error)
        case .store(let error): problem(of: AccountError.store(error))
        default: error.problem(code: { $0.uppercased() })
        }
    }

    /// The document: 409 for conflicting state, 422 for what does not validate.
    private func problem(of error: ChatError) -> Problem {
        switch error {
        case .notFound(.conversation): error.problem(code: "CONVERSATION_NOT_FOUND")
        case .notFound(.message): error.problem(code: "MESSAGE_NOT_FOUND")
        case .notFound(.user): error.problem(code: "USER_NOT_FOUND")
        case .notFound: error.problem(code: "NOT_FOUND")
        case .forbidden(.lastOwner): error.problem(code: "LAST_OWNER")
        case .forbidden(.archived): error.problem(code: "ARCHIVED")
        case .forbidden: error.problem(code: "FORBIDDEN")
        case .validation:
            error.problem(code: "VALIDATION_ERROR", status: .unprocessableContent, field: Self.name)
        case .messageTooLong: error.problem(code: "MESSAGE_TOO_LONG", status: .unprocessableContent)
        case .versionConflict: error.problem(code: "VERSION_CONFLICT")
        case .alreadyMember: error.problem(code: "ALREADY_MEMBER")
        case .full: error.problem(code: "CONVERSATION_FULL")
        case .invitationInvalid: error.problem(code: "INVITATION_INVALID")
        case .limitReached: error.problem(code: "LIMIT_EXCEEDED")
        case .throttled: error.problem(code: "RATE_LIMITED")
        case .account(let error): problem(of: error)
        case .store(let error): problem(of: AccountError.store(error))
        }
    }

    private static func name(_ field: ChatFault.Field) -> String {
        field == .nonce ? "ciphertext_nonce" : field.rawValue
    }

    private func problem(of error: AccountError) -> Problem {
        switch error {
        case .invalidCredentials: error.problem(code: "UNAUTHORIZED")
        case .mfaRequired: error.problem(code: "MFA_REQUIRED")
        case .mfaInvalid, .challengeInvalid: error.problem(code: "UNAUTHORIZED")
        case .tokenExpired: error.problem(code: "TOKEN_EXPIRED")
        case .tokenInvalid: error.problem(code: "UNAUTHORIZED")
        case .refreshInvalid, .refreshReused: error.problem(code: "UNAUTHORIZED")
        case .resetInvalid: error.problem(code: "BAD_REQUEST")
        case .validation: error.problem(code: "VALIDATION_ERROR", status: .unprocessableContent)
        case .alreadyExists: error.problem(code: "CONFLICT")
        case .notFound: error.problem(code: "NOT_FOUND")
        case .forbidden: error.problem(code: "FORBIDDEN")
        case .inactive: error.problem(code: "FORBIDDEN")
        case .throttled: error.problem(code: "RATE_LIMITED")
        case .limitReached: error.problem(code: "LIMIT_EXCEEDED")
        case .busy, .undeliverable, .store(.unavailable): error.problem(code: "SERVICE_UNAVAILABLE")
        case .store: error.problem(code: "INTERNAL_ERROR", status: .internalServerError)
        }
    }
}
