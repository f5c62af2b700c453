// The rules of a conversation: what its roles, and single members, have beyond or below the usual.

package import Accounts
import Base
import Store

extension ChatService {
    package func permissions(
        of id: ConversationID, for principal: Principal
    ) async throws(ChatError) -> ConversationPermissions {
        let access = try await reader.access(id, principal.user)
        _ = try access.require(.view)
        return try await Self.permissions(access, reader)
    }

    private static func permissions(
        _ access: ConversationAccess, _ reader: ChatReader
    ) async throws(ChatError) -> ConversationPermissions {
        let id = access.conversation.id
        let rules = try await reader.all(MemberTable.rules(id)) { (row) throws(StoreError) in
            (try row.identifier(0, UserKind.self), try MemberTable.rule(from: row, at: 1))
        }
        return ConversationPermissions(
            conversation: id, type: access.conversation.type, rules: access.conversation.rules,
            memberRules: Dictionary(rules) { first, _ in first }, own: access.abilities)
    }

    /// Nobody gives what they do not have themselves. Owners have no rules.
    package func setPermissions(
        _ changes: PermissionChanges, of id: ConversationID, by principal: Principal, origin: RequestOrigin
    ) async throws(ChatError) -> ConversationPermissions {
        let now = clock.now()
        return try await commit(in: id) { (transaction) async throws(ChatError) in
            let access = try await transaction.reader.access(id, principal.user)
            guard access.conversation.type != .direct else { throw .forbidden(.direct) }
            let own = try access.require(.managePermissions)
            var conversation = access.conversation
            for (role, rule) in changes.roles { conversation.rules[role] = rule }
            try Self.checkRules(conversation.rules)
            let given = changes.roles.values.map(\.allow) + changes.members.values.map(\.allow)
            for abilities in given where !access.abilities.isSuperset(of: abilities) {
                throw .forbidden(.lacks(abilities.subtracting(access.abilities)))
            }
            guard own.role == .owner || changes.roles.keys.allSatisfy({ $0 < own.role }) else {
                throw .forbidden(.rank)
            }
            var events: [ChatEvent] = []
            if conversation != access.conversation {
                conversation.updatedAt = now
                try await transaction.change(ConversationTable.update(conversation))
                events.append(
                    try await transaction.record(.conversationChanged(conversation), in: id, by: own.user, at: now))
            }
            for (user, rule) in changes.members.sorted(by: { $0.key < $1.key }) {
                events += try await Self.set(rule, of: user, in: id, by: own, at: now, transaction)
            }
            var outcome = Outcome(try await Self.permissions(access.with(conversation), transaction.reader), events)
            if !events.isEmpty {
                try await Self.audit(
                    .permissionsChanged, of: id.description, by: principal, origin: origin, at: now, in: transaction)
                outcome.isAudited = true
            }
            return outcome
        }
    }

    private static func set(
        _ rule: PermissionRule, of user: UserID, in id: ConversationID, by own: Member, at now: Timestamp,
        _ transaction: any Transaction
    ) async throws(ChatError) -> [ChatEvent] {
        try check(rule)
        var member = try await transaction.reader.member(id, user)
        guard member.role != .owner, own.role == .owner || member.role < own.role else { throw .forbidden(.rank) }
        guard member.rule != rule else { return [] }
        member.rule = rule
        try await transaction.change(MemberTable.setRule(rule, id, user))
        return [try await transaction.record(.memberChanged(user, member), in: id, by: own.user, at: now)]
    }

    static func checkRules(_ rules: RoleRules) throws(ChatError) {
        guard rules[.owner].isEmpty else {
            throw .invalid(.permissions, .value, "an owner has everything; there is no rule for owners")
        }
        for role in MemberRole.allCases { try check(rules[role]) }
    }

    private static func check(_ rule: PermissionRule) throws(ChatError) {
        guard rule.allow.isDisjoint(with: rule.deny) else {
            throw .invalid(.permissions, .value, "one rule both allows and denies something")
        }
        guard !rule.deny.contains(.view) else {
            throw .invalid(.permissions, .value, "`view` cannot be denied; remove who shall not read")
        }
        guard Abilities.all.isSuperset(of: rule.allow.union(rule.deny)) else {
            throw .invalid(.permissions, .value, "names an ability that there is not")
        }
    }
}
