// Messages: sent, edited, deleted, pinned.

package import Accounts
import Base
import Store

extension ChatService {
    /// Durable when it returns. See `NewMessage.clientID` for what happens to a repetition.
    package func send(
        _ new: NewMessage, to id: ConversationID, by principal: Principal
    ) async throws(ChatError) -> SentMessage {
        try await send(new, to: id, thread: nil, as: principal.user)
    }

    /// Answers in the thread of this message, which it begins if it is in none.
    package func reply(
        inThreadOf id: MessageID, _ new: NewMessage, by principal: Principal
    ) async throws(ChatError) -> SentMessage {
        let named = try await reader.visible(id, principal.user).message
        return try await send(new, to: named.conversation, thread: named.thread ?? named.id, as: principal.user)
    }

    func send(
        _ new: NewMessage, to id: ConversationID, thread: MessageID?, as user: UserID
    ) async throws(ChatError) -> SentMessage {
        try MessageValidation.check(new, options)
        let posting = Posting(
            new: new, conversation: id, thread: thread, sender: user, mentions: Self.unique(new.mentions),
            terms: SearchIndex.terms(of: new.body, tokens: new.searchTokens), now: clock.now(), engine: database.engine)
        let message: Message?
        do {
            message = try await commit(in: id) { (transaction) async throws(ChatError) in
                try await posting.post(in: transaction)
            }
        } catch {
            throw try await refusal(error, of: id, to: user)
        }
        if let message { return SentMessage(message: message, isRepetition: false) }
        return try await repetition(of: new, in: id, by: user)
    }

    /// Posting says `notFound` to everybody who is no member. Who may know of the conversation is told why.
    private func refusal(
        _ error: ChatError, of id: ConversationID, to user: UserID
    ) async throws(ChatError) -> ChatError {
        guard error == .notFound(.conversation) else { return error }
        _ = try await reader.access(id, user)
        return .forbidden(.notMember)
    }

    private func repetition(
        of new: NewMessage, in id: ConversationID, by user: UserID
    ) async throws(ChatError) -> SentMessage {
        _ = try await reader.access(id, user).require(.view)
        guard let clientID = new.clientID,
            let first = try await reader.messages(MessageTable.repetition(id, user, clientID)).first
        else { throw .notFound(.message) }
        return SentMessage(message: first, isRepetition: true)
    }

    // MARK: Editing

    /// By who wrote it.
    package func edit(
        _ id: MessageID, _ edit: MessageEdit, by principal: Principal
    ) async throws(ChatError) -> Message {
        let place = try await reader.visible(id, principal.user).message.conversation
        let (now, options, engine) = (clock.now(), options, database.engine)
        return try await commit(in: place) { (transaction) async throws(ChatError) in
            let (access, stored) = try await transaction.reader.storedVisible(id, principal.user)
            let message = stored.message
            guard message.type != .system else { throw .forbidden(.systemMessage) }
            _ = try access.require(.send)
            guard message.sender == principal.user else { throw .forbidden(.notAuthor) }
            guard !message.isDeleted else { throw .notFound(.message) }
            if let window = options.editWindow, now > message.createdAt + window { throw .forbidden(.tooLate) }
            try MessageValidation.check(edit.body, mayBeEmpty: stored.attachmentCount > 0, options)
            try MessageValidation.check(tokens: edit.searchTokens, for: edit.body, options)
            if let expected = edit.expectedVersion, expected != message.version {
                throw .versionConflict(current: message.version)
            }
            let at = max(now, message.editedAt ?? message.createdAt)
            try await transaction.change(MessageTable.keepVersion(message, replacedAt: at))
            let oldest = message.version - Int64(options.formerVersions)
            if oldest > 0 { try await transaction.change(MessageTable.forgetVersions(id, upTo: oldest)) }
            let version = message.version + 1
            try await transaction.change(MessageTable.edit(id, edit.body, version: version, at: at))
            var changed = stored
            (changed.message.body, changed.message.version, changed.message.editedAt) = (edit.body, version, at)
            try await transaction.index(SearchIndex.remove(stored.number, engine))
            let terms = SearchIndex.terms(of: edit.body, tokens: edit.searchTokens)
            let scope = SearchIndex.Scope(changed.message)
            if let insertion = SearchIndex.insert(stored.number, scope, terms, engine) {
                try await transaction.index(insertion)
            }
            let complete = try await transaction.reader.complete([changed])[0]
            let event = try await transaction.record(
                .messageEdited(complete), in: message.conversation, by: principal.user, at: at)
            return Outcome(complete, [event])
        }
    }

