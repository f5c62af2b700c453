// The seam between live chat and sockets: what a connection says and hears, and what a dialect makes of it. Supplied by
// API.

package import Base
package import Wire

/// How one dialect writes what happens. One object for all of its sockets: each event is written once for all of them.
package protocol ChatStyle: AnyObject, Sendable {
    /// Those of each event; none for what the dialect has no word for. Several at once, so that what they are about is
    /// looked up once.
    func frames(of events: [ChatEvent]) async -> [[SharedFrame]]
    func frames(of message: LiveMessage) -> [SharedFrame]
    func frames(of news: PresenceNews) async -> [SharedFrame]
}

/// One open socket. Everything but `loop` is called on the loop's thread.
package protocol ChatLine: AnyObject, Sendable {
    var loop: any EventLoop { get }
    /// False while its reader has so much to take that more would be too much.
    var hasRoom: Bool { get }
    func send(_ frame: SharedFrame)
    /// One call of the connection's `writable`, once there is room again.
    func callWhenWritable()
    func close(_ closure: LiveClosure, _ reason: String)
}

/// With which code a socket is closed: calls' table.
package enum LiveClosure: UInt16, Sendable {
    case normal = 1000
    case goingAway = 1001
    case authenticationFailed = 4001
    case invalidMessages = 4002
    case rateLimited = 4003
    case notFound = 4004
    case denied = 4005
}

/// What a client wants, in no dialect.
package enum LiveCommand: Sendable {
    /// Follow these; with a position, from there on.
    case follow([(conversation: ConversationID, from: LogPosition?)])
    /// Follow whatever the user is in, now and later.
    case followAll
    case unfollow([ConversationID])
    case send(NewMessage, to: ConversationID)
    case edit(MessageID, MessageEdit)
    case delete(MessageID)
    case react(MessageID, emoji: String, isOn: Bool)
    case typing(Bool, in: ConversationID)
    case acknowledge(ReceiptKind, upTo: MessageID)
    /// The device could not open it; where none is named, the socket's own.
    case reportFailure(MessageID, device: ClientDeviceID?)
    case ping
}

/// What a client calls its message, so that it knows what an answer is the answer to.
package struct LiveName: Sendable, Equatable {
    package static let none = LiveName()

    package let reference: JSONValue?
    package let clientID: String?

    package init(reference: JSONValue? = nil, clientID: String? = nil) {
        self.reference = reference
        self.clientID = clientID
    }
}

/// A command with the client's own name for it, which the answer repeats.
package struct LiveRequest: Sendable {
    package let command: LiveCommand
    package let reference: JSONValue?

    package init(_ command: LiveCommand, reference: JSONValue? = nil) {
        self.command = command
        self.reference = reference
    }

    var name: LiveName {
        if case .send(let message, _) = command {
            return LiveName(reference: reference, clientID: message.clientID)
        }
        return LiveName(reference: reference)
    }
}

/// What one connection is told, beside events.
package enum LiveMessage: Sendable {
    case welcome(UserID)
    /// From `position` on nothing is missed; what was missed before it comes next. `isRecovered` false: there is a gap
    /// before it.
    case following(ConversationID, position: LogPosition, isRecovered: Bool, reference: JSONValue?)
    /// `fault` where it was not wished.
    case unfollowed(ConversationID, fault: ChatError?, reference: JSONValue?)
    case sent(SentMessage, reference: JSONValue?)
    /// Something else was done.
    case done(reference: JSONValue?)
    case notice(ChatNotice)
    case failed(LiveFault, LiveName)
    case pong(reference: JSONValue?)
}

package enum LiveFault: Error, Sendable, Equatable {
    /// It cannot be read: which member, and what is wrong with it.
    case malformed(field: String, reason: String)
    case tooManyRequests(retryAfter: Int)
    /// So many conversations are followed on this socket.
    case tooManyFollowed(Int)
    case chat(ChatError)
}
