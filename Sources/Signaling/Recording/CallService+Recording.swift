// Recordings of live calls: who may begin and end one, and what follows for it from what happens in the call. The rules are
// `RecordingMachine`'s; its effects are executed in the call's lane, in order with all others.

package import Accounts
import Base
import Store
import Vault
import Wire

/// A recording that somebody wants.
package struct RecordingWish: Sendable {
    package let store: RecordingStore
    package let keyVersion: UInt32

    package init(store: RecordingStore = .backup, keyVersion: UInt32) {
        self.store = store
        self.keyVersion = keyVersion
    }
}

extension RequestOrigin {
    /// What a signaling socket asks for: its opening was the request.
    package static let socket = RequestOrigin(address: Private("socket"))
    static let server = RequestOrigin(address: Private("server"))
}

extension CallService {
    // MARK: Beginning and ending

    /// The recording is open, and people have been told, when this returns.
    package func beginRecording(
        _ id: CallID, _ wish: RecordingWish, by principal: Principal, origin: RequestOrigin
    ) async throws(CallError) -> CallRecording {
        let state = try await recordable(id, principal).state
        guard let recorder else { throw .recording(.unavailable("This server does not record calls")) }
        guard state == .ongoing else { throw .recording(.callNotOngoing(state)) }
        guard let call = live[id]?.machine.call else {
            throw .unavailable("another server of this database has the call")
        }
        if let on = live[id]?.recording?.recording { throw .recording(.alreadyOn(on.id)) }
        let now = clock.now()
        let recording = CallRecording(
            id: RecordingID.timeOrdered(at: now), call: id, startedBy: principal.user,
            policy: options.recording.consent, store: wish.store, keyVersion: wish.keyVersion, startedAt: now)
        // Nothing is awaited between the check and this: nobody begins a second one meanwhile.
        live[id]?.recording = RecordingMachine(recording, joined: call.joined, options: options.recording)
        try await enroll(recording, by: principal, origin)
        do throws(RecorderFailure) {
            let folder = try await recorder.start(RecorderOrder(recording))
            await changeRecording(id) { machine, now in machine.opened(in: folder, now: now) }
        } catch {
            Self.log.error("a recording could not begin", [.error(error)])
            live[id]?.recordingNotes.append(
                RecordingNote.failed.event(recording, at: clock.now(), by: nil, .server))
            await changeRecording(id) { machine, now in machine.failed(now: now) }
            throw .recording(.unavailable(error.description))
        }
        return live[id]?.recording?.recording ?? recording
    }

    /// Its task, and its row with the note that it has begun. Without them there is none.
    private func enroll(
        _ recording: CallRecording, by principal: Principal, _ origin: RequestOrigin
    ) async throws(CallError) {
        let id = recording.call
        do throws(CallError) {
            if let recordingTasks {
                live[id]?.recording?.setTask(try await begin(recordingTasks, recording))
            }
            let current = live[id]?.recording?.recording ?? recording
            let note = RecordingNote.started.event(
                current, at: clock.now(), by: principal.user, origin, [("policy", .string(current.policy.rawValue))])
            try await Self.stored { () async throws(RecordingError) in try await recordings.insert(current, note) }
            accounts.audit.sealSoon()
        } catch {
            live[id]?.recording = nil
            resolve(recording.id, RecordingOutcome(recording, .failed))
            // The call may have ended meanwhile, and waited for its recording.
            await perform([], id)
            throw error
        }
    }

    private static func stored<Value>(
        _ body: () async throws(RecordingError) -> Value
    ) async throws(CallError) -> Value {
        do {
            return try await body()
        } catch {
            throw .recording(error)
        }
    }

    private func begin(
        _ tasks: any RecordingTasks, _ recording: CallRecording
    ) async throws(CallError) -> UUID {
        let id = recording.id
        do {
            return try await tasks.begin(id, of: recording.call, by: recording.startedBy) { [weak self] in
                await self?.outcome(of: recording) ?? RecordingOutcome(recording, .interrupted)
            }
        } catch {
            throw .recording(.unavailable(error.description))
        }
    }

    /// Everything is written when this returns.
    package func endRecording(
        _ id: CallID, by principal: Principal, origin: RequestOrigin
    ) async throws(CallError) -> CallRecording {
        try Self.requireScope(principal)
        let call = try await visible(id, principal)
        guard let recording = live[id]?.recording?.recording, !recording.state.isOver else {
            if !mayRecord(call, principal) { throw .recording(.notAllowed) }
            throw .recording(.notOn)
        }
        guard recording.startedBy == principal.user || mayRecord(call, principal) else {
            throw .recording(.notAllowed)
        }
        await changeRecording(id, by: principal.user, origin) { machine, now in machine.stop(.stopped, now: now) }
        return live[id]?.recording?.recording ?? recording
    }

