// Calls with everything around them in the test's hand: time, sockets, media.

package import Accounts
import Base
package import Signaling
package import Store

package final class TestCalls: Sendable {
    package let domain: TestAccounts
    package let world: TestCallWorld
    package let presence: PresenceBook
    package let service: CallService
    package let recorder = TestRecorder()
    package let library: RecordingLibrary

    package var clock: TestClock { domain.clock }

    /// Over an empty database.
    package static func make(_ database: any Database, options: CallOptions = CallOptions()) async throws -> TestCalls {
        let domain = try await TestAccounts.make(database)
        try await Migrations(AccountsSchema.migrations + SignalingSchema.migrations).apply(to: database)
        return try await TestCalls(domain, options)
    }

    private init(_ domain: TestAccounts, _ options: CallOptions, node: String = "node-1") async throws {
        self.domain = domain
        world = TestCallWorld()
        presence = PresenceBook(database: domain.database, clock: domain.clock.clock)
        service = CallService(
            node: node, database: domain.database, accounts: domain.service, presence: presence, media: world,
            events: world, relay: world, recorder: recorder, clock: domain.clock.clock, options: options)
        library = RecordingLibrary(
            node: node, database: domain.database, accounts: domain.service, recorder: recorder,
            clock: domain.clock.clock)
        domain.service.setEvents(service)
        try await service.start()
    }

    /// A second process on the same database: this one after a crash.
    package func restarted(options: CallOptions = CallOptions(), node: String = "node-1") async throws -> TestCalls {
        try await TestCalls(domain, options, node: node)
    }

    package func person(_ name: String) async throws -> Principal {
        try await domain.principal(try await domain.register(name))
    }

    /// Another login of somebody who is registered.
    package func device(_ name: String) async throws -> Principal {
        try await domain.principal(try await domain.login(name))
    }

    package func call(_ caller: Principal, _ invited: Principal..., kind: CallKind = .video) async throws -> CallID {
        try await service.initiate(NewCall(kind: kind, invited: invited.map(\.user)), by: caller).call.id
    }

    package func advance(_ time: Duration) async {
        clock.advance(by: time)
        presence.advance()
        await service.advance()
    }
}

/// Passes when `body` throws exactly this error.
package func requireCallRefusal(
    _ expected: CallError, line: Int = #line, _ body: () async throws -> some Any
) async throws {
    try await requireError(CallError.self, line: line, { _ = try await body() }, matches: { $0 == expected })
}
