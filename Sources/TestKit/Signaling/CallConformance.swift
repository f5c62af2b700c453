// What calls and presence must do on every database. Each check gets an empty one.

import Accounts
import Base
import Signaling
import Store

package enum CallConformance {
    package typealias Check = ConformanceCheck<TestCalls>

    package static let checks: [Check] = lives + history + limits + rights + tokens + presence + places + recordings

    // MARK: Lives

    private static let lives: [Check] = [
        Check("a call is kept from its first ring to its end") { calls in
            let (alice, bob) = (try await calls.person("alice"), try await calls.person("bob"))
            calls.world.connect(bob.user)
            let id = try await calls.call(alice, bob)
            try requireEqual(try await calls.service.call(id, for: bob).state, .ringing)
            try requireEqual(calls.world.told(bob.user).first, .incoming)
            calls.clock.advance(by: .seconds(5))
            _ = try await calls.service.join(id, by: bob)
            try requireEqual(Set(calls.world.admitted(id).keys), [alice.user, bob.user])
            _ = try await calls.service.attach(id, by: alice)
            _ = try await calls.service.attach(id, by: bob)
            calls.clock.advance(by: .seconds(60))
            try await calls.service.end(id, by: alice)
            try require(calls.world.admitted(id).isEmpty && calls.world.isClosed(id), "media goes on")
            try requireEqual(await calls.service.liveCount, 0)
            try requireEqual(calls.service.liveGauge.current, 0)
            let stored = try await calls.service.call(id, for: bob)
            try requireEqual(stored.state, .ended)
            try requireEqual(stored.end, .hangUp)
            try requireEqual(stored.duration, .seconds(60))
            try requireEqual(stored.participants.map(\.state), [.left, .left])
            try requireEqual(stored.participants.map(\.user), [alice.user, bob.user])
            try await requireCallRefusal(.over(.ended)) { try await calls.service.join(id, by: bob) }
            try await requireCallRefusal(.over(.ended)) { try await calls.service.end(id, by: bob) }
        },
        Check("who goes loses the relays' credentials, and comes back with others") { calls in
            let (alice, bob) = (try await calls.person("alice"), try await calls.person("bob"))
            let carol = try await calls.person("carol")
            let id = try await calls.call(alice, bob, carol)
            _ = try await calls.service.join(id, by: bob)
            func session(_ principal: Principal) async throws -> String {
                let call = try await calls.service.call(id, for: principal)
                return call.participant(principal.user).map { "\($0.session)" } ?? ""
            }
            let first = try await session(bob)
            try require(calls.world.revoked.isEmpty, "somebody's are revoked who is there")
            try await calls.service.leave(id, by: bob)
            try requireEqual(calls.world.revoked, [first])
            _ = try await calls.service.join(id, by: bob)
            let second = try await session(bob)
            try require(second != first, "the session is the one that was revoked")
            let sessions = [try await session(alice), second]
            try await calls.service.endForAll(id, by: alice)
            try requireEqual(Set(calls.world.revoked), Set([first] + sessions))
            let stored = try await calls.service.call(id, for: bob).participant(bob.user)?.session
            try requireEqual(stored.map { "\($0)" }, second)
        },
        Check("what nobody answers is missed, and what is declined is declined") { calls in
            let (alice, bob) = (try await calls.person("alice"), try await calls.person("bob"))
            let missed = try await calls.call(alice, bob)
            _ = try await calls.service.attach(missed, by: alice)
            await calls.advance(.seconds(46))
            try requireEqual(try await calls.service.call(missed, for: alice).state, .missed)
            let declined = try await calls.call(alice, bob)
            try await calls.service.end(declined, by: bob)
            try requireEqual(try await calls.service.call(declined, for: alice).state, .declined)
        },
        Check("a device that connects late rings, too") { calls in
            let (alice, bob) = (try await calls.person("alice"), try await calls.person("bob"))
            let id = try await calls.call(alice, bob)
            try requireEqual(try await calls.service.call(id, for: alice).state, .initiating)
            try requireEqual(await calls.service.incomingCalls(for: bob.user).map(\.id), [id])
            try requireEqual(try await calls.service.call(id, for: alice).state, .ringing)
        },
        Check("who is in a call is busy, and can neither begin nor join another") { calls in
            let (alice, bob) = (try await calls.person("alice"), try await calls.person("bob"))
            let carol = try await calls.person("carol")
            let first = try await calls.call(alice, bob)
            try await requireCallRefusal(.alreadyInCall(first)) { try await calls.call(alice, carol) }
            let second = try await calls.call(carol, alice)
            let refused = try await calls.service.call(second, for: carol)
            try requireEqual(refused.state, .declined)
            try requireEqual(refused.end, .busy)
            let third = try await calls.call(carol, bob)
            _ = try await calls.service.join(first, by: bob)
            try await requireCallRefusal(.alreadyInCall(first)) { try await calls.service.join(third, by: bob) }
        },
        Check("of two joins on two devices at once, one wins") { calls in
            let (alice, bob) = (try await calls.person("alice"), try await calls.person("bob"))
            let laptop = try await calls.device("bob")
            let id = try await calls.call(alice, bob)
            let outcomes = await withTaskGroup(of: Bool.self) { group in
                for device in [bob, laptop] {
                    group.addTask {
                        do { _ = try await calls.service.join(id, by: device) } catch { return false }
                        return true
                    }
                }
                return await group.reduce(into: [Bool]()) { $0.append($1) }
            }
            try requireEqual(outcomes.count { $0 }, 1)
        },
        Check("calls that a crash left on are failed, with their times") { calls in
            let (alice, bob) = (try await calls.person("alice"), try await calls.person("bob"))
            let id = try await calls.call(alice, bob)
            _ = try await calls.service.join(id, by: bob)
            _ = try await calls.service.attach(id, by: bob)
            _ = try await calls.service.attach(id, by: alice)
            await calls.advance(.minutes(5))
            let seen = calls.clock.now
            calls.clock.advance(by: .hours(2))
            let after = try await calls.restarted()
            let call = try await after.service.call(id, for: alice)
            try requireEqual(call.state, .failed)
            try requireEqual(call.end, .serverRestarted)
            try requireEqual(call.endedAt, seen)
            try requireEqual(call.duration, .minutes(5))
            try requireEqual(call.participants.map(\.state), [.left, .left])
            try requireEqual(call.participants.map(\.leftAt), [seen, seen])
            try await requireCallRefusal(.over(.failed)) { try await after.service.join(id, by: bob) }
        },
        Check("a server closes at its start its own calls and those of one that is gone, not those of one that lives") {
            calls in
            let (alice, bob) = (try await calls.person("alice"), try await calls.person("bob"))
            let id = try await calls.call(alice, bob)
            for person in [alice, bob] { _ = try await calls.service.attach(id, by: person) }
            await calls.advance(.seconds(31))
            calls.clock.advance(by: .minutes(9))
            let other = try await calls.restarted(node: "node-2")
            try requireEqual(try await other.service.call(id, for: alice).state, .ongoing)
            try await requireCallRefusal(.unavailable("another server of this database has the call")) {
                try await other.service.join(id, by: bob)
            }
            await calls.advance(.seconds(31))
            calls.clock.advance(by: .minutes(9))
            let again = try await calls.restarted(node: "node-2")
            try requireEqual(try await again.service.call(id, for: alice).state, .ongoing)
            calls.clock.advance(by: .minutes(2))
            let third = try await calls.restarted(node: "node-3")
            try requireEqual(try await third.service.call(id, for: alice).state, .failed)
        },
        Check("a server that stops ends its calls and takes no more") { calls in
            let (alice, bob) = (try await calls.person("alice"), try await calls.person("bob"))
            let id = try await calls.call(alice, bob)
            _ = try await calls.service.join(id, by: bob)
            await calls.service.stop()
            let call = try await calls.service.call(id, for: alice)
            try requireEqual(call.end, .serverStopped)
            try requireEqual(call.state, .ended)
            try await requireCallRefusal(.unavailable("the server is stopping")) { try await calls.call(alice, bob) }
        },
        Check("without media there are no calls") { calls in
            let (alice, bob) = (try await calls.person("alice"), try await calls.person("bob"))
            calls.world.switchMediaOff()
            try await requireError(CallError.self) {
                _ = try await calls.call(alice, bob)
            } matches: {
                if case .unavailable = $0 { true } else { false }
            }
        },
    ]

    // MARK: History and measurements

    private static let history: [Check] = [
        Check("the history has what is over, newest first, for those who had part") { calls in
            let (alice, bob) = (try await calls.person("alice"), try await calls.person("bob"))
            let carol = try await calls.person("carol")
            var ids: [CallID] = []
            for _ in 0..<3 {
                let id = try await calls.call(alice, bob)
                try await calls.service.end(id, by: alice)
                calls.clock.advance(by: .seconds(1))
                ids.append(id)
            }
            _ = try await calls.call(alice, bob)
            let page = try await calls.service.history(of: bob.user, conversation: nil, offset: 0, limit: 2)
            try requireEqual(page.total, 3)
            try requireEqual(page.items.map(\.id), [ids[2], ids[1]])
            let rest = try await calls.service.history(of: bob.user, conversation: nil, offset: 2, limit: 2)
            try requireEqual(rest.items.map(\.id), [ids[0]])
            let none = try await calls.service.history(of: bob.user, conversation: .random(), offset: 0, limit: 2)
            try requireEqual(none.total, 0)
            try requireEqual(
                try await calls.service.history(of: carol.user, conversation: nil, offset: 0, limit: 2).total, 0)
        },
        Check("measurements are live during the call and kept after it; who had none has none") { calls in
            let (alice, bob) = (try await calls.person("alice"), try await calls.person("bob"))
            let measured = ParticipantMeasurements(
                duration: .seconds(7), transport: "udp", roundTrip: .microseconds(20_500),
                estimatedBitsPerSecond: 2_000_000, opinion: 4.1, freezes: 2,
                streams: [
                    .init(
                        direction: .received, kind: "video", codec: "VP8", packets: 100, bytes: 90_000, lost: -1,
                        lossShare: 0.25, jitter: .microseconds(1_500), bitsPerSecond: 80_000)
                ])
            calls.world.measure(bob.user, measured)
            let id = try await calls.call(alice, bob)
            _ = try await calls.service.join(id, by: bob)
            try requireEqual(try await calls.service.metrics(of: id, for: alice).measurements, [bob.user: measured])
            try await calls.service.end(id, by: bob)
            try requireEqual(try await calls.service.metrics(of: id, for: alice).measurements, [bob.user: measured])
            try await requireCallRefusal(.notHost) { try await calls.service.metrics(of: id, for: bob) }
            let admin = try await calls.domain.administrator()
            try requireEqual(try await calls.service.metrics(of: id, for: admin).measurements.count, 1)
        },
        Check("a call stays in the history of the others when its caller's account is deleted") { calls in
            let (alice, bob) = (try await calls.person("alice"), try await calls.person("bob"))
            let id = try await calls.call(alice, bob)
            _ = try await calls.service.join(id, by: bob)
            try await calls.domain.service.deleteOwnAccount(alice, origin: TestAccounts.origin())
            try requireEqual(await calls.service.liveCount, 0)
            let kept = try await calls.service.call(id, for: bob)
            try requireEqual(kept.participants.map(\.user), [bob.user])
            try requireEqual(kept.caller, alice.user)
        },
    ]

    // MARK: Limits

    private static let limits: [Check] = [
        Check("an hour has ten initiations, also across a restart") { calls in
            let (alice, bob) = (try await calls.person("alice"), try await calls.person("bob"))
            for _ in 0..<10 {
                try await calls.service.end(try await calls.call(alice, bob), by: alice)
                calls.clock.advance(by: .minutes(1))
            }
            try await requireCallRefusal(.tooManyInitiations(limit: 10, retryAfter: .minutes(50))) {
                try await calls.call(alice, bob)
            }
            let after = try await calls.restarted()
            try await requireCallRefusal(.tooManyInitiations(limit: 10, retryAfter: .minutes(50))) {
                try await after.call(alice, bob)
            }
            // A refused one leaves nothing behind.
            try requireEqual(await after.service.liveCount, 0)
            calls.clock.advance(by: .minutes(50))
            _ = try await after.call(alice, bob)
        },
        Check("nobody, oneself, strangers, services and the deactivated cannot be called") { calls in
            let (alice, bob) = (try await calls.person("alice"), try await calls.person("bob"))
            try await requireCallRefusal(
                .validation(field: "participants", reason: "names nobody but the caller")
            ) { try await calls.call(alice, alice) }
            try await requireCallRefusal(.unknownUser) {
                try await calls.service.initiate(NewCall(kind: .audio, invited: [UserID(.random())]), by: alice)
            }
            let robot = try await calls.domain.service.createServiceAccount(
                name: "robot", kind: .service, scopes: .calls, by: .console, origin: .console)
            try await requireCallRefusal(.unknownUser) {
                try await calls.service.initiate(NewCall(kind: .audio, invited: [robot.id]), by: alice)
            }
            _ = try await calls.domain.service.setActive(false, of: bob.user, by: .console, origin: .console)
            try await requireCallRefusal(.unknownUser) { try await calls.call(alice, bob) }
        },
    ]

    // MARK: Rights

    private static let rights: [Check] = [
        Check("a foreign call is not there, whatever is wanted of it") { calls in
            let (alice, bob) = (try await calls.person("alice"), try await calls.person("bob"))
            let mallory = try await calls.person("mallory")
            let id = try await calls.call(alice, bob)
            for id in [id, CallID(.random())] {
                try await requireCallRefusal(.notFound) { try await calls.service.call(id, for: mallory) }
                try await requireCallRefusal(.notFound) { try await calls.service.join(id, by: mallory) }
                try await requireCallRefusal(.notFound) { try await calls.service.attach(id, by: mallory) }
                try await requireCallRefusal(.notFound) { try await calls.service.end(id, by: mallory) }
                try await requireCallRefusal(.notFound) { try await calls.service.leave(id, by: mallory) }
                try await requireCallRefusal(.notFound) { try await calls.service.metrics(of: id, for: mallory) }
                try await requireCallRefusal(.notFound) {
                    try await calls.service.remove(alice.user, from: id, by: mallory)
                }
            }
            try requireEqual(try await calls.service.call(id, for: alice).participants.count, 2)
        },
        Check("who is removed is cut before the answer, and does not come back") { calls in
            let (alice, bob) = (try await calls.person("alice"), try await calls.person("bob"))
            let carol = try await calls.person("carol")
            let id = try await calls.call(alice, bob, carol)
            _ = try await calls.service.join(id, by: bob)
            _ = try await calls.service.join(id, by: carol)
            try await requireCallRefusal(.notHost) { try await calls.service.remove(carol.user, from: id, by: bob) }
            try await calls.service.remove(bob.user, from: id, by: alice)
            try requireEqual(Set(calls.world.admitted(id).keys), [alice.user, carol.user])
            try await requireCallRefusal(.removed) { try await calls.service.join(id, by: bob) }
            try await requireCallRefusal(.removed) { try await calls.service.attach(id, by: bob) }
        },
        Check("whose account is deactivated is out of the call, and of those that ring, before the answer") { calls in
            let (alice, bob) = (try await calls.person("alice"), try await calls.person("bob"))
            let carol = try await calls.person("carol")
            let id = try await calls.call(alice, bob, carol)
            for principal in [alice, bob, carol] { _ = try await calls.service.attach(id, by: principal) }
            try requireEqual(calls.world.admitted(id).count, 3)
            _ = try await calls.domain.service.setActive(false, of: bob.user, by: .console, origin: .console)
            try requireEqual(Set(calls.world.admitted(id).keys), [alice.user, carol.user])
            try requireEqual(try await calls.service.call(id, for: alice).participant(bob.user)?.state, .removed)
            let dave = try await calls.person("dave")
            try await calls.service.end(id, by: alice)
            let ringing = try await calls.call(alice, dave)
            try await calls.domain.service.deleteUser(dave.user, by: .console, origin: .console)
            try requireEqual(try await calls.service.call(ringing, for: alice).state, .missed)
        },
        Check("a login that ends has left the call that it is in, and another one of the same person has not") {
            calls in
            let (alice, bob) = (try await calls.person("alice"), try await calls.person("bob"))
            let carol = try await calls.person("carol")
            let laptop = try await calls.device("bob")
            let id = try await calls.call(alice, bob, carol)
            for principal in [alice, bob, carol] { _ = try await calls.service.attach(id, by: principal) }
            let origin = TestAccounts.origin()
            func isIn(_ person: Principal) -> Bool { calls.world.admitted(id)[person.user] != nil }
            try await calls.domain.service.logout(laptop, origin: origin)
            try require(isIn(bob), "another login's end is not this one's")
            try await calls.domain.service.changePassword(
                bob, current: TestAccounts.password, new: Secret(text: "another long password"), origin: origin)
            try require(isIn(bob), "who changes a password goes on")
            try await calls.domain.service.logout(bob, origin: origin)
            try require(!isIn(bob) && isIn(carol), "who has logged out is in the call")
            // They come back with a new login.
            let again = try await calls.domain.principal(
                try await calls.domain.login("bob", password: Secret(text: "another long password")))
            _ = try await calls.service.attach(id, by: again)
            let phone = try await calls.domain.principal(
                try await calls.domain.login("bob", password: Secret(text: "another long password")))
            try await calls.domain.service.logoutEverywhere(phone, origin: origin)
            try require(!isIn(bob), "all logins are over")
        },
        Check("a moderator ends, mutes and removes without being in the call") { calls in
            let (alice, bob) = (try await calls.person("alice"), try await calls.person("bob"))
            let admin = try await calls.domain.administrator()
            let id = try await calls.call(alice, bob)
            _ = try await calls.service.join(id, by: bob)
            try await calls.service.mute(bob.user, in: id, by: admin)
            try requireEqual(calls.world.admitted(id)[bob.user], MediaPermissions.all.subtracting(.sendAudio))
            try await requireCallRefusal(.notFound) { try await calls.service.join(id, by: admin) }
            try await calls.service.end(id, by: admin)
            try requireEqual(try await calls.service.call(id, for: alice).end, .endedForAll)
        },
    ]

    // MARK: Tokens

    private static let tokens: [Check] = [
        Check("a signaling token stands for one login and one call, and nothing else") { calls in
            let (alice, bob) = (try await calls.person("alice"), try await calls.person("bob"))
            let admission = try await calls.service.initiate(NewCall(kind: .audio, invited: [bob.user]), by: alice)
            let token = admission.token.exposedText
            let found = try await calls.service.principal(ofSignalingToken: token)
            try requireEqual(found.call, admission.call.id)
            try requireEqual(found.principal.user, alice.user)
            try requireEqual(DeviceID(found.principal), DeviceID(alice))
            // It is no access token, and an access token is none.
            try await requireRefusal(AccountError.tokenInvalid) {
                try await calls.domain.principal(admission.token)
            }
            let access = try await calls.domain.login("alice").tokens.accessToken.exposedText
            try await requireCallRefusal(.account(.tokenInvalid)) {
                try await calls.service.principal(ofSignalingToken: access)
            }
            for bad in ["", "x", "a.b.c", token + "A", String(token.dropLast(2)), String(repeating: "x", count: 9_999)]
            {
                try await requireCallRefusal(.account(.tokenInvalid)) {
                    try await calls.service.principal(ofSignalingToken: bad)
                }
            }
        },
        Check("a signaling token ends with its time, its login and its account") { calls in
            let (alice, bob) = (try await calls.person("alice"), try await calls.person("bob"))
            let admission = try await calls.service.initiate(NewCall(kind: .audio, invited: [bob.user]), by: alice)
            let joined = try await calls.service.join(admission.call.id, by: bob)
            try await calls.domain.service.logout(alice, origin: TestAccounts.origin())
            try await requireCallRefusal(.account(.tokenInvalid)) {
                try await calls.service.principal(ofSignalingToken: admission.token.exposedText)
            }
            _ = try await calls.service.principal(ofSignalingToken: joined.token.exposedText)
            _ = try await calls.domain.service.setActive(false, of: bob.user, by: .console, origin: .console)
            try await requireError(CallError.self) {
                _ = try await calls.service.principal(ofSignalingToken: joined.token.exposedText)
            } matches: {
                [.account(.inactive), .account(.tokenInvalid)].contains($0)
            }
        },
        Check("a signaling token expires") { calls in
            let (alice, bob) = (try await calls.person("alice"), try await calls.person("bob"))
            let admission = try await calls.service.initiate(NewCall(kind: .audio, invited: [bob.user]), by: alice)
            calls.clock.advance(by: .minutes(5))
            try await requireCallRefusal(.account(.tokenExpired)) {
                try await calls.service.principal(ofSignalingToken: admission.token.exposedText)
            }
        },
    ]

    // MARK: Presence

    private static let presence: [Check] = [
        Check("a lease ends by itself, and the last time is remembered across a restart") { calls in
            let alice = try await calls.person("alice")
            try requireEqual(
                try await calls.presence.presence(of: alice.user), Presence(status: .offline, lastSeen: nil))
            calls.presence.renew(alice.user, device: DeviceID(alice), .away)
            let renewed = calls.clock.now
            try requireEqual(try await calls.presence.presence(of: alice.user).status, .away)
            await calls.advance(.seconds(119))
            try requireEqual(try await calls.presence.presence(of: alice.user).status, .away)
            await calls.advance(.seconds(1))
            let gone = try await calls.presence.presence(of: alice.user)
            try requireEqual(gone, Presence(status: .offline, lastSeen: renewed))
            try await calls.presence.sweep()
            let after = try await calls.restarted()
            try requireEqual(try await after.presence.presence(of: alice.user), gone)
        },
        Check("of several devices the most present counts, and a call above all") { calls in
            let (alice, bob) = (try await calls.person("alice"), try await calls.person("bob"))
            let phone = DeviceID(.random())
            calls.presence.renew(alice.user, device: DeviceID(alice), .away)
            calls.presence.renew(alice.user, device: phone, .online)
            try requireEqual(try await calls.presence.presence(of: alice.user).status, .online)
            calls.presence.release(alice.user, device: phone)
            try requireEqual(try await calls.presence.presence(of: alice.user).status, .away)
            let id = try await calls.call(alice, bob)
            try requireEqual(try await calls.presence.presence(of: alice.user).status, .inCall)
            try requireEqual(try await calls.presence.presence(of: bob.user).status, .offline)
            try await calls.service.end(id, by: alice)
            try requireEqual(try await calls.presence.presence(of: alice.user).status, .away)
        },
    ]
}
