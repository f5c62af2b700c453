// The log of a conversation, for who follows it and comes back.

package import Accounts
import Base
import Store

extension ChatService {
    /// What happened after `position`. See `LogPage.isRecovered` for a position that cannot be followed up.
    ///
    /// An event shows what it is about as it is now: a message that was sent and edited since comes as edited, twice.
    package func events(
        of id: ConversationID, after position: LogPosition, limit: Int? = nil, for principal: Principal
    ) async throws(ChatError) -> LogPage {
        let access = try await reader.access(id, principal.user)
        _ = try access.require(.view)
        let log = access.conversation.log
        guard position.epoch == log.epoch, (log.removedOffset...log.lastOffset).contains(position.offset) else {
            return LogPage(isRecovered: false, events: [], position: log.position, hasMore: false)
        }
        return try await page(
            of: access.conversation, after: position, min(max(1, limit ?? options.eventsPerPage), options.eventsPerPage)
        )
    }

    /// For readers that are no users: webhooks. Whoever cannot be caught up begins with what is kept. `nil` when there is
    /// no such conversation.
    func log(
        of id: ConversationID, after position: LogPosition, _ limit: Int
    ) async throws(ChatError) -> LogPage? {
        let found = try await reader.first(ConversationTable.byID(id)) { (row) throws(StoreError) in
            try ConversationTable.conversation(from: row)
        }
        guard let conversation = found else { return nil }
        let log = conversation.log
        guard position.epoch == log.epoch, (log.removedOffset...log.lastOffset).contains(position.offset) else {
            let first = LogPosition(epoch: log.epoch, offset: log.removedOffset)
            return LogPage(isRecovered: false, events: [], position: first, hasMore: true)
        }
        return try await page(of: conversation, after: position, limit)
    }

    private func page(
        of conversation: Conversation, after position: LogPosition, _ limit: Int
    ) async throws(ChatError) -> LogPage {
        let log = conversation.log
        let rows = try await reader.all(
            EventTable.page(conversation.id, after: position.offset, limit: limit), EventTable.stored(from:))
        let events = try await hydrated(rows, conversation)
        let end = rows.last?.offset ?? position.offset
        return LogPage(
            isRecovered: true, events: events, position: LogPosition(epoch: log.epoch, offset: end),
            hasMore: rows.count == limit && end < log.lastOffset)
    }

    /// Rows with what they are about. What is not there any more (a message that retention took, a member who has left
    /// since) is passed over: a later event, or nothing at all, tells of it.
    private func hydrated(
        _ rows: [EventTable.Stored], _ conversation: Conversation
    ) async throws(ChatError) -> [ChatEvent] {
        let ids = Set(rows.filter { $0.kind == .sent || $0.kind == .edited }.compactMap(\.message))
        var messages: [MessageID: Message] = [:]
        if !ids.isEmpty {
            let found = try await reader.messages(MessageTable.select("s.id IN (\(list: ids.sorted().padded))"))
            for message in found { messages[message.id] = message }
        }
        let users = Set(rows.filter { $0.kind == .memberJoined || $0.kind == .memberChanged }.compactMap(\.user))
        var members: [UserID: Member] = [:]
        if !users.isEmpty {
            let statement = MemberTable.members(conversation.id, users.sorted())
            let found = try await reader.all(statement) { (row) throws(StoreError) in
                try MemberTable.member(from: row)
            }
            for member in found { members[member.user] = member }
        }
        return rows.compactMap { row in
            Self.change(row, conversation, messages, members).map { change in
                ChatEvent(
                    conversation: conversation.id,
                    position: LogPosition(epoch: conversation.log.epoch, offset: row.offset), at: row.at,
                    actor: row.actor, change: change)
            }
        }
    }

    private static func change(
        _ row: EventTable.Stored, _ conversation: Conversation, _ messages: [MessageID: Message],
        _ members: [UserID: Member]
    ) -> ChatEvent.Change? {
        let detail = row.detail ?? ""
        switch row.kind {
        case .sent: return row.message.flatMap { messages[$0] }.map { .messageSent($0) }
        case .edited: return row.message.flatMap { messages[$0] }.map { .messageEdited($0) }
        case .deleted: return row.message.map { .messageDeleted($0, sequence: Int64(detail) ?? 0) }
        case .reactionAdded:
            guard let message = row.message, let user = row.user else { return nil }
            return .reactionAdded(message, Reaction(user: user, emoji: detail, createdAt: row.at))
        case .reactionRemoved:
            guard let message = row.message, let user = row.user else { return nil }
            return .reactionRemoved(message, user, emoji: detail)
        case .pinned: return row.message.map { .messagePinned($0) }
        case .unpinned: return row.message.map { .messageUnpinned($0) }
        case .memberJoined: return row.user.flatMap { members[$0] }.map { .memberJoined($0) }
        case .memberLeft:
            return row.user.map { .memberLeft($0, Int64(detail).flatMap(DepartureReason.init(rawValue:)) ?? .left) }
        case .memberChanged: return row.user.map { .memberChanged($0, members[$0]) }
        case .conversationChanged: return .conversationChanged(conversation)
        case .conversationDeleted: return .conversationDeleted
        }
    }
}
