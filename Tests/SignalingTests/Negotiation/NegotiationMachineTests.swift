// The machine of one participant's negotiation, by tables: what happens, and what is to be done about it.

import Base
import Media
import Signaling
import Testing

@Suite struct NegotiationMachineTests {
    private typealias Machine = NegotiationMachine
    private typealias Description = NegotiationMachine.Description

    /// One step: at a time in milliseconds something happens, and these are the actions.
    private struct Step {
        let time: Int64
        let event: Machine.Event?
        let actions: [Machine.Action]
        let line: Int

        init(_ time: Int64, _ event: Machine.Event, _ actions: [Machine.Action] = [], line: Int = #line) {
            self.time = time
            self.event = event
            self.actions = actions
            self.line = line
        }

        private init(_ time: Int64, _ actions: [Machine.Action], line: Int) {
            self.time = time
            event = nil
            self.actions = actions
            self.line = line
        }

        /// The deadline that the machine named, which must be this time.
        static func alarm(_ time: Int64, _ actions: [Machine.Action], line: Int = #line) -> Step {
            Step(time, actions, line: line)
        }
    }

    private static func time(_ milliseconds: Int64) -> Instant {
        Instant(nanoseconds: 1_000_000_000) + .milliseconds(milliseconds)
    }

    @discardableResult
    private func play(_ role: Machine.Role, _ steps: [Step]) -> Machine {
        var machine = Machine(role)
        for step in steps {
            var actions: [Machine.Action] = []
            if let event = step.event {
                machine.handle(event, now: Self.time(step.time), into: &actions)
            } else {
                #expect(machine.deadline == Self.time(step.time), "line \(step.line)")
                machine.handleTimeout(now: Self.time(step.time), into: &actions)
            }
            #expect(actions == step.actions, "line \(step.line)")
        }
        return machine
    }

    private static func offer(_ sdp: String, _ id: Int64? = nil) -> Machine.Event {
        .offer(Description(sdp: sdp, id: id))
    }

    private static func answer(_ sdp: String, _ id: Int64? = nil) -> Machine.Event {
        .answer(Description(sdp: sdp, id: id))
    }

    /// A client that has offered first, and is in.
    private static let offerer: [Step] = [
        Step(0, .admitted),
        Step(0, offer("O1", 1), [.ask(.enter(offer: "O1"))]),
        Step(0, .done(.entered("A1")), [.sendAnswer(sdp: "A1", id: 1)]),
    ]

    /// The same, with an offer of the server out.
    private static let offered =
        offerer + [
            Step(1_000, .wanted, [.ask(.makeOffer)]),
            Step(1_000, .done(.offered("S1")), [.sendOffer(sdp: "S1", id: 1)]),
        ]

    // MARK: The plain way

    @Test func `an offerer is answered, and then offered what others send`() {
        let machine = play(
            .offerer,
            Self.offered + [Step(1_100, Self.answer("C1", 1), [.ask(.acceptAnswer("C1"))]), Step(1_101, .done(.done))])
        #expect(machine.deadline == nil)
    }

    @Test func `an answerer is offered first`() {
        play(
            .answerer,
            [
                Step(0, .admitted, [.ask(.invite)]),
                Step(1, .done(.entered("S1")), [.sendOffer(sdp: "S1", id: 1)]),
                Step(50, Self.answer("C1"), [.ask(.acceptAnswer("C1"))]),
                Step(51, .done(.done)),
                Step(52, Self.offer("O2"), [.ask(.acceptOffer("O2"))]),
                Step(53, .done(.answered("A2")), [.sendAnswer(sdp: "A2", id: nil)]),
            ])
    }

    @Test func `what changes while an offer is out goes into one offer, a moment after the exchange`() {
        play(
            .offerer,
            Self.offered + [
                Step(1_010, .wanted), Step(1_020, .wanted),
                Step(1_100, Self.answer("C1", 1), [.ask(.acceptAnswer("C1"))]),
                Step(1_101, .wanted),
                Step(1_102, .done(.done)),
                .alarm(1_202, [.ask(.makeOffer)]),
                Step(1_203, .done(.offered("S2")), [.sendOffer(sdp: "S2", id: 2)]),
            ])
    }

    @Test func `an offer that has nothing in it any more is not sent`() {
        let machine = play(
            .offerer, Self.offerer + [Step(1_000, .wanted, [.ask(.makeOffer)]), Step(1_001, .done(.offered(nil)))])
        #expect(machine.deadline == nil)
    }

    @Test func `nothing is offered before the client has come in`() {
        play(.offerer, [Step(0, .admitted), Step(5_000, .wanted)])
    }

