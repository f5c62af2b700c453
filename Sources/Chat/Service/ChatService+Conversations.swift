// Conversations: begun, found, changed, deleted.

package import Accounts
package import Base
import Store

extension ChatService {
    /// Whoever begins it owns it. Who is named and cannot be a member (no such person, deactivated) refuses the whole.
    package func create(
        _ new: NewConversation, by principal: Principal
    ) async throws(ChatError) -> ConversationView {
        let now = clock.now()
        let conversation = try checked(new, by: principal.user, at: now)
        let others = Self.unique(new.members, besides: principal.user)
        guard others.count <= options.membersAtCreation else {
            throw .invalid(.participants, .tooLong, "at most \(options.membersAtCreation) when it is begun")
        }
        guard others.count < conversation.maxMembers else { throw .full(limit: conversation.maxMembers) }
        let limit = options.conversationsPerOwner
        return try await commit(in: conversation.id) { (transaction) async throws(ChatError) in
            let reader = transaction.reader
            if let organization = conversation.organization {
                _ = try await reader.organization(organization, principal.user)
            }
            try await Self.requireReachable(others, reader)
            try await Self.requireRoom(for: principal.user, limit, reader)
            var stored = conversation
            stored.memberCount = others.count + 1
            try await transaction.change(ConversationTable.insert(stored, directKey: nil))
            let owner = Member.new(principal.user, in: stored, role: .owner, addedBy: nil, at: now)
            try await transaction.change(MemberTable.upsert(owner))
            for user in others {
                let member = Member.new(user, in: stored, addedBy: principal.user, at: now)
                try await transaction.change(MemberTable.upsert(member))
            }
            let access = ConversationAccess(
                conversation: stored, member: owner, wasRemoved: false, isOfEverybody: true)
            var outcome = Outcome(access.view)
            outcome.notices = [(ChatNotice(.joined(stored)), [principal.user] + others)]
            return outcome
        }
    }

    private func checked(
        _ new: NewConversation, by creator: UserID, at now: Timestamp
    ) throws(ChatError) -> Conversation {
        guard new.type != .direct else {
            throw .invalid(.type, .value, "a direct conversation is begun with its other person, not by type")
        }
        try ChatValidation.settings(new.settings)
        try Self.checkRules(new.rules)
        let most = options.membersPerConversation
        let usual = new.type == .room ? min(options.roomMembers, most) : most
        return Conversation(
            id: .timeOrdered(at: now), type: new.type, visibility: new.visibility, organization: new.organization,
            title: try new.title.map(ChatValidation.title), summary: try new.summary.map(ChatValidation.summary),
            creator: creator, owner: creator,
            maxMembers: try ChatValidation.maxMembers(new.maxMembers ?? usual, options),
            memberCount: 1, settings: new.settings, rules: new.rules, isArchived: false, log: .begun(), createdAt: now,
            updatedAt: now)
    }

    /// In their order, each once.
    static func unique(_ users: [UserID], besides user: UserID? = nil) -> [UserID] {
        var seen: Set<UserID> = user.map { [$0] } ?? []
        return users.filter { seen.insert($0).inserted }
    }

    static func requireReachable(_ users: [UserID], _ reader: ChatReader) async throws(ChatError) {
        var rest = users[...]
        while !rest.isEmpty {
            let part = Array(rest.prefix(batch))
            rest = rest.dropFirst(part.count)
            guard try await reader.rows(MemberTable.reachable(part)).count == part.count else {
                throw .notFound(.user)
            }
        }
    }

    /// Identifiers in one statement.
    static var batch: Int { 256 }

    private static func requireRoom(
        for user: UserID, _ limit: Int, _ reader: ChatReader
    ) async throws(ChatError) {
        let count = try await reader.number(
            """
            SELECT COUNT(*) FROM (SELECT 1 FROM conversations WHERE creator_id = \(user) AND deleted_at IS NULL \
            AND type <> \(ConversationType.direct.rawValue) LIMIT \(limit)) owned
            """)
        guard count < Int64(limit) else { throw .limitReached(.conversations, limit) }
    }

    // MARK: Finding

    /// For members, and for those who may know that it is there.
    package func conversation(
        _ id: ConversationID, for principal: Principal
    ) async throws(ChatError) -> ConversationView {
        let access = try await reader.access(id, principal.user)
        return try await furnished([access.view], for: principal.user)[0]
    }

    /// Those with the newest message first. Each comes with its last message and, for direct ones, the other person.
    package func conversations(
        _ filter: ConversationFilter, for principal: Principal
    ) async throws(ChatError) -> Page<ConversationView> {
        let condition = Self.condition(filter, principal.user)
        let total = try await reader.number("SELECT COUNT(*) FROM conversations c WHERE \(part: condition)")
        let order: Statement = """
            \(part: condition) ORDER BY COALESCE(c.last_activity, c.created_at) DESC, c.id DESC \
            LIMIT \(max(0, filter.limit)) OFFSET \(max(0, filter.offset))
            """
        let accesses = try await reader.all(
            ConversationTable.accesses(principal.user, where: order), ConversationTable.access(from:))
        let views = try await furnished(accesses.map(\.view), for: principal.user)
        return Page(items: views, total: Int(clamping: total))
    }

