// Invitations: a code that lets people in, so many times and so long.

package import Accounts
import Base

extension ChatService {
    /// `maxUses` `nil`: any number; `lifetime` `nil`: the server's.
    package func invite(
        to id: ConversationID, maxUses: Int? = 1, lifetime: Duration? = nil, by principal: Principal
    ) async throws(ChatError) -> NewInvitation { throw Self.unbuilt }

    /// Those that are still good.
    package func invitations(
        to id: ConversationID, for principal: Principal
    ) async throws(ChatError) -> [Invitation] { throw Self.unbuilt }

    /// By who made it, or who manages members.
    package func revoke(_ id: InvitationID, by principal: Principal) async throws(ChatError) { throw Self.unbuilt }

    /// Who is in already gets the conversation, and the invitation is not used.
    package func accept(_ code: String, by principal: Principal) async throws(ChatError) -> ConversationView {
        throw Self.unbuilt
    }
}
