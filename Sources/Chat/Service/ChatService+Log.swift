// The log of a conversation, for who follows it and comes back.

package import Accounts
import Base

extension ChatService {
    /// What happened after `position`. See `LogPage.isRecovered` for a position that cannot be followed up.
    package func events(
        of id: ConversationID, after position: LogPosition, limit: Int? = nil, for principal: Principal
    ) async throws(ChatError) -> LogPage { throw Self.unbuilt }
}
