// Where somebody's presence is of interest.

package import Base
import Store

extension ChatService {
    /// What the user is in, of at most so many members: beyond, everybody's coming and going would be told to everybody.
    package func conversationsThatShowPresence(
        of user: UserID, members: Int, limit: Int
    ) async throws(ChatError) -> [ConversationID] {
        try await reader.conversationIDs(MemberTable.places(of: user, size: members, limit: limit))
    }
}
