// What can be done in chat. One class, in one file per subject: `ChatService+*.swift`.
//
// Every change is one transaction, in which the rights are looked at, too: a role that is taken away while a request
// is under way counts or counts not, nothing between. What a change means for others goes out after its commit: first
// calls obey (`CallGate`), then sockets hear (`ChatEvents`), each conversation's events in the order of its log.
// Nothing waits inside a transaction for anything but the database.

package import Accounts
package import Base
package import Store

package final class ChatService: Sendable {
    package let options: ChatOptions

    let database: any Database
    let accounts: AccountService
    let gate: any CallGate
    let events: any ChatEvents
    let clock: Clock
    static let log = Logger("chat")
    static let unbuilt = ChatError.store(.unavailable("this part of chat is being built"))

    package init(
        database: any Database, accounts: AccountService, gate: any CallGate, events: any ChatEvents,
        clock: Clock = .system, options: ChatOptions = ChatOptions()
    ) {
        self.database = database
        self.accounts = accounts
        self.gate = gate
        self.events = events
        self.clock = clock
        self.options = options
    }
}
