// The rules of a recording, as sequences of events and what must follow from them. No clock, no recorder.

import Base
import Testing

@testable import Signaling

/// A recording of made-up people, with a recorder that obeys the effects.
private struct Recorded {
    static let start = Timestamp(secondsSinceEpoch: 1_790_000_000)

    let people: [UserID]
    var machine: RecordingMachine
    var now = start
    var effects: [RecordingMachine.Effect] = []
    /// Of whom a recorder would write now, by what it was told alone.
    var written: Set<UserID> = []
    var isOpen = false

    var recording: CallRecording { machine.recording }

    init(
        _ count: Int, policy: ConsentPolicy = .ask, startedBy starter: Int = 0, options: RecordingOptions = .init()
    ) {
        people = (0..<count).map { _ in UserID(.random()) }
        let recording = CallRecording(
            id: RecordingID(.random()), call: CallID(.random()),
            startedBy: starter < count ? people[starter] : UserID(.random()), policy: policy, store: .backup,
            keyVersion: 1, startedAt: Self.start)
        machine = RecordingMachine(recording, joined: people, options: options)
    }

    /// Carries out what followed from an event.
    mutating func take(_ effects: [RecordingMachine.Effect]) {
        self.effects = effects
        for effect in effects {
            switch effect {
            case .consent(let change):
                guard isOpen else { continue }
                if change.consent.isWritten { written.insert(change.user) } else { written.remove(change.user) }
            case .close:
                isOpen = false
                written = []
            case .tell, .save: break
            }
        }
    }

    mutating func open() {
        isOpen = true
        take(machine.opened(in: "folder", now: now))
    }

    mutating func answer(_ number: Int, _ agrees: Bool) throws {
        take(try machine.answer(people[number], agrees: agrees, .socket, now: now))
    }

    mutating func follow(_ numbers: [Int], isOver: Bool = false) {
        take(machine.follow(joined: numbers.map { people[$0] }, isOver: isOver, now: now))
    }

    mutating func tell(_ numbers: [Int]) { take(machine.told(Set(numbers.map { people[$0] }), now: now)) }
    mutating func stop(_ end: RecordingEnd = .stopped) { take(machine.stop(end, now: now)) }

    mutating func advance(_ time: Duration) {
        now = now + time
        take(machine.advance(now: now))
    }

    func consent(_ number: Int) -> RecordingConsent? { recording.person(people[number])?.consent }
    var isTold: Bool { effects.contains { if case .tell = $0 { true } else { false } } }
}

@Suite struct RecordingMachineTests {
    // MARK: Consent

    @Test func `nobody is written before the recorder is ready, and then who began it`() {
        var recorded = Recorded(3)
        recorded.follow([0, 1, 2])
        #expect(recorded.effects.isEmpty && recorded.recording.people.isEmpty)
        recorded.open()
        #expect(recorded.written == [recorded.people[0]])
        #expect(recorded.recording.state == .recording && recorded.isTold)
        #expect(recorded.consent(0) == .agreed && recorded.recording.person(recorded.people[0])?.means == .began)
        #expect(recorded.consent(1) == .asked && recorded.consent(2) == .asked)
    }

    @Test func `who begins it from outside has agreed to nothing`() {
        var recorded = Recorded(2, startedBy: 9)
        recorded.open()
        #expect(recorded.written.isEmpty && recorded.recording.state == .asking)
        #expect(recorded.recording.people.count == 2)
    }

