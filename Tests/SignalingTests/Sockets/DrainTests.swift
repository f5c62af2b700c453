// A server that stops in order, as its sockets see it.

import Accounts
import Base
import TestKit
import Testing

@testable import Signaling

@Suite(.serialized) struct DrainTests {
    @Test func `with another address everybody is sent there, and the drain ends when all have gone`() async throws {
        try await CallWorld.run("alice", "bobby") { world in
            let (call, clients) = try await world.gather()
            let idle = try world.open(world.people[0], for: call)
            let hub = world.hub
            async let drained: Void = hub.drain(to: "https://other.example", within: .seconds(30))
            for client in clients + [idle] {
                let told = await client.channel.wait { message -> Int? in
                    if case .reconnect("https://other.example", let seconds) = message { seconds } else { nil }
                }
                #expect(told == 30)
            }
            // The call goes on meanwhile; nobody comes in.
            #expect(try await world.service.call(call, for: world.people[0]).state == .ongoing)
            #expect(world.hub.open(SoftChannel(), by: world.people[1], isBoundToJoin: false) == nil)
            idle.say(.join(JoinRequest(call: call, role: .offerer)))
            #expect(await idle.fault() == .call(.unavailable("the server is stopping")))
            for client in clients + [idle] { client.drop() }
            await drained
            #expect(world.hub.connectionCount == 0)
        }
    }

    @Test func `who does not go is closed when the time is over`() async throws {
        try await CallWorld.run("alice", "bobby") { world in
            let (_, clients) = try await world.gather()
            let start = Instant.now()
            await world.hub.drain(to: "https://other.example", within: .milliseconds(200))
            #expect(Instant.now() - start >= .milliseconds(200))
            #expect(clients[0].channel.closure == nil)
            await world.service.stop()
            world.hub.finishDrain()
            #expect(clients.allSatisfy { $0.channel.closure == .serverStops })
        }
    }

    @Test func `without another address people hear that their call has ended, and that the server stops`() async throws
    {
        try await CallWorld.run("alice", "bobby", "carol") { world in
            let call = try await world.service.initiate(
                NewCall(kind: .audio, invited: [world.user(1)]), by: world.people[0]
            ).call.id
            let client = try await world.join(call, world.people[0])
            _ = try await world.join(call, world.people[1])
            let idle = try world.open(world.people[2], for: call)
            let start = Instant.now()
            await world.hub.drain(to: nil, within: .seconds(30))
            #expect(Instant.now() - start < .seconds(1))
            await world.service.stop()
            world.hub.finishDrain()
            let end = client.channel.messages.compactMap { message -> CallEnd? in
                if case .status(let info, _) = message { info.end } else { nil }
            }
            #expect(end == [.serverStopped])
            #expect(client.channel.closure == .serverStops && idle.channel.closure == .serverStops)
            #expect(world.hub.connectionCount == 0)
        }
    }
}
