// The part of an account failure's wording that all dialects share; each adds its code.

import Accounts
import Base
import Net
import Store
import Wire

extension AccountError {
    func problem(code: String, status: HTTPStatus? = nil) -> Problem {
        Problem(status ?? self.status, code, message, details: details, retryAfter: retryAfter)
    }

    /// A field that the domain refuses is worded like one that the schema refused.
    var fieldFault: FieldFault? {
        guard case .validation(let fault) = self else { return nil }
        let rule: FieldFault.Rule =
            switch fault.rule {
            case .required: .required
            case .format: .format
            case .tooShort, .tooLong: .length
            case .value: .value
            }
        return FieldFault(fault.field.rawValue, rule, fault.message)
    }

    private var status: HTTPStatus {
        switch self {
        case .invalidCredentials, .mfaRequired, .mfaInvalid, .challengeInvalid, .tokenExpired, .tokenInvalid,
            .refreshInvalid, .refreshReused:
            .unauthorized
        case .resetInvalid, .validation: .badRequest
        case .alreadyExists: .conflict
        case .notFound: .notFound
        case .forbidden, .inactive, .limitReached: .forbidden
        case .throttled: .tooManyRequests
        case .busy, .undeliverable, .store: .serviceUnavailable
        }
    }

    private var message: String {
        switch self {
        case .invalidCredentials: "The name or the password is wrong"
        case .mfaRequired: "Multi-factor authentication required"
        case .mfaInvalid: "The code is wrong or was used before"
        case .challengeInvalid: "This login has expired; begin again"
        case .tokenExpired: "The token has expired"
        case .tokenInvalid: "The token is not valid"
        case .refreshInvalid: "The refresh token is not valid"
        case .refreshReused: "The refresh token was used before; its session has ended"
        case .resetInvalid: "The reset token is not valid or has expired"
        case .validation(let fault): "\(fault.field.rawValue): \(fault.message)"
        case .alreadyExists(let field): "This \(field.rawValue) is taken"
        case .notFound: "There is no such account or item"
        case .forbidden(let reason): Self.sentence(reason)
        case .inactive: "The account is deactivated"
        case .throttled: "Too many failed attempts; wait before the next one"
        case .limitReached(let count): "There are \(count) of this kind already; remove one first"
        case .busy: "Too many logins are waiting; try again in a moment"
        case .undeliverable: "The message could not be sent; the server's mail or SMS service is not available"
        case .store(.unavailable(let reason)): "The database is not available: \(reason)"
        case .store: "The database refused the operation"
        }
    }

    private static func sentence(_ reason: ForbiddenReason) -> String {
        switch reason {
        case .administratorsOnly: "Only an administrator may do this"
        case .selfOrAdministrator: "Only the account's owner or an administrator may do this"
        case .sessionRequired: "This needs a login; an API key or issued token is not enough"
        case .lastAdministrator: "The last administrator cannot be removed"
        case .registrationClosed: "Registration is closed on this server"
        case .scopeExceeded: "A token cannot be given more than its giver and its holder have"
        }
    }

    private var details: JSONObject {
        switch self {
        case .validation(let fault):
            JSONObject([("field", .string(fault.field.rawValue)), ("reason", .string(fault.message))])
        case .alreadyExists(let field):
            JSONObject([("field", .string(field.rawValue)), ("reason", .string("is taken"))])
        case .mfaRequired(let challenge): challenge.details
        case .forbidden(let reason): JSONObject([("reason", .string(reason.rawValue))])
        case .throttled: JSONObject([("retry_after", .integer(Int64(retryAfter ?? 1)))])
        default: JSONObject()
        }
    }

    private var retryAfter: Int? {
        switch self {
        case .throttled(let wait): max(1, Int(wait.inSeconds.rounded(.up)))
        case .busy, .store(.unavailable): 1
        default: nil
        }
    }
}
