// The bounds of live chat, each with its reason. docs/protocol/chat-sockets.md says what their excess gets.

import Base

package struct LiveLimits: Sendable {
    /// calls.md and rooms.md: 5 per user.
    package var socketsPerUser = 5
    /// Conversations that one socket follows. Somebody who is in more looks at the others when they open them.
    package var followed = 500
    /// design.md: 100 messages a minute and user, here for each socket; all at once if need be, for a client that was
    /// offline sends what it wrote meanwhile.
    package var messagesPerMinute = 100
    /// Of any kind. A client that opens with 500 conversations names them in a few messages.
    package var commandBurst = 120.0
    package var commandsPerSecond = 20.0
    /// A client that never notices that it is refused is not coming to its senses.
    package var refusedInARow = 200
    package var malformedInARow = 5
    /// Commands of one socket that wait for those before them.
    package var waitingCommands = 64
    /// Events that are held for one conversation while what came before them is read from the log.
    package var heldEvents = 256
    /// Events of one conversation that wait to be written. At 20,000 messages a second they are worth 50 ms; whoever
    /// lags more reads them from the log, five pages of it. An event refers to its message: at most some 16 MiB.
    package var queuedEvents = 1_024
    /// Events that go to followers at once. More save system calls, one for each socket and batch; with a thousand
    /// followers a batch keeps their thread for some 20 ms.
    package var eventsPerHop = 16
    /// Events of one page while catching up.
    package var eventsPerPage = 200
    /// Pages after which a reader begins anew instead: 10,000 events are quicker read as history.
    package var pagesOfCatchingUp = 50
    /// Who keeps typing says so this often at most; clients let the sign go out after twice that.
    package var typingInterval = Duration.seconds(3)
    /// Members of a conversation in which each is told when another comes and goes. Everybody who comes into a larger
    /// one would be a message to all of them.
    package var presenceMembers = 1_000
    /// Conversations of one person that are looked at when they come or go.
    package var presencePlaces = 2_000
    /// People of one turn. After a restart everybody comes at once: the rest is told a second later.
    package var presenceNews = 500
    /// A socket that was opened without a token says who it is within this.
    package var authenticationTime = Duration.seconds(10)
    /// The largest message of a client: a sealed text of the largest size with its boxes for a thousand devices.
    package static let messageBytes = 512 << 10
    /// Bytes that a slow reader has not taken. Beyond, it is caught up from the log once it reads again.
    package static let queueBytes = 1 << 20

    package init() {}
}
