// A webhook as chat knows it: where events of a conversation's log are sent, and how far that came.
// docs/protocol/webhooks.md is normative.

package import Base
package import Wire

package enum WebhookKind: IdentifierKind { package static let prefix = "webhook" }
package typealias WebhookID = Identifier<WebhookKind>

package enum IncomingWebhookKind: IdentifierKind { package static let prefix = "hook" }
package typealias IncomingWebhookID = Identifier<IncomingWebhookKind>

/// Which events are sent. Stored as a bit set: bit n is the log's kind n (`EventTable.Kind`).
package struct WebhookEvents: OptionSet, Sendable, Hashable {
    package let rawValue: Int64
    package init(rawValue: Int64) { self.rawValue = rawValue }

    /// design's words for what is in a log, in the order of its kinds.
    package static let allNames = [
        "message.created", "message.updated", "message.deleted", "reaction.added", "reaction.removed",
        "message.pinned", "message.unpinned", "member.joined", "member.left", "member.updated", "channel.updated",
        "channel.deleted",
    ]
    package static let all = WebhookEvents(rawValue: (1 << Int64(allNames.count)) - 1)

    /// `nil` for a name that is no event's.
    package init?(name: String) {
        guard let bit = Self.allNames.firstIndex(of: name) else { return nil }
        self.init(rawValue: 1 << Int64(bit))
    }

    package var names: [String] {
        Self.allNames.indices.filter { rawValue & 1 << Int64($0) != 0 }.map { Self.allNames[$0] }
    }

    /// `nil` for what is in no log.
    init?(of change: ChatEvent.Change) {
        let kind: EventTable.Kind? =
            switch change {
            case .messageSent: .sent
            case .messageEdited: .edited
            case .messageDeleted: .deleted
            case .reactionAdded: .reactionAdded
            case .reactionRemoved: .reactionRemoved
            case .messagePinned: .pinned
            case .messageUnpinned: .unpinned
            case .memberJoined: .memberJoined
            case .memberLeft: .memberLeft
            case .memberChanged: .memberChanged
            case .conversationChanged: .conversationChanged
            case .conversationDeleted: .conversationDeleted
            case .typing, .receipt: nil
            }
        guard let kind else { return nil }
        self.init(rawValue: 1 << kind.rawValue)
    }
}

package struct Webhook: Sendable, Equatable {
    package let id: WebhookID
    package let conversation: ConversationID
    package internal(set) var url: String
    package internal(set) var events: WebhookEvents
    package internal(set) var summary: String
    package let createdBy: UserID
    package let createdAt: Timestamp
    package internal(set) var isActive: Bool
    /// Everything up to here was taken.
    package internal(set) var position: LogPosition
    package internal(set) var progress: WebhookProgress
    /// Events behind its place, those that it does not want included.
    package internal(set) var pending: Int64
}

package struct NewWebhook: Sendable {
    package let webhook: Webhook
    /// Told once.
    package let secret: Secret
}

/// What is `nil` stays as it is.
package struct WebhookChanges: Sendable {
    package var url: String?
    package var events: WebhookEvents?
    package var summary: String?
    package var isActive: Bool?

    package init(
        url: String? = nil, events: WebhookEvents? = nil, summary: String? = nil, isActive: Bool? = nil
    ) {
        self.url = url
        self.events = events
        self.summary = summary
        self.isActive = isActive
    }
}

package struct IncomingWebhook: Sendable, Equatable {
    package let id: IncomingWebhookID
    package let conversation: ConversationID
    package let name: String
    /// Who its messages are from.
    package let bot: UserID
    package let createdBy: UserID
    package let createdAt: Timestamp
}

package struct NewIncomingWebhook: Sendable {
    package let webhook: IncomingWebhook
    /// Told once: whoever has it can write.
    package let token: Secret
}

/// What an operator may set about webhooks.
package struct WebhookOptions: Sendable {
    /// Whom the server calls, and whether without TLS too.
    package var reachable = PublicAddresses()
    package var allowsHTTP = false
    /// Of one conversation, outgoing and incoming each. Every event is sent to all of them.
    package var perConversation = 10
    /// Under way at one time; the others wait.
    package var deliveriesAtOnce = 16
    /// Events that are read from the log at a time.
    package var eventsPerPage = 100
    package var timeout = Duration.seconds(10)
    /// Nobody reads the answer; a receiver that says more than this is no receiver.
    package var answerBytes = 64 << 10
    /// So long one node has a webhook for itself, from its last success on: longer than `timeout`, and no longer than
    /// it may rest when that node has died.
    package var lease = Duration.seconds(30)
    package var messagesPerMinute = 60.0
    package var messageBurst = 20.0

    package init() {}
}

/// Writes events as a receiver gets them. Supplied by API: the words are design's.
package protocol WebhookEncoder: Sendable {
    /// `nil` for what is not sent.
    func body(of event: ChatEvent) async -> Bytes?
    /// What happened up to `position` is not to be had any more.
    func gap(in conversation: ConversationID, upTo position: LogPosition) -> Bytes
}
