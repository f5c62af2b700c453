// What can go wrong in chat: one enum, so that each dialect maps it by one exhaustive `switch`.
//
// `notFound` is also the answer to who may not know that something is there; `forbidden` only to who knows.

package import Accounts
package import Store

package enum ChatError: Error, Sendable, Equatable {
    case notFound(ChatThing)
    case forbidden(ChatRefusal)
    case validation(ChatFault)
    /// Longer than so many bytes.
    case messageTooLong(limit: Int)
    /// The message is another version by now: read it again.
    case versionConflict(current: Int64)
    case alreadyMember
    /// The conversation or the organisation has as many members as it may.
    case full(limit: Int)
    /// Unknown, expired, revoked or used up: never told apart.
    case invitationInvalid
    case limitReached(ChatLimit, Int)
    case throttled(retryAfter: Duration)
    /// A user or a right; worded as accounts word it.
    case account(AccountError)
    case store(StoreError)
}

package enum ChatThing: String, Sendable {
    case conversation, message, organization, member, user, invitation, reaction, device, file
}

package enum ChatRefusal: Sendable, Equatable {
    /// They see that it is there, and are not in it.
    case notMember
    /// They are in it, and lack this.
    case lacks(Abilities)
    /// Only who wrote it.
    case notAuthor
    /// Who is concerned has the same rank, or a higher one; or the role to be given is not below one's own.
    case rank
    /// It would be left without an owner: hand it over first.
    case lastOwner
    case archived
    /// They were removed, and come back only when somebody adds them.
    case removed
    /// A direct conversation has its two members and keeps them.
    case direct
    /// One comes in by invitation.
    case inviteOnly
    /// What the system says is neither edited nor written by users.
    case systemMessage
}

/// Of what there is enough.
package enum ChatLimit: String, Sendable {
    case conversations, organizations, invitations, pins, reactions, emoji, devices
    case oneTimeKeys = "one_time_keys"
    /// On one socket.
    case followed
}

package struct ChatFault: Sendable, Equatable {
    package enum Field: String, Sendable {
        case title, description, participants, type, visibility, content, mentions, attachments, emoji, name, role
        case permissions, query, retention, device, signature
        case maxMembers = "max_members"
        case summaryThreshold = "summary_threshold"
        case encryptedData = "encrypted_data"
        case iv
        case keyVersion = "key_version"
        case ciphertext, nonce
        case recipientKeys = "recipient_keys"
        case replyTo = "reply_to"
        case clientID = "client_id"
        case searchTokens = "search_tokens"
        case maxUses = "max_uses"
        case expiresInHours = "expires_in_hours"
        case messageType = "message_type"
        case publicKey = "public_key"
        case organization = "organization_id"
        case user = "user_id"
        case limit
    }

    package enum Rule: String, Sendable { case required, format, tooShort, tooLong, value }

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

extension ChatError: StoreFailureConvertible {
    package init(_ failure: StoreError) { self = .store(failure) }

    static func invalid(_ field: ChatFault.Field, _ rule: ChatFault.Rule, _ message: String) -> ChatError {
        .validation(ChatFault(field, rule, message))
    }
}
