// One participant of one call, from its join to its end: the machine of its negotiation, its media, and the socket that
// it is reached by at present, if any.

import Accounts
import Base
import Media
import Synchronization

final class SignalingSession: Sendable {
    private struct State {
        var machine: NegotiationMachine
        /// `nil` while the client may come back.
        var connection: SignalingConnection?
        var permissions: MediaPermissions
        /// What the engine was told last, once there is a session in it.
        var enforced: MediaPermissions?
        var isOver = false
        var tracks: [TrackView] = []
        var descriptions: TokenBucket
        /// What the call service is to be asked, one after the other.
        var controls: [Control] = []
        var isControlling = false
        var isHangingUp = false
        var resumeToken: String?
        var bytesSent: (UInt64, Instant)?
        /// When the client gets new relay credentials; `nil` when it has none.
        var renewsRelaysAt: Instant?
    }

    private enum Control: Sendable {
        case change(ControlsChange)
        case host(HostAction, id: Int64?)
        case consent(agrees: Bool, id: Int64?)
        case wish(mid: String, StreamWish)
        case hangUp

        /// The client's own name for it.
        var id: Int64? {
            switch self {
            case .host(_, let id), .consent(_, let id): id
            case .change, .wish, .hangUp: nil
            }
        }
    }

    let call: CallID
    let kind: CallKind
    private let preferredCodecs: [Codec]
    let principal: Principal
    let role: NegotiationMachine.Role
    /// Its name in the engine, for life.
    let mediaID = UUID.random()
    private let hub: SignalingHub
    private let state: Mutex<State>

    var user: UserID { principal.user }
    var device: DeviceID { DeviceID(principal) }
    var connection: SignalingConnection? { state.withLock { $0.connection } }

    init(
        _ call: CallInfo, _ role: NegotiationMachine.Role, _ permissions: MediaPermissions, by principal: Principal,
        hub: SignalingHub, now: Instant
    ) {
        self.call = call.id
        kind = call.kind
        preferredCodecs = call.preferredCodecs
        self.role = role
        self.principal = principal
        self.hub = hub
        state = Mutex(
            State(
                machine: NegotiationMachine(role), permissions: permissions,
                descriptions: TokenBucket(
                    capacity: SignalingLimits.descriptionBurst, perSecond: SignalingLimits.descriptionsPerSecond,
                    now: now)))
    }

    // MARK: - Sockets

    /// The socket is the session's from now on. `false` when the session is over.
    func begin(
        on connection: SignalingConnection, _ call: CallInfo, _ ice: ICEConfiguration, token: String, isResumed: Bool
    ) -> Bool {
        state.withLock { state in
            guard !state.isOver else { return false }
            if let old = state.connection, old !== connection { old.channel.close(.normal, "replaced") }
            state.connection = connection
            state.resumeToken = token
            state.renewsRelaysAt = ice.renewal(after: .now())
            connection.channel.send(
                .joined(
                    Welcome(
                        call: call, user: user, role: role, resumeToken: token,
                        resumeSeconds: hub.resumeSeconds, isResumed: isResumed,
                        own: call.participant(user).map { ParticipantView($0) },
                        participants: call.participants.filter { $0.isJoined && $0.user != user }
                            .map { ParticipantView($0) }, ice: ice)))
            if isResumed, !state.tracks.isEmpty { connection.channel.send(.tracks(state.tracks)) }
            guard isResumed else {
                step(.admitted, &state, .now())
                return true
            }
            // Of a socket that seemed open until now it is not known what it has delivered.
            step(.socketLost, &state, .now())
            step(.socketBack, &state, .now())
            return true
        }
    }

    /// The socket is gone, whether it was the session's or one that was replaced.
    func lost(_ connection: SignalingConnection, isGoodbye: Bool, now: Instant) {
        let isOurs = state.withLock { state -> Bool in
            guard state.connection === connection else { return false }
            state.connection = nil
            guard !state.isOver else { return false }
            if isGoodbye {
                control(.hangUp, &state)
                return false
            }
            step(.socketLost, &state, now)
            return true
        }
        guard isOurs else { return }
        Task { [hub, call, user, device] in await hub.calls?.detach(call, user: user, device: device) }
    }

    func alarm(from connection: SignalingConnection, now: Instant) {
        state.withLock { state in
            guard state.connection === connection else { return }
            if state.isOver { return connection.channel.close(.notFound, "the call is over") }
            var actions: [NegotiationMachine.Action] = []
            state.machine.handleTimeout(now: now, into: &actions)
            perform(actions, &state)
        }
    }

