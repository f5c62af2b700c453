// The rules of a call, as sequences of events and what must follow from them. No clock, no socket.

import Base
import Signaling
import Testing

/// A call of made-up people, with time in the test's hand.
private struct Played {
    static let start = Timestamp(secondsSinceEpoch: 1_760_000_000)

    let caller = UserID(.random())
    let callees: [UserID]
    var machine: CallMachine
    var now = start
    var effects: [CallEffect] = []
    private var devices: [UserID: DeviceID] = [:]

    init(_ count: Int, shape: CallShape? = nil, busy: Set<Int> = []) {
        callees = (0..<count).map { _ in UserID(.random()) }
        let device = DeviceID(.random())
        machine = CallMachine(
            CallID(.random()), NewCall(kind: .video, invited: callees), shape: shape ?? (count == 1 ? .direct : .group),
            caller: caller, device: device, options: CallOptions(), now: Self.start)
        devices[caller] = device
        effects = machine.begin(busy: Set(busy.map { callees[$0] }), now: Self.start)
    }

    var call: CallInfo { machine.call }

    mutating func device(_ user: UserID) -> DeviceID {
        let device = devices[user] ?? DeviceID(.random())
        devices[user] = device
        return device
    }

    mutating func join(_ user: UserID) throws {
        effects = try machine.join(user, device: device(user), now: now)
        _ = try machine.attach(user, device: device(user), now: now)
    }

    mutating func leave(_ user: UserID) throws {
        effects = try machine.leave(user, device: device(user), now: now)
    }

    mutating func end(_ user: UserID) throws {
        effects = try machine.end(.participant(user), device: device(user), now: now)
    }

    mutating func advance(_ time: Duration) {
        now = now + time
        effects = machine.advance(now: now)
    }

    mutating func attachCaller() throws { _ = try machine.attach(caller, device: device(caller), now: now) }

    var cut: [UserID] { effects.compactMap { if case .cut(let user) = $0 { user } else { nil } } }

    func told(_ user: UserID) -> [CallNotice.Event] {
        effects.compactMap { effect in
            if case .tell(let notice, let users) = effect, users.contains(user) { notice.event } else { nil }
        }
    }
}

@Suite struct CallMachineTests {
    // MARK: Ringing

    @Test func `a call rings when a device has it, is on when it is answered, and over when one of two goes`() throws {
        var played = Played(1)
        let callee = played.callees[0]
        #expect(played.call.state == .initiating)
        #expect(played.told(callee) == [.incoming])
        _ = played.machine.alerted([callee])
        #expect(played.call.state == .ringing)
        try played.join(callee)
        #expect(played.call.state == .ongoing)
        #expect(played.call.answeredAt == played.now)
        played.now = played.now + .seconds(90)
        try played.leave(callee)
        #expect(played.call.state == .ended && played.call.end == .hangUp)
        #expect(played.call.duration == .seconds(90))
        #expect(Set(played.cut) == [played.caller, callee])
        #expect(played.effects.last == .closeRoom)
    }

    @Test func `ringing that nobody answers is a missed call`() throws {
        var played = Played(1)
        try played.attachCaller()
        played.advance(.seconds(44))
        #expect(played.call.state == .initiating)
        played.advance(.seconds(1))
        #expect(played.call.state == .missed && played.call.end == .unanswered)
        #expect(played.told(played.callees[0]).first == .ringingStopped(.timeout, except: nil))
        #expect(played.call.participant(played.callees[0])?.state == .missed)
    }

    @Test func `who hangs up while it rings for them declines; the caller cancels`() throws {
        var declined = Played(1)
        try declined.end(declined.callees[0])
        #expect(declined.call.state == .declined && declined.call.end == .declined)
        var cancelled = Played(1)
        try cancelled.end(cancelled.caller)
        #expect(cancelled.call.state == .missed && cancelled.call.end == .cancelled)
        #expect(cancelled.told(cancelled.callees[0]).contains(.ringingStopped(.cancelled, except: nil)))
    }

