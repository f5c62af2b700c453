// What is removed for good: by age, with a conversation, with an account.

import Accounts
package import Base

extension ChatService {
    /// Removes what is over, a bounded part at a time. Returns whether there is more to do. Called every minute or so.
    @discardableResult
    package func sweep() async throws(ChatError) -> Bool { throw Self.unbuilt }

    /// The account is gone: they leave every conversation, what they wrote is emptied, their devices are forgotten.
    /// A conversation that they alone owned goes to its member of the highest rank.
    package func forget(_ user: UserID) async throws(ChatError) { throw Self.unbuilt }
}
