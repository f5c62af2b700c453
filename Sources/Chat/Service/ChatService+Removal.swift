// What goes with an account: nothing that it wrote is left, nor its name on what others wrote.
//
// A removal is remembered from its beginning to its end (`account_removals`), so that one that broke off is finished by
// the sweep. One that never began, since the server stopped between the end of the account and here, the sweep finds by
// walking through the tables, a part at a time: who is named there and is no account any more.

package import Base
import Store
import Synchronization

extension ChatService {
    /// Rows of the table of messages that are looked at in one statement, when somebody's are searched.
    private static var stretch: Int64 { 20_000 }
    /// Messages that are rewritten in one transaction.
    private static var rewritten: Int { 100 }
    /// People who are looked at in one turn of each table.
    private static var walked: Int { 200 }
    /// A removal that takes longer has broken off. Were it still on, it would be done twice, which does no harm.
    private static var patience: Duration { .minutes(10) }

    /// The account is gone: they leave every conversation, what they wrote is emptied, their devices are forgotten, and
    /// what others keep does not name them. A conversation that they alone owned goes to its member of the highest rank.
    ///
    /// May be called again when it was broken off: it goes on where it was.
    package func forget(_ user: UserID) async throws(ChatError) {
        let now = clock.now()
        try await database.transaction { (transaction) async throws(ChatError) in
            _ = try await transaction.change(RemovalTable.begin(user, at: now))
        }
        try await leaveOrganizations(user)
        try await leaveConversations(user)
        try await emptyMessages(of: user)
        try await takeBackReactions(of: user)
        try await unname(user)
        try await database.transaction { (transaction) async throws(ChatError) in
            for statement in RemovalTable.ends(of: user) { try await transaction.change(statement) }
        }
    }

    // MARK: What broke off

    /// Where the walk is.
    struct AccountWalk: Sendable {
        var users: [RemovalTable.Holder: UserID] = [:]
        var message: Int64 = 0
    }

    /// A part of the tables, and one removal that broke off. Returns whether there is another one.
    func sweepAccounts(_ now: Timestamp) async throws(ChatError) -> Bool {
        var orphans = try await walkMessages()
        for table in RemovalTable.Holder.allCases { orphans.formUnion(try await walk(table)) }
        if !orphans.isEmpty {
            let found = orphans
            try await database.transaction { (transaction) async throws(ChatError) in
                for user in found {
                    try await transaction.change(RemovalTable.begin(user, at: Timestamp(microsecondsSinceEpoch: 0)))
                }
            }
        }
        let due = try await reader.all(RemovalTable.begun(before: now - Self.patience, limit: 2)) {
            (row) throws(StoreError) in try row.identifier(0, UserKind.self)
        }
        guard let user = due.first else { return false }
        try await forget(user)
        return due.count > 1
    }

    private func walk(_ table: RemovalTable.Holder) async throws(ChatError) -> Set<UserID> {
        let start = walk.withLock { $0.users[table] } ?? RemovalTable.nobody
        let rows = try await reader.all(RemovalTable.people(in: table, after: start, limit: Self.walked)) {
            (row) throws(StoreError) in (user: try row.identifier(0, UserKind.self), isThere: try row.flag(1))
        }
        // From the beginning when the end was reached.
        let end = rows.count < Self.walked ? nil : rows.last?.user
        walk.withLock { $0.users[table] = end }
        return Set(rows.filter { !$0.isThere }.map(\.user))
    }

    private func walkMessages() async throws(ChatError) -> Set<UserID> {
        let start = walk.withLock { $0.message }
        let end = start + Self.stretch
        let orphans = try await reader.all(RemovalTable.orphans(after: start, upTo: end)) { (row) throws(StoreError) in
            try row.identifier(0, UserKind.self)
        }
        let last = try await reader.number(RemovalTable.lastNumber)
        walk.withLock { $0.message = end < last ? end : 0 }
        return Set(orphans)
    }

    // MARK: What they wrote, and where they were

