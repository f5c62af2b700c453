// A participant's data channels: SCTP in the application data of its handshake (RFC 8261), beside media or alone.
//
// Messages are the room's business (`Room+Data`); here is the way in, the way out, and the clock. An association that
// ends takes the participant with it only when there is nothing else between us.

import Base
import Crypto
import Wire

/// In an object of its own: a participant without data channels carries one word.
final class ParticipantData {
    var channels: DataChannels
    /// The labels of channels that are open: a closed one cannot be asked any more.
    var labels: [DataChannels.ChannelID: String] = [:]
    /// The handshake is done. Stays true when the association ends.
    var isUp = false
    /// In the room's list of those that have something to send.
    var isWaiting = false
    fileprivate var packet: Bytes = []

    init(_ agreement: DataAgreement, _ role: DTLSRole) {
        var configuration = SCTPConfiguration()
        configuration.localPort = agreement.localPort
        configuration.remotePort = agreement.remotePort
        let most = UInt64(configuration.longestSent)
        configuration.longestSent = Int(min(agreement.remoteMaxMessageSize ?? most, most))
        var random = SystemRandomNumberGenerator()
        channels = DataChannels(
            role: role == .client ? .dtlsClient : .dtlsServer, configuration: configuration, random: &random)
        packet.reserveCapacity(configuration.largestPacket)
    }
}

extension Participant {
    // MARK: - The agreement

    /// Ports and sizes of a running association do not change; a section that is gone ends it.
    func applyData(_ transceivers: [Transceiver], _ now: Instant, _ engine: MediaEngine) {
        handshake.isForDataOnly = isForDataOnly
        guard let agreement = transceivers.lazy.compactMap(\.data).first, let transport = negotiator.transport else {
            abortData(now, engine)
            forgetData()
            return
        }
        guard data == nil else { return }
        data = ParticipantData(agreement, transport.role)
        if handshake.phase == .connected { startData(now, engine) }
    }

    private var isForDataOnly: Bool {
        let transceivers = negotiator.transceivers
        return !transceivers.isEmpty && transceivers.allSatisfy { $0.kind == .data }
    }

    /// The peer's last flight is not needed any more once it has shown that it has the keys, and without data channels
    /// the association with it. Who renegotiates keeps it: data channels may come later.
    func notePeerHasKeys() {
        guard !hasProvedKeys else { return }
        hasProvedKeys = true
        handshake.peerHasKeys(usesData: data != nil || room.policy == .offerNew)
        if handshake.isReleased { negotiator.refuseData() }
    }

    // MARK: - Driving

    /// The handshake is done: both sides begin, whoever is first.
    func startData(_ now: Instant, _ engine: MediaEngine) {
        guard let data, !data.isUp else { return }
        data.isUp = true
        data.channels.connect(now: now)
        flushData(now, engine)
    }

    /// What the handshake has decrypted. Without data channels it is dropped.
    func receiveData(_ now: Instant, _ engine: MediaEngine) {
        var hasCome = false
        while let packet = handshake.takeApplicationData() {
            guard let data else { continue }
            data.channels.receive(packet.span.bytes, now: now)
            hasCome = true
        }
        if hasCome { advanceData(now, engine) }
    }

    var dataDeadline: Instant? {
        guard let data, data.isUp else { return nil }
        return data.channels.deadline
    }

    func tickData(_ now: Instant, _ engine: MediaEngine) {
        guard let data, let due = dataDeadline, due <= now else { return }
        data.channels.handleTimeout(now: now)
        advanceData(now, engine)
    }

    private func advanceData(_ now: Instant, _ engine: MediaEngine) {
        takeDataEvents(now)
        flushData(now, engine)
        room.flushData(now)
    }

    private func takeDataEvents(_ now: Instant) {
        guard let data else { return }
        while let event = data.channels.nextEvent(now: now) {
            switch event {
            case .connected: break
            case .opened(let id): noteOpened(id, data)
            case .message(let id, let kind, let payload):
                guard let channel = data.channels[id] else { continue }
                room.pass(DataMessage(payload: payload, kind: kind), of: channel, id, from: self, now: now)
            case .closed(let id): noteClosed(id, data)
            case .ended:
                // What is left of a connection without media is nothing.
                if isForDataOnly { end = .left }
            }
        }
        if end != nil { wake(at: now) }
    }

    private func noteOpened(_ id: DataChannels.ChannelID, _ data: ParticipantData) {
        guard data.labels[id] == nil, let channel = data.channels[id] else { return }
        data.labels[id] = channel.label
        _ = room.data.fanOut.channelOpened(dataMember, id, label: channel.label)
    }

    /// Another channel of the same label, which the room has not known so far, takes the place.
    private func noteClosed(_ id: DataChannels.ChannelID, _ data: ParticipantData) {
        guard let label = data.labels.removeValue(forKey: id) else { return }
        room.data.fanOut.channelClosed(dataMember, id, label: label)
        if let other = data.channels.channel(labelled: label), data.labels[other] != nil {
            _ = room.data.fanOut.channelOpened(dataMember, other, label: label)
        }
    }

    /// Everything that may leave now. Without a valid path it is lost, as on any network.
    func flushData(_ now: Instant, _ engine: MediaEngine) {
        guard let data, data.isUp else { return }
        while data.channels.nextPacket(into: &data.packet, now: now) {
            guard data.packet.withUnsafeBytes({ handshake.send($0) }) else { break }
            while let datagram = handshake.takeDatagram() {
                if let destination { engine.outbox.append(datagram, to: destination) }
            }
        }
        wake(at: data.channels.deadline)
    }

    // MARK: - Messages

    /// The room's name for the participant.
    var dataMember: DataFanOut.Member { Int(id.index) }

    /// Takes a message for a channel. A reliable channel that has no room for it is closed, for it would have a hole.
    /// It leaves with the room's next flush.
    func sendData(_ message: DataMessage, on id: DataChannels.ChannelID, now: Instant) -> SCTPSendResult {
        guard let data else { return .notConnected }
        let result = data.channels.send(message.payload, message.kind, on: id, now: now)
        switch result {
        case .accepted: room.noteWaiting(self, data)
        case .full, .refused:
            // Refused is what is longer than the peer takes.
            guard let channel = data.channels[id], channel.isOpen,
                DataFanOut.overflow(of: channel.reliability) == .close
            else { break }
            closeChannel(id, now: now)
        case .notConnected: break
        }
        return result
    }

    func closeChannel(_ id: DataChannels.ChannelID, now: Instant) {
        guard let data else { return }
        data.channels.close(id, now: now)
        room.noteWaiting(self, data)
    }

    // MARK: - The end

    /// Tells the peer that its channels are closed.
    func abortData(_ now: Instant, _ engine: MediaEngine) {
        guard let data, data.isUp else { return }
        data.channels.abort(now: now)
        flushData(now, engine)
    }

    func forgetData() {
        guard data != nil else { return }
        data = nil
        room.data.fanOut.leave(dataMember)
    }
}
