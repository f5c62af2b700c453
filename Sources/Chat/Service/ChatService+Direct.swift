// Direct conversations: one for each pair of people.

package import Accounts
package import Base
import Store

extension ChatService {
    /// The conversation of these two; begun if there is none. `isNew` tells which.
    package func direct(
        with user: UserID, isEncrypted: Bool = true, by principal: Principal
    ) async throws(ChatError) -> (view: ConversationView, isNew: Bool) {
        guard user != principal.user else {
            throw .invalid(.participants, .value, "a direct conversation needs somebody else")
        }
        let now = clock.now()
        let key = [principal.user, user].sorted().flatMap(\.bytes)
        // Its identifier is not known before, so no lane is announced: the conversation has no events yet.
        let (access, isNew) = try await database.transaction {
            (transaction) async throws(ChatError) -> (ConversationAccess, Bool) in
            let known = try await Self.direct(key, of: principal.user, transaction.reader)
            if let known { return (known, false) }
            try await Self.requireReachable([user], transaction.reader)
            let conversation = Self.newDirect(by: principal.user, isEncrypted: isEncrypted, at: now)
            // Of two who begin at once, on PostgreSQL, one finds the other's by running again.
            guard try await transaction.change(ConversationTable.insert(conversation, directKey: key)) == 1 else {
                throw .store(.unavailable("the conversation is just being begun; try again"))
            }
            let own = Member.new(principal.user, in: conversation, addedBy: nil, at: now)
            let other = Member.new(user, in: conversation, addedBy: principal.user, at: now)
            try await transaction.change(MemberTable.upsert(own))
            try await transaction.change(MemberTable.upsert(other))
            let access = ConversationAccess(
                conversation: conversation, member: own, wasRemoved: false, isOfEverybody: true)
            return (access, true)
        }
        if isNew { events.notify(ChatNotice(.joined(access.conversation)), [principal.user, user]) }
        return (try await furnished([access.view], for: principal.user)[0], isNew)
    }

    private static func direct(
        _ key: Bytes, of user: UserID, _ reader: ChatReader
    ) async throws(ChatError) -> ConversationAccess? {
        let statement = ConversationTable.accesses(user, where: "c.direct_key = \(key) AND c.deleted_at IS NULL")
        return try await reader.first(statement, ConversationTable.access(from:))
    }

    private static func newDirect(by creator: UserID, isEncrypted: Bool, at now: Timestamp) -> Conversation {
        var settings = ConversationSettings()
        settings.isEncrypted = isEncrypted
        return Conversation(
            id: .timeOrdered(at: now), type: .direct, visibility: .private, organization: nil, title: nil,
            summary: nil, creator: creator, owner: nil, maxMembers: 2, memberCount: 2, settings: settings,
            rules: RoleRules(), isArchived: false, log: .begun(), createdAt: now, updatedAt: now)
    }
}
