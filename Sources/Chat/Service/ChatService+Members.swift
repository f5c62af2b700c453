// Who is in a conversation: added, removed, joined, left, raised and lowered.

package import Accounts
package import Base
import Store

extension ChatService {
    /// In the order of rank, then of joining.
    package func members(
        of id: ConversationID, offset: Int, limit: Int, for principal: Principal
    ) async throws(ChatError) -> Page<MemberEntry> {
        let access = try await reader.access(id, principal.user)
        _ = try access.require(.view)
        let statement = MemberTable.page(id, offset: max(0, offset), limit: max(0, limit))
        let entries = try await reader.all(statement, MemberTable.entry(from:))
        return Page(items: entries, total: access.conversation.memberCount)
    }

    package func addMember(
        _ user: UserID, to id: ConversationID, role: MemberRole = .member, by principal: Principal
    ) async throws(ChatError) -> MemberEntry {
        let now = clock.now()
        return try await commit(in: id) { (transaction) async throws(ChatError) in
            let access = try await transaction.reader.access(id, principal.user)
            let own = try access.require(.manageMembers)
            guard role < own.role || own.role == .owner && role == .admin else { throw .forbidden(.rank) }
            try await Self.requireReachable([user], transaction.reader)
            let (member, event) = try await Self.enter(
                user, access.conversation, role: role, addedBy: principal.user, at: now, in: transaction)
            var outcome = Outcome(try await transaction.reader.entry(id, user), [event])
            outcome.notices = [(ChatNotice(.joined(access.conversation)), [member.user])]
            return outcome
        }
    }

    /// Makes somebody a member who is none, if there is room. Rights were looked at before.
    static func enter(
        _ user: UserID, _ conversation: Conversation, role: MemberRole = .member, addedBy: UserID?, at now: Timestamp,
        in transaction: any Transaction
    ) async throws(ChatError) -> (Member, ChatEvent) {
        let id = conversation.id
        let existing = try await transaction.reader.rows(MemberTable.select(id, user))
        guard existing.isEmpty else { throw .alreadyMember }
        guard conversation.memberCount < conversation.maxMembers else { throw .full(limit: conversation.maxMembers) }
        let member = Member.new(user, in: conversation, role: role, addedBy: addedBy, at: now)
        try await transaction.change(MemberTable.upsert(member))
        try await transaction.change(MemberTable.count(id, change: 1))
        let event = try await transaction.record(.memberJoined(member), in: id, by: addedBy ?? user, at: now)
        return (member, event)
    }

    /// Their media is cut before this returns. They come back only when somebody adds them.
    package func removeMember(
        _ user: UserID, from id: ConversationID, by principal: Principal, origin: RequestOrigin
    ) async throws(ChatError) {
        if user == principal.user { return try await leave(id, by: principal) }
        let now = clock.now()
        try await commit(in: id) { (transaction) async throws(ChatError) in
            let access = try await transaction.reader.access(id, principal.user)
            guard access.conversation.type != .direct else { throw .forbidden(.direct) }
            let own = try access.require(.manageMembers, evenArchived: true)
            let member = try await transaction.reader.member(id, user)
            guard own.role == .owner || member.role < own.role else { throw .forbidden(.rank) }
            var outcome = try await Self.exit(member, .removed, by: principal.user, at: now, in: transaction)
            try await Self.audit(
                .memberRemoved, of: "\(id) \(user)", by: principal, origin: origin, at: now, in: transaction)
            outcome.isAudited = true
            return outcome
        }
    }

    /// Ends a membership, and sees to it that an owner is left.
    static func exit(
        _ member: Member, _ reason: DepartureReason, by actor: UserID?, at now: Timestamp,
        in transaction: any Transaction
    ) async throws(ChatError) -> Outcome<Void> {
        let (id, user) = (member.conversation, member.user)
        if reason == .removed {
            try await transaction.change(MemberTable.throwOut(id, user, at: now))
        } else {
            try await transaction.change(MemberTable.remove(id, user))
        }
        try await transaction.change(MemberTable.count(id, change: -1))
        try await transaction.change(ReceiptTable.forget(id, user))
        if member.role == .owner { try await settleOwner(of: id, in: transaction) }
        let event = try await transaction.record(.memberLeft(user, reason), in: id, by: actor, at: now)
        var outcome = Outcome<Void>((), [event])
        outcome.cuts = [CallCut(conversation: id, users: [user])]
        outcome.notices = [(ChatNotice(.left(id, reason)), [user])]
        return outcome
    }

    /// The conversation's owner is the first of its owners.
    static func settleOwner(of id: ConversationID, in transaction: any Transaction) async throws(ChatError) {
        let owner = try await transaction.reader.first(MemberTable.firstOwner(id)) { (row) throws(StoreError) in
            try row.identifier(0, UserKind.self)
        }
        try await transaction.change(ConversationTable.setOwner(owner, of: id))
    }

    // MARK: By oneself

    /// Into a public one.
    package func join(_ id: ConversationID, by principal: Principal) async throws(ChatError) -> ConversationView {
        let now = clock.now()
        let view = try await commit(in: id) { (transaction) async throws(ChatError) in
            let access = try await transaction.reader.access(id, principal.user)
            guard access.member == nil else { return Outcome(access.view) }
            guard access.conversation.visibility == .public else { throw .forbidden(.inviteOnly) }
            return try await Self.comeIn(access, principal.user, at: now, in: transaction)
        }
        return try await furnished([view], for: principal.user)[0]
    }

