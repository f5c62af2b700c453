// The way of one message into the database: what every message costs, so nothing here reads what it could be told.

import Base
import Store

struct Posting: Sendable {
    let new: NewMessage
    let conversation: ConversationID
    /// The message that began the thread.
    let thread: MessageID?
    let sender: UserID
    let mentions: [UserID]
    let terms: [String]
    let now: Timestamp
    let engine: DatabaseHealth.Engine

    /// What the conversation's row says when it has made room.
    private struct Place: Sendable {
        let type: ConversationType
        let rules: RoleRules
        let isArchived: Bool
        let position: LogPosition
        let sequence: Int64
        let at: Timestamp
    }

    /// The message, and its event; no message when the sender's client has sent it before.
    func post(in transaction: any Transaction) async throws(ChatError) -> ChatService.Outcome<Message?> {
        // Asked before anything is written: on PostgreSQL that makes two of one name run one after the other.
        if let clientID = new.clientID {
            let first = MessageTable.repetition(conversation, sender, clientID)
            if try await !transaction.reader.rows(first).isEmpty { return ChatService.Outcome(nil) }
        }
        let id = MessageID.timeOrdered(at: now)
        let found = try await transaction.reader.first(
            ConversationTable.advance(conversation, for: id, now: now), Self.place(from:))
        guard let place = found else { throw .notFound(.conversation) }
        try await authorize(place, in: transaction)
        try await checkReferences(in: transaction)
        let message = message(id, place)
        let number = try await transaction.reader.first(MessageTable.insert(message)) { (row) throws(StoreError) in
            try row.integer(0)
        }
        guard let number else { throw .store(.conflict(constraint: "messages.id")) }
        for (index, attachment) in new.attachments.enumerated() {
            try await transaction.change(MessageTable.insert(attachment, of: id, place: index))
            try await hold(attachment, by: id, in: transaction)
        }
        if let thread { try await transaction.change(MessageTable.answered(thread, at: place.at)) }
        if let statement = SearchIndex.insert(number, SearchIndex.Scope(message), terms, engine) {
            try await transaction.index(statement)
        }
        let event = try await transaction.record(
            .messageSent(message), in: conversation, by: sender, at: place.at, place.position)
        return ChatService.Outcome(message, [event])
    }

    private func authorize(_ place: Place, in transaction: any Transaction) async throws(ChatError) {
        let rights = try await transaction.reader.first(
            MemberTable.sends(conversation, sender, upTo: place.sequence, at: place.at), Self.rights(from:))
        guard let (role, rule) = rights else { throw .notFound(.conversation) }
        let abilities = place.rules.abilities(of: role, rule, in: place.type)
        // An answer in a thread is a right of its own: members of a broadcast have it.
        var needed: Abilities = thread == nil ? .send : .thread
        if !new.attachments.isEmpty { needed.insert(.attach) }
        guard abilities.isSuperset(of: needed) else { throw .forbidden(.lacks(needed.subtracting(abilities))) }
        guard !place.isArchived else { throw .forbidden(.archived) }
    }

    /// What it refers to has to be where it is sent to.
    private func checkReferences(in transaction: any Transaction) async throws(ChatError) {
        for reference in [new.replyTo, thread].compactMap({ $0 }) {
            let count = try await transaction.reader.number(
                "SELECT COUNT(*) FROM messages WHERE id = \(reference) AND conversation_id = \(conversation)")
            guard count == 1 else { throw .notFound(.message) }
        }
        guard !mentions.isEmpty else { return }
        let known = try await transaction.reader.number(
            """
            SELECT COUNT(*) FROM conversation_members WHERE conversation_id = \(conversation) \
            AND user_id IN (\(list: mentions.padded)) AND removed_at IS NULL
            """)
        guard known == Int64(mentions.count) else {
            throw .invalid(.mentions, .value, "names somebody who is not in the conversation")
        }
    }

    /// A file of this server is held by the message, if its sender may read it: nobody is given a file by its name.
    private func hold(
        _ attachment: Attachment, by id: MessageID, in transaction: any Transaction
    ) async throws(ChatError) {
        guard let file = StoredFile.named(byStorage: attachment.storage) else { return }
        guard try await transaction.reader.number(FileTable.mayAttach(file, sender)) == 1 else {
            throw .notFound(.file)
        }
        try await transaction.change(FileTable.attach(file, to: id, in: conversation))
        try await transaction.change(FileTable.adopt(file, by: conversation))
    }

    private func message(_ id: MessageID, _ place: Place) -> Message {
        Message(
            id: id, conversation: conversation, sequence: place.sequence, sender: sender, type: new.type,
            body: new.body, replyTo: new.replyTo, thread: thread, clientID: new.clientID, mentions: mentions,
            version: 1, replyCount: 0, lastReplyAt: nil, pinnedAt: nil, createdAt: place.at, editedAt: nil,
            deletedAt: nil, attachments: new.attachments, reactions: [], statuses: [])
    }

    private static func place(from row: Row) throws(StoreError) -> Place {
        guard let type = ConversationType(rawValue: try row.integer(0)) else {
            throw .corrupt("conversations: a type that this version does not know")
        }
        let rules = try row.optional(1, row.blob)
        return Place(
            type: type, rules: try rules.map(RoleRulesCodec.decode) ?? RoleRules(), isArchived: try row.flag(2),
            position: LogPosition(epoch: try row.integer(3), offset: try row.integer(4)),
            sequence: try row.integer(5), at: try row.timestamp(6))
    }

    private static func rights(from row: Row) throws(StoreError) -> (MemberRole, PermissionRule) {
        guard let role = MemberRole(rawValue: try row.integer(0)) else {
            throw .corrupt("conversation_members: a role that this version does not know")
        }
        return (role, try MemberTable.rule(from: row, at: 1))
    }
}
