// All sockets and sessions of this node: finds who is meant, and carries news between calls, media and people.
//
// It decides nothing about calls (`CallService` does) and nothing about media (`MediaService` does).

package import Accounts
package import Base
package import Media
import Synchronization

package final class SignalingHub: LoginSockets {
    private struct LiveCall {
        var sessions: [UserID: SignalingSession] = [:]
        var messages: TokenBucket
    }

    private struct State {
        var calls: [CallID: LiveCall] = [:]
        var tokens: [String: SignalingSession] = [:]
        var media: [UUID: SignalingSession] = [:]
        var connections: [UserID: [SignalingConnection]] = [:]
        /// In which call somebody has a session.
        var places: [UserID: CallID] = [:]
        var reportedAt: Instant?
        var isDraining = false
    }

    let media: MediaService
    /// As `CallOptions.resumeGrace` says: told to clients, kept by the call service.
    let resumeSeconds: Int
    private let control = Mutex<(any CallControl)?>(nil)
    private let book = Mutex<PresenceBook?>(nil)
    private let watchers = PresenceWatchers()
    private let state = Mutex(State())

    package init(media: MediaService, resumeGrace: Duration = CallOptions().resumeGrace) {
        self.media = media
        resumeSeconds = Int(resumeGrace.milliseconds / 1_000)
        media.setListener(self)
    }

    /// The call service needs the hub to be made, so it comes later; before the first socket.
    package func setCalls(_ calls: any CallControl) { control.withLock { $0 = calls } }
    var calls: (any CallControl)? { control.withLock { $0 } }

    /// Told which sockets are open, and asked for those who look.
    package func setPresence(_ presence: PresenceBook) { book.withLock { $0 = presence } }
    var presence: PresenceBook? { book.withLock { $0 } }

    // MARK: - Sockets

    /// `nil` when the user has as many as anybody may have, and when the server stops.
    package func open(
        _ channel: any SignalingChannel, by principal: Principal, onlyCall: CallID? = nil, isBoundToJoin: Bool
    ) -> SignalingConnection? {
        let connection = SignalingConnection(
            principal, channel, hub: self, onlyCall: onlyCall, isBoundToJoin: isBoundToJoin, now: .now())
        let isAdmitted = state.withLock { state -> Bool in
            guard !state.isDraining,
                state.connections[principal.user, default: []].count < SignalingLimits.socketsPerUser
            else { return false }
            state.connections[principal.user, default: []].append(connection)
            return true
        }
        guard isAdmitted else { return nil }
        presence?.opened(by: principal.user, device: DeviceID(principal))
        if !isBoundToJoin {
            // Who connects while it rings is told, too.
            Task { [self] in
                for call in await calls?.incomingCalls(for: principal.user) ?? [] { channel.send(.incoming(call)) }
            }
        }
        return connection
    }

    func remove(_ connection: SignalingConnection) {
        let user = connection.principal.user
        let wasOpen = state.withLock { state -> Bool in
            guard let index = state.connections[user]?.firstIndex(where: { $0 === connection }) else { return false }
            state.connections[user]?.remove(at: index)
            if state.connections[user]?.isEmpty == true { state.connections[user] = nil }
            return true
        }
        guard wasOpen else { return }
        presence?.closed(by: user, device: DeviceID(connection.principal))
    }

    /// Closes sockets whose login counts no more; what they had is told. The participant's place is kept until the call
    /// service says otherwise.
    @discardableResult
    package func close(of user: UserID?, where isMeant: (Principal) -> Bool) -> [Principal] {
        let open = state.withLock { state -> [SignalingConnection] in
            if let user { return state.connections[user] ?? [] }
            return state.connections.values.flatMap { $0 }
        }
        var ended: Set<Principal> = []
        for connection in open where isMeant(connection.principal) {
            connection.end(.authenticationFailed, "the login has ended")
            ended.insert(connection.principal)
        }
        return Array(ended)
    }

    package var principals: [Principal] {
        Array(Set(state.withLock { state in state.connections.values.flatMap { $0.map(\.principal) } }))
    }

    package func principals(of user: UserID) -> [Principal] {
        Array(Set(state.withLock { $0.connections[user] ?? [] }.map(\.principal)))
    }

    package var connectionCount: Int { state.withLock { $0.connections.values.reduce(0) { $0 + $1.count } } }
    package var sessionCount: Int { state.withLock { $0.media.count } }

    /// Whether the server stops: nobody comes in any more.
    package var isDraining: Bool { state.withLock { $0.isDraining } }

    /// Who is open now; nobody comes after them.
    func beginDrain() -> [SignalingConnection] {
        state.withLock { state in
            state.isDraining = true
            return state.connections.values.flatMap { $0 }
        }
    }

    func admitsMessage(in call: CallID, _ now: Instant) -> Bool {
        state.withLock { $0.calls[call]?.messages.take(now) ?? true }
    }

    // MARK: - Joining

    func join(
        _ request: JoinRequest, for connection: SignalingConnection
    ) async throws(SignalingFault) -> SignalingSession {
        guard let calls else { throw .call(.unavailable("calls have not begun")) }
        guard !isDraining else { throw .call(.unavailable("the server is stopping")) }
        let principal = connection.principal
        let resumed = try request.resumeToken.map { token throws(SignalingFault) in
            try redeem(token, request.call, by: principal)
        }
        let (call, permissions) = try await SignalingFault.call { () throws(CallError) in
            try await calls.attach(request.call, by: principal)
        }
        let token = Self.makeToken()
        let ice = await calls.iceConfiguration(for: principal)
        if let resumed {
            await resumed.setPermissions(permissions)
            register(resumed, token)
            guard resumed.begin(on: connection, call, ice, token: token, isResumed: true) else {
                throw .resumeInvalid
            }
            return resumed
        }
        // The same person anew, who has lost the token: what was is ended first.
        if let old = session(of: principal.user, in: call.id) { _ = await old.end() }
        let session = SignalingSession(
            call, request.role, permissions, by: principal, hub: self, now: .now())
        register(session, token)
        guard session.begin(on: connection, call, ice, token: token, isResumed: false) else { throw .call(.removed) }
        return session
    }

    /// Good once: the second who presents it is refused.
    private func redeem(
        _ token: String, _ call: CallID, by principal: Principal
    ) throws(SignalingFault) -> SignalingSession {
        let session = state.withLock { state -> SignalingSession? in
            guard let session = state.tokens[token], session.call == call, session.user == principal.user else {
                return nil
            }
            state.tokens[token] = nil
            return session
        }
        guard let session else { throw .resumeInvalid }
        return session
    }

    private static func makeToken() -> String {
        var random = SystemRandomNumberGenerator()
        return (0..<4).map { _ in
            let text = String(random.next(), radix: 36)
            return String(repeating: "0", count: 13 - text.utf8.count) + text
        }.joined()
    }

    private func register(_ session: SignalingSession, _ token: String) {
        let now = Instant.now()
        state.withLock { state in
            state.tokens[token] = session
            state.media[session.mediaID] = session
            state.places[session.user] = session.call
            let fresh = TokenBucket(
                capacity: SignalingLimits.callBurst, perSecond: SignalingLimits.callMessagesPerSecond, now: now)
            state.calls[session.call, default: LiveCall(messages: fresh)].sessions[session.user] = session
        }
        // They were in the call before they shared it.
        if let known = presence?.known(session.user) { watchers.note(known, of: session.user, isShared: true) }
    }

    func forget(_ session: SignalingSession, token: String?) {
        state.withLock { state in
            if let token { state.tokens[token] = nil }
            state.media[session.mediaID] = nil
            guard state.calls[session.call]?.sessions[session.user] === session else { return }
            state.calls[session.call]?.sessions[session.user] = nil
            if state.places[session.user] == session.call { state.places[session.user] = nil }
            if state.calls[session.call]?.sessions.isEmpty == true { state.calls[session.call] = nil }
        }
    }

    private func session(of user: UserID, in call: CallID) -> SignalingSession? {
        state.withLock { $0.calls[call]?.sessions[user] }
    }

    private func sessions(in call: CallID) -> [SignalingSession] {
        state.withLock { state in state.calls[call].map { Array($0.sessions.values) } ?? [] }
    }

    /// Sections with the people who are in them.
    func tracks(_ sections: [ShownSection]) -> [TrackView] {
        state.withLock { state in
            sections.compactMap { section in
                state.media[section.publisher].map {
                    TrackView(mid: section.mid, kind: section.kind, user: $0.user)
                }
            }
        }
    }

    // MARK: - Time

    /// Once a second: what is told now and then.
    package func advance(now: Instant = .now()) async {
        tellPresence()
        let calls = state.withLock { state -> [CallID] in
            if let last = state.reportedAt, now - last < SignalingLimits.qualityInterval { return [] }
            state.reportedAt = now
            return Array(state.calls.keys)
        }
        if !calls.isEmpty { await renewRelays(now) }
        for call in calls {
            for (id, statistics) in await media.statistics(ofCall: call.uuid) {
                state.withLock { $0.media[id] }?.report(statistics, now: now)
            }
        }
    }

    private func renewRelays(_ now: Instant) async {
        guard let calls = self.calls else { return }
        for session in state.withLock({ Array($0.media.values) }) where session.needsRelays(at: now) {
            session.renewRelays(await calls.iceConfiguration(for: session.principal), now: now)
        }
    }
}

