// Data channels of a soft peer: the same machine as the server's, from the other side.

package import Base
import Crypto
package import Media
package import Wire

package final class SoftData {
    package struct Message: Equatable, Sendable {
        package let label: String
        package let kind: DataChannels.Kind
        package let payload: Bytes
    }

    fileprivate var channels: DataChannels
    fileprivate var isUp = false
    fileprivate var packet: Bytes = []
    fileprivate var lastPacket: Bytes = []
    fileprivate var labels: [DataChannels.ChannelID: String] = [:]
    package fileprivate(set) var messages: [Message] = []
    /// Labels of channels that were closed, in order.
    package fileprivate(set) var closed: [String] = []
    package fileprivate(set) var endReason: SCTPCloseReason?
    /// When false, nothing is taken from the association: the receive window closes.
    package var isReading = true

    init(seed: UInt64) {
        var random = SplitMix(seed: seed ^ 0xDA7A)
        channels = DataChannels(role: .dtlsClient, random: &random)
    }

    package var isConnected: Bool { channels.isConnected }
    package var bufferedBytes: Int { channels.bufferedBytes }
    /// The labels of channels on which messages can be sent.
    package var open: [String] { channels.channelIDs.compactMap { channels[$0] }.filter(\.isOpen).map(\.label) }

    package func messages(on label: String) -> [Bytes] { messages.filter { $0.label == label }.map(\.payload) }
}

extension SoftPeer {
    var isForDataOnly: Bool { sections.allSatisfy { $0.kind == .application } }

    package func openChannel(_ open: DataChannelOpen, now: Instant) -> Bool {
        guard let data, let id = data.channels.open(open, now: now) else { return false }
        data.labels[id] = open.label
        flushData(now: now)
        return true
    }

    package func say(
        _ payload: Bytes, _ kind: DataChannels.Kind = .binary, on label: String, now: Instant
    ) -> SCTPSendResult {
        guard let data, let id = data.channels.channel(labelled: label) else { return .notConnected }
        let result = data.channels.send(payload, kind, on: id, now: now)
        flushData(now: now)
        return result
    }

    package func closeChannel(_ label: String, now: Instant) {
        guard let data, let id = data.channels.channel(labelled: label) else { return }
        data.channels.close(id, now: now)
        flushData(now: now)
    }

    /// For a section that was added to a connection that is up.
    package func beginData(now: Instant) { startData(now: now) }

    /// A packet of the association with a few bytes changed and the checksum left out, or bytes alone.
    package func sendGarbage(using random: inout SplitMix) {
        var packet = data?.lastPacket ?? []
        if packet.count < 12 || UInt8.random(in: 0..<4, using: &random) == 0 {
            packet = (0..<Int.random(in: 1...200, using: &random)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        }
        for _ in 0..<Int.random(in: 1...4, using: &random) where packet.count > 12 {
            packet[Int.random(in: 12..<packet.count, using: &random)] = UInt8(truncatingIfNeeded: random.next())
        }
        // Zero stands for "no checksum" once both sides have agreed to it.
        for index in 8..<12 where packet.count > 12 { packet[index] = 0 }
        if handshake.send(packet) {
            while let datagram = handshake.takeDatagram() { push(datagram) }
        }
    }

    // MARK: Driving

    func startData(now: Instant) {
        guard let data, !data.isUp else { return }
        data.isUp = true
        data.channels.connect(now: now)
        flushData(now: now)
    }

    func receiveData(now: Instant) {
        var hasCome = false
        while let packet = handshake.takeApplicationData() {
            data?.channels.receive(packet.span.bytes, now: now)
            hasCome = true
        }
        if hasCome { advanceData(now: now) }
    }

    func tickData(now: Instant) {
        guard let data, let due = dataDeadline, due <= now else { return }
        data.channels.handleTimeout(now: now)
        advanceData(now: now)
    }

    var dataDeadline: Instant? {
        guard let data, data.isUp else { return nil }
        return data.channels.deadline
    }

    private func advanceData(now: Instant) {
        guard let data else { return }
        while data.isReading, let event = data.channels.nextEvent(now: now) {
            switch event {
            case .connected: break
            case .opened(let id): data.labels[id] = data.channels[id]?.label
            case .message(let id, let kind, let payload):
                data.messages.append(SoftData.Message(label: data.labels[id] ?? "?", kind: kind, payload: payload))
            case .closed(let id): data.closed.append(data.labels.removeValue(forKey: id) ?? "?")
            case .ended(let reason): data.endReason = reason
            }
        }
        flushData(now: now)
    }

    private func flushData(now: Instant) {
        guard let data, data.isUp else { return }
        while data.channels.nextPacket(into: &data.packet, now: now) {
            data.lastPacket = data.packet
            guard handshake.send(data.packet) else { return }
            while let datagram = handshake.takeDatagram() { push(datagram) }
        }
    }
}
