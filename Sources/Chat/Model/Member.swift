// Who is in a conversation, and what an operator of a client wants to show of a person.

package import Base

package struct Member: Sendable, Equatable {
    package let conversation: ConversationID
    package let user: UserID
    package internal(set) var role: MemberRole
    /// What differs for this member from what their role has.
    package internal(set) var rule: PermissionRule
    package let joinedAt: Timestamp
    /// `nil`: they came by themselves.
    package let addedBy: UserID?
    /// Their own wish: no notifications.
    package internal(set) var isMuted: Bool
    /// The number of the last message that they have read; 0 for none.
    package internal(set) var readSequence: Int64
    package internal(set) var readAt: Timestamp?
}

/// What lists of members and messages show of somebody.
package struct ChatPerson: Sendable, Equatable {
    package let id: UserID
    package let username: Private<String>
    package let displayName: Private<String>
    package let avatarURL: String?
    package let isActive: Bool
}

/// A member together with who that is.
package struct MemberEntry: Sendable {
    package let member: Member
    package let person: ChatPerson
}

/// What design's `/permissions` shows.
package struct ConversationPermissions: Sendable {
    package let conversation: ConversationID
    package let type: ConversationType
    package let rules: RoleRules
    /// Of members who have one.
    package let memberRules: [UserID: PermissionRule]
    /// Of whoever asks.
    package let own: Abilities

    /// What a role comes to under these rules.
    package func abilities(of role: MemberRole) -> Abilities {
        rules.abilities(of: role, PermissionRule(), in: type)
    }
}

/// Rules to put in place; what is not named stays, an empty rule removes.
package struct PermissionChanges: Sendable {
    package var roles: [MemberRole: PermissionRule]
    package var members: [UserID: PermissionRule]

    package init(roles: [MemberRole: PermissionRule] = [:], members: [UserID: PermissionRule] = [:]) {
        self.roles = roles
        self.members = members
    }
}

// MARK: Organisations

/// A company or a team: who belongs to it sees its public conversations.
package struct Organization: Sendable, Equatable {
    package let id: OrganizationID
    package internal(set) var name: String
    package internal(set) var summary: String?
    package let creator: UserID
    package internal(set) var memberCount: Int
    package let createdAt: Timestamp
    package internal(set) var updatedAt: Timestamp
}

package struct OrganizationView: Sendable {
    package let organization: Organization
    /// Of whoever asks.
    package let role: MemberRole
}

package struct OrganizationMember: Sendable {
    package let organization: OrganizationID
    package let role: MemberRole
    package let joinedAt: Timestamp
    package let person: ChatPerson
}

// MARK: Invitations

package struct Invitation: Sendable, Equatable {
    package let id: InvitationID
    package let conversation: ConversationID
    package let createdBy: UserID
    /// `nil`: any number.
    package let maxUses: Int?
    package internal(set) var uses: Int
    /// `nil`: never.
    package let expiresAt: Timestamp?
    package internal(set) var revokedAt: Timestamp?
    package let createdAt: Timestamp
}

/// An invitation with the code that lets one in: told once, the server keeps a hash of it.
package struct NewInvitation: Sendable {
    package let invitation: Invitation
    package let code: Secret
}
