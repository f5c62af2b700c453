// Statements on `conversation_events`: a row says what happened to what; how that looks now is read from its own table.

import Base
import Store

enum EventTable {
    /// A stored format: numbers are never given anew.
    enum Kind: Int64 {
        case sent = 0
        case edited = 1
        case deleted = 2
        case reactionAdded = 3
        case reactionRemoved = 4
        case pinned = 5
        case unpinned = 6
        case memberJoined = 7
        case memberLeft = 8
        case memberChanged = 9
        case conversationChanged = 10
        case conversationDeleted = 11
    }

    /// An event as its row has it.
    struct Stored: Sendable {
        let offset: Int64
        let kind: Kind
        let at: Timestamp
        let actor: UserID?
        var message: MessageID?
        var user: UserID?
        var detail: String?
    }

    static func insert(_ event: ChatEvent, _ offset: Int64) -> Statement? {
        guard let stored = stored(event, offset) else { return nil }
        return """
            INSERT INTO conversation_events (conversation_id, log_offset, kind, at, actor_id, message_id, user_id, detail) \
            VALUES (\(event.conversation), \(offset), \(stored.kind.rawValue), \(stored.at), \(stored.actor), \
            \(stored.message), \(stored.user), \(stored.detail))
            """
    }

    /// `nil` for what has no place in a log.
    private static func stored(_ event: ChatEvent, _ offset: Int64) -> Stored? {
        func row(_ kind: Kind, _ message: MessageID? = nil, _ user: UserID? = nil, _ detail: String? = nil) -> Stored {
            Stored(
                offset: offset, kind: kind, at: event.at, actor: event.actor, message: message, user: user,
                detail: detail)
        }
        return switch event.change {
        case .messageSent(let message): row(.sent, message.id)
        case .messageEdited(let message): row(.edited, message.id)
        case .messageDeleted(let id, let sequence): row(.deleted, id, nil, "\(sequence)")
        case .reactionAdded(let id, let reaction): row(.reactionAdded, id, reaction.user, reaction.emoji)
        case .reactionRemoved(let id, let user, let emoji): row(.reactionRemoved, id, user, emoji)
        case .messagePinned(let id): row(.pinned, id)
        case .messageUnpinned(let id): row(.unpinned, id)
        case .memberJoined(let member): row(.memberJoined, nil, member.user)
        case .memberLeft(let user, let reason): row(.memberLeft, nil, user, "\(reason.rawValue)")
        case .memberChanged(let user, _): row(.memberChanged, nil, user)
        case .conversationChanged: row(.conversationChanged)
        case .conversationDeleted: row(.conversationDeleted)
        case .typing, .receipt: nil
        }
    }

    static func page(_ id: ConversationID, after offset: Int64, limit: Int) -> Statement {
        """
        SELECT log_offset, kind, at, actor_id, message_id, user_id, detail FROM conversation_events \
        WHERE conversation_id = \(id) AND log_offset > \(offset) ORDER BY log_offset LIMIT \(limit)
        """
    }

    static func stored(from row: Row) throws(StoreError) -> Stored {
        guard let kind = Kind(rawValue: try row.integer(1)) else {
            throw .corrupt("conversation_events: a kind that this version does not know")
        }
        return Stored(
            offset: try row.integer(0), kind: kind, at: try row.timestamp(2), actor: try row.optionalIdentifier(3),
            message: try row.optionalIdentifier(4), user: try row.optionalIdentifier(5),
            detail: try row.optional(6, row.text))
    }
}

extension Transaction {
    /// Takes the next place in the log and writes the event there.
    func record(
        _ change: ChatEvent.Change, in id: ConversationID, by actor: UserID?, at now: Timestamp
    ) async throws(ChatError) -> ChatEvent {
        let place = try await reader.first(ConversationTable.advance(id)) { (row) throws(StoreError) in
            LogPosition(epoch: try row.integer(0), offset: try row.integer(1))
        }
        guard let place else { throw .notFound(.conversation) }
        return try await record(change, in: id, by: actor, at: now, place)
    }

    /// Writes an event to a place that was taken already.
    func record(
        _ change: ChatEvent.Change, in id: ConversationID, by actor: UserID?, at now: Timestamp, _ place: LogPosition
    ) async throws(ChatError) -> ChatEvent {
        let event = ChatEvent(conversation: id, position: place, at: now, actor: actor, change: change)
        guard let statement = EventTable.insert(event, place.offset) else {
            preconditionFailure("an event without a row was given a place in a log")
        }
        try await self.change(statement)
        return event
    }
}
