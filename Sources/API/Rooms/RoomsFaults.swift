// Failures of the domain in rooms.md's words.

import Accounts
import Base
import Store
import Wire

extension RoomsFormat {
    func problem(for error: any Error) -> Problem? {
        if let error = error as? AccountError { return problem(of: error) }
        if let error = error as? StoreError { return problem(of: .store(error)) }
        return nil
    }

    private func problem(of error: AccountError) -> Problem {
        switch error {
        case .invalidCredentials: error.problem(code: "AUTH_INVALID_CREDENTIALS")
        case .mfaRequired: error.problem(code: "AUTH_MFA_REQUIRED")
        case .mfaInvalid, .challengeInvalid: error.problem(code: "AUTH_INVALID_CREDENTIALS")
        case .tokenExpired: error.problem(code: "AUTH_TOKEN_EXPIRED")
        case .tokenInvalid: error.problem(code: "AUTH_TOKEN_INVALID")
        case .refreshInvalid, .refreshReused: error.problem(code: "AUTH_REFRESH_TOKEN_INVALID")
        case .resetInvalid: error.problem(code: "AUTH_TOKEN_INVALID")
        case .validation:
            error.problem(
                code: Self.code(for: error.fieldFault?.rule ?? .value), status: .unprocessableContent)
        case .alreadyExists: error.problem(code: "RESOURCE_ALREADY_EXISTS")
        case .notFound: error.problem(code: "AUTH_USER_NOT_FOUND")
        case .forbidden: error.problem(code: "RESOURCE_ACCESS_DENIED")
        case .inactive: error.problem(code: "AUTH_USER_INACTIVE")
        case .throttled: error.problem(code: "RATE_LIMIT_EXCEEDED")
        case .limitReached: error.problem(code: "RESOURCE_LIMIT_EXCEEDED")
        case .busy, .undeliverable, .store(.unavailable): error.problem(code: "SERVICE_UNAVAILABLE")
        case .store: error.problem(code: "INTERNAL_ERROR", status: .internalServerError)
        }
    }
}