    func received(_ message: ClientMessage, from connection: SignalingConnection, now: Instant) {
        state.withLock { state in
            guard state.connection === connection, !state.isOver else { return }
            switch message {
            case .offer(let description):
                if admits(message, &state, now) { step(.offer(description), &state, now) }
            case .answer(let description):
                if admits(message, &state, now) { step(.answer(description), &state, now) }
            case .restart: if admits(message, &state, now) { step(.restart, &state, now) }
            case .candidate, .join, .ping, .watch, .unwatch: break
            case .hangUp:
                state.isHangingUp = true
                control(.hangUp, &state)
            case .change(let change): control(.change(change), &state)
            case .host(let action, let id): control(.host(action, id: id), &state)
            case .consent(let agrees, let id): control(.consent(agrees: agrees, id: id), &state)
            case .wish(let mid, let wish): control(.wish(mid: mid, wish), &state)
            }
        }
    }

    private func admits(_ message: ClientMessage, _ state: inout State, _ now: Instant) -> Bool {
        guard !state.descriptions.take(now) else { return true }
        state.connection?.channel.send(
            .fault(.rateLimited(retryAfter: state.descriptions.secondsToNext), ref: message.id))
        return false
    }

    func send(_ message: ServerMessage) {
        state.withLock { $0.connection?.channel.send(message) }
    }

    // MARK: - Negotiation

    private func step(_ event: NegotiationMachine.Event, _ state: inout State, _ now: Instant) {
        var actions: [NegotiationMachine.Action] = []
        state.machine.handle(event, now: now, into: &actions)
        perform(actions, &state)
    }

    private func perform(_ actions: [NegotiationMachine.Action], _ state: inout State) {
        let channel = state.connection?.channel
        for action in actions {
            switch action {
            case .ask(let request): ask(request, state.permissions)
            case .sendOffer(let sdp, let id): channel?.send(.offer(sdp: sdp, id: id))
            case .sendAnswer(let sdp, let id): channel?.send(.answer(sdp: sdp, id: id))
            case .refuse(let refusal, let id): channel?.send(.fault(SignalingFault(refusal), ref: id))
            case .leaveMedia: Task { [hub, mediaID] in try? await hub.media.leave(mediaID) }
            case .fail(let error):
                channel?.send(.fault(.media(error), ref: nil))
                tellEnded()
            }
        }
        if let deadline = state.machine.deadline { channel?.wake(at: deadline) }
    }

    private func ask(_ request: NegotiationMachine.Request, _ permissions: MediaPermissions) {
        Task { [self] in
            let outcome: NegotiationMachine.Outcome
            do throws(MediaError) {
                outcome = try await answer(request, permissions)
            } catch {
                outcome = .failed(error)
            }
            let isStale = state.withLock { state -> Bool in
                if case .entered = outcome { state.enforced = permissions }
                step(.done(outcome), &state, .now())
                return state.enforced.map { $0 != state.permissions } ?? false
            }
            if isStale { await enforce() }
        }
    }

    private func answer(
        _ request: NegotiationMachine.Request, _ permissions: MediaPermissions
    ) async throws(MediaError) -> NegotiationMachine.Outcome {
        let media = hub.media
        switch request {
        case .enter(let offer):
            return .entered(
                try await media.enter(
                    call: call.uuid, as: mediaID, owner: user.uuid, offer: offer, preferring: preferredCodecs,
                    held: permissions.held, isReceiving: permissions.contains(.receive)
                ).sdp)
        case .invite:
            return .entered(
                try await media.invite(
                    to: call.uuid, as: mediaID, owner: user.uuid, toSend: kind == .video ? [.audio, .video] : [.audio],
                    preferring: preferredCodecs, held: permissions.held,
                    isReceiving: permissions.contains(.receive)
                ).sdp)
        case .makeOffer: return .offered(try await media.offer(to: mediaID))
        case .acceptOffer(let sdp): return .answered(try await media.accept(offer: sdp, from: mediaID))
        case .acceptAnswer(let sdp): try await media.accept(answer: sdp, from: mediaID)
        case .rollback: try await media.rollback(mediaID)
        case .restartICE: try await media.restartICE(of: mediaID)
        }
        return .done
    }

    // MARK: - Permissions

