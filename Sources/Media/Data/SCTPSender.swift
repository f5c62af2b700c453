// The sending half: messages that wait, chunks that are on their way, what a SACK says about them, and what is given up.
//
// Messages leave in the order in which they were sent, whatever their streams; a message's payload is shared with its
// sender and with the chunks until the last is acknowledged, so a message to a whole room exists once. A TSN and a
// stream sequence number are given when a message's first byte leaves, so what expires before leaves no trace.

import Base
import Wire

struct SCTPSender {
    private struct Message {
        var payload: Bytes
        var streamID: UInt16
        var protocolID: UInt32
        var isOrdered: Bool
        var retransmissions: UInt32
        var expiry: Instant?
        var number: UInt64
        var sent = 0
        var sequence: UInt16 = 0
    }

    private enum ChunkState { case inFlight, missing, acknowledged, abandoned }

    private struct Chunk {
        var payload: Bytes
        var start: Int
        var count: Int
        var flags: SCTPData.Flags
        var streamID: UInt16
        var sequence: UInt16
        var protocolID: UInt32
        var message: UInt64
        var retransmissions: UInt32
        var expiry: Instant?
        var state = ChunkState.inFlight
        var transmissions: UInt32 = 1
        var missingReports: UInt8 = 0
        /// Only acknowledgements of chunks from this TSN on, which left after this one, speak of its loss.
        var judgedFrom: UInt32
        var sentAt: Instant

        /// On the wire, padded.
        var size: Int { SCTPData.headerSize + (count + 3) & ~3 }
    }

    private let configuration: SCTPConfiguration
    private let forwardsTSN: Bool
    private var queue = SCTPRing<Message>()
    /// From the first TSN that is not acknowledged cumulatively.
    private var chunks = SCTPRing<Chunk>()
    private(set) var nextTSN: UInt32
    /// By stream; empty until one is used.
    private var sequences: [UInt16] = []
    private var messageNumber: UInt64 = 0

    /// What counts against `sendBuffer`.
    private(set) var bufferedBytes = 0
    /// Bytes on the wire, and of payload, that are neither acknowledged nor known to be lost.
    private var flight = 0
    private var flightPayload = 0
    private var missingCount = 0
    private var acknowledgedAhead = 0
    private var peerWindow: Int

    private var congestion: SCTPCongestion
    private(set) var timeout = SCTPTimeout()
    private(set) var timer: Instant?
    private var lastSent: Instant?
    private var mayExceedWindow = false
    private var forwardDue = false
    /// RFC 3758: up to here everything is acknowledged or given up.
    private var advancedTSN: UInt32

    init(_ configuration: SCTPConfiguration, initialTSN: UInt32, peer: SCTPPeer) {
        self.configuration = configuration
        forwardsTSN = peer.knowsForwardTSN
        nextTSN = initialTSN
        advancedTSN = initialTSN &- 1
        peerWindow = Int(peer.window)
        congestion = SCTPCongestion(packet: configuration.largestPacket, peerWindow: Int(peer.window))
    }

    private var cumulativeTSN: UInt32 { nextTSN &- UInt32(truncatingIfNeeded: chunks.count) &- 1 }
    var isEmpty: Bool { queue.isEmpty && chunks.isEmpty }
    var lastAssignedTSN: UInt32 { nextTSN &- 1 }
    var congestionWindow: Int { congestion.window }
    var roundTrip: Duration? { timeout.roundTrip }

    // MARK: - Sending

    /// The caller has checked the length and the stream.
    mutating func enqueue(
        _ payload: Bytes, streamID: UInt16, protocolID: UInt32, reliability: DataChannelReliability, now: Instant
    ) -> SCTPSendResult {
        let cost = payload.count + SCTPLimits.perMessage
        guard bufferedBytes + cost <= configuration.sendBuffer else { return .full }
        messageNumber += 1
        var message = Message(
            payload: payload, streamID: streamID, protocolID: protocolID, isOrdered: reliability.isOrdered,
            retransmissions: .max, expiry: nil, number: messageNumber)
        // A peer that cannot skip gets everything.
        if forwardsTSN {
            switch reliability.limit {
            case .reliable: break
            case .retransmissions(let count): message.retransmissions = count
            case .milliseconds(let time): message.expiry = now + .milliseconds(Int64(time))
            }
        }
        bufferedBytes += cost
        queue.append(message)
        return .accepted
    }

