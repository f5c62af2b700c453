// The rules of a call, as a value: it takes an event and the time, changes itself, and says what has to be done about it.
// It owns no clock, no task and no socket; `CallService` executes the effects in their order.
//
//     initiating --alerted--> ringing --second person joins--> ongoing --> ended
//          \                     |                                  \
//           '--- missed, declined (nobody came, nobody wanted) ------'--> failed (a fault of the server)
//
// An event that cannot be (joining what is over) is a `CallError`; one that makes no difference has no effects.

package import Base

/// What has to be done after an event, in order.
package enum CallEffect: Sendable, Equatable {
    case tell(CallNotice, to: [UserID])
    case admit(UserID, MediaPermissions)
    case setPermissions(UserID, MediaPermissions)
    case cut(UserID)
    /// The relays' credentials of this session are worth nothing from now on.
    case revoke(session: UUID)
    case closeRoom
    /// Whether somebody is in a call now, for their presence.
    case presence(UserID, isInCall: Bool)
    /// What `RecordingMachine` says.
    case recording(RecordingMachine.Effect)
}

/// Who wants something that not everybody may.
package enum CallActor: Sendable, Equatable {
    case participant(UserID)
    /// `calls.admin`: may do in every call what its host may.
    case moderator(UserID)
}

package struct CallMachine: Sendable {
    package typealias Effects = [CallEffect]

    package struct Times: Sendable {
        package var ring: Duration
        package var resume: Duration
        package var empty: Duration

        package init(_ options: CallOptions) {
            ring = options.ringTime
            resume = options.resumeGrace
            empty = options.emptyGrace
        }
    }

    package private(set) var call: CallInfo
    private let times: Times
    private let participantsMax: Int
    /// What participants of a later invitation are given.
    private let permissions: MediaPermissions
    /// Until when somebody's devices ring.
    private var rings: [UserID: Timestamp] = [:]
    /// When an empty call is over.
    private var emptyUntil: Timestamp?
    /// Whose rows differ from what is stored, since `takeUnsaved`.
    private var unsaved: Set<UserID> = []
    private var isUnsaved = true

    // MARK: Beginning

    /// The caller is in it from the start. `session` names a participant to who must not know them.
    package init(
        _ id: CallID, _ new: NewCall, shape: CallShape, caller: UserID, device: DeviceID, conversation: UUID? = nil,
        options: CallOptions, now: Timestamp, session: () -> UUID = UUID.random
    ) {
        times = Times(options)
        participantsMax = options.participantsPerCall
        permissions = new.permissions
        var first = CallParticipant(
            user: caller, state: .joined, session: session(), invitedAt: now, permissions: new.permissions)
        first.device = device
        first.link = .expected(until: now + options.resumeGrace)
        first.joinedAt = now
        let others = new.invited.map {
            CallParticipant(
                user: $0, state: .invited, session: session(), invitedAt: now, permissions: new.permissions)
        }
        call = CallInfo(
            id: id, shape: shape, kind: new.kind, caller: caller, host: caller, conversation: conversation,
            state: shape == .standing ? .ongoing : .initiating, createdAt: now, participants: [first] + others,
            preferredCodecs: new.preferredCodecs)
        if shape == .standing { call.answeredAt = now }
        unsaved = Set(call.participants.map(\.user))
    }

    /// Rings whoever is not busy. Called once, when the call is stored.
    package mutating func begin(busy: Set<UserID>, now: Timestamp) -> Effects {
        var effects: Effects = [
            .admit(call.caller, effective(call.caller)), .presence(call.caller, isInCall: true),
        ]
        ring(call.participants.filter(\.isCalled).map(\.user), busy: busy, now: now, &effects)
        settle(now, by: nil, &effects)
        return effects
    }

    private mutating func ring(_ users: [UserID], busy: Set<UserID>, now: Timestamp, _ effects: inout Effects) {
        for user in users where busy.contains(user) { change(user) { $0.state = .busy } }
        for user in users where !busy.contains(user) {
            rings[user] = now + times.ring
            tell(.incoming, to: [user], &effects)
        }
    }

    /// Devices of these users have the call.
    package mutating func alerted(_ users: Set<UserID>) -> Effects {
        guard !call.state.isOver else { return [] }
        var effects: Effects = []
        for participant in call.participants where users.contains(participant.user) && participant.state == .invited {
            change(participant.user) { $0.state = .ringing }
        }
        if call.state == .initiating, call.participants.contains(where: { $0.state == .ringing }) {
            become(.ringing, by: nil, &effects)
        }
        return effects
    }

    /// Adds people to a call that is on; who left, refused or was not reached is rung again.
    package mutating func invite(
        _ users: [UserID], by actor: CallActor, busy: Set<UserID>, now: Timestamp, session: () -> UUID = UUID.random
    ) throws(CallError) -> Effects {
        try requireHost(actor)
        guard call.shape == .group else {
            throw .validation(field: "participants", reason: "only a group's call takes more people")
        }
        let new = users.filter { call.participant($0) == nil }
        guard call.participants.count + new.count <= participantsMax else { throw .callFull(limit: participantsMax) }
        guard !users.contains(where: { call.participant($0)?.state == .removed }) else { throw .removed }
        for user in new {
            call.participants.append(
                CallParticipant(
                    user: user, state: .invited, session: session(), invitedAt: now, permissions: permissions))
            note(user)
        }
        let again = users.filter { user in
            guard let known = call.participant(user), !new.contains(user) else { return false }
            return !known.isJoined && !known.isCalled
        }
        for user in again { change(user) { $0.state = .invited } }
        var effects: Effects = []
        ring(new + again, busy: busy, now: now, &effects)
        for user in new + again { tell(.updated(user), to: call.joined, &effects) }
        return effects
    }

    // MARK: Coming

    /// Accepts, enters, or comes back. `isMember`: of the place that a standing call belongs to.
    package mutating func join(
        _ user: UserID, device: DeviceID, now: Timestamp, isMember: Bool = false, session: () -> UUID = UUID.random
    ) throws(CallError) -> Effects {
        guard !call.state.isOver else { throw .over(call.state) }
        guard let participant = call.participant(user) else {
            guard call.shape == .standing, isMember else { throw .notFound }
            guard !call.isLocked else { throw .locked }
            guard call.joined.count < participantsMax else { throw .callFull(limit: participantsMax) }
            call.participants.append(
                CallParticipant(
                    user: user, state: .left, session: session(), invitedAt: now, permissions: permissions))
            return enter(user, device, now, session())
        }
        switch participant.state {
        case .removed: throw .removed
        case .joined: return try comeBack(participant, device, now, session())
        case .invited, .ringing, .left, .declined, .missed, .busy:
            // To have been in it is no right to come in: the place may have other members by now.
            guard call.shape != .standing || isMember else { throw .notJoined }
            guard !call.isLocked || user == call.host else { throw .locked }
            return enter(user, device, now, session())
        }
    }

    private mutating func enter(
        _ user: UserID, _ device: DeviceID, _ now: Timestamp, _ session: UUID
    ) -> Effects {
        let wasCalled = call.participant(user)?.isCalled == true
        rings[user] = nil
        emptyUntil = nil
        let until = now + times.resume
        change(user) {
            // The relays' credentials of the last time were revoked with it.
            if $0.joinedAt != nil { $0.session = session }
            $0.state = .joined
            $0.device = device
            $0.link = .expected(until: until)
            $0.joinedAt = $0.joinedAt ?? now
            $0.controls = ParticipantControls()
        }
        var effects: Effects = [.admit(user, effective(user)), .presence(user, isInCall: true)]
        if wasCalled { tell(.ringingStopped(.answeredElsewhere, except: device), to: [user], &effects) }
        tell(.joined(user), to: call.present, &effects)
        // An empty call's host had gone.
        if call.participant(call.host)?.isJoined != true { pass(hostTo: user, &effects) }
        if call.joined.count >= 2, call.state == .initiating || call.state == .ringing {
            call.answeredAt = now
            become(.ongoing, by: user, &effects)
        }
        return effects
    }

    /// A second join: from the same device it changes nothing, from another one it is refused unless the first is lost.
    private mutating func comeBack(
        _ participant: CallParticipant, _ device: DeviceID, _ now: Timestamp, _ session: UUID
    ) throws(CallError) -> Effects {
        if participant.device == device {
            if case .expected? = participant.link {
                let until = now + times.resume
                change(participant.user) { $0.link = .expected(until: until) }
            }
            return []
        }
        guard participant.isLost else { throw .answeredElsewhere }
        let until = now + times.resume
        // What the lost device still sends must not mix with what the new one will.
        var effects: Effects = [.cut(participant.user)] + revocation(of: participant.user)
        change(participant.user) {
            $0.device = device
            $0.link = .expected(until: until)
            $0.session = session
        }
        effects.append(.admit(participant.user, effective(participant.user)))
        tell(.updated(participant.user), to: call.joined, &effects)
        return effects
    }

    /// The joined device has a socket open for this call.
    package mutating func attach(_ user: UserID, device: DeviceID, now: Timestamp) throws(CallError) -> Effects {
        guard !call.state.isOver else { throw .over(call.state) }
        guard let participant = call.participant(user), participant.isJoined else { throw .notJoined }
        guard participant.device == device else { throw .answeredElsewhere }
        change(user) { $0.link = .attached }
        guard participant.isLost else { return [] }
        var effects: Effects = []
        tell(.updated(user), to: call.joined, &effects)
        return effects
    }

    /// The last socket of the joined device is gone.
    package mutating func detach(_ user: UserID, device: DeviceID, now: Timestamp) -> Effects {
        guard !call.state.isOver, let participant = call.participant(user), participant.isJoined,
            participant.device == device, participant.link == .attached
        else { return [] }
        let until = now + times.resume
        change(user) { $0.link = .lost(until: until) }
        var effects: Effects = []
        tell(.updated(user), to: call.joined, &effects)
        return effects
    }

    // MARK: Going

    /// What `end` means for whoever asks; see `CallService.end`.
    package mutating func end(
        _ actor: CallActor, device: DeviceID, now: Timestamp
    ) throws(CallError) -> Effects {
        guard !call.state.isOver else { throw .over(call.state) }
        guard case .participant(let user) = actor, let participant = call.participant(user) else {
            return try endForAll(actor, now: now)
        }
        if participant.isCalled { return try decline(user, device: device, now: now) }
        if call.host == user, call.joined.count > 1, call.shape == .group { return try endForAll(actor, now: now) }
        return try leave(user, device: device, now: now)
    }

    package mutating func decline(_ user: UserID, device: DeviceID, now: Timestamp) throws(CallError) -> Effects {
        guard !call.state.isOver else { throw .over(call.state) }
        guard let participant = call.participant(user) else { throw .notFound }
        guard participant.isCalled else { throw participant.isJoined ? .answeredElsewhere : .notJoined }
        var effects: Effects = []
        stopCalling(user, .declined, .declinedElsewhere, except: device, by: user, &effects)
        settle(now, by: user, &effects)
        return effects
    }

    /// Hangs up; who is only called declines.
    package mutating func leave(_ user: UserID, device: DeviceID, now: Timestamp) throws(CallError) -> Effects {
        guard !call.state.isOver else { throw .over(call.state) }
        guard let participant = call.participant(user) else { throw .notFound }
        if participant.isCalled { return try decline(user, device: device, now: now) }
        guard participant.isJoined else { throw .notJoined }
        var effects: Effects = []
        takeOut(user, .left, .left, now, &effects)
        settle(now, by: user, &effects)
        return effects
    }

    /// The connection of somebody who is in it is not coming back.
    package mutating func lose(_ user: UserID, now: Timestamp) -> Effects {
        guard !call.state.isOver, call.participant(user)?.isJoined == true else { return [] }
        var effects: Effects = []
        takeOut(user, .left, .connectionLost, now, &effects)
        settle(now, by: user, because: .connectionLost, &effects)
        return effects
    }

    /// Is no member of the place any more that a standing call belongs to. Who is one again may come back.
    package mutating func expel(_ user: UserID, now: Timestamp) -> Effects {
        guard !call.state.isOver, call.participant(user)?.isJoined == true else { return [] }
        var effects: Effects = []
        takeOut(user, .left, .removed, now, &effects)
        settle(now, by: nil, &effects)
        return effects
    }

    // MARK: What the host may do

    package mutating func mute(_ user: UserID, by actor: CallActor) throws(CallError) -> Effects {
        try requireHost(actor)
        guard call.participant(user)?.isJoined == true else { throw .notJoined }
        return apply(ControlsChange(isMuted: true), to: user)
    }

    package mutating func setPermissions(
        _ permissions: MediaPermissions, of user: UserID, by actor: CallActor
    ) throws(CallError) -> Effects {
        try requireHost(actor)
        guard let participant = call.participant(user) else { throw .notJoined }
        guard participant.permissions != permissions else { return [] }
        change(user) { $0.permissions = permissions }
        guard participant.isJoined else { return [] }
        var effects: Effects = [.setPermissions(user, effective(user))]
        tell(.updated(user), to: call.joined, &effects)
        return effects
    }

    /// Of what they have now; see `setPermissions`.
    package mutating func changePermissions(
        _ change: PermissionsChange, of user: UserID, by actor: CallActor
    ) throws(CallError) -> Effects {
        let permissions = change.applied(to: call.participant(user)?.permissions ?? .all)
        return try setPermissions(permissions, of: user, by: actor)
    }

    package mutating func remove(_ user: UserID, by actor: CallActor, now: Timestamp) throws(CallError) -> Effects {
        try requireHost(actor)
        guard let participant = call.participant(user), participant.state != .removed else { throw .notJoined }
        guard .participant(user) != actor else {
            throw .validation(field: "user_id", reason: "who hosts the call leaves it instead")
        }
        var effects: Effects = []
        if participant.isJoined {
            takeOut(user, .removed, .removed, now, &effects)
        } else if participant.isCalled {
            stopCalling(user, .removed, .removed, except: nil, by: nil, &effects)
        } else {
            change(user) { $0.state = .removed }
        }
        settle(now, by: nil, because: .endedForAll, &effects)
        return effects
    }

    package mutating func setLocked(_ isLocked: Bool, by actor: CallActor) throws(CallError) -> Effects {
        try requireHost(actor)
        guard call.isLocked != isLocked else { return [] }
        call.isLocked = isLocked
        isUnsaved = true
        var effects: Effects = []
        tell(.lockChanged, to: call.joined, &effects)
        return effects
    }

    package mutating func endForAll(_ actor: CallActor, now: Timestamp) throws(CallError) -> Effects {
        try requireHost(actor)
        var effects: Effects = []
        let by: UserID? = if case .participant(let user) = actor { user } else { nil }
        let isOn = call.state == .ongoing
        finish(isOn ? .ended : .missed, isOn ? .endedForAll : .cancelled, now, by: by, &effects)
        return effects
    }

    // MARK: One's own controls

    package mutating func change(_ user: UserID, _ wanted: ControlsChange) throws(CallError) -> Effects {
        guard !call.state.isOver else { throw .over(call.state) }
        guard let participant = call.participant(user), participant.isJoined else { throw .notJoined }
        if wanted.isMuted == false, !participant.permissions.contains(.sendAudio) { throw .notPermitted }
        if wanted.isVideoOff == false, !participant.permissions.contains(.sendVideo) { throw .notPermitted }
        return apply(wanted, to: user)
    }

    private mutating func apply(_ wanted: ControlsChange, to user: UserID) -> Effects {
        guard let participant = call.participant(user) else { return [] }
        var controls = participant.controls
        controls.isMuted = wanted.isMuted ?? controls.isMuted
        controls.isVideoOff = wanted.isVideoOff ?? controls.isVideoOff
        controls.isHeld = wanted.isHeld ?? controls.isHeld
        controls.isHandRaised = wanted.isHandRaised ?? controls.isHandRaised
        guard controls != participant.controls else { return [] }
        change(user) { $0.controls = controls }
        var effects: Effects = []
        if participant.effectivePermissions != effective(user) {
            effects.append(.setPermissions(user, effective(user)))
        }
        tell(.updated(user), to: call.joined, &effects)
        return effects
    }

    // MARK: Time

    /// When `advance` has something to do; `nil` while nothing is due ever.
    package var deadline: Timestamp? {
        let links = call.participants.lazy.compactMap(\.linkDeadline)
        return [rings.values.min(), links.min(), emptyUntil].compactMap { $0 }.min()
    }

    package mutating func advance(now: Timestamp) -> Effects {
        guard !call.state.isOver, let deadline, deadline <= now else { return [] }
        var effects: Effects = []
        for (user, until) in rings.sorted(by: { $0.key < $1.key }) where until <= now {
            stopCalling(user, .missed, .timeout, except: nil, by: nil, &effects)
        }
        for user in call.participants.filter({ $0.linkDeadline.map { $0 <= now } ?? false }).map(\.user) {
            takeOut(user, .left, .connectionLost, now, &effects)
        }
        settle(now, by: nil, because: .connectionLost, &effects)
        return effects
    }

    /// The server ends it.
    package mutating func close(_ state: CallState, _ reason: CallEnd, now: Timestamp) -> Effects {
        guard !call.state.isOver else { return [] }
        var effects: Effects = []
        finish(state, reason, now, by: nil, &effects)
        return effects
    }

    // MARK: Storing

    /// What was changed since the last time: the call itself, and whose rows.
    package mutating func takeUnsaved() -> (isCallChanged: Bool, participants: [CallParticipant])? {
        guard isUnsaved || !unsaved.isEmpty else { return nil }
        defer {
            isUnsaved = false
            unsaved = []
        }
        return (isUnsaved, call.participants.filter { unsaved.contains($0.user) })
    }

    /// What was taken could not be stored.
    package mutating func keepUnsaved() {
        isUnsaved = true
        unsaved = Set(call.participants.map(\.user))
    }

    /// What is told of the call's recording: nothing is stored of it with the call.
    mutating func show(_ recording: CallRecording?) { call.recording = recording }

    package mutating func measured(_ user: UserID, _ measurements: ParticipantMeasurements) {
        change(user) { $0.measurements = measurements }
    }

    // MARK: Parts

    private func requireHost(_ actor: CallActor) throws(CallError) {
        guard !call.state.isOver else { throw .over(call.state) }
        switch actor {
        case .moderator: return
        case .participant(let user):
            guard call.participant(user) != nil else { throw .notFound }
            guard user == call.host else { throw .notHost }
        }
    }

    private func effective(_ user: UserID) -> MediaPermissions {
        call.participant(user)?.effectivePermissions ?? []
    }

    private mutating func change(_ user: UserID, _ body: (inout CallParticipant) -> Void) {
        guard let index = call.participants.firstIndex(where: { $0.user == user }) else { return }
        body(&call.participants[index])
        note(user)
    }

    private mutating func note(_ user: UserID) { unsaved.insert(user) }

    private mutating func become(_ state: CallState, by user: UserID?, _ effects: inout Effects) {
        call.state = state
        isUnsaved = true
        tell(.status(by: user), to: call.present, &effects)
    }

    private func tell(_ event: CallNotice.Event, to users: [UserID], _ effects: inout Effects) {
        if !users.isEmpty { effects.append(.tell(CallNotice(call, event), to: users)) }
    }

    private mutating func pass(hostTo user: UserID, _ effects: inout Effects) {
        call.host = user
        isUnsaved = true
        tell(.hostChanged, to: call.joined, &effects)
    }

    /// Somebody is not called any more, and has not come.
    private mutating func stopCalling(
        _ user: UserID, _ state: CallParticipant.State, _ reason: RingingEnd, except device: DeviceID?, by: UserID?,
        _ effects: inout Effects
    ) {
        rings[user] = nil
        change(user) { $0.state = state }
        tell(.ringingStopped(reason, except: device), to: [user], &effects)
        tell(.updated(user), to: call.joined, &effects)
    }

    /// Somebody who is in it is not any more. Their media goes first.
    private mutating func takeOut(
        _ user: UserID, _ state: CallParticipant.State, _ reason: LeaveReason, _ now: Timestamp,
        _ effects: inout Effects
    ) {
        change(user) {
            $0.state = state
            $0.link = nil
            $0.leftAt = now
        }
        effects += [.cut(user), .presence(user, isInCall: false)] + revocation(of: user)
        tell(.left(user, reason), to: call.present + [user], &effects)
        guard call.host == user, let heir = call.participants.filter(\.isJoined).min(by: Self.cameBefore) else {
            return
        }
        pass(hostTo: heir.user, &effects)
    }

    private func revocation(of user: UserID) -> Effects {
        call.participant(user).map { [.revoke(session: $0.session)] } ?? []
    }

    private static func cameBefore(_ left: CallParticipant, _ right: CallParticipant) -> Bool {
        (left.joinedAt ?? left.invitedAt) < (right.joinedAt ?? right.invitedAt)
    }

    /// Whether the call goes on, after people went or were not reached.
    private mutating func settle(
        _ now: Timestamp, by user: UserID?, because lost: CallEnd = .hangUp, _ effects: inout Effects
    ) {
        guard !call.state.isOver else { return }
        let joined = call.joined.count
        let isCalling = call.participants.contains(where: \.isCalled)
        if call.state != .ongoing {
            // Nobody has come yet: without a caller, or without anybody who may come, nobody will.
            if joined == 0 { return finish(.missed, .cancelled, now, by: user, &effects) }
            if !isCalling { finishUnanswered(now, by: user, &effects) }
            return
        }
        if call.shape == .direct, joined < 2 { return finish(.ended, lost, now, by: user, &effects) }
        guard joined == 0 else {
            emptyUntil = nil
            return
        }
        let until = emptyUntil ?? now + times.empty
        emptyUntil = until
        if until <= now { finish(.ended, .empty, now, by: user, &effects) }
    }

    private mutating func finishUnanswered(_ now: Timestamp, by user: UserID?, _ effects: inout Effects) {
        let called = call.participants.filter { $0.user != call.caller && $0.state != .removed }
        if called.contains(where: { $0.state == .missed }) {
            finish(.missed, .unanswered, now, by: user, &effects)
        } else if !called.isEmpty, called.allSatisfy({ $0.state == .busy }) {
            finish(.declined, .busy, now, by: user, &effects)
        } else if called.isEmpty {
            finish(.missed, .cancelled, now, by: user, &effects)
        } else {
            finish(.declined, .declined, now, by: user, &effects)
        }
    }

    private mutating func finish(
        _ state: CallState, _ reason: CallEnd, _ now: Timestamp, by user: UserID?, _ effects: inout Effects
    ) {
        let concerned = call.present + (user.map { [$0] } ?? [])
        let joined = call.joined
        let called = call.participants.filter(\.isCalled).map(\.user)
        for user in joined {
            change(user) {
                $0.state = .left
                $0.link = nil
                $0.leftAt = now
            }
            effects += [.cut(user), .presence(user, isInCall: false)] + revocation(of: user)
        }
        for user in called {
            change(user) { $0.state = .missed }
            tell(.ringingStopped(.cancelled, except: nil), to: [user], &effects)
        }
        rings = [:]
        emptyUntil = nil
        call.state = state
        call.end = reason
        call.endedAt = now
        isUnsaved = true
        tell(.status(by: user), to: unique(concerned + [call.caller]), &effects)
        effects.append(.closeRoom)
    }

    private func unique(_ users: [UserID]) -> [UserID] {
        var seen: Set<UserID> = []
        return users.filter { seen.insert($0).inserted }
    }
}

extension CallParticipant {
    /// Until when a device that is not there may come (back).
    fileprivate var linkDeadline: Timestamp? {
        guard isJoined else { return nil }
        return switch link {
        case .expected(let until)?, .lost(let until)?: until
        case .attached?, nil: nil
        }
    }
}
