// The one thing that the documents call a channel, a chatroom, a conversation, a group or a DM.

package import Base

/// Stored by number. What may be done with each is in `Abilities`; how many may be in each in `ChatOptions`.
package enum ConversationType: Int64, Sendable, CaseIterable {
    /// A place of an organisation or of the whole server.
    case channel = 0
    /// rooms' chatroom.
    case room = 1
    case group = 2
    /// Two people, once for each pair; nobody joins, nobody is removed.
    case direct = 3
    /// Somebody who asks, and those who answer.
    case support = 4
    /// A channel whose point is its standing call.
    case voice = 5

    package var name: String { "\(self)" }

    package init?(name: some StringProtocol) {
        guard let type = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = type
    }
}

/// Who may know of it, and who may come in by themselves. "Everybody" is the organisation, or the server where there is
/// none. Stored by number.
package enum ConversationVisibility: Int64, Sendable, CaseIterable {
    /// Known to members only. Others come by invitation or are added.
    case `private` = 0
    /// Everybody sees it in lists and may join.
    case `public` = 1
    /// Everybody sees that it is there; one comes in by invitation.
    case inviteOnly = 2

    package var name: String { self == .inviteOnly ? "invite_only" : "\(self)" }

    package init?(name: some StringProtocol) {
        guard let visibility = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = visibility
    }
}

package struct Conversation: Sendable, Equatable {
    package let id: ConversationID
    package let type: ConversationType
    package internal(set) var visibility: ConversationVisibility
    package let organization: OrganizationID?
    /// A direct one has none: clients show the other's name.
    package internal(set) var title: String?
    package internal(set) var summary: String?
    package let creator: UserID
    /// The first of its owners; `nil` for direct ones.
    package internal(set) var owner: UserID?
    package internal(set) var maxMembers: Int
    package internal(set) var memberCount: Int
    package internal(set) var settings: ConversationSettings
    package internal(set) var rules: RoleRules
    package internal(set) var isArchived: Bool
    package internal(set) var log: ConversationLog
    /// The newest message that is there, deleted ones included.
    package internal(set) var lastMessage: MessageID?
    /// When it was written; `nil` while there is none.
    package internal(set) var lastActivity: Timestamp?
    package let createdAt: Timestamp
    package internal(set) var updatedAt: Timestamp

    /// How many messages there are, deleted ones included: they keep their place.
    package var messageCount: Int64 { log.lastSequence - log.firstSequence + 1 }
}

/// What its members may set, beside title and limits.
package struct ConversationSettings: Sendable, Equatable {
    /// rooms' assistant writes a summary by itself, after so many messages.
    package var hasAutomaticSummary = true
    package var summaryThreshold = 50
    /// Clients are asked to seal what they write. The server takes both: it could not tell.
    package var isEncrypted = true
    /// Messages that are older are removed for good; `nil`: the server's own retention, or none.
    package var retention: Duration?

    package init() {}
}

/// Where the conversation's log stands.
package struct ConversationLog: Sendable, Equatable {
    /// Another one means that offsets of before say nothing: the log was begun anew, or restored from a backup.
    package var epoch: Int64
    /// Of the newest event; 0 while there is none.
    package var lastOffset: Int64
    /// Events up to here have been removed: who stopped before it cannot be caught up.
    package var removedOffset: Int64
    /// The newest message's number. Messages are numbered 1, 2, 3 … without a gap.
    package var lastSequence: Int64
    /// The oldest message's number that is still there: retention removes from the beginning.
    package var firstSequence: Int64

    package var position: LogPosition { LogPosition(epoch: epoch, offset: lastOffset) }
}

/// How far somebody has read a conversation's log.
package struct LogPosition: Sendable, Hashable {
    package let epoch: Int64
    package let offset: Int64

    package init(epoch: Int64, offset: Int64) {
        self.epoch = epoch
        self.offset = offset
    }
}

/// A conversation as somebody sees it.
package struct ConversationView: Sendable {
    package let conversation: Conversation
    /// `nil`: they see that it is there, and are not in it.
    package let membership: Member?
    /// What they may do in it; empty for who is not in it.
    package let abilities: Abilities
    /// For members; where it was asked for.
    package internal(set) var lastMessage: Message?
    /// For a direct one, the other of the two; `nil` when their account is gone.
    package internal(set) var counterpart: ChatPerson?

    package var unreadCount: Int64 {
        guard let membership else { return 0 }
        return max(0, conversation.log.lastSequence - max(membership.readSequence, conversation.log.firstSequence - 1))
    }
}

/// A conversation that somebody wants to begin; direct ones are begun by `ChatService.direct`.
package struct NewConversation: Sendable {
    package var type: ConversationType
    package var visibility: ConversationVisibility
    package var title: String?
    package var summary: String?
    package var organization: OrganizationID?
    /// Beside whoever begins it, who becomes its owner.
    package var members: [UserID]
    /// `nil`: the server's limit for the type.
    package var maxMembers: Int?
    package var settings: ConversationSettings
    package var rules: RoleRules

    package init(
        type: ConversationType, visibility: ConversationVisibility = .private, title: String?, summary: String? = nil,
        organization: OrganizationID? = nil, members: [UserID] = [], maxMembers: Int? = nil,
        settings: ConversationSettings = ConversationSettings(), rules: RoleRules = RoleRules()
    ) {
        self.type = type
        self.visibility = visibility
        self.title = title
        self.summary = summary
        self.organization = organization
        self.members = members
        self.maxMembers = maxMembers
        self.settings = settings
        self.rules = rules
    }
}

/// What is `nil` stays as it is.
package struct ConversationChanges: Sendable, Equatable {
    package var title: String?
    /// The inner `nil` removes it.
    package var summary: String??
    package var visibility: ConversationVisibility?
    package var maxMembers: Int?
    package var isArchived: Bool?
    package var hasAutomaticSummary: Bool?
    package var summaryThreshold: Int?
    package var isEncrypted: Bool?
    /// The inner `nil` means: as the server has it.
    package var retention: Duration??

    package init() {}

    /// Whether nothing is changed but that clients are asked to seal, or not.
    var isAboutSealingOnly: Bool {
        var sealing = ConversationChanges()
        sealing.isEncrypted = isEncrypted
        return isEncrypted != nil && self == sealing
    }
}

/// Which conversations to list, the one with the newest message first.
package struct ConversationFilter: Sendable {
    /// Empty: all.
    package var types: Set<ConversationType>
    package var organization: OrganizationID?
    /// In the title, in any case.
    package var search: String?
    /// Also what the user could join or knows to be there.
    package var includesAccessible: Bool
    package var includesArchived: Bool
    package var offset: Int
    package var limit: Int

    package init(
        types: Set<ConversationType> = [], organization: OrganizationID? = nil, search: String? = nil,
        includesAccessible: Bool = false, includesArchived: Bool = true, offset: Int = 0, limit: Int
    ) {
        self.types = types
        self.organization = organization
        self.search = search
        self.includesAccessible = includesAccessible
        self.includesArchived = includesArchived
        self.offset = offset
        self.limit = limit
    }
}
