// What every dialect does alike around a login: the request for a session, its cookies, common schemas.

import Accounts
import Base
import Net
import Wire

extension Call {
    /// A page reads this one and sends it back as `X-CSRF-Token`; the session's own cookie it cannot read.
    static let csrfCookieName = "plexi_csrf"

    func secret(_ name: String) throws(RequestFault) -> Secret { Secret(text: try text(name)) }

    /// The cookies that a login sets.
    func addCookies(_ tokens: SessionTokens, to headers: inout ResponseHeaders) {
        guard let cookie = tokens.cookie else { return }
        add(SessionCookie.name, cookie.value.exposedText, cookie.lifetime, isHTTPOnly: true, to: &headers)
        add(Self.csrfCookieName, cookie.csrfToken, cookie.lifetime, isHTTPOnly: false, to: &headers)
    }

    /// A logout takes them away again.
    func removeCookies(from headers: inout ResponseHeaders) {
        guard request.head.headers.contains("cookie") else { return }
        add(SessionCookie.name, "", .zero, isHTTPOnly: true, to: &headers)
        add(Self.csrfCookieName, "", .zero, isHTTPOnly: false, to: &headers)
    }

    private func add(
        _ name: String, _ value: String, _ lifetime: Duration, isHTTPOnly: Bool, to headers: inout ResponseHeaders
    ) {
        var cookie = SetCookie(name, value)
        cookie.path = "/"
        cookie.maximumAge = lifetime
        cookie.isHTTPOnly = isHTTPOnly
        cookie.isSecure = request.connection.isSecure
        cookie.sameSite = .strict
        if let text = cookie.headerValue { headers.add("Set-Cookie", text) }
    }
}

extension MFAChallenge {
    /// Members that tell a client how to go on, in any dialect.
    var details: JSONObject {
        JSONObject([
            ("mfa_methods", .array(methods.map { .string($0.rawValue) })),
            ("temp_token", .string(temporaryToken.exposedText)),
            ("expires_at", .string(expiresAt.rfc3339)),
        ])
    }
}

extension MFAMethod {
    /// The methods whose proof is a code to type in.
    static let codeMethods = [MFAMethod.totp, .sms, .email, .recovery].map(\.rawValue)
}

extension Roles {
    static let allNames = Roles(rawValue: .max).names
}

/// Fields that all dialects bound alike (rooms.md gives the numbers).
enum AccountFields {
    static let username = Schema.text(1...Validation.emailLimit)
    static let newUsername = Schema.text(Validation.usernameLength)
    static let email = Schema.string(StringRule(lengths: 3...Validation.emailLimit, format: .email))
    /// A password to check: whatever was allowed when it was set.
    static let password = Schema.string(
        StringRule(lengths: 1...Validation.passwordLength.upperBound, format: .password))
    static let newPassword = Schema.string(StringRule(lengths: Validation.passwordLength, format: .password))
    static let displayName = Schema.text(Validation.displayNameLength)
    static let avatarURL = Schema.string(StringRule(lengths: 0...Validation.avatarURLLimit, format: .uri))
    static let publicKey = Schema.text(0...Validation.publicKeyLimit)
    static let token = Schema.text(1...4_096)
    static let code = Schema.text(1...64)
    static let preferences = Schema.map(.any, limit: 256)
    static let roles = Schema.array(.text(1...32), limit: 16)
}
