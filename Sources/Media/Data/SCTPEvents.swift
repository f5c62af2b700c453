// What an SCTP association tells its owner, and what its owner asks of it.

package import Base

package struct SCTPMessage: Equatable, Sendable {
    package var streamID: UInt16
    package var protocolID: UInt32
    package var payload: Bytes
}

package enum SCTPEvent: Equatable, Sendable {
    case connected
    case message(SCTPMessage)
    /// The peer started these streams of its own anew: nothing more comes of what was open on them.
    case incomingReset([UInt16])
    /// The peer answered our request for these streams. False: it refused, and their numbering goes on.
    case outgoingReset([UInt16], isDone: Bool)
    /// The last event.
    case closed(SCTPCloseReason)
}

package enum SCTPCloseReason: Equatable, Sendable {
    /// SHUTDOWN, by whichever side.
    case shutdown
    case abortedLocally
    /// With the code of its first cause, zero when it named none.
    case abortedByPeer(cause: UInt16)
    /// No answer to the handshake.
    case handshakeTimeout
    /// No answer to data, heartbeats or requests.
    case unreachable
    /// The peer broke the protocol; the code is the cause in our ABORT.
    case violation(cause: UInt16)
    /// The peer sent a message longer than what we offered.
    case messageTooLong
}

package enum SCTPSendResult: Equatable, Sendable {
    case accepted
    /// The send buffer is full. Nothing was taken.
    case full
    /// Empty, or longer than the peer takes, on a stream that there is not, or while the stream is being reset.
    case refused
    /// Not connected yet or no more.
    case notConnected
}

/// Counters of what was dropped or went wrong; for metrics and tests.
package struct SCTPCounters: Equatable, Sendable {
    package var badChecksum = 0
    package var badTag = 0
    package var malformed = 0
    package var badCookie = 0
    package var duplicateChunks = 0
    /// Chunks that found no room in the window or in the map.
    package var outOfWindow = 0
    /// Chunks on streams that there are not, fragments without a beginning.
    package var unusable = 0
    package var ignored = 0
    package var retransmissions = 0
    package var fastRetransmissions = 0
    package var timeouts = 0
    package var abandonedMessages = 0
    package var controlDropped = 0

    package init() {}
}

/// Events that wait for the owner, and the bytes of their messages: the receive window counts these.
struct SCTPEventQueue {
    private var events = SCTPRing<SCTPEvent>()
    private(set) var bytes = 0

    mutating func append(_ event: SCTPEvent) {
        if case .message(let message) = event { bytes += message.payload.count + SCTPLimits.perMessage }
        events.append(event)
    }

    mutating func next() -> SCTPEvent? {
        guard let event = events.popFirst() else { return nil }
        if case .message(let message) = event { bytes -= message.payload.count + SCTPLimits.perMessage }
        return event
    }
}

/// A first-in, first-out queue that grows as needed, and whose elements have positions. Its owner bounds it.
struct SCTPRing<Element> {
    private var slots: [Element?] = []
    private var head = 0
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }
    var first: Element? { count > 0 ? slots[head] : nil }

    /// The position is below `count`.
    subscript(position: Int) -> Element {
        get { slots[(head &+ position) & (slots.count &- 1)]! }
        _modify { yield &slots[(head &+ position) & (slots.count &- 1)]! }
    }

    mutating func append(_ element: Element) {
        if count == slots.count { grow() }
        slots[(head &+ count) & (slots.count &- 1)] = element
        count += 1
    }

    mutating func popFirst() -> Element? {
        guard count > 0 else { return nil }
        let element = slots[head].take()
        head = (head &+ 1) & (slots.count &- 1)
        count -= 1
        return element
    }

    /// To the next power of two, so that positions wrap with a mask.
    private mutating func grow() {
        var larger: [Element?] = []
        larger.reserveCapacity(max(8, slots.count * 2))
        for position in 0..<count { larger.append(slots[(head &+ position) & (slots.count &- 1)].take()) }
        for _ in count..<max(8, slots.count * 2) { larger.append(nil) }
        slots = larger
        head = 0
    }
}

extension Array where Element == UInt8 {
    init(sctpPayload span: RawSpan) {
        self.init(unsafeUninitializedCapacity: span.byteCount) { buffer, initialized in
            span.withUnsafeBytes { UnsafeMutableRawBufferPointer(buffer).copyMemory(from: $0) }
            initialized = span.byteCount
        }
    }
}
