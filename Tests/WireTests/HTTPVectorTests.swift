import Base
import Testing

@testable import Wire

/// What a server that reads these bytes from a connection makes of them: heads, bodies and paths, in this order.
struct Transcript: CustomStringConvertible {
    enum End: Equatable {
        /// Everything was read, or the connection is closed or upgraded.
        case done
        /// More bytes were expected.
        case waiting
        case refused(HTTPParseError)
    }

    struct Request {
        var line: String
        var body = Bytes()
    }

    private(set) var requests: [Request] = []
    private(set) var end = End.done

    init(_ bytes: Bytes) {
        var position = 0
        do throws(HTTPParseError) {
            while position < bytes.count, end == .done {
                guard try read(bytes, &position) else { return }
            }
        } catch {
            end = .refused(error)
        }
    }

    /// False when the connection does not go on.
    private mutating func read(_ bytes: Bytes, _ position: inout Int) throws(HTTPParseError) -> Bool {
        var parser = RequestHeadParser()
        let (consumed, parsed) = try parser.consume(bytes.span.extracting(position...))
        position += consumed
        guard let parsed else {
            end = .waiting
            return false
        }
        if parsed.head.path != "*" { _ = try URLPath.segments(parsed.head.path) }
        var request = Request(line: "\(parsed.head.method.rawValue) \(parsed.head.path)")
        let isComplete = try readBody(parsed.framing, bytes, &position, &request.body)
        if parsed.upgradesToWebSocket { request.line += " upgrade" }
        requests.append(request)
        if !isComplete { end = .waiting }
        return isComplete && parsed.keepsAlive && !parsed.upgradesToWebSocket
    }

    private func readBody(
        _ framing: BodyFraming, _ bytes: Bytes, _ position: inout Int, _ body: inout Bytes
    ) throws(HTTPParseError) -> Bool {
        switch framing {
        case .none: return true
        case .length(let length):
            let available = min(Int(length), bytes.count - position)
            body = Bytes(bytes[position..<(position + available)])
            position += available
            return available == Int(length)
        case .chunked:
            var decoder = ChunkedDecoder()
            while true {
                switch try decoder.next(bytes.span, at: &position) {
                case .data(let range): body += bytes[range]
                case .incomplete: return false
                case .end: return true
                }
            }
        }
    }

    var refusal: HTTPParseError? { if case .refused(let error) = end { error } else { nil } }

    /// `POST /x 3; GET /y 0; 400 Host is missing`.
    var description: String {
        let ending =
            switch end {
            case .done: "done"
            case .waiting: "waiting"
            case .refused(let error): "\(error.status.code) \(error.reason)"
            }
        return (requests.map { "\($0.line) \($0.body.count)" } + [ending]).joined(separator: "; ")
    }
}

struct HTTPVector: Sendable, CustomTestStringConvertible {
    let name: String
    let kind: String
    let input: Bytes
    /// In words, or `ok` and `error`.
    let expected: String
    let error: String

    var testDescription: String { name }

    static func load(_ file: String) -> [HTTPVector] {
        let bytes = VectorFolder("http").bytes(of: file)
        guard let cases = (try? JSONValue(parsing: bytes))?.arrayValue else { return [] }
        return cases.map { item in
            HTTPVector(
                name: item["name"]?.stringValue ?? "", kind: item["type"]?.stringValue ?? "",
                input: Hex.decode(item["input_hex"]?.stringValue ?? "") ?? [],
                expected: item["expected"]?.stringValue ?? item["verdict"]?.stringValue ?? "",
                error: item["error"]?.stringValue ?? "")
        }
    }
}

/// Where our verdict is not the one of the collection: the transcript, and the section that lets us. All of them are
/// explained in `docs/protocol/http.md`.
private typealias Disagreements = [String: (transcript: String, section: String)]