// MARK: - From media

extension SignalingHub: MediaListener {
    package func happened(_ event: MediaSessionEvent, to session: UUID) {
        state.withLock { $0.media[session] }?.happened(event)
    }

    package func speaks(_ session: UUID, in room: String) {
        guard let speaker = state.withLock({ $0.media[session] }) else { return }
        for session in sessions(in: speaker.call) { session.send(.speaker(speaker.user)) }
    }
}

// MARK: - From the call service

extension SignalingHub: CallMedia {
    package var isAvailable: Bool { true }

    /// Nothing yet: a session begins with its socket, with what `attach` says then.
    package func admit(_ user: UserID, to call: CallID, with permissions: MediaPermissions) async {}

    package func setPermissions(_ permissions: MediaPermissions, of user: UserID, in call: CallID) async {
        await session(of: user, in: call)?.setPermissions(permissions)
    }

    package func cut(_ user: UserID, from call: CallID) async -> ParticipantMeasurements? {
        guard let session = session(of: user, in: call) else { return nil }
        return await session.end().map { ParticipantMeasurements($0) }
    }

    package func close(_ call: CallID) async {
        for session in sessions(in: call) { _ = await session.end() }
    }

    package func measurements(of call: CallID) async -> [UserID: ParticipantMeasurements] {
        var all: [UserID: ParticipantMeasurements] = [:]
        for (id, statistics) in await media.statistics(ofCall: call.uuid) {
            guard let session = state.withLock({ $0.media[id] }) else { continue }
            all[session.user] = ParticipantMeasurements(statistics)
        }
        return all
    }
}

