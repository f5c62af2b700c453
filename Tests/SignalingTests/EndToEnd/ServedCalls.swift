// A server with people who are logged in, and their pages.

import Accounts
import Base
import Media
import Signaling
import TestKit
import Wire

final class ServedCalls: Sendable {
    private let server: CallServer
    let people: [APIHarness.Person]

    var api: APIHarness { server.api }
    var media: TestMedia { server.media }
    var port: UInt16 { server.port }

    private init(_ server: CallServer, _ people: [APIHarness.Person]) {
        self.server = server
        self.people = people
    }

    static func run(_ names: String..., body: (ServedCalls) async throws -> Void) async throws {
        try await CallServer.run { server in
            var people: [APIHarness.Person] = []
            for name in names { people.append(try await server.api.register(name)) }
            try await body(ServedCalls(server, people))
        }
    }

    /// For what waits by blocking: after a transaction a test goes on upon the database's own thread, which the server
    /// under test needs.
    static func blocking<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await Task.detached { try body() }.value
    }

    func principal(_ number: Int) async throws -> Principal { try await server.principal(people[number]) }

    /// One of them calls some of the others.
    func call(from caller: Int, to invited: [Int]) async throws -> CallID {
        try await server.call(from: people[caller], to: invited.map { people[$0] })
    }

    /// A page that is logged in as one of them.
    func browser(
        _ number: Int, _ target: String = "/calls/ws", _ dialect: SoftBrowser.Dialect = .manual,
        sections: [SoftPeer.Section] = [], reacts: Bool = true, media: SoftPeerSocket? = nil
    ) throws -> SoftBrowser {
        let browser = try SoftBrowser(
            port, target, dialect, headers: ["Authorization: Bearer \(people[number].token)"], sections: sections,
            seed: UInt64(number) + 11, media: media)
        browser.reacts = reacts
        return browser
    }
}
