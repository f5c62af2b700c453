import Base
import Testing

@testable import Wire

/// The data of a chunked body and where it ends; the same in pieces of any size, or the test fails.
func decodeChunks(
    _ bytes: Bytes, limits: HTTPLimits = HTTPLimits(), sourceLocation: SourceLocation = #_sourceLocation
) -> Result<(data: Bytes, end: Int?), HTTPParseError> {
    let whole = decode(bytes, pieces: max(bytes.count, 1), limits)
    for size in [1, 2, 7] {
        #expect("\(decode(bytes, pieces: size, limits))" == "\(whole)", sourceLocation: sourceLocation)
    }
    return whole
}

private func decode(
    _ bytes: Bytes, pieces size: Int, _ limits: HTTPLimits
) -> Result<(data: Bytes, end: Int?), HTTPParseError> {
    var decoder = ChunkedDecoder(limits: limits)
    var data = Bytes()
    do throws(HTTPParseError) {
        for start in stride(from: 0, to: bytes.count, by: size) {
            let piece = Bytes(bytes[start..<min(bytes.count, start + size)])
            var position = 0
            while true {
                let event = try decoder.next(piece.span, at: &position)
                if case .data(let range) = event {
                    data += piece[range]
                } else if event == .end {
                    return .success((data, start + position))
                } else {
                    break
                }
            }
        }
        return .success((data, nil))
    } catch {
        return .failure(error)
    }
}

@Suite struct HTTPChunkTests {
    @Test func `data, extensions and trailers are told apart`() throws {
        let body = "3;a;b=c\r\nabc\r\n00A;x=\"q\\\"; \"\r\n0123456789\r\n0;z\r\nX-T: y\r\nContent-Length: 9\r\n\r\n"
        let (data, end) = try decodeChunks(Bytes((body + "GET").utf8)).get()
        #expect(data == Bytes("abc0123456789".utf8))
        #expect(end == body.utf8.count)
    }

    @Test func `data is not copied, only pointed at`() throws {
        var decoder = ChunkedDecoder()
        let bytes = Bytes("5\r\nhel".utf8)
        var position = 0
        #expect(try decoder.next(bytes.span, at: &position) == .data(3..<6))
        #expect(try decoder.next(bytes.span, at: &position) == .incomplete)
        let rest = Bytes("lo\r\n0\r\n\r\n".utf8)
        position = 0
        #expect(try decoder.next(rest.span, at: &position) == .data(0..<2))
        #expect(!decoder.isComplete)
        #expect(try decoder.next(rest.span, at: &position) == .end)
        #expect(decoder.isComplete)
    }

    @Test(arguments: [
        "0x3\r\n", "+3\r\n", "-3\r\n", "0_3\r\n", " 3\r\n", "3 \r\n", "3 ;a\r\n", "3; a\r\n", "3;\r\n", "3;;a\r\n",
        "3;a=\r\n",
        "3;a=b=c\r\n", "3;=b\r\n", "3;a=\"b\"c\r\n", "3;a=\"b\r\n", "3;a=\"b\\\u{1}\"\r\n", "g\r\n", "\r\n", "3\n",
        "3\rabc",
        "3\r\nabcd\r\n", "3\r\nabc\n", "3\r\nabc\rx", "100000003\r\n", "000000000\r\n", "0\n\n", "0\r\n X: y\r\n",
        "0\r\nX\r\n",
        "0\r\nX : y\r\n", "0\r\n: y\r\n", "0\r\nX: \u{0}\r\n", "0\r\nX: y\n", "0\r\n\n", "0\r\n\rx", "3;a\rX\r\n",
    ]) func `a malformed chunk is refused`(body: String) {
        guard case .failure(let error) = decodeChunks(Bytes(body.utf8)) else {
            Issue.record("accepted")
            return
        }
        #expect(error.status == .badRequest)
        #expect(error.field == "Transfer-Encoding" || body.hasPrefix("0"))
    }

    @Test func `extensions are bounded over the whole body`() throws {
        var limits = HTTPLimits()
        limits.chunkExtensionBytes = 6
        let fits = "1;ab\r\nx\r\n1;cd\r\ny\r\n0\r\n\r\n"
        #expect(try decodeChunks(Bytes(fits.utf8), limits: limits).get().end == fits.utf8.count)
        guard case .failure = decodeChunks(Bytes("1;ab\r\nx\r\n1;cde\r\n".utf8), limits: limits) else {
            Issue.record("accepted")
            return
        }
    }

    @Test func `trailers are bounded`() throws {
        var limits = HTTPLimits()
        limits.trailerBytes = 5
        let fits = "0\r\nX: y\r\n\r\n"
        #expect(try decodeChunks(Bytes(fits.utf8), limits: limits).get().end == fits.utf8.count)
        guard case .failure(let error) = decodeChunks(Bytes("0\r\nX: yz\r\n\r\n".utf8), limits: limits) else {
            Issue.record("accepted")
            return
        }
        #expect(error.status == .headerFieldsTooLarge)
    }
}

@Suite struct HTTPResponseTests {
    private func written(
        _ status: HTTPStatus, _ framing: ResponseFraming, _ connection: ConnectionOption, date: String = ""
    ) -> String {
        var bytes = Bytes()
        ResponseHeadWriter.write(
            status, ResponseHeaders(["X-Name": "value\r\nX-Forged: 1"]), framing: framing, connection: connection,
            date: Bytes(date.utf8), into: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test func `a head is written with its framing`() {
        #expect(
            written(.ok, .length(0), .persistent, date: "Sun, 06 Nov 1994 08:49:37 GMT")
                == "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nX-Name: value  X-Forged: 1\r\n"
                + "Content-Length: 0\r\n\r\n")
        #expect(
            written(.notFound, .chunked, .close)
                == "HTTP/1.1 404 Not Found\r\nX-Name: value  X-Forged: 1\r\nTransfer-Encoding: chunked\r\n"
                + "Connection: close\r\n\r\n")
        #expect(written(.noContent, .none, .keepAlive).hasSuffix("1\r\nConnection: keep-alive\r\n\r\n"))
        #expect(written(.switchingProtocols, .none, .upgrade).hasSuffix("1\r\nConnection: Upgrade\r\n\r\n"))
    }

    @Test func `what the chunk writer frames, the decoder reads`() throws {
        var bytes = Bytes()
        var wanted = Bytes()
        for size in [1, 15, 16, 255, 256, 70_000, 0] {
            let data = Bytes(repeating: UInt8(size & 0xFF), count: size)
            ChunkWriter.append(data, into: &bytes)
            wanted += data
        }
        bytes += ChunkWriter.bodyEnd
        let (data, end) = try decodeChunks(bytes).get()
        #expect(data == wanted)
        #expect(end == bytes.count)
        var head = Bytes()
        ChunkWriter.begin(0x1A2B, into: &head)
        #expect(head == Bytes("1a2b\r\n".utf8))
    }
}
