// What comes from the peer: packets, and what each chunk does in each phase.

package import Base
import Wire

extension SCTPAssociation {
    /// A packet as DTLS gave it. What cannot be read or does not belong here is dropped and counted.
    package mutating func receive(_ bytes: RawSpan, now: Instant) {
        guard phase != .closed else { return }
        do throws(WireError) {
            let packet = try SCTPPacket(parsing: bytes)
            guard packet.sourcePort == configuration.remotePort, packet.destinationPort == configuration.localPort
            else {
                counters.ignored += 1
                return
            }
            // A zero checksum is welcome once we said so (RFC 9653), which an INIT of ours or a handshake does.
            let isUnchecked = packet.checksum == 0 && phase != .fresh
            guard isUnchecked || packet.checksumState == .valid else {
                counters.badChecksum += 1
                return
            }
            try receiveChunks(of: packet, now: now)
        } catch {
            counters.malformed += 1
        }
        finishReceiving(now: now)
    }

    private mutating func receiveChunks(of packet: borrowing SCTPPacket, now: Instant) throws(WireError) {
        var reader = SCTPChunkReader(packet.chunks)
        var hadData = false
        // A chunk may have ended the association.
        defer { if hadData, isOpen { transfer.receiver.packetHadData(now: now) } }
        var isFirst = true
        while !reader.isAtEnd, phase != .closed {
            let chunk = try reader.next()
            guard hasRightTag(packet, chunk, isFirst: isFirst) else {
                counters.badTag += 1
                return
            }
            switch chunk.type {
            case SCTPChunk.data:
                hadData = true
                try receiveData(chunk, now: now)
            case SCTPChunk.selectiveAck: try receiveAck(chunk, now: now)
            case SCTPChunk.initiation:
                // RFC 9260 §4.3: INIT is alone in its packet.
                guard isFirst, reader.isAtEnd else { throw .invalid("an INIT that is not alone") }
                try receiveInitiation(chunk, now: now)
            case SCTPChunk.initiationAck: try receiveInitiationAck(chunk, now: now)
            case SCTPChunk.cookieEcho: receiveCookieEcho(chunk, now: now)
            case SCTPChunk.cookieAck: receiveCookieAck(now: now)
            default:
                guard try receiveOther(chunk, now: now) else { return }
            }
            isFirst = false
        }
    }

    /// RFC 9260 §8.5
    private func hasRightTag(
        _ packet: borrowing SCTPPacket, _ chunk: borrowing SCTPChunk, isFirst: Bool
    ) -> Bool {
        switch chunk.type {
        case SCTPChunk.initiation: packet.verificationTag == 0
        case SCTPChunk.abort, SCTPChunk.shutdownComplete:
            chunk.flags & SCTPChunk.reflectedTag != 0
                ? peer != nil && packet.verificationTag == peer?.tag : packet.verificationTag == localTag
        default: packet.verificationTag == localTag
        }
    }

    /// Chunks that are rare. False: the rest of the packet is not read.
    private mutating func receiveOther(
        _ chunk: borrowing SCTPChunk, now: Instant
    ) throws(WireError) -> Bool {
        switch chunk.type {
        case SCTPChunk.forwardTSN: try receiveForwardTSN(chunk)
        case SCTPChunk.reconfiguration: try receiveReconfiguration(chunk)
        case SCTPChunk.heartbeat: receiveHeartbeat(chunk)
        case SCTPChunk.heartbeatAck: receiveHeartbeatAck(chunk, now: now)
        case SCTPChunk.abort: receiveAbort(chunk)
        case SCTPChunk.shutdown: try receiveShutdown(chunk, now: now)
        case SCTPChunk.shutdownAck: receiveShutdownAck()
        case SCTPChunk.shutdownComplete:
            if phase == .shutdownAckSent { end(.shutdown, cause: nil) }
        case SCTPChunk.error:
            // A stale cookie is answered by the timer's next INIT; the rest only informs.
            counters.ignored += 1
        case SCTPChunk.padding: break
        default: return receiveUnknown(chunk)
        }
        return true
    }