    /// For whoever may cancel its task. One that is over, or another one of the call, is left alone.
    package func endRecording(_ recording: RecordingID, of id: CallID) async {
        guard live[id]?.recording?.recording.id == recording else { return }
        await changeRecording(id) { machine, now in machine.stop(.stopped, now: now) }
    }

    // MARK: Consent

    /// The caller's own answer. What it forbids is not written any more when this returns.
    package func answerRecording(
        _ id: CallID, agrees: Bool, _ means: ConsentMeans, by principal: Principal, origin: RequestOrigin
    ) async throws(CallError) {
        try Self.requireScope(principal)
        _ = try await visible(id, principal)
        guard live[id]?.recording != nil else {
            guard !agrees else { throw .recording(.notOn) }
            return try await withdraw(from: id, means, by: principal, origin)
        }
        do throws(RecordingError) {
            try await changeRecording(id, by: principal.user, origin) { machine, now throws(RecordingError) in
                try machine.answer(principal.user, agrees: agrees, means, now: now)
            }
        } catch {
            throw .recording(error)
        }
    }

    /// From recordings of the call that are over.
    private func withdraw(
        from id: CallID, _ means: ConsentMeans, by principal: Principal, _ origin: RequestOrigin
    ) async throws(CallError) {
        let now = clock.now()
        let user = principal.user
        let count = try await Self.stored { () async throws(RecordingError) in
            try await recordings.withdraw(user, from: id, means, at: now) { recording in
                RecordingNote.withdrawn.event(recording, at: now, by: user, origin)
            }
        }
        guard count > 0 else { throw .recording(.notOn) }
        accounts.audit.sealSoon()
    }

    /// What people of the call see of its recording; `nil` while none is on.
    package func recording(of id: CallID, for principal: Principal) async throws(CallError) -> CallRecording? {
        try Self.requireScope(principal)
        return try await visible(id, principal).recording
    }

    /// The version that recordings are written for now.
    package nonisolated func recordingKeyVersion() throws(CallError) -> UInt32 {
        do {
            return try accounts.keys.activeVersion(of: KeyNames.recording)
        } catch {
            throw .recording(.unavailable("The key of recordings is not available"))
        }
    }

    // MARK: Who may

    private func recordable(_ id: CallID, _ principal: Principal) async throws(CallError) -> CallInfo {
        try Self.requireScope(principal)
        let call = try await visible(id, principal)
        guard mayRecord(call, principal) else { throw .recording(.notAllowed) }
        return call
    }

    private func mayRecord(_ call: CallInfo, _ principal: Principal) -> Bool {
        switch options.recording.allowed {
        case .nobody: false
        case .admins: Self.isModerator(principal)
        case .hosts:
            Self.isModerator(principal)
                || call.host == principal.user && call.participant(principal.user)?.isJoined == true
        }
    }

    // MARK: What happens by itself

    func startRecordings(abandoned: Timestamp) async throws(CallError) {
        let count = try await Self.stored { () async throws(RecordingError) in
            try await recordings.closeLeftOver(abandoned: abandoned)
        }
        if count > 0 {
            Self.log.warning("calls were being recorded when the server ended", [.count("recordings", count)])
        }
        recorder?.setListener { [weak self] call, recording, failure in
            Task { await self?.recorderFailed(call, recording, failure) }
        }
    }

    private func recorderFailed(_ id: CallID, _ recording: RecordingID, _ failure: RecorderFailure) async {
        guard live[id]?.recording?.recording.id == recording else { return }
        Self.log.error("a recording has failed", [.error(failure)])
        await changeRecording(id) { machine, now in machine.failed(now: now) }
    }

    func advanceRecordings(_ now: Timestamp) async {
        for (id, call) in live {
            if call.recording?.deadline.map({ $0 <= now }) == true {
                await changeRecording(id) { machine, now in machine.advance(now: now) }
            }
            if live[id]?.isRecordingUnsaved == true { await perform([.recording(.save)], id) }
        }
    }

    /// What the call's last event means for its recording.
    func followRecording(_ id: CallID) -> CallMachine.Effects {
        guard var machine = live[id]?.recording, let call = live[id]?.machine.call else { return [] }
        let effects = machine.follow(joined: call.joined, isOver: call.state.isOver, now: clock.now())
        keep(machine, effects, id, by: nil, .server)
        return effects.map(CallEffect.recording)
    }