    /// Whether a message of this stream waits that has not left whole.
    func hasQueued(onAnyOf streams: [UInt16]) -> Bool {
        for position in 0..<queue.count where streams.contains(queue[position].streamID) { return true }
        return false
    }

    mutating func resetStream(_ streamID: UInt16) {
        if Int(streamID) < sequences.count { sequences[Int(streamID)] = 0 }
    }

    /// Whether `appendData` would append something, as far as the windows are concerned.
    var hasSomethingToSend: Bool {
        if missingCount > 0 { return flight < congestion.window || mayExceedWindow }
        return !queue.isEmpty && flight < congestion.window && (flightPayload < peerWindow || flight == 0)
    }

    /// Fills a packet up with DATA. What is sent again comes first.
    mutating func appendData(to packet: inout Bytes, now: Instant, counters: inout SCTPCounters) {
        let before = packet.count
        if missingCount > 0 { appendMissing(to: &packet, now: now, counters: &counters) }
        if missingCount == 0 { appendNew(to: &packet, now: now, counters: &counters) }
        guard packet.count > before else { return }
        lastSent = now
        if timer == nil { timer = now + timeout.current }
    }

    private mutating func appendMissing(to packet: inout Bytes, now: Instant, counters: inout SCTPCounters) {
        var position = 0
        while position < chunks.count, missingCount > 0, flight < congestion.window || mayExceedWindow {
            defer { position += 1 }
            guard chunks[position].state == .missing else { continue }
            if isOver(chunks[position], now) {
                abandonMessage(at: position, counters: &counters)
                continue
            }
            guard packet.count + chunks[position].size <= configuration.largestPacket else { break }
            if position == 0 { timer = now + timeout.current }
            chunks[position].state = .inFlight
            chunks[position].transmissions += 1
            chunks[position].missingReports = 0
            chunks[position].judgedFrom = nextTSN
            chunks[position].sentAt = now
            missingCount -= 1
            flight += chunks[position].size
            flightPayload += chunks[position].count
            counters.retransmissions += 1
            append(chunks[position], tsn: cumulativeTSN &+ 1 &+ UInt32(truncatingIfNeeded: position), to: &packet)
        }
        mayExceedWindow = false
    }

    private func isOver(_ chunk: Chunk, _ now: Instant) -> Bool {
        if chunk.transmissions > chunk.retransmissions { return true }
        if let expiry = chunk.expiry { return now >= expiry }
        return false
    }

    private mutating func appendNew(to packet: inout Bytes, now: Instant, counters: inout SCTPCounters) {
        if chunks.isEmpty, let last = lastSent, now - last > timeout.current, !queue.isEmpty {
            congestion.wasIdle()
            lastSent = now
        }
        while !queue.isEmpty {
            if let expiry = queue[0].expiry, now >= expiry {
                expireFirst(counters: &counters)
                continue
            }
            let remaining = queue[0].payload.count - queue[0].sent
            let room = configuration.largestPacket - packet.count - SCTPData.headerSize
            let fullRoom = configuration.largestPacket - SCTPPacket.headerSize - SCTPData.headerSize
            // A message that fits into a packet of its own is not cut to fill this one.
            let count = remaining <= room ? remaining : (remaining > fullRoom && room >= fullRoom / 4 ? room & ~3 : 0)
            guard count > 0 else { return }
            // An empty flight may send one chunk into a closed window: the probe of §6.1.
            guard flight == 0 || (flight < congestion.window && flightPayload + count <= peerWindow) else { return }
            appendFirst(count, to: &packet, now: now)
        }
    }

