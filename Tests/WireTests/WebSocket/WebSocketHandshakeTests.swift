import Base
import Testing

@testable import Wire

struct WebSocketHandshakeTests {
    private func head(_ changes: [(String, String?)] = [], method: HTTPMethod = .get, minor: UInt8 = 1) -> RequestHead {
        var fields = [
            ("host", "a"), ("upgrade", "websocket"), ("connection", "Upgrade"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="), ("sec-websocket-version", "13"),
        ]
        for (name, value) in changes {
            fields.removeAll { $0.0 == name }
            if let value { fields.append((name, value)) }
        }
        let headers = RequestHeaders(fields.map { (name: $0.0, value: $0.1) })
        return RequestHead(method: method, path: "/ws", query: nil, minorVersion: minor, headers: headers)
    }

    private func refusal(_ head: RequestHead) -> WebSocketRefusal? {
        do throws(WebSocketRefusal) {
            _ = try WebSocketOffer(checking: head)
            return nil
        } catch { return error }
    }

    @Test func `a browser's request is an offer`() throws {
        let offer = try WebSocketOffer(
            checking: head([
                ("connection", "keep-alive, UPGRADE"), ("upgrade", "h2c, WebSocket"), ("origin", "https://a"),
                ("sec-websocket-protocol", "chat, calls.v1"),
                ("sec-websocket-extensions", "permessage-deflate; client_max_window_bits"),
            ]))
        #expect(offer.key == "dGhlIHNhbXBsZSBub25jZQ==")
        #expect(offer.subprotocols == ["chat", "calls.v1"])
        #expect(offer.origin == "https://a")
        #expect(
            offer.compression?.response == "permessage-deflate; server_no_context_takeover; client_no_context_takeover")
    }

    @Test(arguments: [
        ("host", nil), ("upgrade", nil), ("upgrade", "websockets"), ("connection", nil), ("connection", "close"),
        ("sec-websocket-key", nil), ("sec-websocket-key", ""), ("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAAA="),
        ("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAAAA"), ("sec-websocket-key", "!!!!"),
        ("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAB=="), ("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAA==="),
        ("sec-websocket-key", "AAAAAAAAAA-AAAAAAAAAAA=="), ("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA="),
        ("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA==="), ("upgrade", "web socket"), ("upgrade", ","),
        ("content-length", "5"), ("transfer-encoding", "chunked"), ("sec-websocket-protocol", "x, x"),
        ("sec-websocket-protocol", "a b"), ("sec-websocket-extensions", "permessage-deflate; =1"),
        ("sec-websocket-protocol", (0..<33).map { "p\($0)" }.joined(separator: ",")),
    ]) func `what is missing or malformed is named`(_ name: String, _ value: String?) {
        let refusal = refusal(head([(name, value)]))
        #expect(refusal?.status == .badRequest)
        let field = name == "transfer-encoding" ? "content-length" : name
        #expect(refusal?.field.lowercased() == field)
    }

    @Test(arguments: [nil, "8", "13, 8", "13,13", "013"]) func `another version is told ours`(_ version: String?) {
        let refusal = refusal(head([("sec-websocket-version", version)]))
        #expect(refusal?.status == .upgradeRequired)
        #expect(refusal?.headers.value(of: "sec-websocket-version") == "13")
    }

    @Test func `the key and the version are given once, lists in any number of fields`() {
        func refusal(adding name: String, _ value: String) -> WebSocketRefusal? {
            let fields =
                head([("upgrade", nil)]).headers.pairs + [
                    ("upgrade", "h2c"), ("upgrade", " , WEBSOCKET"), (name, value),
                ]
            return self.refusal(
                RequestHead(method: .get, path: "/ws", query: nil, headers: RequestHeaders(fields)))
        }
        #expect(refusal(adding: "connection", "keep-alive") == nil)
        #expect(refusal(adding: "content-length", "0") == nil)
        #expect(refusal(adding: "sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")?.field == "Sec-WebSocket-Key")
        #expect(refusal(adding: "sec-websocket-version", "13")?.status == .upgradeRequired)
    }

    @Test func `only GET of HTTP 1 1 becomes a WebSocket`() {
        #expect(refusal(head(method: .post))?.field == "method")
        #expect(refusal(head(minor: 0))?.field == "version")
        #expect(refusal(head()) == nil)
    }

    @Test func `a request that does not speak of WebSocket is not one`() {
        #expect(WebSocketOffer.isAsked(by: head()))
        #expect(WebSocketOffer.isAsked(by: head([("upgrade", nil)])))
        #expect(!WebSocketOffer.isAsked(by: head([("upgrade", "h2c"), ("sec-websocket-key", nil)])))
    }

    // MARK: Recorded handshakes

