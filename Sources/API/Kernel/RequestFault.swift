// What can be wrong with a request before an operation sees it: the same in all dialects, worded by each.

package import Net
package import Wire

package enum RequestFault: Error, Sendable {
    /// Framing, size or time; found by the HTTP server.
    case malformed(HTTPFault)
    case invalidJSON(JSONError)
    case validation(FieldFault)
    case unsupportedMediaType(expected: String)
    case bodyTooLarge(limit: Int)
    case notFound
    /// Another method would do: `allowed` goes into `Allow`.
    case methodNotAllowed(allowed: [HTTPMethod])
    /// In one of the documents, but not in this version of the server.
    case notBuiltYet(what: String)
    case missingToken
    case invalidToken
    case expiredToken
    /// A cookie came without the header that proves the page may use it.
    case missingCSRFToken
    /// A page of another origin would open a socket.
    case foreignOrigin
    case insufficientScope(needed: [String])
    case rateLimited(retryAfter: Int)
    /// The same Idempotency-Key came with another request.
    case idempotencyMismatch
    /// The first request with this Idempotency-Key is still running, or was cut off.
    case idempotencyPending
    case upgradeRequired
    case unavailable(reason: String, retryAfter: Int)
    case internalError
}
