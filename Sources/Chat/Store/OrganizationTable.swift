// Statements on `organizations` and who belongs to them.

import Base
import Store

enum OrganizationTable {
    static let columns: Statement = "o.id, o.name, o.summary, o.creator_id, o.member_count, o.created_at, o.updated_at"

    static func insert(_ organization: Organization) -> Statement {
        """
        INSERT INTO organizations (id, name, name_folded, summary, creator_id, member_count, created_at, updated_at) \
        VALUES (\(organization.id), \(organization.name), \(ChatValidation.folded(organization.name)), \
        \(organization.summary), \(organization.creator), \(organization.memberCount), \(organization.createdAt), \
        \(organization.updatedAt))
        """
    }

    static func update(_ organization: Organization) -> Statement {
        """
        UPDATE organizations SET name = \(organization.name), \
        name_folded = \(ChatValidation.folded(organization.name)), summary = \(organization.summary), \
        updated_at = \(organization.updatedAt) WHERE id = \(organization.id)
        """
    }

    static func delete(_ id: OrganizationID, at now: Timestamp) -> Statement {
        "UPDATE organizations SET deleted_at = \(now), member_count = 0 WHERE id = \(id)"
    }

    static func organization(from row: Row) throws(StoreError) -> Organization {
        Organization(
            id: try row.identifier(0), name: try row.text(1), summary: try row.optional(2, row.text),
            creator: try row.identifier(3), memberCount: Int(clamping: try row.integer(4)),
            createdAt: try row.timestamp(5), updatedAt: try row.timestamp(6))
    }

    static func view(from row: Row) throws(StoreError) -> OrganizationView {
        OrganizationView(organization: try organization(from: row), role: try role(row, 7))
    }

    private static func role(_ row: Row, _ column: Int) throws(StoreError) -> MemberRole {
        guard let role = MemberRole(rawValue: try row.integer(column)) else {
            throw .corrupt("organization_members: a role that this version does not know")
        }
        return role
    }

    static func view(_ id: OrganizationID, _ user: UserID) -> Statement {
        views("m.user_id = \(user) AND o.id = \(id) AND o.deleted_at IS NULL")
    }

    static func views(_ condition: Statement) -> Statement {
        """
        SELECT \(part: columns), m.role FROM organizations o \
        JOIN organization_members m ON m.organization_id = o.id WHERE \(part: condition)
        """
    }

    /// How many one user has begun, up to `limit`.
    static func begun(by user: UserID, limit: Int) -> Statement {
        """
        SELECT COUNT(*) FROM (SELECT 1 FROM organizations WHERE creator_id = \(user) AND deleted_at IS NULL \
        LIMIT \(limit)) begun
        """
    }

    // MARK: Members

    /// Nothing is changed where they belong to it already.
    static func add(_ user: UserID, to id: OrganizationID, _ role: MemberRole, at now: Timestamp) -> Statement {
        """
        INSERT INTO organization_members (organization_id, user_id, role, joined_at) \
        VALUES (\(id), \(user), \(role.rawValue), \(now)) ON CONFLICT DO NOTHING
        """
    }

    static func count(_ id: OrganizationID, change: Int) -> Statement {
        "UPDATE organizations SET member_count = member_count + \(change) WHERE id = \(id)"
    }

    static func remove(_ user: UserID, from id: OrganizationID) -> Statement {
        "DELETE FROM organization_members WHERE organization_id = \(id) AND user_id = \(user)"
    }

    static func setRole(_ role: MemberRole, of user: UserID, in id: OrganizationID) -> Statement {
        """
        UPDATE organization_members SET role = \(role.rawValue) WHERE organization_id = \(id) AND user_id = \(user)
        """
    }

    static func otherOwners(_ id: OrganizationID, than user: UserID) -> Statement {
        """
        SELECT COUNT(*) FROM organization_members WHERE organization_id = \(id) AND user_id <> \(user) \
        AND role = \(MemberRole.owner.rawValue)
        """
    }

    private static let memberColumns: Statement = """
        m.organization_id, m.role, m.joined_at, u.id, u.username, u.display_name, u.avatar_url, u.is_active
        """

    static func members(_ condition: Statement) -> Statement {
        """
        SELECT \(part: memberColumns) FROM organization_members m JOIN users u ON u.id = m.user_id \
        WHERE \(part: condition)
        """
    }

    static func member(from row: Row) throws(StoreError) -> OrganizationMember {
        OrganizationMember(
            organization: try row.identifier(0), role: try role(row, 1), joinedAt: try row.timestamp(2),
            person: try MemberTable.person(from: row, at: 3))
    }

    /// Its conversations that are there.
    static func conversations(_ id: OrganizationID) -> Statement {
        "SELECT id FROM conversations WHERE organization_id = \(id) AND deleted_at IS NULL ORDER BY id"
    }

    /// Those that somebody is in.
    static func conversations(_ id: OrganizationID, of user: UserID) -> Statement {
        """
        SELECT c.id FROM conversations c JOIN conversation_members m ON m.conversation_id = c.id \
        WHERE c.organization_id = \(id) AND c.deleted_at IS NULL AND m.user_id = \(user) AND m.removed_at IS NULL \
        ORDER BY c.id
        """
    }
}

extension ChatReader {
    /// `notFound` for who does not belong to it.
    func organization(_ id: OrganizationID, _ user: UserID) async throws(ChatError) -> OrganizationView {
        guard let view = try await first(OrganizationTable.view(id, user), OrganizationTable.view(from:)) else {
            throw .notFound(.organization)
        }
        return view
    }

    func organizationMember(_ id: OrganizationID, _ user: UserID) async throws(ChatError) -> OrganizationMember {
        let statement = OrganizationTable.members("m.organization_id = \(id) AND m.user_id = \(user)")
        guard let member = try await first(statement, OrganizationTable.member(from:)) else {
            throw .notFound(.member)
        }
        return member
    }

    func conversationIDs(_ statement: Statement) async throws(ChatError) -> [ConversationID] {
        try await all(statement) { (row) throws(StoreError) in try row.identifier(0, ConversationKind.self) }
    }
}
