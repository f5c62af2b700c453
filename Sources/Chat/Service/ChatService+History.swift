// What was said: one message, a page of a conversation, a thread.

package import Accounts
import Base

extension ChatService {
    package func message(
        _ id: MessageID, for principal: Principal, wantsStatuses: Bool = false
    ) async throws(ChatError) -> Message { throw Self.unbuilt }

    package func history(
        of id: ConversationID, _ query: HistoryQuery, for principal: Principal
    ) async throws(ChatError) -> MessagePage { throw Self.unbuilt }

    /// The message that began it, and its answers from the oldest on; whichever message of it is named.
    package func thread(
        of id: MessageID, offset: Int, limit: Int, for principal: Principal
    ) async throws(ChatError) -> (root: Message, replies: MessagePage) { throw Self.unbuilt }
}
