import Base
import Testing

@testable import Wire

@Suite struct HTTPConditionTests {
    private let tag = EntityTag(opaque: "v1")
    private let modified = Timestamp(imfFixdate: "Sun, 06 Nov 1994 08:49:37 GMT")

    private func outcome(
        _ method: HTTPMethod, _ headers: [(name: String, value: String)], exists: Bool = true
    ) -> PreconditionOutcome {
        let current = Validators(entityTag: tag, lastModified: modified)
        return Preconditions.evaluate(method, RequestHeaders(headers), current: exists ? current : nil)
    }

    @Test(arguments: [
        ("\"a\"", false, "a"), ("W/\"a\"", true, "a"), ("\"\"", false, ""), ("\"a b\"", nil, ""), ("a", nil, ""),
        ("w/\"a\"", nil, ""), ("\"a", nil, ""), ("\"a\"x", nil, ""), ("\"\u{e9}!#~\"", false, "\u{e9}!#~"),
    ]) func `an entity tag is quoted text without spaces`(text: String, isWeak: Bool?, opaque: String) {
        let tag = EntityTag(text)
        #expect(tag?.isWeak == isWeak)
        if isWeak != nil {
            #expect(tag?.opaque == opaque)
            #expect(tag?.description == text)
        }
    }

    @Test func `weak tags match weakly only (RFC 9110 table 3)`() throws {
        let weak = try #require(EntityTag("W/\"1\""))
        let strong = try #require(EntityTag("\"1\""))
        let other = try #require(EntityTag("W/\"2\""))
        #expect(!weak.matchesStrongly(weak) && weak.matchesWeakly(weak))
        #expect(!weak.matchesWeakly(other))
        #expect(!weak.matchesStrongly(strong) && weak.matchesWeakly(strong))
        #expect(strong.matchesStrongly(strong) && strong.matchesWeakly(strong))
    }

    @Test func `If-Match guards a change`() {
        #expect(outcome(.put, [("If-Match", "\"v1\"")]) == .proceed)
        #expect(outcome(.put, [("If-Match", "\"v0\", \"v1\"")]) == .proceed)
        #expect(outcome(.put, [("If-Match", "\"v0\"")]) == .failed)
        #expect(outcome(.put, [("If-Match", "W/\"v1\"")]) == .failed)
        #expect(outcome(.put, [("If-Match", "*")]) == .proceed)
        #expect(outcome(.put, [("If-Match", "*")], exists: false) == .failed)
        #expect(outcome(.put, [("If-Match", "v1")]) == .failed)
    }

    @Test func `If-None-Match saves a transfer or guards a creation`() {
        #expect(outcome(.get, [("If-None-Match", "W/\"v1\"")]) == .notModified)
        #expect(outcome(.head, [("If-None-Match", "\"x\"\t,\"v1\"")]) == .notModified)
        #expect(outcome(.get, [("If-None-Match", "\"x\""), ("If-None-Match", "\"v1\"")]) == .notModified)
        #expect(outcome(.get, [("If-None-Match", "\"x\"")]) == .proceed)
        #expect(outcome(.get, [("If-None-Match", "v1")]) == .proceed)
        #expect(outcome(.put, [("If-None-Match", "*")]) == .failed)
        #expect(outcome(.put, [("If-None-Match", "*")], exists: false) == .proceed)
        #expect(outcome(.put, [("If-None-Match", "v1")]) == .failed)
    }

