// What a new agreement changes: tracks come and go, sections are added, extensions get their numbers.

import Base
import Crypto
import Wire

extension Participant {
    /// Applies what is agreed now, by its difference from what was.
    func applyAgreement(now: Instant, engine: MediaEngine) {
        let transceivers = negotiator.transceivers
        usesReducedSize = transceivers.allSatisfy { $0.kind == .data || $0.reducedSizeRTCP }
        for track in tracks where !transceivers.contains(where: { $0.mid == track.mid && $0.receiving != nil }) {
            tracks.removeAll { $0 === track }
            withdraw(track, now: now, engine: engine)
        }
        for transceiver in transceivers {
            if let receiving = transceiver.receiving { applyReceiving(transceiver, receiving, now, engine) }
        }
        applySending(transceivers, now, engine)
        applyData(transceivers, now, engine)
        sending?.isEstimated = isEstimated
        room.offerRest(to: self, now: now)
    }

    private func applyReceiving(
        _ transceiver: Transceiver, _ receiving: Transceiver.Receiving, _ now: Instant, _ engine: MediaEngine
    ) {
        // Numbers of extensions are the same in all sections of one bundle (RFC 9143 §9.2).
        extensionMap.merge(receiving.extensions)
        if feedback == nil, receiving.hasTransportFeedback { feedback = TransportFeedbackRecorder() }
        if receiveLimit == nil, receiving.hasReceiverEstimate {
            receiveLimit = ReceiveLimit(largest: engine.settings.publisherBitrateMax)
        }
        let previous = tracks.first { $0.mid == transceiver.mid }
        if let previous, previous.isSame(as: receiving) { return }
        guard previous != nil || tracks.count < engine.settings.limits.tracksPerParticipant else { return }
        let track = PublishedTrack(
            id: TrackID(number: engine.nextTrack), mid: transceiver.mid, kind: transceiver.kind,
            receiving: receiving, publisher: self)
        track.isHeld = held.contains(MediaKinds(transceiver.kind))
        engine.nextTrack += 1
        if let previous {
            tracks.removeAll { $0 === previous }
            room.replace(previous, with: track, now: now)
            withdraw(previous, now: now, engine: engine)
        }
        tracks.append(track)
        room.offer(track, now: now)
    }

    private func applySending(_ transceivers: [Transceiver], _ now: Instant, _ engine: MediaEngine) {
        let senders = transceivers.compactMap { transceiver in
            transceiver.sending.map { (transceiver.kind, $0, transceiver.mid) }
        }
        for subscription in subscriptions where !senders.contains(where: { $0.1.sender == subscription.sender }) {
            subscription.end()
        }
        for (kind, sending, mid) in senders {
            guard let known = subscriptions.first(where: { $0.sender == sending.sender }) else {
                subscribe(kind, sending, mid, now, engine)
                continue
            }
            known.update(sending, now: now)
            if known.source == nil { fill(known, now: now) }
        }
    }

    /// Subscriptions keep their places, by which packets that wait name them. Only the place of one whose sender is gone
    /// for good is taken again: a sender that comes back goes on with its numbers, because the same key never encrypts a
    /// number twice.
    private func subscribe(
        _ kind: MediaKind, _ sending: Transceiver.Sending, _ mid: String, _ now: Instant, _ engine: MediaEngine
    ) {
        let waiting = self.sending?.bandwidth?.pacer.queuedPackets ?? 0
        let reusable =
            waiting > 0 ? nil : subscriptions.firstIndex { $0.isEnded && negotiator.sender($0.sender) == nil }
        let place = reusable ?? subscriptions.count
        guard place < engine.settings.limits.tracksPerParticipant else { return }
        let subscription = Subscription(
            subscriber: self, number: UInt16(place), mid: mid, kind: kind, sending: sending,
            firstRTXSequence: UInt16.random(in: 1...0x7FFF))
        if place < subscriptions.count {
            subscriptions[place] = subscription
        } else {
            subscriptions.append(subscription)
        }
        fill(subscription, now: now)
    }

    /// The track that it was made for, or whatever is not seen yet.
    func fill(_ subscription: Subscription, now: Instant) {
        if let wanted = dedicated[subscription.sender], let track = room.track(wanted), subscription.canShow(track),
            !sees(track)
        {
            subscription.attach(track, now: now)
        } else if dedicated[subscription.sender] == nil {
            room.fill(subscription, now: now)
        }
    }
}

extension Transceiver.Receiving {
    /// The publisher adapts to what is reported of its transport-wide numbers.
    var hasTransportFeedback: Bool {
        extensions.id(for: .transportSequenceNumber) != nil && codecs.contains { $0.feedback.contains(.transportCC) }
    }

    /// The publisher adapts to what we say that its path carries, and its packets say when they left.
    var hasReceiverEstimate: Bool {
        extensions.id(for: .absoluteSendTime) != nil && codecs.contains { $0.feedback.contains(.remb) }
    }
}
