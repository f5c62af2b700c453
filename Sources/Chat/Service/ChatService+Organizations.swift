// Organisations and who belongs to them.

package import Accounts
package import Base
import Store

extension ChatService {
    package func createOrganization(
        name: String, summary: String?, by principal: Principal
    ) async throws(ChatError) -> OrganizationView {
        let now = clock.now()
        let limit = options.organizationsPerOwner
        let organization = Organization(
            id: .timeOrdered(at: now), name: try ChatValidation.organizationName(name),
            summary: try summary.map(ChatValidation.summary), creator: principal.user, memberCount: 1, createdAt: now,
            updatedAt: now)
        return try await database.transaction { (transaction) async throws(ChatError) in
            let begun = try await transaction.reader.number(
                OrganizationTable.begun(by: principal.user, limit: limit))
            guard begun < Int64(limit) else { throw .limitReached(.organizations, limit) }
            try await transaction.change(OrganizationTable.insert(organization))
            try await transaction.change(OrganizationTable.add(principal.user, to: organization.id, .owner, at: now))
            return OrganizationView(organization: organization, role: .owner)
        }
    }

    /// Those that the user belongs to, by name.
    package func organizations(
        offset: Int, limit: Int, for principal: Principal
    ) async throws(ChatError) -> Page<OrganizationView> {
        let total = try await reader.number(
            "SELECT COUNT(*) FROM organization_members WHERE user_id = \(principal.user)")
        let statement = OrganizationTable.views(
            """
            m.user_id = \(principal.user) AND o.deleted_at IS NULL ORDER BY o.name_folded, o.id \
            LIMIT \(max(0, limit)) OFFSET \(max(0, offset))
            """)
        let items = try await reader.all(statement, OrganizationTable.view(from:))
        return Page(items: items, total: Int(clamping: total))
    }

    package func organization(
        _ id: OrganizationID, for principal: Principal
    ) async throws(ChatError) -> OrganizationView {
        try await reader.organization(id, principal.user)
    }

    /// By its admins. The inner `nil` of `summary` removes it.
    package func updateOrganization(
        _ id: OrganizationID, name: String?, summary: String??, by principal: Principal
    ) async throws(ChatError) -> OrganizationView {
        let now = clock.now()
        return try await database.transaction { (transaction) async throws(ChatError) in
            let view = try await transaction.reader.organization(id, principal.user)
            try Self.require(.admin, view)
            var organization = view.organization
            if let name { organization.name = try ChatValidation.organizationName(name) }
            if let summary { organization.summary = try summary.map(ChatValidation.summary) }
            organization.updatedAt = now
            try await transaction.change(OrganizationTable.update(organization))
            return OrganizationView(organization: organization, role: view.role)
        }
    }

    private static func require(_ role: MemberRole, _ view: OrganizationView) throws(ChatError) {
        guard view.role >= role else {
            throw .forbidden(.lacks(role == .owner ? .delete : .administer))
        }
    }

    /// By an owner; with all of its conversations.
    package func deleteOrganization(
        _ id: OrganizationID, by principal: Principal, origin: RequestOrigin
    ) async throws(ChatError) {
        let now = clock.now()
        try await commitInAll(OrganizationTable.conversations(id)) { (transaction, ids) async throws(ChatError) in
            let view = try await transaction.reader.organization(id, principal.user)
            try Self.require(.owner, view)
            var outcome = Outcome<Void>(())
            for conversation in ids {
                outcome.append(try await Self.delete(conversation, by: principal.user, at: now, in: transaction))
            }
            try await transaction.change("DELETE FROM organization_members WHERE organization_id = \(id)")
            try await transaction.change(OrganizationTable.delete(id, at: now))
            try await Self.audit(
                .organizationDeleted, of: id.description, by: principal, origin: origin, at: now, in: transaction)
            outcome.isAudited = true
            return outcome
        }
    }

    /// A change of several conversations that are found by a question. They are announced before the transaction; one
    /// that comes in between is changed, too, and its events go out by the order of that moment.
    func commitInAll(
        _ question: Statement,
        _ body: @escaping @Sendable (any Transaction, [ConversationID]) async throws(ChatError) -> Outcome<Void>
    ) async throws(ChatError) {
        let announced = try await reader.conversationIDs(question)
        let late = try await commit(in: announced) { (transaction) async throws(ChatError) -> Outcome<[ChatEvent]> in
            let ids = try await transaction.reader.conversationIDs(question)
            let outcome = try await body(transaction, ids)
            let known = Set(announced)
            var result = Outcome(outcome.events.filter { !known.contains($0.conversation) }, outcome.events)
            result.take(outcome)
            return result
        }
        for event in late { events.deliver(event) }
    }

    // MARK: Members

    package func organizationMembers(
        of id: OrganizationID, offset: Int, limit: Int, for principal: Principal
    ) async throws(ChatError) -> Page<OrganizationMember> {
        let view = try await reader.organization(id, principal.user)
        let statement = OrganizationTable.members(
            """
            m.organization_id = \(id) ORDER BY m.role DESC, m.joined_at, m.user_id \
            LIMIT \(max(0, limit)) OFFSET \(max(0, offset))
            """)
        let items = try await reader.all(statement, OrganizationTable.member(from:))
        return Page(items: items, total: view.organization.memberCount)
    }

