// The receiving half: from DATA and FORWARD TSN to messages, and what the next SACK says.
//
// Chunks are put together in the order of their TSNs: a sender gives the fragments of a message consecutive TSNs, so at
// the cumulative TSN at most one message is open, and every chunk costs the same however many fragments it has. What
// comes early waits in `early`, but a message in one chunk that need not wait is delivered at once: an unordered one
// always, an ordered one when its stream sequence number is the next. So a loss on one channel does not hold up small
// messages of the others; fragments do wait for what was sent before them.

import Base
import Wire

struct SCTPReceiver {
    enum Verdict {
        case accepted
        /// The association must end.
        case messageTooLong
        case noUserData
    }

    private struct Chunk {
        var flags: SCTPData.Flags
        var streamID: UInt16
        var streamSequence: UInt16
        var protocolID: UInt32
        var payload: Bytes
    }

    private struct OpenMessage {
        var streamID: UInt16
        var streamSequence: UInt16
        var isUnordered: Bool
        var protocolID: UInt32
        var payload: Bytes
    }

    private let configuration: SCTPConfiguration
    private var map: SCTPReceivedMap
    private var early: [UInt32: Chunk] = [:]
    private var open: OpenMessage?
    /// Bytes in `early` and `open`.
    private var held = 0
    /// By stream; empty until a stream is used.
    private var nextSequence: [UInt16] = []
    private var duplicates: [UInt32] = []

    enum AckState { case none, delayed, due }
    private(set) var ackState = AckState.none
    private(set) var ackDeadline: Instant?
    private var packetsSinceAck = 0

    init(_ configuration: SCTPConfiguration, initialTSN: UInt32) {
        self.configuration = configuration
        map = SCTPReceivedMap(cumulative: initialTSN &- 1)
    }

    var cumulativeTSN: UInt32 { map.cumulative }

    // MARK: - DATA

    mutating func receive(
        _ chunk: borrowing SCTPData, events: inout SCTPEventQueue, counters: inout SCTPCounters
    ) -> Verdict {
        guard chunk.payload.byteCount > 0 else { return .noUserData }
        let place = map.place(of: chunk.tsn)
        let cost = chunk.payload.byteCount + SCTPLimits.perMessage
        if chunk.flags.contains(.immediate) { ackState = .due }
        switch place {
        case .duplicate:
            counters.duplicateChunks += 1
            if duplicates.count < SCTPLimits.duplicates { duplicates.append(chunk.tsn) }
            ackState = .due
        case .tooFar:
            counters.outOfWindow += 1
            ackState = .due
        case .next:
            // What closes a gap is taken beyond the window, or the window could never open again. One message more
            // than the buffer is the bound.
            guard events.bytes + held + cost <= configuration.receiveBuffer + configuration.longestReceived else {
                counters.outOfWindow += 1
                ackState = .due
                return .accepted
            }
            if map.count > 0 { ackState = .due }
            _ = map.step()
            let verdict = takeInOrder(chunk, events: &events, counters: &counters)
            guard case .accepted = verdict else { return verdict }
            return takeEarly(events: &events, counters: &counters)
        case .beyond:
            ackState = .due
            guard events.bytes + held + cost <= configuration.receiveBuffer else {
                counters.outOfWindow += 1
                return .accepted
            }
            map.insert(chunk.tsn)
            keepOrDeliver(chunk, events: &events, counters: &counters)
        }
        return .accepted
    }

    /// A chunk ahead of a gap.
    private mutating func keepOrDeliver(
        _ chunk: borrowing SCTPData, events: inout SCTPEventQueue, counters: inout SCTPCounters
    ) {
        guard isUsable(chunk.streamID, &counters) else { return }
        let copy = Self.copy(chunk)
        if chunk.flags.isSuperset(of: .whole), chunk.flags.contains(.unordered) || isNext(copy) {
            deliver(copy, events: &events)
        } else {
            held += copy.payload.count + SCTPLimits.perMessage
            early[chunk.tsn] = copy
        }
    }

    /// The chunk at the cumulative TSN: the common case, without a detour for messages in one chunk.
    private mutating func takeInOrder(
        _ chunk: borrowing SCTPData, events: inout SCTPEventQueue, counters: inout SCTPCounters
    ) -> Verdict {
        guard isUsable(chunk.streamID, &counters) else { return .accepted }
        return take(Self.copy(chunk), events: &events, counters: &counters)
    }

    /// Chunks that came early and are in order now.
    private mutating func takeEarly(events: inout SCTPEventQueue, counters: inout SCTPCounters) -> Verdict {
        while map.count > 0, map.nextHasCome {
            _ = map.step()
            guard let chunk = early.removeValue(forKey: map.cumulative) else { continue }
            held -= chunk.payload.count + SCTPLimits.perMessage
            let verdict = take(chunk, events: &events, counters: &counters)
            guard case .accepted = verdict else { return verdict }
        }
        return .accepted
    }

