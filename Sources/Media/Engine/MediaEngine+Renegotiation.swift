// Offers and answers of a connection that is already up (RFC 9429): by the client (tracks come, go, turn round), and by
// the server, which has more to show or wants fresh paths. WHIP and WHEP never come here; calls over a WebSocket do.
//
// A description that is refused changes nothing. An ICE restart is made before the old paths break: the new fragment is
// in the table as soon as the peer can know it, the old one goes when the peer has chosen a path with the new.

package import Base
import Crypto
import Wire

/// What a room does with a track that finds no free section.
package enum RoomPolicy: Sendable {
    /// Nothing: who wants to see more offers more sections. For clients that cannot answer an offer.
    case freeSections
    /// The others are offered a section for it, so that everybody sees everybody.
    case offerNew
}

/// What a section of a participant shows.
package struct ShownTrack: Equatable, Sendable {
    package let mid: String
    package let kind: MediaKind
    package let publisher: ParticipantID
    package let track: TrackID
    /// Where the publisher really is, when it is here as a stand-in.
    package var home: SiblingParticipant?
}

/// A participant of another shard.
package struct SiblingParticipant: Equatable, Sendable {
    package let shard: Int
    package let participant: ParticipantID
}

extension MediaEngine {
    /// Our offer, when there is something to offer and no other offer of ours is out. `negotiationNeeded` says when to
    /// ask.
    package func offer(to id: ParticipantID, now: Instant) throws(MediaError) -> String? {
        guard let participant = participants[id] else { throw .noSuchSession }
        participant.hasAskedToOffer = false
        guard participant.negotiator.needsOffer else { return nil }
        var draft = participant.negotiator
        let offer = try Self.negotiate { () throws(NegotiationError) in try draft.makeOffer() }
        if let fresh = participant.restart, !participant.isRestartOffered {
            try beginRestart(participant, fresh, remoteUfrag: nil)
            participant.isRestartOffered = true
        }
        participant.negotiator = draft
        return String(decoding: offer.encoded, as: UTF8.self)
    }

    package func accept(answer text: String, from id: ParticipantID, now: Instant) throws(MediaError) {
        guard let participant = participants[id] else { throw .noSuchSession }
        let answer = try Self.parse(text)
        var draft = participant.negotiator
        try Self.negotiate { () throws(NegotiationError) in try draft.accept(answer: answer) }
        try checkCertificate(of: draft, participant)
        try beginTransport(of: draft, participant, now)
        participant.negotiator = draft
        if participant.isRestartOffered {
            participant.endRestart()
            if let transport = draft.transport { participant.ice.setRemoteUfrag(transport.remote.ufrag) }
        }
        settle(participant, now)
    }

    /// Answers a further offer of the peer. An offer of ours that is out is taken back for it, and made anew later.
    package func accept(offer text: String, from id: ParticipantID, now: Instant) throws(MediaError) -> String {
        guard let participant = participants[id] else { throw .noSuchSession }
        let offer = try Self.parse(text)
        var random = SystemRandomNumberGenerator()
        let fresh = ICECredentials(using: &random)
        var draft = participant.negotiator
        addFreeSenders(for: offer, to: &draft, &random)
        let answer = try Self.negotiate { () throws(NegotiationError) in
            try draft.accept(offer: offer, freshCredentials: fresh)
        }
        try checkCertificate(of: draft, participant)
        try beginTransport(of: draft, participant, now)
        // One that the peer asks for takes the place of ours; otherwise ours goes back with its offer.
        if draft.transport?.local == fresh {
            try takeRestart(participant, fresh, of: draft)
        } else if participant.isRestartOffered {
            withdrawRestart(participant)
        }
        participant.negotiator = draft
        participant.dropIdleSenders()
        settle(participant, now)
        return String(decoding: answer.encoded, as: UTF8.self)
    }

    /// Takes our offer back, of a peer that refused it or never answered. What it was for waits for the next.
    package func rollback(_ id: ParticipantID, now: Instant) throws(MediaError) {
        guard let participant = participants[id] else { throw .noSuchSession }
        var draft = participant.negotiator
        do throws(NegotiationError) {
            try draft.rollback()
        } catch {
            throw .conflict(error.reason)
        }
        if participant.isRestartOffered { withdrawRestart(participant) }
        participant.negotiator = draft
        noteNegotiationNeeded(participant)
    }

    /// New credentials with our next offer, for a peer whose network has changed.
    package func restartICE(of id: ParticipantID, now: Instant) throws(MediaError) {
        guard let participant = participants[id] else { throw .noSuchSession }
        guard participant.restart == nil else { return }
        var random = SystemRandomNumberGenerator()
        let fresh = ICECredentials(using: &random)
        participant.restart = fresh
        participant.negotiator.restartICE(fresh)
        noteNegotiationNeeded(participant)
    }

    /// Data channels with our next offer. Refused when the association that would carry them is gone.
    package func requestData(of id: ParticipantID, now: Instant) throws(MediaError) {
        guard let participant = participants[id] else { throw .noSuchSession }
        guard !participant.handshake.isReleased else { throw .conflict("the session was made without data channels") }
        participant.negotiator.requestData()
        noteNegotiationNeeded(participant)
    }

