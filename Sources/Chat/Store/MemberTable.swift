// Statements on `conversation_members`.

import Accounts
import Base
import Store

enum MemberTable {
    static let columns: Statement = """
        m.conversation_id, m.user_id, m.role, m.allow, m.deny, m.joined_at, m.added_by, m.is_muted, m.read_sequence, \
        m.read_at
        """
    static let columnCount = 10

    static func member(from row: Row, at first: Int = 0) throws(StoreError) -> Member {
        guard let role = MemberRole(rawValue: try row.integer(first + 2)) else {
            throw .corrupt("conversation_members: a role that this version does not know")
        }
        return Member(
            conversation: try row.identifier(first), user: try row.identifier(first + 1), role: role,
            rule: try rule(from: row, at: first + 3), joinedAt: try row.timestamp(first + 5),
            addedBy: try row.optionalIdentifier(first + 6), isMuted: try row.flag(first + 7),
            readSequence: try row.integer(first + 8), readAt: try row.optional(first + 9, row.timestamp))
    }

    static func rule(from row: Row, at first: Int) throws(StoreError) -> PermissionRule {
        PermissionRule(
            allow: Abilities(rawValue: UInt32(truncatingIfNeeded: try row.integer(first))),
            deny: Abilities(rawValue: UInt32(truncatingIfNeeded: try row.integer(first + 1))))
    }

    /// Also over the row of somebody who had been removed.
    static func upsert(_ member: Member) -> Statement {
        """
        INSERT INTO conversation_members (conversation_id, user_id, role, allow, deny, joined_at, added_by, is_muted, \
        read_sequence, read_at) VALUES (\(member.conversation), \(member.user), \(member.role.rawValue), \
        \(Int64(member.rule.allow.rawValue)), \(Int64(member.rule.deny.rawValue)), \(member.joinedAt), \
        \(member.addedBy), \(member.isMuted), \(member.readSequence), \(member.readAt)) \
        ON CONFLICT (conversation_id, user_id) DO UPDATE SET role = excluded.role, allow = excluded.allow, \
        deny = excluded.deny, joined_at = excluded.joined_at, added_by = excluded.added_by, \
        is_muted = excluded.is_muted, read_sequence = excluded.read_sequence, read_at = excluded.read_at, \
        removed_at = NULL
        """
    }

    static func select(_ id: ConversationID, _ user: UserID) -> Statement {
        """
        SELECT \(part: columns) FROM conversation_members m WHERE m.conversation_id = \(id) AND m.user_id = \(user) \
        AND m.removed_at IS NULL
        """
    }

    /// Those of these users who are in it.
    static func members(_ id: ConversationID, _ users: [UserID]) -> Statement {
        """
        SELECT \(part: columns) FROM conversation_members m WHERE m.conversation_id = \(id) \
        AND m.user_id IN (\(list: users.padded)) AND m.removed_at IS NULL
        """
    }

    /// Who sends has read up to what they send. Gives back what their rights come from; empty: they are not in it.
    static func sends(_ id: ConversationID, _ user: UserID, upTo sequence: Int64, at now: Timestamp) -> Statement {
        """
        UPDATE conversation_members SET read_sequence = \(sequence), read_at = \(now) \
        WHERE conversation_id = \(id) AND user_id = \(user) AND removed_at IS NULL RETURNING role, allow, deny
        """
    }

    static func setRole(_ role: MemberRole, _ id: ConversationID, _ user: UserID) -> Statement {
        """
        UPDATE conversation_members SET role = \(role.rawValue) WHERE conversation_id = \(id) AND user_id = \(user) \
        AND removed_at IS NULL
        """
    }

    static func setRule(_ rule: PermissionRule, _ id: ConversationID, _ user: UserID) -> Statement {
        """
        UPDATE conversation_members SET allow = \(Int64(rule.allow.rawValue)), deny = \(Int64(rule.deny.rawValue)) \
        WHERE conversation_id = \(id) AND user_id = \(user) AND removed_at IS NULL
        """
    }

    static func rules(_ id: ConversationID) -> Statement {
        """
        SELECT user_id, allow, deny FROM conversation_members WHERE conversation_id = \(id) \
        AND (allow <> 0 OR deny <> 0) AND removed_at IS NULL
        """
    }

    static func setMuted(_ isMuted: Bool, _ id: ConversationID, _ user: UserID) -> Statement {
        """
        UPDATE conversation_members SET is_muted = \(isMuted) WHERE conversation_id = \(id) AND user_id = \(user) \
        AND removed_at IS NULL
        """
    }