    /// RFC 9260 §3.2
    private mutating func receiveUnknown(_ chunk: borrowing SCTPChunk) -> Bool {
        counters.ignored += 1
        let action = SCTPUnknownAction(chunkType: chunk.type)
        if action.isReported, isOpen, chunk.value.byteCount <= SCTPLimits.reportedParameterBytes {
            var error: Bytes = []
            let start = error.openSCTPChunk(SCTPChunk.error)
            let cause = error.openSCTPParameter(SCTPCause.unrecognisedChunk)
            error.appendSCTPChunk(chunk.type, flags: chunk.flags, value: Bytes(sctpPayload: chunk.value))
            error.closeSCTPChunk(at: cause)
            error.closeSCTPChunk(at: start)
            queueControl(error)
        }
        return action.goesOn
    }

    // MARK: - Data

    private mutating func receiveData(_ chunk: borrowing SCTPChunk, now: Instant) throws(WireError) {
        guard isIn(.established, .shutdownPending, .shutdownSent) else { return }
        let data = try SCTPData(parsing: chunk)
        finish(transfer.receiver.receive(data, events: &events, counters: &counters))
        // RFC 9260 §9.2: whoever waits for SHUTDOWN ACK answers data with SHUTDOWN again.
        if phase == .shutdownSent { phaseChunkDue = true }
    }

    private mutating func receiveForwardTSN(_ chunk: borrowing SCTPChunk) throws(WireError) {
        guard isOpen else { return }
        let forward = try SCTPForwardTSN(parsing: chunk.value)
        finish(transfer.receiver.receive(forward, events: &events, counters: &counters))
    }

    private mutating func finish(_ verdict: SCTPReceiver.Verdict) {
        switch verdict {
        case .accepted: break
        case .messageTooLong: end(.messageTooLong, cause: SCTPCause.userAbort)
        case .noUserData: end(.violation(cause: SCTPCause.noUserData), cause: SCTPCause.noUserData)
        }
    }

    private mutating func receiveAck(_ chunk: borrowing SCTPChunk, now: Instant) throws(WireError) {
        guard isOpen else { return }
        let ack = try SCTPSelectiveAck(parsing: chunk.value)
        switch transfer.sender.receive(ack, now: now, counters: &counters) {
        case .stale, .impossible: counters.ignored += 1
        case .nothingNew, .progress: timeouts = 0
        }
    }

    // MARK: - Handshake

    private mutating func receiveInitiation(_ chunk: borrowing SCTPChunk, now: Instant) throws(WireError) {
        // Established: a late copy, or a restart, which is out of scope.
        guard isIn(.fresh, .cookieWait, .cookieEchoed), ownPackets.count < SCTPLimits.ownPackets else {
            counters.ignored += 1
            return
        }
        let initiation = try SCTPInitiation(parsing: chunk.value)
        var unknown: Bytes = []
        let asked = try Self.peer(of: initiation, unknown: &unknown)
        var packet: Bytes = []
        packet.appendSCTPHeader(
            source: configuration.localPort, destination: configuration.remotePort,
            verificationTag: initiation.initiateTag)
        let start = packet.openSCTPChunk(SCTPChunk.initiationAck)
        appendInitiation(to: &packet)
        packet.appendSCTPParameter(
            SCTPParameter.stateCookie, value: cookies.cookie(for: asked, localTag: localTag, now: now))
        packet += unknown
        packet.closeSCTPChunk(at: start)
        packet.sealSCTPPacket()
        ownPackets.append(packet)
    }

    private mutating func receiveInitiationAck(_ chunk: borrowing SCTPChunk, now: Instant) throws(WireError) {
        guard phase == .cookieWait else { return }
        let initiation = try SCTPInitiation(parsing: chunk.value)
        var unknown: Bytes = []
        let answered = try Self.peer(of: initiation, unknown: &unknown)
        var reader = SCTPParameterReader(initiation.parameters)
        while !reader.isAtEnd {
            let parameter = try reader.next()
            guard parameter.type == SCTPParameter.stateCookie else { continue }
            // It must fit into a packet of ours.
            guard parameter.value.byteCount <= configuration.largestPacket - SCTPPacket.headerSize - 4 else { break }
            cookie = Bytes(sctpPayload: parameter.value)
        }
        guard !cookie.isEmpty else { throw .invalid("an INIT ACK without a cookie") }
        peer = answered
        phase = .cookieEchoed
        startPhase(now: now)
    }

