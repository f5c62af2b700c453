// Failures of the domain in reference.md's words.

import Accounts
import Base
import Store
import Wire

extension ReferenceFormat {
    func problem(for error: any Error) -> Problem? {
        if let error = error as? AccountError { return problem(of: error) }
        if let error = error as? StoreError { return problem(of: .store(error)) }
        return nil
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
