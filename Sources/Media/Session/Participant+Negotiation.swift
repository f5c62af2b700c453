// What a new agreement changes: tracks come and go, sections are added, extensions get their numbers.

import Base
import Crypto
import Wire

extension Participant {
    /// Applies what is agreed now, by its difference from what was.
    func applyAgreement(now: Instant, engine: MediaEngine) {
        let transceivers = negotiator.transceivers
        for track in tracks where !transceivers.contains(where: { $0.mid == track.mid && $0.receiving != nil }) {
            tracks.removeAll { $0 === track }
            withdraw(track, now: now, engine: engine)
        }
        for transceiver in transceivers {
            if let receiving = transceiver.receiving { applyReceiving(transceiver, receiving, now, engine) }
        }
        applySending(transceivers, now, engine)
    }

    private func applyReceiving(
        _ transceiver: Transceiver, _ receiving: Transceiver.Receiving, _ now: Instant, _ engine: MediaEngine
    ) {
        // Numbers of extensions are the same in all sections of one bundle (RFC 9143 §9.2).
        extensionMap.merge(receiving.extensions.wire)
        if feedback == nil, receiving.hasTransportFeedback { feedback = TransportFeedbackRecorder() }
        guard !tracks.contains(where: { $0.mid == transceiver.mid }),
            tracks.count < engine.settings.limits.tracksPerParticipant
        else { return }
        let track = PublishedTrack(
            id: TrackID(number: engine.nextTrack), mid: transceiver.mid, kind: transceiver.kind,
            receiving: receiving, publisher: self)
        engine.nextTrack += 1
        tracks.append(track)
        room.offer(track, now: now)
    }

    private func applySending(_ transceivers: [Transceiver], _ now: Instant, _ engine: MediaEngine) {
        let senders = transceivers.compactMap { transceiver in
            transceiver.sending.map { (transceiver.kind, $0, transceiver.mid) }
        }
        for subscription in subscriptions where !senders.contains(where: { $0.1.sender == subscription.sender }) {
            subscription.detach()
            subscriptions.removeAll { $0 === subscription }
        }
        for (kind, sending, mid) in senders where !subscriptions.contains(where: { $0.sender == sending.sender }) {
            guard subscriptions.count < engine.settings.limits.tracksPerParticipant else { return }
            let subscription = Subscription(
                subscriber: self, number: nextSubscription, mid: mid, kind: kind, sending: sending,
                firstRTXSequence: UInt16.random(in: 1...0x7FFF))
            nextSubscription &+= 1
            subscriptions.append(subscription)
            room.fill(subscription, now: now)
        }
    }
}

extension Transceiver.Receiving {
    /// The publisher adapts to what is reported of its transport-wide numbers.
    var hasTransportFeedback: Bool {
        extensions[.transportCC] != nil && codecs.contains { $0.feedback.contains(.transportCC) }
    }
}