    /// When this returns, what is not permitted is not forwarded.
    func setPermissions(_ permissions: MediaPermissions) async {
        let isInside = state.withLock { state -> Bool in
            state.permissions = permissions
            return state.enforced != nil
        }
        if isInside { await enforce() }
    }

    /// Until the engine was told what holds now: it may change while it is told.
    private func enforce() async {
        while true {
            let wanted = state.withLock { $0.isOver ? nil : $0.permissions }
            guard let wanted else { return }
            // A session that has ended has nothing to hold.
            try? await hub.media.hold(wanted.held, of: mediaID)
            try? await hub.media.setReceiving(wanted.contains(.receive), of: mediaID)
            let isDone = state.withLock { state -> Bool in
                state.enforced = wanted
                return state.permissions == wanted
            }
            if isDone { return }
        }
    }

    // MARK: - Relays

    /// Who is away gets them with the next `joined`.
    func needsRelays(at now: Instant) -> Bool {
        state.withLock { state in
            guard state.connection != nil, !state.isOver else { return false }
            return state.renewsRelaysAt.map { $0 <= now } ?? false
        }
    }

    func renewRelays(_ ice: ICEConfiguration, now: Instant) {
        state.withLock { state in
            state.renewsRelaysAt = ice.renewal(after: now)
            state.connection?.channel.send(.iceServers(ice))
        }
    }

    // MARK: - What goes to the call service

    private func control(_ control: Control, _ state: inout State) {
        guard state.controls.count < SignalingLimits.waiting else {
            state.connection?.channel.send(.fault(.rateLimited(retryAfter: 1), ref: control.id))
            return
        }
        state.controls.append(control)
        guard !state.isControlling else { return }
        state.isControlling = true
        Task { [self] in await runControls() }
    }

    /// One after the other, in the order in which they came.
    private func runControls() async {
        while let next = state.withLock({ state -> Control? in
            guard !state.isOver, !state.controls.isEmpty else {
                state.isControlling = false
                return nil
            }
            return state.controls.removeFirst()
        }) {
            do throws(SignalingFault) {
                try await carryOut(next)
            } catch {
                send(.fault(error, ref: next.id))
            }
        }
    }

    private func carryOut(_ control: Control) async throws(SignalingFault) {
        do throws(CallError) {
            guard let calls = hub.calls else { return }
            switch control {
            case .change(let change): return try await calls.change(call, change, by: principal)
            case .host(let action, _): return try await calls.act(action, in: call, by: principal)
            case .consent(let agrees, _):
                return try await calls.answerRecording(call, agrees: agrees, by: principal)
            case .hangUp: return try await calls.leave(call, by: principal)
            case .wish: break
            }
        } catch {
            // Whoever acts is in the call: it is the other one who is not.
            if case .host = control, error == .notJoined { throw .participantAbsent }
            throw .call(error)
        }
        guard case .wish(let mid, let wish) = control else { return }
        do throws(MediaError) {
            try await hub.media.changePreference(of: mid, for: mediaID) { $0.apply(wish) }
        } catch {
            throw .media(error)
        }
    }

    private func tellEnded() {
        Task { [hub, call, user] in await hub.calls?.mediaEnded(call, user: user) }
    }

    // MARK: - The end

    /// Takes the participant out of the call's media; who is cut is not forwarded any more when this returns. The socket
    /// is closed when it is known why.
    func end() async -> ParticipantStatistics? {
        state.withLock { state in
            guard !state.isOver else { return }
            state.isOver = true
            var actions: [NegotiationMachine.Action] = []
            state.machine.handle(.left, now: .now(), into: &actions)
            guard let channel = state.connection?.channel else { return }
            if state.isHangingUp {
                channel.close(.normal, "hung up")
            } else {
                channel.wake(at: .now() + Self.farewellTime)
            }
        }
        hub.forget(self, token: state.withLock { $0.resumeToken })
        let statistics = try? await hub.media.statistics(of: mediaID)
        try? await hub.media.leave(mediaID)
        return statistics
    }

    /// The reason comes as a notice, before or after media was cut. Without one there is only that it is over.
    private static let farewellTime = Duration.milliseconds(500)

    // MARK: - News

