// Who is asking, and what they may do: small enough to be copied with every request, without a reference in it.

package import Base

package struct Principal: Sendable, Hashable {
    package let user: UserID
    /// `nil` for API keys.
    package let session: SessionID?
    /// Only for API keys.
    package let apiKey: APIKeyID?
    package let kind: TokenKind
    package let roles: Roles
    /// What the token carries and its user still has.
    package let scopes: Scopes
    package let access: Access
    package let tier: Tier
    /// The user is an administrator and the token was not narrowed.
    package let isAdmin: Bool
    /// The credential was a cookie: what changes something needs a CSRF token too.
    package let needsCSRF: Bool

    package func has(_ scope: Scopes) -> Bool { scopes.isSuperset(of: scope) }
}

/// What an API key may do; every other token may do both.
package struct Access: OptionSet, Sendable, Hashable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package static let read = Access(rawValue: 1 << 0)
    package static let write = Access(rawValue: 1 << 1)
    /// All of its user's scopes, the administrative ones included.
    package static let admin = Access(rawValue: 1 << 2)
    package static let full: Access = [.read, .write, .admin]

    package init?(name: String) {
        switch name {
        case "read": self = .read
        case "write": self = .write
        case "admin": self = .admin
        default: return nil
        }
    }

    package var names: [String] {
        [(Access.read, "read"), (.write, "write"), (.admin, "admin")].filter { contains($0.0) }.map(\.1)
    }
}

/// What a request showed.
package enum Credential: Sendable {
    case bearer(String)
    case apiKey(String)
    case cookie(String)
}

package struct APIKey: Sendable {
    package let id: APIKeyID
    package let user: UserID
    package let name: String
    /// The first characters, so that its owner can tell it from another.
    package let hint: String
    package let access: Access
    /// Of its owner's scopes.
    package let scopes: Scopes
    package let createdAt: Timestamp
    package let expiresAt: Timestamp?
    package var revokedAt: Timestamp?
    package var lastUsedAt: Timestamp?

    /// As the documents list them: `read`, `write`, then scopes.
    package var permissions: [String] { access.names + (access.contains(.admin) ? [] : scopes.names) }
}

package struct NewAPIKey: Sendable {
    package let key: APIKey
    /// Told once.
    package let token: Secret
}
