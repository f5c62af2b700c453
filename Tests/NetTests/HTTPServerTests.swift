import Base
import Crypto
import Glibc
import Net
import Synchronization
import TestKit
import Testing
import Wire

/// Answers by path; what a test wants to know of the request is in the answer.
private struct TestService: HTTPService {
    var other: @Sendable (HTTPRequest) async -> HTTPResponse = { _ in HTTPResponse(.notFound) }

    func respond(to request: HTTPRequest) async -> HTTPResponse {
        switch request.head.path {
        case "/hello": return text("hello")
        case "/echo":
            do {
                return text(String(decoding: try await request.body.collect(upTo: 1 << 20), as: UTF8.self))
            } catch {
                return fault(error)
            }
        case "/count":
            do {
                var count = 0
                while let piece = try await request.body.next() { count += piece.count }
                return text("\(count)")
            } catch {
                return fault(error)
            }
        case "/ignore": return text("ignored")
        case "/from": return text("\(request.connection.remoteAddress.exposed) \(request.connection.isSecure)")
        case "/path": return text(request.head.query ?? "")
        default: return await other(request)
        }
    }

    private func fault(_ error: RequestBodyError) -> HTTPResponse {
        switch error {
        case .tooLarge(let limit): text("more than \(limit)", .contentTooLarge)
        case .aborted(let fault): text(fault.reason, fault.status)
        }
    }

    func refuse(_ fault: HTTPFault, path: String?) -> HTTPResponse {
        text("\(fault.reason)|\(fault.field ?? "-")|\(path ?? "-")", fault.status)
    }
}

private func text(_ text: String, _ status: HTTPStatus = .ok) -> HTTPResponse {
    HTTPResponse(status, headers: ResponseHeaders(["Content-Type": "text/plain"]), body: .bytes(Bytes(text.utf8)))
}

/// A server for the time of one test.
private func withServer(
    _ options: HTTPServer.Options = HTTPServer.Options(), shards: Int = 1, tls: TLSReloader? = nil,
    _ other: @escaping @Sendable (HTTPRequest) async -> HTTPResponse = { _ in HTTPResponse(.notFound) },
    _ body: (UInt16, HTTPServer) async throws -> Void
) async throws {
    let group = try ShardGroup(count: shards)
    let server = try await HTTPServer.start(
        [.init(.tcp(IPAddress(v4: 0x7F00_0001), port: 0), isSecure: tls != nil)],
        service: TestService(other: other), on: group, options: options, tls: tls)
    let port = server.listening[0].endpoint.port ?? 0
    do {
        try await body(port, server)
    } catch {
        await server.stop(within: .zero)
        group.stop()
        throw error
    }
    await server.stop(within: .milliseconds(200))
    #expect(server.connectionCount == 0)
    group.stop()
}

private let host = "Host: localhost\r\n"

@Suite(.serialized) struct HTTPServerTests {
    @Test func `answers, and keeps the connection`() async throws {
        try await withServer { port, _ in
            let client = try LoopbackClient(port: port)
            for _ in 0..<3 {
                try client.send("GET /hello HTTP/1.1\r\n\(host)\r\n")
                let answer = try client.receiveAnswer()
                #expect(answer.status == 200)
                #expect(answer.text == "hello")
                #expect(answer.header("content-length") == "5")
                #expect(answer.header("date")?.hasSuffix(" GMT") == true)
                #expect(answer.header("connection") == nil)
            }
        }
    }

    @Test func `reads a request that comes byte by byte`() async throws {
        try await withServer { port, _ in
            let client = try LoopbackClient(port: port)
            for byte in Bytes("POST /echo HTTP/1.1\r\n\(host)Content-Length: 3\r\n\r\nabc".utf8) {
                try client.send([byte])
                usleep(200)
            }
            #expect(try client.receiveAnswer().text == "abc")
        }
    }

    @Test func `answers pipelined requests in order, bodies among them`() async throws {
        try await withServer { port, _ in
            let client = try LoopbackClient(port: port)
            var requests = ""
            for number in 0..<200 {
                requests += "POST /echo HTTP/1.1\r\n\(host)Content-Length: 3\r\n\r\n\(100 + number)"
                requests += "GET /path?\(number) HTTP/1.1\r\n\(host)\r\n"
            }
            try client.send(requests)
            for number in 0..<200 {
                #expect(try client.receiveAnswer().text == "\(100 + number)")
                #expect(try client.receiveAnswer().text == "\(number)")
            }
        }
    }