    static let vectors: [(name: String, input: Bytes, expected: String)] = {
        let bytes = VectorFolder("ws").bytes(of: "handshakes.json")
        return ((try? JSONValue(parsing: bytes).arrayValue) ?? []).map { entry in
            let input = entry["input_hex"]?.stringValue.flatMap { Hex.decode($0) }
            return (entry["name"]?.stringValue ?? "", input ?? [], entry["expected"]?.stringValue ?? "")
        }
    }()

    @Test func `the recorded handshakes are there`() { #expect(Self.vectors.count >= 20) }

    @Test(arguments: vectors)
    func `each recorded handshake has its verdict`(_ name: String, _ input: Bytes, _ expected: String) throws {
        var parser = RequestHeadParser()
        do {
            let (consumed, parsed) = try parser.consume(input.span)
            let head = try #require(parsed?.head)
            let offer = try WebSocketOffer(checking: head)
            switch expected.prefix(3) {
            case "101":
                let declines = expected.contains("without the extension")
                #expect((offer.compression == nil) == (declines || head.headers["sec-websocket-extensions"] == nil))
                #expect(expected.contains("early") == (consumed < input.count))
            case "403":
                let policy = OriginPolicy.only(["https://a"])
                #expect(!policy.admits(offer.origin, host: head.headers["host"], isSecure: true))
            default:
                #expect(expected == "decline the offer")
                #expect(offer.compression == nil)
            }
        } catch let refusal as WebSocketRefusal {
            #expect(expected.contains("\(refusal.status.code)"))
        } catch let refusal as HTTPParseError {
            #expect(expected.contains("\(refusal.status.code)"))
        }
    }
}

struct OriginPolicyTests {
    @Test(arguments: [
        ("https://a", "a", true), ("http://a", "a", false), ("https://a.evil.example", "a", false),
        ("https://evil-a", "a", false), ("https://A:443", "a", true), ("https://a:444", "a", false),
        ("https://app.example:8443", "x", true), ("https://app.example", "x", false), ("null", "a", false),
        ("https://user@a", "a", false), ("https://a/path", "a", false), ("", "a", false), ("https://", "", false),
    ]) func `origins are compared whole`(_ origin: String, _ host: String, _ expected: Bool) {
        let policy = OriginPolicy.only(["https://app.example:8443"])
        #expect(policy.admits(origin, host: host, isSecure: true) == expected)
    }

    @Test func `a client without an origin is no browser`() {
        #expect(OriginPolicy.only([]).admits(nil, host: "a", isSecure: false))
        #expect(OriginPolicy.any.admits("https://evil.example", host: "a", isSecure: false))
    }
}

struct PermessageDeflateTests {
    @Test(arguments: [
        ("permessage-deflate", 15), ("permessage-deflate; client_max_window_bits", 15),
        ("permessage-deflate; client_max_window_bits=8", 15), ("permessage-deflate; server_max_window_bits=9", 9),
        ("permessage-deflate; server_max_window_bits=\"12\"", 12),
        ("x-webkit-deflate-frame, permessage-deflate; server_no_context_takeover", 15),
        ("permessage-deflate; server_max_window_bits=8, permessage-deflate; server_max_window_bits=10", 10),
        ("foo; bar=\"baz\" , permessage-deflate ; server_no_context_takeover ; client_no_context_takeover", 15),
    ]) func `the first offer that we can grant is granted`(_ offer: String, _ bits: Int) throws {
        #expect(try PermessageDeflate(offers: [offer])?.serverWindowBits == bits)
    }

    @Test(arguments: [
        "permessage-deflate; client_max_window_bits=99", "permessage-deflate; client_max_window_bits=7",
        "permessage-deflate; client_max_window_bits=08", "permessage-deflate; client_max_window_bits=+9",
        "permessage-deflate; server_max_window_bits", "permessage-deflate; server_max_window_bits=8",
        "permessage-deflate; server_max_window_bits=16", "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; client_no_context_takeover; client_no_context_takeover", "permessage-deflate; unknown",
        "permessage-foo", "Permessage-deflate",
    ]) func `other offers are declined`(_ offer: String) throws {
        #expect(try PermessageDeflate(offers: [offer]) == nil)
    }

    @Test(arguments: [
        "", "permessage-deflate;", "permessage-deflate; a=", ", permessage-deflate", "permessage-deflate; a=\"b",
        "permessage-deflate; a=\"b c\"", "a b",
    ]) func `what is no list of extensions is an error`(_ offer: String) {
        #expect(throws: ExtensionListError.self) { try PermessageDeflate(offers: [offer]) }
    }

    @Test func `no offer is no error`() throws { #expect(try PermessageDeflate(offers: []) == nil) }

    @Test func `a window is named in the answer when it was asked for`() throws {
        let granted = try PermessageDeflate(offers: ["permessage-deflate; server_max_window_bits=15"])
        #expect(granted?.response.hasSuffix("; server_max_window_bits=15") == true)
    }
}
