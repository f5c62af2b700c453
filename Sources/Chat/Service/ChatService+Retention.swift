// What is removed for good: by age, with a conversation. With an account: ChatService+Removal.swift.

import Base
import Store

extension ChatService {
    /// Conversations that one sweep looks after.
    static var sweepConversations: Int { 50 }

    /// Removes what is over, a bounded part at a time. Returns whether there is more to do. Called every minute or so.
    @discardableResult
    package func sweep() async throws(ChatError) -> Bool {
        let now = clock.now()
        try await database.transaction { (transaction) async throws(ChatError) in
            _ = try await transaction.change(InvitationTable.sweep(before: now))
        }
        var hasMore = try await removeDeleted()
        hasMore = try await removeOutdated(now) || hasMore
        hasMore = try await shortenLogs(now) || hasMore
        return try await sweepAccounts(now) || hasMore
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
}
