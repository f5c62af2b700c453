// Reactions: once for each emoji and member.

package import Accounts
import Base
import Store

extension ChatService {
    /// To react twice with one emoji is to react once.
    package func react(
        _ emoji: String, to id: MessageID, by principal: Principal
    ) async throws(ChatError) -> Reaction {
        let emoji = try ChatValidation.emoji(emoji)
        let place = try await reader.storedVisible(id, principal.user).stored.message.conversation
        let (now, options) = (clock.now(), options)
        return try await commit(in: place) { (transaction) async throws(ChatError) in
            let (access, stored) = try await transaction.reader.storedVisible(id, principal.user)
            _ = try access.require(.react)
            guard !stored.message.isDeleted else { throw .notFound(.message) }
            let reactions = try await transaction.reader.complete([stored])[0].reactions
            if let own = reactions.first(where: { $0.user == principal.user && $0.emoji == emoji }) {
                return Outcome(own)
            }
            guard reactions.count < options.reactionsPerMessage else {
                throw .limitReached(.reactions, options.reactionsPerMessage)
            }
            let emojis = Set(reactions.map(\.emoji))
            guard emojis.contains(emoji) || emojis.count < options.emojiPerMessage else {
                throw .limitReached(.emoji, options.emojiPerMessage)
            }
            let reaction = Reaction(user: principal.user, emoji: emoji, createdAt: now)
            try await transaction.change(ReactionTable.insert(reaction, to: id))
            try await transaction.change(ReactionTable.count(id, change: 1))
            let event = try await transaction.record(
                .reactionAdded(id, reaction), in: place, by: principal.user, at: now)
            return Outcome(reaction, [event])
        }
    }

    /// `notFound(.reaction)` when there is none of theirs.
    package func unreact(_ emoji: String, from id: MessageID, by principal: Principal) async throws(ChatError) {
        let emoji = try ChatValidation.emoji(emoji)
        let place = try await reader.storedVisible(id, principal.user).stored.message.conversation
        let now = clock.now()
        try await commit(in: place) { (transaction) async throws(ChatError) in
            let (access, _) = try await transaction.reader.storedVisible(id, principal.user)
            _ = try access.require(.view)
            guard !access.conversation.isArchived else { throw .forbidden(.archived) }
            guard try await transaction.change(ReactionTable.delete(emoji, of: principal.user, from: id)) == 1 else {
                throw .notFound(.reaction)
            }
            try await transaction.change(ReactionTable.count(id, change: -1))
            let event = try await transaction.record(
                .reactionRemoved(id, principal.user, emoji: emoji), in: place, by: principal.user, at: now)
            return Outcome<Void>((), [event])
        }
    }
}

enum ReactionTable {
    static func insert(_ reaction: Reaction, to id: MessageID) -> Statement {
        """
        INSERT INTO reactions (message_id, user_id, emoji, created_at) \
        VALUES (\(id), \(reaction.user), \(reaction.emoji), \(reaction.createdAt))
        """
    }

    static func delete(_ emoji: String, of user: UserID, from id: MessageID) -> Statement {
        "DELETE FROM reactions WHERE message_id = \(id) AND user_id = \(user) AND emoji = \(emoji)"
    }

    static func count(_ id: MessageID, change: Int) -> Statement {
        "UPDATE messages SET reaction_count = reaction_count + \(change) WHERE id = \(id)"
    }
}
