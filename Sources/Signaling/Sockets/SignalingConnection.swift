// One socket: what it may say before and after it has joined, and how much of it. What it says after goes to its
// session, which outlives it.
//
// Locks are taken in the order connection, session, hub; while the hub's is held, nobody else is called.

package import Accounts
package import Base
import Store
import Synchronization

package final class SignalingConnection: Sendable {
    private enum Phase {
        case idle
        /// With what came before the answer.
        case joining([ClientMessage])
        case joined(SignalingSession)
        case closed
    }

    private struct State {
        var phase = Phase.idle
        var messages: TokenBucket
        var dropped = 0
        var toldAt: Instant?
        var malformed = 0
        /// Whose presence it is told.
        var watched: Set<UserID> = []
        /// Of these it does not know yet; asked for one page after the other.
        var unread: [UserID] = []
        var isReading = false
    }

    package let principal: Principal
    let channel: any SignalingChannel
    private let hub: SignalingHub
    /// A token for one call opens no other.
    private let onlyCall: CallID?
    /// A socket whose path names the call is of no use without it.
    private let isBoundToJoin: Bool
    private let state: Mutex<State>

    init(
        _ principal: Principal, _ channel: any SignalingChannel, hub: SignalingHub, onlyCall: CallID?,
        isBoundToJoin: Bool, now: Instant
    ) {
        self.principal = principal
        self.channel = channel
        self.hub = hub
        self.onlyCall = onlyCall
        self.isBoundToJoin = isBoundToJoin
        state = Mutex(
            State(
                messages: TokenBucket(
                    capacity: SignalingLimits.messageBurst, perSecond: SignalingLimits.messagesPerSecond, now: now)))
    }

    // MARK: - From the socket

    package func received(_ message: Result<ClientMessage, SignalingFault>, now: Instant) {
        state.withLock { state in
            if case .closed = state.phase { return }
            guard admit(&state, now) else { return }
            switch message {
            case .failure(let fault):
                state.malformed += 1
                channel.send(.fault(fault, ref: nil))
                if state.malformed >= SignalingLimits.malformedInARow {
                    channel.close(.invalidMessages, "no messages that can be read")
                }
            case .success(let message):
                state.malformed = 0
                take(message, &state, now)
            }
        }
    }

    /// `isGoodbye` when the client closed it on purpose.
    package func closed(isGoodbye: Bool, now: Instant) {
        let session = shut()
        session?.lost(self, isGoodbye: isGoodbye, now: now)
    }

    /// The server closes it, and nothing that it still says counts.
    func end(_ closure: SignalingClosure, _ reason: String) {
        let session = shut()
        channel.close(closure, reason)
        session?.lost(self, isGoodbye: false, now: .now())
    }

    /// Its session, the first time.
    private func shut() -> SignalingSession? {
        let (session, watched) = state.withLock { state -> (SignalingSession?, Set<UserID>) in
            let watched = state.watched
            state.watched = []
            state.unread = []
            defer { state.phase = .closed }
            if case .joined(let session) = state.phase { return (session, watched) }
            return (nil, watched)
        }
        hub.unwatch(watched, by: self)
        hub.remove(self)
        return session
    }

    package func alarm(now: Instant) {
        let session = state.withLock { state -> SignalingSession? in
            if case .joined(let session) = state.phase { session } else { nil }
        }
        session?.alarm(from: self, now: now)
    }

    // MARK: - Inside

    private func admit(_ state: inout State, _ now: Instant) -> Bool {
        var isAdmitted = state.messages.take(now)
        if isAdmitted, case .joined(let session) = state.phase { isAdmitted = hub.admitsMessage(in: session.call, now) }
        guard !isAdmitted else {
            state.dropped = 0
            return true
        }
        state.dropped += 1
        if state.dropped > SignalingLimits.droppedInARow {
            channel.close(.rateLimited, "too many messages")
        } else if state.toldAt.map({ now - $0 >= .seconds(1) }) ?? true {
            state.toldAt = now
            channel.send(.fault(.rateLimited(retryAfter: state.messages.secondsToNext), ref: nil))
        }
        return false
    }

    private func take(_ message: ClientMessage, _ state: inout State, _ now: Instant) {
        switch message {
        case .ping(let id): return channel.send(.pong(id: id))
        case .watch(let users): return watch(users, &state)
        case .unwatch(let users): return unwatch(users, &state)
        default: break
        }
        switch state.phase {
        case .closed: return
        case .idle:
            guard case .join(let request) = message else { return channel.send(.fault(.notJoined, ref: message.id)) }
            begin(request, &state)
        case .joining(let waiting):
            if case .join = message { return channel.send(.fault(.alreadyJoined, ref: nil)) }
            guard waiting.count < SignalingLimits.waiting else {
                return channel.send(.fault(.rateLimited(retryAfter: 1), ref: message.id))
            }
            state.phase = .joining(waiting + [message])
        case .joined(let session):
            if case .join = message { return channel.send(.fault(.alreadyJoined, ref: nil)) }
            session.received(message, from: self, now: now)
        }
    }

    // MARK: - Presence

    private func watch(_ users: [UserID], _ state: inout State) {
        let new = Set(users).subtracting(state.watched)
        guard state.watched.count + new.count <= SignalingLimits.watchedPerSocket else {
            return channel.send(.fault(.tooManyWatched(limit: SignalingLimits.watchedPerSocket), ref: nil))
        }
        state.watched.formUnion(new)
        hub.watch(new, by: self)
        // Who is asked for again is told again: a page that was reloaded knows nothing.
        var waiting = Set(state.unread)
        state.unread += users.filter { waiting.insert($0).inserted }
        guard !state.isReading else { return }
        state.isReading = true
        Task { [self] in await tellPresence() }
    }

    private func unwatch(_ users: [UserID]?, _ state: inout State) {
        let gone = users.map { state.watched.intersection($0) } ?? state.watched
        state.watched.subtract(gone)
        state.unread.removeAll { gone.contains($0) }
        hub.unwatch(gone, by: self)
    }

    /// One query after the other, so that asking again and again costs no more than that.
    private func tellPresence() async {
        while let users = state.withLock({ state -> [UserID]? in
            let users = Array(state.unread.prefix(SignalingLimits.people))
            state.unread.removeFirst(users.count)
            state.isReading = !users.isEmpty
            return users.isEmpty ? nil : users
        }) {
            guard let book = hub.presence else { continue }
            do throws(StoreError) {
                let presences = try await book.presences(of: users)
                for user in users { if let presence = presences[user] { channel.send(.presence(user, presence)) } }
            } catch {
                channel.send(.fault(.call(.store(error)), ref: nil))
            }
        }
    }

    // MARK: - Joining

    private func begin(_ request: JoinRequest, _ state: inout State) {
        if let onlyCall, onlyCall != request.call {
            channel.send(.fault(.call(.notFound), ref: nil))
            return channel.close(.notFound, "the token is for another call")
        }
        state.phase = .joining([])
        Task { [self] in
            do throws(SignalingFault) {
                finishJoin(try await hub.join(request, for: self))
            } catch {
                failJoin(error)
            }
        }
    }

    private func finishJoin(_ session: SignalingSession) {
        let isGone = state.withLock { state -> Bool in
            guard case .joining(let waiting) = state.phase else { return true }
            state.phase = .joined(session)
            let now = Instant.now()
            for message in waiting { session.received(message, from: self, now: now) }
            return false
        }
        if isGone { session.lost(self, isGoodbye: false, now: .now()) }
    }

    private func failJoin(_ fault: SignalingFault) {
        state.withLock { state in
            guard case .joining = state.phase else { return }
            state.phase = .idle
            channel.send(.fault(fault, ref: nil))
            if let closure = fault.closure ?? (isBoundToJoin ? .denied : nil) {
                channel.close(closure, "the call was not joined")
            }
        }
    }

    // MARK: - News

    /// Whether the notice was for this socket.
    func deliver(_ notice: CallNotice) -> Bool {
        let session = state.withLock { state -> (isOpen: Bool, session: SignalingSession?) in
            switch state.phase {
            case .closed: (false, nil)
            case .idle, .joining: (true, nil)
            case .joined(let session): (true, session)
            }
        }
        guard session.isOpen else { return false }
        if let session = session.session, session.call == notice.call.id { return session.deliver(notice, to: self) }
        switch notice.event {
        case .incoming: channel.send(.incoming(notice.call))
        case .ringingStopped(let end, let device):
            guard device != DeviceID(principal) else { return false }
            channel.send(.ringingStopped(notice.call, end))
        case .status(let by): channel.send(.status(notice.call, by: by))
        case .joined, .left, .updated, .hostChanged, .lockChanged, .recording: return false
        }
        return true
    }
}

extension ClientMessage {
    /// The client's own name for it.
    var id: Int64? {
        switch self {
        case .offer(let description), .answer(let description): description.id
        case .ping(let id), .host(_, let id), .consent(_, let id): id
        case .join, .candidate, .hangUp, .change, .wish, .restart, .watch, .unwatch: nil
        }
    }
}

extension SignalingFault {
    /// Where nothing more can come of the socket.
    var closure: SignalingClosure? {
        switch self {
        case .resumeInvalid: .notFound
        case .call(let error):
            switch error {
            case .notFound, .over: .notFound
            case .locked, .removed, .notPermitted: .denied
            case .account: .authenticationFailed
            default: nil
            }
        default: nil
        }
    }
}
