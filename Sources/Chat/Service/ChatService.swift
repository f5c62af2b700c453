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
    let sequencer: EventSequencer
    /// Only where the database needs it.
    private let queue: CommitQueue?
    static let log = Logger("chat")

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
        sequencer = EventSequencer { event in events.deliver(event) }
        queue = database.engine == .postgresql ? CommitQueue() : nil
    }

    // MARK: For the other files

    var reader: ChatReader { .database(database) }

    /// What a transaction came to, beside its value: what others are told when it is committed.
    struct Outcome<Value: Sendable>: Sendable {
        var value: Value
        var events: [ChatEvent] = []
        var notices: [(notice: ChatNotice, users: [UserID])] = []
        var cuts: [CallCut] = []
        var closed: [ConversationID] = []
        var isAudited = false

        init(_ value: Value, _ events: [ChatEvent] = []) {
            self.value = value
            self.events = events
        }
    }

    /// Runs a transaction that changes these conversations, and tells of it. In the order of their identifiers.
    func commit<Value: Sendable>(
        in ids: [ConversationID],
        _ body: @escaping @Sendable (any Transaction) async throws(ChatError) -> Outcome<Value>
    ) async throws(ChatError) -> Value {
        var entered: [ConversationID] = []
        defer { if let queue { for id in entered { queue.leave(id) } } }
        var announced: [ConversationID] = []
        do throws(ChatError) {
            for id in ids {
                if let queue {
                    try await queue.enter(id)
                    entered.append(id)
                }
                try await announce(id)
                announced.append(id)
            }
            let outcome = try await database.transaction(body)
            await tell(outcome, ids)
            return outcome.value
        } catch {
            for id in announced { sequencer.finish(id, []) }
            throw error
        }
    }

    func commit<Value: Sendable>(
        in id: ConversationID,
        _ body: @escaping @Sendable (any Transaction) async throws(ChatError) -> Outcome<Value>
    ) async throws(ChatError) -> Value {
        try await commit(in: [id], body)
    }

    private func announce(_ id: ConversationID) async throws(ChatError) {
        if sequencer.announce(id) { return }
        let last = try await reader.number("SELECT last_offset FROM conversations WHERE id = \(id)")
        sequencer.announce(id, lastOffset: last)
    }

    private func tell<Value>(_ outcome: Outcome<Value>, _ ids: [ConversationID]) async {
        for cut in outcome.cuts where !cut.users.isEmpty { await gate.cut(cut.users, from: cut.conversation) }
        for id in outcome.closed { await gate.close(id) }
        if ids.count == 1 {
            sequencer.finish(ids[0], outcome.events)
        } else {
            let byConversation = Dictionary(grouping: outcome.events, by: \.conversation)
            for id in ids { sequencer.finish(id, byConversation[id] ?? []) }
        }
        for (notice, users) in outcome.notices where !users.isEmpty { events.notify(notice, users) }
        if outcome.isAudited { accounts.audit.sealSoon() }
    }

    /// Writes what an administrator will ask for, with the change that it tells of.
    static func audit(
        _ action: ChatAudit, of target: String, by principal: Principal, origin: RequestOrigin, at now: Timestamp,
        in transaction: any Transaction
    ) async throws(ChatError) {
        let event = AuditEvent(
            time: now, actor: principal.user, action: action.rawValue, severity: .info, target: target, origin: origin)
        do { try await AuditLog.append(event, in: transaction) } catch { throw .account(error) }
    }
}

/// Who is taken out of a conversation's call.
struct CallCut: Sendable {
    let conversation: ConversationID
    let users: [UserID]
}

/// What chat writes to the audit log.
enum ChatAudit: String, Sendable {
    case conversationDeleted = "conversation.deleted"
    case memberRemoved = "conversation.member_removed"
    case roleChanged = "conversation.role_changed"
    case handedOver = "conversation.handed_over"
    case permissionsChanged = "conversation.permissions_changed"
    case fileDeleted = "file.deleted"
    case organizationDeleted = "organization.deleted"
    case organizationMemberRemoved = "organization.member_removed"
    case organizationRoleChanged = "organization.role_changed"
}
