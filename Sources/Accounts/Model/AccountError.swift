// What can go wrong with an account: one enum, so that each dialect maps it by one exhaustive `switch`.

package import Base
import Crypto
package import Store

package enum AccountError: Error, Sendable, Equatable {
    /// Wrong name, wrong password, or no such account: never told apart.
    case invalidCredentials
    /// The password was right; a second factor is needed.
    case mfaRequired(MFAChallenge)
    /// The code or the assertion is wrong, or was used before.
    case mfaInvalid
    /// The temporary token of a challenge is unknown, used up or too old: begin again.
    case challengeInvalid
    case tokenExpired
    case tokenInvalid
    /// The refresh token is unknown, expired, or its session has ended.
    case refreshInvalid
    /// The refresh token was already exchanged: its whole family has been revoked.
    case refreshReused
    /// The password reset token is unknown, used or expired.
    case resetInvalid
    case validation(ValidationFault)
    case alreadyExists(ValidationFault.Field)
    case notFound
    case forbidden(ForbiddenReason)
    /// The account is deactivated. Told only to who proved the password or holds a token.
    case inactive
    case throttled(retryAfter: Duration)
    /// So many of this kind are enough: keys, factors.
    case limitReached(Int)
    /// Too many passwords are waiting to be checked; try again soon.
    case busy
    /// A code or a mail could not be handed over.
    case undeliverable
    case store(StoreError)
}

package enum ForbiddenReason: String, Sendable {
    case administratorsOnly = "administrators_only"
    case selfOrAdministrator = "self_or_administrator"
    /// API keys, service and node tokens may not change credentials.
    case sessionRequired = "session_required"
    case lastAdministrator = "last_administrator"
    case registrationClosed = "registration_closed"
    /// A token cannot be given a scope that its giver or its holder lacks.
    case scopeExceeded = "scope_exceeded"
}

package struct ValidationFault: Sendable, Equatable {
    package enum Field: String, Sendable {
        case username, email, password, name, permissions, roles, tier, preferences, scope, code, method, phone
        case displayName = "display_name"
        case avatarURL = "avatar_url"
        case publicKey = "public_key"
        case expiresAt = "expires_at"
        case newPassword = "new_password"
        case currentPassword = "current_password"
        case credential
    }

    package enum Rule: String, Sendable {
        case required, format, tooShort, tooLong, value
    }

    package let field: Field
    package let rule: Rule
    /// A sentence for the person who wrote the client; never repeats the value.
    package let message: String

    package init(_ field: Field, _ rule: Rule, _ message: String) {
        self.field = field
        self.rule = rule
        self.message = message
    }
}

/// What a client needs to go on after a right password.
package struct MFAChallenge: Sendable, Equatable {
    package let temporaryToken: Secret
    package let methods: [MFAMethod]
    package let expiresAt: Timestamp

    package static func == (left: MFAChallenge, right: MFAChallenge) -> Bool {
        left.methods == right.methods && left.expiresAt == right.expiresAt
            && constantTimeEquals(left.temporaryToken.exposedBytes, right.temporaryToken.exposedBytes)
    }
}

extension AccountError: StoreFailureConvertible {
    /// Two registrations of one name may pass each other's check; the index then refuses the second.
    package init(_ failure: StoreError) {
        guard case .conflict(let constraint) = failure else {
            self = .store(failure)
            return
        }
        if constraint.contains("username_folded") {
            self = .alreadyExists(.username)
        } else if constraint.contains("email_folded") {
            self = .alreadyExists(.email)
        } else {
            self = .store(failure)
        }
    }
}