    @Test func `a yes lets one be written, and a no after it stops that at once`() throws {
        var recorded = Recorded(2)
        recorded.open()
        try recorded.answer(1, true)
        #expect(recorded.written == Set(recorded.people) && recorded.consent(1) == .agreed)
        let agreedAt = recorded.now
        recorded.now = recorded.now + .seconds(3)
        try recorded.answer(1, false)
        #expect(recorded.written == [recorded.people[0]] && recorded.consent(1) == .withdrawn)
        // The recorder is told before anybody else.
        guard case .consent? = recorded.effects.first else { return #expect(Bool(false), "told too late") }
        let person = recorded.recording.person(recorded.people[1])
        #expect(person?.agreedAt == agreedAt && person?.withdrawnAt == recorded.now)
    }

    @Test func `a no is shown, and may become a yes`() throws {
        var recorded = Recorded(2)
        recorded.open()
        try recorded.answer(1, false)
        #expect(recorded.consent(1) == .refused && recorded.isTold)
        #expect(recorded.recording.person(recorded.people[1])?.withdrawnAt == nil)
        try recorded.answer(1, true)
        #expect(recorded.consent(1) == .agreed)
    }

    @Test func `the same answer again changes nothing`() throws {
        var recorded = Recorded(2)
        recorded.open()
        try recorded.answer(1, false)
        try recorded.answer(1, false)
        #expect(recorded.effects.isEmpty)
        try recorded.answer(0, true)
        #expect(recorded.effects.isEmpty)
    }

    @Test func `who leaves is not written, and who comes back is asked anew`() throws {
        var recorded = Recorded(3)
        recorded.open()
        try recorded.answer(1, true)
        recorded.follow([0, 2])
        #expect(recorded.consent(1) == .left && recorded.written == [recorded.people[0]])
        #expect(recorded.recording.present.map(\.user) == [recorded.people[0], recorded.people[2]])
        recorded.follow([0, 2, 1])
        #expect(recorded.consent(1) == .asked && recorded.written == [recorded.people[0]])
        #expect(recorded.recording.people.count == 3)
    }

    @Test func `a no of who has once agreed takes that back, wherever they are`() throws {
        var recorded = Recorded(3)
        recorded.open()
        try recorded.answer(1, true)
        try recorded.answer(2, true)
        recorded.follow([0, 2])
        // Gone, and takes it back from outside.
        try recorded.answer(1, false)
        #expect(recorded.consent(1) == .withdrawn)
        #expect(recorded.recording.present.map(\.user) == [recorded.people[0], recorded.people[2]])
        // Came back, and says no this time.
        recorded.follow([0])
        recorded.follow([0, 2])
        try recorded.answer(2, false)
        #expect(recorded.consent(2) == .withdrawn)
    }

    @Test func `a no that was said stays so when they leave`() throws {
        var recorded = Recorded(2)
        recorded.open()
        try recorded.answer(1, false)
        recorded.follow([0])
        #expect(recorded.consent(1) == .refused && recorded.recording.present.count == 1 && recorded.isTold)
        recorded.follow([0, 1])
        #expect(recorded.consent(1) == .asked)
    }

    @Test func `nobody agrees for ever, and a no is always taken`() throws {
        var recorded = Recorded(2)
        recorded.open()
        for _ in 0..<RecordingLimits.agreements {
            try recorded.answer(1, true)
            try recorded.answer(1, false)
        }
        #expect(throws: RecordingError.tooManyAnswers(limit: RecordingLimits.agreements)) {
            try recorded.answer(1, true)
        }
        #expect(recorded.written == [recorded.people[0]])
        // Who began it has agreed once by that.
        for _ in 1..<RecordingLimits.agreements {
            try recorded.answer(0, false)
            try recorded.answer(0, true)
        }
        try recorded.answer(0, false)
        #expect(recorded.written.isEmpty)
        #expect(throws: RecordingError.self) { try recorded.answer(0, true) }
    }

