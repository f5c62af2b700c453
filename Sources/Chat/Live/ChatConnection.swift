// One open socket of one user: what it follows, and what its client asks for, one thing after the other.
//
// `@unchecked Sendable`: everything is touched on the thread of the line's loop. Tasks of a connection prefer that loop,
// so what they do between two `await`s is done there as well.

package import Accounts
package import Base
import Wire

package final class ChatConnection: @unchecked Sendable {
    private struct Followed {
        var log: FollowedLog<[SharedFrame]>
        /// The log is being read.
        var isReading = false
        /// What the client was told when it asked is owed to it yet, under this name.
        var answer: Answer?
        /// Another following of the same conversation is another one: what an earlier one read is of no use to it.
        let number: Int
    }

    private struct Answer { let reference: JSONValue? }

    package let principal: Principal
    /// Which of the user's devices it is, where the socket says so: receipts name it.
    private let device: ClientDeviceID?
    /// The one conversation that its path names; without it the socket is of no use.
    private let bound: ConversationID?
    package let style: any ChatStyle
    let line: any ChatLine
    var loop: any EventLoop { line.loop }

    private let hub: ChatHub
    private var limits: LiveLimits { hub.limits }
    private var followed: [ConversationID: Followed] = [:]
    private var followings = 0
    private var followsAll = false
    private var isClosed = false
    private var waiting: [LiveRequest] = []
    private var isBusy = false
    private var commands: TokenBucket
    private var messages: TokenBucket
    private var refusedInARow = 0
    private var malformedInARow = 0
    private var typing: [ConversationID: Instant] = [:]

    init(
        _ principal: Principal, _ device: ClientDeviceID?, _ bound: ConversationID?, _ line: any ChatLine,
        _ style: any ChatStyle, hub: ChatHub, now: Instant
    ) {
        self.principal = principal
        self.device = device
        self.bound = bound
        self.line = line
        self.style = style
        self.hub = hub
        commands = TokenBucket(capacity: hub.limits.commandBurst, perSecond: hub.limits.commandsPerSecond, now: now)
        let minute = Double(hub.limits.messagesPerMinute)
        messages = TokenBucket(capacity: minute, perSecond: minute / 60, now: now)
    }

    package var followedConversations: Set<ConversationID> { Set(followed.keys) }

    // MARK: - To the client

    package func tell(_ message: LiveMessage) {
        for frame in style.frames(of: message) { line.send(frame) }
    }

    /// An event of a conversation that it follows.
    func deliver(_ event: ChatEvent, _ frames: [SharedFrame]) {
        guard var entry = followed[event.conversation] else { return }
        guard let position = event.position else {
            // Whoever types need not be told.
            let isOwn = if case .typing = event.change { event.actor == principal.user } else { false }
            if entry.log.phase == .live, line.hasRoom, !isOwn { send(frames) }
            return
        }
        let verdict = entry.log.received(position, frames, hasRoom: line.hasRoom)
        followed[event.conversation] = entry
        switch verdict {
        case .drop: break
        case .behind: catchUp(event.conversation)
        case .pass:
            send(frames)
            if isEnd(event.change) { lose(event.conversation, event.change == .conversationDeleted) }
        }
    }

    /// Of somebody in a conversation that it follows. Left out while there is no room, as typing is.
    func tellPresence(_ frames: [SharedFrame]) {
        if !isClosed, line.hasRoom { send(frames) }
    }

    /// Events of a conversation that it follows were left out; those that come now are after them.
    func miss(_ id: ConversationID) {
        guard followed[id]?.log.miss() == .behind else { return }
        catchUp(id)
    }

    private func send(_ frames: [SharedFrame]) { for frame in frames { line.send(frame) } }

    /// After this event the user has no business here any more.
    private func isEnd(_ change: ChatEvent.Change) -> Bool {
        switch change {
        case .memberLeft(let user, _): user == principal.user
        case .conversationDeleted: true
        default: false
        }
    }

    func notice(_ notice: ChatNotice) {
        tell(.notice(notice))
        if case .joined(let conversation) = notice.event, followsAll, followed[conversation.id] == nil {
            enqueue(LiveRequest(.follow([(conversation.id, nil)])))
        }
    }

    /// There is room again.
    package func writable() {
        for (id, entry) in followed where entry.log.phase == .behind { catchUp(id) }
    }

    package func closed() {
        isClosed = true
        hub.remove(self)
        for id in followed.keys { hub.unwatch(id, self) }
        followed = [:]
        waiting = []
        for id in typing.keys { stopTyping(id) }
        typing = [:]
    }

    private func stopTyping(_ id: ConversationID) {
        guard let service = hub.service else { return }
        Task(executorPreference: loop) { [principal] in try? await service.typing(false, in: id, by: principal) }
    }

    // MARK: - From the client

    /// `name` is what could be read of a message that cannot be.
    package func received(
        _ read: Result<LiveRequest, LiveFault>, named name: LiveName = .none, now: Instant = .now()
    ) {
        guard commands.take(now) else { return refuse(retryAfter: commands.secondsToNext) }
        refusedInARow = 0
        switch read {
        case .success(let request):
            malformedInARow = 0
            if case .send = request.command, !messages.take(now) {
                let fault = LiveFault.tooManyRequests(retryAfter: messages.secondsToNext)
                return tell(.failed(fault, request.name))
            }
            enqueue(request)
        case .failure(let fault):
            malformedInARow += 1
            tell(.failed(fault, name))
            if malformedInARow >= limits.malformedInARow {
                line.close(.invalidMessages, "messages that cannot be read")
            }
        }
    }

    private func refuse(retryAfter: Int) {
        refusedInARow += 1
        // Told at the first; after that dropped, or the answers would be a flood of their own.
        if refusedInARow == 1 { tell(.failed(.tooManyRequests(retryAfter: retryAfter), .none)) }
        if refusedInARow >= limits.refusedInARow { line.close(.rateLimited, "too many messages") }
    }

    private func enqueue(_ request: LiveRequest) {
        guard waiting.count < limits.waitingCommands else {
            return tell(.failed(.tooManyRequests(retryAfter: 1), request.name))
        }
        waiting.append(request)
        guard !isBusy else { return }
        isBusy = true
        Task(executorPreference: loop) { [self] in
            while !isClosed, !waiting.isEmpty { await run(waiting.removeFirst()) }
            isBusy = false
        }
    }

    private func run(_ request: LiveRequest) async {
        guard let service = hub.service else { return }
        do throws(LiveFault) {
            if let answer = try await answer(request, service) { tell(answer) }
        } catch {
            tell(.failed(error, request.name))
        }
    }

    private func answer(_ request: LiveRequest, _ service: ChatService) async throws(LiveFault) -> LiveMessage? {
        let reference = request.reference
        switch request.command {
        case .ping: return .pong(reference: reference)
        case .follow(let wanted):
            for (id, position) in wanted { try await follow(id, from: position, service, Answer(reference: reference)) }
            return nil
        case .followAll:
            followsAll = true
            try await followAll(service, Answer(reference: reference))
            return .done(reference: reference)
        case .unfollow(let ids):
            for id in ids {
                end(id)
                tell(.unfollowed(id, fault: nil, reference: reference))
            }
            return nil
        case .typing(let isTyping, let id):
            try await type(isTyping, in: id, service)
            return nil
        case .send(let new, let id):
            let sent = try await Self.chat { () throws(ChatError) in try await service.send(new, to: id, by: principal)
            }
            typing[id] = nil
            return .sent(sent, reference: reference)
        case .edit, .delete, .react, .acknowledge, .reportFailure:
            try await Self.chat { () throws(ChatError) in try await change(request.command, service) }
            return .done(reference: reference)
        }
    }

    private func change(_ command: LiveCommand, _ service: ChatService) async throws(ChatError) {
        switch command {
        case .edit(let id, let edit): _ = try await service.edit(id, edit, by: principal)
        case .delete(let id): try await service.deleteMessage(id, by: principal)
        case .react(let id, let emoji, let isOn):
            if isOn {
                _ = try await service.react(emoji, to: id, by: principal)
            } else {
                try await service.unreact(emoji, from: id, by: principal)
            }
        case .acknowledge(let kind, let id):
            try await service.acknowledge(kind, upTo: id, device: device, by: principal)
        case .reportFailure(let id, let named):
            guard let device = named ?? device else { throw .invalid(.device, .required, "is required here") }
            try await service.reportFailure(of: id, device: device, by: principal)
        case .follow, .followAll, .unfollow, .send, .typing, .ping: break
        }
    }

    private static func chat<Value>(
        _ body: () async throws(ChatError) -> Value
    ) async throws(LiveFault) -> Value {
        do throws(ChatError) { return try await body() } catch { throw .chat(error) }
    }

    /// Who goes on typing is heard of now and then only; who stops, once.
    private func type(_ isTyping: Bool, in id: ConversationID, _ service: ChatService) async throws(LiveFault) {
        let now = Instant.now()
        if isTyping {
            if let last = typing[id], now - last < limits.typingInterval { return }
            guard typing.count < limits.followed else { return }
            typing[id] = now
        } else {
            guard typing.removeValue(forKey: id) != nil else { return }
        }
        try await Self.chat { () throws(ChatError) in try await service.typing(isTyping, in: id, by: principal) }
    }

    // MARK: - Following

    private func followAll(_ service: ChatService, _ answer: Answer) async throws(LiveFault) {
        let filter = ConversationFilter(includesArchived: false, limit: limits.followed)
        let page = try await Self.chat { () throws(ChatError) in
            try await service.conversations(filter, for: principal)
        }
        for view in page.items where followed[view.conversation.id] == nil {
            try await follow(view.conversation.id, from: nil, service, answer)
        }
    }

    private func follow(
        _ id: ConversationID, from position: LogPosition?, _ service: ChatService, _ answer: Answer
    ) async throws(LiveFault) {
        if followed[id] != nil { end(id) }
        guard followed.count < limits.followed else { throw .tooManyFollowed(limits.followed) }
        followings += 1
        let number = followings
        followed[id] = Followed(
            log: FollowedLog(from: position, heldMax: limits.heldEvents), answer: answer, number: number)
        // Before anything is read: what happens from here on is held.
        hub.watch(id, self)
        await read(id, number, service)
    }

    /// Was behind, and reads on from the log.
    private func catchUp(_ id: ConversationID) {
        guard let entry = followed[id], !entry.isReading, let service = hub.service else { return }
        guard line.hasRoom else { return line.callWhenWritable() }
        let number = entry.number
        followed[id]?.log.catchUp()
        Task(executorPreference: loop) { [self] in await read(id, number, service) }
    }

    private func isFollowed(_ id: ConversationID, _ number: Int) -> Bool { followed[id]?.number == number }

    private func read(_ id: ConversationID, _ number: Int, _ service: ChatService) async {
        guard isFollowed(id, number) else { return }
        followed[id]?.isReading = true
        do throws(ChatError) {
            var pages = 0
            while isFollowed(id, number) {
                pages += 1
                guard let from = followed[id]?.log.position, pages <= limits.pagesOfCatchingUp else {
                    // A newcomer, or somebody so far behind that reading the history anew is quicker.
                    let view = try await service.authorize(.view, in: id, for: principal)
                    begin(id, number, at: view.conversation.log.position, isRecovered: pages == 1)
                    if goLive(id, number) { return }
                    continue
                }
                let page = try await service.events(of: id, after: from, limit: limits.eventsPerPage, for: principal)
                guard page.isRecovered else {
                    begin(id, number, at: page.position, isRecovered: false)
                    if goLive(id, number) { return }
                    continue
                }
                begin(id, number, at: from, isRecovered: true)
                guard await pass(page.events, of: id, number) else { return }
                // Behind its last event: what is not there any more was passed over.
                followed[id]?.log.read(upTo: page.position)
                if !page.hasMore, goLive(id, number) { return }
            }
        } catch {
            guard isFollowed(id, number) else { return }
            let reference = followed[id]?.answer?.reference
            tell(.unfollowed(id, fault: error, reference: reference))
            let isNotThere = if case .notFound = error { true } else { false }
            lose(id, isNotThere)
        }
    }

    /// Tells the client, once or when there is a gap, where it stands.
    private func begin(_ id: ConversationID, _ number: Int, at position: LogPosition, isRecovered: Bool) {
        guard isFollowed(id, number) else { return }
        followed[id]?.log.read(upTo: position)
        let answer = followed[id]?.answer
        guard answer != nil || !isRecovered else { return }
        followed[id]?.answer = nil
        tell(.following(id, position: position, isRecovered: isRecovered, reference: answer?.reference))
    }

    /// False when it is not to be gone on with.
    private func pass(_ events: [ChatEvent], of id: ConversationID, _ number: Int) async -> Bool {
        let written = await style.frames(of: events)
        for (event, frames) in zip(events, written) {
            guard isFollowed(id, number) else { return false }
            guard line.hasRoom else {
                followed[id]?.log.pause()
                followed[id]?.isReading = false
                line.callWhenWritable()
                return false
            }
            send(frames)
            if let position = event.position { followed[id]?.log.read(upTo: position) }
            if isEnd(event.change) {
                lose(id, event.change == .conversationDeleted)
                return false
            }
        }
        return true
    }

    /// False when the log has to be read on.
    private func goLive(_ id: ConversationID, _ number: Int) -> Bool {
        guard isFollowed(id, number), let rest = followed[id]?.log.goLive() else { return !isFollowed(id, number) }
        followed[id]?.isReading = false
        for frames in rest { send(frames) }
        return true
    }

    /// It is followed no more, and not by the client's wish.
    private func lose(_ id: ConversationID, _ isNotThere: Bool) {
        end(id)
        guard id == bound else { return }
        if isNotThere {
            line.close(.notFound, "there is no such conversation")
        } else {
            line.close(.denied, "it may not be followed")
        }
    }

    private func end(_ id: ConversationID) {
        guard followed.removeValue(forKey: id) != nil else { return }
        hub.unwatch(id, self)
    }
}