    @Test func `pipelined requests are answered when the client has shut its half`() async throws {
        try await withServer { port, _ in
            let client = try LoopbackClient(port: port)
            try client.send(String(repeating: "GET /hello HTTP/1.1\r\n\(host)\r\n", count: 5))
            client.finishSending()
            for _ in 0..<5 { #expect(try client.receiveAnswer().text == "hello") }
            #expect(try client.isEndedByServer())
        }
    }

    @Test func `does not read further requests than it can keep while one is answered`() async throws {
        let gate = Gauge()
        try await withServer { _ in
            while gate.current == 0 { try? await Task.sleep(for: .milliseconds(1)) }
            return text("slow")
        } _: { port, server in
            let client = try LoopbackClient(port: port, timeout: .seconds(1))
            try client.send("GET /slow HTTP/1.1\r\n\(host)\r\n")
            // The kernel's buffers take some megabytes; a server that kept reading would take all of this.
            let more = Bytes(String(repeating: "GET /hello HTTP/1.1\r\n\(host)\r\n", count: 4_000).utf8)
            #expect(throws: SystemError.self) {
                for _ in 0..<200 { try client.send(more) }
            }
            gate.set(1)
            #expect(try client.receiveAnswer().text == "slow")
            #expect(try client.receiveAnswer().text == "hello")
        }
    }

    @Test func `reads chunked bodies of any shape`() async throws {
        try await withServer { port, _ in
            let client = try LoopbackClient(port: port)
            let head = "POST /echo HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\n"
            try client.send(head + "3\r\nabc\r\n0\r\n\r\n")
            #expect(try client.receiveAnswer().text == "abc")
            for byte in Bytes((head + "2;x=y\r\nde\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n").utf8) {
                try client.send([byte])
                usleep(100)
            }
            #expect(try client.receiveAnswer().text == "de0123456789")
        }
    }

    @Test func `a wrong chunk ends the body with a fault, and the connection`() async throws {
        try await withServer { port, _ in
            let client = try LoopbackClient(port: port)
            try client.send("POST /echo HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n")
            let answer = try client.receiveAnswer()
            #expect(answer.status == 400)
            #expect(answer.header("connection") == "close")
            #expect(try client.isEndedByServer())
        }
    }

    @Test func `reads large bodies no faster than they are wanted`() async throws {
        try await withServer { port, _ in
            let client = try LoopbackClient(port: port)
            let size = 20 << 20
            try client.send("POST /count HTTP/1.1\r\n\(host)Content-Length: \(size)\r\n\r\n")
            for _ in 0..<20 { try client.send(Bytes(repeating: 7, count: 1 << 20)) }
            #expect(try client.receiveAnswer().text == "\(size)")
        }
    }