    @Test func `strangers, and people who are gone, agree to nothing`() throws {
        var recorded = Recorded(2)
        recorded.open()
        let stranger = UserID(.random())
        for agrees in [true, false] {
            #expect(throws: RecordingError.notInCall) {
                _ = try recorded.machine.answer(stranger, agrees: agrees, .rest, now: recorded.now)
            }
        }
        recorded.follow([0])
        for agrees in [true, false] {
            #expect(throws: RecordingError.notInCall) { try recorded.answer(1, agrees) }
        }
    }

    // MARK: Other policies

    @Test func `announced, one is written once one was told`() throws {
        var recorded = Recorded(3, policy: .announce)
        recorded.open()
        #expect(recorded.written.isEmpty && recorded.recording.state == .asking)
        recorded.tell([0, 2])
        #expect(recorded.written == [recorded.people[0], recorded.people[2]])
        #expect(recorded.consent(0) == .told && recorded.consent(1) == .asked)
        recorded.tell([0, 2])
        #expect(recorded.effects.isEmpty)
        recorded.follow([0, 1])
        recorded.follow([0, 1, 2])
        #expect(recorded.written == [recorded.people[0]])
        recorded.tell([1, 2])
        #expect(recorded.written == Set(recorded.people))
        #expect(throws: RecordingError.consentNotAsked) { try recorded.answer(0, false) }
    }

    @Test func `by the operator's policy everybody is written from the beginning`() {
        var recorded = Recorded(2, policy: .operator, startedBy: 9)
        recorded.follow([0])
        recorded.open()
        #expect(recorded.written == [recorded.people[0]] && recorded.isTold)
        recorded.follow([0, 1])
        #expect(recorded.written == Set(recorded.people) && recorded.consent(1) == .assumed)
        #expect(throws: RecordingError.consentNotAsked) { try recorded.answer(0, false) }
        recorded.tell([0, 1])
        #expect(recorded.effects.isEmpty)
    }

    @Test func `being told is no yes where people are asked`() {
        var recorded = Recorded(2)
        recorded.open()
        recorded.tell([0, 1])
        #expect(recorded.effects.isEmpty && recorded.written == [recorded.people[0]])
    }

    // MARK: Time and ends

    @Test func `without anybody to write it waits, and then ends`() throws {
        var options = RecordingOptions()
        options.answerTime = .seconds(60)
        var recorded = Recorded(2, startedBy: 9, options: options)
        recorded.open()
        #expect(recorded.machine.deadline == recorded.now + .seconds(60))
        recorded.advance(.seconds(59))
        #expect(recorded.effects.isEmpty)
        try recorded.answer(1, true)
        #expect(recorded.machine.deadline == Recorded.start + options.maxDuration)
        recorded.follow([0])
        #expect(recorded.recording.state == .paused)
        recorded.advance(.seconds(60))
        #expect(recorded.recording.state == .stopping && recorded.recording.end == .nobodyAgreed)
        #expect(recorded.effects.contains(.close(.nobodyAgreed)))
    }

    @Test func `waiting is not begun again by each news`() throws {
        var options = RecordingOptions()
        options.answerTime = .seconds(60)
        var recorded = Recorded(3, startedBy: 9, options: options)
        recorded.open()
        recorded.now = recorded.now + .seconds(30)
        try recorded.answer(1, false)
        recorded.follow([0, 1])
        #expect(recorded.machine.deadline == Recorded.start + .seconds(60))
    }

    @Test func `a long one ends after its time, whoever agrees`() {
        var options = RecordingOptions()
        options.maxDuration = .hours(1)
        var recorded = Recorded(1, options: options)
        recorded.open()
        recorded.advance(.hours(1))
        #expect(recorded.recording.end == .timeLimit)
    }

    @Test func `it is finished when the recorder has closed it, with its size`() {
        var recorded = Recorded(2)
        recorded.open()
        recorded.now = recorded.now + .seconds(10)
        recorded.stop()
        #expect(recorded.recording.state == .stopping && recorded.recording.endedAt == nil)
        recorded.stop(.callEnded)
        #expect(recorded.effects.isEmpty && recorded.recording.end == .stopped)
        recorded.take(recorded.machine.closed(bytes: 77, now: recorded.now))
        #expect(recorded.recording.state == .finished && recorded.recording.bytes == 77)
        #expect(recorded.recording.duration == .seconds(10) && recorded.effects.contains(.save))
        #expect(throws: RecordingError.notOn) { try recorded.answer(1, true) }
        #expect(recorded.machine.deadline == nil)
    }

    @Test func `the end of the call ends it, and leaves nobody in it`() {
        var recorded = Recorded(2)
        recorded.open()
        recorded.follow([], isOver: true)
        #expect(recorded.effects.contains(.close(.callEnded)) && recorded.written.isEmpty)
        #expect(recorded.recording.present.isEmpty)
    }

    @Test func `what ends before it was open is closed as soon as it is`() {
        for isOver in [true, false] {
            var recorded = Recorded(2)
            if isOver { recorded.follow([], isOver: true) } else { recorded.stop() }
            #expect(recorded.effects.isEmpty && recorded.recording.state == .stopping)
            recorded.open()
            #expect(recorded.effects == [.close(isOver ? .callEnded : .stopped)])
            recorded.take(recorded.machine.closed(bytes: 1, now: recorded.now))
            #expect(recorded.recording.state == .finished)
        }
    }

    @Test func `who came and went before it was open is not in it`() {
        var recorded = Recorded(3)
        recorded.follow([0, 2])
        recorded.open()
        #expect(recorded.recording.people.map(\.user) == [recorded.people[0], recorded.people[2]])
    }

    @Test func `a recorder that cannot begin is news to nobody, and one that breaks is to all`() {
        var recorded = Recorded(2)
        recorded.take(recorded.machine.failed(now: recorded.now))
        #expect(recorded.effects == [.save] && recorded.recording.state == .failed)
        recorded = Recorded(2)
        recorded.open()
        recorded.take(recorded.machine.failed(now: recorded.now))
        #expect(recorded.effects.first == .close(.recorderFailed) && recorded.isTold)
        recorded.take(recorded.machine.closed(bytes: 5, now: recorded.now))
        #expect(recorded.recording.state == .failed && recorded.recording.bytes == 5)
        recorded.take(recorded.machine.failed(now: recorded.now))
        #expect(recorded.effects.isEmpty)
    }

    @Test func `after the end what was agreed can be taken back, and nothing else be said`() throws {
        var recorded = Recorded(3)
        recorded.open()
        try recorded.answer(1, true)
        recorded.stop()
        try recorded.answer(1, false)
        #expect(recorded.consent(1) == .withdrawn && recorded.effects.contains(.save))
        recorded.take(recorded.machine.closed(bytes: 1, now: recorded.now))
        try recorded.answer(0, false)
        #expect(recorded.consent(0) == .withdrawn)
        #expect(throws: RecordingError.notOn) { try recorded.answer(2, false) }
        #expect(throws: RecordingError.notOn) { try recorded.answer(1, true) }
    }

    // MARK: Whatever happens

    /// What a recorder was told is always what the people said, in whatever order things happen.
    @Test(arguments: ConsentPolicy.allCases, 0..<40)
    func `nobody is ever written who has not agreed`(_ policy: ConsentPolicy, _ seed: Int) throws {
        var random = Seeded(UInt64(seed) &* 7_919 &+ 1)
        var recorded = Recorded(4, policy: policy, startedBy: seed % 5)
        var present: Set<Int> = [0, 1, 2, 3]
        for step in 0..<200 {
            recorded.now = recorded.now + .seconds(Int64(random.next() % 40))
            switch random.next() % 12 {
            case 0 where step > 2: if !recorded.isOpen, recorded.recording.folder == nil { recorded.open() }
            case 1...3:
                let one = Int(random.next() % 4)
                if present.remove(one) == nil { present.insert(one) }
                recorded.follow(present.sorted())
            case 4...8: try? recorded.answer(Int(random.next() % 4), random.next() % 3 != 0)
            case 9: recorded.tell([Int(random.next() % 4)])
            case 10: recorded.advance(.zero)
            default: if random.next() % 30 == 0 { recorded.stop() }
            }
            let allowed = recorded.recording.people.filter { $0.isPresent && $0.consent.isWritten }.map(\.user)
            #expect(recorded.written == (recorded.isOpen ? Set(allowed) : []), "seed \(seed), step \(step)")
            if recorded.recording.state.isOn {
                #expect((recorded.recording.state == .recording) == !allowed.isEmpty, "seed \(seed), step \(step)")
                #expect(Set(recorded.recording.present.map(\.user)) == Set(present.map { recorded.people[$0] }))
            }
            for person in recorded.recording.people where person.consent.isWritten { #expect(person.agreedAt != nil) }
        }
    }

    @Test func `people are stored and read back, and what cannot be read is nobody`() throws {
        var recorded = Recorded(3)
        recorded.open()
        try recorded.answer(1, true)
        try recorded.answer(1, false)
        recorded.follow([0, 1])
        let people = recorded.recording.people
        #expect(StoredConsents.people(StoredConsents.text(people)) == people)
        #expect(StoredConsents.people(StoredConsents.text([])) == [])
        for text in ["", "{}", "[1]", "[{}]", #"[{"user":"x","consent":"agreed"}]"#] {
            #expect(StoredConsents.people(text) == nil)
        }
        let unknown = StoredConsents.text(people).replacing("\"withdrawn\"", with: "\"maybe\"")
        #expect(StoredConsents.people(unknown) == nil)
    }
}

/// The same steps for the same seed.
private struct Seeded {
    private var state: UInt64
    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
