// Which keys an administrator may change over the API, and when that takes effect.
//
// Never: what is needed before the database is open, what is a secret, what belongs to the machine (addresses, files,
// threads), and what would end everybody's logins (`accounts.issuer`, the passkeys' domain). An administrator's password
// that leaks shall not move the server's files or sockets.

package enum Adjustment: String, Sendable, CaseIterable {
    case now
    case nextStart = "next_start"
    case never
}

extension Key {
    package var adjustment: Adjustment {
        if isSecret || Self.fixed.contains(where: isWithin) { return .never }
        if Self.later.contains(where: isWithin) { return .nextStart }
        return Self.live.contains(where: isWithin) ? .now : .never
    }

    // Keys, or the beginnings of their paths.

    private static let fixed = ["accounts.issuer", "accounts.argon2", "mfa.webauthn_rp_id", "mfa.webauthn_origins"]
    private static let later =
        [
            "accounts.password_min_length", "accounts.sessions_per_user", "accounts.api_keys_per_user",
            "accounts.password_reset_lifetime", "accounts.tokens", "accounts.login_throttle", "client_settings", "mfa",
            "calls", "limits", "cors", "idempotency", "metrics", "docs.enabled", "media.max_sessions",
            "media.max_sessions_per_room",
            "media.subscriber_bitrate_max", "media.publisher_bitrate_max", "rate_limits.load.cpu_percent",
            "rate_limits.load.memory_percent", "rate_limits.calls.calls", "files.max_size", "files.rooms_max_size",
            "files.user_quota", "files.organization_quota", "files.allowed_types", "files.upload_lifetime",
            "files.scan_unavailable",
        ]
    private static let live = ["accounts.registration", "logging.level", "rate_limits"]

    private func isWithin(_ name: String) -> Bool { path == name || path.hasPrefix(name + ".") }
}
