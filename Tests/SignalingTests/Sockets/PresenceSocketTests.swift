// Presence over sockets: who is told, how often, and how long somebody counts as there.

import Accounts
import Base
import Signaling
import TestKit
import Testing

@testable import Signaling

@Suite(.serialized) struct PresenceSocketTests {
    private func statuses(_ client: SoftClient, of user: UserID) -> [Presence.Status] {
        client.channel.messages.compactMap { message in
            if case .presence(user, let presence) = message { presence.status } else { nil }
        }
    }

    private func wait(_ client: SoftClient, for user: UserID, _ status: Presence.Status) async -> Bool {
        await eventually { statuses(client, of: user).last == status ? true : nil } == true
    }

    private func idle(_ world: CallWorld, _ number: Int) throws -> SoftClient {
        try world.open(world.people[number], for: CallID(.random()))
    }

    @Test func `who asks is told at once, and then of the last of several changes`() async throws {
        try await CallWorld.run("alice", "bobby") { world in
            let watcher = try idle(world, 0)
            let bobby = world.people[1]
            watcher.say(.watch([bobby.user, UserID(.random())]))
            #expect(await wait(watcher, for: bobby.user, .offline))
            let socket = try idle(world, 1)
            for status in [Presence.Status.away, .busy, .away] {
                world.presence.renew(bobby.user, device: DeviceID(bobby), status)
            }
            #expect(statuses(watcher, of: bobby.user) == [.offline])
            await world.hub.advance()
            #expect(statuses(watcher, of: bobby.user) == [.offline, .away])
            await world.hub.advance()
            #expect(statuses(watcher, of: bobby.user).count == 2)
            // Asked for again, told again.
            watcher.say(.watch([bobby.user]))
            #expect(await eventually { statuses(watcher, of: bobby.user).count == 3 ? true : nil } == true)
            socket.drop()
        }
    }

    @Test func `who shares a call is told without asking, and nobody else`() async throws {
        try await CallWorld.run("alice", "bobby", "carol") { world in
            let stranger = try idle(world, 2)
            let call = try await world.service.initiate(
                NewCall(kind: .audio, invited: [world.user(1)]), by: world.people[0]
            ).call.id
            let (alice, bobby) = (
                try await world.join(call, world.people[0]), try await world.join(call, world.people[1])
            )
            await world.hub.advance()
            #expect(statuses(alice, of: world.user(1)).last == .inCall)
            #expect(statuses(bobby, of: world.user(1)).isEmpty)
            #expect(statuses(stranger, of: world.user(1)).isEmpty)
        }
    }

    @Test func `nothing is told of whom nobody asks for any more, and a closed socket looks at nobody`() async throws {
        try await CallWorld.run("alice", "bobby") { world in
            let watcher = try idle(world, 0)
            watcher.say(.watch([world.user(1)]))
            #expect(await wait(watcher, for: world.user(1), .offline))
            watcher.say(.unwatch([world.user(1), UserID(.random())]))
            #expect(world.hub.watchedCount == 0)
            _ = try idle(world, 1)
            await world.hub.advance()
            #expect(statuses(watcher, of: world.user(1)) == [.offline])
            watcher.say(.watch([world.user(1)]))
            watcher.say(.unwatch(nil))
            #expect(world.hub.watchedCount == 0)
            watcher.say(.watch([world.user(1)]))
            #expect(world.hub.watchedCount == 1)
            watcher.drop()
            #expect(world.hub.watchedCount == 0)
        }
    }

    @Test func `one socket looks at so many people, and not at one more`() async throws {
        try await CallWorld.run("alice") { world in
            let watcher = try idle(world, 0)
            let limit = SignalingLimits.watchedPerSocket
            let crowd = (0..<limit).map { _ in UserID(.random()) }
            watcher.say(.watch(Array(crowd.prefix(limit / 2))))
            watcher.say(.watch(Array(crowd.suffix(limit / 2))))
            watcher.say(.watch(crowd))
            #expect(world.hub.watchedCount == limit)
            watcher.say(.watch([UserID(.random())]))
            #expect(await watcher.fault() == .tooManyWatched(limit: limit))
            #expect(world.hub.watchedCount == limit)
            #expect(await wait(watcher, for: crowd[limit - 1], .offline))
        }
    }

    @Test func `an open socket is somebody who is there; a closed one is for the time of a lease`() async throws {
        try await CallWorld.run("alice", "bobby") { world in
            let alice = world.people[0]
            let socket = try idle(world, 0)
            func status() async throws -> Presence.Status {
                world.presence.advance()
                return try await world.presence.presence(of: alice.user).status
            }
            #expect(try await status() == .online)
            world.clock.advance(by: .hours(3))
            #expect(try await status() == .online)
            world.presence.renew(alice.user, device: DeviceID(alice), .away)
            world.clock.advance(by: .hours(3))
            #expect(try await status() == .away)
            // Who does not want to be seen is not, while the socket is open.
            world.presence.renew(alice.user, device: DeviceID(alice), .offline)
            world.clock.advance(by: .hours(3))
            #expect(try await status() == .offline)
            world.presence.renew(alice.user, device: DeviceID(alice), .busy)
            let second = try idle(world, 0)
            second.drop()
            world.clock.advance(by: .hours(1))
            #expect(try await status() == .busy)
            socket.drop()
            world.clock.advance(by: .seconds(119))
            #expect(try await status() == .busy)
            world.clock.advance(by: .seconds(1))
            #expect(try await status() == .offline)
        }
    }
}
