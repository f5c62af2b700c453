// What is removed for good: by age, with a conversation, with an account.

package import Base
import Store

extension ChatService {
    /// Conversations that one sweep looks after.
    private static var sweepConversations: Int { 50 }
    /// Rows of the table of messages that are looked at in one statement, when somebody's are searched.
    private static var stretch: Int64 { 20_000 }

    /// Removes what is over, a bounded part at a time. Returns whether there is more to do. Called every minute or so.
    @discardableResult
    package func sweep() async throws(ChatError) -> Bool {
        let now = clock.now()
        try await database.transaction { (transaction) async throws(ChatError) in
            _ = try await transaction.change(InvitationTable.sweep(before: now))
        }
        var hasMore = try await removeDeleted()
        hasMore = try await removeOutdated(now) || hasMore
        return try await shortenLogs(now) || hasMore
    }

    /// A part of the conversation that was deleted first.
    private func removeDeleted() async throws(ChatError) -> Bool {
        guard let id = try await reader.conversationIDs(RetentionTable.deleted).first else { return false }
        let engine = database.engine
        return try await database.transaction { (transaction) async throws(ChatError) -> Bool in
            if try await Self.removeOldest(id, before: nil, engine, in: transaction) != nil { return true }
            let events = try await Self.oldestEvents(id, transaction.reader)
            if let last = events.last {
                try await transaction.change(RetentionTable.removeEvents(id, upTo: last.offset))
                return true
            }
            try await transaction.change("DELETE FROM receipts WHERE conversation_id = \(id)")
            // Members and invitations go with it.
            try await transaction.change("DELETE FROM conversations WHERE id = \(id)")
            return try await !transaction.reader.conversationIDs(RetentionTable.deleted).isEmpty
        }
    }

    private func removeOutdated(_ now: Timestamp) async throws(ChatError) -> Bool {
        let engine = database.engine
        let limit = Self.sweepConversations
        let statement = RetentionTable.outdated(options.retention, now: now, limit: limit)
        let candidates = try await reader.all(statement) { (row) throws(StoreError) in
            try RetentionTable.candidate(from: row, now: now)
        }
        var hasMore = candidates.count == limit
        for candidate in candidates {
            let removed = try await database.transaction { (transaction) async throws(ChatError) -> Int? in
                try await Self.removeOldest(candidate.id, before: candidate.cutoff, engine, in: transaction)
            }
            if removed == RetentionTable.batch { hasMore = true }
        }
        return hasMore
    }

    /// Removes some of the oldest messages with all that hangs on them. `nil`: there was none to remove.
    private static func removeOldest(
        _ id: ConversationID, before cutoff: Timestamp?, _ engine: DatabaseHealth.Engine,
        in transaction: any Transaction
    ) async throws(ChatError) -> Int? {
        let rows = try await transaction.reader.all(RetentionTable.oldest(id, before: cutoff)) {
            (row) throws(StoreError) in
            (id: try row.identifier(0, MessageKind.self), number: try row.integer(1), sequence: try row.integer(2))
        }
        guard let last = rows.last else { return nil }
        for row in rows { try await transaction.index(SearchIndex.remove(row.number, engine)) }
        for statement in MessageTable.removals(rows.map(\.id)) { try await transaction.change(statement) }
        try await transaction.change(RetentionTable.removeMessages(id, upTo: last.sequence))
        try await transaction.change(RetentionTable.removeReceipts(id, upTo: last.sequence))
        try await transaction.change(RetentionTable.removed(id, upTo: last.sequence))
        return rows.count
    }

    private static func oldestEvents(
        _ id: ConversationID, _ reader: ChatReader
    ) async throws(ChatError) -> [(offset: Int64, at: Timestamp)] {
        try await reader.all(RetentionTable.oldestEvents(id)) { (row) throws(StoreError) in
            (offset: try row.integer(0), at: try row.timestamp(1))
        }
    }

    private func shortenLogs(_ now: Timestamp) async throws(ChatError) -> Bool {
        let cutoff = now - options.logLifetime
        let limit = Self.sweepConversations
        let ids = try await reader.conversationIDs(RetentionTable.longLogs(before: cutoff, limit: limit))
        var hasMore = ids.count == limit
        for id in ids {
            let count = try await database.transaction { (transaction) async throws(ChatError) -> Int in
                let events = try await Self.oldestEvents(id, transaction.reader).prefix { $0.at < cutoff }
                guard let last = events.last else { return 0 }
                try await transaction.change(RetentionTable.removeEvents(id, upTo: last.offset))
                try await transaction.change(RetentionTable.logRemoved(id, upTo: last.offset))
                return events.count
            }
            if count == RetentionTable.batch { hasMore = true }
        }
        return hasMore
    }

    // MARK: Accounts

    /// The account is gone: they leave every conversation, what they wrote is emptied, their devices are forgotten.
    /// A conversation that they alone owned goes to its member of the highest rank.
    ///
    /// May be called again when it was broken off: it goes on where it was.
    package func forget(_ user: UserID) async throws(ChatError) {
        try await leaveOrganizations(user)
        try await leaveConversations(user)
        try await emptyMessages(of: user)
        try await takeBackReactions(of: user)
        try await database.transaction { (transaction) async throws(ChatError) in
            for statement: Statement in [
                FileTable.letGo(of: user), FileUploadTable.letGo(of: user),
                "DELETE FROM client_devices WHERE user_id = \(user)",
                "DELETE FROM one_time_keys WHERE user_id = \(user)",
                "DELETE FROM device_changes WHERE user_id = \(user)",
                "DELETE FROM conversation_members WHERE user_id = \(user)",
            ] {
                try await transaction.change(statement)
            }
        }
    }

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
        let statement = RetentionTable.conversations(of: user, limit: Self.sweepConversations)
        let now = clock.now()
        while true {
            let ids = try await reader.conversationIDs(statement)
            if ids.isEmpty { return }
            for id in ids {
                do throws(ChatError) {
                    try await commit(in: id) { (transaction) async throws(ChatError) in
                        try await Self.withdraw(user, from: id, .accountDeleted, by: user, at: now, in: transaction)
                    }
                } catch {
                    // Somebody else has removed them, or the conversation, meanwhile.
                    guard case .notFound = error else { throw error }
                }
            }
        }
    }

    private func emptyMessages(of user: UserID) async throws(ChatError) {
        let last = try await reader.number(RetentionTable.lastNumber)
        var start: Int64 = 0
        while start < last {
            let end = start + Self.stretch
            let found = try await reader.all(
                RetentionTable.messages(of: user, after: start, upTo: end), MessageTable.stored(from:))
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
            try await transaction.change(RetentionTable.withoutSender(stored.map(\.message.id)))
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
            let found = try await reader.all(RetentionTable.reactions(of: user)) { (row) throws(StoreError) in
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
}
