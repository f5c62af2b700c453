// manual.md's errors: `{code, detail, request_id, info}` with snake_case codes.

import Accounts
import Base
import Net
import Wire

struct ManualFormat: DialectFormat {
    func envelope(_ problem: Problem, _ context: EnvelopeContext) -> Bytes {
        var json = JSONWriter()
        json.object { json in
            json.field("code", problem.code)
            json.field("detail", problem.message)
            // The document: "echo of X-Request-ID if provided".
            json.field("request_id", context.requestIDIsFromClient ? context.requestID : nil)
            json.field("info", JSONValue.object(problem.details))
        }
        return json.bytes
    }

    let errorSchema = Schema.named(
        "ManualError",
        .object([
            .required("code", .text), .required("detail", .text), .required("request_id", .nullable(.text)),
            .required("info", .map(.any, limit: 64)),
        ]))

    func problem(for fault: RequestFault) -> Problem {
        switch fault {
        case .malformed, .invalidJSON, .validation: fault.problem(code: "invalid_payload")
        case .unsupportedMediaType: fault.problem(code: "unsupported_media_type")
        case .bodyTooLarge: fault.problem(code: "payload_too_large")
        case .notFound: fault.problem(code: "not_found")
        case .methodNotAllowed: fault.problem(code: "method_not_allowed")
        case .notBuiltYet: fault.problem(code: "not_implemented")
        case .missingToken, .invalidToken, .expiredToken: fault.problem(code: "invalid_token")
        case .missingCSRFToken: fault.problem(code: "csrf_token_required")
        case .foreignOrigin: fault.problem(code: "foreign_origin")
        case .insufficientScope: fault.problem(code: "insufficient_scope")
        case .rateLimited: fault.problem(code: "too_many_requests")
        case .idempotencyMismatch: fault.problem(code: "idempotency_mismatch")
        case .idempotencyPending: fault.problem(code: "idempotency_pending")
        case .upgradeRequired: fault.problem(code: "upgrade_required")
        case .unavailable: fault.problem(code: "service_unavailable")
        case .internalError: fault.problem(code: "internal_error")
        }
    }
}
