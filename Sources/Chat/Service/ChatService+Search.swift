// Search across what the user may read.

package import Accounts
import Base

extension ChatService {
    package func search(_ query: SearchQuery, for principal: Principal) async throws(ChatError) -> SearchResults {
        throw Self.unbuilt
    }
}