    func deliver(_ notice: CallNotice, to connection: SignalingConnection) -> Bool {
        let channel = connection.channel
        switch notice.event {
        case .incoming, .ringingStopped: return false
        case .status(let by):
            channel.send(.status(notice.call, by: by))
            if notice.call.state.isOver {
                channel.close(hub.isDraining ? .serverStops : .notFound, "the call has ended")
            }
        case .joined(let who):
            guard who != user, let participant = notice.call.participant(who) else { return false }
            channel.send(.participantJoined(ParticipantView(participant)))
        case .left(let who, let reason):
            guard who == user else {
                channel.send(.participantLeft(who, reason: reason.rawValue))
                return true
            }
            farewell(reason, on: channel)
        case .updated(let who):
            guard let participant = notice.call.participant(who) else { return false }
            channel.send(.participantUpdated(ParticipantView(participant)))
        case .hostChanged, .lockChanged: channel.send(.status(notice.call, by: nil))
        case .recording(let recording):
            // A socket that is about to be closed has told nobody.
            guard !state.withLock({ $0.isOver }) else { return false }
            channel.send(.recording(recording))
        }
        return true
    }

    private func farewell(_ reason: LeaveReason, on channel: any SignalingChannel) {
        switch reason {
        case .removed: channel.close(.denied, "removed from the call")
        case .left: channel.close(.normal, "left the call")
        case .callEnded, .connectionLost:
            channel.close(hub.isDraining ? .serverStops : .notFound, "the call is over")
        }
    }

    func happened(_ event: MediaSessionEvent) {
        switch event {
        case .negotiationNeeded: state.withLock { step(.wanted, &$0, .now()) }
        case .connected: break
        case .shown(let sections):
            let tracks = hub.tracks(sections)
            state.withLock { state in
                guard tracks != state.tracks else { return }
                state.tracks = tracks
                state.connection?.channel.send(.tracks(tracks))
            }
        case .paused(let mid, let reason): send(.stream(mid: mid, paused: reason))
        case .resumed(let mid): send(.stream(mid: mid, paused: nil))
        case .unwatched(let mid, let layers):
            send(.layers(mid: mid, unwatched: (0..<8).filter { layers & (1 << $0) != 0 }))
        case .ended: tellEnded()
        }
    }

    func report(_ statistics: ParticipantStatistics, now: Instant) {
        state.withLock { state in
            guard let channel = state.connection?.channel, !state.isOver else { return }
            var view = QualityView(statistics)
            if let (bytes, then) = state.bytesSent, statistics.bytesSent >= bytes, now > then {
                let milliseconds = max((now - then).milliseconds, 1)
                view.bitsOut = Int(clamping: (statistics.bytesSent - bytes) * 8_000 / UInt64(milliseconds))
            }
            state.bytesSent = (statistics.bytesSent, now)
            channel.send(.quality(view))
        }
    }
}

extension MediaPermissions {
    /// Of media the engine tells kinds apart, and not a camera from a screen: these share a permission there.
    var held: MediaKinds {
        var held: MediaKinds = []
        if !contains(.sendAudio) { held.insert(.audio) }
        if !contains(.sendVideo) { held.insert(.video) }
        return held
    }
}

extension StreamPreference {
    mutating func apply(_ wish: StreamWish) {
        switch wish {
        case .layers(let largest, let temporal):
            largestLayer = largest
            largestTemporal = temporal
        case .pinned(let isPinned): self.isPinned = isPinned
        case .paused(let isPaused): self.isPaused = isPaused
        }
    }
}

extension QualityView {
    init(_ statistics: ParticipantStatistics) {
        self.init()
        if statistics.isConnected {
            roundTrip = statistics.subscriptions.lazy.compactMap(\.roundTrip).first
            bitsIn = statistics.tracks.reduce(0) { $0 + $1.bitsPerSecond }
        }
        let reported = statistics.subscriptions.filter { $0.roundTrip != nil }
        if !reported.isEmpty { lossShare = reported.reduce(0) { max($0, $1.lossShare) } }
        estimate = statistics.bandwidth?.target
    }
}

extension SignalingFault {
    init(_ refusal: NegotiationMachine.Refusal) {
        self =
            switch refusal {
            case .media(let error): .media(error)
            case .unexpectedAnswer: .unexpectedAnswer
            case .tooMany: .rateLimited(retryAfter: 1)
            case .timeout: .negotiationTimeout
            }
    }

    static func call<Value>(
        _ body: () async throws(CallError) -> Value
    ) async throws(SignalingFault) -> Value {
        do throws(CallError) {
            return try await body()
        } catch {
            throw .call(error)
        }
    }
}