@Suite struct HTTPSmugglingTests {
    private static let disagreements: Disagreements = [
        "CL value '4294967299'": ("413 Content-Length is too large", "RFC 9110 §15.5.14")
    ]

    @Test func `the matrix is there`() { #expect(HTTPVector.load("smuggling-matrix.json").count == 119) }

    @Test(arguments: HTTPVector.load("smuggling-matrix.json"))
    func `every case of the matrix has its verdict`(vector: HTTPVector) throws {
        let transcript = Transcript(vector.input)
        if let ours = Self.disagreements[vector.name] {
            #expect(transcript.description == ours.transcript)
        } else {
            #expect(try agrees(transcript, vector.expected), "\(transcript), not \(vector.expected)")
        }
    }

    @Test func `what we refuse is not read any further`() {
        for vector in HTTPVector.load("smuggling-matrix.json") where Transcript(vector.input).refusal != nil {
            #expect(!"\(Transcript(vector.input))".contains("smuggled"))
        }
    }

    /// The expectations of the collection, in its words.
    private func agrees(_ transcript: Transcript, _ expected: String) throws -> Bool {
        let status = transcript.refusal?.status.code
        func reads(_ lines: String...) -> Bool { transcript.end == .done && transcript.requests.map(\.line) == lines }
        func body(_ text: String) -> Bool { transcript.requests.first?.body == Bytes(text.utf8) }
        switch expected {
        case "501 or 400 (unsupported coding), close",
            "400 (or 501 for unknown transfer coding) and close the connection; never treat the tail as a second request":
            return (status == 400 || status == 501) && transcript.requests.isEmpty
        case "accept as 3": return reads("POST /x") && body("abc")
        case "accept as 3 or 400", "accept (robustness) or 400", "400", "400, or close", "400 (or strip)", "400 or 404",
            "404/400, never file content", "normalise below the root: 404/400, never file content",
            "400, or accept (RFC 9112 2.2 allows a lone LF as line terminator) - consistently":
            return status == 400
        case "chunked body \"abc\", then a second request /smuggled", "accept, then second request",
            "accept; trailer field ignored/dropped, then second request":
            return reads("POST /x", "GET /smuggled") && body("abc")
        case "body of 0 bytes (no framing header that counts); the chunk bytes are a malformed next request -> 400":
            return transcript.requests.count == 1 && body("") && status == 400
        case "body = Content-Length bytes, then second request":
            return reads("POST /x", "GET /smuggled") && body("3\r\nabc\r\n0\r\n\r\n")
        case "treat as 1.1 or 505", "200, then close", "ignore the upgrade (200) unless h2c is supported":
            return reads("GET /")
        case "204/200": return reads("OPTIONS *")
        case "414", "431", "505": return status == Int(expected)
        case "405/501": return status == 501
        default: throw UnknownExpectation(text: expected)
        }
    }

    private struct UnknownExpectation: Error { let text: String }
}

@Suite struct HTTPParserVectorTests {
    private static let fragment = ("400 a fragment (#) in the target", "RFC 9112 §3.2")
    private static let host = ("400 malformed host in the target", "RFC 9110 §4.2.4")
    private static let method = ("501 unknown method", "RFC 9110 §9.1")
    private static let disagreements: Disagreements = [
        "`keep-alive` / Resetting flags when keep-alive is off (1.0, lenient)": ("PUT /url 0; done", "RFC 9112 §9.3"),
        "`keep-alive` / CRLF between requests, implicit `keep-alive`":
            ("POST / 4; 400 more than one empty line before the request line", "RFC 9112 §2.2"),
        "`close` / CRLF between requests, explicit `close`": ("POST / 4; done", "RFC 9112 §9.6"),
        "`close` / CRLF between requests, explicit `close` (lenient)": ("POST / 4; done", "RFC 9112 §9.6"),
        "`upgrade` / Setting a flag and pausing": ("PUT /url 0; done", "RFC 9110 §7.8"),
        "`upgrade` / Emitting part of body and pausing": ("PUT /url 4; waiting", "RFC 9110 §7.8"),
        "REPORT request": method, "REPORT request / PURGE request": method, "REPORT request / SEARCH request": method,
        "REPORT request / LINK request": method, "REPORT request / QUERY request": method,
        "REPORT request / OPTIONS request with RTSP": ("400 malformed HTTP version", "RFC 9112 §2.3"),
        "curl GET": ("400 malformed Host", "RFC 9112 §3.2"), "Firefox GET": ("400 malformed Host", "RFC 9112 §3.2"),
        "POST with `chunked` as last transfer-encoding": fragment,
        "POST with `chunked` as last transfer-encoding (multiple headers)": fragment,
        "Missing last-chunk": ("PUT /url 3; waiting", "RFC 9112 §8"),
        "Quotes in URI": ("400 a character in the target that must be percent-encoded", "RFC 3986 §2"),
        "Fragment in URI": fragment, "`host:port` and basic auth": host, "Absolute URL": fragment,
        "Complex URL fragment": fragment, "Complex URL from node.js url parser doc": fragment,
        "Complex URL with basic auth from node.js url parser doc": host,
        "Proxy basic auth with url encoded space": host, "Proxy basic auth with unreserved chars": host,
        "IPv6 address with Zone ID": ("400 malformed host in the target", "RFC 4007 §6"),
        "IPv6 address with Zone ID, but `%` is not percent-encoded": (
            "400 malformed host in the target", "RFC 4007 §6"
        ),
    ]