    @Test func `dates count where tags are not sent`() {
        let same = "Sun, 06 Nov 1994 08:49:37 GMT"
        let before = "Sun, 06 Nov 1994 08:49:36 GMT"
        #expect(outcome(.get, [("If-Modified-Since", same)]) == .notModified)
        #expect(outcome(.get, [("If-Modified-Since", before)]) == .proceed)
        #expect(outcome(.get, [("If-Modified-Since", same), ("If-None-Match", "\"x\"")]) == .proceed)
        #expect(outcome(.get, [("If-Modified-Since", "yesterday")]) == .proceed)
        #expect(outcome(.post, [("If-Modified-Since", same)]) == .proceed)
        #expect(outcome(.put, [("If-Unmodified-Since", same)]) == .proceed)
        #expect(outcome(.put, [("If-Unmodified-Since", before)]) == .failed)
        #expect(outcome(.put, [("If-Unmodified-Since", before), ("If-Match", "\"v1\"")]) == .proceed)
    }

    @Test func `If-Range wants a strong match`() {
        let withTag = Validators(entityTag: tag, lastModified: modified)
        let withDate = Validators(lastModified: modified)
        let date = "Sun, 06 Nov 1994 08:49:37 GMT"
        #expect(Preconditions.rangeApplies(RequestHeaders([]), current: withTag))
        #expect(Preconditions.rangeApplies(RequestHeaders([("If-Range", "\"v1\"")]), current: withTag))
        #expect(!Preconditions.rangeApplies(RequestHeaders([("If-Range", "W/\"v1\"")]), current: withTag))
        #expect(!Preconditions.rangeApplies(RequestHeaders([("If-Range", date)]), current: withTag))
        #expect(Preconditions.rangeApplies(RequestHeaders([("If-Range", date)]), current: withDate))
        #expect(!Preconditions.rangeApplies(RequestHeaders([("If-Range", "x")]), current: withDate))
    }
}

@Suite struct HTTPRangeTests {
    @Test(arguments: [
        ("bytes=0-499", [0..<500]), ("bytes=500-999", [500..<1_000]), ("bytes=9500-", [9_500..<10_000]),
        ("bytes=-500", [9_500..<10_000]), ("bytes=-20000", [0..<10_000]), ("bytes=0-0,-1", [0..<1, 9_999..<10_000]),
        ("Bytes=0-99999999999999999999", [0..<10_000]), ("bytes=5-9,0-4", [0..<10]), ("bytes=0-9, 89-99", [0..<100]),
        ("bytes=0-9,90-99", [0..<10, 90..<100]), ("bytes=0-9,20000-", [0..<10]), ("bytes=0-,0-,0-", [0..<10_000]),
    ]) func `ranges are resolved, sorted and joined`(header: String, ranges: [Range<Int64>]) {
        #expect(ByteRanges(header, length: 10_000) == .parts(ranges))
    }

    @Test(arguments: [
        "bytes=9-5", "bytes=-", "bytes=", "bytes", "items=0-5", "bytes=0-5 6", "bytes=a-b", "bytes=0-5,,6-7",
        "bytes=+1-2",
        "bytes=" + Array(repeating: "0-0", count: 17).joined(separator: ","), "bytes 0-5", "",
    ]) func `what is malformed is overlooked`(header: String) {
        #expect(ByteRanges(header, length: 10_000) == .whole)
    }

    @Test func `no range within the length cannot be satisfied`() {
        #expect(ByteRanges("bytes=10-", length: 10) == .unsatisfiable)
        #expect(ByteRanges("bytes=-0", length: 10) == .unsatisfiable)
        #expect(ByteRanges("bytes=0-", length: 0) == .unsatisfiable)
        #expect(ByteRanges("bytes=-1", length: 0) == .whole)
        #expect(ByteRanges(nil, length: 10) == .whole)
        #expect(ByteRanges.contentRange(unsatisfiedOf: 10) == "bytes */10")
    }

