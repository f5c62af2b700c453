// One WebSocket: frames in and out on a transport, its heartbeat, its bounds, and its end.
//
// The format is Wire's (`WebSocketReceiver`, `WebSocketFrame`); here it meets the transport and the clock. While
// nothing happens a socket is this object, its transport and a timer: no task, no buffer, no compression state.
// What we accept and with which code we close is in docs/protocol/websocket.md.

package import Base
package import Wire

/// How long a socket waits for its peer.
package struct WebSocketTiming: Sendable {
    /// A socket from which nothing came for so long is pinged. Lower finds dead peers sooner and keeps short-lived NAT
    /// bindings open (30 s is the shortest that is common); higher lets phones sleep.
    package var pingInterval: Duration = .seconds(30)
    /// Nothing after the ping for so long, and the connection is cut.
    package var pongTimeout: Duration = .seconds(20)
    /// A closing handshake takes no longer, and neither does the rest of a slow reader's queue.
    package var closeTimeout: Duration = .seconds(5)

    package init() {}
}

/// `@unchecked Sendable`: everything is touched on the loop's thread only, but for the constants. Others reach a
/// socket by `loop.submit`.
package final class WebSocket: ConnectionProtocol, @unchecked Sendable {
    /// Shorter messages are sent as they are: without a context from earlier messages they hardly shrink, and the
    /// saving would be less than the cost of a deflate call.
    private static let compressionThreshold = 512

    private enum Phase {
        case open
        /// Our close frame is on its way; the peer's is waited for.
        case closing
        /// The handler was told; the transport ends by itself.
        case closed
    }

    /// What the timer is for.
    private enum Waiting { case silence, pong, close }

    package let subprotocol: String?
    private let transport: Transport
    private let compression: PermessageDeflate?
    private let timing: WebSocketTiming
    private let messageLimit: Int
    private let queueLimit: Int

    private var handler: (any WebSocketHandler)?
    private var receiver: WebSocketReceiver
    private var phase = Phase.open
    private var waiting = Waiting.silence
    private var lastReceived: Instant
    private var timer: ShardTimer?
    /// With which code we closed; reported when the peer does not answer.
    private var ownCode = WebSocketCloseCode.abnormal
    private var ownReason = ""

    /// On a transport that it is about to own.
    init(_ transport: Transport, compression: PermessageDeflate?, _ acceptance: WebSocketAcceptance) {
        self.transport = transport
        self.compression = compression
        subprotocol = acceptance.subprotocol
        timing = acceptance.timing
        messageLimit = acceptance.messageLimit
        queueLimit = acceptance.queueLimit
        handler = acceptance.handler
        receiver = WebSocketReceiver(
            .server, messageLimit: acceptance.messageLimit, allowsCompression: compression != nil)
        lastReceived = transport.loop.now
    }

    /// Begins, on a transport that it owns now.
    func start() {
        timer = transport.loop.makeTimer { [unowned self] in timerFired() }
        timer?.arm(at: lastReceived + timing.pingInterval)
        handler?.opened(self)
    }

    // MARK: About the socket

    package var loop: any EventLoop { transport.loop }
    package var connection: ConnectionInfo { transport.info }
    package var isOpen: Bool { phase == .open }
    /// Bytes that the peer has not taken.
    package var queuedBytes: Int { transport.queuedBytes }
    /// Little enough is queued to send more without thought.
    package var isWritable: Bool { phase == .open && transport.hasRoom }

    /// Asks for one call of the handler's `writable`.
    package func callWhenWritable() {
        if phase == .open { transport.callWhenDrained() }
    }

    /// No message comes from bytes that were not yet read. Those that were are still delivered.
    package func pauseReading() { transport.pauseReading() }
    package func resumeReading() { transport.resumeReading() }

    // MARK: Sending

    package func send(_ text: String) { send(.text, Bytes(text.utf8)) }

    package func send(_ bytes: Bytes) { send(.binary, bytes) }

    /// The same message to many sockets: framed, and compressed, once for all of them.
    package func send(_ frame: SharedFrame) {
        guard compression?.serverWindowBits == 15, frame.plain.count > Self.compressionThreshold else {
            return enqueue(frame.plain)
        }
        enqueue(frame.compressed { [pool = transport.loop.messageCompression] in pool.compressMessage($0) })
    }

    /// Beside those of the heartbeat; up to 125 bytes, of which more are left out.
    package func ping(_ payload: Bytes = []) {
        enqueue(WebSocketFrame.encode(.ping, Bytes(payload.prefix(WebSocketFrame.controlLimit))))
    }

    private func send(_ opcode: WebSocketOpcode, _ payload: Bytes) {
        guard phase == .open else { return }
        if let compression, payload.count >= Self.compressionThreshold,
            let compressed = transport.loop.messageCompression.compressMessage(
                payload, windowBits: compression.serverWindowBits)
        {
            enqueue(WebSocketFrame.encode(opcode, compressed, isCompressed: true))
        } else {
            enqueue(WebSocketFrame.encode(opcode, payload))
        }
    }

    private func enqueue(_ frame: Bytes) {
        guard phase == .open else { return }
        guard frame.count <= queueLimit - transport.queuedBytes else { return overflow() }
        transport.send(frame)
    }

    private func overflow() {
        guard let handler, handler.isTooSlow(self) == .close else { return }
        close(.policyViolation, "too slow a reader")
    }

    // MARK: Closing

    /// Begins the closing handshake. What is queued goes out first; nothing can be sent after it.
    package func close(_ code: WebSocketCloseCode, _ reason: String = "") {
        guard phase == .open else { return }
        transport.send(WebSocketFrame.encode(.close, WebSocketFrame.closePayload(code, reason)))
        (ownCode, ownReason) = (code, reason)
        phase = .closing
        wait(for: .close, timing.closeTimeout)
    }

    /// Tells the handler, then lets the transport send what is queued. A peer that does not take it is cut off.
    private func end(_ code: WebSocketCloseCode, _ reason: String) {
        guard phase != .closed else { return }
        phase = .closed
        let handler = handler
        self.handler = nil
        wait(for: .close, timing.closeTimeout)
        transport.close()
        handler?.closed(self, code: code.rawValue, reason: reason)
    }

    /// The peer broke the rules: it is told how, and nothing more is read (RFC 6455 §7.1.7).
    private func fail(_ fault: WebSocketFault) {
        let reason = "\(fault.reason)"
        if phase == .open {
            transport.send(WebSocketFrame.encode(.close, WebSocketFrame.closePayload(fault.closeCode, reason)))
        }
        end(fault.closeCode, reason)
    }

    // MARK: Receiving

    package func received(_ bytes: Span<UInt8>) {
        lastReceived = transport.loop.now
        if waiting == .pong { wait(for: .silence, timing.pingInterval) }
        var offset = 0
        do throws(WebSocketFault) {
            while phase != .closed, let event = try receiver.next(bytes, &offset) { try handle(event) }
        } catch {
            fail(error)
        }
    }

    private func handle(_ event: WebSocketEvent) throws(WebSocketFault) {
        switch event {
        case .text(let text): deliver(.text(text))
        case .binary(let bytes): deliver(.binary(bytes))
        case .compressed(let bytes, let isText): deliver(try decompressed(bytes, isText))
        case .ping(let payload): enqueue(WebSocketFrame.encode(.pong, payload))
        case .pong: break
        case .close(let code, let reason): peerCloses(code, reason)
        }
    }

    /// A message that comes while we are closing is of no use to anybody.
    private func deliver(_ message: WebSocketMessage) {
        if phase == .open { handler?.received(message, on: self) }
    }

    private func decompressed(_ bytes: Bytes, _ isText: Bool) throws(WebSocketFault) -> WebSocketMessage {
        let payload: Bytes
        do throws(DecompressionError) {
            payload = try transport.loop.messageCompression.decompressMessage(bytes, limit: messageLimit)
        } catch {
            throw error == .malformed ? .badCompression : .messageTooLong
        }
        guard isText else { return .binary(payload) }
        guard let text = String(validating: payload, as: UTF8.self) else { throw .notUTF8 }
        return .text(text)
    }

    private func peerCloses(_ code: WebSocketCloseCode, _ reason: String) {
        if phase == .open {
            transport.send(WebSocketFrame.encode(.close, WebSocketFrame.closePayload(code, "")))
        }
        end(code, reason)
    }

    package func receivedEnd() { end(.abnormal, "the peer broke off") }

    package func drained() {
        if phase == .open { handler?.writable(self) }
    }

    package func serverStops() { close(.goingAway, "the server stops") }

    package func closed(_ reason: TransportClosure) {
        // First, so that the end does not wait for anything any more.
        timer?.cancel()
        timer = nil
        if phase == .closing { end(ownCode, ownReason) } else { end(.abnormal, "the connection was lost") }
    }

    // MARK: Time

    private func wait(for wanted: Waiting, _ limit: Duration) {
        waiting = wanted
        timer?.arm(at: transport.loop.now + limit)
    }

    /// The heartbeat's timer is not moved when something comes; it looks here how long ago that was. Only the answer to
    /// a ping moves it.
    private func timerFired() {
        switch waiting {
        case .silence: checkSilence()
        case .pong:
            end(.abnormal, "the peer does not answer")
            transport.cut()
        case .close:
            transport.cut()
        }
    }

    private func checkSilence() {
        let silenceEnds = lastReceived + timing.pingInterval
        guard silenceEnds <= transport.loop.now else {
            timer?.arm(at: silenceEnds)
            return
        }
        ping()
        if phase == .open { wait(for: .pong, timing.pongTimeout) }
    }
}
