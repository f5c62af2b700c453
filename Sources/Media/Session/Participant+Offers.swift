// What a participant of a room with `RoomPolicy.offerNew` is to be offered: one sender for each track of the others that
// has found no free section. A sender and its section belong to their track: they end with it.

import Base
import Crypto
import Wire

extension Participant {
    /// The name of what this participant sends, in the descriptions of others: its tracks are one stream.
    private var streamName: String { "p\(id.index)-\(id.generation)" }

    /// Shows the track in a free section, or puts it up for our next offer.
    func showOrOffer(_ track: PublishedTrack, now: Instant, engine: MediaEngine) {
        guard isReceiving, !sees(track) else { return }
        show(track, now: now)
        guard room.policy == .offerNew, !sees(track), !dedicated.values.contains(track.id),
            dedicated.count + subscriptions.count < 2 * engine.settings.limits.tracksPerParticipant
        else { return }
        var random = SystemRandomNumberGenerator()
        let sender = negotiator.addSender(
            track.kind, codecs: track.codecs, streamID: track.publisher.streamName,
            trackID: "t\(track.id.number)", using: &random)
        dedicated[sender] = track.id
        engine.noteNegotiationNeeded(self)
    }

    /// The track has ended, and with it the stream that was ours for it.
    func withdrawOffer(of track: PublishedTrack, engine: MediaEngine) {
        guard !dedicated.isEmpty else { return }
        for (sender, shown) in dedicated where shown == track.id {
            dedicated[sender] = nil
            negotiator.removeSender(sender)
            for subscription in subscriptions where subscription.sender == sender { subscription.end() }
        }
        engine.noteNegotiationNeeded(self)
    }

    /// Streams that were made for sections of an offer and have found none: an offer of ours would give them sections.
    func dropIdleSenders() {
        let placed = Set(negotiator.slots.compactMap(\.sender))
        for sender in negotiator.senders where !placed.contains(sender.id) && dedicated[sender.id] == nil {
            negotiator.removeSender(sender.id)
        }
    }

    // MARK: - Restart

    /// The restart is agreed, or needless.
    func endRestart() {
        restart = nil
        isRestartOffered = false
    }
}

extension Room {
    func track(_ id: TrackID) -> PublishedTrack? {
        for participant in participants {
            if let track = participant.tracks.first(where: { $0.id == id }) { return track }
        }
        return nil
    }

    /// Everything that the others send and the participant does not see yet.
    func offerRest(to participant: Participant, now: Instant) {
        guard policy == .offerNew else { return }
        for publisher in participants where publisher !== participant {
            for track in publisher.tracks { participant.showOrOffer(track, now: now, engine: engine) }
        }
    }

    /// The track goes on with other codecs or layers: whoever saw the old form sees the new one, if it can.
    func replace(_ old: PublishedTrack, with new: PublishedTrack, now: Instant) {
        for participant in participants {
            for (sender, shown) in participant.dedicated where shown == old.id {
                participant.dedicated[sender] = new.id
            }
        }
        for subscription in old.subscriptions {
            subscription.detach()
            if subscription.canShow(new) { subscription.attach(new, now: now) } else { fill(subscription, now: now) }
        }
    }
}