    /// By its admins; a role below one's own, unless one is an owner.
    package func addOrganizationMember(
        _ user: UserID, to id: OrganizationID, role: MemberRole = .member, by principal: Principal
    ) async throws(ChatError) -> OrganizationMember {
        let now = clock.now()
        let limit = options.membersPerOrganization
        return try await database.transaction { (transaction) async throws(ChatError) in
            let view = try await transaction.reader.organization(id, principal.user)
            try Self.require(.admin, view)
            guard view.role == .owner || role < view.role else { throw .forbidden(.rank) }
            guard view.organization.memberCount < limit else { throw .full(limit: limit) }
            try await Self.requireReachable([user], transaction.reader)
            guard try await transaction.change(OrganizationTable.add(user, to: id, role, at: now)) == 1 else {
                throw .alreadyMember
            }
            try await transaction.change(OrganizationTable.count(id, change: 1))
            return try await transaction.reader.organizationMember(id, user)
        }
    }

    package func setOrganizationRole(
        _ role: MemberRole, of user: UserID, in id: OrganizationID, by principal: Principal, origin: RequestOrigin
    ) async throws(ChatError) -> OrganizationMember {
        let now = clock.now()
        let member = try await database.transaction { (transaction) async throws(ChatError) in
            let view = try await transaction.reader.organization(id, principal.user)
            try Self.require(.admin, view)
            let member = try await transaction.reader.organizationMember(id, user)
            guard view.role == .owner || max(member.role, role) < view.role else { throw .forbidden(.rank) }
            if member.role == .owner, role != .owner {
                try await Self.requireAnotherOwner(of: id, than: user, in: transaction)
            }
            try await transaction.change(OrganizationTable.setRole(role, of: user, in: id))
            try await Self.audit(
                .organizationRoleChanged, of: "\(id) \(user)", by: principal, origin: origin, at: now, in: transaction)
            return try await transaction.reader.organizationMember(id, user)
        }
        accounts.audit.sealSoon()
        return member
    }

    private static func requireAnotherOwner(
        of id: OrganizationID, than user: UserID, in transaction: any Transaction
    ) async throws(ChatError) {
        guard try await transaction.reader.number(OrganizationTable.otherOwners(id, than: user)) > 0 else {
            throw .forbidden(.lastOwner)
        }
    }

    /// By its admins, or by the member. They leave all of its conversations with it, and the calls there.
    package func removeOrganizationMember(
        _ user: UserID, from id: OrganizationID, by principal: Principal, origin: RequestOrigin
    ) async throws(ChatError) {
        let now = clock.now()
        let reason: DepartureReason = user == principal.user ? .left : .removed
        try await commitInAll(OrganizationTable.conversations(id, of: user)) {
            (transaction, ids) async throws(ChatError) in
            let view = try await transaction.reader.organization(id, principal.user)
            let member = try await transaction.reader.organizationMember(id, user)
            if reason == .removed {
                try Self.require(.admin, view)
                guard view.role == .owner || member.role < view.role else { throw .forbidden(.rank) }
            }
            if member.role == .owner { try await Self.requireAnotherOwner(of: id, than: user, in: transaction) }
            var outcome = Outcome<Void>(())
            for conversation in ids {
                outcome.append(
                    try await Self.withdraw(
                        user, from: conversation, reason, by: principal.user, at: now, in: transaction))
            }
            try await transaction.change(OrganizationTable.remove(user, from: id))
            try await transaction.change(OrganizationTable.count(id, change: -1))
            try await Self.audit(
                .organizationMemberRemoved, of: "\(id) \(user)", by: principal, origin: origin, at: now,
                in: transaction)
            outcome.isAudited = true
            return outcome
        }
    }

    /// Ends a membership that somebody else has decided over: a conversation that they alone own gets another owner,
    /// and one that nobody else is in ends.
    static func withdraw(
        _ user: UserID, from id: ConversationID, _ reason: DepartureReason, by actor: UserID?, at now: Timestamp,
        in transaction: any Transaction
    ) async throws(ChatError) -> Outcome<Void> {
        let member = try await transaction.reader.member(id, user)
        guard member.role == .owner,
            try await transaction.reader.number(MemberTable.otherOwners(id, than: user)) == 0
        else { return try await exit(member, reason, by: actor, at: now, in: transaction) }
        let successor = try await transaction.reader.first(MemberTable.successors(id, besides: user)) {
            (row) throws(StoreError) in try row.identifier(0, UserKind.self)
        }
        guard let successor else { return try await delete(id, by: actor, at: now, in: transaction) }
        var raised = try await transaction.reader.member(id, successor)
        raised.role = .owner
        try await transaction.change(MemberTable.setRole(.owner, id, successor))
        let event = try await transaction.record(.memberChanged(successor, raised), in: id, by: actor, at: now)
        var outcome = Outcome<Void>((), [event])
        outcome.append(try await exit(member, reason, by: actor, at: now, in: transaction))
        return outcome
    }
}

extension ChatService.Outcome {
    mutating func append(_ other: ChatService.Outcome<Void>) {
        events += other.events
        take(other)
    }

    /// What is to be told beside events.
    mutating func take(_ other: ChatService.Outcome<Void>) {
        notices += other.notices
        cuts += other.cuts
        closed += other.closed
        isAudited = isAudited || other.isAudited
    }
}