    // MARK: Glare

    @Test func `offers that cross: the client's is answered, the server's is made again`() {
        play(
            .offerer,
            Self.offered + [
                Step(1_005, Self.offer("O2", 7), [.ask(.acceptOffer("O2"))]),
                // The engine has taken its own back, and has something to offer again.
                Step(1_006, .wanted),
                Step(1_006, .done(.answered("A2")), [.sendAnswer(sdp: "A2", id: 7)]),
                .alarm(1_106, [.ask(.makeOffer)]),
                Step(1_107, .done(.offered("S2")), [.sendOffer(sdp: "S2", id: 2)]),
                // A client that had answered the first one all the same.
                Step(1_108, Self.answer("C1", 1)),
                Step(1_109, Self.answer("C2", 2), [.ask(.acceptAnswer("C2"))]),
            ])
    }

    @Test func `an answer without a name to an offer that was taken back is dropped once`() {
        play(
            .offerer,
            Self.offered + [
                Step(1_005, Self.offer("O2"), [.ask(.acceptOffer("O2"))]),
                Step(1_006, .done(.answered("A2")), [.sendAnswer(sdp: "A2", id: nil)]),
                Step(1_007, Self.answer("C1")),
                Step(1_008, Self.answer("C1"), [.refuse(.unexpectedAnswer, id: nil)]),
            ])
    }

    @Test func `an offer of the client that comes while ours is being made waits its turn`() {
        play(
            .offerer,
            Self.offerer + [
                Step(1_000, .wanted, [.ask(.makeOffer)]),
                Step(1_001, Self.offer("O2", 2)),
                Step(
                    1_002, .done(.offered("S1")), [.sendOffer(sdp: "S1", id: 1), .ask(.acceptOffer("O2"))]),
                Step(1_003, .done(.answered("A2")), [.sendAnswer(sdp: "A2", id: 2)]),
            ])
    }

    // MARK: Clients at fault

    @Test func `an answer that nobody asked for is refused`() {
        play(.offerer, [Step(0, .admitted), Step(1, Self.answer("C", 4), [.refuse(.unexpectedAnswer, id: 4)])])
        play(.offerer, Self.offerer + [Step(1, Self.answer("C"), [.refuse(.unexpectedAnswer, id: nil)])])
    }

    @Test func `a first offer that is refused leaves the client outside, to try again`() {
        let bad = MediaError.sdpInvalid(line: 3, reason: "no")
        play(
            .offerer,
            [
                Step(0, .admitted),
                Step(0, Self.offer("bad", 1), [.ask(.enter(offer: "bad"))]),
                Step(0, .done(.failed(bad)), [.refuse(.media(bad), id: 1)]),
                Step(1, Self.offer("O1", 2), [.ask(.enter(offer: "O1"))]),
                Step(2, .done(.entered("A1")), [.sendAnswer(sdp: "A1", id: 2)]),
            ])
    }

    @Test func `a refused answer takes our offer back, and it is made again after a while`() {
        let bad = MediaError.sdpInvalid(line: 0, reason: "no")
        play(
            .offerer,
            Self.offered + [
                Step(1_100, Self.answer("bad", 1), [.ask(.acceptAnswer("bad"))]),
                Step(1_101, .done(.failed(bad)), [.refuse(.media(bad), id: 1), .ask(.rollback)]),
                Step(1_102, .wanted),
                Step(1_102, .done(.done)),
                .alarm(11_101, [.ask(.makeOffer)]),
            ])
    }

    @Test func `a refused offer that crossed ours takes ours back, because the client has ignored it`() {
        let bad = MediaError.notAcceptable("no")
        play(
            .offerer,
            Self.offered + [
                Step(1_010, Self.offer("bad", 3), [.ask(.acceptOffer("bad"))]),
                Step(1_011, .done(.failed(bad)), [.refuse(.media(bad), id: 3), .ask(.rollback)]),
                Step(1_012, .done(.done), [.ask(.makeOffer)]),
            ])
    }

    @Test func `who never answers gets three offers, each with more patience, and then none until it speaks`() {
        var steps = Self.offered
        var time: Int64 = 1_000
        for (number, patience) in [Int64(10_000), 20_000, 40_000].enumerated() {
            time += patience
            let id = Int64(number + 1)
            steps += [.alarm(time, [.refuse(.timeout, id: id), .ask(.rollback)])]
            if number < 2 {
                steps += [
                    Step(time, .done(.done), [.ask(.makeOffer)]),
                    Step(time, .done(.offered("S")), [.sendOffer(sdp: "S", id: id + 1)]),
                ]
            } else {
                steps += [Step(time, .done(.done)), Step(time, .wanted)]
            }
        }
        let machine = play(.offerer, steps)
        #expect(machine.deadline == nil)
        play(
            .offerer,
            steps + [
                Step(time + 1, Self.answer("late", 2)),
                Step(time + 2, Self.offer("O2", 9), [.ask(.acceptOffer("O2"))]),
                Step(time + 3, .done(.answered("A2")), [.sendAnswer(sdp: "A2", id: 9)]),
                .alarm(time + 103, [.ask(.makeOffer)]),
            ])
    }

