import Base
import Testing

@testable import Wire

/// The verdict on one head: in one piece, and byte by byte, which must be the same.
func parseHead(
    _ text: String, limits: HTTPLimits = HTTPLimits(), sourceLocation: SourceLocation = #_sourceLocation
) -> Result<(consumed: Int, head: ParsedHead?), HTTPParseError> {
    parseHead(Bytes(text.utf8), limits: limits, sourceLocation: sourceLocation)
}

func parseHead(
    _ bytes: Bytes, limits: HTTPLimits = HTTPLimits(), sourceLocation: SourceLocation = #_sourceLocation
) -> Result<(consumed: Int, head: ParsedHead?), HTTPParseError> {
    let whole = inPieces(bytes, of: max(bytes.count, 1), limits)
    for size in [1, 3, 17] {
        #expect(summary(inPieces(bytes, of: size, limits)) == summary(whole), sourceLocation: sourceLocation)
    }
    return whole
}

private func inPieces(
    _ bytes: Bytes, of size: Int, _ limits: HTTPLimits
) -> Result<(consumed: Int, head: ParsedHead?), HTTPParseError> {
    var parser = RequestHeadParser(limits: limits)
    var consumed = 0
    do throws(HTTPParseError) {
        while consumed < bytes.count {
            let piece = Bytes(bytes[consumed..<min(bytes.count, consumed + size)])
            let (taken, head) = try parser.consume(piece.span)
            consumed += taken
            if head != nil { return .success((consumed, head)) }
        }
        return .success((consumed, nil))
    } catch {
        return .failure(error)
    }
}

private func summary(_ result: Result<(consumed: Int, head: ParsedHead?), HTTPParseError>) -> String {
    switch result {
    case .success(let (consumed, head)): "\(consumed) \(head.map { "\($0)" } ?? "incomplete")"
    case .failure(let error): "\(error)"
    }
}

private func accepted(
    _ text: String, limits: HTTPLimits = HTTPLimits(), sourceLocation: SourceLocation = #_sourceLocation
) throws -> ParsedHead {
    let (consumed, head) = try parseHead(text, limits: limits, sourceLocation: sourceLocation).get()
    #expect(consumed == text.utf8.count, sourceLocation: sourceLocation)
    return try #require(head, sourceLocation: sourceLocation)
}

/// The error of a text that must be refused.
private func refusal(
    _ text: String, limits: HTTPLimits = HTTPLimits(), sourceLocation: SourceLocation = #_sourceLocation
) throws -> HTTPParseError {
    guard case .failure(let error) = parseHead(text, limits: limits, sourceLocation: sourceLocation) else {
        throw Missing()
    }
    return error
}

private struct Missing: Error {}

@Suite struct HTTPRequestTests {
    @Test func `the parts of a request are found`() throws {
        let parsed = try accepted(
            "POST /a%20b/c?x=1&y=?/ HTTP/1.1\r\nHost: example.org:8000\r\nX-Empty:\r\nContent-LENGTH: \t 12 \r\n\r\n")
        #expect(parsed.head.method == .post)
        #expect(parsed.head.path == "/a%20b/c")
        #expect(parsed.head.query == "x=1&y=?/")
        #expect(parsed.head.minorVersion == 1)
        #expect(parsed.host == "example.org:8000")
        #expect(parsed.framing == .length(12))
        #expect(parsed.keepsAlive)
        #expect(!parsed.expectsContinue)
        #expect(!parsed.upgradesToWebSocket)
        #expect(parsed.head.headers.pairs.map(\.name) == ["host", "x-empty", "content-length"])
        #expect(parsed.head.headers.pairs.map(\.value) == ["example.org:8000", "", "12"])
    }

