// Statements on `conversations`, and what somebody is in one.

import Base
import Store

enum ConversationTable {
    static let columns: Statement = """
        c.id, c.type, c.visibility, c.organization_id, c.title, c.summary, c.creator_id, c.owner_id, c.max_members, \
        c.member_count, c.role_rules, c.is_archived, c.has_automatic_summary, c.summary_threshold, c.is_encrypted, \
        c.retention, c.created_at, c.updated_at, c.epoch, c.removed_offset, c.first_sequence, c.last_offset, \
        c.last_sequence, c.last_message_id, c.last_activity
        """
    static let columnCount = 25

    static func insert(_ conversation: Conversation, directKey: Bytes?) -> Statement {
        """
        INSERT INTO conversations (id, type, visibility, organization_id, title, title_folded, summary, creator_id, \
        owner_id, direct_key, max_members, member_count, role_rules, is_archived, has_automatic_summary, \
        summary_threshold, is_encrypted, retention, created_at, updated_at, epoch, removed_offset, first_sequence, \
        last_offset, last_sequence) VALUES (\(conversation.id), \(conversation.type.rawValue), \
        \(conversation.visibility.rawValue), \(conversation.organization), \(conversation.title), \
        \(conversation.title.map(ChatValidation.folded)), \(conversation.summary), \(conversation.creator), \
        \(conversation.owner), \(directKey), \(conversation.maxMembers), \(conversation.memberCount), \
        \(RoleRulesCodec.encode(conversation.rules)), \(conversation.isArchived), \
        \(conversation.settings.hasAutomaticSummary), \(conversation.settings.summaryThreshold), \
        \(conversation.settings.isEncrypted), \(conversation.settings.retention?.microseconds), \
        \(conversation.createdAt), \(conversation.updatedAt), \(conversation.log.epoch), \
        \(conversation.log.removedOffset), \(conversation.log.firstSequence), \(conversation.log.lastOffset), \
        \(conversation.log.lastSequence)) ON CONFLICT DO NOTHING
        """
    }

    /// Deleted ones too, while they are there.
    static func byID(_ id: ConversationID) -> Statement {
        "SELECT \(part: columns) FROM conversations c WHERE c.id = \(id)"
    }

    /// What its members may change. The log's columns are not touched: messages go on meanwhile.
    static func update(_ conversation: Conversation) -> Statement {
        """
        UPDATE conversations SET visibility = \(conversation.visibility.rawValue), title = \(conversation.title), \
        title_folded = \(conversation.title.map(ChatValidation.folded)), summary = \(conversation.summary), \
        max_members = \(conversation.maxMembers), role_rules = \(RoleRulesCodec.encode(conversation.rules)), \
        is_archived = \(conversation.isArchived), has_automatic_summary = \(conversation.settings.hasAutomaticSummary), \
        summary_threshold = \(conversation.settings.summaryThreshold), \
        is_encrypted = \(conversation.settings.isEncrypted), \
        retention = \(conversation.settings.retention?.microseconds), updated_at = \(conversation.updatedAt) \
        WHERE id = \(conversation.id)
        """
    }

    static func conversation(from row: Row, at first: Int = 0) throws(StoreError) -> Conversation {
        guard let type = ConversationType(rawValue: try row.integer(first + 1)),
            let visibility = ConversationVisibility(rawValue: try row.integer(first + 2))
        else { throw .corrupt("conversations: a type or a visibility that this version does not know") }
        var settings = ConversationSettings()
        settings.hasAutomaticSummary = try row.flag(first + 12)
        settings.summaryThreshold = Int(clamping: try row.integer(first + 13))
        settings.isEncrypted = try row.flag(first + 14)
        settings.retention = try row.optional(first + 15, row.integer).map { .microseconds($0) }
        let rules = try row.optional(first + 10, row.blob)
        return Conversation(
            id: try row.identifier(first), type: type, visibility: visibility,
            organization: try row.optionalIdentifier(first + 3), title: try row.optional(first + 4, row.text),
            summary: try row.optional(first + 5, row.text), creator: try row.identifier(first + 6),
            owner: try row.optionalIdentifier(first + 7), maxMembers: Int(clamping: try row.integer(first + 8)),
            memberCount: Int(clamping: try row.integer(first + 9)), settings: settings,
            rules: try rules.map(RoleRulesCodec.decode) ?? RoleRules(), isArchived: try row.flag(first + 11),
            log: ConversationLog(
                epoch: try row.integer(first + 18), lastOffset: try row.integer(first + 21),
                removedOffset: try row.integer(first + 19), lastSequence: try row.integer(first + 22),
                firstSequence: try row.integer(first + 20)),
            lastMessage: try row.optionalIdentifier(first + 23),
            lastActivity: try row.optional(first + 24, row.timestamp), createdAt: try row.timestamp(first + 16),
            updatedAt: try row.timestamp(first + 17))
    }

