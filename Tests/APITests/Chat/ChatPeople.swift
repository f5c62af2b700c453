import Accounts
import Base
import Chat
import TestKit
import Testing

/// Three people for tests of chat: alice has a room with bob in it, eve is in none of it.
struct ChatPeople {
    let api: APIHarness
    let alice: APIHarness.Person
    let bob: APIHarness.Person
    let eve: APIHarness.Person

    init(_ api: APIHarness) async throws {
        self.api = api
        alice = try await api.register("alice")
        bob = try await api.register("bob")
        eve = try await api.register("eve")
    }

    func principal(_ person: APIHarness.Person) async throws -> Principal {
        try await api.domain.principal(Secret(text: person.token))
    }

    func room(
        _ type: ConversationType = .room, visibility: ConversationVisibility = .private, isEmpty: Bool = false
    ) async throws -> ConversationID {
        try await api.chat.create(
            NewConversation(
                type: type, visibility: visibility, title: "Lobby", members: isEmpty ? [] : [bob.id]),
            by: try await principal(alice)
        ).conversation.id
    }

    @discardableResult
    func say(
        _ body: MessageBody = .plain("Hello"), in room: ConversationID, by person: APIHarness.Person,
        _ type: MessageType = .text
    ) async throws -> Message {
        try await api.chat.send(NewMessage(body, type: type), to: room, by: try await principal(person)).message
    }

    func raise(_ person: APIHarness.Person, to role: MemberRole, in room: ConversationID) async throws {
        _ = try await api.chat.setRole(
            role, of: person.id, in: room, by: try await principal(alice), origin: TestAccounts.origin())
    }
}
