// What chat sockets say, written once for all dialects: a dialect brings its words, and the shapes that its document has
// and the others have not.

import Accounts
import Base
import Chat
import Wire

/// What a message of the server is about. The raw value is the name that most dialects have for it.
enum LiveWord: String {
    case connected
    case followed = "subscribed"
    case unfollowed = "unsubscribed"
    case sent = "message_sent"
    case ok, pong, error
    case message
    case edited = "message_updated"
    case deleted = "message_deleted"
    case reactionAdded = "reaction_added"
    case reactionRemoved = "reaction_removed"
    case pinned = "message_pinned"
    case unpinned = "message_unpinned"
    case joined = "user_joined"
    case left = "user_left"
    case member = "member_updated"
    case conversation = "channel_updated"
    case conversationDeleted = "channel_deleted"
    case typing
    case read = "message_read"
    case delivered = "message_delivered"
    case failed = "message_failed"
    case added = "channel_added"
    case removed = "channel_removed"
    case devices = "devices_changed"
    case presence
    case online = "user_online"
    case offline = "user_offline"
    case settings = "settings_changed"
    case webhookDisabled = "webhook_disabled"
    /// To webhooks; a socket is told with `followed`.
    case gap = "log_gap"
}

struct LiveVocabulary: Sendable {
    /// Which member says what a message is.
    let type: StaticString
    /// What a conversation's identifier is called.
    let place: StaticString
    /// Where the dialect's name is another one.
    let names: [LiveWord: String]

    func name(_ word: LiveWord) -> String { names[word] ?? word.rawValue }
}

/// Shapes that differ. The defaults are what a dialect without a word of its own says.
protocol LiveWriting {
    var vocabulary: LiveVocabulary { get }
    /// Whose names the frames of these events show.
    func people(in events: [ChatEvent]) async -> [UserID: ChatPerson]
    /// The message alone, as the dialect shows it.
    func write(_ message: Message, _ people: [UserID: ChatPerson], into json: inout JSONWriter)
    /// The members of `data` for a message that is new or edited.
    func writeData(_ message: Message, _ people: [UserID: ChatPerson], into json: inout JSONWriter)
    func writeJoined(_ member: Member, _ people: [UserID: ChatPerson], into json: inout JSONWriter)
    func writeTyping(_ user: UserID?, _ isTyping: Bool, _ people: [UserID: ChatPerson], into json: inout JSONWriter)
    func writeReceipt(_ kind: ReceiptKind, _ message: MessageID, _ user: UserID?, into json: inout JSONWriter)
    /// `nil` for what the dialect has no word for.
    func word(_ news: PresenceNews) -> LiveWord?
    /// Whom it shows by name.
    func person(in news: PresenceNews) async -> ChatPerson?
    func writePresence(_ news: PresenceNews, _ person: ChatPerson?, into json: inout JSONWriter)
}

extension LiveWriting {
    func people(in events: [ChatEvent]) async -> [UserID: ChatPerson] { [:] }
    func person(in news: PresenceNews) async -> ChatPerson? { nil }
    func word(_ news: PresenceNews) -> LiveWord? { .presence }

    func writePresence(_ news: PresenceNews, _ person: ChatPerson?, into json: inout JSONWriter) {
        json.field("user_id", news.user)
        json.field("status", news.presence.status.rawValue)
        if let lastSeen = news.presence.lastSeen { json.field("last_seen", lastSeen) }
    }

    func writeData(_ message: Message, _ people: [UserID: ChatPerson], into json: inout JSONWriter) {
        write(message, people, into: &json)
    }

    func writeJoined(_ member: Member, _ people: [UserID: ChatPerson], into json: inout JSONWriter) {
        json.field("user_id", member.user)
        json.field("role", member.role.name)
    }

    func writeTyping(
        _ user: UserID?, _ isTyping: Bool, _ people: [UserID: ChatPerson], into json: inout JSONWriter
    ) {
        json.field("user_id", user)
        json.field("is_typing", isTyping)
    }

    func writeReceipt(_ kind: ReceiptKind, _ message: MessageID, _ user: UserID?, into json: inout JSONWriter) {
        json.field("message_id", message)
        json.field("user_id", user)
    }
}

extension LiveCodec {
    // MARK: Events

    func frames(of events: [ChatEvent]) async -> [[SharedFrame]] {
        let people = await people(in: events)
        return events.map { event in text(of: event, people).map { [SharedFrame(textBytes: $0)] } ?? [] }
    }

    /// What a frame carries: the JSON alone.
    func text(of event: ChatEvent) async -> Bytes? { text(of: event, await people(in: [event])) }

    private func text(of event: ChatEvent, _ people: [UserID: ChatPerson]) -> Bytes? {
        guard let word = word(event.change) else { return nil }
        return text(word, event.position) { json in
            switch event.change {
            case .messageSent(let message), .messageEdited(let message): writeData(message, people, into: &json)
            default:
                json.field(vocabulary.place, event.conversation)
                write(event, people, into: &json)
            }
        }
    }

    /// `nil` for what clients do not hear: that a message is stored its sender knows by the answer.
    private func word(_ change: ChatEvent.Change) -> LiveWord? {
        switch change {
        case .messageSent: .message
        case .messageEdited: .edited
        case .messageDeleted: .deleted
        case .reactionAdded: .reactionAdded
        case .reactionRemoved: .reactionRemoved
        case .messagePinned: .pinned
        case .messageUnpinned: .unpinned
        case .memberJoined: .joined
        case .memberLeft: .left
        case .memberChanged: .member
        case .conversationChanged: .conversation
        case .conversationDeleted: .conversationDeleted
        case .typing: .typing
        case .receipt(.read, _, _, _): .read
        case .receipt(.delivered, _, _, _): .delivered
        case .receipt(.failed, _, _, _): .failed
        case .receipt(.sent, _, _, _): nil
        }
    }