    /// What the parameters say; what is unknown and wants a report is appended to `unknown` as parameters.
    private static func peer(
        of initiation: borrowing SCTPInitiation, unknown: inout Bytes
    ) throws(WireError) -> SCTPPeer {
        var peer = SCTPPeer(
            tag: initiation.initiateTag, initialTSN: initiation.initialTSN, window: initiation.advertisedWindow,
            outboundStreams: initiation.outboundStreams, inboundStreams: initiation.inboundStreams)
        var reader = SCTPParameterReader(initiation.parameters)
        while !reader.isAtEnd {
            let parameter = try reader.next()
            switch parameter.type {
            case SCTPParameter.forwardTSN: peer.knowsForwardTSN = true
            case SCTPParameter.supportedExtensions:
                for index in 0..<parameter.value.byteCount
                where parameter.value.byte(index) == SCTPChunk.reconfiguration {
                    peer.knowsReconfiguration = true
                }
            case SCTPParameter.zeroChecksum:
                peer.takesZeroChecksum =
                    parameter.value.byteCount == 4
                    && parameter.value.uint32(0) == SCTPParameter.zeroChecksumOverDTLS
            // Addresses, cookie preservation, adaptation and authentication (RFC 4895) have no use over DTLS.
            case SCTPParameter.stateCookie, 5, 6, 9, 11, 12, 0x8002, 0x8003, 0x8004, 0xC006: break
            default:
                let action = SCTPUnknownAction(parameterType: parameter.type)
                if action.isReported,
                    unknown.count + parameter.value.byteCount + 8 <= SCTPLimits.reportedParameterBytes
                {
                    let start = unknown.openSCTPParameter(SCTPParameter.unrecognised)
                    unknown.appendSCTPParameter(parameter.type, value: Bytes(sctpPayload: parameter.value))
                    unknown.closeSCTPChunk(at: start)
                }
                if !action.goesOn { return peer }
            }
        }
        return peer
    }

    /// RFC 9260 §5.2.4, without restarts: the cookie must carry our tag.
    private mutating func receiveCookieEcho(_ chunk: borrowing SCTPChunk, now: Instant) {
        switch cookies.verdict(on: chunk.value, localTag: localTag, now: now) {
        case .foreign: counters.badCookie += 1
        case .stale(let by):
            counters.badCookie += 1
            guard isOpen || peer != nil else { return }
            reportStale(by)
        case .valid(let echoed):
            switch phase {
            case .fresh, .cookieWait, .cookieEchoed:
                establish(with: echoed, now: now)
                queueControl([SCTPChunk.cookieAck, 0, 0, 4])
            case .established where peer?.tag == echoed.tag && peer?.initialTSN == echoed.initialTSN:
                // Our COOKIE ACK was lost.
                queueControl([SCTPChunk.cookieAck, 0, 0, 4])
            default: counters.badCookie += 1
            }
        }
    }

    private mutating func reportStale(_ by: Duration) {
        var error: Bytes = []
        let start = error.openSCTPChunk(SCTPChunk.error)
        let cause = error.openSCTPParameter(SCTPCause.staleCookie)
        error.append(bigEndian: UInt32(clamping: by.microseconds))
        error.closeSCTPChunk(at: cause)
        error.closeSCTPChunk(at: start)
        queueControl(error)
    }

    private mutating func receiveCookieAck(now: Instant) {
        guard phase == .cookieEchoed, let peer else { return }
        establish(with: peer, now: now)
    }

    // MARK: - Streams, heartbeats, the end

    private mutating func receiveReconfiguration(_ chunk: borrowing SCTPChunk) throws(WireError) {
        guard phase == .established else { return }
        var reader = SCTPParameterReader(chunk.value)
        // RFC 6525 §3.1: at most two parameters in a chunk.
        for _ in 0..<2 where !reader.isAtEnd {
            let parameter = try reader.next()
            switch parameter.type {
            case SCTPParameter.outgoingReset:
                let reset = try SCTPOutgoingReset(parsing: parameter.value)
                let (result, streams) = transfer.resets.receive(
                    reset, cumulativeTSN: transfer.receiver.cumulativeTSN)
                if let streams { resetIncoming(streams) }
                answer(reset.requestNumber, result)
            case SCTPParameter.reconfigurationResponse:
                let response = try SCTPReconfigurationResponse(parsing: parameter.value)
                timeouts = 0
                guard let (streams, isDone) = transfer.resets.receive(response) else { continue }
                if isDone { for stream in streams { transfer.sender.resetStream(stream) } }
                events.append(.outgoingReset(streams, isDone: isDone))
                beginReset()
            case SCTPParameter.incomingReset, SCTPParameter.associationReset, SCTPParameter.addOutgoingStreams,
                SCTPParameter.addIncomingStreams:
                var numbers = ByteReader(parameter.value)
                let number = try numbers.readUInt32()
                answer(number, transfer.resets.deny(number))
            default: counters.ignored += 1
            }
        }
    }