    @Test func `stops reading when the reader of a body is slow`() async throws {
        let gate = Gauge()
        try await withServer { request in
            while gate.current == 0 { try? await Task.sleep(for: .milliseconds(1)) }
            var count = 0
            while let piece = try? await request.body.next() { count += piece.count }
            return text("\(count)")
        } _: { port, _ in
            let client = try LoopbackClient(port: port, timeout: .seconds(1))
            let size = 64 << 20
            try client.send("POST /slow HTTP/1.1\r\n\(host)Content-Length: \(size)\r\n\r\n")
            var sent = 0
            let piece = Bytes(repeating: 7, count: 256 << 10)
            #expect(throws: SystemError.self) {
                while sent < size {
                    try client.send(piece)
                    sent += piece.count
                }
            }
            #expect(sent < 32 << 20)
            gate.set(1)
        }
    }

    @Test func `a body over the reader's limit is refused before it is read`() async throws {
        try await withServer { port, _ in
            let client = try LoopbackClient(port: port)
            try client.send("POST /echo HTTP/1.1\r\n\(host)Content-Length: 3000000\r\n\r\n")
            let answer = try client.receiveAnswer()
            #expect(answer.status == 413)
            #expect(answer.header("connection") == "close")
        }
    }

    @Test func `a small body that nobody read is dropped and the connection goes on`() async throws {
        try await withServer { port, _ in
            let client = try LoopbackClient(port: port)
            try client.send("POST /ignore HTTP/1.1\r\n\(host)Content-Length: 5\r\n\r\n")
            #expect(try client.receiveAnswer().text == "ignored")
            try client.send("12345GET /hello HTTP/1.1\r\n\(host)\r\n")
            #expect(try client.receiveAnswer().text == "hello")
        }
    }

    @Test func `sends 100 Continue when the body is asked for`() async throws {
        try await withServer { port, _ in
            let client = try LoopbackClient(port: port)
            let expecting = "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n"
            try client.send("POST /echo HTTP/1.1\r\n\(host)\(expecting)")
            #expect(try client.receiveAnswer().status == 100)
            try client.send("abc")
            #expect(try client.receiveAnswer().text == "abc")

            try client.send("POST /ignore HTTP/1.1\r\n\(host)\(expecting)")
            let answer = try client.receiveAnswer()
            #expect(answer.text == "ignored")
            #expect(answer.header("connection") == "close")
        }
    }

    @Test func `an expectation that it does not know gets 417`() async throws {
        try await withServer { port, _ in
            let client = try LoopbackClient(port: port)
            try client.send("POST /echo HTTP/1.1\r\n\(host)Expect: a-miracle\r\nContent-Length: 3\r\n\r\n")
            #expect(try client.receiveAnswer().status == 417)
        }
    }

    @Test func `answers HEAD as GET, without the body`() async throws {
        try await withServer { port, _ in
            let client = try LoopbackClient(port: port)
            try client.send("HEAD /hello HTTP/1.1\r\n\(host)\r\nGET /hello HTTP/1.1\r\n\(host)\r\n")
            #expect(try client.receiveAnswer(toHead: true).header("content-length") == "5")
            #expect(try client.receiveAnswer().text == "hello")
        }
    }

    @Test func `closes after an answer to HTTP 1.0, unless asked to stay`() async throws {
        try await withServer { port, _ in
            let staying = try LoopbackClient(port: port)
            try staying.send("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            #expect(try staying.receiveAnswer().header("connection") == "keep-alive")
            try staying.send("GET /hello HTTP/1.0\r\n\r\n")
            #expect(try staying.receiveAnswer().header("connection") == "close")
            #expect(try staying.isEndedByServer())
        }
    }

    @Test func `refuses bad framing in the service's words and closes so that they can be read`() async throws {
        try await withServer { port, _ in
            let client = try LoopbackClient(port: port)
            try client.send("POST /echo HTTP/1.1\r\n\(host)Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc")
            let answer = try client.receiveAnswer()
            #expect(answer.status == 400)
            #expect(answer.text == "Content-Length is given more than once|Content-Length|/echo")
            #expect(answer.header("connection") == "close")
            // Still sending: the answer must not be lost to a reset.
            try? client.send(Bytes(repeating: 0, count: 100_000))
            #expect(try client.isEndedByServer())
            #expect(!client.wasReset)
        }
    }

    @Test func `a slow head gets 408`() async throws {
        var options = HTTPServer.Options()
        options.headerTimeout = .milliseconds(100)
        try await withServer(options) { port, _ in
            let client = try LoopbackClient(port: port)
            try client.send("GET /hello HT")
            let answer = try client.receiveAnswer()
            #expect(answer.status == 408)
            #expect(try client.isEndedByServer())
        }
    }

    @Test func `a slow body gets 408`() async throws {
        var options = HTTPServer.Options()
        options.bodyRateWindow = .milliseconds(100)
        try await withServer(options) { port, _ in
            let client = try LoopbackClient(port: port)
            try client.send("POST /echo HTTP/1.1\r\n\(host)Content-Length: 1000\r\n\r\nabc")
            #expect(try client.receiveAnswer().status == 408)
            #expect(try client.isEndedByServer())
        }
    }

    @Test func `idle connections are closed without a word`() async throws {
        var options = HTTPServer.Options()
        options.headerTimeout = .milliseconds(50)
        options.idleTimeout = .milliseconds(100)
        try await withServer(options) { port, _ in
            let unused = try LoopbackClient(port: port)
            let used = try LoopbackClient(port: port)
            try used.send("GET /hello HTTP/1.1\r\n\(host)\r\n")
            #expect(try used.receiveAnswer().status == 200)
            #expect(try unused.isEndedByServer())
            #expect(try used.isEndedByServer())
        }
    }

    @Test func `what clients did before they were accepted is not lost`() async throws {
        var options = HTTPServer.Options()
        options.headerTimeout = .milliseconds(400)
        options.idleTimeout = .milliseconds(400)
        let isBusy = Atomic<Bool>(false)
        try await withServer(options) { _ in
            isBusy.store(true, ordering: .relaxed)
            usleep(100_000)  // holds the only thread, so that nobody is accepted meanwhile
            return text("done")
        } _: { port, _ in
            let busy = try LoopbackClient(port: port)
            try busy.send("GET /busy HTTP/1.1\r\n\(host)\r\n")
            while !isBusy.load(ordering: .relaxed) { try await Task.sleep(for: .milliseconds(1)) }
            let clients = try (0..<5).map { _ in try LoopbackClient(port: port) }
            for client in clients.prefix(2) { try client.send("GET /hello HTTP/1.1\r\n\(host)\r\n") }
            clients[1].finishSending()
            try clients[2].send("GET /hello HTTP/1.1\r\n")
            try clients[3].send("GET /hello HTTP/1.1\r\n\(host)\r\n")
            clients[3].reset()
            // The last says nothing.
            #expect(try busy.receiveAnswer().text == "done")
            for client in clients.prefix(2) { #expect(try client.receiveAnswer().text == "hello") }
            #expect(try clients[1].isEndedByServer())
            #expect(try clients[2].receiveAnswer().status == 408)
            #expect(try clients[0].isEndedByServer())
            #expect(try clients[4].isEndedByServer())
        }
    }

    @Test func `a client that takes nothing is cut off`() async throws {
        var options = HTTPServer.Options()
        options.transport.writeStall = .milliseconds(200)
        try await withServer(options) { _ in
            HTTPResponse(.ok, body: .bytes(Bytes(repeating: 1, count: 64 << 20)))
        } _: { port, server in
            let client = try LoopbackClient(port: port)
            try client.send("GET /much HTTP/1.1\r\n\(host)\r\n")
            for _ in 0..<100 where server.connectionCount != 0 { try await Task.sleep(for: .milliseconds(20)) }
            for _ in 0..<100 where server.connectionCount > 0 { try await Task.sleep(for: .milliseconds(20)) }
            #expect(server.connectionCount == 0)
        }
    }

    @Test func `asks a stream for more only as the client takes it`() async throws {
        let asked = Counter()
        try await withServer { _ in
            HTTPResponse(
                .ok,
                body: .stream(
                    length: nil,
                    next: {
                        asked.increment()
                        return asked.current <= 1_000 ? Bytes(repeating: 65, count: 64 << 10) : nil
                    }))
        } _: { port, _ in
            let client = try LoopbackClient(port: port)
            try client.send("GET /stream HTTP/1.1\r\n\(host)\r\n")
            try await Task.sleep(for: .milliseconds(300))
            #expect(asked.current < 200)  // the kernel's buffers, and little more
            let answer = try client.receiveAnswer()
            #expect(answer.body.count == 1_000 * 64 << 10)
            #expect(answer.header("transfer-encoding") == "chunked")
        }
    }

    @Test func `a stream with a length has one, and one that fails ends the connection`() async throws {
        struct Failure: Error {}
        try await withServer { request in
            let isGood = request.head.path == "/good"
            let given = Counter()
            return HTTPResponse(
                .ok,
                body: .stream(
                    length: 10,
                    next: {
                        given.increment()
                        if given.current <= 2 { return Bytes(repeating: 65, count: 5) }
                        if given.current == 3, isGood { return nil }
                        throw Failure()
                    }))
        } _: { port, _ in
            let client = try LoopbackClient(port: port)
            try client.send("GET /good HTTP/1.1\r\n\(host)\r\n")
            let answer = try client.receiveAnswer()
            #expect(answer.header("content-length") == "10")
            #expect(answer.text == "AAAAAAAAAA")
            try client.send("GET /bad HTTP/1.1\r\n\(host)\r\n")
            #expect(try client.receiveAnswer().body.count == 10)
            #expect(try client.isEndedByServer())
        }
    }

    @Test func `a stream to HTTP 1.0 ends with the connection`() async throws {
        try await withServer { _ in
            let given = Counter()
            return HTTPResponse(
                .ok,
                body: .stream(
                    length: nil,
                    next: {
                        given.increment()
                        return given.current <= 3 ? Bytes("abc".utf8) : nil
                    }))
        } _: { port, _ in
            let client = try LoopbackClient(port: port)
            try client.send("GET /stream HTTP/1.0\r\n\r\n")
            #expect(try client.receiveAnswer().text == "abcabcabc")
        }
    }

    @Test func `cancels the request of a client that goes away`() async throws {
        let cancelled = Gauge()
        try await withServer { _ in
            try? await Task.sleep(for: .seconds(10))
            cancelled.set(Task.isCancelled ? 1 : 2)
            return text("too late")
        } _: { port, _ in
            let client = try LoopbackClient(port: port)
            try client.send("GET /long HTTP/1.1\r\n\(host)\r\n")
            try await Task.sleep(for: .milliseconds(20))
            client.reset()
            for _ in 0..<200 where cancelled.current == 0 { try await Task.sleep(for: .milliseconds(10)) }
            #expect(cancelled.current == 1)
        }
    }

    @Test func `an upload that breaks off tells its reader`() async throws {
        let seen = Mutex<RequestBodyError?>(nil)
        try await withServer { request in
            do throws(RequestBodyError) {
                _ = try await request.body.collect(upTo: 1_000)
            } catch {
                seen.withLock { $0 = error }
            }
            return text("")
        } _: { port, _ in
            let client = try LoopbackClient(port: port)
            try client.send("POST /up HTTP/1.1\r\n\(host)Content-Length: 10\r\n\r\nabc")
            client.finishSending()
            _ = try client.receiveAll()
            let error = seen.withLock { $0 }
            #expect(
                error == .aborted(HTTPFault(.badRequest, "the client broke off within the body")))
        }
    }

    @Test func `compresses what pays, for who takes it`() async throws {
        let long = String(repeating: "compressible ", count: 20_000)
        try await withServer { request in
            var response = text(request.head.path == "/short" ? "short" : long)
            response.headers.add("ETag", "\"v1\"")
            return response
        } _: { port, _ in
            let client = try LoopbackClient(port: port)
            let accepting = "\(host)Accept-Encoding: gzip\r\n\r\n"
            try client.send("GET /short HTTP/1.1\r\n\(accepting)")
            #expect(try client.receiveAnswer().header("content-encoding") == nil)

            try client.send("GET /long HTTP/1.1\r\n\(host)\r\n")
            let plain = try client.receiveAnswer()
            #expect(plain.text == long)
            #expect(plain.header("vary") == "Accept-Encoding")
            #expect(plain.header("etag") == "\"v1\"")

            try client.send("GET /long HTTP/1.1\r\n\(accepting)")
            let compressed = try client.receiveAnswer()
            #expect(compressed.header("content-encoding") == "gzip")
            #expect(compressed.header("etag") == "W/\"v1\"")
            #expect(compressed.body.count < long.utf8.count / 20)
            var output = Bytes()
            _ = try Inflater(.gzip)?.decompress(compressed.body, into: &output, limit: 1 << 20)
            #expect(String(decoding: output, as: UTF8.self) == long)
        }
    }

    @Test func `a stream is compressed and each piece comes through at once`() async throws {
        let gate = Gauge()
        try await withServer { _ in
            let given = Counter()
            return HTTPResponse(
                .ok, headers: ResponseHeaders(["Content-Type": "text/event-stream"]),
                body: .stream(
                    length: nil,
                    next: {
                        given.increment()
                        if given.current == 2 {
                            while gate.current == 0 { try await Task.sleep(for: .milliseconds(1)) }
                        }
                        return given.current <= 2 ? Bytes("data: \(given.current)\n\n".utf8) : nil
                    }))
        } _: { port, _ in
            let client = try LoopbackClient(port: port)
            try client.send("GET /events HTTP/1.1\r\n\(host)Accept-Encoding: gzip\r\n\r\n")
            #expect(try client.receiveHead().header("content-encoding") == "gzip")
            let first = try client.receive()
            #expect(!first.isEmpty)
            gate.set(1)
            let rest = try client.receiveExactly(30)
            #expect(rest.count == 30)
        }
    }

    @Test func `a file is sent whole`() async throws {
        let path = "/tmp/plexi-net-test-\(getpid())"
        let contents = Bytes((0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7) })
        let descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC, 0o600)
        _ = contents.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        unlink(path)
        let file = OpenFile(owning: descriptor)
        try await withServer { _ in
            HTTPResponse(.ok, body: .file(FileRegion(file: file, offset: 10, length: 2_999_990)))
        } _: { port, _ in
            let client = try LoopbackClient(port: port)
            try client.send("GET /file HTTP/1.1\r\n\(host)\r\nGET /hello HTTP/1.1\r\n\(host)\r\n")
            #expect(try client.receiveAnswer().body == Bytes(contents[10...]))
            #expect(try client.receiveAnswer().text == "hello")
        }
    }

    @Test func `counts connections per address, and refuses the rest`() async throws {
        var options = HTTPServer.Options()
        options.connectionsPerAddress = 3
        try await withServer(options) { port, server in
            var clients: [LoopbackClient] = []
            for _ in 0..<3 { clients.append(try LoopbackClient(port: port)) }
            let refused = try LoopbackClient(port: port)
            #expect(try refused.isEndedByServer())
            #expect(server.connectionCount == 3)
            clients.removeLast()
            for _ in 0..<100 where server.connectionCount == 3 { try await Task.sleep(for: .milliseconds(5)) }
            let next = try LoopbackClient(port: port)
            try next.send("GET /hello HTTP/1.1\r\n\(host)\r\n")
            #expect(try next.receiveAnswer().text == "hello")
        }
    }

    @Test func `ten thousand connections leave nothing behind`() async throws {
        var options = HTTPServer.Options()
        options.connections = 100
        try await withServer(options, shards: 2) { port, server in
            for round in 0..<100 {
                let clients = try (0..<100).map { _ in try LoopbackClient(port: port) }
                #expect(server.connectionCount <= 100)
                if round % 10 == 0, let client = clients.first {
                    _ = try? client.send("GET /hello HTTP/1.1\r\n\(host)\r\n")
                }
            }
            for _ in 0..<200 where server.connectionCount > 0 { try await Task.sleep(for: .milliseconds(10)) }
            #expect(server.connectionCount == 0)
        }
    }

    @Test func `believes trusted proxies about the client, and nobody else`() async throws {
        let forwarded = "X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: https\r\n"
        var options = HTTPServer.Options()
        try await withServer(options) { port, _ in
            let client = try LoopbackClient(port: port)
            try client.send("GET /from HTTP/1.1\r\n\(host)\(forwarded)\r\n")
            #expect(try client.receiveAnswer().text == "127.0.0.1 false")
        }
        options.proxies = .networks([IPNetwork("127.0.0.0/8")].compactMap { $0 })
        try await withServer(options) { port, _ in
            let client = try LoopbackClient(port: port)
            try client.send("GET /from HTTP/1.1\r\n\(host)\(forwarded)\r\n")
            #expect(try client.receiveAnswer().text == "203.0.113.7 true")
        }
    }

    @Test func `stops after the answers in progress`() async throws {
        let gate = Gauge()
        try await withServer { _ in
            gate.set(1)
            try? await Task.sleep(for: .milliseconds(100))
            return text("finished")
        } _: { port, server in
            let idle = try LoopbackClient(port: port)
            let busy = try LoopbackClient(port: port)
            try busy.send("GET /work HTTP/1.1\r\n\(host)\r\n")
            while gate.current == 0 { try await Task.sleep(for: .milliseconds(1)) }
            async let stopped: Void = server.stop(within: .seconds(5))
            #expect(try idle.isEndedByServer())
            let answer = try busy.receiveAnswer()
            #expect(answer.text == "finished")
            #expect(answer.header("connection") == "close")
            #expect(try busy.isEndedByServer())
            await stopped
            #expect(throws: (any Error).self) { try LoopbackClient(port: port) }
        }
    }

    @Test func `cuts what does not end within the limit`() async throws {
        try await withServer { _ in
            try? await Task.sleep(for: .seconds(60))
            return text("never")
        } _: { port, server in
            let client = try LoopbackClient(port: port)
            try client.send("GET /never HTTP/1.1\r\n\(host)\r\n")
            try await Task.sleep(for: .milliseconds(20))
            let clock = ContinuousClock()
            let taken = await clock.measure { await server.stop(within: .milliseconds(100)) }
            #expect(taken < .seconds(2))
            #expect(try client.isEndedByServer())
        }
    }

    @Test func `a port that is served already is an error`() async throws {
        try await withServer { port, _ in
            let group = try ShardGroup(count: 1)
            await #expect(throws: SystemError.self) {
                try await HTTPServer.start(
                    [.init(.tcp(IPAddress(v4: 0x7F00_0001), port: port))], service: TestService(), on: group)
            }
            group.stop()
        }
    }

    @Test func `serves on a socket path`() async throws {
        let group = try ShardGroup(count: 2)
        let path = "/tmp/plexi-net-test-\(getpid()).sock"
        let server = try await HTTPServer.start([.init(.unix(path: path))], service: TestService(), on: group)
        for _ in 0..<4 {
            let client = try LoopbackClient(unixPath: path)
            try client.send("GET /from HTTP/1.1\r\n\(host)\r\n")
            #expect(try client.receiveAnswer().text == "unix false")
        }
        await server.stop(within: .milliseconds(100))
        #expect(access(path, F_OK) != 0)
        group.stop()
    }
}