    private func write(_ event: ChatEvent, _ people: [UserID: ChatPerson], into json: inout JSONWriter) {
        switch event.change {
        case .messageSent, .messageEdited, .conversationDeleted: break
        case .messageDeleted(let id, _), .messagePinned(let id), .messageUnpinned(let id):
            json.field("message_id", id)
        case .reactionAdded(let id, let reaction): write(id, reaction.user, reaction.emoji, into: &json)
        case .reactionRemoved(let id, let user, let emoji): write(id, user, emoji, into: &json)
        case .memberJoined(let member): writeJoined(member, people, into: &json)
        case .memberLeft(let user, let reason):
            json.field("user_id", user)
            json.field("reason", reason.name)
        case .memberChanged(let user, let member):
            json.field("user_id", user)
            json.field("role", member?.role.name)
        case .conversationChanged(let conversation):
            json.field("name", conversation.title)
            json.field("description", conversation.summary)
            json.field("is_archived", conversation.isArchived)
            json.field("is_encrypted", conversation.settings.isEncrypted)
        case .typing(let isTyping): writeTyping(event.actor, isTyping, people, into: &json)
        case .receipt(let kind, let id, _, let device):
            writeReceipt(kind, id, event.actor, into: &json)
            // Whoever sealed it has to know for which device to do it again.
            if kind == .failed { json.field("device_id", device) }
        }
    }

    private func write(_ id: MessageID, _ user: UserID, _ emoji: String, into json: inout JSONWriter) {
        json.field("message_id", id)
        json.field("user_id", user)
        json.field("emoji", emoji)
    }

    func frames(of news: PresenceNews) async -> [SharedFrame] {
        guard let word = word(news) else { return [] }
        let person = await person(in: news)
        return [frame(word) { writePresence(news, person, into: &$0) }]
    }

    // MARK: Answers

    func frames(of message: LiveMessage) -> [SharedFrame] {
        switch message {
        case .welcome(let user): [frame(.connected) { $0.field("user_id", user) }]
        case .following(let id, let position, let isRecovered, let reference):
            [
                frame(.followed, position, reference) { json in
                    json.field(vocabulary.place, id)
                    json.field("recovered", isRecovered)
                }
            ]
        case .unfollowed(_, let fault?, let reference): [error(.chat(fault), LiveName(reference: reference))]
        case .unfollowed(let id, nil, let reference):
            [frame(.unfollowed, nil, reference) { $0.field(vocabulary.place, id) }]
        case .sent(let sent, let reference):
            [
                frame(.sent, nil, reference) { json in
                    json.field("client_id", sent.message.clientID)
                    json.object("message") { write(sent.message, [:], into: &$0) }
                }
            ]
        case .done(let reference): [frame(.ok, nil, reference) { _ in }]
        case .pong(let reference): [frame(.pong, nil, reference) { _ in }]
        case .failed(let fault, let name): [error(fault, name)]
        case .notice(let notice): [frame(of: notice)]
        }
    }

    private func error(_ fault: LiveFault, _ name: LiveName) -> SharedFrame {
        let problem = problem(fault)
        return frame(.error, nil, name.reference, client: name.clientID) { json in
            json.field("code", problem.code)
            json.field("message", problem.message)
            json.field("details", JSONValue.object(problem.details))
        }
    }

    private func frame(of notice: ChatNotice) -> SharedFrame {
        switch notice.event {
        case .joined(let conversation):
            frame(.added) { json in
                json.field(vocabulary.place, conversation.id)
                json.field("name", conversation.title)
            }
        case .left(let id, let reason):
            frame(.removed) { json in
                json.field(vocabulary.place, id)
                json.field("reason", reason.name)
            }
        case .devicesChanged(let user, let version):
            frame(.devices) { json in
                json.field("user_id", user)
                json.field("version", version)
            }
        case .webhookDisabled(let end):
            frame(.webhookDisabled) { json in
                json.field("webhook_id", end.webhook)
                json.field(vocabulary.place, end.conversation)
                json.field("reason", end.reason)
            }
        case .settingsChanged(let change):
            frame(.settings) { ClientSettingsFrame.write(change, into: &$0) }
        }
    }

    // MARK: The envelope

    /// `{"type": …, "data": {…}}`, with the place of what is in the log.
    private func frame(
        _ word: LiveWord, _ position: LogPosition? = nil, _ reference: JSONValue? = nil, client: String? = nil,
        _ data: (inout JSONWriter) -> Void
    ) -> SharedFrame {
        SharedFrame(textBytes: text(word, position, reference, client: client, data))
    }

    func text(
        _ word: LiveWord, _ position: LogPosition? = nil, _ reference: JSONValue? = nil, client: String? = nil,
        _ data: (inout JSONWriter) -> Void
    ) -> Bytes {
        var json = JSONWriter(capacity: 512)
        json.object { json in
            json.field(vocabulary.type, vocabulary.name(word))
            json.object("data", data)
            if let position {
                json.field("epoch", position.epoch)
                json.field("offset", position.offset)
            }
            if let reference { json.field("ref", reference) }
            if let client { json.field("client_id", client) }
        }
        return json.bytes
    }
}

extension DepartureReason {
    var name: String {
        switch self {
        case .left: "left"
        case .removed: "removed"
        case .accountDeleted: "account_deleted"
        }
    }
}
