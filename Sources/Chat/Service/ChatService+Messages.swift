// Messages: sent, edited, deleted, pinned.

package import Accounts
import Base

extension ChatService {
    /// Durable when it returns. See `NewMessage.clientID` for what happens to a repetition.
    package func send(
        _ new: NewMessage, to id: ConversationID, by principal: Principal
    ) async throws(ChatError) -> SentMessage { throw Self.unbuilt }

    /// Answers in the thread of this message, which it begins if it is in none.
    package func reply(
        inThreadOf id: MessageID, _ new: NewMessage, by principal: Principal
    ) async throws(ChatError) -> SentMessage { throw Self.unbuilt }

    /// By who wrote it.
    package func edit(
        _ id: MessageID, _ edit: MessageEdit, by principal: Principal
    ) async throws(ChatError) -> Message { throw Self.unbuilt }

    /// By who wrote it, or who manages messages. Its place stays; what it said does not, nor its edits.
    package func deleteMessage(_ id: MessageID, by principal: Principal) async throws(ChatError) { throw Self.unbuilt }

    /// The newest first.
    package func formerVersions(
        of id: MessageID, for principal: Principal
    ) async throws(ChatError) -> [FormerVersion] { throw Self.unbuilt }

    package func setPinned(
        _ isPinned: Bool, _ id: MessageID, by principal: Principal
    ) async throws(ChatError) -> Message { throw Self.unbuilt }

    /// The one that was pinned last first.
    package func pinned(in id: ConversationID, for principal: Principal) async throws(ChatError) -> [Message] {
        throw Self.unbuilt
    }
}
