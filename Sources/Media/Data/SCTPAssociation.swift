// One SCTP association over DTLS (RFC 9260, 8261), as data channels need it: a machine without a socket and a clock.
//
// The owner hands in decrypted packets and the time, and after each call takes packets (`nextPacket`) and events
// (`nextEvent`) until there are none, and notes `deadline`. One path, one port each way, no restart: over DTLS a new
// association comes with a new DTLS connection. Start reading at `receive` in `SCTPAssociation+Receiving.swift`.

package import Base
package import Wire

package struct SCTPAssociation: ~Copyable {
    enum Phase {
        /// Neither side has said anything that we keep.
        case fresh
        case cookieWait
        case cookieEchoed
        case established
        case shutdownPending
        case shutdownSent
        case shutdownReceived
        case shutdownAckSent
        case closed
    }

    /// What the handshake sets up.
    struct Transfer {
        var peer: SCTPPeer
        var sender: SCTPSender
        var receiver: SCTPReceiver
        var resets: SCTPStreamResets

        init(_ configuration: SCTPConfiguration, initialTSN: UInt32, peer: SCTPPeer) {
            self.peer = peer
            sender = SCTPSender(configuration, initialTSN: initialTSN, peer: peer)
            receiver = SCTPReceiver(configuration, initialTSN: peer.initialTSN)
            resets = SCTPStreamResets(initialTSN: initialTSN, peerInitialTSN: peer.initialTSN)
        }

        static func blank(_ configuration: SCTPConfiguration) -> Transfer {
            let nobody = SCTPPeer(tag: 0, initialTSN: 0, window: 0, outboundStreams: 0, inboundStreams: 0)
            return Transfer(configuration, initialTSN: 0, peer: nobody)
        }
    }

    let configuration: SCTPConfiguration
    let localTag: UInt32
    let initialTSN: UInt32
    let cookies: SCTPCookieJar
    /// Of the numbers in heartbeats.
    let heartbeatNonce: UInt64

    var phase = Phase.fresh
    var peer: SCTPPeer?
    /// A blank before the handshake and after the end.
    var transfer: Transfer
    var events = SCTPEventQueue()
    package var counters = SCTPCounters()

    /// Packets that travel alone: INIT ACK, ABORT, SHUTDOWN COMPLETE.
    var ownPackets: [Bytes] = []
    /// Chunks for the next packets, one after the other.
    var control: [Bytes] = []
    var controlBytes = 0
    var cookie: Bytes = []

    /// T1 and T2: INIT, COOKIE ECHO, SHUTDOWN and SHUTDOWN ACK.
    var phaseTimer: Instant?
    var phaseTries = 0
    var phaseTimeout = SCTPLimits.firstTimeout
    var phaseChunkDue = false
    var heartbeatTimer: Instant?
    var heartbeatSentAt: Instant?
    /// Timeouts in a row.
    var timeouts = 0

    package init(_ configuration: SCTPConfiguration = .init(), random: inout some RandomNumberGenerator) {
        self.configuration = configuration
        localTag = UInt32.random(in: 1...UInt32.max, using: &random)
        initialTSN = random.next()
        heartbeatNonce = random.next()
        var key: Bytes = []
        for _ in 0..<4 { key.append(bigEndian: random.next() as UInt64) }
        cookies = SCTPCookieJar(key: key)
        transfer = .blank(configuration)
    }

    /// From the handshake's end to the association's.
    var isOpen: Bool {
        switch phase {
        case .fresh, .cookieWait, .cookieEchoed, .closed: false
        default: true
        }
    }

    package var isConnected: Bool { phase == .established }
    package var isClosed: Bool { phase == .closed }
    /// Bytes that wait to be sent or acknowledged, with `SCTPLimits.perMessage` each.
    package var bufferedBytes: Int { transfer.sender.bufferedBytes }
    package var congestionWindow: Int { transfer.sender.congestionWindow }
    package var roundTrip: Duration? { transfer.sender.roundTrip }

    package mutating func nextEvent() -> SCTPEvent? { events.next() }

    // MARK: - What the owner asks for

    /// Sends INIT. Both sides may: in WebRTC both do.
    package mutating func connect(now: Instant) {
        guard phase == .fresh else { return }
        phase = .cookieWait
        startPhase(now: now)
    }

    /// The payload is not copied; it lives until it is acknowledged.
    package mutating func send(
        _ payload: Bytes, on streamID: UInt16, protocolID: UInt32,
        reliability: DataChannelReliability = .init(), now: Instant
    ) -> SCTPSendResult {
        guard phase == .established else { return .notConnected }
        guard !payload.isEmpty, payload.count <= configuration.longestSent,
            Int(streamID) < min(SCTPLimits.streams, Int(transfer.peer.inboundStreams)),
            !transfer.resets.isResetting(streamID)
        else { return .refused }
        return transfer.sender.enqueue(
            payload, streamID: streamID, protocolID: protocolID, reliability: reliability, now: now)
    }

    /// Starts our side of these streams anew, after what waits on them has left. `.outgoingReset` tells when it is done.
    package mutating func resetStreams(_ streams: [UInt16], now: Instant) {
        guard phase == .established else { return }
        guard transfer.peer.knowsReconfiguration else {
            // It cannot be told; the numbers of the stream go on.
            events.append(.outgoingReset(streams, isDone: false))
            return
        }
        for stream in streams where Int(stream) < SCTPLimits.streams { transfer.resets.request(stream) }
        beginReset()
    }

    /// After everything that was accepted is acknowledged.
    package mutating func shutdown(now: Instant) {
        switch phase {
        case .established:
            phase = .shutdownPending
            continueShutdown(now: now)
        case .fresh, .cookieWait, .cookieEchoed: abort(now: now)
        default: break
        }
    }

    package mutating func abort(now: Instant) { end(.abortedLocally, cause: SCTPCause.userAbort) }

    // MARK: - Phases

    func isIn(_ first: Phase, _ second: Phase, _ third: Phase? = nil) -> Bool {
        phase == first || phase == second || phase == third
    }

    mutating func startPhase(now: Instant) {
        phaseTries = 0
        phaseTimeout = transfer.sender.timeout.current
        phaseTimer = now + phaseTimeout
        phaseChunkDue = true
    }

    mutating func stopPhase() {
        phaseTimer = nil
        phaseChunkDue = false
    }

    mutating func establish(with peer: SCTPPeer, now: Instant) {
        self.peer = peer
        transfer = Transfer(configuration, initialTSN: initialTSN, peer: peer)
        phase = .established
        cookie = []
        stopPhase()
        timeouts = 0
        heartbeatTimer = now + SCTPLimits.heartbeatInterval
        events.append(.connected)
    }

    /// Sends what a shutdown needs next, once nothing waits to be acknowledged.
    mutating func continueShutdown(now: Instant) {
        guard isIn(.shutdownPending, .shutdownReceived), transfer.sender.isEmpty else { return }
        phase = phase == .shutdownPending ? .shutdownSent : .shutdownAckSent
        startPhase(now: now)
    }

    /// Ends the association; with a cause, the peer is told.
    mutating func end(_ reason: SCTPCloseReason, cause: UInt16?) {
        guard phase != .closed else { return }
        ownPackets.removeAll()
        if let cause, let peer { queueAbort(cause, tag: peer.tag) }
        phase = .closed
        transfer = .blank(configuration)
        control = []
        controlBytes = 0
        cookie = []
        stopPhase()
        heartbeatTimer = nil
        events.append(.closed(reason))
    }

    private mutating func queueAbort(_ cause: UInt16, tag: UInt32) {
        var packet: Bytes = []
        packet.appendSCTPHeader(
            source: configuration.localPort, destination: configuration.remotePort, verificationTag: tag)
        let start = packet.openSCTPChunk(SCTPChunk.abort)
        packet.appendSCTPParameter(cause)
        packet.closeSCTPChunk(at: start)
        packet.sealSCTPPacket()
        ownPackets.append(packet)
    }

    mutating func queueControl(_ chunk: Bytes) {
        guard controlBytes + chunk.count <= SCTPLimits.controlBytes else {
            counters.controlDropped += 1
            return
        }
        controlBytes += chunk.count
        control.append(chunk)
    }

    /// Our next request to reset streams, if none is under way and nothing waits on the streams.
    mutating func beginReset() {
        guard phase == .established else { return }
        let candidates = transfer.resets.candidates
        guard !candidates.isEmpty, !transfer.sender.hasQueued(onAnyOf: candidates) else { return }
        transfer.resets.begin(candidates, lastTSN: transfer.sender.lastAssignedTSN)
    }
}