    @Test func `exactly one head is taken, and the parser is ready for the next`() throws {
        let text = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2?q HTTP/1.1\r\nHost: b\r\n\r\nrest"
        let bytes = Bytes(text.utf8)
        var parser = RequestHeadParser()
        let first = try parser.consume(bytes.span)
        #expect(first.head?.head.path == "/1")
        let second = try parser.consume(bytes.span.extracting(first.consumed...))
        #expect(second.head?.head.path == "/2")
        #expect(second.head?.host == "b")
        #expect(first.consumed + second.consumed == bytes.count - 4)
        #expect(parser.isIdle)
    }

    @Test(arguments: HTTPMethod.allCases) func `every method is known`(method: HTTPMethod) throws {
        #expect(try accepted("\(method.rawValue) / HTTP/1.1\r\nHost: a\r\n\r\n").head.method == method)
    }

    @Test func `an error knows the path once the request line was read`() throws {
        let late = try refusal("GET /v1/x?q HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n")
        #expect(
            late
                == HTTPParseError(.badRequest, "Content-Length is not a number", field: "Content-Length", path: "/v1/x")
        )
        #expect(try refusal("GET /v1/x HTTP/1.1\r\nHost : a\r\n\r\n").path == "/v1/x")
        #expect(try refusal("BREW /pot HTTP/1.1\r\n").path == "/pot")
        #expect(try refusal("GET /a b HTTP/1.1\r\n").path == nil)
    }

    @Test(arguments: [
        ("GET / HTTP/1.1\nHost: a\n\n", 400), ("GET / HTTP/1.1\rHost: a\r\r", 400), ("GET /\r\n\r\n", 400),
        ("GET / HTTP/2.0\r\n", 505), ("PRI * HTTP/2.0\r\n", 505), ("GET / HTTP/0.9\r\n", 505),
        ("GET / HTTP/1.1 \r\n", 400), ("GET  / HTTP/1.1\r\n", 400), ("GET /a b HTTP/1.1\r\n", 400),
        (" GET / HTTP/1.1\r\n", 400), ("get / HTTP/1.1\r\n", 501), ("GET / http/1.1\r\n", 400),
        ("G@T / HTTP/1.1\r\n", 400), ("GET /\u{e9} HTTP/1.1\r\n", 400), ("GET /a\\b HTTP/1.1\r\n", 400),
        ("GET /#x HTTP/1.1\r\n", 400), ("GET /?#x HTTP/1.1\r\n", 400), ("GET a HTTP/1.1\r\n", 400),
        ("GET * HTTP/1.1\r\n", 400), ("GET ftp://a/ HTTP/1.1\r\n", 400), ("GET http:///x HTTP/1.1\r\n", 400),
        ("GET http://u@a/x HTTP/1.1\r\n", 400), ("GET a:80 HTTP/1.1\r\n", 400), ("CONNECT a:80 HTTP/1.1\r\n", 501),
        ("TRACE / HTTP/1.1\r\n", 501), ("\r\n\r\nGET / HTTP/1.1\r\n", 400), ("\rGET / HTTP/1.1\r\n", 400),
        ("\u{16}\u{3}\u{1}", 400),
    ]) func `a wrong request line is refused`(line: String, status: Int) throws {
        #expect(try refusal(line).status.code == status)
    }

    @Test(arguments: [
        " X: y", "X : y", ": y", "X y", "X", "X\u{0}: y", "X: \u{0}", "X: a\u{7F}b", "X: a\rb", "X: a\nb", "X\u{e9}: y",
        "X: y\r\n z", "X: y\r\n\tz", "Content-Length: ", "Content-Length: -1", "Content-Length: +1",
        "Content-Length: 1, 1", "Content-Length: 1\r\nContent-Length: 1", "Content-Length: 9223372036854775808",
        "Content-Length: 1\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "Transfer-Encoding:", "Transfer-Encoding: chunked,",
        "Transfer-Encoding: chunked, gzip", "Transfer-Encoding: chunked;a=b", "Host: b", "X: y\r\n\rZ",
    ]) func `a wrong field is refused`(line: String) throws {
        #expect(try refusal("POST /x HTTP/1.1\r\nHost: a\r\n\(line)\r\n\r\n").status == .badRequest)
    }

    @Test(arguments: ["gzip, chunked", "gzip", "identity", "xchunked"])
    func `a transfer coding that we do not know is not implemented`(codings: String) throws {
        let error = try refusal("POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \(codings)\r\n\r\n")
        #expect(error.status == .notImplemented)
        #expect(error.field == "Transfer-Encoding")
    }

    @Test(arguments: [
        "a,b", "", "a b", "u@a", "a:b", "a:65536", "a:123456", "[::1", "[::1]x", "[127.0.0.1]", "[fe80::1%25eth0]",
        ":80",
        "a/b", "a%41",
    ]) func `a wrong Host is refused`(host: String) throws {
        #expect(try refusal("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n").field == "Host")
    }

    @Test(arguments: ["a", "a:", "a.b-c_d~", "127.0.0.1:8000", "[::1]", "[2001:db8::1]:443", "xn--mnchen-3ya.de"])
    func `a right Host is kept as sent`(host: String) throws {
        #expect(try accepted("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n").host == host)
    }

    @Test func `HTTP 1_0 needs no Host and closes unless asked to stay`() throws {
        let plain = try accepted("GET / HTTP/1.0\r\n\r\n")
        #expect(plain.host == nil)
        #expect(!plain.keepsAlive)
        #expect(try accepted("GET / HTTP/1.0\r\nConnection: x, Keep-Alive\r\n\r\n").keepsAlive)
        #expect(try refusal("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n").status == .badRequest)
        #expect(try !accepted("POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n").expectsContinue)
    }

    @Test func `an absolute target gives host, path and query`() throws {
        let full = try accepted("GET HTTP://Example.org:80/p?q HTTP/1.1\r\nHost: other\r\n\r\n")
        #expect(full.host == "Example.org:80")
        #expect(full.head.path == "/p")
        #expect(full.head.query == "q")
        let bare = try accepted("GET https://a?q HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(bare.head.path == "/")
        #expect(bare.head.query == "q")
        #expect(try accepted("OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n").head.path == "*")
        #expect(try refusal("GET http://a/ HTTP/1.1\r\n\r\n").field == "Host")
    }

    @Test func `the asterisk is for OPTIONS`() throws {
        #expect(try accepted("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").head.path == "*")
    }

    @Test func `a chunked body is announced`() throws {
        #expect(try accepted("POST / HTTP/1.1\r\nHost: a\r\nTRANSFER-Encoding:\tCHUNKED \r\n\r\n").framing == .chunked)
    }

    @Test func `Connection and Expect are understood as lists and in any case`() throws {
        #expect(try !accepted("GET / HTTP/1.1\r\nHost: a\r\nConnection: x,CLOSE\r\n\r\n").keepsAlive)
        #expect(
            try accepted("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-Continue\r\n\r\n")
                .expectsContinue)
        #expect(try !accepted("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n").expectsContinue)
        #expect(try refusal("PUT / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n").status == .expectationFailed)
    }

    @Test func `a WebSocket handshake is a GET of 1_1 with both headers and no body`() throws {
        let asks = "Host: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
        #expect(try accepted("GET / HTTP/1.1\r\n\(asks)\r\n").upgradesToWebSocket)
        #expect(try !accepted("GET / HTTP/1.0\r\n\(asks)\r\n").upgradesToWebSocket)
        #expect(try !accepted("POST / HTTP/1.1\r\n\(asks)\r\n").upgradesToWebSocket)
        #expect(try !accepted("GET / HTTP/1.1\r\n\(asks)Content-Length: 1\r\n\r\n").upgradesToWebSocket)
        #expect(try !accepted("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n").upgradesToWebSocket)
        #expect(
            try !accepted("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
                .upgradesToWebSocket)
    }

    @Test func `one empty line may come first`() throws {
        #expect(try accepted("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n").head.path == "/")
    }

    @Test func `the request line has its bound, and exactly the bound fits`() throws {
        var limits = HTTPLimits()
        limits.requestLineBytes = 20
        #expect(try accepted("GET /123456 HTTP/1.1\r\nHost: a\r\n\r\n", limits: limits).head.path == "/123456")
        #expect(try refusal("GET /1234567 HTTP/1.1\r\nHost: a\r\n\r\n", limits: limits).status == .uriTooLong)
        #expect(try refusal("GET /12345678\u{1} HTTP/1.1\r\n", limits: limits).status == .badRequest)
        #expect(try refusal(String(repeating: "a", count: 21), limits: limits).status == .uriTooLong)
    }

    @Test func `the fields have their bounds, and exactly the bounds fit`() throws {
        var limits = HTTPLimits()
        limits.headerBytes = 18
        #expect(try accepted("GET / HTTP/1.1\r\nHost: a\r\nX: yyyy\r\n\r\n", limits: limits).head.headers.count == 2)
        let tooLarge = try refusal("GET /p HTTP/1.1\r\nHost: a\r\nX: yyyyy\r\n\r\n", limits: limits)
        #expect(tooLarge.status == .headerFieldsTooLarge)
        #expect(tooLarge.path == "/p")
        limits = HTTPLimits()
        limits.fieldCount = 2
        #expect(try accepted("GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n", limits: limits).head.headers.count == 2)
        let tooMany = try refusal("GET / HTTP/1.1\r\nHost: a\r\nX: y\r\nX: y\r\n\r\n", limits: limits)
        #expect(tooMany.status == .headerFieldsTooLarge)
    }

    @Test func `a Content-Length over the bound is too large, not malformed`() throws {
        var limits = HTTPLimits()
        limits.contentLength = 10
        #expect(
            try accepted("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 010\r\n\r\n", limits: limits).framing
                == .length(10))
        #expect(
            try refusal("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n", limits: limits).status
                == .contentTooLarge)
    }

    @Test func `a body after the largest head in small pieces is not swallowed`() throws {
        var limits = HTTPLimits()
        limits.requestLineBytes = 14
        limits.headerBytes = 11
        let text = "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"
        let bytes = Bytes((text + String(repeating: "b", count: 1_000)).utf8)
        var parser = RequestHeadParser(limits: limits)
        #expect(try parser.consume(bytes.span.extracting(..<5)).head == nil)
        let (consumed, head) = try parser.consume(bytes.span.extracting(5...))
        #expect(head?.host == "a")
        #expect(consumed == text.utf8.count - 5)
    }
}

