// Calls and sockets for tests of signaling: one call that lets its people in, and channels that remember.

import Base
import Crypto
import Media
import Net
import Synchronization
import TestKit
import Testing

@testable import Accounts
@testable import Signaling

/// The part of the call service that sockets see, without a database: whoever is on the list may come in.
final class SoftCalls: CallControl {
    struct State {
        var call: CallInfo
        var isLocked = false
        var detached: [UserID] = []
        var ended: [UserID] = []
        /// Who waits in `attach` until it is let in.
        var gate: Set<UserID> = []
    }

    let state: Mutex<State>
    let hub: SignalingHub
    let id: CallID

    init(_ hub: SignalingHub, _ people: [UserID], kind: CallKind = .video) {
        let id = CallID(.random())
        self.id = id
        self.hub = hub
        let now = Timestamp.now()
        state = Mutex(
            State(
                call: CallInfo(
                    id: id, shape: .group, kind: kind, caller: people[0], host: people[0], conversation: nil,
                    state: .ongoing, createdAt: now,
                    participants: people.map {
                        CallParticipant(user: $0, state: .invited, session: .random(), invitedAt: now)
                    })))
        hub.setCalls(self)
    }

    private func tell(_ event: CallNotice.Event) {
        let call = state.withLock { $0.call }
        _ = hub.deliver(CallNotice(call, event), to: call.joined)
    }

    private func change(_ user: UserID, _ body: (inout CallParticipant) -> Void) {
        state.withLock { state in
            guard let index = state.call.participants.firstIndex(where: { $0.user == user }) else { return }
            body(&state.call.participants[index])
        }
    }

    func attach(
        _ id: CallID, by principal: Principal
    ) async throws(CallError) -> (call: CallInfo, permissions: MediaPermissions) {
        while state.withLock({ $0.gate.contains(principal.user) }) { try? await Task.sleep(for: .milliseconds(5)) }
        let known = state.withLock { $0.call.participant(principal.user) }
        guard id == self.id, let known else { throw .notFound }
        if known.state == .removed { throw .removed }
        let isNew = !known.isJoined
        change(principal.user) {
            $0.state = .joined
            $0.link = .attached
        }
        if isNew { tell(.joined(principal.user)) }
        let call = state.withLock { $0.call }
        return (call, call.participant(principal.user)?.effectivePermissions ?? [])
    }

    func detach(_ id: CallID, user: UserID, device: DeviceID) async {
        change(user) { $0.link = .lost(until: .now()) }
        state.withLock { $0.detached.append(user) }
        tell(.updated(user))
    }

    func change(_ id: CallID, _ change: ControlsChange, by principal: Principal) async throws(CallError) {
        self.change(principal.user) { participant in
            if let isMuted = change.isMuted { participant.controls.isMuted = isMuted }
            if let isVideoOff = change.isVideoOff { participant.controls.isVideoOff = isVideoOff }
            if let isHeld = change.isHeld { participant.controls.isHeld = isHeld }
            if let isHandRaised = change.isHandRaised { participant.controls.isHandRaised = isHandRaised }
        }
        let effective = state.withLock { $0.call.participant(principal.user)?.effectivePermissions } ?? []
        await hub.setPermissions(effective, of: principal.user, in: id)
        tell(.updated(principal.user))
    }

    /// The rules of hosts are the call service's: see HostSocketTests.
    func act(_ action: HostAction, in id: CallID, by principal: Principal) async throws(CallError) {
        throw .notHost
    }

    /// Recordings are the call service's: see RecordingSocketTests.
    func answerRecording(_ id: CallID, agrees: Bool, by principal: Principal) async throws(CallError) {
        throw .recording(.notOn)
    }

    func iceConfiguration(for principal: Principal) async -> ICEConfiguration {
        RelayOptions().configuration(for: .random(), now: .now())
    }

    func leave(_ id: CallID, by principal: Principal) async throws(CallError) {
        await out(principal.user, .left, .left)
    }

    func remove(_ user: UserID) async { await out(user, .removed, .removed) }

    private func out(_ user: UserID, _ state: CallParticipant.State, _ reason: LeaveReason) async {
        change(user) { $0.state = state }
        _ = await hub.cut(user, from: id)
        tell(.left(user, reason))
    }

    func mediaEnded(_ id: CallID, user: UserID) async {
        state.withLock { $0.ended.append(user) }
        await out(user, .left, .connectionLost)
    }

    func incomingCalls(for user: UserID) async -> [CallInfo] {
        state.withLock { $0.call.participant(user)?.isCalled == true ? [$0.call] : [] }
    }
}

/// A socket that remembers what it was told.
final class SoftChannel: SignalingChannel {
    private struct State {
        var messages: [ServerMessage] = []
        var closure: SignalingClosure?
        var wakes: [Instant] = []
    }