    /// For joining and invitations: the way in of who was not added by somebody.
    static func comeIn(
        _ access: ConversationAccess, _ user: UserID, at now: Timestamp, in transaction: any Transaction
    ) async throws(ChatError) -> Outcome<ConversationView> {
        guard !access.wasRemoved else { throw .forbidden(.removed) }
        guard !access.conversation.isArchived else { throw .forbidden(.archived) }
        let (member, event) = try await enter(user, access.conversation, addedBy: nil, at: now, in: transaction)
        var conversation = access.conversation
        conversation.memberCount += 1
        if let position = event.position { conversation.log.lastOffset = position.offset }
        var outcome = Outcome(access.with(conversation, member).view, [event])
        outcome.notices = [(ChatNotice(.joined(conversation)), [user])]
        return outcome
    }

    /// The last owner cannot, unless nobody else is there: then it ends with them.
    package func leave(_ id: ConversationID, by principal: Principal) async throws(ChatError) {
        let now = clock.now()
        try await commit(in: id) { (transaction) async throws(ChatError) in
            let access = try await transaction.reader.access(id, principal.user)
            guard access.conversation.type != .direct else { throw .forbidden(.direct) }
            let own = try access.require([], evenArchived: true)
            if own.role == .owner {
                if access.conversation.memberCount == 1 {
                    return try await Self.delete(id, by: principal.user, at: now, in: transaction)
                }
                try await Self.requireAnotherOwner(than: own, in: transaction)
            }
            return try await Self.exit(own, .left, by: principal.user, at: now, in: transaction)
        }
    }

    private static func requireAnotherOwner(
        than member: Member, in transaction: any Transaction
    ) async throws(ChatError) {
        let others = MemberTable.otherOwners(member.conversation, than: member.user)
        guard try await transaction.reader.number(others) > 0 else { throw .forbidden(.lastOwner) }
    }

    /// One's own wish for silence.
    package func setMuted(
        _ isMuted: Bool, in id: ConversationID, by principal: Principal
    ) async throws(ChatError) -> Member {
        try await database.transaction { (transaction) async throws(ChatError) in
            var member = try await transaction.reader.access(id, principal.user).require([], evenArchived: true)
            try await transaction.change(MemberTable.setMuted(isMuted, id, principal.user))
            member.isMuted = isMuted
            return member
        }
    }

    // MARK: Rank

    package func setRole(
        _ role: MemberRole, of user: UserID, in id: ConversationID, by principal: Principal, origin: RequestOrigin
    ) async throws(ChatError) -> MemberEntry {
        let now = clock.now()
        return try await commit(in: id) { (transaction) async throws(ChatError) in
            let access = try await transaction.reader.access(id, principal.user)
            guard access.conversation.type != .direct else { throw .forbidden(.direct) }
            let own = try access.require(.administer)
            let member = try await transaction.reader.member(id, user)
            let entry = try await transaction.reader.entry(id, user)
            guard member.role != role else { return Outcome(entry) }
            guard own.role == .owner || max(member.role, role) < own.role else { throw .forbidden(.rank) }
            if member.role == .owner { try await Self.requireAnotherOwner(than: member, in: transaction) }
            let event = try await Self.change(member, to: role, by: principal.user, at: now, in: transaction)
            try await Self.audit(
                .roleChanged, of: "\(id) \(user)", by: principal, origin: origin, at: now, in: transaction)
            var outcome = Outcome(try await transaction.reader.entry(id, user), [event])
            outcome.isAudited = true
            return outcome
        }
    }

    private static func change(
        _ member: Member, to role: MemberRole, by actor: UserID?, at now: Timestamp, in transaction: any Transaction
    ) async throws(ChatError) -> ChatEvent {
        try await transaction.change(MemberTable.setRole(role, member.conversation, member.user))
        if member.role == .owner || role == .owner { try await settleOwner(of: member.conversation, in: transaction) }
        var changed = member
        changed.role = role
        return try await transaction.record(
            .memberChanged(member.user, changed), in: member.conversation, by: actor, at: now)
    }

    /// An owner makes another member the owner and is an admin from then on.
    package func handOver(
        _ id: ConversationID, to user: UserID, by principal: Principal, origin: RequestOrigin
    ) async throws(ChatError) {
        let now = clock.now()
        try await commit(in: id) { (transaction) async throws(ChatError) in
            let access = try await transaction.reader.access(id, principal.user)
            guard access.conversation.type != .direct else { throw .forbidden(.direct) }
            let own = try access.require([], evenArchived: true)
            guard own.role == .owner else { throw .forbidden(.rank) }
            let member = try await transaction.reader.member(id, user)
            guard user != principal.user else { return Outcome<Void>(()) }
            let raised = try await Self.change(member, to: .owner, by: principal.user, at: now, in: transaction)
            let lowered = try await Self.change(own, to: .admin, by: principal.user, at: now, in: transaction)
            try await Self.audit(
                .handedOver, of: "\(id) \(user)", by: principal, origin: origin, at: now, in: transaction)
            var outcome = Outcome<Void>((), [raised, lowered])
            outcome.isAudited = true
            return outcome
        }
    }
}

extension ChatReader {
    /// `notFound(.member)` for who is none.
    func member(_ id: ConversationID, _ user: UserID) async throws(ChatError) -> Member {
        let member = try await first(MemberTable.select(id, user)) { (row) throws(StoreError) in
            try MemberTable.member(from: row)
        }
        guard let member else { throw .notFound(.member) }
        return member
    }

    func entry(_ id: ConversationID, _ user: UserID) async throws(ChatError) -> MemberEntry {
        guard let entry = try await first(MemberTable.entry(id, user), MemberTable.entry(from:)) else {
            throw .notFound(.member)
        }
        return entry
    }
}