extension SignalingHub: CallEvents {
    package func deliver(_ notice: CallNotice, to users: [UserID]) -> Set<UserID> {
        var concerned = users
        // Who leaves has to know why, whether or not the news is for them.
        if case .left(let user, _) = notice.event, !users.contains(user) { concerned.append(user) }
        var reached: Set<UserID> = []
        for user in concerned {
            for connection in state.withLock({ $0.connections[user] }) ?? [] where connection.deliver(notice) {
                reached.insert(user)
            }
        }
        return reached.intersection(users)
    }

    package func presenceChanged(_ user: UserID, _ presence: Presence) {
        let isShared = state.withLock { $0.places[user] != nil }
        watchers.note(presence, of: user, isShared: isShared)
    }
}

// MARK: - Presence

extension SignalingHub {
    func watch(_ users: some Sequence<UserID>, by connection: SignalingConnection) {
        watchers.add(connection, to: users)
    }

    func unwatch(_ users: some Sequence<UserID>, by connection: SignalingConnection) {
        watchers.remove(connection, from: users)
    }

    package var watchedCount: Int { watchers.count }

    /// Those who look, and those who share a call.
    private func tellPresence() {
        for news in watchers.takeNews() {
            let call = state.withLock { $0.places[news.user] }
            let sharing = call.map { sessions(in: $0).filter { $0.user != news.user }.compactMap(\.connection) } ?? []
            var told: Set<ObjectIdentifier> = []
            for connection in news.watching + sharing where told.insert(ObjectIdentifier(connection)).inserted {
                connection.channel.send(.presence(news.user, news.presence))
            }
        }
    }
}

extension ParticipantMeasurements {
    init(_ statistics: ParticipantStatistics) {
        self.init(duration: statistics.age)
        roundTrip = statistics.subscriptions.lazy.compactMap(\.roundTrip).first
        estimatedBitsPerSecond = statistics.bandwidth?.target
        wantedBitsPerSecond = statistics.bandwidth == nil ? nil : statistics.wantedBitsPerSecond
        opinion = statistics.subscriptions.lazy.compactMap(\.opinion).min()
        let video = statistics.subscriptions.filter { $0.kind == .video }
        if !video.isEmpty { freezes = video.reduce(0) { $0 + $1.freezes } }
        for track in statistics.tracks {
            for layer in track.layers {
                streams.append(
                    Stream(
                        direction: .sent, kind: "\(track.kind)", codec: track.codec.isEmpty ? nil : track.codec,
                        packets: layer.counters.packets, bytes: layer.counters.bytes, lost: layer.lost,
                        jitter: layer.jitter, bitsPerSecond: layer.bitsPerSecond))
            }
        }
        for one in statistics.subscriptions where one.counters.packets > 0 {
            let isReported = one.roundTrip != nil
            streams.append(
                Stream(
                    direction: .received, kind: "\(one.kind)", codec: one.codec, packets: one.counters.packets,
                    bytes: one.counters.bytes, lost: isReported ? Int64(one.lost) : nil,
                    lossShare: isReported ? one.lossShare : nil, jitter: isReported ? one.jitter : nil))
        }
    }
}
