// The rules of one recording, as a value: it takes an event and the time, changes itself, and says what has to be done
// about it. It owns no clock and no recorder; `CallService` executes the effects in their order.
//
//     starting --opened--> asking --somebody may be written--> recording <--> paused
//         |                   |                                    |            |
//         '----> failed <-----+------- the recorder fails ---------+------------+--> stopping --closed--> finished
//
// What makes it a promise: a consent that lets media be written reaches the recorder as an effect of its own, and one
// that does not reaches it before anybody is told.

package import Base

package struct RecordingMachine: Sendable {
    package typealias Effects = [Effect]

    package enum Effect: Sendable, Equatable {
        /// For the recorder: written first, then obeyed.
        case consent(ConsentChange)
        /// Everybody who is in the call hears of the recording as it is in the value.
        case tell(CallRecording)
        case close(RecordingEnd)
        /// The row differs from what is stored.
        case save
    }

    package private(set) var recording: CallRecording
    private let maxDuration: Duration
    private let answerTime: Duration
    /// Who is in the call, in the order in which they came.
    private var present: [UserID]
    private var agreements: [UserID: Int] = [:]
    /// When it is over unless somebody may be written before.
    private var idleUntil: Timestamp?

    package init(_ recording: CallRecording, joined: [UserID], options: RecordingOptions) {
        self.recording = recording
        present = joined
        maxDuration = options.maxDuration
        answerTime = options.answerTime
    }

    package mutating func setTask(_ task: UUID) { recording.task = task }

    // MARK: The recorder

    /// The journal is open. What was to end meanwhile ends now.
    package mutating func opened(in folder: String, now: Timestamp) -> Effects {
        recording.folder = folder
        if recording.state == .stopping { return [.close(recording.end ?? .stopped)] }
        guard recording.state == .starting else { return [] }
        recording.state = .asking
        var effects: Effects = []
        for user in present { come(user, now, &effects) }
        if recording.policy == .ask, present.contains(recording.startedBy) {
            agree(recording.startedBy, .began, now, &effects)
        }
        settle(now)
        return effects + [.tell(recording), .save]
    }

    /// It could not be opened, or breaks by itself.
    package mutating func failed(now: Timestamp) -> Effects {
        guard !recording.state.isOver else { return [] }
        // Who was never told of it hears of no failure.
        let wasOpen = recording.folder != nil
        recording.state = .failed
        recording.end = .recorderFailed
        recording.endedAt = now
        idleUntil = nil
        return (wasOpen ? [.close(.recorderFailed), .tell(recording)] : []) + [.save]
    }

    /// The journal is closed.
    package mutating func closed(bytes: Int64, now: Timestamp) -> Effects {
        recording.bytes = bytes
        guard recording.state == .stopping else { return recording.state == .failed ? [.save] : [] }
        recording.state = .finished
        recording.endedAt = now
        return [.tell(recording), .save]
    }

    // MARK: People

    /// Who is in the call now.
    package mutating func follow(joined: [UserID], isOver: Bool, now: Timestamp) -> Effects {
        let before = present
        present = isOver ? [] : joined
        guard recording.state.isOn else { return isOver ? stop(.callEnded, now: now) : [] }
        var effects: Effects = []
        for user in before where !present.contains(user) { leave(user, now, &effects) }
        for user in present where !before.contains(user) { come(user, now, &effects) }
        if isOver { return effects + stop(.callEnded, now: now) }
        return before == present ? [] : finished(effects, now, isNews: true)
    }

    /// Devices of these users have heard of the recording.
    package mutating func told(_ users: Set<UserID>, now: Timestamp) -> Effects {
        guard recording.state.isOn, recording.policy == .announce else { return [] }
        var effects: Effects = []
        for user in present where users.contains(user) && recording.person(user)?.consent == .asked {
            change(user, .told, .announcement, now, &effects)
        }
        return finished(effects, now)
    }

    /// Somebody's own answer.
    package mutating func answer(
        _ user: UserID, agrees: Bool, _ means: ConsentMeans, now: Timestamp
    ) throws(RecordingError) -> Effects {
        guard recording.policy == .ask else { throw recording.state.isOver ? .notOn : .consentNotAsked }
        guard !agrees else { return try accept(user, means, now) }
        return try decline(user, means, now)
    }

    private mutating func accept(
        _ user: UserID, _ means: ConsentMeans, _ now: Timestamp
    ) throws(RecordingError) -> Effects {
        guard recording.state.isOn else { throw .notOn }
        guard let person = recording.person(user), person.isPresent else { throw .notInCall }
        guard person.consent != .agreed else { return [] }
        guard agreements[user, default: 0] < RecordingLimits.agreements else {
            throw .tooManyAnswers(limit: RecordingLimits.agreements)
        }
        var effects: Effects = []
        agree(user, means, now, &effects)
        return finished(effects, now)
    }

    /// Also of who has left, and of what is over: what they once gave is theirs to take back.
    private mutating func decline(
        _ user: UserID, _ means: ConsentMeans, _ now: Timestamp
    ) throws(RecordingError) -> Effects {
        guard let person = recording.person(user) else { throw recording.state.isOn ? .notInCall : .notOn }
        let hasAgreed = person.agreedAt != nil
        guard hasAgreed || recording.state.isOn else { throw .notOn }
        guard hasAgreed || person.isPresent else { throw .notInCall }
        let consent: RecordingConsent = hasAgreed ? .withdrawn : .refused
        guard person.consent != consent else { return [] }
        var effects: Effects = []
        change(user, consent, means, now, &effects)
        return finished(effects, now)
    }

    // MARK: The end

    package mutating func stop(_ end: RecordingEnd, now: Timestamp) -> Effects {
        guard recording.state.isOn || recording.state == .starting else { return [] }
        let wasOpen = recording.state.isOn
        recording.state = .stopping
        recording.end = end
        idleUntil = nil
        // Until it is open there is nothing to close, and nobody has heard of it: see `opened`.
        return wasOpen ? [.tell(recording), .close(end), .save] : []
    }

    /// When `advance` has something to do.
    package var deadline: Timestamp? {
        guard recording.state.isOn else { return nil }
        return [recording.startedAt + maxDuration, idleUntil].compactMap { $0 }.min()
    }

    package mutating func advance(now: Timestamp) -> Effects {
        guard let deadline, deadline <= now else { return [] }
        return stop(recording.startedAt + maxDuration <= now ? .timeLimit : .nobodyAgreed, now: now)
    }

    // MARK: Parts

    private mutating func come(_ user: UserID, _ now: Timestamp, _ effects: inout Effects) {
        let isAssumed = recording.policy == .operator
        change(user, isAssumed ? .assumed : .asked, isAssumed ? .policy : .presence, now, &effects) {
            $0.isPresent = true
        }
    }

    /// Nothing more of theirs is written until they agree anew. What they have refused, or taken back, stays so.
    private mutating func leave(_ user: UserID, _ now: Timestamp, _ effects: inout Effects) {
        let consent = recording.person(user)?.consent ?? .asked
        guard consent == .refused || consent == .withdrawn else {
            return change(user, .left, .presence, now, &effects) { $0.isPresent = false }
        }
        if let index = recording.people.firstIndex(where: { $0.user == user }) {
            recording.people[index].isPresent = false
        }
    }

    private mutating func agree(
        _ user: UserID, _ means: ConsentMeans, _ now: Timestamp, _ effects: inout Effects
    ) {
        agreements[user, default: 0] += 1
        change(user, .agreed, means, now, &effects)
    }

    private mutating func change(
        _ user: UserID, _ consent: RecordingConsent, _ means: ConsentMeans, _ now: Timestamp,
        _ effects: inout Effects, _ body: (inout RecordingPerson) -> Void = { _ in }
    ) {
        let index = recording.people.firstIndex { $0.user == user } ?? recording.people.endIndex
        if index == recording.people.endIndex {
            recording.people.append(
                RecordingPerson(user: user, isPresent: false, consent: consent, means: means, changedAt: now))
        }
        recording.people[index].consent = consent
        recording.people[index].means = means
        recording.people[index].changedAt = now
        if consent.isWritten { recording.people[index].agreedAt = recording.people[index].agreedAt ?? now }
        if consent == .withdrawn { recording.people[index].withdrawnAt = now }
        body(&recording.people[index])
        effects.append(.consent(ConsentChange(user: user, consent: consent, means: means, at: now)))
    }

    private mutating func finished(_ effects: Effects, _ now: Timestamp, isNews: Bool = false) -> Effects {
        guard isNews || !effects.isEmpty else { return [] }
        settle(now)
        return effects + [.tell(recording), .save]
    }

    /// What follows for the state from who may be written.
    private mutating func settle(_ now: Timestamp) {
        guard recording.state.isOn else { return }
        if recording.people.contains(where: { $0.isPresent && $0.consent.isWritten }) {
            recording.state = .recording
            idleUntil = nil
        } else {
            if recording.state == .recording { recording.state = .paused }
            idleUntil = idleUntil ?? now + answerTime
        }
    }
}
