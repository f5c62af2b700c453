// The one owner of all live calls of this node: who may do what, in one actor, over the rules of `CallMachine`.
//
// A call's effects (news, media, its rows) are executed one after another, in a lane of its own: whoever caused them
// waits for them, so that somebody who was removed is not forwarded any more when the answer leaves. Other calls do
// not wait. The rows are written last; when the database is away the call goes on, and they are written later.

package import Accounts
package import Base
package import Store

package actor CallService {
    struct LiveCall {
        var machine: CallMachine
        /// The effects that are being executed, and wait to be.
        var lane: Task<Void, Never>?
        /// Stored for the first time: before that nobody but its caller's request knows it.
        var isStored = false
        var isUnsaved = false
        var recording: RecordingMachine?
        /// What the audit log is to be told with the recording's row.
        var recordingNotes: [AuditEvent] = []
        var isRecordingUnsaved = false

        /// Nothing is left to be done or written of its recording.
        var isRecordingDone: Bool {
            recording.map { $0.recording.state.isOver && !isRecordingUnsaved } ?? true
        }
    }

    /// How often a live call's row says that it is still on; a crash is dated by it.
    private static let seenInterval = Duration.seconds(30)
    /// Identifiers in one statement.
    private static let batch = 200
    static let log = Logger("calls")

    let repository: CallRepository
    let recordings: RecordingRepository
    /// `nil` where nothing records.
    let recorder: (any CallRecorder)?
    let recordingTasks: (any RecordingTasks)?
    let accounts: AccountService
    private let presence: PresenceBook
    private let media: any CallMedia
    let events: any CallEvents
    private let relay: (any RelayGate)?
    let clock: Clock
    package nonisolated let options: CallOptions
    /// Live calls, for who asks from outside.
    package nonisolated let liveGauge = Gauge()

    var live: [CallID: LiveCall] = [:]
    /// Who is in which call, and what rings for whom.
    var inCall: [UserID: CallID] = [:]
    /// The calls of places; see `CallService+Places`.
    var standing: [UUID: CallID] = [:]
    private var ringing: [UserID: Set<CallID>] = [:]
    private var isOpen = false
    private var lastSeen: Timestamp?
    /// Who waits for the end of a recording; see `CallService+Recording`.
    var recordingWaiters: [RecordingID: [CheckedContinuation<RecordingOutcome, Never>]] = [:]

    /// `node` names this server among those that share the database.
    package init(
        node: String, database: any Database, accounts: AccountService, presence: PresenceBook, media: any CallMedia,
        events: any CallEvents, relay: (any RelayGate)? = nil, recorder: (any CallRecorder)? = nil,
        recordingTasks: (any RecordingTasks)? = nil, clock: Clock = .system, options: CallOptions = CallOptions()
    ) {
        repository = CallRepository(database: database, node: node)
        recordings = RecordingRepository(database: database, node: node)
        self.recorder = recorder
        self.recordingTasks = recordingTasks
        self.accounts = accounts
        self.presence = presence
        self.media = media
        self.events = events
        self.relay = relay
        self.clock = clock
        self.options = options
    }

    // MARK: Running

    /// After so long without a note its node is taken for gone: twenty of its notes are missing.
    private static let abandonedAfter = Duration.minutes(10)

    /// Closes as `failed` what a crash of this server left on, and what a server left on that is gone. Before the first
    /// request.
    package func start() async throws(CallError) {
        let count = try await repository.closeLeftOver(abandoned: clock.now() - Self.abandonedAfter)
        if count > 0 { Self.log.warning("calls were on when the server ended", [.count("calls", count)]) }
        try await startRecordings(abandoned: clock.now() - Self.abandonedAfter)
        isOpen = true
    }

    /// Ends every call, and takes no more.
    package func stop() async {
        isOpen = false
        for id in live.keys.sorted() {
            await change(id) { machine, now in machine.close(.ended, .serverStopped, now: now) }
        }
    }

    /// What is due now: ringing that nobody answered, people who did not come back, empty calls. Called every second.
    package func advance() async {
        let now = clock.now()
        for (id, call) in live where call.machine.deadline.map({ $0 <= now }) ?? false {
            await change(id) { machine, now in machine.advance(now: now) }
        }
        for (id, call) in live where call.isUnsaved { await change(id) { _, _ in [] } }
        await advanceRecordings(now)
        await noteSeen(now)
    }

    private func noteSeen(_ now: Timestamp) async {
        if let lastSeen, now < lastSeen + Self.seenInterval { return }
        lastSeen = now
        var ids = live.filter { !$0.value.machine.call.state.isOver }.map(\.key)[...]
        while !ids.isEmpty {
            do {
                try await repository.seen(Array(ids.prefix(Self.batch)), now: now)
            } catch {
                Self.log.warning("live calls could not be noted", [.error(error)])
                return
            }
            ids = ids.dropFirst(Self.batch)
        }
    }

    package var liveCount: Int { live.count }

    // MARK: Calling (REST and sockets)

    package func initiate(_ new: NewCall, by principal: Principal) async throws(CallError) -> CallAdmission {
        try Self.requireScope(principal)
        let caller = principal.user
        let invited = try await callable(new.invited, besides: caller)
        guard !invited.isEmpty else {
            throw .validation(field: "participants", reason: "names nobody but the caller")
        }
        try requireRoom(for: caller)
        let now = clock.now()
        let machine = CallMachine(
            CallID.timeOrdered(at: now),
            NewCall(
                kind: new.kind, invited: invited, permissions: new.permissions, preferredCodecs: new.preferredCodecs),
            shape: invited.count == 1 ? .direct : .group, caller: caller, device: DeviceID(principal),
            options: options, now: now)
        let id = machine.call.id
        // Nothing is awaited between the check and this: the caller cannot begin a second one meanwhile.
        live[id] = LiveCall(machine: machine)
        liveGauge.add(1)
        inCall[caller] = id
        do {
            try await repository.insert(
                machine.call, limit: options.initiations, since: now - options.initiationWindow,
                window: options.initiationWindow)
        } catch {
            forget(id)
            throw error
        }
        live[id]?.isStored = true
        _ = live[id]?.machine.takeUnsaved()
        let busy = Set(invited.filter { isBusy($0) })
        await change(id) { machine, now in machine.begin(busy: busy, now: now) }
        return try await admission(id, principal, machine.call)
    }

    /// Accepts, enters or comes back. The signaling socket has to be there soon: see `attach`.
    package func join(_ id: CallID, by principal: Principal) async throws(CallError) -> CallAdmission {
        let call = try await enter(id, principal)
        return try await admission(id, principal, call)
    }

    /// What calls.md's `end` means for whoever asks: declines while it rings for them, cancels while nobody has
    /// answered, ends a call of two, ends any call for its host; everybody else leaves.
    package func end(_ id: CallID, by principal: Principal) async throws(CallError) {
        let call = try await visible(id, principal)
        let isIn = call.participant(principal.user) != nil
        let actor: CallActor = isIn ? .participant(principal.user) : .moderator(principal.user)
        try await change(id) { machine, now throws(CallError) in
            try machine.end(actor, device: DeviceID(principal), now: now)
        }
    }

    package func decline(_ id: CallID, by principal: Principal) async throws(CallError) {
        _ = try await visible(id, principal)
        try await change(id) { machine, now throws(CallError) in
            try machine.decline(principal.user, device: DeviceID(principal), now: now)
        }
    }

    /// Goes, or declines where they are only called.
    package func leave(_ id: CallID, by principal: Principal) async throws(CallError) {
        _ = try await visible(id, principal)
        try await change(id) { machine, now throws(CallError) in
            try machine.leave(principal.user, device: DeviceID(principal), now: now)
        }
    }

    // MARK: Reading

    package func call(_ id: CallID, for principal: Principal) async throws(CallError) -> CallInfo {
        try await visible(id, principal)
    }

    /// The calls that are on and concern the user.
    package func activeCalls(of user: UserID) -> [CallInfo] {
        var ids = ringing[user] ?? []
        if let id = inCall[user] { ids.insert(id) }
        return ids.sorted().compactMap { live[$0] }.filter { $0.isStored && !$0.machine.call.state.isOver }
            .map(\.machine.call)
    }

    /// Calls that are over, the newest first.
    package func history(
        of user: UserID, conversation: UUID?, offset: Int, limit: Int
    ) async throws(CallError) -> Page<CallInfo> {
        try await repository.history(of: user, conversation: conversation, offset: offset, limit: limit)
    }

    /// For the call's owner and for `calls.admin`; live or as kept at the end.
    package func metrics(
        of id: CallID, for principal: Principal
    ) async throws(CallError) -> (call: CallInfo, measurements: [UserID: ParticipantMeasurements]) {
        let call = try await visible(id, principal)
        guard call.caller == principal.user || Self.isModerator(principal) else { throw .notHost }
        var measurements: [UserID: ParticipantMeasurements] = [:]
        for participant in call.participants { measurements[participant.user] = participant.measurements }
        if !call.state.isOver {
            measurements.merge(await media.measurements(of: id)) { _, now in now }
        }
        return (call, measurements)
    }

    /// What clients are told of relays, with credentials for the call that they are in, or for nothing in particular.
    package func iceConfiguration(for principal: Principal) -> ICEConfiguration {
        let participant = inCall[principal.user].flatMap { live[$0]?.machine.call.participant(principal.user) }
        return options.relays.configuration(for: participant?.session ?? .random(), now: clock.now())
    }

    // MARK: Sockets

    /// Whom a signaling token is for, while the login that it was given to counts.
    package func principal(
        ofSignalingToken token: String
    ) async throws(CallError) -> (principal: Principal, call: CallID) {
        do {
            let redeemed = try await accounts.authenticator.redeem(token, for: .signaling)
            return (redeemed.principal, CallID(redeemed.subject))
        } catch {
            throw .account(error)
        }
    }

    /// A socket of this login is there for this call: joins it where it has not joined yet, and ends the waiting for
    /// a lost device. Returns the call and what media may do for them.
    package func attach(
        _ id: CallID, by principal: Principal
    ) async throws(CallError) -> (call: CallInfo, permissions: MediaPermissions) {
        _ = try await enter(id, principal)
        try await change(id) { machine, now throws(CallError) in
            try machine.attach(principal.user, device: DeviceID(principal), now: now)
        }
        await recordingTold([principal.user], id)
        let call = try await visible(id, principal)
        return (call, call.participant(principal.user)?.effectivePermissions ?? [])
    }

    /// The login's last socket for this call is gone. Its place is kept for the grace time; media goes on meanwhile.
    package func detach(_ id: CallID, user: UserID, device: DeviceID) async {
        await change(id) { machine, now in machine.detach(user, device: device, now: now) }
    }

    /// Calls that ring for a user now: for a device that has just connected, which counts as having been told.
    package func incomingCalls(for user: UserID) async -> [CallInfo] {
        for id in (ringing[user] ?? []).sorted() {
            await change(id) { machine, _ in machine.alerted([user]) }
        }
        return activeCalls(of: user).filter { $0.participant(user)?.isCalled == true }
    }

    /// Mute, video off, hold, raised hand: one's own.
    package func change(_ id: CallID, _ wanted: ControlsChange, by principal: Principal) async throws(CallError) {
        _ = try await visible(id, principal)
        try await change(id) { machine, _ throws(CallError) in try machine.change(principal.user, wanted) }
    }

    /// Media of somebody broke for good: they leave as if their connection were lost.
    package func mediaEnded(_ id: CallID, user: UserID) async {
        await change(id) { machine, now in machine.lose(user, now: now) }
    }

    // MARK: Logins that end

    /// Whoever is in a call with this login has left it, and their media with them.
    package func loginEnded(_ device: DeviceID) async {
        for (user, id) in inCall where live[id]?.machine.call.participant(user)?.device == device {
            await leave(id, user, device)
        }
    }

    private func sessionsEnded(of user: UserID, but kept: DeviceID?) async {
        guard let id = inCall[user], let device = live[id]?.machine.call.participant(user)?.device, device != kept,
            !device.isKey
        else { return }
        await leave(id, user, device)
    }

    private func leave(_ id: CallID, _ user: UserID, _ device: DeviceID) async {
        await change(id) { machine, now in
            guard machine.call.participant(user)?.device == device else { return [] }
            return (try? machine.leave(user, device: device, now: now)) ?? []
        }
    }

    /// Out of the call that they are in, and of those that ring for them.
    private func accountEnded(_ user: UserID) async {
        var ids = ringing[user] ?? []
        if let id = inCall[user] { ids.insert(id) }
        for id in ids.sorted() {
            await change(id) { machine, now in (try? machine.remove(user, by: .moderator(user), now: now)) ?? [] }
        }
    }

    // MARK: The host's powers (`calls.admin` has them everywhere)

    package func invite(_ users: [UserID], to id: CallID, by principal: Principal) async throws(CallError) {
        let actor = try await actor(id, principal)
        let invited = try await callable(users, besides: principal.user)
        let busy = Set(invited.filter { isBusy($0) })
        try await change(id) { machine, now throws(CallError) in
            try machine.invite(invited, by: actor, busy: busy, now: now)
        }
    }

    /// Switches somebody's microphone off; they may switch it on again.
    package func mute(_ user: UserID, in id: CallID, by principal: Principal) async throws(CallError) {
        let actor = try await actor(id, principal)
        try await change(id) { machine, _ throws(CallError) in try machine.mute(user, by: actor) }
    }

    /// What somebody may do until it is changed again.
    package func setPermissions(
        _ permissions: MediaPermissions, of user: UserID, in id: CallID, by principal: Principal
    ) async throws(CallError) {
        let actor = try await actor(id, principal)
        try await change(id) { machine, _ throws(CallError) in
            try machine.setPermissions(permissions, of: user, by: actor)
        }
    }

    package func changePermissions(
        _ change: PermissionsChange, of user: UserID, in id: CallID, by principal: Principal
    ) async throws(CallError) {
        let actor = try await actor(id, principal)
        try await self.change(id) { machine, _ throws(CallError) in
            try machine.changePermissions(change, of: user, by: actor)
        }
    }

    /// Their media is cut before this returns.
    package func remove(_ user: UserID, from id: CallID, by principal: Principal) async throws(CallError) {
        let actor = try await actor(id, principal)
        try await change(id) { machine, now throws(CallError) in try machine.remove(user, by: actor, now: now) }
    }

    package func setLocked(_ isLocked: Bool, _ id: CallID, by principal: Principal) async throws(CallError) {
        let actor = try await actor(id, principal)
        try await change(id) { machine, _ throws(CallError) in try machine.setLocked(isLocked, by: actor) }
    }

    package func endForAll(_ id: CallID, by principal: Principal) async throws(CallError) {
        let actor = try await actor(id, principal)
        try await change(id) { machine, now throws(CallError) in try machine.endForAll(actor, now: now) }
    }

    // MARK: Who may

    static func requireScope(_ principal: Principal) throws(CallError) {
        guard principal.has(.calls) || principal.isAdmin else { throw .scopeMissing }
    }

    static func isModerator(_ principal: Principal) -> Bool {
        principal.isAdmin || principal.has(.callsAdmin)
    }

    /// A call that the principal has part in, or may look into. Others are told that there is none.
    func visible(_ id: CallID, _ principal: Principal) async throws(CallError) -> CallInfo {
        let found: CallInfo?
        if let call = live[id], call.isStored {
            found = call.machine.call
        } else {
            found = try await repository.call(id)
        }
        guard let found, found.participant(principal.user) != nil || Self.isModerator(principal) else {
            throw .notFound
        }
        return found
    }

    /// As whom the principal wants something that a host may.
    private func actor(_ id: CallID, _ principal: Principal) async throws(CallError) -> CallActor {
        try Self.requireScope(principal)
        let call = try await visible(id, principal)
        if call.host != principal.user, Self.isModerator(principal) { return .moderator(principal.user) }
        return .participant(principal.user)
    }

    /// People who can be called: active accounts of persons, each once.
    private func callable(_ users: [UserID], besides caller: UserID) async throws(CallError) -> [UserID] {
        var seen: Set<UserID> = [caller]
        let wanted = users.filter { seen.insert($0).inserted }
        guard wanted.count < options.participantsPerCall else { throw .callFull(limit: options.participantsPerCall) }
        for id in wanted {
            let user: User
            do {
                user = try await accounts.user(id)
            } catch {
                throw error == .notFound ? .unknownUser : .account(error)
            }
            guard user.isActive, user.kind == .person else { throw .unknownUser }
        }
        return wanted
    }

    func requireRoom(for caller: UserID) throws(CallError) {
        guard isOpen else { throw .unavailable("the server is stopping") }
        guard media.isAvailable else { throw .unavailable("this server takes no part in calls (media.enabled)") }
        if let other = inCall[caller] { throw .alreadyInCall(other) }
        guard live.count < options.liveCalls else { throw .serverFull(limit: options.liveCalls) }
    }

    private func isBusy(_ user: UserID) -> Bool {
        inCall[user] != nil || (ringing[user]?.count ?? 0) >= options.ringsPerUser
    }

    private func enter(_ id: CallID, _ principal: Principal) async throws(CallError) -> CallInfo {
        try Self.requireScope(principal)
        let call = try await visible(id, principal)
        // A moderator sees the call, and is not in it.
        guard call.participant(principal.user) != nil else { throw .notFound }
        guard isOpen else { throw .unavailable("the server is stopping") }
        if let other = inCall[principal.user], other != id { throw .alreadyInCall(other) }
        try await change(id) { machine, now throws(CallError) in
            try machine.join(principal.user, device: DeviceID(principal), now: now)
        }
        return live[id]?.machine.call ?? call
    }

    func admission(
        _ id: CallID, _ principal: Principal, _ call: CallInfo
    ) async throws(CallError) -> CallAdmission {
        do {
            let ticket = try await accounts.ticket(
                for: .signaling, of: id.uuid, to: principal, lifetime: options.tokenLifetime)
            return CallAdmission(
                call: live[id]?.machine.call ?? call, token: ticket.token, tokenExpiresAt: ticket.expiresAt)
        } catch {
            throw .account(error)
        }
    }

    // MARK: Changing a call

    /// Runs an event and waits until its effects have happened. `notFound` and `over` for a call that is not live.
    func change(
        _ id: CallID, _ event: (inout CallMachine, Timestamp) throws(CallError) -> CallMachine.Effects
    ) async throws(CallError) {
        guard var machine = live[id]?.machine else {
            let stored = try await repository.call(id)
            guard let stored else { throw .notFound }
            guard stored.state.isOver else { throw .unavailable("another server of this database has the call") }
            throw .over(stored.state)
        }
        let before = machine.call
        let effects = try event(&machine, clock.now())
        live[id]?.machine = machine
        index(before, machine.call)
        await perform(effects + followRecording(id), id)
    }

    /// The same for what the server itself does, to calls that may be over meanwhile.
    func change(_ id: CallID, _ event: (inout CallMachine, Timestamp) -> CallMachine.Effects) async {
        guard live[id] != nil else { return }
        do {
            try await change(id) { machine, now throws(CallError) in event(&machine, now) }
        } catch {
            Self.log.warning("a call could not be changed", [.error(error)])
        }
    }

    private func index(_ before: CallInfo, _ after: CallInfo) {
        for participant in before.participants { unindex(participant.user, before.id) }
        guard !after.state.isOver else {
            // Who comes now begins another one.
            if let place = after.conversation, standing[place] == after.id { standing[place] = nil }
            return
        }
        for participant in after.participants {
            if participant.isJoined { inCall[participant.user] = after.id }
            if participant.isCalled { ringing[participant.user, default: []].insert(after.id) }
        }
    }

    private func unindex(_ user: UserID, _ id: CallID) {
        if inCall[user] == id { inCall[user] = nil }
        guard ringing[user]?.remove(id) != nil, ringing[user]?.isEmpty == true else { return }
        ringing[user] = nil
    }

    func forget(_ id: CallID) {
        guard let call = live.removeValue(forKey: id)?.machine.call else { return }
        liveGauge.add(-1)
        if let place = call.conversation, standing[place] == id { standing[place] = nil }
        for participant in call.participants { unindex(participant.user, id) }
    }

    // MARK: Effects

    func perform(_ effects: CallMachine.Effects, _ id: CallID) async {
        let before = live[id]?.lane
        let lane = Task {
            await before?.value
            await execute(effects, id)
        }
        live[id]?.lane = lane
        await lane.value
        guard live[id]?.lane == lane else { return }
        live[id]?.lane = nil
        guard let call = live[id], call.isRecordingDone else { return }
        live[id]?.recording = nil
        // What is over and stored is read from the database from here on.
        if call.machine.call.state.isOver, !call.isUnsaved { forget(id) }
    }

    private func execute(_ effects: CallMachine.Effects, _ id: CallID) async {
        for effect in effects { await execute(effect, id) }
        await save(id)
    }

    private func execute(_ effect: CallEffect, _ id: CallID) async {
        switch effect {
        case .tell(let notice, let users):
            let reached = events.deliver(notice, to: users)
            if notice.event == .incoming, !reached.isEmpty { await alerted(reached, id) }
        case .admit(let user, let permissions): await media.admit(user, to: id, with: permissions)
        case .setPermissions(let user, let permissions):
            await media.setPermissions(permissions, of: user, in: id)
        case .cut(let user):
            if let measured = await media.cut(user, from: id) { live[id]?.machine.measured(user, measured) }
        case .revoke(let session): await relay?.revoke(session: "\(session)")
        case .closeRoom: await media.close(id)
        case .presence(let user, let isInCall): presence.setInCall(user, isInCall)
        case .recording(let effect): await execute(effect, id)
        }
    }

    /// Inside the lane: what follows is executed at once.
    private func alerted(_ users: Set<UserID>, _ id: CallID) async {
        guard let effects = live[id]?.machine.alerted(users) else { return }
        for effect in effects { await execute(effect, id) }
    }

    private func save(_ id: CallID) async {
        guard live[id]?.isStored == true, let unsaved = live[id]?.machine.takeUnsaved(),
            let call = live[id]?.machine.call
        else { return }
        do {
            try await repository.save(call, changed: unsaved.participants, now: clock.now())
            live[id]?.isUnsaved = false
        } catch {
            live[id]?.machine.keepUnsaved()
            live[id]?.isUnsaved = true
            Self.log.warning("a call's rows wait to be written", [.error(error)])
        }
    }
}

extension CallService: AccountEvents {
    package func happened(_ event: AccountEvent) async {
        switch event {
        case .sessionEnded(let id): await loginEnded(DeviceID(id.uuid))
        case .keyRevoked(let id): await loginEnded(DeviceID(id.uuid, isKey: true))
        case .sessionsEnded(let user, let kept): await sessionsEnded(of: user, but: kept.map { DeviceID($0.uuid) })
        case .accountEnded(let user): await accountEnded(user)
        // Nobody's login is over: who has to show a credential again keeps their place meanwhile.
        case .sessionsMayHaveEnded, .rightsChanged, .credentialsDiscarded: break
        }
    }
}
