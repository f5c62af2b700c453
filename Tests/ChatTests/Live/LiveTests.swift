import Accounts
import Base
import Glibc
import Net
import Synchronization
import TestKit
import Testing
import Wire

@testable import Chat

@Suite struct LiveTests {
    @Test func `who follows hears what is said from then on, once, in order`() async throws {
        try await LiveWorld.run { world in
            let (alice, bob) = (try await world.chat.person("alice"), try await world.chat.person("bob"))
            let id = try await world.chat.room(alice, bob)
            try await world.say("before", in: id, by: alice)
            let line = try await world.line(bob)
            line.ask(.follow([(id, nil)]))
            let place = try await world.service.conversation(id, for: bob).conversation.log.lastOffset
            try await line.hears(["following \(place) true"])
            for number in 0..<20 { try await world.say("\(number)", in: id, by: number % 2 == 0 ? alice : bob) }
            try await line.hears(["following \(place) true"] + (0..<20).map { "said \($0)" })
        }
    }

    @Test func `what a user's clients keep is told to all sockets of the user, and to no others`() async throws {
        try await LiveWorld.run { world in
            let (alice, bob) = (try await world.chat.person("alice"), try await world.chat.person("bob"))
            let settings = ClientSettings(world.chat.domain.service)
            settings.setEvents(world.hub)
            let lines = [try await world.line(alice), try await world.line(alice, shard: 1), try await world.line(bob)]
            let origin = TestAccounts.origin()
            for (key, user) in [("theme", alice), ("mine", bob)] {
                _ = try await settings.set(try ClientSettingKey(key), to: .string("dark"), by: user, origin: origin)
            }
            try await lines[0].hears(["settings theme"])
            try await lines[1].hears(["settings theme"])
            try await lines[2].hears(["settings mine"])
        }
    }

    @Test func `one event is written once for all followers of a dialect, whatever thread they are on`() async throws {
        try await LiveWorld.run { world in
            let alice = try await world.chat.person("alice")
            let id = try await world.chat.room(alice)
            var lines: [TestLine] = []
            for index in 0..<12 {
                let guest = try await world.chat.person("guest\(index)")
                _ = try await world.service.addMember(guest.user, to: id, role: .member, by: alice)
                let line = try await world.line(guest, shard: index % 2)
                line.ask(.follow([(id, nil)]))
                try await line.hears(["following \(index + 1) true"], within: .seconds(10))
                lines.append(line)
            }
            let before = world.style.writtenEvents
            try await world.say("hello", in: id, by: alice)
            for line in lines { try await soon { line.heard.last == "said hello" } }
            #expect(world.style.writtenEvents == before + 1)
        }
    }

    @Test func `who comes back is told what was missed, while others go on talking`() async throws {
        try await LiveWorld.run { world in
            let (alice, bob) = (try await world.chat.person("alice"), try await world.chat.person("bob"))
            let id = try await world.chat.room(alice, bob)
            let position = try await world.service.conversation(id, for: bob).conversation.log.position
            for number in 0..<45 { try await world.say("\(number)", in: id, by: alice) }
            let line = try await world.line(bob)
            async let talk: Void = {
                for number in 45..<90 { try await world.say("\(number)", in: id, by: alice) }
            }()
            line.ask(.follow([(id, position)]))
            try await talk
            try await line.hears(["following \(position.offset) true"] + (0..<90).map { "said \($0)" })
        }
    }

    @Test func `a place of another log is no place`() async throws {
        try await LiveWorld.run { world in
            let alice = try await world.chat.person("alice")
            let id = try await world.chat.room(alice)
            try await world.say("0", in: id, by: alice)
            let log = try await world.service.conversation(id, for: alice).conversation.log
            for wrong in [
                LogPosition(epoch: log.epoch + 1, offset: 1), LogPosition(epoch: log.epoch, offset: log.lastOffset + 1),
                LogPosition(epoch: log.epoch, offset: -1),
            ] {
                let line = try await world.line(alice)
                line.ask(.follow([(id, wrong)]))
                try await line.hears(["following \(log.lastOffset) false"])
                line.leave()
            }
        }
    }

