// Chat with everything around it in the test's hand: time, sockets, calls.

package import Accounts
package import Base
package import Chat
package import Store
import Synchronization

/// Keeps what sockets would have been told, and what calls would have been made to do.
package final class TestChatWorld: ChatEvents, CallGate {
    private struct State {
        var events: [ChatEvent] = []
        var notices: [(notice: ChatNotice, users: [UserID])] = []
        var cut: [ConversationID: [UserID]] = [:]
        var closed: [ConversationID] = []
        var next: (any ChatEvents)?
        var nextGate: (any CallGate)?
    }

    private let state = Mutex(State())

    package init() {}

    /// Who hears of everything besides: the real sockets.
    package func setNext(_ next: any ChatEvents) { state.withLock { $0.next = next } }
    /// Who obeys, too: the real calls.
    package func setNext(_ next: any CallGate) { state.withLock { $0.nextGate = next } }

    package func deliver(_ event: ChatEvent) {
        let next = state.withLock { state in
            state.events.append(event)
            return state.next
        }
        next?.deliver(event)
    }
    package func notify(_ notice: ChatNotice, _ users: [UserID]) {
        let next = state.withLock { state in
            state.notices.append((notice, users))
            return state.next
        }
        next?.notify(notice, users)
    }
    package func cut(_ users: [UserID], from conversation: ConversationID) async {
        let next = state.withLock { state in
            state.cut[conversation, default: []] += users
            return state.nextGate
        }
        await next?.cut(users, from: conversation)
    }
    package func close(_ conversation: ConversationID) async {
        let next = state.withLock { state in
            state.closed.append(conversation)
            return state.nextGate
        }
        await next?.close(conversation)
    }

    package func events(_ id: ConversationID) -> [ChatEvent] {
        state.withLock { $0.events.filter { $0.conversation == id } }
    }
    /// Those that have a place in the log, by it.
    package func offsets(_ id: ConversationID) -> [Int64] { events(id).compactMap { $0.position?.offset } }
    package func notices(_ user: UserID) -> [ChatNotice.Event] {
        state.withLock { $0.notices.filter { $0.users.contains(user) }.map(\.notice.event) }
    }
    package func cut(_ id: ConversationID) -> [UserID] { state.withLock { $0.cut[id] ?? [] } }
    package func isClosed(_ id: ConversationID) -> Bool { state.withLock { $0.closed.contains(id) } }
}

package final class TestChat: Sendable {
    package let domain: TestAccounts
    package let world: TestChatWorld
    package let service: ChatService

    package var clock: TestClock { domain.clock }

    /// The defaults, but for bounds that a test would be long in reaching.
    package static var options: ChatOptions {
        var options = ChatOptions()
        options.membersPerConversation = 50
        options.conversationsPerOwner = 30
        options.reactionsPerMessage = 8
        options.emojiPerMessage = 4
        options.pinsPerConversation = 3
        options.invitationsPerConversation = 4
        options.formerVersions = 3
        options.eventsPerPage = 20
        options.oneTimeKeysPerDevice = 5
        options.devicesPerUser = 3
        options.exactReceiptMembers = 3
        return options
    }

    /// Over an empty database.
    package static func make(_ database: any Database, options: ChatOptions = TestChat.options) async throws -> TestChat
    {
        let domain = try await TestAccounts.make(database)
        try await Migrations(AccountsSchema.migrations + ChatSchema.migrations).apply(to: database)
        return TestChat(domain, TestChatWorld(), options)
    }

    private init(_ domain: TestAccounts, _ world: TestChatWorld, _ options: ChatOptions) {
        self.domain = domain
        self.world = world
        service = ChatService(
            database: domain.database, accounts: domain.service, gate: world, events: world, clock: domain.clock.clock,
            options: options)
    }

    /// A second process on the same database: another node, or this one after a crash.
    package func restarted(_ options: ChatOptions = TestChat.options) -> TestChat {
        TestChat(domain, TestChatWorld(), options)
    }

    package func person(_ name: String) async throws -> Principal {
        try await domain.principal(try await domain.register(name))
    }

    /// A room of the first, with the others in it.
    package func room(
        _ owner: Principal, _ others: Principal..., type: ConversationType = .room,
        visibility: ConversationVisibility = .private, maxMembers: Int? = nil
    ) async throws -> ConversationID {
        let new = NewConversation(
            type: type, visibility: visibility, title: "Room of Test", members: others.map(\.user),
            maxMembers: maxMembers)
        return try await service.create(new, by: owner).conversation.id
    }

    @discardableResult
    package func say(
        _ text: String, in id: ConversationID, by principal: Principal, clientID: String? = nil
    ) async throws -> Message {
        try await service.send(NewMessage(.plain(text), clientID: clientID), to: id, by: principal).message
    }

    package func texts(_ id: ConversationID, _ query: HistoryQuery, for principal: Principal) async throws -> [String] {
        try await service.history(of: id, query, for: principal).messages.map(\.text)
    }

    package func raise(
        _ principal: Principal, to role: MemberRole, in id: ConversationID, by owner: Principal
    ) async throws {
        _ = try await service.setRole(role, of: principal.user, in: id, by: owner, origin: TestAccounts.origin())
    }
}

extension Message {
    /// What it says, or what it is that does not say it.
    package var text: String {
        switch body {
        case .plain(let text): text
        case .box: "(box)"
        case .deviceBox: "(device box)"
        case .removed: "(removed)"
        }
    }
}

/// Passes when `body` throws exactly this error.
package func requireChatRefusal(
    _ expected: ChatError, line: Int = #line, _ body: () async throws -> some Any
) async throws {
    try await requireError(ChatError.self, line: line, { _ = try await body() }, matches: { $0 == expected })
}

/// Passes when `body` throws a validation of this field.
package func requireInvalid(
    _ field: ChatFault.Field, line: Int = #line, _ body: () async throws -> some Any
) async throws {
    try await requireError(ChatError.self, line: line, { _ = try await body() }) { error in
        if case .validation(let fault) = error { fault.field == field } else { false }
    }
}