    @Test func `an answer that is with the engine when its time is up counts`() {
        play(
            .offerer,
            Self.offered + [
                Step(10_999, Self.answer("C1", 1), [.ask(.acceptAnswer("C1"))]),
                .alarm(11_000, []),
                Step(11_001, .done(.done)),
            ])
    }

    @Test func `more messages than may wait are refused`() {
        var steps = [Step(0, .admitted), Step(0, Self.offer("O", 0), [.ask(.enter(offer: "O"))])]
        for id in 1...Int64(Machine.waitingLimit) { steps.append(Step(0, Self.offer("O", id))) }
        play(.offerer, steps + [Step(0, Self.offer("O", 99), [.refuse(.tooMany, id: 99)])])
    }

    // MARK: Coming and going

    @Test func `hanging up ends what is inside, whatever is under way`() {
        play(.offerer, Self.offered + [Step(1_001, .left, [.leaveMedia]), Step(1_002, Self.answer("C1", 1))])
        play(
            .offerer,
            Self.offerer + [
                Step(1, Self.offer("O2", 2), [.ask(.acceptOffer("O2"))]),
                Step(2, .left, [.leaveMedia]),
                Step(3, .done(.answered("A2"))),
                Step(4, .wanted),
            ])
    }

    @Test func `who hangs up while the engine lets him in is taken out again`() {
        play(
            .offerer,
            [
                Step(0, .admitted),
                Step(0, Self.offer("O1"), [.ask(.enter(offer: "O1"))]),
                Step(1, .left),
                Step(2, .done(.entered("A1")), [.leaveMedia]),
            ])
        play(.offerer, [Step(0, .admitted), Step(1, .left)])
    }

    @Test func `without a socket nothing is offered, and what was out comes again after the return`() {
        play(
            .offerer,
            Self.offered + [
                Step(1_100, .socketLost, [.ask(.rollback)]),
                Step(1_101, .done(.done)),
                Step(5_000, .wanted),
                Step(9_000, .socketBack, [.ask(.makeOffer)]),
                Step(9_001, .done(.offered("S2")), [.sendOffer(sdp: "S2", id: 2)]),
            ])
    }

    @Test func `an offer that is made while the socket breaks is taken back unseen`() {
        play(
            .offerer,
            Self.offerer + [
                Step(1_000, .wanted, [.ask(.makeOffer)]),
                Step(1_001, .socketLost),
                Step(1_002, .done(.offered("S1")), [.ask(.rollback)]),
                Step(1_003, .done(.done)),
                Step(2_000, .socketBack, [.ask(.makeOffer)]),
            ])
    }

    @Test func `a session that the engine has ended is over`() {
        play(
            .offerer,
            Self.offerer + [
                Step(1_000, .wanted, [.ask(.makeOffer)]),
                Step(1_001, .done(.failed(.noSuchSession)), [.fail(.noSuchSession)]),
                Step(1_002, Self.offer("O2", 2)),
                Step(1_003, .left),
            ])
    }

    @Test func `an invitation that the engine refuses is the end`() {
        let full = MediaError.roomFull(limit: 2)
        play(.answerer, [Step(0, .admitted, [.ask(.invite)]), Step(0, .done(.failed(full)), [.fail(full)])])
    }

    @Test func `a restart waits until nothing is under way`() {
        play(
            .offerer,
            Self.offerer + [
                Step(1, Self.offer("O2", 2), [.ask(.acceptOffer("O2"))]),
                Step(2, .restart),
                Step(3, .done(.answered("A2")), [.sendAnswer(sdp: "A2", id: 2), .ask(.restartICE)]),
                Step(4, .wanted),
                Step(5, .done(.done)),
                .alarm(103, [.ask(.makeOffer)]),
            ])
    }

    // MARK: Any order

