// Who is in a conversation: added, removed, joined, left, raised and lowered.

package import Accounts
package import Base

extension ChatService {
    /// In the order of rank, then of joining.
    package func members(
        of id: ConversationID, offset: Int, limit: Int, for principal: Principal
    ) async throws(ChatError) -> Page<MemberEntry> { throw Self.unbuilt }

    package func addMember(
        _ user: UserID, to id: ConversationID, role: MemberRole = .member, by principal: Principal
    ) async throws(ChatError) -> MemberEntry { throw Self.unbuilt }

    /// Their media is cut before this returns. They come back only when somebody adds them.
    package func removeMember(
        _ user: UserID, from id: ConversationID, by principal: Principal, origin: RequestOrigin
    ) async throws(ChatError) { throw Self.unbuilt }

    /// Into a public one.
    package func join(_ id: ConversationID, by principal: Principal) async throws(ChatError) -> ConversationView {
        throw Self.unbuilt
    }

    /// The last owner cannot, unless nobody else is there: then it ends with them.
    package func leave(_ id: ConversationID, by principal: Principal) async throws(ChatError) { throw Self.unbuilt }

    package func setRole(
        _ role: MemberRole, of user: UserID, in id: ConversationID, by principal: Principal, origin: RequestOrigin
    ) async throws(ChatError) -> MemberEntry { throw Self.unbuilt }

    /// An owner makes another member the owner and is an admin from then on.
    package func handOver(
        _ id: ConversationID, to user: UserID, by principal: Principal, origin: RequestOrigin
    ) async throws(ChatError) { throw Self.unbuilt }

    /// One's own wish for silence.
    package func setMuted(
        _ isMuted: Bool, in id: ConversationID, by principal: Principal
    ) async throws(ChatError) -> Member { throw Self.unbuilt }
}
