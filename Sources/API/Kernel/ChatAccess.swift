// What the rows of chat may use, and what their dialects read alike from a request.

import Accounts
import Base
package import Chat
import Signaling
import Wire

package struct ChatAccess: Sendable {
    package let service: ChatService
    /// Where people open the web client, without a trailing slash: invitations point there.
    package let publicURL: String
    let exports = ExportSlots()

    package init(service: ChatService, publicURL: String) {
        self.service = service
        self.publicURL = publicURL
    }

    /// Behind the `#`, which browsers do not send: no proxy writes the code into a log.
    func link(to invitation: NewInvitation) -> String { "\(publicURL)/#join=\(invitation.code.exposedText)" }
}

extension Call {
    var chat: ChatService { get throws(RequestFault) { try chatAccess.service } }

    var chatAccess: ChatAccess {
        get throws(RequestFault) {
            guard let access = services.chat else {
                throw .unavailable(reason: "This server takes no part in chat", retryAfter: 60)
            }
            return access
        }
    }

    /// The account is gone; now it leaves its conversations, and what it wrote is emptied. When that breaks off, the
    /// account stays deleted, and what is left of it is left to the sweep.
    func forgetInChat(_ user: UserID) async {
        do {
            try await services.chat?.service.forget(user)
        } catch {
            Self.log.error("a deleted account is still in conversations", [.requestID(requestID), .error(error)])
        }
    }

    private static let log = Logger("api.chat")

    /// What is no identifier at all names nothing either, and is answered like one that names nothing.
    func conversationID(_ parameter: String = "id") throws(ChatError) -> ConversationID {
        guard let id = ConversationID(self.parameter(parameter)) else { throw .notFound(.conversation) }
        return id
    }

    func messageID(_ parameter: String = "id") throws(ChatError) -> MessageID {
        guard let id = MessageID(self.parameter(parameter)) else { throw .notFound(.message) }
        return id
    }

    /// An identifier of the body or of the query. The schema has been checked: what is no id here has another kind's
    /// prefix and names nothing.
    func reference<Kind>(
        _ value: JSONValue?, or missing: ChatThing, _ kind: Kind.Type = Kind.self
    ) throws(ChatError) -> Identifier<Kind>? {
        guard let text = value?.stringValue else { return nil }
        guard let identifier = Identifier<Kind>(text) else { throw .notFound(missing) }
        return identifier
    }

    func queryReference<Kind>(
        _ name: String, or missing: ChatThing, _ kind: Kind.Type = Kind.self
    ) throws(ChatError) -> Identifier<Kind>? {
        try reference(query[name], or: missing)
    }

    func people(named name: String) throws(ChatError) -> [UserID] {
        var people: [UserID] = []
        for value in body[name]?.arrayValue ?? [] {
            if let id: UserID = try reference(value, or: .user) { people.append(id) }
        }
        return people
    }

    /// The one user that a body names.
    func person(named name: String) throws(ChatError) -> UserID {
        guard let id: UserID = try reference(body[name], or: .user) else { throw .notFound(.user) }
        return id
    }

    /// Who of them is there now, as far as this server knows anybody's presence.
    func online(among users: [UserID]) -> Set<UserID> { services.calls?.presence.online(among: users) ?? [] }

    func time(_ value: JSONValue?) -> Timestamp? { value?.stringValue.flatMap { Timestamp(rfc3339: $0) } }

    /// The inner `nil` is `null`: the client takes the text away.
    func clearableText(_ name: String) -> String?? { mentions(name) ? .some(optionalText(name)) : .none }
}

extension ConversationView {
    /// A direct one has no title: it is called like the other of the two, as clients do.
    var shownTitle: String? { conversation.title ?? counterpart?.displayName.exposed }

    /// What only members see; `nil` for others, who may know no more than that it is there.
    func forMembers<Value>(_ value: Value?) -> Value? { membership == nil ? nil : value }
}

extension MessagePage {
    /// Who wrote, who reacted: whom a list has to name.
    var people: Set<UserID> { messages.reduce(into: []) { $0.formUnion($1.people) } }
}

extension Message {
    var people: Set<UserID> { Set(reactions.map(\.user)).union(sender.map { [$0] } ?? []) }

    var plainText: String? { if case .plain(let text) = body { text } else { nil } }
    var box: SealedBox? { if case .box(let box) = body { box } else { nil } }
    var deviceBox: DeviceBox? { if case .deviceBox(let box) = body { box } else { nil } }
}

/// Bounds that the schemas of several dialects share. Where the domain has a bound of its own, the schema's is not
/// below it, so that the domain's word is what a client hears.
enum ChatFields {
    static let title = Schema.text(ChatValidation.titleLength)
    static let summary = Schema.text(0...ChatValidation.summaryLimit)
    static let maxMembers = Schema.integer(1...1_000_000)
    static let summaryThreshold = Schema.integer(
        Int64(ChatValidation.summaryThreshold.lowerBound)...Int64(ChatValidation.summaryThreshold.upperBound))
    /// In seconds.
    static let retention = Schema.integer(
        ChatValidation.retention.lowerBound.components.seconds...ChatValidation.retention.upperBound.components.seconds)
    static let content = Schema.text(1...StringRule.longest)
    static let clientID = Schema.text(1...ChatValidation.clientIDLimit)
    /// Bytes there, characters here: whatever is short enough there is here.
    static let emoji = Schema.text(ChatValidation.emojiBytes)
    static let visibility = Schema.choice(ConversationVisibility.allCases.map(\.name))
    static let members = Schema.array(.uuid, limit: 1_000)
    static let mentions = Schema.array(.uuid, limit: 1_000)
    /// What a user may write; the system's own are the system's.
    static let writtenTypes = Schema.choice(MessageType.allCases.filter { $0 != .system }.map(\.name))
    static let messageTypes = Schema.choice(MessageType.allCases.map(\.name))
    static let roles = Schema.choice(MemberRole.allCases.map(\.name))
    static let maxUses = Schema.integer(1...1_000_000)
    static let expiresInHours = Schema.integer(1...100_000)
    /// Of the members that one answer shows where a document has no pages for them.
    static let shownMembers = 1_000
    /// The domain's `emojiPerMessage` and `reactionsPerMessage` are below it, whatever is configured.
    static let shownReactions = 10_000
    static let shownAttachments = 1_000
    /// Each is looked up before the message is written; the domain's own bound is lower (`chat.attachments_per_message`).
    static let sentAttachments = 100
    /// As the domain has it (`ChatOptions.recipientKeys`). More would not fit into a body, either.
    static let shownKeys = 1_000
    static let shownStatuses = 100_000
    static let searchTokens = Schema.array(.text(1...64), limit: 1_000)
}
