// What goes to the peer: packets are put together when the owner takes them, so that an acknowledgement, a request and
// data that are due at the same time share one. And the timers.

package import Base
import Wire

extension SCTPAssociation {
    /// Puts the next packet into an array, which is emptied first. False when there is none.
    package mutating func nextPacket(into packet: inout Bytes, now: Instant) -> Bool {
        packet.removeAll(keepingCapacity: true)
        if !ownPackets.isEmpty {
            packet = ownPackets.removeFirst()
            return true
        }
        switch phase {
        case .fresh, .closed: return false
        case .cookieWait, .cookieEchoed: return appendHandshake(to: &packet)
        default: return appendTransfer(to: &packet, now: now)
        }
    }

    private mutating func appendHandshake(to packet: inout Bytes) -> Bool {
        guard phaseChunkDue else { return false }
        phaseChunkDue = false
        appendHeader(to: &packet, tag: phase == .cookieWait ? 0 : peer?.tag ?? 0)
        if phase == .cookieWait {
            let start = packet.openSCTPChunk(SCTPChunk.initiation)
            appendInitiation(to: &packet)
            packet.closeSCTPChunk(at: start)
        } else {
            packet.appendSCTPChunk(SCTPChunk.cookieEcho, value: cookie)
        }
        packet.sealSCTPPacket()
        return true
    }

    private func appendHeader(to packet: inout Bytes, tag: UInt32) {
        packet.appendSCTPHeader(
            source: configuration.localPort, destination: configuration.remotePort, verificationTag: tag)
    }

    /// The value of INIT and, but for the cookie, of INIT ACK.
    func appendInitiation(to packet: inout Bytes) {
        packet.appendSCTPInitiation(
            tag: localTag, window: UInt32(clamping: configuration.receiveBuffer),
            outbound: UInt16(SCTPLimits.streams), inbound: UInt16(SCTPLimits.streams), initialTSN: initialTSN)
        packet.appendSCTPParameter(SCTPParameter.forwardTSN)
        packet.appendSCTPParameter(
            SCTPParameter.supportedExtensions, value: [SCTPChunk.reconfiguration, SCTPChunk.forwardTSN])
        let start = packet.openSCTPParameter(SCTPParameter.zeroChecksum)
        packet.append(bigEndian: SCTPParameter.zeroChecksumOverDTLS)
        packet.closeSCTPChunk(at: start)
    }

    private mutating func appendTransfer(to packet: inout Bytes, now: Instant) -> Bool {
        guard isOpen else { return false }
        appendHeader(to: &packet, tag: transfer.peer.tag)
        appendControl(to: &packet)
        if phaseChunkDue { appendShutdown(to: &packet) }
        let hasData = transfer.sender.hasSomethingToSend && packet.count < configuration.largestPacket / 2
        // A delayed acknowledgement travels with data.
        if transfer.receiver.ackState == .due || (transfer.receiver.ackState == .delayed && hasData) {
            transfer.receiver.appendAck(to: &packet, unread: events.bytes)
        }
        beginReset()
        let room = configuration.largestPacket - packet.count
        if transfer.resets.hasRequestToSend, room >= 24 + 2 * SCTPLimits.streamsPerReset {
            transfer.resets.appendRequest(
                to: &packet, now: now, timeout: transfer.sender.timeout.current)
        }
        appendForward(to: &packet, now: now)
        if hasData {
            let before = packet.count
            transfer.sender.appendData(to: &packet, now: now, counters: &counters)
            // Sending finds out what has expired. Behind DATA there is no place for it (RFC 9260 §6.10): usrsctp answers
            // with ABORT. The next packet takes it then.
            if packet.count == before { appendForward(to: &packet, now: now) }
        }
        guard packet.count > SCTPPacket.headerSize else { return false }
        if !transfer.peer.takesZeroChecksum { packet.sealSCTPPacket() }
        return true
    }

    private mutating func appendForward(to packet: inout Bytes, now: Instant) {
        let most = 8 + 4 * SCTPLimits.skippedStreams
        guard transfer.sender.forwardIsDue,
            packet.count == SCTPPacket.headerSize || packet.count + most <= configuration.largestPacket
        else { return }
        transfer.sender.appendForwardTSN(to: &packet, now: now)
    }

    private mutating func appendControl(to packet: inout Bytes) {
        guard !control.isEmpty else { return }
        var taken = 0
        for chunk in control {
            guard packet.count + chunk.count <= configuration.largestPacket else { break }
            packet += chunk
            controlBytes -= chunk.count
            taken += 1
        }
        control.removeFirst(taken)
    }

    private mutating func appendShutdown(to packet: inout Bytes) {
        phaseChunkDue = false
        if phase == .shutdownAckSent {
            packet.appendSCTPChunk(SCTPChunk.shutdownAck)
        } else if phase == .shutdownSent {
            let start = packet.openSCTPChunk(SCTPChunk.shutdown)
            packet.append(bigEndian: transfer.receiver.cumulativeTSN)
            packet.closeSCTPChunk(at: start)
        }
    }

    // MARK: - Time

    /// When `handleTimeout` wants to be called; `nil` when nothing waits. Read it after every call.
    package var deadline: Instant? {
        var earliest = phaseTimer
        guard isOpen else { return earliest }
        Self.lower(&earliest, heartbeatTimer)
        Self.lower(&earliest, transfer.sender.timer)
        Self.lower(&earliest, transfer.receiver.ackDeadline)
        Self.lower(&earliest, transfer.resets.timer)
        return earliest
    }

    private static func lower(_ earliest: inout Instant?, _ other: Instant?) {
        guard let other else { return }
        earliest = earliest.map { min($0, other) } ?? other
    }

    package mutating func handleTimeout(now: Instant) {
        if let due = phaseTimer, now >= due { handlePhaseTimeout(now: now) }
        guard isOpen else { return }
        if let due = transfer.receiver.ackDeadline, now >= due { transfer.receiver.ackNow() }
        if transfer.sender.handleTimeout(now: now, counters: &counters) { timeouts += 1 }
        if transfer.resets.handleTimeout(now: now) { timeouts += 1 }
        if let due = heartbeatTimer, now >= due { handleHeartbeatTimer(now: now) }
        if timeouts > SCTPLimits.timeouts { end(.unreachable, cause: SCTPCause.userAbort) }
    }

    /// T1 and T2
    private mutating func handlePhaseTimeout(now: Instant) {
        phaseTries += 1
        let isHandshake = isIn(.cookieWait, .cookieEchoed)
        guard phaseTries <= (isHandshake ? SCTPLimits.handshakeTries : SCTPLimits.timeouts) else {
            end(isHandshake ? .handshakeTimeout : .unreachable, cause: nil)
            return
        }
        phaseTimeout = min(phaseTimeout * 2, SCTPLimits.longestTimeout)
        phaseTimer = now + phaseTimeout
        phaseChunkDue = true
    }

    /// Silence: asks, and counts a question that was not answered.
    private mutating func handleHeartbeatTimer(now: Instant) {
        if heartbeatSentAt != nil { timeouts += 1 }
        heartbeatSentAt = now
        heartbeatTimer = now + max(transfer.sender.timeout.current, .seconds(1))
        var chunk: Bytes = []
        let start = chunk.openSCTPChunk(SCTPChunk.heartbeat)
        let info = chunk.openSCTPParameter(SCTPParameter.heartbeatInfo)
        chunk.append(bigEndian: heartbeatNonce)
        chunk.closeSCTPChunk(at: info)
        chunk.closeSCTPChunk(at: start)
        queueControl(chunk)
    }
}