    /// An engine that answers late and sometimes refuses, and a client that does anything.
    @Test(arguments: 0..<200 as Range<UInt64>)
    func `in any order of events one thing is asked at a time, and no offer is lost`(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var machine = Machine(seed % 2 == 0 ? .offerer : .answerer)
        var engine = FakeEngine()
        var now: Int64 = 0
        var actions: [Machine.Action] = []
        machine.handle(.admitted, now: Self.time(0), into: &actions)
        for _ in 0..<400 {
            engine.take(&actions)
            now += Int64(random.next() % 3_000)
            tell(&engine, &machine, now, &actions)
            engine.take(&actions)
            let event: Machine.Event
            switch random.next() % 10 {
            case 0: event = Self.offer("O", Int64(random.next() % 9))
            case 1: event = Self.answer("A", random.next() % 2 == 0 ? nil : engine.lastID)
            case 2: event = engine.isInside ? .wanted : .socketBack
            case 3: event = .socketLost
            case 4: event = .socketBack
            case 5: event = .restart
            default:
                if let outcome = engine.outcome(&random) {
                    event = .done(outcome)
                } else {
                    machine.handleTimeout(now: Self.time(now), into: &actions)
                    continue
                }
            }
            if event == .wanted { engine.want() }
            machine.handle(event, now: Self.time(now), into: &actions)
        }
        // Left in peace, by a client that answers, everything that was wanted is offered.
        machine.handle(.socketBack, now: Self.time(now), into: &actions)
        for _ in 0..<200 {
            engine.take(&actions)
            now += 50_000
            tell(&engine, &machine, now, &actions)
            engine.take(&actions)
            if let outcome = engine.outcome() {
                machine.handle(.done(outcome), now: Self.time(now), into: &actions)
            } else if engine.isOut, engine.isInside {
                machine.handle(Self.answer("A", engine.lastID), now: Self.time(now), into: &actions)
            } else {
                machine.handle(.socketBack, now: Self.time(now), into: &actions)
                machine.handleTimeout(now: Self.time(now), into: &actions)
            }
        }
        engine.take(&actions)
        #expect(!engine.isInside || !engine.isWanted, "seed \(seed)")
        #expect(!engine.isOut, "seed \(seed)")
    }

    /// As the engine does, once for each time that there is something to offer.
    private func tell(
        _ engine: inout FakeEngine, _ machine: inout Machine, _ now: Int64, _ actions: inout [Machine.Action]
    ) {
        guard engine.owesWord else { return }
        engine.owesWord = false
        machine.handle(.wanted, now: Self.time(now), into: &actions)
    }
}

/// As far as the machine can see one.
private struct FakeEngine {
    private(set) var asked: NegotiationMachine.Request?
    private(set) var isInside = false
    private(set) var isOut = false
    private(set) var isWanted = false
    /// It wants to offer, and has not said so.
    var owesWord = false
    private(set) var lastID: Int64?

    mutating func want() {
        isWanted = true
        owesWord = true
    }

    mutating func take(_ actions: inout [NegotiationMachine.Action]) {
        for action in actions {
            switch action {
            case .ask(let request):
                #expect(asked == nil, "asked while it is asked")
                asked = request
            case .sendOffer(_, let id):
                #expect(isOut, "an offer is sent that the engine has not made")
                #expect(id > lastID ?? 0)
                lastID = id
            default: break
            }
        }
        actions = []
    }

    /// What it says to what it was asked; with `random`, it may refuse what it can refuse.
    mutating func outcome(_ random: inout SplitMix64) -> NegotiationMachine.Outcome? {
        guard let asked else { return nil }
        let mayRefuse =
            switch asked {
            case .enter, .acceptOffer, .acceptAnswer: true
            default: false
            }
        if mayRefuse, random.next() % 3 == 0 {
            self.asked = nil
            return .failed(.notAcceptable("by chance"))
        }
        return outcome()
    }

    mutating func outcome() -> NegotiationMachine.Outcome? {
        guard let request = asked else { return nil }
        asked = nil
        switch request {
        case .enter:
            #expect(!isInside)
            isInside = true
            return .entered("A")
        case .invite:
            isInside = true
            isOut = true
            return .entered("S")
        case .makeOffer:
            #expect(!isOut, "an offer while one is out")
            guard isWanted else { return .offered(nil) }
            isWanted = false
            isOut = true
            return .offered("S")
        case .acceptOffer:
            if isOut { want() }
            isOut = false
            return .answered("A")
        case .acceptAnswer:
            guard isOut else { return .failed(.conflict("no offer is out")) }
            isOut = false
            return .done
        case .rollback:
            guard isOut else { return .failed(.conflict("no offer is out")) }
            isOut = false
            want()
            return .done
        case .restartICE:
            want()
            return .done
        }
    }
}

/// Steele and others: the same numbers for a seed everywhere.
private struct SplitMix64 {
    private var state: UInt64

    init(seed: UInt64) { state = seed &+ 1 }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
