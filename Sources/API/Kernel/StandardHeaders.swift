// Headers that every answer carries: design.md's security headers, request ids, rate limits, CORS.

import Base
import Net
import Wire

enum SecurityHeaders {
    /// Written once: every answer appends one of these blocks.
    static let plain = table(isSecure: false, defaultPolicy)
    static let secure = table(isSecure: true, defaultPolicy)

    private static let defaultPolicy = "default-src 'self'"

    static func headers(isSecure: Bool, policy: String?) -> ResponseHeaders {
        if let policy { return table(isSecure: isSecure, policy) }
        return isSecure ? secure : plain
    }

    /// design.md's table. HSTS is only for connections that are secure already (RFC 6797 §7.2).
    private static func table(isSecure: Bool, _ policy: String) -> ResponseHeaders {
        var headers = ResponseHeaders([
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "X-XSS-Protection": "1; mode=block",
            "Content-Security-Policy": policy,
            "Referrer-Policy": "no-referrer",
        ])
        if isSecure { headers.add("Strict-Transport-Security", "max-age=31536000; includeSubDomains") }
        return headers
    }
}

/// Cross-origin requests (the Fetch standard), allowed for configured origins only.
package struct CORSPolicy: Sendable {
    /// Exact origins, or `*` for any (then without credentials).
    package var origins: [String]
    /// Whether pages of those origins may send the session cookie. Never for `*`.
    package var allowsCredentials: Bool
    /// How long a browser may remember the answer to its preflight.
    package var maximumAge: Duration

    package init(origins: [String], allowsCredentials: Bool = false, maximumAge: Duration = .minutes(10)) {
        self.origins = origins
        self.allowsCredentials = allowsCredentials
        self.maximumAge = maximumAge
    }

    private static let exposedHeaders =
        "X-Request-ID, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, X-RateLimit-Window, Retry-After, ETag, Location, Link, Accept-Patch, Accept-Post, Idempotent-Replayed, Accept-Ranges, Content-Range, Content-Disposition, Tus-Resumable, Tus-Version, Tus-Extension, Tus-Max-Size, Tus-Checksum-Algorithm, Upload-Offset, Upload-Length, Upload-Expires, File-Id"
    private static let allowedHeaders =
        "Authorization, Content-Type, X-API-Key, X-Request-ID, X-CSRF-Token, Idempotency-Key, If-Match, If-None-Match, Range, If-Range, Tus-Resumable, Upload-Length, Upload-Offset, Upload-Metadata, Upload-Checksum"

    func allows(_ origin: String) -> Bool { origins.contains(origin) || origins.contains("*") }

    /// Adds what a browser needs to hand the answer to a page of `origin`.
    func addHeaders(for origin: String?, to headers: inout ResponseHeaders) {
        guard !origins.isEmpty else { return }
        headers.add("Vary", "Origin")
        guard let origin, allows(origin) else { return }
        if origins.contains(origin), origin != "*" {
            headers.add("Access-Control-Allow-Origin", origin)
            if allowsCredentials { headers.add("Access-Control-Allow-Credentials", "true") }
        } else {
            headers.add("Access-Control-Allow-Origin", "*")
        }
        headers.add("Access-Control-Expose-Headers", Self.exposedHeaders)
    }

    func addPreflightHeaders(for origin: String, methods: [HTTPMethod], to headers: inout ResponseHeaders) {
        guard allows(origin) else { return }
        headers.add("Access-Control-Allow-Methods", methods.map(\.rawValue).joined(separator: ", "))
        headers.add("Access-Control-Allow-Headers", Self.allowedHeaders)
        headers.add("Access-Control-Max-Age", Int(maximumAge.inSeconds))
    }
}

extension ResponseHeaders {
    mutating func add(_ verdict: RateLimiter.Verdict, at time: Timestamp) {
        add("X-RateLimit-Limit", verdict.limit)
        add("X-RateLimit-Remaining", verdict.remaining)
        add("X-RateLimit-Reset", time.secondsSinceEpoch + Int64(verdict.secondsToReset))
        add("X-RateLimit-Window", verdict.window)
    }
}
