// What the fields of a well-formed head mean for the connection: how long the body is (RFC 9112 §6.3), for which host
// the request is (§3.2), and how the connection goes on (§9).

import Base

/// The fields that matter here, collected in one walk over all of them.
struct RequestFraming {
    private enum Coding { case none, chunked, malformed, unknown }

    private var host: Range<Int>?
    private var contentLength: Int64?
    /// The last transfer coding so far.
    private var coding = Coding.none
    private var closes = false
    private var staysOpen = false
    private var asksForUpgrade = false
    private var offersWebSocket = false
    private var expects = false

    /// The head that ends before `end`.
    static func head(
        _ bytes: Span<UInt8>, end: Int, _ layout: HeadLayout, _ limits: HTTPLimits
    ) throws(HTTPParseError) -> ParsedHead {
        let line = layout.line
        do throws(HTTPParseError) {
            // The scanner lets no other method through.
            guard let method = line.method else { throw .unknownMethod }
            var framing = RequestFraming()
            for field in layout.fields { try framing.take(field, bytes, offset: layout.blockStart, line) }
            let length = try framing.bodyFraming(line, limits)
            let host = try framing.hostRange(line)
            let head = RequestHead(
                method: method, path: line.pathText(bytes), query: line.query.map { bytes.text($0) },
                minorVersion: line.minorVersion,
                headers: RequestHeaders(copying: bytes, layout.blockStart..<end, fields: layout.fields))
            return framing.parsed(head, length, host: host.map { bytes.text($0) })
        } catch {
            throw error.at(line.pathText(bytes))
        }
    }

    private func parsed(
        _ head: consuming RequestHead, _ framing: BodyFraming, host: consuming String?
    ) -> ParsedHead {
        let isCurrent = head.minorVersion == 1
        let isGet = head.method == .get
        return ParsedHead(
            head: head, framing: framing,
            keepsAlive: !closes && (isCurrent || staysOpen),
            expectsContinue: expects && isCurrent && framing != .none,
            host: host,
            upgradesToWebSocket: asksForUpgrade && offersWebSocket && isCurrent && isGet && framing == .none)
    }

    /// Told apart by length first: of the usual fields nearly all end there.
    private mutating func take(
        _ field: RequestHeaders.Field, _ bytes: Span<UInt8>, offset: Int, _ line: RequestLine
    ) throws(HTTPParseError) {
        let name = (offset &+ Int(field.nameStart))..<(offset &+ Int(field.nameEnd))
        let value = (offset &+ Int(field.valueStart))..<(offset &+ Int(field.valueEnd))
        switch name.count {
        case 4 where bytes.matches(name, "host"): try takeHost(bytes, value)
        case 6 where bytes.matches(name, "expect"): try takeExpect(bytes, value)
        case 7 where bytes.matches(name, "upgrade"): takeUpgrade(bytes, value)
        case 10 where bytes.matches(name, "connection"): takeConnection(bytes, value)
        case 14 where bytes.matches(name, "content-length"): try takeLength(bytes, value)
        case 17 where bytes.matches(name, "transfer-encoding"): takeCodings(bytes, value)
        default: break
        }
    }

    // MARK: Host

    private mutating func takeHost(_ bytes: Span<UInt8>, _ value: Range<Int>) throws(HTTPParseError) {
        guard host == nil else { throw .bad("Host is given more than once", field: "Host") }
        guard HostName.isValid(bytes, value) else { throw .bad("malformed Host", field: "Host") }
        host = value
    }

    /// RFC 9112 §3.2: every request of 1.1 has a Host, even if the target names one; the target's counts.
    private func hostRange(_ line: RequestLine) throws(HTTPParseError) -> Range<Int>? {
        guard host != nil || line.minorVersion == 0 else { throw .bad("Host is missing", field: "Host") }
        return line.authority ?? host
    }

    // MARK: Body length

