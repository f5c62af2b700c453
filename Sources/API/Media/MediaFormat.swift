// Failures of WHIP and WHEP as problem details (RFC 9457): `{title, status, detail, code, request_id, info}`. `type` is
// left out, which means `about:blank`; a program should look at `code`, which is manual.md's where that has one.

import Base
import Net
import Wire

struct MediaFormat: DialectFormat {
    let errorType = "application/problem+json"

    func envelope(_ problem: Problem, _ context: EnvelopeContext) -> Bytes {
        var json = JSONWriter()
        json.object { json in
            json.field("title", "\(problem.status.reason)")
            json.field("status", problem.status.code)
            json.field("detail", problem.message)
            json.field("code", problem.code)
            json.field("request_id", context.requestID)
            json.field("info", JSONValue.object(problem.details))
        }
        return json.bytes
    }

    let errorSchema = Schema.named(
        "MediaProblem",
        .object([
            .required("title", .text), .required("status", .integer(400...599)),
            .required("detail", .text), .required("code", .text), .required("request_id", .text),
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
