// A WebSocket of the server as the channel of a signaling connection: JSON in and out, one timer, the close codes.

import Accounts
import Base
import Net
import Signaling
import Wire

/// `@unchecked Sendable`: what changes is touched on the loop's thread only; who comes from elsewhere is queued there.
final class SignalingSocket: WebSocketHandler, SignalingChannel, @unchecked Sendable {
    private let hub: SignalingHub
    private let codec: any SignalingCodec
    private let caller: SocketCaller
    /// Of a path that names its call.
    private let joining: JoinRequest?
    private let loop: any EventLoop

    private var socket: WebSocket?
    private var connection: SignalingConnection?
    private var timer: (any ScheduledTimer)?

    init(
        _ hub: SignalingHub, _ codec: any SignalingCodec, _ caller: SocketCaller, joining: JoinRequest?,
        on loop: any EventLoop
    ) {
        self.hub = hub
        self.codec = codec
        self.caller = caller
        self.joining = joining
        self.loop = loop
    }

    // MARK: From the client

    func opened(_ socket: WebSocket) {
        self.socket = socket
        guard
            let connection = hub.open(
                self, by: caller.principal, onlyCall: caller.onlyCall, isBoundToJoin: joining != nil)
        else {
            return hub.isDraining
                ? close(.serverStops, "the server stops") : close(.rateLimited, "too many sockets")
        }
        self.connection = connection
        if let joining { connection.received(.success(.join(joining)), now: .now()) }
    }

    func received(_ message: WebSocketMessage, on socket: WebSocket) {
        guard case .text(let text) = message else { return close(.invalidMessages, "messages are text") }
        let read: Result<ClientMessage, SignalingFault>
        do throws(SignalingFault) {
            read = .success(try codec.read(text, from: caller.principal.user))
        } catch {
            read = .failure(error)
        }
        connection?.received(read, now: .now())
    }

    func closed(_ socket: WebSocket, code: UInt16, reason: String) {
        timer?.cancel()
        timer = nil
        self.socket = nil
        connection?.closed(isGoodbye: code == SignalingClosure.normal.rawValue, now: .now())
        connection = nil
    }

    // MARK: To the client

    func send(_ message: ServerMessage) {
        let texts = codec.write(message).map { String(decoding: $0, as: UTF8.self) }
        loop.submit { [self] in for text in texts { socket?.send(text) } }
    }

    func close(_ closure: SignalingClosure, _ reason: String) {
        loop.submit { [self] in socket?.close(WebSocketCloseCode(closure.rawValue), reason) }
    }

    func wake(at time: Instant) {
        loop.submit { [self] in
            guard socket != nil else { return }
            if timer == nil { timer = loop.timer { [weak self] in self?.connection?.alarm(now: .now()) } }
            timer?.arm(at: time)
        }
    }
}

/// Tells a browser, which shows its page no HTTP status, why it may not.
final class RefusedSocket: WebSocketHandler {
    private let closure: SignalingClosure
    private let reason: String

    init(_ closure: SignalingClosure, _ reason: String) {
        self.closure = closure
        self.reason = reason
    }

    func opened(_ socket: WebSocket) { socket.close(WebSocketCloseCode(closure.rawValue), reason) }
    func received(_ message: WebSocketMessage, on socket: WebSocket) {}
    func closed(_ socket: WebSocket, code: UInt16, reason: String) {}
}

/// Who is at a socket, by header or by `?token=`.
struct SocketCaller {
    let principal: Principal
    /// A signaling token is good for one call.
    let onlyCall: CallID?
}
