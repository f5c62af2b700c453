// All open chat sockets of this node: who follows which conversation, and how an event gets to them.
//
//     commit -> deliver: queue of the conversation -> one task: what waits is written, once for each style that is
//            looked on with -> one hop for each thread that has followers -> ChatConnection.deliver
//
// The task runs on the loop of one of the followers. What comes before all of them have got what was taken waits, and
// goes out together: a socket sends it in one piece. A queue that is full is emptied, and the followers read the log
// instead; so a thread that is busy holds no more than the queue and what was taken from it.
//
// A conversation that nobody follows costs a look into a table. It decides nothing about chat (`ChatService` does).

package import Accounts
package import Base
import Synchronization
import Wire

package final class ChatHub: ChatEvents, LoginSockets, ClientSettingEvents {
    /// The followers on one thread; by style, since they get the same frames.
    struct Lane: Sendable {
        let loop: any EventLoop
        var groups: [Group] = []
    }

    struct Group: Sendable {
        let style: any ChatStyle
        var connections: [ChatConnection]
    }

    /// What goes out at once.
    struct Batch: Sendable {
        let events: [ChatEvent]
        /// Events were left out that came before them.
        let followsGap: Bool
        let lanes: [Lane]

        func pass(_ frames: [[SharedFrame]], to connection: ChatConnection, of id: ConversationID) {
            if followsGap { connection.miss(id) }
            for (event, frames) in zip(events, frames) { connection.deliver(event, frames) }
        }
    }

    /// Counts those that have done their part, on whatever thread.
    private final class Arrivals: Sendable {
        private let missing: Atomic<Int>
        init(of count: Int) { missing = Atomic(count) }
        func isLast() -> Bool { missing.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 }
    }

    struct Followers {
        var lanes: [Lane] = []
        var queue: [ChatEvent] = []
        /// Events were left out that came before those in the queue.
        var hasMissed = false
        /// What was taken from the queue is on its way.
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
    /// Of all conversations together; for tests and metrics.
    package var waitingEvents: Int { state.withLock { $0.followers.values.reduce(0) { $0 + $1.queue.count } } }

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
        let loop = state.withLock { $0.followers[event.conversation]?.queue(event, limits.queuedEvents) }
        if let loop { begin(event.conversation, on: loop) }
    }

    private func begin(_ id: ConversationID, on loop: any EventLoop) {
        Task(executorPreference: loop) { [self] in await pass(id) }
    }

    private func pass(_ id: ConversationID) async {
        let taken = state.withLock { $0.followers[id]?.takeBatch(limits.eventsPerHop) }
        guard let batch = taken else { return goOn(id) }
        var written: [ObjectIdentifier: [[SharedFrame]]] = [:]
        for lane in batch.lanes {
            for style in lane.groups.lazy.map(\.style) where written[ObjectIdentifier(style)] == nil {
                written[ObjectIdentifier(style)] = await style.frames(of: batch.events)
            }
        }
        let arrivals = Arrivals(of: batch.lanes.count)
        for lane in batch.lanes {
            let groups = lane.groups.map { ($0.connections, written[ObjectIdentifier($0.style)] ?? []) }
            lane.loop.submit { [self] in
                for (connections, frames) in groups {
                    for connection in connections { batch.pass(frames, to: connection, of: id) }
                }
                if arrivals.isLast() { goOn(id) }
            }
        }
    }

    /// All that was taken has arrived: what has come meanwhile is next.
    private func goOn(_ id: ConversationID) {
        let loop = state.withLock { state -> (any EventLoop)? in
            if let loop = state.followers[id]?.loopOfNext { return loop }
            state.followers[id]?.isBusy = false
            if state.followers[id]?.isEmpty == true { state.followers[id] = nil }
            return nil
        }
        if let loop { begin(id, on: loop) }
    }

    package func notify(_ notice: ChatNotice, _ users: [UserID]) {
        let connections = state.withLock { state in users.flatMap { state.connections[$0] ?? [] } }
        for group in Dictionary(grouping: connections, by: { ObjectIdentifier($0.loop) }).values {
            group[0].loop.submit { for connection in group { connection.notice(notice) } }
        }
    }

    package func clientSettingsChanged(_ change: ClientSettingsChange, of user: UserID) {
        notify(ChatNotice(.settingsChanged(change)), [user])
    }
}

extension ChatHub.Followers {
    /// The loop on which what waits is taken.
    var loopOfNext: (any EventLoop)? { queue.isEmpty ? nil : lanes.first?.loop }

    /// Where to begin taking from the queue; `nil` when that is under way, or nobody is there.
    ///
    /// A full queue is emptied rather than closed for what comes: followers then read one stretch of the log, and have
    /// the rest from the queue.
    mutating func queue(_ event: ChatEvent, _ limit: Int) -> (any EventLoop)? {
        guard !lanes.isEmpty else { return nil }
        if queue.count >= limit {
            queue = []
            hasMissed = true
        }
        queue.append(event)
        defer { isBusy = true }
        return isBusy ? nil : loopOfNext
    }

    /// `nil` when there is nothing, or nobody to get it.
    mutating func takeBatch(_ limit: Int) -> ChatHub.Batch? {
        guard !lanes.isEmpty else {
            (queue, hasMissed) = ([], false)
            return nil
        }
        guard !queue.isEmpty else { return nil }
        let batch = ChatHub.Batch(events: Array(queue.prefix(limit)), followsGap: hasMissed, lanes: lanes)
        queue.removeFirst(batch.events.count)
        hasMissed = false
        return batch
    }

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
