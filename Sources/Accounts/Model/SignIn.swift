// What goes into a login and what comes out of it.

package import Base

package struct Registration: Sendable {
    package var username: String
    package var email: String
    package var password: Secret
    /// The username where it is absent.
    package var displayName: String?
    package var publicKey: String?

    package init(
        username: String, email: String, password: Secret, displayName: String? = nil, publicKey: String? = nil
    ) {
        self.username = username
        self.email = email
        self.password = password
        self.displayName = displayName
        self.publicKey = publicKey
    }
}

/// What kind of session a login asks for.
package struct SessionRequest: Sendable, Equatable {
    /// A longer life (`AccountOptions.rememberedLifetime`).
    package var isRemembered: Bool
    /// False for a dialect whose refresh answers hold no new refresh token; see docs/protocol/tokens.md.
    package var rotatesRefreshTokens: Bool
    package var wantsCookie: Bool

    package init(isRemembered: Bool = false, rotatesRefreshTokens: Bool = true, wantsCookie: Bool = false) {
        self.isRemembered = isRemembered
        self.rotatesRefreshTokens = rotatesRefreshTokens
        self.wantsCookie = wantsCookie
    }

    /// One letter per wish, for the row of a login that waits for its second factor.
    var stored: String { (isRemembered ? "m" : "") + (rotatesRefreshTokens ? "r" : "") + (wantsCookie ? "c" : "") }

    init(stored: String) {
        self.init(
            isRemembered: stored.utf8.contains(UInt8(ascii: "m")),
            rotatesRefreshTokens: stored.utf8.contains(UInt8(ascii: "r")),
            wantsCookie: stored.utf8.contains(UInt8(ascii: "c")))
    }
}

package struct SignedIn: Sendable {
    package let user: User
    package let tokens: SessionTokens
}

package struct SessionTokens: Sendable {
    package let session: SessionID
    package let kind: TokenKind
    package let scopes: Scopes
    package let accessToken: Secret
    package let accessLifetime: Duration
    package let refreshToken: Secret
    package let refreshLifetime: Duration
    /// Only where the request wanted one.
    package let cookie: SessionCookie?
}

package struct SessionCookie: Sendable {
    package static let name = "plx_session"

    /// What goes into `Set-Cookie`, with HttpOnly, SameSite and, under TLS, Secure.
    package let value: Secret
    /// What a page sends back in a header with every request that changes something.
    package let csrfToken: String
    package let lifetime: Duration
}

package struct Refreshed: Sendable {
    package let user: User
    package let session: SessionID
    package let scopes: Scopes
    package let accessToken: Secret
    package let accessLifetime: Duration
    /// The token to use from now on; the same one again in a session that does not rotate.
    package let refreshToken: Secret
}

extension Secret {
    /// For writing a token into the one answer that tells it.
    package var exposedText: String { String(decoding: exposedBytes, as: UTF8.self) }
}
