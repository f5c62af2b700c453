// A whole server on loopback ports: HTTP and sockets, the call service over an empty database, media on UDP. For tests
// that speak to it as a page does, and for benchmarks.

import API
package import Accounts
import Base
import Media
package import Net
package import Signaling
import Synchronization
import Wire

package final class CallServer: Sendable {
    package struct Setup: Sendable {
        package var shards = 2
        package var calls = CallOptions()
        package var http = HTTPServer.Options()
        /// Between two turns of what the server does now and then; its own is a second.
        package var tick = Duration.milliseconds(100)

        package init() {}
    }

    package let api: APIHarness
    package let hub: SignalingHub
    package let media: TestMedia
    package let port: UInt16

    private init(_ api: APIHarness, _ hub: SignalingHub, _ media: TestMedia, _ port: UInt16) {
        self.api = api
        self.hub = hub
        self.media = media
        self.port = port
    }

    package static func run(_ setup: Setup = Setup(), _ body: (CallServer) async throws -> Void) async throws {
        let shards = try ShardGroup(count: setup.shards)
        let media = try await TestMedia.make(on: shards.shards)
        let hub = SignalingHub(media: media.service)
        var harness = APIHarness.Setup()
        harness.sockets = hub
        harness.calls = setup.calls
        // The service comes with the harness, which wants the rows first.
        let service = Mutex<CallService?>(nil)
        harness.signaling = SignalingAccess(hub: hub) { token throws(CallError) in
            guard let service = service.withLock({ $0 }) else { throw .notFound }
            return try await service.principal(ofSignalingToken: token)
        }
        try await APIHarness.run(harness) { api in
            service.withLock { $0 = api.calls }
            hub.setCalls(api.calls)
            hub.setPresence(api.presence)
            api.accounts.setEvents(
                LoginWatch(sockets: [hub], calls: api.calls, presence: api.presence, accounts: api.accounts))
            let server = try await HTTPServer.start(
                [.init(.tcp(IPAddress(v4: 0x7F00_0001), port: 0))], service: api.api, on: shards, options: setup.http)
            let port = server.listening.first?.endpoint.port ?? 0
            let ticks = Task { [hub] in
                while !Task.isCancelled {
                    await hub.advance()
                    try? await Task.sleep(for: setup.tick)
                }
            }
            defer { ticks.cancel() }
            try await body(CallServer(api, hub, media, port))
            await api.calls.stop()
            await server.stop(within: .seconds(1))
        }
        await media.service.stop()
        shards.stop()
    }

    package func principal(_ person: APIHarness.Person) async throws -> Principal {
        try await api.domain.principal(Secret(text: person.token))
    }

    package func call(from caller: APIHarness.Person, to invited: [APIHarness.Person]) async throws -> CallID {
        try await api.calls.initiate(
            NewCall(kind: .video, invited: invited.map(\.id)), by: try await principal(caller)
        ).call.id
    }
}