    /// Sockets of these users have told them of the recording.
    func recordingTold(_ users: Set<UserID>, _ id: CallID) async {
        guard live[id]?.recording != nil else { return }
        await changeRecording(id) { machine, now in machine.told(users, now: now) }
    }

    // MARK: Changing

    private func changeRecording(
        _ id: CallID, by actor: UserID? = nil, _ origin: RequestOrigin = .server,
        _ event: (inout RecordingMachine, Timestamp) throws(RecordingError) -> RecordingMachine.Effects
    ) async throws(RecordingError) {
        guard var machine = live[id]?.recording else { throw .notOn }
        let effects = try event(&machine, clock.now())
        keep(machine, effects, id, by: actor, origin)
        await perform(effects.map(CallEffect.recording), id)
    }

    /// The same for what the server itself does, to recordings that may be over meanwhile.
    private func changeRecording(
        _ id: CallID, by actor: UserID? = nil, _ origin: RequestOrigin = .server,
        _ event: (inout RecordingMachine, Timestamp) -> RecordingMachine.Effects
    ) async {
        guard var machine = live[id]?.recording else { return }
        let effects = event(&machine, clock.now())
        keep(machine, effects, id, by: actor, origin)
        await perform(effects.map(CallEffect.recording), id)
    }

    private func keep(
        _ machine: RecordingMachine, _ effects: RecordingMachine.Effects, _ id: CallID, by actor: UserID?,
        _ origin: RequestOrigin
    ) {
        let recording = machine.recording
        live[id]?.recording = machine
        live[id]?.recordingNotes += effects.compactMap {
            RecordingNote.event($0, recording, by: actor, origin, at: clock.now())
        }
        live[id]?.machine.show(recording.state == .starting || recording.state.isOver ? nil : recording)
        if recording.state.isOver { resolve(recording.id, RecordingOutcome(recording, recording.state)) }
    }

    // MARK: Effects

    /// Inside the lane.
    func execute(_ effect: RecordingMachine.Effect, _ id: CallID) async {
        switch effect {
        case .consent(let change):
            guard let recording = live[id]?.recording?.recording.id else { return }
            await recorder?.setConsent(change, in: recording)
        case .tell(let recording): await tell(recording, id)
        case .close(let end):
            guard let recording = live[id]?.recording?.recording.id else { return }
            let bytes = await recorder?.stop(recording, because: end) ?? 0
            await executeNow(id) { machine, now in machine.closed(bytes: bytes, now: now) }
        case .save: await saveRecording(id)
        }
    }

    private func tell(_ recording: CallRecording, _ id: CallID) async {
        guard let call = live[id]?.machine.call else { return }
        let people = recording.present.map(\.user)
        guard !people.isEmpty else { return }
        let reached = events.deliver(CallNotice(call, .recording(recording)), to: people)
        guard !reached.isEmpty else { return }
        await executeNow(id) { machine, now in machine.told(reached, now: now) }
    }

    /// What follows inside the lane is executed at once.
    private func executeNow(
        _ id: CallID, _ event: (inout RecordingMachine, Timestamp) -> RecordingMachine.Effects
    ) async {
        guard var machine = live[id]?.recording else { return }
        let effects = event(&machine, clock.now())
        keep(machine, effects, id, by: nil, .server)
        for effect in effects { await execute(effect, id) }
    }

    private func saveRecording(_ id: CallID) async {
        guard let recording = live[id]?.recording?.recording, let notes = live[id]?.recordingNotes else { return }
        live[id]?.recordingNotes = []
        do {
            try await recordings.save(recording, notes)
            live[id]?.isRecordingUnsaved = false
            if !notes.isEmpty { accounts.audit.sealSoon() }
        } catch {
            live[id]?.recordingNotes.insert(contentsOf: notes, at: 0)
            live[id]?.isRecordingUnsaved = true
            Self.log.warning("a recording's row waits to be written", [.error(error)])
        }
    }

    // MARK: Who waits for the end

    private func outcome(of begun: CallRecording) async -> RecordingOutcome {
        let isOn = live[begun.call]?.recording.map { $0.recording.id == begun.id && !$0.recording.state.isOver }
        guard isOn == true else {
            let stored = try? await recordings.recording(begun.id)
            return stored.map { RecordingOutcome($0, $0.state) } ?? RecordingOutcome(begun, .failed)
        }
        return await withCheckedContinuation { recordingWaiters[begun.id, default: []].append($0) }
    }

    private func resolve(_ id: RecordingID, _ outcome: RecordingOutcome) {
        for waiter in recordingWaiters.removeValue(forKey: id) ?? [] { waiter.resume(returning: outcome) }
    }
}
