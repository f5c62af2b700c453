// Mute, hold and permissions: what a participant sends is dropped where it comes in, and what it would be sent is not
// shown to it. Whoever asked for it, the effect is the engine's: a client that goes on sending is not heard.
//
// A track that is held keeps its place in everybody's sections, so that its end and its return need no negotiation.

package import Base

/// Kinds of media, as a set.
package struct MediaKinds: OptionSet, Hashable, Sendable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package static let audio = MediaKinds(rawValue: 1)
    package static let video = MediaKinds(rawValue: 2)
    package static let all: MediaKinds = [.audio, .video]

    package init(_ kind: MediaKind) {
        switch kind {
        case .audio: self = .audio
        case .video: self = .video
        case .data: self = []
        }
    }
}

extension MediaEngine {
    /// From now on nothing of these kinds goes from the participant to anybody; of others it does.
    package func hold(_ kinds: MediaKinds, of id: ParticipantID, now: Instant) throws(MediaError) {
        guard let participant = participants[id] else { throw .noSuchSession }
        guard participant.held != kinds else { return }
        participant.held = kinds
        for track in participant.tracks {
            let isHeld = kinds.contains(MediaKinds(track.kind))
            guard track.isHeld != isHeld else { continue }
            track.isHeld = isHeld
            participant.room.tap?.hold(track, now: now)
            if isHeld { continue }
            track.beginAnew(now: now)
            for mirror in track.mirrors { mirror.link.restart(track) }
        }
    }

    /// Whether the participant is shown anything.
    package func setReceiving(_ isReceiving: Bool, of id: ParticipantID, now: Instant) throws(MediaError) {
        guard let participant = participants[id] else { throw .noSuchSession }
        guard participant.isReceiving != isReceiving else { return }
        participant.isReceiving = isReceiving
        for subscription in participant.subscriptions where !subscription.isEnded {
            if isReceiving { participant.fill(subscription, now: now) } else { subscription.detach() }
        }
        if isReceiving { participant.room.offerRest(to: participant, now: now) }
        participant.allocation.isStale = true
        look(participant)
    }
}

extension PublishedTrack {
    /// Between what was forwarded last and what comes next lies a time that nobody got. For subscribers that is no loss
    /// to be repaired, so it is taken for another source: their numbers go on, with a keyframe.
    func beginAnew(now: Instant) {
        for subscription in subscriptions {
            subscription.sourceChanged()
            subscription.requestKeyframe(now: now)
        }
    }
}

extension Participant {
    /// Says once that its sections show something else, until somebody asked what.
    func noteShown() {
        guard !hasToldShown else { return }
        hasToldShown = true
        room.engine.onEvent(.shownChanged(id))
    }
}
