// What happens in a call that its people may want to be told of. The engine tells; who is told, and how, is decided
// elsewhere: standards have no message for any of these.

package enum MediaEvent: Sendable, Equatable {
    case dominantSpeaker(room: String, ParticipantID)
    /// Paths, handshake and keys are there.
    case connected(ParticipantID)
    /// Other tracks are in its sections than before. Said once, until `shown(to:)` was asked.
    case shownChanged(ParticipantID)
    /// The section shows nothing from now on.
    case streamPaused(ParticipantID, mid: String, PauseReason)
    case streamResumed(ParticipantID, mid: String)
    /// Layers of a publisher's track that nobody is going to watch, as bits by simulcast index. A publisher may stop
    /// sending them until another event takes the bits back.
    case unwatchedLayers(ParticipantID, mid: String, layers: UInt8)
}
