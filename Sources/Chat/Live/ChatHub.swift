// All open chat sockets of this node: who follows which conversation, and how an event gets to them.
//
//     commit -> deliver: queue of the conversation -> one task: written once for each style that is looked on with
//            -> one hop for each thread that has followers -> ChatConnection.deliver
//
// A conversation that nobody follows costs a look into a table. It decides nothing about chat (`ChatService` does).

package import Accounts
package import Base
import Synchronization
import Wire

package final class ChatHub: ChatEvents, LoginSockets, ClientSettingEvents {
    /// The followers on one thread; by style, since they get the same frames.
    struct Lane {
        let loop: any EventLoop
        var groups: [Group] = []
    }

    struct Group: Sendable {
        let style: any ChatStyle
        var connections: [ChatConnection]
    }

    struct Followers {
        var lanes: [Lane] = []
        var queue: [ChatEvent] = []
        /// A task takes from the queue.
        var isBusy = false

        var isEmpty: Bool { lanes.isEmpty }
    }

    struct State {
        var followers: [ConversationID: Followers] = [:]
        var connections: [UserID: [ChatConnection]] = [:]
    }

    struct PresenceState {
        var gate: (any PresenceGate)?
        var board = PresenceBoard()
    }

    package let limits: LiveLimits
    let state = Mutex(State())
    let presence = Mutex(PresenceState())
    private let chat = Mutex<ChatService?>(nil)

    package init(limits: LiveLimits = LiveLimits()) { self.limits = limits }

    /// Chat needs the hub to be made, so it comes later; before the first socket.
    package func setChat(_ service: ChatService) { chat.withLock { $0 = service } }
    var service: ChatService? { chat.withLock { $0 } }

    // MARK: - Sockets

    /// `nil` when the user has as many as anybody may have. On the line's thread.
    package func open(
        _ line: any ChatLine, _ style: any ChatStyle, by principal: Principal, device: ClientDeviceID? = nil,
        bound: ConversationID? = nil, now: Instant = .now()
    ) -> ChatConnection? {
        let connection = ChatConnection(principal, device, bound, line, style, hub: self, now: now)
        let isAdmitted = state.withLock { state -> Bool in
            guard state.connections[principal.user, default: []].count < limits.socketsPerUser else { return false }
            state.connections[principal.user, default: []].append(connection)
            return true
        }
        guard isAdmitted else { return nil }
        gate?.opened(by: principal)
        connection.tell(.welcome(principal.user))
        return connection
    }

    func remove(_ connection: ChatConnection) {
        let wasOpen = state.withLock { state -> Bool in
            let user = connection.principal.user
            let before = state.connections[user]?.count
            state.connections[user]?.removeAll { $0 === connection }
            defer { if state.connections[user]?.isEmpty == true { state.connections[user] = nil } }
            return state.connections[user]?.count != before
        }
        if wasOpen { gate?.closed(by: connection.principal) }
    }

    package var connectionCount: Int { state.withLock { $0.connections.values.reduce(0) { $0 + $1.count } } }
    package var followedCount: Int { state.withLock { $0.followers.count } }

    package var principals: [Principal] {
        Array(Set(state.withLock { state in state.connections.values.flatMap { $0.map(\.principal) } }))
    }

    package func principals(of user: UserID) -> [Principal] {
        Array(Set(state.withLock { $0.connections[user] ?? [] }.map(\.principal)))
    }

    package func close(of user: UserID?, where isMeant: (Principal) -> Bool) -> [Principal] {
        let open = state.withLock { state -> [ChatConnection] in
            if let user { return state.connections[user] ?? [] }
            return state.connections.values.flatMap { $0 }
        }
        var ended: Set<Principal> = []
        for connection in open where isMeant(connection.principal) {
            connection.loop.submit { connection.line.close(.authenticationFailed, "the login has ended") }
            ended.insert(connection.principal)
        }
        return Array(ended)
    }

    // MARK: - Following

    /// From now on every event of the conversation comes to the connection, in order.
    func watch(_ id: ConversationID, _ connection: ChatConnection) {
        state.withLock { state in state.followers[id, default: Followers()].add(connection) }
    }

    func unwatch(_ id: ConversationID, _ connection: ChatConnection) {
        state.withLock { state in
            state.followers[id]?.remove(connection)
            if state.followers[id]?.isEmpty == true, state.followers[id]?.isBusy == false { state.followers[id] = nil }
        }
    }

    // MARK: - From chat

    package func deliver(_ event: ChatEvent) {
        let begins = state.withLock { state -> Bool in
            guard state.followers[event.conversation]?.isEmpty == false else { return false }
            state.followers[event.conversation]?.queue.append(event)
            if state.followers[event.conversation]?.isBusy == true { return false }
            state.followers[event.conversation]?.isBusy = true
            return true
        }
        if begins { Task { await drain(event.conversation) } }
    }

    private func drain(_ id: ConversationID) async {
        while let (events, lanes) = takeQueue(id) {
            for event in events { await pass(event, to: lanes) }
        }
    }

    /// `nil`, and the conversation rests, when nothing waits.
    private func takeQueue(_ id: ConversationID) -> ([ChatEvent], [Lane])? {
        state.withLock { state in
            guard let followers = state.followers[id] else { return nil }
            guard !followers.queue.isEmpty, !followers.isEmpty else {
                state.followers[id]?.isBusy = false
                state.followers[id]?.queue = []
                if followers.isEmpty { state.followers[id] = nil }
                return nil
            }
            state.followers[id]?.queue = []
            return (followers.queue, followers.lanes)
        }
    }

    private func pass(_ event: ChatEvent, to lanes: [Lane]) async {
        var written: [ObjectIdentifier: [SharedFrame]] = [:]
        for lane in lanes {
            for group in lane.groups where written[ObjectIdentifier(group.style)] == nil {
                written[ObjectIdentifier(group.style)] = await group.style.frames(of: event)
            }
        }
        let frames = written
        for lane in lanes {
            let groups = lane.groups
            lane.loop.submit {
                for group in groups {
                    let frames = frames[ObjectIdentifier(group.style)] ?? []
                    for connection in group.connections { connection.deliver(event, frames) }
                }
            }
        }
    }

    package func notify(_ notice: ChatNotice, _ users: [UserID]) {
        let connections = state.withLock { state in users.flatMap { state.connections[$0] ?? [] } }
        for connection in connections { connection.loop.submit { connection.notice(notice) } }
    }

    package func clientSettingsChanged(_ change: ClientSettingsChange, of user: UserID) {
        notify(ChatNotice(.settingsChanged(change)), [user])
    }
}

extension ChatHub.Followers {
    mutating func add(_ connection: ChatConnection) {
        let lane: Int
        if let known = lanes.firstIndex(where: { $0.loop === connection.loop }) {
            lane = known
        } else {
            lane = lanes.count
            lanes.append(ChatHub.Lane(loop: connection.loop))
        }
        if let group = lanes[lane].groups.firstIndex(where: { $0.style === connection.style }) {
            lanes[lane].groups[group].connections.append(connection)
        } else {
            lanes[lane].groups.append(ChatHub.Group(style: connection.style, connections: [connection]))
        }
    }

    fileprivate mutating func remove(_ connection: ChatConnection) {
        guard let lane = lanes.firstIndex(where: { $0.loop === connection.loop }),
            let group = lanes[lane].groups.firstIndex(where: { $0.style === connection.style })
        else { return }
        lanes[lane].groups[group].connections.removeAll { $0 === connection }
        if lanes[lane].groups[group].connections.isEmpty { lanes[lane].groups.remove(at: group) }
        if lanes[lane].groups.isEmpty { lanes.remove(at: lane) }
    }
}
