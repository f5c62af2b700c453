// Reactions: once for each emoji and member.

package import Accounts
import Base

extension ChatService {
    /// To react twice with one emoji is to react once.
    package func react(
        _ emoji: String, to id: MessageID, by principal: Principal
    ) async throws(ChatError) -> Reaction { throw Self.unbuilt }

    /// `notFound(.reaction)` when there is none of theirs.
    package func unreact(_ emoji: String, from id: MessageID, by principal: Principal) async throws(ChatError) {
        throw Self.unbuilt
    }
}
