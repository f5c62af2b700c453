// What becomes of open sockets when their login ends, however it ends.

import Accounts
import Base
import Crypto
import Media
import TestKit
import Testing
import Wire

@testable import Signaling

@Suite(.serialized) struct LoginSocketTests {
    private static let origin = TestAccounts.origin()

    private func socket(_ world: CallWorld, _ principal: Principal) throws -> SoftClient {
        try world.open(principal, for: CallID(.random()))
    }

    private func device(_ world: CallWorld, _ name: String) async throws -> Principal {
        try await world.domain.principal(try await world.domain.login(name))
    }

    @Test func `a logout closes the sockets of its login before it is answered, and no others`() async throws {
        try await CallWorld.run("alice", "bobby") { world in
            let phone = try await device(world, "alice")
            let (here, there) = (try socket(world, world.people[0]), try socket(world, phone))
            let other = try socket(world, world.people[1])
            try await world.domain.service.logout(phone, origin: Self.origin)
            #expect(there.channel.closure == .authenticationFailed)
            #expect(here.channel.closure == nil && other.channel.closure == nil)
            #expect(world.hub.connectionCount == 2)
            let told = there.channel.messages.count
            there.say(.ping(id: 1))
            #expect(there.channel.messages.count == told)
            // The end of the connection comes later, and changes nothing.
            there.drop()
            #expect(world.hub.connectionCount == 2)
        }
    }

    @Test func `a new password closes all other logins, a reset and a logout everywhere close all`() async throws {
        try await CallWorld.run("alice") { world in
            let phone = try await device(world, "alice")
            let sockets = [try socket(world, world.people[0]), try socket(world, phone)]
            try await world.domain.service.changePassword(
                phone, current: TestAccounts.password, new: Secret(text: "another long password"), origin: Self.origin)
            #expect(sockets.map(\.channel.closure) == [.authenticationFailed, nil])
            let service = world.domain.service
            try await service.setPassword(
                TestAccounts.password, of: world.user(0), by: .console, origin: Self.origin)
            #expect(sockets[1].channel.closure == .authenticationFailed)
            let anew = try await device(world, "alice")
            let last = try socket(world, anew)
            try await service.logoutEverywhere(anew, origin: Self.origin)
            #expect(last.channel.closure == .authenticationFailed)
        }
    }

    @Test func `an API key that is revoked closes its sockets, and the end of sessions does not`() async throws {
        try await CallWorld.run("alice") { world in
            let service = world.domain.service
            let key = try await service.createAPIKey(
                world.people[0], name: "robot", permissions: ["read", "write", "calls"], expiresAt: nil,
                origin: Self.origin)
            let holder = try await service.authenticator.authenticate(.apiKey(key.token.exposedText))
            let client = try socket(world, holder)
            try await service.setPassword(
                TestAccounts.password, of: world.user(0), by: .console, origin: Self.origin)
            #expect(client.channel.closure == nil)
            let anew = try await device(world, "alice")
            try await service.revokeAPIKey(key.key.id, anew, origin: Self.origin)
            #expect(client.channel.closure == .authenticationFailed)
        }
    }

    @Test func `a deactivated account is out of its call with the answer, media included`() async throws {
        try await CallWorld.run("alice", "bobby", "carol") { world in
            let (call, clients) = try await world.gather()
            let peer = try SoftPeer([.init(.audio, .sendOnly)], identity: try DTLSIdentity.make(), seed: 1)
            clients[1].offer(peer.offer(), id: 1)
            _ = try #require(await clients[1].answer(to: 1))
            #expect(world.media.service.sessionCount == 1)
            _ = try await world.domain.service.setActive(
                false, of: world.user(1), by: .console, origin: Self.origin)
            #expect(world.media.service.sessionCount == 0)
            #expect(clients[1].channel.closure == .authenticationFailed)
            #expect(try await world.service.call(call, for: world.people[0]).joined == [world.user(0), world.user(2)])
            #expect(try await world.presence.presence(of: world.user(1)).status == .offline)
            let reason = await clients[2].channel.wait { message -> String? in
                if case .participantLeft(world.user(1), let reason) = message { reason } else { nil }
            }
            #expect(reason == "removed")
        }
    }

    @Test func `who gets other rights shows a credential again, and keeps the place in the call`() async throws {
        try await CallWorld.run("alice", "bobby") { world in
            let (call, clients) = try await world.gather()
            _ = try await world.domain.service.setRoles(
                [.user, .admin], of: world.user(1), by: .console, origin: Self.origin)
            #expect(clients[1].channel.closure == .authenticationFailed)
            let back = try world.open(world.people[1], for: call)
            back.resume(clients[1].token)
            #expect(try #require(await back.welcome()).isResumed)
        }
    }

    @Test func `the oldest login goes when somebody has too many`() async throws {
        try await CallWorld.run("alice") { world in
            let oldest = try socket(world, world.people[0])
            for _ in 0..<world.domain.service.options.sessionsPerUser {
                #expect(oldest.channel.closure == nil)
                world.clock.advance(by: .seconds(1))
                _ = try await device(world, "alice")
            }
            #expect(oldest.channel.closure == .authenticationFailed)
        }
    }

    @Test func `a session that is over by itself, or by another process, is noticed`() async throws {
        try await CallWorld.run("alice", "bobby") { world in
            let (alice, bobby) = (try socket(world, world.people[0]), try socket(world, world.people[1]))
            let start = Instant.now()
            let elsewhere = try await world.domain.another()
            try await elsewhere.service.logout(world.people[0], origin: Self.origin)
            await world.logins.advance(now: start)
            #expect(alice.channel.closure == .authenticationFailed && bobby.channel.closure == nil)
            world.clock.advance(by: world.domain.service.options.familyLifetime)
            await world.logins.advance(now: start + .seconds(29))
            #expect(bobby.channel.closure == nil)
            await world.logins.advance(now: start + .seconds(31))
            #expect(bobby.channel.closure == .authenticationFailed)
            await elsewhere.service.stop()
        }
    }
}
