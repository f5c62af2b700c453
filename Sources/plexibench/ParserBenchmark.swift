// How long the HTTP parsers and writers take: no sockets, one thread.

import Base
import Wire

/// What wrk sends, and what a browser sends with a session.
private let requests: [(name: String, text: String)] = [
    ("wrk, 2 fields", "GET /api/v1/users/me HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n"),
    (
        "wrk with a token, 3 fields",
        "GET /api/v1/users/me HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nAuthorization: Bearer "
            + String(repeating: "eyJhbGciOiJFZERTQSJ9.", count: 12) + "\r\n\r\n"
    ),
    (
        "browser, 8 fields",
        """
        GET /v1/conversations/0197f1c2-4f5e-7cc0-8a53-1f0a9e1d2b3c/messages?limit=50 HTTP/1.1\r
        Host: chat.example.org\r
        User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r
        Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r
        Accept-Language: en-US,en;q=0.5\r
        Accept-Encoding: gzip, deflate, br, zstd\r
        Connection: keep-alive\r
        Cookie: session=0123456789abcdef0123456789abcdef0123456789abcdef; theme=dark\r
        Referer: https://chat.example.org/rooms/42\r
        \r

        """
    ),
]

func benchmarkParser() {
    for (name, text) in requests {
        let bytes = Bytes(text.utf8)
        report("head: \(name), \(bytes.count) bytes", best(of: 7, times: 200_000) { parseOnce(bytes) })
    }
    benchmarkLookup()
    benchmarkAnswer()
    benchmarkBodies()
}

/// What an authenticated route asks for, with the browser's eight fields.
private func benchmarkLookup() {
    var parser = RequestHeadParser()
    guard let head = try? parser.consume(Bytes(requests[2].text.utf8).span).head?.head else { return }
    report(
        "lookup: cookie found, authorization and origin absent",
        best(of: 7, times: 200_000) {
            (head.headers["cookie"]?.utf8.count ?? 0) + (head.headers["authorization"] == nil ? 1 : 0)
                + (head.headers["origin"] == nil ? 1 : 0)
        })
    report(
        "path in segments and query in pairs",
        best(of: 7, times: 200_000) {
            let segments = (try? URLPath.segments(head.path))?.count ?? 0
            return segments + ((try? Query(parsing: head.query))?.pairs.count ?? 0)
        })
}

private func benchmarkAnswer() {
    let date = Bytes("Sun, 06 Nov 1994 08:49:37 GMT".utf8)
    report(
        "answer: head with three fields",
        best(of: 7, times: 200_000) {
            var bytes = Bytes()
            ResponseHeadWriter.write(
                .ok,
                ResponseHeaders([
                    "Content-Type": "application/json", "ETag": "\"0123456789abcdef\"", "Vary": "Origin",
                ]),
                framing: .length(512), connection: .persistent, date: date, into: &bytes)
            return bytes.count
        })
}

/// Bodies of 1 MiB in pieces of 64 KiB, per KiB.
private func benchmarkBodies() {
    let piece = Bytes(repeating: 0x61, count: 64 << 10)
    var chunked = Bytes()
    for _ in 0..<16 { ChunkWriter.append(piece, into: &chunked) }
    report("chunked body, per KiB", best(of: 7, times: 200) { decodeOnce(chunked) } / 1_024)
    let form =
        Bytes("--B\r\nContent-Disposition: form-data; name=a\r\n\r\n".utf8)
        + (0..<16).flatMap { _ in piece } + Bytes("\r\n--B--".utf8)
    report("multipart body, per KiB", best(of: 7, times: 200) { readFormOnce(form) } / 1_024)
}

private func decodeOnce(_ bytes: Bytes) -> Int {
    var decoder = ChunkedDecoder()
    var position = 0
    var total = 0
    while case .data(let range)? = try? decoder.next(bytes.span, at: &position) { total += range.count }
    return total
}

private func readFormOnce(_ bytes: Bytes) -> Int {
    guard var parser = MultipartParser(boundary: "B") else { return 0 }
    var position = 0
    var total = 0
    while let event = try? parser.next(bytes.span, at: &position), event != .finished {
        if case .data(let range) = event { total += range.count }
    }
    return total
}

private func parseOnce(_ bytes: Bytes) -> Int {
    var parser = RequestHeadParser()
    guard let (consumed, head) = try? parser.consume(bytes.span), head != nil else { return 0 }
    return consumed
}

/// Nanoseconds per call: the fastest of several rounds, since whatever disturbs a round only makes it slower.
func best(of rounds: Int, times: Int, _ body: () -> Int) -> Double {
    var fastest = Double.infinity
    for _ in 0..<rounds {
        let start = Instant.now()
        var sum = 0
        for _ in 0..<times { sum &+= body() }
        let elapsed = Instant.now() - start
        precondition(sum != 0, "the measured code did nothing")
        fastest = min(fastest, Double(elapsed.nanoseconds) / Double(times))
    }
    return fastest
}

func report(_ name: String, _ nanoseconds: Double) {
    let tenths = Int((nanoseconds * 10).rounded())
    print("\(tenths / 10).\(tenths % 10) ns  \(name)")
}
