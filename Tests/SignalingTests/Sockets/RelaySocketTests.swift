// Relay credentials in `joined`, and others in time.

import Base
import TestKit
import Testing

@testable import Signaling

@Suite(.serialized) struct RelaySocketTests {
    private static var options: CallOptions {
        var options = CallOptions()
        options.relays.openServers = ["stun:stun.example.org:3478"]
        options.relays.relays = ["turn:relay.example.org:3478?transport=udp"]
        options.relays.secret = Secret(text: "relay and server know it")
        return options
    }

    private func renewed(_ client: SoftClient) -> [ICEConfiguration] {
        client.channel.messages.compactMap { if case .iceServers(let ice) = $0 { ice } else { nil } }
    }

    @Test func `who joins gets credentials of their session, the same as over REST`() async throws {
        try await CallWorld.run("alice", "bobby", options: Self.options) { world in
            let (call, clients) = try await world.gather()
            let info = try await world.service.call(call, for: world.people[0])
            for (number, client) in clients.enumerated() {
                let ice = try #require(await client.welcome()).ice
                #expect(ice.servers.map(\.urls.first) == ["stun:stun.example.org:3478", Self.options.relays.relays[0]])
                let session = try #require(info.participant(world.user(number))?.session)
                let name = "\(ice.expiresAt.secondsSinceEpoch):\(session)"
                #expect(ice.servers[1].username == name)
                #expect(await world.service.iceConfiguration(for: world.people[number]) == ice)
            }
        }
    }

    @Test func `a long call gets new ones when a quarter of their time is left`() async throws {
        try await CallWorld.run("alice", "bobby", options: Self.options) { world in
            let (_, clients) = try await world.gather()
            let start = Instant.now()
            world.clock.advance(by: .hours(2))
            await world.hub.advance(now: start + (.hours(3) - .seconds(10)))
            #expect(renewed(clients[0]).isEmpty)
            let first = try #require(await clients[0].welcome()).ice
            await world.hub.advance(now: start + (.hours(3) + .seconds(10)))
            let second = try #require(renewed(clients[0]).first)
            #expect(second.expiresAt == first.expiresAt + .hours(2))
            #expect(second.servers.last?.credential != first.servers.last?.credential)
            await world.hub.advance(now: start + .hours(5))
            #expect(renewed(clients[0]).count == 1)
            await world.hub.advance(now: start + (.hours(6) + .seconds(20)))
            #expect(renewed(clients[0]).count == 2)
        }
    }

    @Test func `without relays nothing ends, and nothing is renewed`() async throws {
        try await CallWorld.run("alice", "bobby") { world in
            let (_, clients) = try await world.gather()
            await world.hub.advance(now: .now() + .hours(100))
            #expect(renewed(clients[0]).isEmpty)
        }
    }
}
