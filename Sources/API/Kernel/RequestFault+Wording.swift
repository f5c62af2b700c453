// The part of a failure's wording that all dialects share: status, sentence, details. Each adds its code and may
// choose another status where its document has one.

import Base
import Net
import Wire

extension RequestFault {
    func problem(code: String, status: HTTPStatus? = nil) -> Problem {
        Problem(status ?? self.status, code, message, details: details, retryAfter: retryAfter)
    }

    var status: HTTPStatus {
        switch self {
        case .malformed(let fault): fault.status
        case .invalidJSON, .validation: .badRequest
        case .unsupportedMediaType: .unsupportedMediaType
        case .bodyTooLarge: .contentTooLarge
        case .notFound: .notFound
        case .methodNotAllowed: .methodNotAllowed
        case .notBuiltYet: .notImplemented
        case .missingToken, .invalidToken, .expiredToken: .unauthorized
        case .missingCSRFToken, .foreignOrigin, .insufficientScope: .forbidden
        case .rateLimited: .tooManyRequests
        case .idempotencyMismatch: .unprocessableContent
        case .idempotencyPending: .conflict
        case .upgradeRequired: .upgradeRequired
        case .unavailable: .serviceUnavailable
        case .internalError: .internalServerError
        }
    }

    var message: String {
        switch self {
        case .malformed(let fault): fault.reason
        case .invalidJSON(let error): "The body is not valid JSON: \(error.reason)"
        case .validation(let fault): "\(fault.field) \(fault.reason)"
        case .unsupportedMediaType(let expected): "The body must be sent as \(expected)"
        case .bodyTooLarge(let limit): "The body is larger than \(limit) bytes"
        case .notFound: "There is nothing at this address"
        case .methodNotAllowed: "This address does not take this method"
        case .notBuiltYet(let what): "\(what) is not part of this version of the server"
        case .missingToken: "Authentication is required"
        case .invalidToken: "The token is not valid"
        case .expiredToken: "The token has expired"
        case .missingCSRFToken: "A request with the session cookie needs the X-CSRF-Token header"
        case .foreignOrigin: "Pages of this origin may not open sockets here (cors.origins)"
        case .insufficientScope: "The token does not permit this"
        case .rateLimited(let seconds): "Too many requests; try again in \(seconds) s"
        case .idempotencyMismatch: "This Idempotency-Key was used with another request"
        case .idempotencyPending: "A request with this Idempotency-Key has begun and its outcome is not known yet"
        case .upgradeRequired: "This address speaks WebSocket"
        case .unavailable(let reason, _): reason
        case .internalError: "The server failed to answer; the request id helps to find out why"
        }
    }

    private var details: JSONObject {
        switch self {
        case .malformed(let fault):
            fault.field.map { JSONObject([("field", .string($0)), ("reason", .string(fault.reason))]) } ?? JSONObject()
        case .invalidJSON(let error):
            JSONObject([
                ("field", .string("body")), ("reason", .string(error.reason)),
                ("offset", .integer(Int64(error.offset))),
            ])
        case .validation(let fault):
            JSONObject([("field", .string(fault.field)), ("reason", .string(fault.reason))])
        case .bodyTooLarge(let limit): JSONObject([("limit_bytes", .integer(Int64(limit)))])
        case .methodNotAllowed(let allowed):
            JSONObject([("allowed", .array(allowed.map { .string($0.rawValue) }))])
        case .insufficientScope(let needed):
            JSONObject([("required", .array(needed.map(JSONValue.string)))])
        case .rateLimited(let seconds): JSONObject([("retry_after", .integer(Int64(seconds)))])
        default: JSONObject()
        }
    }

    private var retryAfter: Int? {
        switch self {
        case .rateLimited(let seconds): seconds
        case .unavailable(_, let seconds): seconds
        case .idempotencyPending: 1
        default: nil
        }
    }
}