    /// The next `count` bytes of the first message in the queue, as a chunk.
    private mutating func appendFirst(_ count: Int, to packet: inout Bytes, now: Instant) {
        if queue[0].sent == 0, queue[0].isOrdered { queue[0].sequence = takeSequence(of: queue[0].streamID) }
        let message = queue[0]
        var flags: SCTPData.Flags = message.isOrdered ? [] : .unordered
        if message.sent == 0 { flags.insert(.first) }
        if message.sent + count == message.payload.count { flags.insert(.last) }
        let chunk = Chunk(
            payload: message.payload, start: message.sent, count: count, flags: flags, streamID: message.streamID,
            sequence: message.sequence, protocolID: message.protocolID, message: message.number,
            retransmissions: message.retransmissions, expiry: message.expiry, judgedFrom: nextTSN, sentAt: now)
        append(chunk, tsn: nextTSN, to: &packet)
        nextTSN &+= 1
        flight += chunk.size
        flightPayload += count
        chunks.append(chunk)
        if flags.contains(.last) { _ = queue.popFirst() } else { queue[0].sent += count }
    }

    private mutating func takeSequence(of streamID: UInt16) -> UInt16 {
        if sequences.isEmpty { sequences = [UInt16](repeating: 0, count: SCTPLimits.streams) }
        defer { sequences[Int(streamID)] &+= 1 }
        return sequences[Int(streamID)]
    }

    private func append(_ chunk: Chunk, tsn: UInt32, to packet: inout Bytes) {
        packet.appendSCTPDataHeader(
            flags: chunk.flags, tsn: tsn, streamID: chunk.streamID, streamSequence: chunk.sequence,
            protocolID: chunk.protocolID, payloadCount: chunk.count)
        packet.append(contentsOf: chunk.payload[chunk.start..<(chunk.start + chunk.count)])
        while packet.count & 3 != 0 { packet.append(0) }
    }

    // MARK: - Giving up (RFC 3758)

    /// The first message in the queue is too old. If part of it has left, the whole is given up.
    private mutating func expireFirst(counters: inout SCTPCounters) {
        if queue[0].sent > 0 {
            abandon(queue[0].number, counters: &counters)
        } else if let message = queue.popFirst() {
            bufferedBytes -= message.payload.count + SCTPLimits.perMessage
            counters.abandonedMessages += 1
        }
    }

    /// A message whose first bytes have left and whose last wait in the queue: its chunks are the last.
    private mutating func abandon(_ number: UInt64, counters: inout SCTPCounters) {
        counters.abandonedMessages += 1
        if queue.first?.number == number, let message = queue.popFirst() {
            // The rest will never leave. A TSN stands for it, so that a FORWARD TSN is sent even when all that did leave
            // was acknowledged: else the peer would wait for the rest.
            let rest = Chunk(
                payload: [], start: 0, count: message.payload.count - message.sent,
                flags: message.isOrdered ? .last : [.last, .unordered], streamID: message.streamID,
                sequence: message.sequence, protocolID: message.protocolID, message: number,
                retransmissions: 0, expiry: nil, state: .abandoned, judgedFrom: nextTSN,
                sentAt: Instant(nanoseconds: 0))
            nextTSN &+= 1
            chunks.append(rest)
        }
        markAbandoned(number, from: chunks.count - 1, by: -1)
        advance()
    }

    /// The message that a chunk belongs to, whose chunks are neighbours.
    private mutating func abandonMessage(at position: Int, counters: inout SCTPCounters) {
        let number = chunks[position].message
        if queue.first?.number == number { return abandon(number, counters: &counters) }
        counters.abandonedMessages += 1
        markAbandoned(number, from: position, by: -1)
        markAbandoned(number, from: position + 1, by: 1)
        advance()
    }

    private mutating func markAbandoned(_ number: UInt64, from start: Int, by step: Int) {
        var position = start
        while position >= 0, position < chunks.count, chunks[position].message == number {
            leaveFlight(position)
            if chunks[position].state == .acknowledged { acknowledgedAhead -= 1 }
            chunks[position].state = .abandoned
            chunks[position].payload = []
            position += step
        }
    }

    /// Chunks in flight or missing leave their sums.
    private mutating func leaveFlight(_ position: Int) {
        switch chunks[position].state {
        case .inFlight:
            flight -= chunks[position].size
            flightPayload -= chunks[position].count
        case .missing: missingCount -= 1
        case .acknowledged, .abandoned: break
        }
    }