    @Test func `when everybody is busy the call is declined at once, and nobody rings`() {
        let played = Played(2, busy: [0, 1])
        #expect(played.call.state == .declined && played.call.end == .busy)
        for callee in played.callees { #expect(!played.told(callee).contains(.incoming)) }
    }

    @Test func `of several who are called one may decline and another come`() throws {
        var played = Played(3, busy: [2])
        try played.end(played.callees[0])
        #expect(!played.call.state.isOver)
        try played.join(played.callees[1])
        #expect(played.call.state == .ongoing)
        #expect(played.call.participants.map(\.state) == [.joined, .declined, .joined, .busy])
    }

    @Test func `one device answers, the others of the same user stop ringing`() throws {
        var played = Played(1)
        let callee = played.callees[0]
        let phone = played.device(callee)
        try played.join(callee)
        #expect(played.told(callee).contains(.ringingStopped(.answeredElsewhere, except: phone)))
        let laptop = DeviceID(.random())
        #expect(throws: CallError.answeredElsewhere) {
            try played.machine.join(callee, device: laptop, now: played.now)
        }
        #expect(throws: CallError.answeredElsewhere) {
            try played.machine.decline(callee, device: laptop, now: played.now)
        }
    }

    // MARK: Coming and going

    @Test func `a second join of one device changes nothing`() throws {
        var played = Played(1)
        try played.join(played.callees[0])
        let before = played.call
        try played.join(played.callees[0])
        #expect(played.effects.isEmpty)
        #expect(played.call == before)
    }

    @Test func `a place is kept for a lost device until the grace ends`() throws {
        var played = Played(2)
        let callee = played.callees[0]
        try played.attachCaller()
        try played.join(callee)
        let device = played.device(callee)
        _ = played.machine.detach(callee, device: device, now: played.now)
        #expect(played.call.participant(callee)?.isLost == true)
        played.advance(.seconds(29))
        #expect(played.call.participant(callee)?.isJoined == true)
        #expect(played.cut.isEmpty)
        _ = try played.machine.attach(callee, device: device, now: played.now)
        played.advance(.seconds(10))
        #expect(played.call.participant(callee)?.isJoined == true)
        _ = played.machine.detach(callee, device: device, now: played.now)
        played.advance(.seconds(30))
        #expect(played.call.participant(callee)?.state == .left)
        #expect(played.cut == [callee])
    }

    @Test func `another device takes the place of a lost one, whose media is cut`() throws {
        var played = Played(1)
        let callee = played.callees[0]
        try played.join(callee)
        _ = played.machine.detach(callee, device: played.device(callee), now: played.now)
        let tablet = DeviceID(.random())
        played.effects = try played.machine.join(callee, device: tablet, now: played.now)
        #expect(played.cut == [callee])
        #expect(played.effects.contains(.admit(callee, .all)))
        #expect(played.call.participant(callee)?.device == tablet)
    }

    @Test func `a joiner whose socket never comes loses the place`() throws {
        var played = Played(1)
        played.effects = try played.machine.join(
            played.callees[0], device: played.device(played.callees[0]), now: played.now)
        try played.attachCaller()
        played.advance(.seconds(30))
        #expect(played.call.state == .ended && played.call.end == .connectionLost)
    }

    @Test func `a group goes on with one, and ends when empty for the grace`() throws {
        var played = Played(2)
        try played.attachCaller()
        for callee in played.callees { try played.join(callee) }
        try played.leave(played.callees[0])
        try played.leave(played.callees[1])
        #expect(played.call.state == .ongoing)
        try played.leave(played.caller)
        #expect(played.call.state == .ongoing)
        played.advance(.seconds(29))
        try played.join(played.callees[1])
        #expect(played.call.host == played.callees[1])
        try played.leave(played.callees[1])
        played.advance(.seconds(30))
        #expect(played.call.state == .ended && played.call.end == .empty)
    }

    @Test func `what is over takes no more events`() throws {
        var played = Played(1)
        try played.end(played.caller)
        #expect(throws: CallError.over(.missed)) { try played.join(played.callees[0]) }
        #expect(throws: CallError.over(.missed)) { try played.leave(played.callees[0]) }
        #expect(throws: CallError.over(.missed)) { try played.end(played.caller) }
        #expect(played.machine.alerted([played.callees[0]]).isEmpty)
        #expect(played.machine.deadline == nil)
    }

    @Test func `a stranger is told that there is no such call`() throws {
        var played = Played(1)
        #expect(throws: CallError.notFound) { try played.join(UserID(.random())) }
        #expect(throws: CallError.notFound) { try played.leave(UserID(.random())) }
        #expect(throws: CallError.notFound) {
            try played.machine.setLocked(true, by: .participant(UserID(.random())))
        }
    }

    // MARK: The host

    @Test func `the host removes somebody: cut before anybody is told, and no way back`() throws {
        var played = Played(2)
        for callee in played.callees { try played.join(callee) }
        let victim = played.callees[0]
        played.effects = try played.machine.remove(victim, by: .participant(played.caller), now: played.now)
        #expect(played.effects.first == .cut(victim))
        #expect(played.told(victim).contains(.left(victim, .removed)))
        #expect(throws: CallError.removed) { try played.join(victim) }
        #expect(throws: CallError.removed) {
            try played.machine.invite([victim], by: .participant(played.caller), busy: [], now: played.now)
        }
    }

    @Test func `only the host has the host's powers, and the first who came inherits them`() throws {
        var played = Played(2)
        for callee in played.callees {
            played.now = played.now + .seconds(1)
            try played.join(callee)
        }
        let (first, second) = (played.callees[0], played.callees[1])
        #expect(throws: CallError.notHost) { try played.machine.mute(second, by: .participant(first)) }
        #expect(throws: CallError.notHost) { try played.machine.endForAll(.participant(first), now: played.now) }
        try played.leave(played.caller)
        #expect(played.call.host == first)
        #expect(played.told(second).contains(.hostChanged))
        played.effects = try played.machine.mute(second, by: .participant(first))
        #expect(played.effects.contains(.setPermissions(second, MediaPermissions.all.subtracting(.sendAudio))))
        try played.end(first)
        #expect(played.call.state == .ended && played.call.end == .endedForAll)
    }

    @Test func `who was muted may unmute, unless the permission is gone`() throws {
        var played = Played(1)
        let callee = played.callees[0]
        try played.join(callee)
        let host = CallActor.participant(played.caller)
        _ = try played.machine.mute(callee, by: host)
        played.effects = try played.machine.change(callee, ControlsChange(isMuted: false))
        #expect(played.effects.contains(.setPermissions(callee, .all)))
        _ = try played.machine.setPermissions([.receive], of: callee, by: host)
        #expect(throws: CallError.notPermitted) {
            try played.machine.change(callee, ControlsChange(isMuted: false))
        }
        #expect(played.call.participant(callee)?.effectivePermissions == [.receive])
    }

    @Test func `who is on hold neither sends nor gets anything`() throws {
        var played = Played(1)
        try played.join(played.callees[0])
        played.effects = try played.machine.change(played.caller, ControlsChange(isHeld: true))
        #expect(played.effects.contains(.setPermissions(played.caller, [])))
        played.effects = try played.machine.change(played.caller, ControlsChange(isHandRaised: true))
        #expect(!played.effects.contains { if case .setPermissions = $0 { true } else { false } })
    }

    @Test func `a locked call lets nobody in but those who are in it`() throws {
        var played = Played(3)
        try played.join(played.callees[0])
        _ = try played.machine.setLocked(true, by: .participant(played.caller))
        #expect(throws: CallError.locked) { try played.join(played.callees[1]) }
        try played.join(played.callees[0])
        try played.leave(played.callees[0])
        #expect(throws: CallError.locked) { try played.join(played.callees[0]) }
        _ = try played.machine.setLocked(false, by: .moderator(UserID(.random())))
        try played.join(played.callees[1])
    }

    @Test func `people are added to a group, and who declined is rung again`() throws {
        var played = Played(2)
        try played.join(played.callees[0])
        try played.end(played.callees[1])
        let new = UserID(.random())
        played.effects = try played.machine.invite(
            [new, played.callees[1], played.callees[0]], by: .participant(played.caller), busy: [], now: played.now)
        #expect(played.told(new) == [.incoming])
        #expect(played.told(played.callees[1]).contains(.incoming))
        #expect(!played.told(played.callees[0]).contains(.incoming))
        #expect(played.call.participants.map(\.state) == [.joined, .joined, .invited, .invited])
    }

    // MARK: Places

    @Test func `a standing call rings nobody, admits members, and ends when it is empty`() throws {
        var played = Played(0, shape: .standing)
        #expect(played.call.state == .ongoing)
        let member = UserID(.random())
        #expect(throws: CallError.notFound) {
            try played.machine.join(member, device: DeviceID(.random()), now: played.now)
        }
        played.effects = try played.machine.join(
            member, device: DeviceID(.random()), now: played.now, isMember: true)
        #expect(played.call.joined == [played.caller, member])
        try played.leave(played.caller)
        #expect(played.call.state == .ongoing)
        played.advance(.seconds(60))
        played.advance(.seconds(30))
        #expect(played.call.state == .ended)
    }

    /// Whatever happens in whatever order: nobody is forwarded who is not in it, and an end is an end.
    @Test(arguments: UInt64(0)..<64)
    func `random events keep the call's rules`(_ seed: UInt64) {
        var random = SeededGenerator(seed)
        var played = Played(Int(seed % 5) + 1)
        let people = [played.caller] + played.callees + [UserID(.random())]
        var admitted: Set<UserID> = []
        note(played.effects, &admitted)
        var wasOver = false
        for _ in 0..<120 {
            let user = people[Int(random.next() % UInt64(people.count))]
            let other = people[Int(random.next() % UInt64(people.count))]
            played.effects = (try? step(&played, user, other, &random)) ?? []
            note(played.effects, &admitted)
            #expect(admitted == Set(played.call.joined), "seed \(seed)")
            #expect(played.call.state.isOver || !played.call.participants.isEmpty)
            if wasOver { #expect(played.effects.isEmpty, "seed \(seed): something happens after the end") }
            wasOver = played.call.state.isOver
            #expect(wasOver == (played.call.endedAt != nil) && wasOver == (played.call.end != nil))
            #expect(!wasOver || played.call.joined.isEmpty)
        }
    }

    private func note(_ effects: [CallEffect], _ admitted: inout Set<UserID>) {
        for effect in effects {
            switch effect {
            case .admit(let user, _): admitted.insert(user)
            case .cut(let user): admitted.remove(user)
            default: break
            }
        }
    }

    private func step(
        _ played: inout Played, _ user: UserID, _ other: UserID, _ random: inout SeededGenerator
    ) throws -> [CallEffect] {
        let now = played.now
        let device = random.next() % 4 == 0 ? DeviceID(.random()) : played.device(user)
        switch random.next() % 12 {
        case 0, 1, 2: return try played.machine.join(user, device: device, now: now)
        case 3: return try played.machine.leave(user, device: device, now: now)
        case 4: return try played.machine.attach(user, device: device, now: now)
        case 5: return played.machine.detach(user, device: device, now: now)
        case 6: return try played.machine.decline(user, device: device, now: now)
        case 7: return try played.machine.remove(other, by: .participant(user), now: now)
        case 8: return try played.machine.invite([other], by: .participant(user), busy: [], now: now)
        case 9: return played.machine.lose(user, now: now)
        case 10: return try played.machine.change(user, ControlsChange(isMuted: random.next() % 2 == 0))
        default:
            played.now = now + .seconds(Int(random.next() % 20))
            return played.machine.advance(now: played.now)
        }
    }
}

/// SplitMix64: the same events for the same seed.
private struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64
    init(_ seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1 }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }
}
