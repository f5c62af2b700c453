// The opening handshake as the server reads it (RFC 6455 §4.2.1). The accept key needs SHA-1 and is computed above.

import Base

/// Why a request does not become a WebSocket.
package struct WebSocketRefusal: Error, Equatable, Sendable {
    /// 400, or 426 with `Sec-WebSocket-Version: 13` for a version that we do not speak (§4.4).
    package let status: HTTPStatus
    package let reason: String
    /// The header at fault.
    package let field: String

    fileprivate init(_ reason: String, _ field: String, status: HTTPStatus = .badRequest) {
        self.status = status
        self.reason = reason
        self.field = field
    }

    /// What the answer carries beside its body.
    package var headers: ResponseHeaders {
        guard status == .upgradeRequired else { return ResponseHeaders() }
        return ResponseHeaders(["Sec-WebSocket-Version": "13", "Upgrade": "websocket"])
    }
}

/// What a client asks for that wants a WebSocket.
package struct WebSocketOffer: Sendable {
    /// `Sec-WebSocket-Key` as sent.
    package let key: String
    /// In the client's order of preference, without duplicates.
    package let subprotocols: [String]
    package let origin: String?
    /// The parameters of compression that we grant, if the client offers any that we can.
    package let compression: PermessageDeflate?

    /// More subprotocols than this are refused: each is compared with what the service speaks.
    package static let subprotocolLimit = 32

    /// True for a request that speaks of WebSocket at all. What else it lacks is a refusal, not another resource.
    package static func isAsked(by head: RequestHead) -> Bool {
        head.headers.contains("sec-websocket-key") || head.headers.listContains("upgrade", "websocket")
    }

    package init(checking head: RequestHead) throws(WebSocketRefusal) {
        try Self.checkRequest(head)
        key = try Self.key(of: head.headers)
        try Self.checkVersion(head.headers)
        subprotocols = try Self.subprotocols(of: head.headers)
        origin = head.headers["origin"]
        do throws(ExtensionListError) {
            // Without an offer there is no list to make.
            let isOffered = head.headers.contains("sec-websocket-extensions")
            compression =
                try isOffered ? PermessageDeflate(offers: head.headers.values(of: "sec-websocket-extensions")) : nil
        } catch {
            throw WebSocketRefusal("the list of extensions is malformed", "Sec-WebSocket-Extensions")
        }
    }

    private static func checkRequest(_ head: RequestHead) throws(WebSocketRefusal) {
        guard head.method == .get else { throw WebSocketRefusal("a WebSocket begins with GET", "method") }
        guard head.minorVersion >= 1 else { throw WebSocketRefusal("a WebSocket begins with HTTP/1.1", "version") }
        guard head.headers.contains("host") else { throw WebSocketRefusal("Host is missing", "Host") }
        guard head.headers.listContains("upgrade", "websocket") else {
            throw WebSocketRefusal("Upgrade must name websocket", "Upgrade")
        }
        guard head.headers.listContains("connection", "upgrade") else {
            throw WebSocketRefusal("Connection must name upgrade", "Connection")
        }
        guard hasNoBody(head.headers) else {
            throw WebSocketRefusal("a request for a WebSocket has no body", "Content-Length")
        }
    }

    private static func hasNoBody(_ headers: RequestHeaders) -> Bool {
        guard !headers.contains("transfer-encoding") else { return false }
        var next = 0
        guard let length = headers.valueRange(of: "content-length", from: &next) else { return true }
        return headers.block.span.matches(length, "0")
    }

    private static func key(of headers: RequestHeaders) throws(WebSocketRefusal) -> String {
        var next = 0
        guard let key = headers.valueRange(of: "sec-websocket-key", from: &next),
            headers.valueRange(of: "sec-websocket-key", from: &next) == nil
        else { throw WebSocketRefusal("exactly one key is wanted", "Sec-WebSocket-Key") }
        guard isKey(headers.block.span, key) else {
            throw WebSocketRefusal("the key must be 16 bytes in Base64", "Sec-WebSocket-Key")
        }
        return headers.block.span.text(key)
    }

    /// 16 bytes in Base64 are 21 digits, one whose lower four bits are 0, and `==`.
    private static func isKey(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        guard range.count == 24 else { return false }
        let start = range.lowerBound
        for index in start..<(start &+ 21) where Base64.value(of: bytes[index], .standard) == nil { return false }
        guard let last = Base64.value(of: bytes[start &+ 21], .standard), last & 15 == 0 else { return false }
        return bytes[start &+ 22] == UInt8(ascii: "=") && bytes[start &+ 23] == UInt8(ascii: "=")
    }

    private static func checkVersion(_ headers: RequestHeaders) throws(WebSocketRefusal) {
        var next = 0
        guard let version = headers.valueRange(of: "sec-websocket-version", from: &next),
            headers.block.span.matches(version, "13"),
            headers.valueRange(of: "sec-websocket-version", from: &next) == nil
        else { throw WebSocketRefusal("the only version is 13", "Sec-WebSocket-Version", status: .upgradeRequired) }
    }

    private static func subprotocols(of headers: RequestHeaders) throws(WebSocketRefusal) -> [String] {
        var names: [String] = []
        for value in headers.values(of: "sec-websocket-protocol") {
            for name in value.listElements {
                guard name.isToken, !names.contains(name), names.count < subprotocolLimit else {
                    throw WebSocketRefusal(
                        "subprotocols must be distinct tokens, at most \(subprotocolLimit)", "Sec-WebSocket-Protocol")
                }
                names.append(name)
            }
        }
        return names
    }
}

