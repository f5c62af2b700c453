// The seam between the HTTP server and who answers: requests, answers and sockets as values and shard-owned objects.
//
// Everything here that is not `Sendable` by its parts belongs to one shard and is used on its thread only. The server
// runs `respond` as a task that prefers the connection's shard, so plain code in a service is already there.

package import Base
package import Wire

/// Answers the requests of a server.
package protocol HTTPService: Sendable {
    /// Called for every well-framed request. Must not block the thread; may suspend.
    func respond(to request: HTTPRequest) async -> HTTPResponse

    /// The answer to a request that could not be read (bad framing, too large, too slow), in the format of the
    /// dialect that owns `path`. The server closes the connection after it.
    func refuse(_ fault: HTTPFault, path: String?) -> HTTPResponse
}

/// Why the server refuses a request before the service sees it.
package struct HTTPFault: Error, Sendable, Equatable {
    package let status: HTTPStatus
    /// What is wrong, for the person who wrote the client: "Content-Length is given twice with different values".
    package let reason: String
    /// The header or part at fault, where there is one.
    package let field: String?

    package init(_ status: HTTPStatus, _ reason: String, field: String? = nil) {
        self.status = status
        self.reason = reason
        self.field = field
    }
}

/// Who is at the other end, and how they came.
package struct ConnectionInfo: Sendable {
    /// Numeric address without a port; "unix" for a local socket.
    package let remoteAddress: Private<String>
    package let remotePort: UInt16
    /// True under TLS, and behind a trusted proxy that says so.
    package let isSecure: Bool

    package init(remoteAddress: Private<String>, remotePort: UInt16, isSecure: Bool) {
        self.remoteAddress = remoteAddress
        self.remotePort = remotePort
        self.isSecure = isSecure
    }
}

package struct HTTPRequest: Sendable {
    package let head: RequestHead
    package let body: RequestBody
    package let connection: ConnectionInfo
    /// The loop that owns the connection.
    package let loop: any EventLoop

    package init(head: RequestHead, body: RequestBody, connection: ConnectionInfo, loop: any EventLoop) {
        self.head = head
        self.body = body
        self.connection = connection
        self.loop = loop
    }
}

package enum RequestBodyError: Error, Equatable {
    /// More than the limit that the reader gave.
    case tooLarge(limit: Int)
    /// The client broke off, was too slow, or framed a chunk wrongly.
    case aborted(HTTPFault)
}

/// An answer. The server adds Date, Content-Length or chunked framing, Connection, and compresses where it pays.
package struct HTTPResponse: Sendable {
    package enum Body: Sendable {
        case none
        case bytes(Bytes)
        /// Chunks are asked for one at a time, and only when the client has taken the last ones. `length` is sent as
        /// Content-Length when it is known; a stream that ends early or throws closes the connection.
        case stream(length: Int64?, next: @Sendable () async throws -> Bytes?)
        /// Bytes of a file, read as the client takes them.
        case file(FileRegion)
        /// Takes the connection over as a WebSocket (status 101).
        case webSocket(WebSocketAcceptance)
    }

    package var status: HTTPStatus
    package var headers: ResponseHeaders
    package var body: Body

    package init(_ status: HTTPStatus, headers: ResponseHeaders = ResponseHeaders(), body: Body = .none) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}

/// An open file and the part of it to send. The descriptor is closed when the last copy goes.
package struct FileRegion: Sendable {
    package let file: OpenFile
    package let offset: Int64
    package let length: Int64

    package init(file: OpenFile, offset: Int64, length: Int64) {
        self.file = file
        self.offset = offset
        self.length = length
    }
}

/// How to go on with a connection that becomes a WebSocket.
package struct WebSocketAcceptance: Sendable {
    /// One of the subprotocols that the client offered, or none.
    package var subprotocol: String?
    /// A longer message closes the socket with 1009.
    package var messageLimit: Int
    /// More bytes than this waiting for a slow reader, and the socket is closed (`SlowReader`).
    package var queueLimit: Int
    package var timing: WebSocketTiming
    package var handler: any WebSocketHandler

    package init(
        subprotocol: String? = nil, messageLimit: Int = 64 << 10, queueLimit: Int = 1 << 20,
        timing: WebSocketTiming = WebSocketTiming(), handler: any WebSocketHandler
    ) {
        self.subprotocol = subprotocol
        self.messageLimit = messageLimit
        self.queueLimit = queueLimit
        self.timing = timing
        self.handler = handler
    }
}

package enum WebSocketMessage: Sendable, Equatable {
    case text(String)
    case binary(Bytes)
}

/// Receives the events of one socket, on its loop's thread, one at a time. Plain calls: an idle socket has no task.
package protocol WebSocketHandler: AnyObject, Sendable {
    func opened(_ socket: WebSocket)
    func received(_ message: WebSocketMessage, on socket: WebSocket)
    /// Comes exactly once. `code` is the peer's, ours when the peer was at fault or did not answer our close, or 1006
    /// when the connection broke off.
    func closed(_ socket: WebSocket, code: UInt16, reason: String)

    /// A message did not fit into `queueLimit`; it is not sent. The socket is closed unless this says otherwise.
    func isTooSlow(_ socket: WebSocket) -> SlowReader
    /// Little is queued again. Comes once after each `callWhenWritable`.
    func writable(_ socket: WebSocket)
}

/// What becomes of a peer that does not take what it is sent.
package enum SlowReader: Sendable {
    /// Close with 1008: the peer comes back and asks for what it missed.
    case close
    /// Go on without this message: the handler knows that there is a gap, and will fill it.
    case skip
}

extension WebSocketHandler {
    package func isTooSlow(_ socket: WebSocket) -> SlowReader { .close }
    package func writable(_ socket: WebSocket) {}
}
