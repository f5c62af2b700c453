// The bounds of signaling, each with its reason. docs/protocol/signaling.md says what their excess gets.

import Base

package enum SignalingLimits {
    /// An offer of a browser with thirty sections is below this; WHIP has the same.
    package static let messageBytes = 128 << 10
    /// A browser that gathers candidates on several interfaces sends some forty messages at once.
    static let messageBurst = 120.0
    static let messagesPerSecond = 20.0
    /// A client that never notices that it is refused is not coming to its senses.
    static let droppedInARow = 200
    /// Each costs the engine a parse and an answer, 0.2 ms for thirty sections. People turn cameras on and off, and
    /// newcomers are answered; more than that is a loop.
    static let descriptionBurst = 10.0
    static let descriptionsPerSecond = 0.5
    /// Of all sockets of a call together, so that no call starves the others.
    static let callBurst = 1_000.0
    static let callMessagesPerSecond = 400.0
    /// Messages that wait for a join, or for the call service.
    static let waiting = 32
    /// People in one message: as many as a call may have by default, and a page of contacts.
    package static let people = 256
    /// People whose presence one socket is told: a long list of contacts. Each costs about 100 bytes a socket.
    package static let watchedPerSocket = 500
    static let malformedInARow = 5
    /// calls.md and rooms.md: 5 per user.
    package static let socketsPerUser = 5
    /// Bytes that a slow reader has not taken.
    package static let queueBytes = 1 << 20
    /// Of their time relay credentials have this share left when they are renewed: time for a client that is away to
    /// come back, and for its ICE to be told.
    static let relayRenewalShare = 4
    /// Between two reports of quality to one client.
    static let qualityInterval = Duration.seconds(5)
}
