// design.md's envelopes: `{success, data, meta}` and `{success: false, error: {code, message, details}, meta}`.

import Accounts
import Base
import Net
import Wire

struct DesignFormat: DialectFormat {
    func envelope(_ problem: Problem, _ context: EnvelopeContext) -> Bytes {
        var json = JSONWriter()
        json.object { json in
            json.field("success", false)
            json.object("error") { json in
                json.field("code", problem.code)
                json.field("message", problem.message)
                json.field("details", JSONValue.object(problem.details))
            }
            DesignPresenter.meta(context, into: &json)
        }
        return json.bytes
    }

    let errorSchema = Schema.named(
        "DesignError",
        .object([
            .required("success", .boolean),
            .required(
                "error",
                .object([
                    .required("code", .text), .required("message", .text), .required("details", .map(.any, limit: 64)),
                ])),
            .required("meta", DesignPresenter.metaSchema),
        ]))

    func problem(for fault: RequestFault) -> Problem {
        switch fault {
        case .malformed, .invalidJSON: fault.problem(code: "BAD_REQUEST")
        case .validation: fault.problem(code: "VALIDATION_ERROR")
        case .unsupportedMediaType: fault.problem(code: "UNSUPPORTED_MEDIA_TYPE")
        case .bodyTooLarge: fault.problem(code: "PAYLOAD_TOO_LARGE")
        case .notFound: fault.problem(code: "NOT_FOUND")
        case .methodNotAllowed: fault.problem(code: "METHOD_NOT_ALLOWED")
        case .notBuiltYet: fault.problem(code: "NOT_IMPLEMENTED")
        case .missingToken, .invalidToken: fault.problem(code: "UNAUTHORIZED")
        case .expiredToken: fault.problem(code: "TOKEN_EXPIRED")
        case .missingCSRFToken, .foreignOrigin, .insufficientScope: fault.problem(code: "FORBIDDEN")
        case .rateLimited: fault.problem(code: "RATE_LIMITED")
        case .idempotencyMismatch: fault.problem(code: "IDEMPOTENCY_MISMATCH")
        case .idempotencyPending: fault.problem(code: "CONFLICT")
        case .upgradeRequired: fault.problem(code: "UPGRADE_REQUIRED")
        case .unavailable: fault.problem(code: "SERVICE_UNAVAILABLE")
        case .internalError: fault.problem(code: "INTERNAL_ERROR")
        }
    }
}