    static func remove(_ id: ConversationID, _ user: UserID) -> Statement {
        """
        DELETE FROM conversation_members WHERE conversation_id = \(id) AND user_id = \(user) AND removed_at IS NULL
        """
    }

    /// Kept in mind, without anything that they had.
    static func throwOut(_ id: ConversationID, _ user: UserID, at now: Timestamp) -> Statement {
        """
        UPDATE conversation_members SET removed_at = \(now), role = 0, allow = 0, deny = 0 \
        WHERE conversation_id = \(id) AND user_id = \(user) AND removed_at IS NULL
        """
    }

    static func firstOwner(_ id: ConversationID) -> Statement {
        """
        SELECT user_id FROM conversation_members WHERE conversation_id = \(id) \
        AND role = \(MemberRole.owner.rawValue) AND removed_at IS NULL ORDER BY joined_at, user_id LIMIT 1
        """
    }

    static func otherOwners(_ id: ConversationID, than user: UserID) -> Statement {
        """
        SELECT COUNT(*) FROM conversation_members WHERE conversation_id = \(id) AND user_id <> \(user) \
        AND role = \(MemberRole.owner.rawValue) AND removed_at IS NULL
        """
    }

    /// The one who gets the conversation when nobody else decides it: highest rank, longest there.
    static func successors(_ id: ConversationID, besides user: UserID) -> Statement {
        """
        SELECT m.user_id, m.role FROM conversation_members m WHERE m.conversation_id = \(id) \
        AND m.user_id <> \(user) AND m.removed_at IS NULL ORDER BY m.role DESC, m.joined_at, m.user_id LIMIT 1
        """
    }

    static func count(_ id: ConversationID, change: Int) -> Statement {
        "UPDATE conversations SET member_count = member_count + \(change) WHERE id = \(id)"
    }

    // MARK: With the person

    private static let personColumns: Statement = "u.id, u.username, u.display_name, u.avatar_url, u.is_active"

    static func page(_ id: ConversationID, offset: Int, limit: Int) -> Statement {
        """
        SELECT \(part: columns), \(part: personColumns) FROM conversation_members m JOIN users u ON u.id = m.user_id \
        WHERE m.conversation_id = \(id) AND m.removed_at IS NULL ORDER BY m.role DESC, m.joined_at, m.user_id \
        LIMIT \(limit) OFFSET \(offset)
        """
    }

    static func entry(_ id: ConversationID, _ user: UserID) -> Statement {
        """
        SELECT \(part: columns), \(part: personColumns) FROM conversation_members m JOIN users u ON u.id = m.user_id \
        WHERE m.conversation_id = \(id) AND m.user_id = \(user) AND m.removed_at IS NULL
        """
    }

    static func entry(from row: Row) throws(StoreError) -> MemberEntry {
        MemberEntry(member: try member(from: row), person: try person(from: row, at: columnCount))
    }

    static func people(_ ids: [UserID]) -> Statement {
        "SELECT \(part: personColumns) FROM users u WHERE u.id IN (\(list: ids.padded))"
    }

    static func person(from row: Row, at first: Int = 0) throws(StoreError) -> ChatPerson {
        ChatPerson(
            id: try row.identifier(first), username: Private(try row.text(first + 1)),
            displayName: Private(try row.text(first + 2)), avatarURL: try row.optional(first + 3, row.text),
            isActive: try row.flag(first + 4))
    }

    /// The other of the two, of each direct conversation.
    static func counterparts(_ ids: [ConversationID], of user: UserID) -> Statement {
        """
        SELECT m.conversation_id, \(part: personColumns) FROM conversation_members m JOIN users u ON u.id = m.user_id \
        WHERE m.conversation_id IN (\(list: ids.padded)) AND m.user_id <> \(user) AND m.removed_at IS NULL
        """
    }

    /// What the user is in, of at most `size` members.
    static func places(of user: UserID, size: Int, limit: Int) -> Statement {
        """
        SELECT c.id FROM conversation_members m JOIN conversations c ON c.id = m.conversation_id \
        WHERE m.user_id = \(user) AND m.removed_at IS NULL AND c.deleted_at IS NULL AND c.member_count <= \(size) \
        LIMIT \(limit)
        """
    }

    static func users(_ id: ConversationID) -> Statement {
        "SELECT user_id FROM conversation_members WHERE conversation_id = \(id) AND removed_at IS NULL"
    }

    /// Of these, who can be a member: people and services that are active. Nodes are machines of the operator's.
    static func reachable(_ ids: [UserID]) -> Statement {
        "SELECT u.id FROM users u WHERE u.id IN (\(list: ids.padded)) AND u.is_active = 1 AND u.kind <> \(User.Kind.node.rawValue)"
    }
}