    private mutating func advance() {
        let cumulative = cumulativeTSN
        if cumulative.isSerially(after: advancedTSN) { advancedTSN = cumulative }
        var position = Int(advancedTSN &- cumulative)
        while position < chunks.count, chunks[position].state == .abandoned {
            position += 1
            advancedTSN &+= 1
        }
        if advancedTSN != cumulative { forwardDue = true }
    }

    mutating func appendForwardTSN(to packet: inout Bytes, now: Instant) {
        guard forwardDue else { return }
        forwardDue = false
        let cumulative = cumulativeTSN
        let distance = Int(advancedTSN &- cumulative)
        guard distance > 0, distance <= chunks.count else { return }
        var skipped: [SCTPForwardTSN.Skipped] = []
        var end = cumulative
        for position in 0..<distance {
            let chunk = chunks[position]
            if !chunk.flags.contains(.unordered) {
                if let index = skipped.firstIndex(where: { $0.streamID == chunk.streamID }) {
                    skipped[index].streamSequence = chunk.sequence
                } else if skipped.count < SCTPLimits.skippedStreams {
                    skipped.append(.init(streamID: chunk.streamID, streamSequence: chunk.sequence))
                } else {
                    break
                }
            }
            end &+= 1
        }
        packet.appendSCTPForwardTSN(newCumulativeTSN: end, skipped: skipped)
        if timer == nil { timer = now + timeout.current }
    }

    var forwardIsDue: Bool { forwardDue }

    // MARK: - SACK

    enum AckVerdict {
        case stale
        /// Nothing new, but the peer lives.
        case nothingNew
        case progress
        /// It acknowledges what was never sent.
        case impossible
    }

    mutating func receive(_ ack: borrowing SCTPSelectiveAck, now: Instant, counters: inout SCTPCounters) -> AckVerdict {
        let before = cumulativeTSN
        if before.isSerially(after: ack.cumulativeTSN) { return .stale }
        if ack.cumulativeTSN.isSerially(after: lastAssignedTSN) { return .impossible }
        let flightBefore = flight
        var highestNew: UInt32?
        var roundTripFrom: Instant?
        let acknowledged = acknowledge(upTo: ack.cumulativeTSN, now: now, &highestNew, &roundTripFrom)
        let moved = ack.cumulativeTSN != before
        if moved { congestion.cumulativeMoved(to: ack.cumulativeTSN) }
        var ahead = 0
        if ack.gapBlockCount > 0 || acknowledgedAhead > 0 {
            ahead = walkGaps(ack, &highestNew, &roundTripFrom)
            countMissing(ack, highestNew: highestNew, moved: moved, counters: &counters)
        }
        if let sent = roundTripFrom { timeout.measured(now - sent) }
        if moved {
            congestion.acknowledged(acknowledged + ahead, flightBefore: flightBefore, isEmptyNow: chunks.isEmpty)
            timer = chunks.isEmpty ? nil : now + timeout.current
        }
        peerWindow = Int(ack.advertisedWindow)
        advance()
        return moved || ahead > 0 ? .progress : .nothingNew
    }

    /// SHUTDOWN has a cumulative TSN too.
    mutating func receiveCumulative(_ tsn: UInt32, now: Instant) {
        guard tsn.isSerially(after: cumulativeTSN), !tsn.isSerially(after: lastAssignedTSN) else { return }
        var highest: UInt32?
        var roundTripFrom: Instant?
        _ = acknowledge(upTo: tsn, now: now, &highest, &roundTripFrom)
        timer = chunks.isEmpty ? nil : now + timeout.current
        advance()
    }

