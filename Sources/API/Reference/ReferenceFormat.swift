// reference.md's errors: `{"error": {code, message, details, request_id, timestamp}}`.

import Accounts
import Base
import Net
import Wire

struct ReferenceFormat: DialectFormat {
    func envelope(_ problem: Problem, _ context: EnvelopeContext) -> Bytes {
        var json = JSONWriter()
        json.object { json in
            json.object("error") { json in
                json.field("code", problem.code)
                json.field("message", problem.message)
                json.field("details", JSONValue.object(problem.details))
                // The document's rate-limit answer has it here.
                if let seconds = problem.retryAfter { json.field("retry_after", seconds) }
                json.field("request_id", context.requestID)
                json.field("timestamp", context.time)
            }
        }
        return json.bytes
    }

    let errorSchema = Schema.named(
        "ReferenceError",
        .object([
            .required(
                "error",
                .object([
                    .required("code", .text), .required("message", .text),
                    .required("details", .map(.any, limit: 64)), .optional("retry_after", .count),
                    .required("request_id", .text), .required("timestamp", .dateTime),
                ]))
        ]))

    func problem(for fault: RequestFault) -> Problem {
        switch fault {
        case .malformed, .invalidJSON: fault.problem(code: "BAD_REQUEST")
        case .validation: fault.problem(code: "VALIDATION_ERROR", status: .unprocessableContent)
        case .unsupportedMediaType: fault.problem(code: "UNSUPPORTED_MEDIA_TYPE")
        case .bodyTooLarge: fault.problem(code: "PAYLOAD_TOO_LARGE")
        case .notFound: fault.problem(code: "RESOURCE_NOT_FOUND")
        case .methodNotAllowed: fault.problem(code: "METHOD_NOT_ALLOWED")
        case .notBuiltYet: fault.problem(code: "NOT_IMPLEMENTED")
        case .missingToken, .invalidToken: fault.problem(code: "AUTHENTICATION_REQUIRED")
        case .expiredToken: fault.problem(code: "TOKEN_EXPIRED")
        case .missingCSRFToken, .foreignOrigin, .insufficientScope: fault.problem(code: "INSUFFICIENT_PERMISSIONS")
        case .rateLimited: fault.problem(code: "RATE_LIMIT_EXCEEDED")
        case .idempotencyMismatch: fault.problem(code: "IDEMPOTENCY_MISMATCH")
        case .idempotencyPending: fault.problem(code: "IDEMPOTENCY_PENDING")
        case .upgradeRequired: fault.problem(code: "UPGRADE_REQUIRED")
        case .unavailable: fault.problem(code: "SERVICE_UNAVAILABLE")
        case .internalError: fault.problem(code: "INTERNAL_SERVER_ERROR")
        }
    }
}
