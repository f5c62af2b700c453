// A participant's data channels (RFC 8831, 8832) over its SCTP association: opening, accepting, closing, messages.
//
// A machine like the association inside it. Channels are known by their stream's number. The peer's channels are accepted
// as they come, up to a bound; the numbers of our own follow from the DTLS role, so that both sides never choose the same.

package import Base
package import Wire

package struct DataChannels: ~Copyable {
    /// Channels at a time. One more is closed as soon as it is opened. Higher costs about a kilobyte each.
    package static let most = 64

    package typealias ChannelID = UInt16

    /// RFC 8832 §6: the DTLS client opens channels with even numbers.
    package enum Role: Sendable { case dtlsClient, dtlsServer }

    package enum Kind: Sendable { case string, binary }

    package struct Channel: Equatable, Sendable {
        package var label: String
        package var `protocol`: String
        package var reliability: DataChannelReliability
        var state: State

        /// Messages can be sent.
        package var isOpen: Bool { state == .open || state == .opening }
    }

    enum State: Equatable, Sendable {
        /// Our OPEN is not acknowledged: everything is sent in order, so that it comes after the OPEN (RFC 8832 §6).
        case opening
        case open
        /// Our side is being reset.
        case closing(incomingIsReset: Bool)
        /// Our side is reset; the peer's is not.
        case halfClosed
    }

    package enum Event: Equatable, Sendable {
        case connected
        /// The peer opened a channel, or acknowledged one of ours.
        case opened(ChannelID)
        case message(ChannelID, Kind, Bytes)
        case closed(ChannelID)
        /// The last event.
        case ended(SCTPCloseReason)
    }

    private var association: SCTPAssociation
    private let role: Role
    private var channels: [ChannelID: Channel] = [:]
    /// Events that one event of the association made.
    private var events = SCTPRing<Event>()
    /// Messages for no channel, or of no kind that we know.
    package private(set) var droppedMessages = 0
    package private(set) var refusedChannels = 0

    package init(
        role: Role, configuration: SCTPConfiguration = .init(), random: inout some RandomNumberGenerator
    ) {
        self.role = role
        association = SCTPAssociation(configuration, random: &random)
    }

    // MARK: - The association's driver

    package mutating func connect(now: Instant) { association.connect(now: now) }
    package mutating func receive(_ packet: RawSpan, now: Instant) { association.receive(packet, now: now) }
    package mutating func nextPacket(into packet: inout Bytes, now: Instant) -> Bool {
        association.nextPacket(into: &packet, now: now)
    }
    package var deadline: Instant? { association.deadline }
    package mutating func handleTimeout(now: Instant) { association.handleTimeout(now: now) }
    package mutating func shutdown(now: Instant) { association.shutdown(now: now) }
    package mutating func abort(now: Instant) { association.abort(now: now) }
    package var bufferedBytes: Int { association.bufferedBytes }
    package var isConnected: Bool { association.isConnected }
    package var counters: SCTPCounters { association.counters }

    // MARK: - Channels

    package var channelIDs: [ChannelID] { channels.keys.sorted() }
    package subscript(id: ChannelID) -> Channel? { channels[id] }

    package func channel(labelled label: String) -> ChannelID? {
        channels.filter { $0.value.label == label && $0.value.isOpen }.keys.min()
    }

    /// `nil` when there are as many as there may be, or the association cannot take it now.
    package mutating func open(_ open: DataChannelOpen, now: Instant) -> ChannelID? {
        guard channels.count < Self.most, open.label.utf8.count <= DataChannelOpen.longestText,
            open.protocol.utf8.count <= DataChannelOpen.longestText
        else { return nil }
        var id: ChannelID = role == .dtlsClient ? 0 : 1
        // At most `most` numbers are taken, so one below twice that is free.
        while channels[id] != nil { id += 2 }
        let sent = association.send(
            DataChannelMessage.open(open).encoded, on: id, protocolID: DataChannelPayload.control, now: now)
        guard sent == .accepted else { return nil }
        channels[id] = Channel(
            label: open.label, protocol: open.protocol, reliability: open.reliability, state: .opening)
        return id
    }

    /// A channel that both sides agreed on elsewhere (`negotiated: true`).
    package mutating func addNegotiated(_ open: DataChannelOpen, id: ChannelID) -> Bool {
        guard channels.count < Self.most, channels[id] == nil, Int(id) < SCTPLimits.streams else { return false }
        channels[id] = Channel(
            label: open.label, protocol: open.protocol, reliability: open.reliability, state: .open)
        return true
    }

    package mutating func close(_ id: ChannelID, now: Instant) {
        guard channels[id]?.isOpen ?? false else { return }
        channels[id]?.state = .closing(incomingIsReset: false)
        association.resetStreams([id], now: now)
    }

    package mutating func send(_ payload: Bytes, _ kind: Kind, on id: ChannelID, now: Instant) -> SCTPSendResult {
        guard let channel = channels[id], channel.isOpen else { return .refused }
        var reliability = channel.reliability
        if channel.state == .opening { reliability.isOrdered = true }
        let isString = kind == .string
        if payload.isEmpty {
            return association.send(
                [0], on: id, protocolID: isString ? DataChannelPayload.emptyString : DataChannelPayload.emptyBinary,
                reliability: reliability, now: now)
        }
        return association.send(
            payload, on: id, protocolID: isString ? DataChannelPayload.string : DataChannelPayload.binary,
            reliability: reliability, now: now)
    }

    // MARK: - Events

    /// May give the association something to send.
    package mutating func nextEvent(now: Instant) -> Event? {
        while true {
            if let event = events.popFirst() { return event }
            guard let event = association.nextEvent() else { return nil }
            switch event {
            case .connected: return .connected
            case .message(let message):
                if let event = receive(message, now: now) { return event }
            case .incomingReset(let streams):
                for id in streams { incomingReset(id, now: now) }
            case .outgoingReset(let streams, _):
                for id in streams { outgoingReset(id) }
            case .closed(let reason):
                for id in channelIDs { events.append(.closed(id)) }
                channels = [:]
                events.append(.ended(reason))
            }
        }
    }

    private mutating func receive(_ message: SCTPMessage, now: Instant) -> Event? {
        let id = message.streamID
        if message.protocolID == DataChannelPayload.control { return receiveControl(message, now: now) }
        guard channels[id]?.isOpen ?? false else {
            droppedMessages += 1
            return nil
        }
        // An OPEN that we sent is answered by data too (RFC 8832 §6): the peer knows the channel.
        if channels[id]?.state == .opening {
            channels[id]?.state = .open
            events.append(.opened(id))
        }
        let event: Event
        switch message.protocolID {
        case DataChannelPayload.string: event = .message(id, .string, message.payload)
        case DataChannelPayload.binary: event = .message(id, .binary, message.payload)
        case DataChannelPayload.emptyString: event = .message(id, .string, [])
        case DataChannelPayload.emptyBinary: event = .message(id, .binary, [])
        default:
            droppedMessages += 1
            return events.popFirst()
        }
        events.append(event)
        return events.popFirst()
    }

    private mutating func receiveControl(_ message: SCTPMessage, now: Instant) -> Event? {
        let id = message.streamID
        guard let control = Self.control(message.payload) else {
            droppedMessages += 1
            return nil
        }
        switch control {
        case .acknowledge:
            guard channels[id]?.state == .opening else { return nil }
            channels[id]?.state = .open
            return .opened(id)
        case .open(let open):
            guard channels[id] == nil else {
                droppedMessages += 1
                return nil
            }
            let peersParity: ChannelID = role == .dtlsClient ? 1 : 0
            guard id & 1 == peersParity, channels.count < Self.most else {
                refusedChannels += 1
                association.resetStreams([id], now: now)
                return nil
            }
            channels[id] = Channel(
                label: open.label, protocol: open.protocol, reliability: open.reliability, state: .open)
            let sent = association.send(
                DataChannelMessage.acknowledge.encoded, on: id, protocolID: DataChannelPayload.control, now: now)
            // Without room for two bytes the peer still learns of the channel by our first message on it.
            if sent != .accepted { droppedMessages += 1 }
            return .opened(id)
        }
    }

    private static func control(_ payload: Bytes) -> DataChannelMessage? {
        try? DataChannelMessage(parsing: payload.span.bytes)
    }

    private mutating func incomingReset(_ id: ChannelID, now: Instant) {
        switch channels[id]?.state {
        case .opening, .open:
            channels[id]?.state = .closing(incomingIsReset: true)
            association.resetStreams([id], now: now)
        case .closing: channels[id]?.state = .closing(incomingIsReset: true)
        case .halfClosed: remove(id)
        case nil: break
        }
    }

    private mutating func outgoingReset(_ id: ChannelID) {
        switch channels[id]?.state {
        case .closing(incomingIsReset: true): remove(id)
        case .closing(incomingIsReset: false): channels[id]?.state = .halfClosed
        default: break
        }
    }

    private mutating func remove(_ id: ChannelID) {
        channels[id] = nil
        events.append(.closed(id))
    }
}