    private func leaveOrganizations(_ user: UserID) async throws(ChatError) {
        let ids = try await reader.all("SELECT organization_id FROM organization_members WHERE user_id = \(user)") {
            (row) throws(StoreError) in try row.identifier(0, OrganizationKind.self)
        }
        let now = clock.now()
        for id in ids {
            try await commitInAll(OrganizationTable.conversations(id)) {
                (transaction, conversations)
                    async throws(ChatError) in
                let others = OrganizationTable.members(
                    "m.organization_id = \(id) AND m.user_id <> \(user) ORDER BY m.role DESC, m.joined_at LIMIT 1")
                let successor = try await transaction.reader.first(others, OrganizationTable.member(from:))
                var outcome = Outcome<Void>(())
                if let successor {
                    if try await transaction.reader.number(OrganizationTable.otherOwners(id, than: user)) == 0 {
                        try await transaction.change(
                            OrganizationTable.setRole(.owner, of: successor.person.id, in: id))
                    }
                    try await transaction.change(OrganizationTable.count(id, change: -1))
                } else {
                    for conversation in conversations {
                        outcome.append(try await Self.delete(conversation, by: nil, at: now, in: transaction))
                    }
                    try await transaction.change(OrganizationTable.delete(id, at: now))
                }
                try await transaction.change(OrganizationTable.remove(user, from: id))
                return outcome
            }
        }
    }

    private func leaveConversations(_ user: UserID) async throws(ChatError) {
        let statement = RemovalTable.conversations(of: user, limit: Self.sweepConversations)
        let now = clock.now()
        while true {
            let ids = try await reader.conversationIDs(statement)
            if ids.isEmpty { return }
            for id in ids {
                do throws(ChatError) {
                    try await commit(in: id) { (transaction) async throws(ChatError) in
                        var outcome = try await Self.withdraw(
                            user, from: id, .accountDeleted, by: user, at: now, in: transaction)
                        // A direct one is not found by its pair any more.
                        try await transaction.change(RemovalTable.withoutPair(id))
                        if try await transaction.reader.number(RemovalTable.memberCount(id)) == 0 {
                            outcome.append(try await Self.delete(id, by: nil, at: now, in: transaction))
                        }
                        return outcome
                    }
                } catch {
                    // Somebody else has removed them, or the conversation, meanwhile.
                    guard case .notFound = error else { throw error }
                }
            }
        }
    }

    private func emptyMessages(of user: UserID) async throws(ChatError) {
        let last = try await reader.number(RemovalTable.lastNumber)
        var start: Int64 = 0
        while start < last {
            let end = start + Self.stretch
            let found = try await reader.all(
                RemovalTable.messages(of: user, after: start, upTo: end), MessageTable.stored(from:))
            var rest = found[...]
            while !rest.isEmpty {
                let part = Array(rest.prefix(100))
                rest = rest.dropFirst(part.count)
                try await empty(part, of: user)
            }
            start = end
        }
    }

    private func empty(_ stored: [MessageTable.Stored], of user: UserID) async throws(ChatError) {
        let (now, engine) = (clock.now(), database.engine)
        let ids = Set(stored.map(\.message.conversation)).sorted()
        try await commit(in: ids) { (transaction) async throws(ChatError) in
            try await Self.empty(stored, at: now, engine, in: transaction)
            try await transaction.change(RemovalTable.withoutSender(stored.map(\.message.id)))
            var outcome = Outcome<Void>(())
            for message in stored.map(\.message) where !message.isDeleted {
                // A conversation that is deleted has no log any more, and nobody to read it.
                let place = try await transaction.reader.first(ConversationTable.advance(message.conversation)) {
                    (row) throws(StoreError) in LogPosition(epoch: try row.integer(0), offset: try row.integer(1))
                }
                guard let place else { continue }
                outcome.events.append(
                    try await transaction.record(
                        .messageDeleted(message.id, sequence: message.sequence), in: message.conversation, by: nil,
                        at: now, place))
            }
            return outcome
        }
    }