    /// Bytes that were in flight or missing until now.
    private mutating func acknowledge(
        upTo tsn: UInt32, now: Instant, _ highestNew: inout UInt32?, _ roundTripFrom: inout Instant?
    ) -> Int {
        var bytes = 0
        while cumulativeTSN != tsn, !chunks.isEmpty {
            leaveFlight(0)
            let current = cumulativeTSN &+ 1
            guard let chunk = chunks.popFirst() else { break }
            switch chunk.state {
            case .inFlight, .missing:
                bytes += chunk.size
                highestNew = current
                // Karn: what was sent twice does not tell which was answered.
                roundTripFrom = chunk.transmissions == 1 ? chunk.sentAt : nil
            case .acknowledged: acknowledgedAhead -= 1
            case .abandoned: break
            }
            bufferedBytes -= chunk.count + (chunk.flags.contains(.last) ? SCTPLimits.perMessage : 0)
        }
        return bytes
    }

    /// Sets what is acknowledged ahead as the SACK says, which may take back what an earlier one said (§6.3: a receiver
    /// may renege). Blocks that are not in order are not read any further.
    private mutating func walkGaps(
        _ ack: borrowing SCTPSelectiveAck, _ highestNew: inout UInt32?, _ roundTripFrom: inout Instant?
    ) -> Int {
        var bytes = 0
        var position = 0
        for index in 0..<ack.gapBlockCount {
            let block = ack.gapBlock(index)
            let start = Int(block.start) - 1
            let end = Int(block.end) - 1
            guard start >= position, end >= start, end < chunks.count else { break }
            while position < start {
                takeBack(position)
                position += 1
            }
            while position <= end {
                let state = chunks[position].state
                if state == .inFlight || state == .missing {
                    leaveFlight(position)
                    chunks[position].state = .acknowledged
                    acknowledgedAhead += 1
                    bytes += chunks[position].size
                    highestNew = cumulativeTSN &+ 1 &+ UInt32(truncatingIfNeeded: position)
                    roundTripFrom = chunks[position].transmissions == 1 ? chunks[position].sentAt : nil
                }
                position += 1
            }
        }
        while position < chunks.count, acknowledgedAhead > 0 {
            takeBack(position)
            position += 1
        }
        return bytes
    }

    private mutating func takeBack(_ position: Int) {
        guard chunks[position].state == .acknowledged else { return }
        chunks[position].state = .missing
        missingCount += 1
        acknowledgedAhead -= 1
    }

    /// §7.2.4: a chunk that three SACKs reported missing, each of which acknowledged something sent after it, is lost.
    private mutating func countMissing(
        _ ack: borrowing SCTPSelectiveAck, highestNew: UInt32?, moved: Bool, counters: inout SCTPCounters
    ) {
        guard let highestNew, ack.gapBlockCount > 0 else { return }
        let cumulative = cumulativeTSN
        guard highestNew.isSerially(after: cumulative) else { return }
        let end = min(chunks.count, Int(highestNew &- cumulative))
        var lost = false
        for position in 0..<end where chunks[position].state == .inFlight {
            guard !chunks[position].judgedFrom.isSerially(after: highestNew) else { continue }
            chunks[position].missingReports &+= 1
            guard chunks[position].missingReports >= SCTPLimits.missingReports else { continue }
            leaveFlight(position)
            chunks[position].state = .missing
            missingCount += 1
            counters.fastRetransmissions += 1
            lost = true
        }
        if lost, congestion.lossReported(highestOutstanding: lastAssignedTSN) { mayExceedWindow = true }
    }

    // MARK: - Time

    /// T3 (§6.3.3). False when the timer had nothing to do.
    mutating func handleTimeout(now: Instant, counters: inout SCTPCounters) -> Bool {
        guard let due = timer, now >= due else { return false }
        timer = nil
        guard !chunks.isEmpty else { return false }
        counters.timeouts += 1
        timeout.backOff()
        congestion.timedOut()
        for position in 0..<chunks.count where chunks[position].state == .inFlight {
            leaveFlight(position)
            chunks[position].state = .missing
            missingCount += 1
        }
        for position in 0..<chunks.count where chunks[position].state == .missing {
            if isOver(chunks[position], now) { abandonMessage(at: position, counters: &counters) }
        }
        advance()
        timer = now + timeout.current
        return true
    }

    mutating func measuredRoundTrip(_ time: Duration) { timeout.measured(time) }
}