    private mutating func answer(_ number: UInt32, _ result: SCTPReconfigurationResponse.Result) {
        var chunk: Bytes = []
        let start = chunk.openSCTPChunk(SCTPChunk.reconfiguration)
        chunk.appendSCTPReconfigurationResponse(responseNumber: number, result: result)
        chunk.closeSCTPChunk(at: start)
        queueControl(chunk)
    }

    private mutating func resetIncoming(_ named: [UInt16]) {
        let streams = named.isEmpty ? Array(0..<UInt16(SCTPLimits.streams)) : named
        for stream in streams { transfer.receiver.resetStream(stream) }
        events.append(.incomingReset(streams))
    }

    private mutating func receiveHeartbeat(_ chunk: borrowing SCTPChunk) {
        guard isOpen, chunk.value.byteCount <= SCTPLimits.heartbeatInfo else { return }
        var answer: Bytes = []
        answer.appendSCTPChunk(SCTPChunk.heartbeatAck, value: Bytes(sctpPayload: chunk.value))
        queueControl(answer)
    }

    private mutating func receiveHeartbeatAck(_ chunk: borrowing SCTPChunk, now: Instant) {
        guard isOpen, let sent = heartbeatSentAt, chunk.value.byteCount == 12,
            chunk.value.uint32(4) == UInt32(truncatingIfNeeded: heartbeatNonce >> 32),
            chunk.value.uint32(8) == UInt32(truncatingIfNeeded: heartbeatNonce)
        else {
            counters.ignored += 1
            return
        }
        heartbeatSentAt = nil
        timeouts = 0
        transfer.sender.measuredRoundTrip(now - sent)
        heartbeatTimer = now + SCTPLimits.heartbeatInterval
    }

    private mutating func receiveAbort(_ chunk: borrowing SCTPChunk) {
        // In `fresh` there is nothing to abort, and no tag that the peer could know.
        guard phase != .fresh else { return }
        var reader = SCTPParameterReader(chunk.value)
        let cause = (try? reader.next().type) ?? 0
        end(.abortedByPeer(cause: cause), cause: nil)
    }

    private mutating func receiveShutdown(_ chunk: borrowing SCTPChunk, now: Instant) throws(WireError) {
        guard isOpen else { return }
        var reader = ByteReader(chunk.value)
        transfer.sender.receiveCumulative(try reader.readUInt32(), now: now)
        timeouts = 0
        switch phase {
        case .established, .shutdownPending: phase = .shutdownReceived
        case .shutdownSent:
            // Both at once (§9.2).
            phase = .shutdownAckSent
            startPhase(now: now)
        case .shutdownAckSent: phaseChunkDue = true
        default: break
        }
    }

    private mutating func receiveShutdownAck() {
        guard isIn(.shutdownSent, .shutdownAckSent), let peer else { return }
        end(.shutdown, cause: nil)
        var packet: Bytes = []
        packet.appendSCTPHeader(
            source: configuration.localPort, destination: configuration.remotePort, verificationTag: peer.tag)
        packet.appendSCTPChunk(SCTPChunk.shutdownComplete)
        packet.sealSCTPPacket()
        ownPackets.append(packet)
    }

    /// What the packet has made possible.
    private mutating func finishReceiving(now: Instant) {
        guard isOpen else { return }
        if let streams = transfer.resets.takeDeferred(cumulativeTSN: transfer.receiver.cumulativeTSN) {
            resetIncoming(streams)
        }
        beginReset()
        continueShutdown(now: now)
        if heartbeatSentAt == nil { heartbeatTimer = now + SCTPLimits.heartbeatInterval }
    }
}