    /// RFC 9110 §8.6 lets a server repair equal repetitions; we refuse them with all others.
    private mutating func takeLength(_ bytes: Span<UInt8>, _ value: Range<Int>) throws(HTTPParseError) {
        guard contentLength == nil else {
            throw .bad("Content-Length is given more than once", field: "Content-Length")
        }
        guard !value.isEmpty else { throw .bad("Content-Length is empty", field: "Content-Length") }
        var length: Int64 = 0
        for index in value {
            let byte = bytes[index]
            guard isDigit(byte) else { throw .bad("Content-Length is not a number", field: "Content-Length") }
            let (tens, overflow) = length.multipliedReportingOverflow(by: 10)
            let (sum, carry) = tens.addingReportingOverflow(Int64(byte &- 48))
            guard !overflow, !carry else { throw .bad("Content-Length is out of range", field: "Content-Length") }
            length = sum
        }
        contentLength = length
    }

    /// Only `chunked` is understood, once and alone. What went wrong is kept until it is known that there is no
    /// Content-Length beside it, which is the graver fault.
    private mutating func takeCodings(_ bytes: Span<UInt8>, _ value: Range<Int>) {
        forEachElement(bytes, value) { element in
            if coding == .malformed || coding == .chunked {
                coding = .malformed
            } else if bytes.matches(element, "chunked") {
                coding = coding == .unknown ? .unknown : .chunked
            } else {
                coding = isToken(bytes, element) ? .unknown : .malformed
            }
        }
    }

    private func bodyFraming(_ line: RequestLine, _ limits: HTTPLimits) throws(HTTPParseError) -> BodyFraming {
        guard coding != .none else { return try lengthFraming(limits) }
        guard contentLength == nil else {
            throw .bad("both Content-Length and Transfer-Encoding are given", field: "Transfer-Encoding")
        }
        guard line.minorVersion == 1 else {
            throw .bad("Transfer-Encoding in HTTP/1.0", field: "Transfer-Encoding")
        }
        switch coding {
        case .chunked, .none: return .chunked
        case .malformed: throw .bad("malformed Transfer-Encoding", field: "Transfer-Encoding")
        case .unknown:
            throw HTTPParseError(
                .notImplemented, "only the transfer coding chunked is understood", field: "Transfer-Encoding")
        }
    }

    private func lengthFraming(_ limits: HTTPLimits) throws(HTTPParseError) -> BodyFraming {
        guard let contentLength, contentLength > 0 else { return .none }
        guard contentLength <= limits.contentLength else {
            throw HTTPParseError(.contentTooLarge, "Content-Length is too large", field: "Content-Length")
        }
        return .length(contentLength)
    }

    // MARK: Connection

    private mutating func takeConnection(_ bytes: Span<UInt8>, _ value: Range<Int>) {
        forEachElement(bytes, value) { element in
            switch element.count {
            case 5 where bytes.matches(element, "close"): closes = true
            case 7 where bytes.matches(element, "upgrade"): asksForUpgrade = true
            case 10 where bytes.matches(element, "keep-alive"): staysOpen = true
            default: break
            }
        }
    }

    private mutating func takeUpgrade(_ bytes: Span<UInt8>, _ value: Range<Int>) {
        forEachElement(bytes, value) { element in
            if bytes.matches(element, "websocket") { offersWebSocket = true }
        }
    }

    private mutating func takeExpect(_ bytes: Span<UInt8>, _ value: Range<Int>) throws(HTTPParseError) {
        guard bytes.matches(value, "100-continue") else {
            throw HTTPParseError(.expectationFailed, "only 100-continue can be expected", field: "Expect")
        }
        expects = true
    }
}

/// The elements of a comma-separated list, without the white space around them; empty ones too.
func forEachElement(_ bytes: Span<UInt8>, _ value: Range<Int>, _ body: (Range<Int>) -> Void) {
    var start = value.lowerBound
    for index in value where bytes[index] == 0x2C {
        body(bytes.trimmed(start..<index))
        start = index &+ 1
    }
    body(bytes.trimmed(start..<value.upperBound))
}

func isToken(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
    for index in range where !ByteSet.token.contains(bytes[index]) { return false }
    return !range.isEmpty
}

extension RequestHeaders {
    /// The one copy of the block; names become lower case in it.
    init(copying bytes: Span<UInt8>, _ range: Range<Int>, fields: [Field]) {
        var block = unsafe bytes.extracting(range).withUnsafeBufferPointer { unsafe Bytes($0) }
        var span = block.mutableSpan
        for field in fields {
            for index in Int(field.nameStart)..<Int(field.nameEnd) { span[index] = lowercased(span[index]) }
        }
        self.init(block: block, fields: fields)
    }
}
