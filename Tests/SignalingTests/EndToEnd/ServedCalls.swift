// A whole server on loopback ports: HTTP and sockets, the call service over an empty database, media on UDP.

import API
import Base
import Media
import Net
import Synchronization
import TestKit
import Testing
import Wire

@testable import Accounts
@testable import Signaling

final class ServedCalls: Sendable {
    let api: APIHarness
    let hub: SignalingHub
    let media: TestMedia
    let port: UInt16
    let people: [APIHarness.Person]

    private init(
        _ api: APIHarness, _ hub: SignalingHub, _ media: TestMedia, _ port: UInt16, _ people: [APIHarness.Person]
    ) {
        self.api = api
        self.hub = hub
        self.media = media
        self.port = port
        self.people = people
    }

    static func run(
        _ names: String..., options: CallOptions = CallOptions(), _ body: (ServedCalls) async throws -> Void
    )
        async throws
    {
        let shards = try ShardGroup(count: 2)
        let media = try await TestMedia.make(on: shards.shards)
        let hub = SignalingHub(media: media.service)
        var setup = APIHarness.Setup()
        setup.sockets = hub
        setup.calls = options
        // The service comes with the harness, which wants the rows first.
        let service = Mutex<CallService?>(nil)
        setup.signaling = SignalingAccess(hub: hub) { token throws(CallError) in
            guard let service = service.withLock({ $0 }) else { throw .notFound }
            return try await service.principal(ofSignalingToken: token)
        }
        try await APIHarness.run(setup) { api in
            service.withLock { $0 = api.calls }
            hub.setCalls(api.calls)
            hub.setPresence(api.presence)
            let logins = LoginWatch(hub: hub, calls: api.calls, presence: api.presence, accounts: api.accounts)
            api.accounts.setEvents(logins)
            var people: [APIHarness.Person] = []
            for name in names { people.append(try await api.register(name)) }
            let server = try await HTTPServer.start(
                [.init(.tcp(IPAddress(v4: 0x7F00_0001), port: 0))], service: api.api, on: shards)
            let port = try #require(server.listening.first?.endpoint.port)
            let ticks = Task { [hub] in
                while !Task.isCancelled {
                    await hub.advance()
                    try? await Task.sleep(for: .milliseconds(100))
                }
            }
            defer { ticks.cancel() }
            try await body(ServedCalls(api, hub, media, port, people))
            await api.calls.stop()
            await server.stop(within: .seconds(1))
        }
        await media.service.stop()
        shards.stop()
    }

    /// For what waits by blocking: after a transaction a test goes on upon the database's own thread, which the server
    /// under test needs.
    static func blocking<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await Task.detached { try body() }.value
    }

    func principal(_ number: Int) async throws -> Principal {
        try await api.domain.principal(Secret(text: people[number].token))
    }

    /// One of them calls some of the others.
    func call(from caller: Int, to invited: [Int]) async throws -> CallID {
        try await api.calls.initiate(
            NewCall(kind: .video, invited: invited.map { people[$0].id }), by: try await principal(caller)
        ).call.id
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
