// Who may do what in a conversation: one bit set under the roles of all documents.
//
// A role gives abilities; a rule of the conversation changes them for a role, another for one member. The order is:
// what the role has, less the role's denials, plus its grants, less the member's denials, plus the member's grants, and
// then only what the kind of conversation has at all. Owners have everything, whatever the rules say.

/// What one may do. Stored as a bit set: the bits are never renumbered.
package struct Abilities: OptionSet, Sendable, Hashable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Read, search, get events. Members have it, whatever the rules say: who shall not read is removed.
    package static let view = Abilities(rawValue: 1 << 0)
    package static let send = Abilities(rawValue: 1 << 1)
    package static let attach = Abilities(rawValue: 1 << 2)
    package static let react = Abilities(rawValue: 1 << 3)
    /// Begin and answer threads.
    package static let thread = Abilities(rawValue: 1 << 4)
    package static let pin = Abilities(rawValue: 1 << 5)
    /// Make invitations.
    package static let invite = Abilities(rawValue: 1 << 6)
    /// Add and remove members below one's own role.
    package static let manageMembers = Abilities(rawValue: 1 << 7)
    /// Delete what others wrote.
    package static let manageMessages = Abilities(rawValue: 1 << 8)
    /// Title, description, limits.
    package static let manageConversation = Abilities(rawValue: 1 << 9)
    /// Give roles below one's own; archive; retention.
    package static let administer = Abilities(rawValue: 1 << 10)
    /// Change the rules below.
    package static let managePermissions = Abilities(rawValue: 1 << 11)
    package static let delete = Abilities(rawValue: 1 << 12)
    package static let joinVoice = Abilities(rawValue: 1 << 13)

    package static let all = Abilities(rawValue: (1 << 14) - 1)

    /// The names of design's `/permissions`, in the order of the bits.
    private static let table: [(ability: Abilities, name: String)] = [
        (.view, "view"), (.send, "send_messages"), (.attach, "attach_files"), (.react, "add_reactions"),
        (.thread, "use_threads"), (.pin, "pin_messages"), (.invite, "invite_members"),
        (.manageMembers, "manage_members"), (.manageMessages, "manage_messages"),
        (.manageConversation, "manage_channel"), (.administer, "administer"),
        (.managePermissions, "manage_permissions"), (.delete, "delete_channel"), (.joinVoice, "join_voice"),
    ]

    /// `nil` for a name that is no ability.
    package init?(name: some StringProtocol) {
        guard let row = Self.table.first(where: { $0.name == name }) else { return nil }
        self = row.ability
    }

    package var names: [String] { Self.table.filter { contains($0.ability) }.map(\.name) }

    private static let ofMember: Abilities = [.view, .send, .attach, .react, .thread, .joinVoice]
    private static let ofModerator: Abilities = ofMember.union([
        .pin, .invite, .manageMembers, .manageMessages, .manageConversation,
    ])

    /// Before any rule.
    package static func base(of role: MemberRole, in type: ConversationType) -> Abilities {
        if type == .direct { return possible(in: type) }
        switch role {
        case .member: return ofMember
        case .moderator: return ofModerator
        case .admin: return ofModerator.union(.administer)
        case .owner: return possible(in: type)
        }
    }

    /// Two people who talk to each other manage nobody, and neither can take the conversation from the other.
    package static func possible(in type: ConversationType) -> Abilities {
        type == .direct ? ofMember.union(.pin) : .all
    }
}

/// What somebody is in a conversation or an organisation. Stored by number; the order is that of rank.
///
/// rooms has no admin and shows one as `moderator`; calls has no owner and shows one as `admin`.
package enum MemberRole: Int64, Sendable, CaseIterable, Comparable {
    case member = 0
    case moderator = 1
    case admin = 2
    case owner = 3

    package var name: String { "\(self)" }

    /// `nil` for a name that is no role.
    package init?(name: some StringProtocol) {
        guard let role = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = role
    }

    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// A change of what a role or a member has.
package struct PermissionRule: Sendable, Hashable {
    package var allow: Abilities
    package var deny: Abilities

    package init(allow: Abilities = [], deny: Abilities = []) {
        self.allow = allow
        self.deny = deny
    }

    package var isEmpty: Bool { allow.isEmpty && deny.isEmpty }

    func applied(to abilities: Abilities) -> Abilities { abilities.subtracting(deny).union(allow) }
}

/// The rules of a conversation for its roles. Those for one member are the member's own (`Member.rule`).
package struct RoleRules: Sendable, Hashable {
    private var rules: [MemberRole: PermissionRule]

    package init(_ rules: [MemberRole: PermissionRule] = [:]) { self.rules = rules.filter { !$0.value.isEmpty } }

    package subscript(_ role: MemberRole) -> PermissionRule {
        get { rules[role] ?? PermissionRule() }
        set { rules[role] = newValue.isEmpty ? nil : newValue }
    }

    package var isEmpty: Bool { rules.isEmpty }

    /// calls' "broadcast channel": who is only a member reads, reacts and answers in threads.
    package static let broadcast = RoleRules([.member: PermissionRule(deny: [.send, .attach])])

    func abilities(of role: MemberRole, _ member: PermissionRule, in type: ConversationType) -> Abilities {
        let possible = Abilities.possible(in: type)
        if role == .owner { return possible }
        let ofRole = self[role].applied(to: .base(of: role, in: type))
        return member.applied(to: ofRole).intersection(possible).union(.view)
    }
}
