// What chat needs of others: sockets that carry news to people, and calls that obey. Supplied by `plexichat`.

import Accounts
package import Base

/// Carries what happened to the sockets of people. Called after the commit, without a lock held; for one conversation
/// in the order of its log. It must neither wait nor throw: queueing is its own business.
package protocol ChatEvents: Sendable {
    /// To whoever looks at the conversation. Who that may be, the sockets asked `ChatService.authorize` for; whom a
    /// `memberLeft` names is told of it and gets no more.
    func deliver(_ event: ChatEvent)

    /// To every device of these users.
    func notify(_ notice: ChatNotice, _ users: [UserID])
}

/// Calls, as far as membership commands them. Every effect has happened when a method returns: who lost their place is
/// not forwarded any more when the answer to the request that took it leaves.
package protocol CallGate: Sendable {
    /// Takes these users out of whatever call is on in the conversation.
    func cut(_ users: [UserID], from conversation: ConversationID) async

    /// The conversation is gone: ends its call.
    func close(_ conversation: ConversationID) async
}
