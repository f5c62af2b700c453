// The transport of one participant: from the first valid path over the handshake to keys, and its end.

import Base
import Crypto
import Wire

extension Participant {
    /// The peer has chosen a path, or shown the first that works.
    func select(_ path: MediaPath, now: Instant, engine: MediaEngine) {
        destination = Destination(path)
        pathlessSince = nil
        sending?.destination = destination
        handshake.pathValidated(now: now)
        advanceHandshake(now, engine)
    }

    /// A datagram of the handshake, or of data channels, from a path that ICE has validated: no other path leads here.
    func receiveHandshake(_ bytes: UnsafeRawBufferPointer, now: Instant, engine: MediaEngine) {
        handshake.receive(bytes, fromValidPath: true, now: now)
        advanceHandshake(now, engine)
        receiveData(now, engine)
    }

    /// Sends what the handshake has to say, and takes the keys when it is done. A failed one ends the participant at its
    /// next look, which is now.
    func advanceHandshake(_ now: Instant, _ engine: MediaEngine) {
        if let destination {
            while let datagram = handshake.takeDatagram() { engine.outbox.append(datagram, to: destination) }
        }
        switch handshake.nextEvent() {
        case .nothing: break
        case .connected(let protection):
            connect(protection, now, engine)
            startData(now, engine)
        case .connectedForData:
            startData(now, engine)
            engine.onEvent(.connected(id))
        case .failed: end = .handshakeFailed
        case .closed: end = .left
        }
        wake(at: end == nil ? handshake.deadline : now)
    }

    private func connect(_ protection: consuming MediaProtection, _ now: Instant, _ engine: MediaEngine) {
        var bandwidth = BandwidthConfiguration()
        bandwidth.largest = engine.settings.subscriberBitrateMax
        let made = SendTransport(protection.sender, bandwidth: bandwidth, isEstimated: isEstimated)
        made.destination = destination
        sending = made
        receiver = .some(protection.receiver)
        nextReports = now
        wake(at: now)
        for subscription in subscriptions { subscription.requestKeyframe(now: now) }
        engine.onEvent(.connected(id))
    }

    /// The peer tells what its network carries: it has agreed to transport-wide reports, or sent an estimate.
    var isEstimated: Bool {
        if hasSentEstimate { return true }
        return negotiator.transceivers.contains { transceiver in
            guard let sending = transceiver.sending, transceiver.kind == .video else { return false }
            return sending.extensions.id(for: .transportSequenceNumber) != nil
                && sending.codecs.contains { $0.feedback.contains(.transportCC) }
        }
    }

    // MARK: - The end

    /// Tells the peer that nothing more comes.
    func sayGoodbye(now: Instant, engine: MediaEngine) {
        guard isConnected else { return }
        abortData(now, engine)
        reports.removeAll(keepingCapacity: true)
        let none = engine.noReports
        RTCPReports.writeReceiverReport(from: localSSRC, reports: none.span, into: &reports)
        let ended = subscriptions.prefix(RTCPGoodbye.limit).map(\.ssrc)
        if !ended.isEmpty { RTCPGoodbye.write(ended.span, into: &reports) }
        sending?.sendReports(reports, outbox: engine.outbox)
        handshake.close()
        if let destination {
            while let datagram = handshake.takeDatagram() { engine.outbox.append(datagram, to: destination) }
        }
    }

    /// Takes everything apart. The participant is in no table any more.
    func dismantle(now: Instant, engine: MediaEngine) {
        for subscription in subscriptions { subscription.detach() }
        subscriptions.removeAll()
        forgetData()
        let ended = tracks
        tracks.removeAll()
        for track in ended { withdraw(track, now: now, engine: engine) }
    }

    func withdraw(_ track: PublishedTrack, now: Instant, engine: MediaEngine) {
        room.withdraw(track, now: now)
        for layer in track.layers {
            sources.removeAll(of: layer)
            layer.ring.removeAll(into: &engine.slab)
        }
        engine.forgetPending(of: track)
    }
}
