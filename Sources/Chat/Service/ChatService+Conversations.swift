// Conversations: begun, found, changed, deleted.

package import Accounts
package import Base

extension ChatService {
    /// Whoever begins it owns it. Who is named and cannot be a member (no such person, deactivated, a service that
    /// nobody allowed) refuses the whole.
    package func create(_ new: NewConversation, by principal: Principal) async throws(ChatError) -> ConversationView {
        throw Self.unbuilt
    }

    /// For members, and for those who may know that it is there.
    package func conversation(_ id: ConversationID, for principal: Principal) async throws(ChatError)
        -> ConversationView
    { throw Self.unbuilt }

    /// Those with the newest message first. Each comes with its last message and, for direct ones, the other person.
    package func conversations(
        _ filter: ConversationFilter, for principal: Principal
    ) async throws(ChatError) -> Page<ConversationView> { throw Self.unbuilt }

    package func update(
        _ id: ConversationID, _ changes: ConversationChanges, by principal: Principal
    ) async throws(ChatError) -> ConversationView { throw Self.unbuilt }

    /// Gone for everybody at once; its rows are removed in the background.
    package func delete(
        _ id: ConversationID, by principal: Principal, origin: RequestOrigin
    ) async throws(ChatError) { throw Self.unbuilt }

    /// What the user may do in it now: for sockets that want to follow it, for voice, for files.
    ///
    /// `notFound` and `forbidden` as everywhere; throws unless they have all of `wanted`.
    @discardableResult
    package func authorize(
        _ wanted: Abilities, in id: ConversationID, for principal: Principal
    ) async throws(ChatError) -> ConversationView { throw Self.unbuilt }

    /// Somebody types, or has stopped. Told to whoever looks, kept nowhere.
    package func typing(
        _ isTyping: Bool, in id: ConversationID, by principal: Principal
    ) async throws(ChatError) { throw Self.unbuilt }

    /// Names and pictures of users, for lists of messages; who is gone is not among them.
    package func people(_ ids: Set<UserID>) async throws(ChatError) -> [UserID: ChatPerson] { throw Self.unbuilt }
}