    @Test func `the requests are there`() {
        #expect(HTTPVector.load("llhttp.json").count { !$0.kind.hasPrefix("response") } == 131)
    }

    @Test(arguments: HTTPVector.load("llhttp.json").filter { !$0.kind.hasPrefix("response") })
    func `every request of llhttp has its verdict`(vector: HTTPVector) {
        let transcript = Transcript(Self.prepared(vector))
        if let ours = Self.disagreements[vector.name] {
            #expect(transcript.description == ours.transcript)
        } else {
            // What only a lenient mode accepts must be refused.
            let mustFail = vector.expected == "error" || vector.kind.contains("lenient")
            #expect((transcript.refusal != nil) == mustFail, "\(transcript)")
        }
    }

    @Test(arguments: HTTPVector.load("llhttp.json").filter { $0.kind == "request" })
    func `as they are sent, without Host, none of them is served`(vector: HTTPVector) {
        guard !vector.input.map(lowercased).contains(Bytes("\nhost:".utf8)) else { return }
        guard !vector.input.contains(Bytes("HTTP/1.0".utf8)) else { return }
        #expect(Transcript(vector.input).requests.isEmpty)
    }

    @Test func `every disagreement is in the document`() {
        let bytes = VectorFolder("../../docs/protocol").bytes(of: "http.md")
        #expect(!bytes.isEmpty)
        for (name, ours) in Self.disagreements {
            #expect(bytes.contains(Bytes(name.utf8)), "\(name) is not listed")
            #expect(bytes.contains(Bytes(ours.section.utf8)), "\(ours.section) is not listed")
        }
    }

    /// Most of these requests leave Host out and break off after some header, which is not what they test: both is
    /// added. URLs become requests.
    static func prepared(_ vector: HTTPVector) -> Bytes {
        var input = vector.input
        if vector.kind == "url" { input = Bytes("GET ".utf8) + input + Bytes(" HTTP/1.1\r\n".utf8) }
        if !input.map(lowercased).contains(Bytes("\nhost:".utf8)), let end = input.firstIndex(of: 10) {
            input.insert(contentsOf: Bytes("Host: a\r\n".utf8), at: end + 1)
        }
        guard !input.contains(Bytes("\r\n\r\n".utf8)) else { return input }
        return input + Bytes((input.last == 10 ? "\r\n" : "\r\n\r\n").utf8)
    }
}