    private let state = Mutex(State())

    func send(_ message: ServerMessage) { state.withLock { if $0.closure == nil { $0.messages.append(message) } } }
    func close(_ closure: SignalingClosure, _ reason: String) {
        state.withLock { if $0.closure == nil { $0.closure = closure } }
    }
    func wake(at time: Instant) { state.withLock { $0.wakes.append(time) } }

    var messages: [ServerMessage] { state.withLock { $0.messages } }
    var closure: SignalingClosure? { state.withLock { $0.closure } }
    var lastWake: Instant? { state.withLock { $0.wakes.last } }

    /// The first message, after `skipping` others, of which something can be taken; `nil` after ten seconds.
    func wait<Value>(_ skipping: Int = 0, for take: (ServerMessage) -> Value?) async -> Value? {
        await eventually { self.messages.dropFirst(skipping).lazy.compactMap(take).first }
    }

    func waitForClosure() async -> SignalingClosure? { await eventually { self.closure } }
}

func eventually<Value>(_ look: () -> Value?) async -> Value? {
    for _ in 0..<2_000 {
        if let value = look() { return value }
        try? await Task.sleep(for: .milliseconds(5))
    }
    return nil
}

/// Media on threads of its own, a hub over it, and a call.
final class SignalingWorld {
    let shards: ShardGroup
    let media: TestMedia
    let hub: SignalingHub
    let calls: SoftCalls
    let people: [Principal]

    init(people count: Int, shards shardCount: Int = 1, settings: MediaSettings = MediaSettings()) async throws {
        shards = try ShardGroup(count: shardCount)
        media = try await TestMedia.make(on: shards.shards, settings: settings)
        hub = SignalingHub(media: media.service)
        people = (0..<count).map { _ in Self.principal() }
        calls = SoftCalls(hub, people.map(\.user))
    }

    static func principal() -> Principal {
        Principal(
            user: UserID(.random()), session: SessionID(.random()), apiKey: nil, kind: .user, roles: [.user],
            scopes: [.calls, .profile], access: .full, tier: .user, isAdmin: false, needsCSRF: false)
    }

    func stop() async {
        await media.service.stop()
        shards.stop()
    }

    /// A socket of one of the people.
    func open(_ number: Int, onlyCall: CallID? = nil, isBoundToJoin: Bool = false) throws -> SoftClient {
        let channel = SoftChannel()
        let connection = try #require(
            hub.open(channel, by: people[number], onlyCall: onlyCall, isBoundToJoin: isBoundToJoin))
        return SoftClient(channel, connection, calls.id)
    }

    /// One that has joined.
    func join(_ number: Int, as role: NegotiationMachine.Role = .offerer) async throws -> SoftClient {
        let client = try open(number)
        client.say(.join(JoinRequest(call: calls.id, role: role)))
        client.token = try #require(await client.welcome()).resumeToken
        return client
    }
}

/// The client's end of a socket.
final class SoftClient {
    let channel: SoftChannel
    let connection: SignalingConnection
    private let call: CallID
    var token = ""

    init(_ channel: SoftChannel, _ connection: SignalingConnection, _ call: CallID) {
        self.channel = channel
        self.connection = connection
        self.call = call
    }

    func say(_ message: ClientMessage) { connection.received(.success(message), now: .now()) }

    func offer(_ sdp: String, id: Int64? = nil) { say(.offer(.init(sdp: sdp, id: id))) }
    func answer(_ sdp: String, id: Int64? = nil) { say(.answer(.init(sdp: sdp, id: id))) }

    func welcome() async -> Welcome? {
        await channel.wait { if case .joined(let welcome) = $0 { welcome } else { nil } }
    }

    func answer(to id: Int64?) async -> String? {
        await channel.wait { if case .answer(let sdp, id) = $0 { sdp } else { nil } }
    }

    /// Alarms that were asked for ring meanwhile, as a socket's timer does.
    func offer(after id: Int64 = 0) async -> (sdp: String, id: Int64)? {
        await eventually { () -> (sdp: String, id: Int64)? in
            if let due = channel.lastWake, due <= .now() { connection.alarm(now: .now()) }
            for case .offer(let sdp, let number) in channel.messages where number > id { return (sdp, number) }
            return nil
        }
    }

    func fault(_ skipping: Int = 0) async -> SignalingFault? {
        await channel.wait(skipping) { if case .fault(let fault, _) = $0 { fault } else { nil } }
    }

    func drop() { connection.closed(isGoodbye: false, now: .now()) }

    func resume(_ token: String) {
        say(.join(JoinRequest(call: call, role: .offerer, resumeToken: token)))
    }
}
