// Direct conversations: one for each pair of people.

package import Accounts
package import Base

extension ChatService {
    /// The conversation of these two; begun if there is none. `isNew` tells which.
    package func direct(
        with user: UserID, by principal: Principal
    ) async throws(ChatError) -> (view: ConversationView, isNew: Bool) { throw Self.unbuilt }
}