    private func takeBackReactions(of user: UserID) async throws(ChatError) {
        let now = clock.now()
        while true {
            let found = try await reader.all(RemovalTable.reactions(of: user)) { (row) throws(StoreError) in
                (
                    message: try row.identifier(0, MessageKind.self),
                    conversation: try row.identifier(1, ConversationKind.self), emoji: try row.text(2)
                )
            }
            if found.isEmpty { break }
            try await commit(in: Set(found.map(\.conversation)).sorted()) { (transaction) async throws(ChatError) in
                var outcome = Outcome<Void>(())
                for (message, conversation, emoji) in found {
                    let deletion = ReactionTable.delete(emoji, of: user, from: message)
                    guard try await transaction.change(deletion) == 1 else { continue }
                    try await transaction.change(ReactionTable.count(message, change: -1))
                    let place = try await transaction.reader.first(ConversationTable.advance(conversation)) {
                        (row) throws(StoreError) in LogPosition(epoch: try row.integer(0), offset: try row.integer(1))
                    }
                    guard let place else { continue }
                    outcome.events.append(
                        try await transaction.record(
                            .reactionRemoved(message, user, emoji: emoji), in: conversation, by: nil, at: now, place))
                }
                return outcome
            }
        }
    }

    // MARK: What others keep

    private func unname(_ user: UserID) async throws(ChatError) {
        let failed = try await reader.all(RemovalTable.failures(of: user)) { (row) throws(StoreError) in
            try row.identifier(0, MessageKind.self)
        }
        let invitations = try await reader.all(RemovalTable.invitations(by: user)) { (row) throws(StoreError) in
            try row.identifier(0, InvitationKind.self)
        }
        let owned = try await reader.conversationIDs(RemovalTable.owned(by: user))
        let places = try await reader.conversationIDs(RemovalTable.addedMembers(by: user))
        var statements = failed.map { RemovalTable.removeFailures(of: user, for: $0) }
        for id in invitations { statements.append(RemovalTable.remove(id)) }
        for id in owned { statements.append(RemovalTable.withoutOwner(id)) }
        for id in places { statements.append(RemovalTable.withoutAdder(user, in: id)) }
        var rest = statements[...]
        while !rest.isEmpty {
            let part = Array(rest.prefix(Self.rewritten))
            rest = rest.dropFirst(part.count)
            try await database.transaction { (transaction) async throws(ChatError) in
                for statement in part { try await transaction.change(statement) }
            }
        }
        try await unnameMessages(user)
        try await unnameVersions(user)
    }

    /// Mentions, and boxes that nobody can open any more.
    private func unnameMessages(_ user: UserID) async throws(ChatError) {
        let (last, engine) = (try await reader.number(RemovalTable.lastNumber), database.engine)
        var start: Int64 = 0
        while start < last {
            let end = start + Self.stretch
            let found = try await reader.all(RemovalTable.naming(user, after: start, upTo: end, engine)) {
                (row) throws(StoreError) in try row.identifier(0, MessageKind.self)
            }
            var rest = found[...]
            while !rest.isEmpty {
                let part = Array(rest.prefix(Self.rewritten))
                rest = rest.dropFirst(part.count)
                try await database.transaction { (transaction) async throws(ChatError) in
                    let rows = try await transaction.reader.all(RemovalTable.names(in: part), RemovalTable.names(from:))
                    for row in rows { try await transaction.change(RemovalTable.set(row.without(user))) }
                }
            }
            start = end
        }
    }

    private func unnameVersions(_ user: UserID) async throws(ChatError) {
        var (id, version) = (MessageID(RemovalTable.nobody.uuid), Int64(0))
        while true {
            let statement = RemovalTable.versionsNaming(
                user, after: id, version, database.engine, limit: Self.rewritten)
            let found = try await reader.all(statement, RemovalTable.versionNames(from:))
            guard let last = found.last else { return }
            (id, version) = (last.id, last.version)
            try await database.transaction { (transaction) async throws(ChatError) in
                for version in found { try await transaction.change(RemovalTable.set(version.without(user))) }
            }
        }
    }
}
