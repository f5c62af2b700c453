// Request heads of HTTP/1.1 (RFC 9112), strictly: what two implementations could read in two ways is refused. The
// rules, the bounds and the error of each are listed in `docs/protocol/http.md`.
//
// `HeadScanner` knows the syntax, `RequestFraming` what the fields mean for the connection; here both meet the bytes.

import Base

/// The bounds of a request. Higher values cost memory per connection that is still sending; lower ones refuse what
/// browsers and proxies do send.
package struct HTTPLimits: Sendable {
    /// Method, target and version without the line end; more is 414. RFC 9112 §3 asks for 8,000 at least.
    package var requestLineBytes = 8 << 10
    /// All field lines with their line ends; more is 431. Cookies and tokens make up most of it.
    package var headerBytes = 32 << 10
    /// More is 431. Browsers send about 20, proxies add a handful.
    package var fieldCount = 100
    /// The largest Content-Length that is believed; more is 413. Each route sets a lower one of its own.
    package var contentLength: Int64 = 4 << 30
    /// All chunk extensions of one body together; more is 400. They have no use here, and a body of one-byte chunks
    /// with long extensions is a way to keep a server busy.
    package var chunkExtensionBytes = 4 << 10
    /// All trailer fields of one body; more is 431. They are dropped.
    package var trailerBytes = 8 << 10

    package init() {}

    /// No head is longer: an empty line, the request line, the fields, and the ends of both.
    var headBytes: Int { requestLineBytes + headerBytes + 6 }
}

/// Why a request was refused while it was read. The connection cannot be used after it.
package struct HTTPParseError: Error, Sendable, Equatable {
    package let status: HTTPStatus
    /// What is wrong, for the person who wrote the client.
    package let reason: String
    /// The header field at fault, where there is one.
    package let field: String?
    /// The path of the request, if the request line had been read: it decides in which format the error is sent.
    package let path: String?

    package init(_ status: HTTPStatus, _ reason: String, field: String? = nil, path: String? = nil) {
        self.status = status
        self.reason = reason
        self.field = field
        self.path = path
    }

    static func bad(_ reason: String, field: String? = nil) -> HTTPParseError {
        HTTPParseError(.badRequest, reason, field: field)
    }

    func at(_ path: String?) -> HTTPParseError {
        HTTPParseError(status, reason, field: field, path: path)
    }

    static var bareCarriageReturn: HTTPParseError { .bad("CR without LF; lines end with CRLF") }
    static var lineTooLong: HTTPParseError { HTTPParseError(.uriTooLong, "the request line is too long") }
    static var headersTooLarge: HTTPParseError {
        HTTPParseError(.headerFieldsTooLarge, "the header fields are too large")
    }
    static var unknownMethod: HTTPParseError { HTTPParseError(.notImplemented, "unknown method") }
    static var tooManyFields: HTTPParseError { HTTPParseError(.headerFieldsTooLarge, "too many header fields") }
}

/// How long the body is (RFC 9112 §6).
package enum BodyFraming: Sendable, Equatable {
    /// No body, or one of length 0.
    case none
    /// Always more than 0.
    case length(Int64)
    case chunked
}

package struct ParsedHead: Sendable {
    package let head: RequestHead
    package let framing: BodyFraming
    /// Whether the client wants to send another request after this one.
    package let keepsAlive: Bool
    /// The client waits for `100 Continue` before it sends the body. Never true without a body.
    package let expectsContinue: Bool
    /// Host, or the authority of an absolute-form target; with the port if one was sent. `nil` in HTTP/1.0 only.
    package let host: String?
    /// GET with `Connection: upgrade`, `Upgrade: websocket` and no body; the rest of the handshake is not checked.
    package let upgradesToWebSocket: Bool
}

/// Reads request heads, one after the other, from bytes that come in any pieces. A head that comes whole is copied
/// once, into `RequestHeaders`; what is incomplete is kept here, never more than `HTTPLimits` allow.
package struct RequestHeadParser: Sendable {
    private let limits: HTTPLimits
    private var scanner: HeadScanner
    /// The head so far, when it did not come whole.
    private var pending = Bytes()

    package init(limits: HTTPLimits = HTTPLimits()) {
        self.limits = limits
        scanner = HeadScanner(limits: limits)
    }

    /// True between heads: a connection may be closed for idleness without an answer.
    package var isIdle: Bool { pending.isEmpty }

    /// Takes bytes up to the end of one head. What follows (`consumed..<bytes.count`) is body, or the next request.
    /// Without a head, all bytes were taken. After an error the parser is spent.
    package mutating func consume(
        _ bytes: Span<UInt8>
    ) throws(HTTPParseError) -> (consumed: Int, head: ParsedHead?) {
        guard pending.isEmpty else { return try consumeMore(bytes) }
        guard let end = try scanner.scan(bytes) else {
            append(bytes)
            return (bytes.count, nil)
        }
        return (end, try finish(bytes, end: end))
    }

    private mutating func consumeMore(
        _ bytes: Span<UInt8>
    ) throws(HTTPParseError) -> (consumed: Int, head: ParsedHead?) {
        let before = pending.count
        append(bytes)
        let soFar = pending
        guard let end = try scanner.scan(soFar.span) else { return (bytes.count, nil) }
        pending = Bytes()
        return (end &- before, try finish(soFar.span, end: end))
    }

    private mutating func finish(_ bytes: Span<UInt8>, end: Int) throws(HTTPParseError) -> ParsedHead? {
        guard let layout = scanner.take() else { return nil }
        return try RequestFraming.head(bytes, end: end, layout, limits)
    }

    /// The scanner has refused whatever would not fit, so nothing is lost here.
    private mutating func append(_ bytes: Span<UInt8>) {
        let count = min(bytes.count, limits.headBytes &- pending.count)
        unsafe bytes.extracting(first: count).withUnsafeBufferPointer { unsafe pending.append(contentsOf: $0) }
    }
}
