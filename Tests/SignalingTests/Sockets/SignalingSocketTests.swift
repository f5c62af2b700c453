// Sessions over sockets that are values, with the real engine behind them: joining, resuming, floods and faults.

import Accounts
import Base
import Crypto
import Media
import Synchronization
import TestKit
import Testing
import Wire

@testable import Signaling

@Suite(.serialized) struct SignalingSocketTests {
    private func peer(_ seed: UInt64, _ sections: [SoftPeer.Section] = [.init(.audio, .sendOnly)]) throws -> SoftPeer {
        try SoftPeer(sections, identity: try DTLSIdentity.make(), seed: seed)
    }

    private func run(
        people: Int = 2, shards: Int = 1, _ body: (SignalingWorld) async throws -> Void
    ) async throws {
        let world = try await SignalingWorld(people: people, shards: shards)
        do {
            try await body(world)
        } catch {
            await world.stop()
            throw error
        }
        await world.stop()
    }

    // MARK: Joining

    @Test func `a client that joins and offers is answered, under its own name for the offer`() async throws {
        try await run { world in
            let client = try await world.join(0)
            client.offer(try peer(1).offer(), id: 7)
            #expect(await client.answer(to: 7)?.contains("a=setup:passive") == true)
            #expect(world.media.service.sessionCount == 1)
        }
    }

    @Test func `an answerer is offered sections to send in`() async throws {
        try await run { world in
            let client = try await world.join(0, as: .answerer)
            let (sdp, id) = try #require(await client.offer())
            #expect(id == 1)
            #expect(sdp.contains("m=audio 9") && sdp.contains("m=video 9") && sdp.contains("a=recvonly"))
            let soft = try peer(1, [])
            client.answer(try soft.accept(offer: sdp, now: .now()), id: id)
            #expect(await eventually { world.media.service.statistics[0].tracks == 2 ? true : nil } == true)
        }
    }

    @Test func `what is said before the call has let the client in waits its turn`() async throws {
        try await run { world in
            let user = world.people[0].user
            world.calls.state.withLock { _ = $0.gate.insert(user) }
            let client = try world.open(0)
            client.say(.join(JoinRequest(call: world.calls.id, role: .offerer)))
            client.offer(try peer(1).offer(), id: 1)
            client.say(.ping(id: 5))
            #expect(await client.channel.wait { $0 == .pong(id: 5) ? true : nil } == true)
            world.calls.state.withLock { _ = $0.gate.remove(user) }
            #expect(await client.answer(to: 1) != nil)
        }
    }

    @Test func `nothing but a join is taken before the join, and no second one after it`() async throws {
        try await run { world in
            let client = try world.open(0)
            client.offer("v=0", id: 3)
            #expect(client.channel.messages.contains(.fault(.notJoined, ref: 3)))
            client.say(.join(JoinRequest(call: world.calls.id, role: .offerer)))
            _ = try #require(await client.welcome())
            client.say(.join(JoinRequest(call: world.calls.id, role: .answerer)))
            #expect(await client.channel.wait { $0 == .fault(.alreadyJoined, ref: nil) ? true : nil } == true)
            #expect(client.channel.closure == nil)
            #expect(world.hub.sessionCount == 1)
        }
    }

    @Test func `a foreign call is not found, and the socket is closed`() async throws {
        try await run { world in
            let client = try world.open(0)
            client.say(.join(JoinRequest(call: CallID(.random()), role: .offerer)))
            #expect(await client.channel.waitForClosure() == .notFound)
            #expect(await client.fault() == .call(.notFound))
            let bound = try world.open(1, onlyCall: CallID(.random()))
            bound.say(.join(JoinRequest(call: world.calls.id, role: .offerer)))
            #expect(await bound.channel.waitForClosure() == .notFound)
            #expect(world.hub.sessionCount == 0)
        }
    }

    @Test func `a second socket of the same person that has no token begins anew in the place of the first`()
        async throws
    {
        try await run { world in
            let first = try await world.join(0)
            first.offer(try peer(1).offer(), id: 1)
            _ = try #require(await first.answer(to: 1))
            let second = try await world.join(0)
            second.offer(try peer(2).offer(), id: 1)
            _ = try #require(await second.answer(to: 1))
            #expect(world.media.service.sessionCount == 1)
            #expect(world.hub.sessionCount == 1)
        }
    }

