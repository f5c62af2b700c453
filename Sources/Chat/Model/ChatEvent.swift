// What happens in a conversation, as its log keeps it and as sockets carry it.

package import Accounts
package import Base

package struct ChatEvent: Sendable, Equatable {
    package enum Change: Sendable, Equatable {
        // In the log.
        case messageSent(Message)
        case messageEdited(Message)
        case messageDeleted(MessageID, sequence: Int64)
        case reactionAdded(MessageID, Reaction)
        case reactionRemoved(MessageID, UserID, emoji: String)
        case messagePinned(MessageID)
        case messageUnpinned(MessageID)
        case memberJoined(Member)
        case memberLeft(UserID, DepartureReason)
        /// Role or rules; `nil` when they have left since.
        case memberChanged(UserID, Member?)
        case conversationChanged(Conversation)
        case conversationDeleted

        // Not in the log: who was not there has missed nothing that reading would not show.
        case typing(isTyping: Bool)
        case receipt(ReceiptKind, upTo: MessageID, sequence: Int64, device: ClientDeviceID?)
    }

    package let conversation: ConversationID
    /// `nil` for what is not in the log.
    package let position: LogPosition?
    package let at: Timestamp
    package let actor: UserID?
    package let change: Change

    package init(
        conversation: ConversationID, position: LogPosition?, at: Timestamp, actor: UserID?, change: Change
    ) {
        self.conversation = conversation
        self.position = position
        self.at = at
        self.actor = actor
        self.change = change
    }
}

package enum DepartureReason: Int64, Sendable {
    case left = 0
    case removed = 1
    case accountDeleted = 2
}

/// Of a log, from some place on.
package struct LogPage: Sendable {
    /// False: there is a gap between where the reader was and what follows, or its place is none of this log. It has
    /// to begin anew, from `position`, with what history shows.
    package let isRecovered: Bool
    package let events: [ChatEvent]
    /// Where the reader is after these.
    package let position: LogPosition
    package let hasMore: Bool

    package init(isRecovered: Bool, events: [ChatEvent], position: LogPosition, hasMore: Bool) {
        self.isRecovered = isRecovered
        self.events = events
        self.position = position
        self.hasMore = hasMore
    }
}

/// Something for the devices of some users, whatever they look at.
package struct ChatNotice: Sendable, Equatable {
    package enum Event: Sendable, Equatable {
        /// They are in this conversation now: created with them, added, joined.
        case joined(Conversation)
        case left(ConversationID, DepartureReason)
        /// Somebody's devices are others: messages sealed from now on are sealed for these.
        case devicesChanged(UserID, version: Int64)
        /// What the user's clients keep for them is another: no chat, and carried by the sockets that everybody has.
        case settingsChanged(ClientSettingsChange)
        /// A webhook of theirs was tried long enough.
        case webhookDisabled(WebhookEnd)
    }

    package let event: Event

    package init(_ event: Event) { self.event = event }
}
