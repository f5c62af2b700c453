import Accounts
import Base
import Chat
import TestKit
import Testing
import Wire

@testable import API

/// `HostileInputTests` asks for things that are not there. Here they are there, and whoever asks may do everything with
/// them, so that what is sent comes as far as the domain and the database.
@Suite struct ChatHostileInputTests {
    static let rows = HostileInputTests.withBody.filter {
        if case .standing = $0.route.access { true } else { $0.route.path.hasPrefix("/api/v1/messages") }
    }

    /// Members that hold more than a word.
    private static func hostileBodies(_ route: Route, _ api: APIHarness, _ people: ChatPeople) -> [String] {
        let properties = HostileInputTests.properties(route)
        func body(_ hostile: Property?, _ value: String) -> String {
            let members = properties.compactMap { property -> String? in
                if property.name == hostile?.name { return "\"\(property.name)\": \(value)" }
                guard property.isRequired else { return nil }
                let plain =
                    property.name == "user_id" ? "\"\(people.eve.id)\"" : HostileInputTests.plain(property.schema)
                return "\"\(property.name)\": \(plain)"
            }
            return "{\(members.joined(separator: ", "))}"
        }
        return properties.flatMap { property in HostileInputTests.values.map { body(property, $0) } }
    }

    @Test(arguments: rows, TestDatabase.available)
    func `a body of anything for what is there is refused or done, and never a failure of the server`(
        _ row: HostileInputTests.Row, _ place: TestDatabase
    ) async throws {
        try await APIHarness.run(on: place) { api in
            let people = try await ChatPeople(api)
            let owner = try await people.principal(people.alice)
            let room = try await people.room()
            let message = try await people.say(in: room, by: people.alice).id
            let direct = try await api.chat.direct(with: people.bob.id, by: owner).view.conversation.id
            let organization = try await api.chat.createOrganization(name: "Acme", summary: nil, by: owner)
            let name =
                row.route.path.contains("/messages/{")
                ? "\(message)"
                : row.route.path.contains("/dm/")
                    ? "\(direct)"
                    : row.route.path.contains("/organizations/") ? "\(organization.organization.id)" : "\(room)"
            let path = row.route.path.split(separator: "/").map { $0.hasPrefix("{") ? name : String($0) }
                .reduce("") { "\($0)/\($1)" }
            for body in Self.hostileBodies(row.route, api, people) {
                // The rows of messages have their conversation in the body.
                let sent = body.replacing(#""channel_id": "aaaaaaaa""#, with: #""channel_id": "\#(room)""#)
                    .replacing(#""conversation_id": "aaaaaaaa""#, with: #""conversation_id": "\#(room)""#)
                let answer = try await api.send(TestRequest(row.route.method, path, sent, as: people.alice))
                // Where there is no assistant, there are no summaries.
                #expect(
                    answer.status < 500 || (answer.status == 503 && path.hasSuffix("/summary")),
                    "\(path) \(sent.prefix(200)) \(answer.text)")
            }
            // What came of it can be read in every dialect.
            for path in [
                "/v1/channels/\(room)/messages", "/chatrooms/\(room)/messages", "/v1/channels/\(room)",
                "/api/v1/messages?channel_id=\(room)", "/api/v1/messages/?conversation_id=\(room)",
                "/v1/messages/\(message)", "/v1/organizations", "/chatrooms/\(room)", "/v1/dm/conversations",
                "/v1/channels/\(room)/permissions",
            ] {
                #expect(try await api.get(path, as: people.alice).status == 200, "\(path)")
            }
        }
    }
}