    private static func condition(_ filter: ConversationFilter, _ user: UserID) -> Statement {
        var condition: Statement = """
            c.id IN (SELECT conversation_id FROM conversation_members WHERE user_id = \(user) AND removed_at IS NULL)
            """
        if filter.includesAccessible {
            condition = """
                (\(part: condition) OR (c.visibility <> \(ConversationVisibility.private.rawValue) AND \
                (c.organization_id IS NULL OR c.organization_id IN \
                (SELECT organization_id FROM organization_members WHERE user_id = \(user)))))
                """
        }
        condition = "c.deleted_at IS NULL AND \(part: condition)"
        if !filter.types.isEmpty {
            condition = "\(part: condition) AND c.type IN (\(list: filter.types.map(\.rawValue).sorted()))"
        }
        if let organization = filter.organization {
            condition = "\(part: condition) AND c.organization_id = \(organization)"
        }
        if !filter.includesArchived { condition = "\(part: condition) AND c.is_archived = 0" }
        if let search = filter.search, !search.isEmpty {
            let pattern = likePattern(ChatValidation.folded(search))
            condition = "\(part: condition) AND c.title_folded LIKE \(pattern) ESCAPE '!'"
        }
        return condition
    }

    /// Anywhere in the text, with the characters that LIKE gives a meaning to escaped. What the database cannot hold
    /// matches nothing anyway.
    static func likePattern(_ text: String) -> String {
        var pattern = "%"
        for scalar in text.unicodeScalars where scalar != "\0" {
            if scalar == "%" || scalar == "_" || scalar == "!" { pattern.unicodeScalars.append("!") }
            pattern.unicodeScalars.append(scalar)
        }
        return pattern + "%"
    }

    /// Adds last messages and counterparts, for those who are in them.
    func furnished(
        _ views: [ConversationView], for user: UserID
    ) async throws(ChatError) -> [ConversationView] {
        var views = views
        let inside = views.indices.filter { views[$0].membership != nil }
        let last = inside.compactMap { views[$0].conversation.lastMessage }
        var messages: [MessageID: Message] = [:]
        if !last.isEmpty {
            let condition: Statement = "s.id IN (\(list: last.padded))"
            for message in try await reader.messages(MessageTable.select(condition)) { messages[message.id] = message }
        }
        let direct = inside.filter { views[$0].conversation.type == .direct }.map { views[$0].conversation.id }
        let others = try await counterparts(in: direct, of: user)
        for index in inside {
            views[index].lastMessage = views[index].conversation.lastMessage.flatMap { messages[$0] }
            views[index].counterpart = others[views[index].conversation.id]
        }
        return views
    }

    private func counterparts(
        in ids: [ConversationID], of user: UserID
    ) async throws(ChatError) -> [ConversationID: ChatPerson] {
        guard !ids.isEmpty else { return [:] }
        let rows = try await reader.all(MemberTable.counterparts(ids, of: user)) { (row) throws(StoreError) in
            (try row.identifier(0, ConversationKind.self), try MemberTable.person(from: row, at: 1))
        }
        return Dictionary(rows) { first, _ in first }
    }

    // MARK: Changing

    package func update(
        _ id: ConversationID, _ changes: ConversationChanges, by principal: Principal
    ) async throws(ChatError) -> ConversationView {
        let now = clock.now()
        let options = options
        let view = try await commit(in: id) { (transaction) async throws(ChatError) in
            let access = try await transaction.reader.access(id, principal.user)
            _ = try access.require(changes.needed, evenArchived: changes.isArchived == false)
            var conversation = access.conversation
            try changes.apply(to: &conversation, options)
            guard conversation != access.conversation else { return Outcome(access.view) }
            conversation.updatedAt = now
            try await transaction.change(ConversationTable.update(conversation))
            let event = try await transaction.record(
                .conversationChanged(conversation), in: id, by: principal.user, at: now)
            return Outcome(access.with(conversation).view, [event])
        }
        return try await furnished([view], for: principal.user)[0]
    }

    /// Gone for everybody at once; its rows are removed in the background.
    package func delete(
        _ id: ConversationID, by principal: Principal, origin: RequestOrigin
    ) async throws(ChatError) {
        let now = clock.now()
        try await commit(in: id) { (transaction) async throws(ChatError) in
            let access = try await transaction.reader.access(id, principal.user)
            _ = try access.require(.delete, evenArchived: true)
            var outcome = try await Self.delete(id, by: principal.user, at: now, in: transaction)
            try await Self.audit(
                .conversationDeleted, of: id.description, by: principal, origin: origin, at: now, in: transaction)
            outcome.isAudited = true
            return outcome
        }
    }

