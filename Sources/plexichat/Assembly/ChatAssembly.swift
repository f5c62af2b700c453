// Chat over the accounts and the database of this server.

import API
import Accounts
import Base
import Chat
import Configuration

enum ChatAssembly {
    static func make(_ configuration: Configuration, _ storage: Storage, _ accounts: AccountService) -> ChatAccess {
        let service = ChatService(
            database: storage.database, accounts: accounts, gate: NoConversationCalls(), events: NoSockets())
        return ChatAccess(service: service, publicURL: configuration.publicURL)
    }
}

/// The sockets of chat are not served yet (`PathClaims.notBuiltYet`): nobody is connected who could be told.
private struct NoSockets: ChatEvents {
    func deliver(_ event: ChatEvent) {}
    func notify(_ notice: ChatNotice, _ users: [UserID]) {}
}

/// No row begins a call in a conversation yet (voice channels answer 501): who is removed from one is in none of its
/// calls, because there are none.
private struct NoConversationCalls: CallGate {
    func cut(_ users: [UserID], from conversation: ConversationID) async {}
    func close(_ conversation: ConversationID) async {}
}