@Suite struct HTTPCharacterTests {
    private func members(_ set: ByteSet) -> String {
        String(decoding: (UInt8.min...UInt8.max).filter(set.contains), as: UTF8.self)
    }

    @Test func `the masks are the sets of the RFCs`() {
        let digits = "0123456789"
        let upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
        let lower = "abcdefghijklmnopqrstuvwxyz"
        #expect(members(.token) == "!#$%&'*+-." + digits + upper + "^_`" + lower + "|~")
        #expect(members(.unreserved) == "-." + digits + upper + "_" + lower + "~")
        #expect(members(.path) == "!$%&'()*+,-./" + digits + ":;=@" + upper + "[]^_`" + lower + "{|}~")
        #expect(members(.query) == "!$%&'()*+,-./" + digits + ":;=?@" + upper + "[\\]^_`" + lower + "{|}~")
    }

    @Test func `every control character is found at every place`() {
        for length in 0..<20 {
            for place in 0..<length {
                for byte in UInt8.min...UInt8.max {
                    var bytes = Bytes(repeating: 0xFF, count: length)
                    bytes[place] = byte
                    let found = byte < 0x20 || byte == 0x7F ? place : length
                    #expect(bytes.span.firstControl(in: 0..<length) == found)
                }
            }
        }
    }
}