    @Test func `several parts are framed as multipart`() {
        let parts = MultipartRanges([0..<2, 90..<100], of: 100, contentType: "text/plain", boundary: "XX")
        var body = Bytes()
        for range in parts.ranges {
            body += parts.head(of: range)
            body += Bytes(repeating: 0x2E, count: Int(range.upperBound - range.lowerBound))
        }
        body += parts.end
        #expect(Int64(body.count) == parts.contentLength)
        #expect(
            String(decoding: body, as: UTF8.self)
                == "\r\n--XX\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/100\r\n\r\n..\r\n--XX\r\n"
                + "Content-Type: text/plain\r\nContent-Range: bytes 90-99/100\r\n\r\n..........\r\n--XX--\r\n")
        #expect(parts.contentType == "multipart/byteranges; boundary=XX")
    }
}

@Suite struct HTTPFieldTests {
    @Test(arguments: [
        (nil, false), ("gzip", true), ("gzip, deflate, br", true), ("GZIP;Q=0.001", true), ("gzip;q=0", false),
        ("*", true), ("*;q=0", false), ("identity", false), ("identity, gzip;q=0.5", false), ("br", false),
        ("gzip;q=0.8, identity;q=0.5", true), ("*;q=0.5, gzip;q=0", false), ("x-gzip", true), ("gzip;q=2", false),
        ("gzip;q=0.0001", false), ("gzip;x=1", false), ("", false), (", gzip", true), ("gzip x", false),
    ]) func `gzip is used where it is wanted`(header: String?, isUsed: Bool) {
        #expect(ContentCoding(accepting: header) == (isUsed ? .gzip : .identity))
    }

    @Test func `cookies are read and broken ones left out`() {
        let cookies = Cookies(
            RequestHeaders([("Cookie", "a=1; b=\"2\";c=x=y; bad name=3; =4; d; e=\u{1}; a=9"), ("Cookie", "f=")]))
        #expect(cookies["a"] == "1")
        #expect(cookies["b"] == "2")
        #expect(cookies["c"] == "x=y")
        #expect(cookies["f"] == "")
        #expect(cookies["d"] == nil)
        #expect(cookies["e"] == nil)
        #expect(cookies.count == 5)
        let flood = String(repeating: "a=1;", count: 10_000)
        #expect(Cookies([flood]).count <= 64)
    }

    @Test func `a cookie is set with its attributes`() {
        var cookie = SetCookie("__Host-session", "abc")
        cookie.path = "/"
        cookie.maximumAge = .seconds(60)
        cookie.sameSite = .strict
        #expect(
            cookie.headerValue == "__Host-session=abc; Path=/; Max-Age=60; Secure; HttpOnly; SameSite=Strict")
        cookie.domain = "a"
        #expect(cookie.headerValue == nil)
        var plain = SetCookie("a", "b")
        plain.isSecure = false
        plain.isHTTPOnly = false
        #expect(plain.headerValue == "a=b; SameSite=Lax")
        plain.sameSite = .none
        #expect(plain.headerValue == nil)
        #expect(SetCookie("a", "b; Domain=x").headerValue == nil)
        #expect(SetCookie("a b", "").headerValue == nil)
        var forged = SetCookie("a", "b")
        forged.path = "/; Domain=x"
        #expect(forged.headerValue == nil)
    }

    @Test func `media types are compared without case and their parameters found`() throws {
        let type = try #require(MediaType("Text/HTML;Charset=\"utf-8\" ; a=\"x\\\"y\";"))
        #expect(type.essence == "text/html")
        #expect(type.parameter("charset") == "utf-8")
        #expect(type.parameter("a") == "x\"y")
        #expect(type.description == "text/html; charset=utf-8; a=\"x\\\"y\"")
        #expect(MediaType("application/problem+json")?.isJSON == true)
        #expect(MediaType("application/jsonx")?.isJSON == false)
    }

    @Test(arguments: [
        "", "text", "text/", "/html", "text/html x", "text/html;a", "text/html;a=", "text/html;a=1;A=2", "a b/c",
    ])
    func `a malformed media type is none`(text: String) {
        #expect(MediaType(text) == nil)
    }

    @Test func `file names are read from dispositions`() {
        #expect(ContentDisposition("Attachment; filename=\"a b.txt\"")?.kind == "attachment")
        #expect(ContentDisposition("attachment; filename=\"a b.txt\"")?.filename == "a b.txt")
        #expect(
            ContentDisposition("attachment; filename=x; filename*=UTF-8''%e2%82%ac%20rates")?.filename
                == "\u{20AC} rates")
        #expect(ContentDisposition("attachment; filename=x; filename*=utf-8'en'%ff")?.filename == "x")
        #expect(ContentDisposition("form-data; name=\"a%22b\"; filename=\"C:\\x\\\"y\"")?.name == "a\"b")
        #expect(ContentDisposition("form-data; name=\"a\"; filename=\"C:\\x\\\"y\"")?.filename == "C:\\x\"y")
        #expect(ContentDisposition("form-data; name=a; filename*=UTF-8''b")?.filename == nil)
        #expect(ContentDisposition("form-data; name=a; name=b") == nil)
        #expect(ContentDisposition("form-data; name=\"a") == nil)
    }

    @Test func `a download names its file in two ways`() {
        #expect(ContentDisposition.attachment("a b.txt") == "attachment; filename=\"a b.txt\"")
        #expect(
            ContentDisposition.attachment("\u{20AC}\"\r\n.txt", isInline: true)
                == "inline; filename=\"____.txt\"; filename*=UTF-8''%E2%82%AC%22%0D%0A.txt")
        let name = "\u{20AC} 100%.txt"
        #expect(ContentDisposition(ContentDisposition.attachment(name))?.filename == name)
    }
}

