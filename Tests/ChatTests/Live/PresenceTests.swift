// Who is told of whom, and how often.

import Accounts
import Base
import Net
import Synchronization
import TestKit
import Testing
import Wire

@testable import Chat

@Suite struct PresenceTests {
    private final class TestGate: PresenceGate {
        let open = Mutex<[UserID: Int]>([:])
        func opened(by principal: Principal) { open.withLock { $0[principal.user, default: 0] += 1 } }
        func closed(by principal: Principal) { open.withLock { $0[principal.user, default: 0] -= 1 } }
        func count(_ principal: Principal) -> Int { open.withLock { $0[principal.user] ?? 0 } }
    }

    private static let online = ChatPresence(.online, lastSeen: nil)
    private static let offline = ChatPresence(.offline, lastSeen: nil)

    @Test func `of several changes the last is told, and what was taken back is not`() {
        var board = PresenceBoard()
        let (one, two) = (UserID(.random()), UserID(.random()))
        board.note(one, Self.online)
        board.note(one, ChatPresence(.busy, lastSeen: nil))
        board.note(two, Self.online)
        board.note(two, Self.offline)
        let news = board.take(10)
        #expect(news.map(\.user) == [one] && news[0].presence.status == .busy && news[0].isComingOrGoing)
        #expect(board.take(10).isEmpty)
        board.note(one, ChatPresence(.away, lastSeen: nil))
        let next = board.take(10)
        #expect(next.map(\.before) == [.busy] && next.allSatisfy { !$0.isComingOrGoing })
        // It could not be told: it comes again, unless something newer has come.
        board.giveBack(next[0])
        #expect(board.take(10) == next)
        board.giveBack(next[0])
        board.note(one, Self.offline)
        #expect(board.take(10).map(\.presence.status) == [.offline])
    }

    @Test func `one turn takes so many, and the next one the rest`() {
        var board = PresenceBoard()
        let users = Set((0..<25).map { _ in UserID(.random()) })
        for user in users { board.note(user, Self.online) }
        let turns = (0..<4).map { _ in board.take(10) }
        #expect(turns.map(\.count) == [10, 10, 5, 0])
        #expect(Set(turns.flatMap { $0 }.map(\.user)) == users)
    }

    @Test func `those who follow a conversation with somebody are told once, and nobody else`() async throws {
        var limits = LiveLimits()
        limits.presenceMembers = 3
        try await LiveWorld.run(limits) { world in
            let (alice, bob) = (try await world.chat.person("alice"), try await world.chat.person("bob"))
            let (carol, eve) = (try await world.chat.person("carol"), try await world.chat.person("eve"))
            let (one, two) = (try await world.chat.room(alice, bob), try await world.chat.room(alice, bob, carol))
            let (foreign, large) = (
                try await world.chat.room(carol, eve), try await world.chat.room(alice, bob, carol, eve)
            )
            let (both, idle) = (try await world.line(bob), try await world.line(bob, shard: 1))
            let (stranger, crowd) = (try await world.line(carol), try await world.line(eve, shard: 1))
            let own = try await world.line(alice)
            both.ask(.follow([(one, nil), (two, nil)]))
            own.ask(.follow([(one, nil)]))
            stranger.ask(.follow([(foreign, nil)]))
            crowd.ask(.follow([(large, nil)]))
            try await soon {
                both.heard.count == 2 && [own, stranger, crowd].allSatisfy { $0.heard.count == 1 }
            }
            world.hub.presenceChanged(alice.user, Self.online)
            await world.hub.advancePresence()
            try await soon { both.heard.last == "offline to online" }
            world.hub.presenceChanged(alice.user, Self.offline)
            world.hub.presenceChanged(alice.user, Self.online)
            await world.hub.advancePresence()
            // What comes after it has been told shows that nothing came between.
            world.hub.presenceChanged(alice.user, Self.offline)
            await world.hub.advancePresence()
            try await soon { both.heard.last == "online to offline" }
            #expect(both.heard.filter { $0.contains(" to ") } == ["offline to online", "online to offline"])
            for line in [idle, stranger, crowd, own] {
                line.ask(.ping)
                try await soon { line.heard.last == "pong" }
                #expect(!line.heard.contains { $0.contains(" to ") })
            }
        }
    }

    @Test func `a socket makes somebody be there until it closes, and closes once`() async throws {
        try await LiveWorld.run { world in
            let gate = TestGate()
            world.hub.setPresence(gate)
            let alice = try await world.chat.person("alice")
            let (one, two) = (try await world.line(alice), try await world.line(alice))
            #expect(gate.count(alice) == 2)
            one.leave()
            one.leave()
            try await soon { gate.count(alice) == 1 }
            two.leave()
            try await soon { gate.count(alice) == 0 }
        }
    }
}