    // MARK: The log's place

    /// The next place in the log, and what is needed for an event. Empty: there is no such conversation.
    static func advance(_ id: ConversationID) -> Statement {
        """
        UPDATE conversations SET last_offset = last_offset + 1 WHERE id = \(id) AND deleted_at IS NULL \
        RETURNING epoch, last_offset
        """
    }

    /// The next place in the log and the next number, for a message that is written `now`, or at the last one's time
    /// where the clock has gone back.
    static func advance(_ id: ConversationID, for message: MessageID, now: Timestamp) -> Statement {
        """
        UPDATE conversations SET last_offset = last_offset + 1, last_sequence = last_sequence + 1, \
        last_message_id = \(message), \
        last_activity = CASE WHEN last_activity > \(now) THEN last_activity ELSE \(now) END \
        WHERE id = \(id) AND deleted_at IS NULL \
        RETURNING type, role_rules, is_archived, epoch, last_offset, last_sequence, last_activity
        """
    }

    static func setOwner(_ owner: UserID?, of id: ConversationID) -> Statement {
        "UPDATE conversations SET owner_id = \(owner) WHERE id = \(id)"
    }

    static func delete(_ id: ConversationID, at now: Timestamp) -> Statement {
        "UPDATE conversations SET deleted_at = \(now), direct_key = NULL WHERE id = \(id) AND deleted_at IS NULL"
    }

    // MARK: What somebody is in it

    static func access(_ id: ConversationID, _ user: UserID) -> Statement {
        accesses(user, where: "c.id = \(id) AND c.deleted_at IS NULL")
    }

    /// Conversation, membership where there is one, and whether the user belongs to "everybody".
    static func accesses(_ user: UserID, where condition: Statement) -> Statement {
        """
        SELECT \(part: columns), \(part: MemberTable.columns), m.removed_at, CASE WHEN c.organization_id IS NULL \
        THEN 1 WHEN EXISTS (SELECT 1 FROM organization_members o WHERE o.organization_id = c.organization_id \
        AND o.user_id = \(user)) THEN 1 ELSE 0 END FROM conversations c LEFT JOIN conversation_members m \
        ON m.conversation_id = c.id AND m.user_id = \(user) WHERE \(part: condition)
        """
    }

    static func access(from row: Row) throws(StoreError) -> ConversationAccess {
        let conversation = try conversation(from: row)
        let removed = columnCount + MemberTable.columnCount
        var member: Member?
        var wasRemoved = false
        if !row.isNull(columnCount) {
            wasRemoved = !row.isNull(removed)
            if !wasRemoved { member = try MemberTable.member(from: row, at: columnCount) }
        }
        return ConversationAccess(
            conversation: conversation, member: member, wasRemoved: wasRemoved, isOfEverybody: try row.flag(removed + 1)
        )
    }
}

/// What somebody is to a conversation, and from that what they may.
struct ConversationAccess: Sendable {
    let conversation: Conversation
    let member: Member?
    /// Was a member, and was thrown out.
    let wasRemoved: Bool
    /// Belongs to those whom a public conversation is for.
    let isOfEverybody: Bool

    var abilities: Abilities {
        guard let member else { return [] }
        return conversation.rules.abilities(of: member.role, member.rule, in: conversation.type)
    }

    /// They may know that it is there.
    var isVisible: Bool { member != nil || conversation.visibility != .private && isOfEverybody }

    var view: ConversationView {
        ConversationView(conversation: conversation, membership: member, abilities: abilities)
    }

    /// For what members do. Reading goes on in an archived conversation.
    func require(_ wanted: Abilities, evenArchived: Bool = false) throws(ChatError) -> Member {
        guard isVisible else { throw .notFound(.conversation) }
        guard let member else { throw .forbidden(.notMember) }
        guard abilities.isSuperset(of: wanted) else { throw .forbidden(.lacks(wanted.subtracting(abilities))) }
        guard evenArchived || !conversation.isArchived || wanted == .view else { throw .forbidden(.archived) }
        return member
    }
}

extension ChatReader {
    /// `notFound` for who may not know of it.
    func access(_ id: ConversationID, _ user: UserID) async throws(ChatError) -> ConversationAccess {
        let access = try await first(ConversationTable.access(id, user), ConversationTable.access(from:))
        guard let access, access.isVisible else { throw .notFound(.conversation) }
        return access
    }
}