    static func delete(
        _ id: ConversationID, by actor: UserID?, at now: Timestamp, in transaction: any Transaction
    ) async throws(ChatError) -> Outcome<Void> {
        let event = try await transaction.record(.conversationDeleted, in: id, by: actor, at: now)
        let users = try await transaction.reader.all(MemberTable.users(id)) { (row) throws(StoreError) in
            try row.identifier(0, UserKind.self)
        }
        try await transaction.change(ConversationTable.delete(id, at: now))
        try await transaction.change(FileTable.letGo(in: id))
        var outcome = Outcome<Void>((), [event])
        outcome.closed = [id]
        outcome.notices = [(ChatNotice(.left(id, .removed)), users)]
        return outcome
    }

    // MARK: For others

    /// What the user may do in it now: for sockets that want to follow it, for voice, for files.
    ///
    /// `notFound` and `forbidden` as everywhere; throws unless they have all of `wanted`.
    @discardableResult
    package func authorize(
        _ wanted: Abilities, in id: ConversationID, for principal: Principal
    ) async throws(ChatError) -> ConversationView {
        let access = try await reader.access(id, principal.user)
        _ = try access.require(wanted)
        return access.view
    }

    /// Somebody types, or has stopped. Told to whoever looks, kept nowhere.
    package func typing(
        _ isTyping: Bool, in id: ConversationID, by principal: Principal
    ) async throws(ChatError) {
        try await authorize(.send, in: id, for: principal)
        events.deliver(
            ChatEvent(
                conversation: id, position: nil, at: clock.now(), actor: principal.user,
                change: .typing(isTyping: isTyping)))
    }

    /// Names and pictures of users, for lists of messages; who is gone is not among them.
    package func people(_ ids: Set<UserID>) async throws(ChatError) -> [UserID: ChatPerson] {
        var people: [UserID: ChatPerson] = [:]
        var rest = Array(ids)[...]
        while !rest.isEmpty {
            let part = Array(rest.prefix(Self.batch))
            rest = rest.dropFirst(part.count)
            let found = try await reader.all(MemberTable.people(part)) { (row) throws(StoreError) in
                try MemberTable.person(from: row)
            }
            for person in found { people[person.id] = person }
        }
        return people
    }
}

extension ConversationChanges {
    /// What one needs to be allowed to make these.
    fileprivate var needed: Abilities {
        var needed: Abilities = []
        if title != nil || summary != nil || maxMembers != nil || hasAutomaticSummary != nil || summaryThreshold != nil
            || isEncrypted != nil
        {
            needed.insert(.manageConversation)
        }
        if visibility != nil || isArchived != nil || retention != nil { needed.insert(.administer) }
        return needed.isEmpty ? .manageConversation : needed
    }

    fileprivate func apply(to conversation: inout Conversation, _ options: ChatOptions) throws(ChatError) {
        if let title { conversation.title = try ChatValidation.title(title) }
        if let summary { conversation.summary = try summary.map(ChatValidation.summary) }
        if let visibility { conversation.visibility = visibility }
        if let maxMembers {
            conversation.maxMembers = try ChatValidation.maxMembers(maxMembers, options)
            guard maxMembers >= conversation.memberCount else {
                throw .invalid(.maxMembers, .value, "it has \(conversation.memberCount) members")
            }
        }
        if let isArchived { conversation.isArchived = isArchived }
        if let hasAutomaticSummary { conversation.settings.hasAutomaticSummary = hasAutomaticSummary }
        if let summaryThreshold { conversation.settings.summaryThreshold = summaryThreshold }
        if let isEncrypted { conversation.settings.isEncrypted = isEncrypted }
        if let retention { conversation.settings.retention = retention }
        try ChatValidation.settings(conversation.settings)
    }
}

extension ConversationAccess {
    /// After a change of it.
    func with(_ conversation: Conversation, _ member: Member? = nil) -> ConversationAccess {
        ConversationAccess(
            conversation: conversation, member: member ?? self.member, wasRemoved: wasRemoved,
            isOfEverybody: isOfEverybody)
    }
}

extension ConversationLog {
    /// A new one. Its epoch is drawn, so that no reader of another log can take it for theirs; 53 bits, because clients
    /// keep it as a number of JSON.
    static func begun() -> ConversationLog {
        ConversationLog(
            epoch: Int64.random(in: 1...0x1F_FFFF_FFFF_FFFF), lastOffset: 0, removedOffset: 0, lastSequence: 0,
            firstSequence: 1)
    }
}

extension Member {
    /// Somebody new. What was said before they came is there to be read, and not counted as unread.
    static func new(
        _ user: UserID, in conversation: Conversation, role: MemberRole = .member, addedBy: UserID?, at now: Timestamp
    ) -> Member {
        Member(
            conversation: conversation.id, user: user, role: role, rule: PermissionRule(), joinedAt: now,
            addedBy: addedBy, isMuted: false, readSequence: conversation.log.lastSequence, readAt: nil)
    }
}