    /// Which publisher is in which section, as agreed.
    package func shown(to id: ParticipantID) -> [ShownTrack] {
        guard let participant = participants[id] else { return [] }
        participant.hasToldShown = false
        return participant.negotiator.transceivers.compactMap { transceiver in
            guard let sender = transceiver.sending?.sender,
                let source = participant.subscriptions.first(where: { $0.sender == sender && !$0.isEnded })?.source
            else { return nil }
            return ShownTrack(
                mid: transceiver.mid, kind: transceiver.kind, publisher: source.publisher.id, track: source.id,
                home: source.publisher.origin.map {
                    SiblingParticipant(shard: $0.link.sibling, participant: $0.participant)
                })
        }
    }

    /// Whether `negotiationNeeded` was told and no offer asked for since.
    package func isOfferWanted(by id: ParticipantID) -> Bool { participants[id]?.hasAskedToOffer ?? false }

    /// Says once that `offer(to:)` has something, until it was asked.
    func noteNegotiationNeeded(_ participant: Participant) {
        guard !participant.hasAskedToOffer, participant.negotiator.needsOffer else { return }
        participant.hasAskedToOffer = true
        negotiationNeeded(participant.id)
    }

    // MARK: - Inside

    private func settle(_ participant: Participant, _ now: Instant) {
        participant.applyAgreement(now: now, engine: self)
        // It may have been waiting for the certificate to compare with.
        participant.advanceHandshake(now, self)
        look(participant)
        noteNegotiationNeeded(participant)
    }

    /// The first description of somebody who was invited: now it is known whom to shake hands with.
    private func beginTransport(
        of draft: Negotiator, _ participant: Participant, _ now: Instant
    ) throws(MediaError) {
        guard participant.negotiator.transport == nil else { return }
        guard let transport = draft.transport else {
            throw .notAcceptable("no section of the description is used")
        }
        if transport.role == .client {
            participant.handshake = try makeHandshake(transport, told: participant.handshake.identity)
            if participant.destination != nil { participant.handshake.pathValidated(now: now) }
        } else {
            participant.handshake.setPeer(transport.fingerprints.compactMap { DTLSFingerprint($0) })
        }
        participant.ice.setRemoteUfrag(transport.remote.ufrag)
    }

    /// The association lives on, so its certificate must be the one that it was made with (RFC 8842 §5.1).
    private func checkCertificate(of draft: Negotiator, _ participant: Participant) throws(MediaError) {
        guard let old = participant.negotiator.transport, let new = draft.transport else { return }
        guard new.fingerprints.contains(where: { old.fingerprints.contains($0) }), new.role == old.role else {
            throw .notAcceptable("another certificate or role needs a new session")
        }
    }

    /// The peer restarts ICE, by an offer or by a fragment: the credentials of both sides are known, and a restart that we
    /// had in mind is needless.
    func takeRestart(
        _ participant: Participant, _ fresh: ICECredentials, of draft: Negotiator
    ) throws(MediaError) {
        try beginRestart(participant, fresh, remoteUfrag: draft.transport?.remote.ufrag)
        participant.endRestart()
    }

    private func beginRestart(
        _ participant: Participant, _ fresh: ICECredentials, remoteUfrag: String?
    ) throws(MediaError) {
        guard let ufrag = fresh.localUfrag, register(ufrag, of: participant) else {
            throw .serverFull(limit: settings.limits.sessions)
        }
        if let replaced = participant.ice.restart(local: fresh, remoteUfrag: remoteUfrag) { unregister(replaced) }
    }

    /// The peer never got to know our new credentials, or has not taken them.
    private func withdrawRestart(_ participant: Participant) {
        participant.isRestartOffered = false
        if let abandoned = participant.ice.abandonRestart() { unregister(abandoned) }
    }

    /// Of streams that wait for a section there are as many as there are sections for them.
    private func addFreeSenders(
        for offer: SessionDescription, to negotiator: inout Negotiator, _ random: inout SystemRandomNumberGenerator
    ) {
        for kind in [MediaKind.audio, .video] {
            let free = offer.media.enumerated().count { index, media in
                media.kind == (kind == .audio ? .audio : .video) && media.port != 0
                    && offer.direction(of: media).receives
                    && !(index < negotiator.slots.count && negotiator.slots[index].sender != nil)
            }
            let placed = Set(negotiator.slots.compactMap(\.sender))
            let waiting = negotiator.senders.count { $0.kind == kind && !$0.isRefused && !placed.contains($0.id) }
            for number in 0..<max(0, min(free, settings.limits.tracksPerParticipant) - waiting) {
                _ = negotiator.addSender(
                    kind, codecs: negotiator.configuration.policy.everything(kind), streamID: "plexichat",
                    trackID: "\(kind == .audio ? "audio" : "video")-\(placed.count + number)", using: &random)
            }
        }
    }
}