    /// One chunk in the order of TSNs. Here the order of a stream is the order of arrival, whatever its numbers say, so
    /// a sender that counts wrongly cannot stop a stream.
    private mutating func take(
        _ chunk: Chunk, events: inout SCTPEventQueue, counters: inout SCTPCounters
    ) -> Verdict {
        if chunk.flags.contains(.first) {
            if open != nil { dropOpen(&counters) }
            if chunk.flags.contains(.last) {
                deliver(chunk, events: &events)
                return chunk.payload.count <= configuration.longestReceived ? .accepted : .messageTooLong
            }
            open = OpenMessage(
                streamID: chunk.streamID, streamSequence: chunk.streamSequence,
                isUnordered: chunk.flags.contains(.unordered), protocolID: chunk.protocolID, payload: chunk.payload)
            held += chunk.payload.count
            return .accepted
        }
        guard let streamID = open?.streamID, streamID == chunk.streamID else {
            // Its beginning was given up by the sender.
            if open != nil { dropOpen(&counters) }
            counters.unusable += 1
            return .accepted
        }
        open?.payload += chunk.payload
        held += chunk.payload.count
        guard (open?.payload.count ?? 0) <= configuration.longestReceived else { return .messageTooLong }
        if chunk.flags.contains(.last), let done = open.take() {
            held -= done.payload.count
            if !done.isUnordered { setNextSequence(of: streamID, done.streamSequence &+ 1) }
            events.append(
                .message(SCTPMessage(streamID: streamID, protocolID: done.protocolID, payload: done.payload)))
        }
        return .accepted
    }

    private mutating func deliver(_ chunk: Chunk, events: inout SCTPEventQueue) {
        if !chunk.flags.contains(.unordered) { setNextSequence(of: chunk.streamID, chunk.streamSequence &+ 1) }
        events.append(
            .message(
                SCTPMessage(streamID: chunk.streamID, protocolID: chunk.protocolID, payload: chunk.payload)))
    }

    private mutating func dropOpen(_ counters: inout SCTPCounters) {
        if let message = open.take() {
            held -= message.payload.count
            counters.unusable += 1
        }
    }

    private func isUsable(_ streamID: UInt16, _ counters: inout SCTPCounters) -> Bool {
        if Int(streamID) < SCTPLimits.streams { return true }
        counters.unusable += 1
        return false
    }

    private static func copy(_ chunk: borrowing SCTPData) -> Chunk {
        Chunk(
            flags: chunk.flags, streamID: chunk.streamID, streamSequence: chunk.streamSequence,
            protocolID: chunk.protocolID, payload: Bytes(sctpPayload: chunk.payload))
    }

    // MARK: - Streams

    private func isNext(_ chunk: Chunk) -> Bool {
        nextSequence.isEmpty
            ? chunk.streamSequence == 0 : nextSequence[Int(chunk.streamID)] == chunk.streamSequence
    }

    private mutating func setNextSequence(of streamID: UInt16, _ sequence: UInt16) {
        if nextSequence.isEmpty { nextSequence = [UInt16](repeating: 0, count: SCTPLimits.streams) }
        if Int(streamID) < nextSequence.count { nextSequence[Int(streamID)] = sequence }
    }

    mutating func resetStream(_ streamID: UInt16) {
        if !nextSequence.isEmpty { setNextSequence(of: streamID, 0) }
    }

    // MARK: - FORWARD TSN

    /// RFC 3758 §3.6
    mutating func receive(
        _ forward: borrowing SCTPForwardTSN, events: inout SCTPEventQueue, counters: inout SCTPCounters
    ) -> Verdict {
        ackState = .due
        let target = forward.newCumulativeTSN
        guard target.isSerially(after: map.cumulative) else { return .accepted }
        // Steps only over what is tracked; from the highest that has come, it is one jump.
        while map.cumulative != target {
            if map.count == 0 {
                dropOpen(&counters)
                map.jump(to: target)
                break
            }
            if map.step() {
                guard let chunk = early.removeValue(forKey: map.cumulative) else { continue }
                held -= chunk.payload.count + SCTPLimits.perMessage
                let verdict = take(chunk, events: &events, counters: &counters)
                guard case .accepted = verdict else { return verdict }
            } else {
                dropOpen(&counters)
            }
        }
        // The message that was cut may have its first fragments before the target.
        if let streamID = open?.streamID, names(forward, streamID) { dropOpen(&counters) }
        for index in 0..<forward.skippedCount {
            let skipped = forward.skipped(index)
            guard isUsable(skipped.streamID, &counters), isBehind(skipped) else { continue }
            setNextSequence(of: skipped.streamID, skipped.streamSequence &+ 1)
        }
        return takeEarly(events: &events, counters: &counters)
    }

    private func isBehind(_ skipped: SCTPForwardTSN.Skipped) -> Bool {
        let next = nextSequence.isEmpty ? 0 : nextSequence[Int(skipped.streamID)]
        return (skipped.streamSequence &+ 1).isSerially(after: next)
    }

    private func names(_ forward: borrowing SCTPForwardTSN, _ streamID: UInt16) -> Bool {
        for index in 0..<forward.skippedCount where forward.skipped(index).streamID == streamID { return true }
        return false
    }

    // MARK: - SACK

    /// At the end of a packet that had data (RFC 9260 §6.2): every second packet is acknowledged at once, and every one
    /// while there are gaps.
    mutating func packetHadData(now: Instant) {
        packetsSinceAck += 1
        if packetsSinceAck >= 2 || map.count > 0 { ackState = .due }
        if ackState == .none {
            ackState = .delayed
            ackDeadline = now + SCTPLimits.ackDelay
        }
    }

    mutating func ackNow() { ackState = .due }

    /// What is free of the window.
    func window(unread: Int) -> UInt32 { UInt32(clamping: configuration.receiveBuffer - held - unread) }

    mutating func appendAck(to packet: inout Bytes, unread: Int) {
        packet.appendSCTPSelectiveAck(
            cumulativeTSN: map.cumulative, window: window(unread: unread),
            gaps: map.gapBlocks(atMost: SCTPLimits.gapBlocks), duplicates: duplicates)
        duplicates.removeAll(keepingCapacity: true)
        ackState = .none
        ackDeadline = nil
        packetsSinceAck = 0
    }
}
