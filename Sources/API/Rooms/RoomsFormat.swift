// rooms.md's errors: `{success: false, error: {code, message, details}}` with the listed codes.

import Accounts
import Base
import Net
import Wire

struct RoomsFormat: DialectFormat {
    func envelope(_ problem: Problem, _ context: EnvelopeContext) -> Bytes {
        var json = JSONWriter()
        json.object { json in
            json.field("success", false)
            json.object("error") { json in
                json.field("code", problem.code)
                json.field("message", problem.message)
                json.field("details", JSONValue.object(problem.details))
            }
        }
        return json.bytes
    }

    let errorSchema = Schema.named(
        "RoomsError",
        .object([
            .required("success", .boolean),
            .required(
                "error",
                .object([
                    .required("code", .text), .required("message", .text), .required("details", .map(.any, limit: 64)),
                ])),
        ]))

    func problem(for fault: RequestFault) -> Problem {
        switch fault {
        case .malformed, .invalidJSON: fault.problem(code: "VALIDATION_INVALID_FORMAT")
        case .validation(let validation):
            fault.problem(code: Self.code(for: validation.rule), status: .unprocessableContent)
        case .unsupportedMediaType: fault.problem(code: "VALIDATION_INVALID_FORMAT")
        case .bodyTooLarge: fault.problem(code: "VALIDATION_LENGTH_EXCEEDED")
        case .notFound, .methodNotAllowed, .notBuiltYet: fault.problem(code: "RESOURCE_NOT_FOUND")
        case .missingToken, .invalidToken: fault.problem(code: "AUTH_TOKEN_INVALID")
        case .expiredToken: fault.problem(code: "AUTH_TOKEN_EXPIRED")
        case .missingCSRFToken, .foreignOrigin, .insufficientScope: fault.problem(code: "RESOURCE_ACCESS_DENIED")
        case .rateLimited: fault.problem(code: "RATE_LIMIT_EXCEEDED")
        case .idempotencyMismatch: fault.problem(code: "VALIDATION_INVALID_VALUE")
        case .idempotencyPending: fault.problem(code: "RESOURCE_ALREADY_EXISTS")
        // The document lists no code for the server's own failures; these three are ours.
        case .upgradeRequired: fault.problem(code: "UPGRADE_REQUIRED")
        case .unavailable: fault.problem(code: "SERVICE_UNAVAILABLE")
        case .internalError: fault.problem(code: "INTERNAL_ERROR")
        }
    }

    static func code(for rule: FieldFault.Rule) -> String {
        switch rule {
        case .required: "VALIDATION_REQUIRED_FIELD"
        case .format: "VALIDATION_INVALID_FORMAT"
        case .length: "VALIDATION_LENGTH_EXCEEDED"
        case .value: "VALIDATION_INVALID_VALUE"
        }
    }
}