    @Test func `who reads slowly is caught up when there is room again`() async throws {
        try await LiveWorld.run { world in
            let (alice, bob) = (try await world.chat.person("alice"), try await world.chat.person("bob"))
            let id = try await world.chat.room(alice, bob)
            let place = try await world.service.conversation(id, for: bob).conversation.log.lastOffset
            let line = try await world.line(bob)
            line.ask(.follow([(id, nil)]))
            try await line.hears(["following \(place) true"])
            for round in 0..<3 {
                line.setRoom(false)
                for number in 0..<50 { try await world.say("\(round * 60 + number)", in: id, by: alice) }
                line.setRoom(true)
                for number in 50..<60 { try await world.say("\(round * 60 + number)", in: id, by: alice) }
                try await line.hears(
                    ["following \(place) true"] + (0..<(round + 1) * 60).map { "said \($0)" })
            }
        }
    }

    @Test func `what a busy thread keeps waiting is bounded, and comes from the log`() async throws {
        var limits = LiveLimits()
        (limits.queuedEvents, limits.eventsPerHop) = (5, 2)
        try await LiveWorld.run(limits) { world in
            let (alice, bob) = (try await world.chat.person("alice"), try await world.chat.person("bob"))
            let id = try await world.chat.room(alice, bob)
            let place = try await world.service.conversation(id, for: bob).conversation.log.lastOffset
            // One on a thread that is kept busy, one on another.
            let lines = [try await world.line(bob), try await world.line(alice, shard: 1)]
            for line in lines {
                line.ask(.follow([(id, nil)]))
                try await line.hears(["following \(place) true"])
            }
            let isBusy = Atomic(true)
            world.shards.shards[0].submit { while isBusy.load(ordering: .relaxed) { usleep(1_000) } }
            for number in 0..<40 {
                try await world.say("\(number)", in: id, by: alice)
                #expect(world.hub.waitingEvents <= 5)
            }
            #expect(world.hub.waitingEvents > 0, "the thread was not busy")
            isBusy.store(false, ordering: .relaxed)
            for number in 40..<50 { try await world.say("\(number)", in: id, by: alice) }
            for line in lines {
                try await line.hears(["following \(place) true"] + (0..<50).map { "said \($0)" })
            }
            #expect(world.hub.waitingEvents == 0)
        }
    }

    @Test func `a notice comes to all sockets of somebody, on whatever thread`() async throws {
        try await LiveWorld.run { world in
            let (alice, bob) = (try await world.chat.person("alice"), try await world.chat.person("bob"))
            var lines: [TestLine] = []
            for shard in [0, 1, 0] { lines.append(try await world.line(bob, shard: shard)) }
            let stranger = try await world.line(alice)
            let new = NewConversation(type: .room, title: "New", members: [bob.user])
            _ = try await world.service.create(new, by: alice)
            for line in lines { try await line.hears(["notice"]) }
            stranger.ask(.ping)
            try await stranger.hears(["notice", "pong"])
        }
    }

    @Test func `who is removed is told, and hears no more`() async throws {
        try await LiveWorld.run { world in
            let (alice, bob) = (try await world.chat.person("alice"), try await world.chat.person("bob"))
            let id = try await world.chat.room(alice, bob)
            let line = try await world.line(bob)
            line.ask(.follow([(id, nil)]))
            try await line.hears(["following 0 true"])
            try await world.service.removeMember(bob.user, from: id, by: alice, origin: TestAccounts.origin())
            try await world.say("secret", in: id, by: alice)
            line.ask(.ping)
            try await soon { line.heard.last == "pong" }
            #expect(line.heard.contains("left") && !line.heard.contains("said secret"))
            #expect(world.hub.followedCount == 0)
            line.ask(.follow([(id, nil)]))
            try await soon { (line.heard.last ?? "").hasPrefix("unfollowed") }
            #expect(line.heard.last == "unfollowed notFound(Chat.ChatThing.conversation)")
        }
    }

    @Test func `what one may not know of is followed by nobody`() async throws {
        try await LiveWorld.run { world in
            let (alice, mallory) = (try await world.chat.person("alice"), try await world.chat.person("mallory"))
            let id = try await world.chat.room(alice)
            let line = try await world.line(mallory)
            line.ask(.follow([(id, nil)]), .follow([(ConversationID(.random()), LogPosition(epoch: 1, offset: 0))]))
            let refusal = "unfollowed notFound(Chat.ChatThing.conversation)"
            try await line.hears([refusal, refusal])
            #expect(world.hub.followedCount == 0)
        }
    }

