// Resetting streams (RFC 6525), which is how a data channel is closed (RFC 8831 §6.7): our requests one at a time, and
// the peer's. Only outgoing resets are made and granted; every other request is answered "denied".

import Base
import Wire

struct SCTPStreamResets {
    private struct Request {
        var number: UInt32
        var lastTSN: UInt32
        var streams: [UInt16]
    }

    private struct Deferred {
        var lastTSN: UInt32
        var streams: [UInt16]
    }

    // Ours
    private(set) var waiting: [UInt16] = []
    private var current: Request?
    private var nextNumber: UInt32
    private var isDue = false
    private(set) var timer: Instant?

    // The peer's
    private var expectedNumber: UInt32
    private var lastResult = SCTPReconfigurationResponse.Result.nothingToDo
    /// Waits until everything that was sent before it has come.
    private var deferred: Deferred?

    init(initialTSN: UInt32, peerInitialTSN: UInt32) {
        nextNumber = initialTSN
        expectedNumber = peerInitialTSN
    }

    // MARK: - Our requests

    func isResetting(_ streamID: UInt16) -> Bool {
        waiting.contains(streamID) || (current?.streams.contains(streamID) ?? false)
    }

    /// The stream has a number below `SCTPLimits.streams`, which bounds the list.
    mutating func request(_ streamID: UInt16) {
        if !isResetting(streamID) { waiting.append(streamID) }
    }

    /// The streams that the next request would name; empty while one is under way.
    var candidates: [UInt16] { current == nil ? Array(waiting.prefix(SCTPLimits.streamsPerReset)) : [] }

    /// Makes the request of streams on which nothing waits to be sent any more.
    mutating func begin(_ streams: [UInt16], lastTSN: UInt32) {
        waiting.removeAll { streams.contains($0) }
        current = Request(number: nextNumber, lastTSN: lastTSN, streams: streams)
        nextNumber &+= 1
        isDue = true
    }

    var hasRequestToSend: Bool { isDue && current != nil }

    mutating func appendRequest(to packet: inout Bytes, now: Instant, timeout: Duration) {
        guard isDue, let request = current else { return }
        isDue = false
        timer = now + timeout
        let start = packet.openSCTPChunk(SCTPChunk.reconfiguration)
        packet.appendSCTPOutgoingReset(
            requestNumber: request.number, responseNumber: expectedNumber &- 1, lastTSN: request.lastTSN,
            streams: request.streams)
        packet.closeSCTPChunk(at: start)
    }

    /// The streams of the request that is answered by this, and whether they were reset.
    mutating func receive(_ response: SCTPReconfigurationResponse) -> (streams: [UInt16], isDone: Bool)? {
        guard let request = current, request.number == response.responseNumber else { return nil }
        // The peer waits for data; the timer asks again.
        if response.result == .inProgress { return nil }
        current = nil
        timer = nil
        isDue = false
        return (request.streams, response.result == .performed || response.result == .nothingToDo)
    }

    /// False when the timer had nothing to do.
    mutating func handleTimeout(now: Instant) -> Bool {
        guard let due = timer, now >= due else { return false }
        timer = nil
        isDue = current != nil
        return isDue
    }

    // MARK: - The peer's requests

    /// The answer, and the streams that are reset now; no stream at all means every one (§5.2.2).
    mutating func receive(
        _ reset: borrowing SCTPOutgoingReset, cumulativeTSN: UInt32
    ) -> (result: SCTPReconfigurationResponse.Result, streams: [UInt16]?) {
        // Asked again: our answer was lost, or we were waiting.
        if reset.requestNumber == expectedNumber &- 1 { return (deferred == nil ? lastResult : .inProgress, nil) }
        guard reset.requestNumber == expectedNumber else { return (.badNumber, nil) }
        guard deferred == nil else { return (.requestInProgress, nil) }
        var streams: [UInt16] = []
        for index in 0..<min(reset.streamCount, SCTPLimits.streams) {
            let stream = reset.stream(index)
            guard Int(stream) < SCTPLimits.streams else { return (answered(.wrongStreamNumber), nil) }
            streams.append(stream)
        }
        if reset.lastTSN.isSerially(after: cumulativeTSN) {
            deferred = Deferred(lastTSN: reset.lastTSN, streams: streams)
            return (answered(.inProgress), nil)
        }
        return (answered(.performed), streams)
    }

    private mutating func answered(
        _ result: SCTPReconfigurationResponse.Result
    ) -> SCTPReconfigurationResponse.Result {
        expectedNumber &+= 1
        lastResult = result
        return result
    }

    /// A request other than an outgoing reset: denied, once per number.
    mutating func deny(_ number: UInt32) -> SCTPReconfigurationResponse.Result {
        if number == expectedNumber &- 1 { return lastResult }
        guard number == expectedNumber, deferred == nil else { return .badNumber }
        return answered(.denied)
    }

    /// What was deferred and can be done now.
    mutating func takeDeferred(cumulativeTSN: UInt32) -> [UInt16]? {
        guard let ready = deferred, !ready.lastTSN.isSerially(after: cumulativeTSN) else { return nil }
        deferred = nil
        lastResult = .performed
        return ready.streams
    }
}