    // MARK: Two people

    @Test(arguments: [1, 2])
    func `each is offered what the other sends, and told whose it is`(shards: Int) async throws {
        var settings = MediaSettings()
        settings.roomSpanThreshold = shards == 2 ? 1 : 200
        let world = try await SignalingWorld(people: 2, shards: shards, settings: settings)
        let (one, two) = (try await world.join(0), try await world.join(1, as: .answerer))
        let (here, there) = (try peer(1), try peer(2, []))
        one.offer(here.offer(), id: 1)
        try here.accept(answer: try #require(await one.answer(to: 1)), now: .now())
        let (first, firstID) = try #require(await two.offer())
        two.answer(try there.accept(offer: first, now: .now()), id: firstID)
        // To the one, what the other sends; to the other, in a second offer, what came after the first.
        let (offered, id) = try #require(await one.offer())
        one.answer(try here.accept(offer: offered, now: .now()), id: id)
        let other = world.people[1].user
        let seen = await one.channel.wait { message -> [TrackView]? in
            if case .tracks(let tracks) = message, tracks.count == 2 { tracks } else { nil }
        }
        #expect(seen?.allSatisfy { $0.user == other } == true)
        let joined = await one.channel.wait { message -> UserID? in
            if case .participantJoined(let view) = message { view.user } else { nil }
        }
        #expect(joined == other)
        if first.contains("a=sendonly") == false {
            let (later, laterID) = try #require(await two.offer(after: firstID))
            two.answer(try there.accept(offer: later, now: .now()), id: laterID)
        }
        let back = await two.channel.wait { message -> [TrackView]? in
            if case .tracks(let tracks) = message, !tracks.isEmpty { tracks } else { nil }
        }
        #expect(back?.map(\.user) == [world.people[0].user])
        await world.stop()
    }

    @Test func `mute is told to everybody, in the order in which it was said`() async throws {
        try await run { world in
            let (one, two) = (try await world.join(0), try await world.join(1))
            for number in 0..<9 { one.say(.change(ControlsChange(isMuted: number % 2 == 0))) }
            one.say(.change(ControlsChange(isHandRaised: true)))
            let last = await two.channel.wait { message -> ParticipantView? in
                if case .participantUpdated(let view) = message, view.isHandRaised { view } else { nil }
            }
            #expect(last?.user == world.people[0].user)
            #expect(last?.audio == false && last?.video == true)
        }
    }

    // MARK: Leaving

    @Test func `hanging up closes the socket and ends media, in the midst of a negotiation too`() async throws {
        try await run { world in
            let (one, two) = (try await world.join(0), try await world.join(1))
            one.offer(try peer(1).offer(), id: 1)
            one.say(.hangUp)
            #expect(await one.channel.waitForClosure() == .normal)
            let gone = await two.channel.wait { message -> String? in
                if case .participantLeft(_, let reason) = message { reason } else { nil }
            }
            #expect(gone == "left")
            #expect(await eventually { world.media.service.sessionCount == 0 ? true : nil } == true)
            #expect(world.hub.sessionCount == 1)
            one.offer(try peer(1).offer(), id: 2)
            #expect(one.channel.messages.contains { if case .answer(_, 2) = $0 { true } else { false } } == false)
        }
    }

    @Test func `who is removed has no media any more when the removal returns, and is told so`() async throws {
        try await run { world in
            let one = try await world.join(0)
            one.offer(try peer(1).offer(), id: 1)
            _ = try #require(await one.answer(to: 1))
            await world.calls.remove(world.people[0].user)
            #expect(world.media.service.sessionCount == 0)
            #expect(one.channel.closure == .denied)
            one.drop()
            let again = try world.open(0)
            again.resume(one.token)
            #expect(await again.channel.waitForClosure() == .notFound)
            let anew = try world.open(0)
            anew.say(.join(JoinRequest(call: world.calls.id, role: .offerer)))
            #expect(await anew.channel.waitForClosure() == .denied)
        }
    }

    // MARK: Resuming

    @Test func `a lost socket comes back with its token, once, and keeps its media`() async throws {
        try await run { world in
            let first = try await world.join(0)
            first.offer(try peer(1).offer(), id: 1)
            _ = try #require(await first.answer(to: 1))
            first.drop()
            let user = world.people[0].user
            #expect(await eventually { world.calls.state.withLock { $0.detached } == [user] ? true : nil } == true)
            let second = try world.open(0)
            second.resume(first.token)
            let welcome = try #require(await second.welcome())
            #expect(welcome.isResumed && welcome.resumeToken != first.token)
            #expect(world.media.service.sessionCount == 1)
            // The same token again, from somebody who has stolen it or from a confused client.
            let third = try world.open(0)
            third.resume(first.token)
            #expect(await third.channel.waitForClosure() == .notFound)
            #expect(await third.fault() == .resumeInvalid)
            #expect(second.channel.closure == nil)
            second.say(.ping(id: 1))
            #expect(second.channel.messages.last == .pong(id: 1))
        }
    }

    @Test func `a token is good for nobody else`() async throws {
        try await run { world in
            let first = try await world.join(0)
            let thief = try world.open(1)
            thief.resume(first.token)
            #expect(await thief.channel.waitForClosure() == .notFound)
            #expect(first.channel.closure == nil)
        }
    }

    @Test func `a resume while the old socket still seems open replaces it`() async throws {
        try await run { world in
            let first = try await world.join(0)
            let second = try world.open(0)
            second.resume(first.token)
            _ = try #require(await second.welcome())
            #expect(first.channel.closure == .normal)
            // The old one's end is no end of the session, and what it still says is not listened to.
            first.offer(try peer(1).offer(), id: 1)
            first.drop()
            second.offer(try peer(2).offer(), id: 2)
            #expect(await second.answer(to: 2) != nil)
            #expect(world.calls.state.withLock { $0.detached }.isEmpty)
        }
    }

    @Test func `what was offered while the socket was gone is offered after the return`() async throws {
        try await run { world in
            let one = try await world.join(0)
            one.offer(try peer(1, [.init(.audio, .receiveOnly)]).offer(), id: 1)
            _ = try #require(await one.answer(to: 1))
            one.drop()
            let two = try await world.join(1)
            two.offer(try peer(2, [.init(.audio, .sendOnly), .init(.video, .sendOnly)]).offer(), id: 1)
            _ = try #require(await two.answer(to: 1))
            let back = try world.open(0)
            back.resume(one.token)
            let tracks = await back.channel.wait { message -> [TrackView]? in
                if case .tracks(let tracks) = message { tracks } else { nil }
            }
            #expect(tracks?.map(\.kind) == [.audio])
            #expect(await back.offer()?.sdp.contains("m=video") == true)
        }
    }

    // MARK: Faults

    @Test func `a description that is refused names its line, and the next one is taken`() async throws {
        try await run { world in
            let client = try await world.join(0)
            let good = try peer(1).offer()
            let bad: [(String, Bool)] = [
                ("", true), ("v=0\r\n", true), (good.replacing("t=0 0", with: "q=0"), true),
                (good.replacing("a=rtcp-mux\r\n", with: ""), false),
                (good.replacing("a=fingerprint", with: "a=nothing"), false),
            ]
            for (number, (sdp, _)) in bad.enumerated() {
                client.offer(sdp, id: Int64(number))
                let fault = await client.channel.wait { message -> SignalingFault? in
                    if case .fault(let fault, Int64(number)) = message { fault } else { nil }
                }
                guard case .media(let error)? = fault else {
                    Issue.record("\(number): \(String(describing: fault))")
                    continue
                }
                switch error {
                case .sdpInvalid(_, let reason), .notAcceptable(let reason): #expect(!reason.isEmpty)
                default: Issue.record("\(number): \(error)")
                }
            }
            client.offer(good, id: 99)
            #expect(await client.answer(to: 99) != nil)
        }
    }

    @Test func `an answer without an offer, and a candidate before one, do no harm`() async throws {
        try await run { world in
            let client = try await world.join(0)
            client.say(.candidate)
            client.answer("v=0\r\n", id: 4)
            #expect(await client.fault() == .unexpectedAnswer)
            client.offer(try peer(1).offer(), id: 1)
            #expect(await client.answer(to: 1) != nil)
        }
    }

    @Test func `offers beyond their rate are refused, and nothing is done`() async throws {
        try await run { world in
            let client = try await world.join(0)
            let offer = try peer(1).offer()
            for id in 1...20 { client.offer(offer, id: Int64(id)) }
            let refused = client.channel.messages.count { message in
                if case .fault(.rateLimited, _) = message { true } else { false }
            }
            #expect(refused == 10)
            #expect(client.channel.closure == nil)
        }
    }

    @Test func `a flood of candidates closes the socket, and its media goes on until the grace is over`() async throws {
        try await run { world in
            let client = try await world.join(0)
            client.offer(try peer(1).offer(), id: 1)
            _ = try #require(await client.answer(to: 1))
            for _ in 0..<10_000 { client.say(.candidate) }
            #expect(client.channel.closure == .rateLimited)
            let told = client.channel.messages.count { if case .fault = $0 { true } else { false } }
            #expect(told < 5)
            client.drop()
            #expect(world.media.service.sessionCount == 1)
        }
    }

    @Test func `five messages in a row that cannot be read close the socket, and one between them does not`()
        async throws
    {
        try await run { world in
            let client = try world.open(0)
            let bad = Result<ClientMessage, SignalingFault>.failure(.invalidMessage("no"))
            for _ in 0..<4 { client.connection.received(bad, now: .now()) }
            client.say(.ping(id: nil))
            for _ in 0..<4 { client.connection.received(bad, now: .now()) }
            #expect(client.channel.closure == nil)
            client.connection.received(bad, now: .now())
            #expect(client.channel.closure == .invalidMessages)
        }
    }

    @Test func `a person has five sockets and no more`() async throws {
        try await run { world in
            let clients = try (0..<SignalingLimits.socketsPerUser).map { _ in try world.open(0) }
            #expect(world.hub.open(SoftChannel(), by: world.people[0], isBoundToJoin: false) == nil)
            #expect(world.hub.open(SoftChannel(), by: world.people[1], isBoundToJoin: false) != nil)
            clients[0].drop()
            #expect(world.hub.open(SoftChannel(), by: world.people[0], isBoundToJoin: false) != nil)
        }
    }

    @Test func `a client that never answers has its offer taken back when its time is up`() async throws {
        try await run { world in
            let client = try await world.join(0, as: .answerer)
            _ = try #require(await client.offer())
            let due = try #require(client.channel.lastWake)
            #expect(due - .now() > .seconds(8))
            client.connection.alarm(now: due)
            #expect(await client.fault() == .negotiationTimeout)
            #expect(await client.offer(after: 1)?.id == 2)
        }
    }

    // MARK: News

    @Test func `a call that rings is told to a socket that has joined nothing`() async throws {
        try await run { world in
            let client = try world.open(1)
            let told = await client.channel.wait { message -> CallID? in
                if case .incoming(let call) = message { call.id } else { nil }
            }
            #expect(told == world.calls.id)
            let call = world.calls.state.withLock { $0.call }
            #expect(
                world.hub.deliver(CallNotice(call, .incoming), to: world.people.map(\.user)) == [world.people[1].user])
        }
    }

    @Test func `the end of a call closes the sockets of who is in it`() async throws {
        try await run { world in
            let client = try await world.join(0)
            world.calls.state.withLock { $0.call.state = .ended }
            let call = world.calls.state.withLock { $0.call }
            _ = world.hub.deliver(CallNotice(call, .status(by: nil)), to: [world.people[0].user])
            #expect(await client.channel.waitForClosure() == .notFound)
        }
    }

    @Test func `media that breaks for good ends the participation`() async throws {
        try await run { world in
            let client = try await world.join(0)
            client.offer(try peer(1).offer(), id: 1)
            _ = try #require(await client.answer(to: 1))
            await world.media.shards[0].perform { engine, now in
                for second in 1...62 { engine.handleDeadlines(now: now + .seconds(second)) }
            }
            let user = world.people[0].user
            #expect(await eventually { world.calls.state.withLock { $0.ended } == [user] ? true : nil } == true)
            #expect(await client.channel.waitForClosure() == .notFound)
            #expect(world.hub.sessionCount == 0)
        }
    }
}
