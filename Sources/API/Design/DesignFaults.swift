// Failures of the domain in design.md's words.

import Accounts
import Base
import Signaling
import Store
import Wire

extension DesignFormat {
    func problem(for error: any Error) -> Problem? {
        if let error = error as? AccountError { return problem(of: error) }
        if let error = error as? CallError { return problem(of: error) }
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
