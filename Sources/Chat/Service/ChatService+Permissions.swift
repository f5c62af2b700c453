// The rules of a conversation: what its roles, and single members, have beyond or below the usual.

package import Accounts
import Base

extension ChatService {
    package func permissions(
        of id: ConversationID, for principal: Principal
    ) async throws(ChatError) -> ConversationPermissions { throw Self.unbuilt }

    /// Nobody gives what they do not have themselves. Owners have no rules.
    package func setPermissions(
        _ changes: PermissionChanges, of id: ConversationID, by principal: Principal, origin: RequestOrigin
    ) async throws(ChatError) -> ConversationPermissions { throw Self.unbuilt }
}
