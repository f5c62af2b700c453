// A user as everyone above sees one: without the password's hash, which never leaves the login.

package import Base
package import Wire

package struct User: Sendable {
    /// People log in; services and nodes only hold tokens that an administrator issued.
    package enum Kind: Int64, Sendable { case person = 0, service = 1, node = 2 }

    package let id: UserID
    package var kind: Kind
    package var username: Private<String>
    /// Services and nodes have none.
    package var email: Private<String>?
    package var displayName: Private<String>
    package var avatarURL: String?
    /// The client's public key, as the client wrote it: opaque to the server.
    package var publicKey: String?
    package var isActive: Bool
    /// The address was proven to be the user's (a code or a reset link came back).
    package var isVerified: Bool
    package var roles: Roles
    /// What was granted beside the roles; for services and nodes, all they have.
    package var grantedScopes: Scopes
    package var tier: Tier
    package var preferences: JSONObject
    package let createdAt: Timestamp
    package var updatedAt: Timestamp
    package var lastLogin: Timestamp?

    package var scopes: Scopes { roles.scopes.union(grantedScopes) }
    package var permissions: [String] { roles.permissions }
    package var isAdmin: Bool { roles.contains(.admin) }
}

/// Decides rate limits only.
package enum Tier: String, Sendable, CaseIterable { case user, premium }

/// From where a request came; for sessions, throttling and the audit log.
package struct RequestOrigin: Sendable {
    /// Numeric, without a port; "console" for the command line.
    package let address: Private<String>
    package let userAgent: Private<String>?
    package let requestID: String?

    /// A longer or binary User-Agent would only be stored to be looked at: it is cut to printable characters.
    private static let userAgentLimit = 256

    package init(address: Private<String>, userAgent: Private<String>? = nil, requestID: String? = nil) {
        self.address = address
        self.userAgent = userAgent.map { Private(Self.printable($0.exposed)) }
        self.requestID = requestID.map(Self.printable)
    }

    package static let console = RequestOrigin(address: Private("console"))

    private static func printable(_ text: String) -> String {
        var kept = String.UnicodeScalarView()
        for scalar in text.unicodeScalars.prefix(userAgentLimit) {
            kept.append(scalar.value < 0x20 || scalar.value == 0x7F ? " " : scalar)
        }
        return String(kept)
    }
}

/// Who does something that not only the person concerned may do.
package enum Actor: Sendable {
    case principal(Principal)
    /// The command line on the server's own machine, which can read the database anyway.
    case console

    var isAdmin: Bool {
        switch self {
        case .principal(let principal): principal.isAdmin
        case .console: true
        }
    }
    var userID: UserID? {
        if case .principal(let principal) = self { principal.user } else { nil }
    }
}

/// A part of a longer list, with the length of the whole.
package struct Page<Element: Sendable>: Sendable {
    package let items: [Element]
    package let total: Int

    package init(items: [Element], total: Int) {
        self.items = items
        self.total = total
    }
}
