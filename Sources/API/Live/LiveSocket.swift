// A WebSocket of the server as the line of a chat connection: who is there, which style it speaks, JSON in, frames out.

import Accounts
import Base
package import Chat
import Net
import Wire

/// What the rows of chat sockets need.
package struct LiveAccess: Sendable {
    package let hub: ChatHub
    let reference: ReferenceLive
    let rooms: RoomsLive
    let design: DesignLive
    let calls: CallsLive

    package init(hub: ChatHub, chat: ChatService) {
        self.hub = hub
        reference = ReferenceLive()
        rooms = RoomsLive(chat)
        design = DesignLive()
        calls = CallsLive()
    }
}

/// `@unchecked Sendable`: what changes is touched on the loop's thread only.
final class LiveSocket: WebSocketHandler, ChatLine, @unchecked Sendable {
    /// Beyond this, events are kept back until the reader has taken what there is. Half of what may wait, so that
    /// answers still have room.
    private static let roomBytes = LiveLimits.queueBytes / 2

    /// How the socket was opened.
    struct Opening {
        var caller: Principal?
        /// A token came and was not good.
        var isRefused = false
        var bound: ConversationID?
        var device: ClientDeviceID?
    }

    let loop: any EventLoop
    private let hub: ChatHub
    private let accounts: AccountService
    /// By the first message, where a path speaks two styles: see `style(of:)`.
    private let codecs: [any LiveCodec]
    private var codec: (any LiveCodec)?
    private let opening: Opening

    private var socket: WebSocket?
    private var connection: ChatConnection?
    private var authentication: (any ScheduledTimer)?
    private var isAuthenticating = false

    init(
        _ hub: ChatHub, _ accounts: AccountService, _ codecs: [any LiveCodec], _ opening: Opening,
        on loop: any EventLoop
    ) {
        self.hub = hub
        self.accounts = accounts
        self.codecs = codecs
        self.opening = opening
        self.loop = loop
        codec = codecs.count == 1 ? codecs[0] : nil
    }

    // MARK: From the client

    func opened(_ socket: WebSocket) {
        self.socket = socket
        if opening.isRefused { return close(.authenticationFailed, "the token is not valid") }
        guard let caller = opening.caller else {
            authentication = loop.schedule(after: hub.limits.authenticationTime) { [weak self] in
                self?.close(.authenticationFailed, "nobody said who is there")
            }
            return
        }
        // Who speaks two styles is greeted in the one that they speak.
        if codec != nil { begin(caller) }
    }

    private func begin(_ caller: Principal) {
        guard socket != nil, let codec else { return }
        guard let connection = hub.open(self, codec, by: caller, device: opening.device, bound: opening.bound) else {
            return close(.rateLimited, "too many sockets")
        }
        self.connection = connection
        if let bound = opening.bound {
            connection.received(.success(LiveRequest(.follow([(bound, nil)]))))
        }
    }

    func received(_ message: WebSocketMessage, on socket: WebSocket) {
        guard case .text(let text) = message else { return close(.invalidMessages, "messages are text") }
        let object: JSONObject
        do throws(LiveFault) {
            object = try LiveReading.object(text)
        } catch {
            return refuse(error)
        }
        let codec = codec ?? style(of: object)
        self.codec = codec
        if connection == nil, let caller = opening.caller { begin(caller) }
        guard let connection else { return authenticate(codec.token(object)) }
        // Who is known already may say it again, as calls' document has it.
        if codec.token(object) != nil { return connection.tell(.done(reference: nil)) }
        do throws(LiveFault) {
            connection.received(.success(try codec.read(object, bound: opening.bound)))
        } catch {
            connection.received(.failure(error), named: codec.name(object))
        }
    }

    private func style(of object: JSONObject) -> any LiveCodec {
        codecs.first { object["event"] == nil ? $0 is ReferenceLive : $0 is RoomsLive } ?? codecs[0]
    }

    private func refuse(_ fault: LiveFault) {
        guard let connection else { return close(.invalidMessages, "the first message cannot be read") }
        connection.received(.failure(fault))
    }

    private func authenticate(_ token: String?) {
        guard let token, !isAuthenticating else {
            return close(.authenticationFailed, "the first message says who is there")
        }
        isAuthenticating = true
        Task(executorPreference: loop) { [self] in
            let caller = try? await accounts.authenticator.authenticate(.bearer(token))
            authentication?.cancel()
            authentication = nil
            guard let caller else { return close(.authenticationFailed, "the token is not valid") }
            begin(caller)
        }
    }

    func closed(_ socket: WebSocket, code: UInt16, reason: String) {
        authentication?.cancel()
        authentication = nil
        self.socket = nil
        connection?.closed()
        connection = nil
    }

    func writable(_ socket: WebSocket) { connection?.writable() }

    // MARK: To the client

    var hasRoom: Bool { socket.map { $0.isOpen && $0.queuedBytes < Self.roomBytes } ?? false }
    func send(_ frame: SharedFrame) { socket?.send(frame) }
    func callWhenWritable() { socket?.callWhenWritable() }
    func close(_ closure: LiveClosure, _ reason: String) {
        socket?.close(WebSocketCloseCode(closure.rawValue), reason)
    }
}