@Suite struct HTTPForwardedTests {
    private func client(
        _ trust: ProxyTrust, peer: String = "10.0.0.1", for list: String? = nil, proto: String? = nil,
        secure: Bool = false
    ) throws -> String {
        var headers: [(name: String, value: String)] = []
        if let list { headers.append(("X-Forwarded-For", list)) }
        if let proto { headers.append(("X-Forwarded-Proto", proto)) }
        let result = trust.client(
            peer: try #require(IPAddress(peer)), isSecure: secure, RequestHeaders(headers))
        return "\(result.address)\(result.isSecure ? " secure" : "")"
    }

    @Test func `nobody is believed by default`() throws {
        #expect(try client(.none, for: "1.1.1.1", proto: "https") == "10.0.0.1")
        #expect(try client(.hops(0), for: "1.1.1.1", proto: "https", secure: true) == "10.0.0.1 secure")
    }

    @Test func `hops are counted from the near end`() throws {
        #expect(try client(.hops(1), for: "9.9.9.9, 1.1.1.1", proto: "https") == "1.1.1.1 secure")
        #expect(try client(.hops(2), for: "9.9.9.9, 1.1.1.1, 10.0.0.2", proto: "https,http") == "1.1.1.1 secure")
        #expect(try client(.hops(5), for: "1.1.1.1") == "1.1.1.1")
        #expect(try client(.hops(1)) == "10.0.0.1")
        #expect(try client(.hops(2), for: "junk, 1.1.1.1") == "1.1.1.1")
    }

    @Test func `trusted networks are walked through`() throws {
        let trust = ProxyTrust.networks([try #require(IPNetwork("10.0.0.0/8"))])
        #expect(try client(trust, for: "9.9.9.9, 1.1.1.1, 10.2.3.4", proto: "https") == "1.1.1.1 secure")
        #expect(try client(trust, peer: "8.8.8.8", for: "1.1.1.1", proto: "https") == "8.8.8.8")
        #expect(try client(trust, peer: "::ffff:10.0.0.9", for: "[2001:db8::1]:443") == "2001:db8::1")
        #expect(try client(trust, for: "1.1.1.1:5555") == "1.1.1.1")
        #expect(try client(trust, for: "unknown") == "10.0.0.1")
        #expect(try client(trust, for: "2001:db8::2, [::1") == "10.0.0.1")
    }
}