/// Which web pages may open a socket or read an answer (RFC 6454 §7, RFC 6455 §10.2). Origins are compared whole: a
/// prefix or a suffix of an allowed one is another origin.
package enum OriginPolicy: Sendable, Equatable {
    case any
    /// The page's own server, and those in the list, each as `scheme://host[:port]`.
    case only([String])

    /// `origin` is the header's value; a client that is no browser sends none and is not held back by this.
    package func admits(_ origin: String?, host: String?, isSecure: Bool) -> Bool {
        guard case .only(let list) = self, let origin else { return true }
        guard let normal = Self.normalised(origin) else { return false }
        if let host, normal == Self.normalised("\(isSecure ? "https" : "http")://\(host)") { return true }
        return list.contains { Self.normalised($0) == normal }
    }

    /// Lower case, without the scheme's own port. `nil` for what is no origin, `null` included.
    private static func normalised(_ origin: String) -> String? {
        let text = String(decoding: origin.utf8.map(lowercased), as: UTF8.self)
        for (scheme, port) in [("https://", ":443"), ("http://", ":80")] where text.hasPrefix(scheme) {
            let authority = text.dropFirst(scheme.count)
            guard authority.utf8.allSatisfy(isAuthority), hasOnePort(authority) else { return nil }
            return authority.hasSuffix(port) ? String(text.dropLast(port.count)) : text
        }
        return nil
    }

    /// `host` or `host:port`. Behind a second colon (`host:8000:443`) the scheme's port would be taken for one.
    private static func hasOnePort(_ authority: Substring) -> Bool {
        let host = authority.hasPrefix("[") ? authority.prefix { $0 != "]" } + "]" : authority.prefix { $0 != ":" }
        let port = authority.dropFirst(host.count)
        guard !host.isEmpty, !port.isEmpty else { return !host.isEmpty && authority.hasPrefix(host) }
        return port.hasPrefix(":") && (2...6).contains(port.utf8.count) && port.dropFirst().allSatisfy(\.isNumber)
    }

    private static func isAuthority(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"),
            UInt8(ascii: "."), UInt8(ascii: ":"), UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}

extension RequestHeaders {
    /// Whether a field that is a list of tokens (RFC 9110 §5.6.1) names `token`, in any case; `token` in lower case.
    func listContains(_ name: StaticString, _ token: StaticString) -> Bool {
        var next = 0
        while let value = valueRange(of: name, from: &next) {
            if listNames(block.span, value, token) { return true }
        }
        return false
    }
}

private func listNames(_ bytes: Span<UInt8>, _ value: Range<Int>, _ token: StaticString) -> Bool {
    var isNamed = false
    forEachElement(bytes, value) { element in
        if bytes.matches(element, token) { isNamed = true }
    }
    return isNamed
}

extension String {
    /// Between commas, without the white space around; empty elements do not count (RFC 9110 §5.6.1.2).
    fileprivate var listElements: [String] {
        utf8.split(separator: UInt8(ascii: ",")).compactMap { element in
            var element = element
            while let first = element.first, isBlank(first) { element.removeFirst() }
            while let last = element.last, isBlank(last) { element.removeLast() }
            return element.isEmpty ? nil : String(decoding: element, as: UTF8.self)
        }
    }

    fileprivate var isToken: Bool { !isEmpty && utf8.allSatisfy { ByteSet.token.contains($0) } }
}