    /// By who wrote it, or who manages messages. Its place stays; what it said does not, nor its edits.
    package func deleteMessage(_ id: MessageID, by principal: Principal) async throws(ChatError) {
        let place = try await reader.visible(id, principal.user).message.conversation
        let (now, engine) = (clock.now(), database.engine)
        try await commit(in: place) { (transaction) async throws(ChatError) in
            let (access, stored) = try await transaction.reader.storedVisible(id, principal.user)
            let message = stored.message
            _ = try access.require(message.sender == principal.user ? .view : .manageMessages, evenArchived: true)
            guard !message.isDeleted else { throw .notFound(.message) }
            try await Self.empty([stored], at: max(now, message.createdAt), engine, in: transaction)
            let event = try await transaction.record(
                .messageDeleted(id, sequence: message.sequence), in: message.conversation, by: principal.user, at: now)
            return Outcome<Void>((), [event])
        }
    }

    /// Takes away what messages said, wherever it is kept.
    static func empty(
        _ stored: [MessageTable.Stored], at now: Timestamp, _ engine: DatabaseHealth.Engine,
        in transaction: any Transaction
    ) async throws(ChatError) {
        for message in stored {
            try await transaction.change(MessageTable.empty(message.message.id, at: now))
            try await transaction.index(SearchIndex.remove(message.number, engine))
        }
        for statement in MessageTable.removals(stored.map(\.message.id)) { try await transaction.change(statement) }
    }

    /// The newest first.
    package func formerVersions(
        of id: MessageID, for principal: Principal
    ) async throws(ChatError) -> [FormerVersion] {
        _ = try await reader.visible(id, principal.user)
        return try await reader.all(MessageTable.versions(id), MessageTable.version(from:))
    }

    // MARK: Pins

    package func setPinned(
        _ isPinned: Bool, _ id: MessageID, by principal: Principal
    ) async throws(ChatError) -> Message {
        let place = try await reader.visible(id, principal.user).message.conversation
        let (now, limit) = (clock.now(), options.pinsPerConversation)
        return try await commit(in: place) { (transaction) async throws(ChatError) in
            let (access, stored) = try await transaction.reader.storedVisible(id, principal.user)
            _ = try access.require(.pin)
            guard !stored.message.isDeleted else { throw .notFound(.message) }
            var changed = stored
            changed.message.pinnedAt = isPinned ? now : nil
            guard isPinned != (stored.message.pinnedAt != nil) else {
                return Outcome(try await transaction.reader.complete([stored])[0])
            }
            if isPinned {
                let count = try await transaction.reader.number(MessageTable.pinCount(place))
                guard count < Int64(limit) else { throw .limitReached(.pins, limit) }
            }
            try await transaction.change(
                "UPDATE messages SET pinned_at = \(changed.message.pinnedAt) WHERE id = \(id)")
            let event = try await transaction.record(
                isPinned ? .messagePinned(id) : .messageUnpinned(id), in: place, by: principal.user, at: now)
            return Outcome(try await transaction.reader.complete([changed])[0], [event])
        }
    }

    /// The one that was pinned last first.
    package func pinned(in id: ConversationID, for principal: Principal) async throws(ChatError) -> [Message] {
        _ = try await reader.access(id, principal.user).require(.view)
        return try await reader.messages(
            MessageTable.select(
                """
                s.conversation_id = \(id) AND s.pinned_at IS NOT NULL ORDER BY s.pinned_at DESC, s.sequence DESC \
                LIMIT \(options.pinsPerConversation)
                """))
    }
}

extension ChatReader {
    /// A message whose conversation the user may view, with what hangs on it.
    func visible(
        _ id: MessageID, _ user: UserID
    ) async throws(ChatError) -> (access: ConversationAccess, message: Message) {
        let (access, stored) = try await storedVisible(id, user)
        return (access, try await complete([stored])[0])
    }

    /// `notFound(.message)` for who is not in its conversation, whatever they may know of that.
    func storedVisible(
        _ id: MessageID, _ user: UserID
    ) async throws(ChatError) -> (access: ConversationAccess, stored: MessageTable.Stored) {
        guard let stored = try await first(MessageTable.byID(id), MessageTable.stored(from:)) else {
            throw .notFound(.message)
        }
        let access = try await first(
            ConversationTable.access(stored.message.conversation, user), ConversationTable.access(from:))
        guard let access, access.member != nil, stored.message.sequence >= access.conversation.log.firstSequence else {
            throw .notFound(.message)
        }
        return (access, stored)
    }
}