    @Test func `typing is told to others, now and then`() async throws {
        try await LiveWorld.run { world in
            let (alice, bob) = (try await world.chat.person("alice"), try await world.chat.person("bob"))
            let id = try await world.chat.room(alice, bob)
            let (first, second) = (try await world.line(alice), try await world.line(bob, shard: 1))
            first.ask(.follow([(id, nil)]))
            second.ask(.follow([(id, nil)]))
            try await second.hears(["following 0 true"])
            first.ask(.typing(true, in: id), .typing(true, in: id), .typing(false, in: id), .typing(false, in: id))
            try await second.hears(["following 0 true", "types", "types no more"])
            // Whose socket is lost types no more.
            first.ask(.typing(true, in: id))
            try await second.hears(["following 0 true", "types", "types no more", "types"])
            first.leave()
            try await second.hears(["following 0 true", "types", "types no more", "types", "types no more"])
            #expect(first.heard == ["following 0 true"])
        }
    }

    @Test func `who follows all hears of conversations that come later`() async throws {
        try await LiveWorld.run { world in
            let (alice, bob) = (try await world.chat.person("alice"), try await world.chat.person("bob"))
            let first = try await world.chat.room(alice, bob)
            let line = try await world.line(bob)
            line.ask(.followAll)
            try await line.hears(["following 0 true", "done"])
            let new = NewConversation(type: .room, title: "Second", members: [bob.user])
            let second = try await world.service.create(new, by: alice).conversation.id
            try await line.hears(["following 0 true", "done", "notice", "following 0 true"])
            try await world.say("a", in: first, by: alice)
            try await world.say("b", in: second, by: alice)
            try await soon { line.heard.count >= 6 }
            #expect(Set(line.heard.suffix(2)) == ["said a", "said b"])
        }
    }

    @Test func `sent messages are answered, and bounds are told`() async throws {
        var limits = LiveLimits()
        (limits.socketsPerUser, limits.followed, limits.messagesPerMinute) = (2, 1, 3)
        try await LiveWorld.run(limits) { world in
            let alice = try await world.chat.person("alice")
            let (one, two) = (try await world.chat.room(alice), try await world.chat.room(alice))
            let line = try await world.line(alice)
            line.ask(.send(NewMessage(.plain("hi")), to: one))
            try await line.hears(["sent hi r"])
            line.ask(.follow([(one, nil)]), .follow([(two, nil)]))
            try await line.hears(["sent hi r", "following 1 true", "failed tooManyFollowed(1)"])
            for _ in 0..<3 { line.ask(.send(NewMessage(.plain("x")), to: two)) }
            try await soon { line.heard.count >= 6 }
            #expect(line.heard.count { $0.hasPrefix("failed tooManyRequests") } == 1)
            _ = try await world.line(alice)
            #expect(await TestLine.open(world.hub, world.style, by: alice, on: world.shards.first) == nil)
            for _ in 0..<limits.malformedInARow { line.garble() }
            try await soon { line.closure != nil }
            #expect(line.closure == .invalidMessages)
        }
    }

    @Test func `a flood is dropped, and in the end cut off`() async throws {
        try await LiveWorld.run { world in
            let line = try await world.line(try await world.chat.person("alice"))
            for _ in 0..<400 { line.ask(.typing(false, in: ConversationID(.random()))) }
            try await soon { line.closure != nil }
            #expect(line.closure == .rateLimited)
            #expect(line.heard.count { $0.hasPrefix("failed tooManyRequests") } < 60)
        }
    }

    @Test func `a socket of one conversation ends with it`() async throws {
        try await LiveWorld.run { world in
            let (alice, bob) = (try await world.chat.person("alice"), try await world.chat.person("bob"))
            let id = try await world.chat.room(alice, bob)
            func open(_ place: ConversationID) async throws -> TestLine {
                let line = try #require(
                    await TestLine.open(world.hub, world.style, by: bob, bound: place, on: world.shards.first))
                line.ask(.follow([(place, nil)]))
                return line
            }
            let removed = try await open(id)
            try await removed.hears(["following 0 true"])
            try await world.service.removeMember(bob.user, from: id, by: alice, origin: TestAccounts.origin())
            try await soon { removed.closure == .denied }
            let outside = try await open(id)
            try await soon { outside.closure == .notFound }
        }
    }

    @Test func `a login that ends closes its sockets`() async throws {
        try await LiveWorld.run { world in
            let (alice, bob) = (try await world.chat.person("alice"), try await world.chat.person("bob"))
            let (ended, other) = (try await world.line(alice), try await world.line(bob))
            #expect(Set(world.hub.principals) == [alice, bob])
            #expect(world.hub.close(of: nil, where: { $0.session == alice.session }) == [alice])
            try await soon { ended.closure == .authenticationFailed }
            #expect(other.closure == nil)
        }
    }
}
