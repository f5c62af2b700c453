// How long the HTTP parser takes for one head: no sockets, one thread.

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
    print("\(Int(nanoseconds.rounded())) ns  \(name)")
}
