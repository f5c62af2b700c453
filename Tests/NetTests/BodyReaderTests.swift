import Base
import Crypto
import Glibc
import Net
import Synchronization
import TestKit
import Testing
import Wire

/// Bodies that are read on another thread than their connection's, as uploads are.
@Suite struct BodyReaderTests {
    private static let host = "Host: a\r\n"

    /// Hashes on a thread of its own what it is sent, slowly where the test says so, and tells what it saw.
    private final class HashingService: HTTPService {
        let pool: BlockingPool
        private let mayGoOn: Mutex<Bool>
        private let heard = Mutex<(bytes: Int, ends: Int)>((0, 0))

        init(_ pool: BlockingPool, waits: Bool = false) {
            self.pool = pool
            mayGoOn = Mutex(!waits)
        }

        func goOn() { mayGoOn.withLock { $0 = true } }
        var observed: (bytes: Int, ends: Int) { heard.withLock { $0 } }

        func respond(to request: HTTPRequest) async -> HTTPResponse {
            let body = request.body.observed { [self] piece in
                heard.withLock { if let piece { $0.bytes += piece.count } else { $0.ends += 1 } }
            }
            let answer = await withTaskExecutorPreference(pool) { await read(body) }
            return HTTPResponse(.ok, body: .bytes(Bytes(answer.utf8)))
        }

        @concurrent private func read(_ body: RequestBody) async -> String {
            var hash = SHA256Stream()
            var count = 0
            do throws(RequestBodyError) {
                while let piece = try await body.next() {
                    hash.update(piece)
                    count += piece.count
                    while !mayGoOn.withLock({ $0 }) { try? await Task.sleep(for: .milliseconds(1)) }
                }
            } catch {
                return "\(count) bytes, then \(error)"
            }
            return Hex.encode(hash.finish())
        }

        func refuse(_ fault: HTTPFault, path: String?) -> HTTPResponse { HTTPResponse(fault.status) }
    }

    private func with(
        waits: Bool = false, _ body: (HashingService, UInt16) async throws -> Void
    ) async throws {
        let pool = try BlockingPool(name: "test-reader", threads: 1, queueLimit: 1)
        let service = HashingService(pool, waits: waits)
        let group = try ShardGroup(count: 1)
        let server = try await HTTPServer.start(
            [.init(.tcp(IPAddress(v4: 0x7F00_0001), port: 0))], service: service, on: group)
        var failure: (any Error)?
        do {
            try await body(service, server.listening[0].endpoint.port ?? 0)
        } catch {
            failure = error
        }
        service.goOn()
        await server.stop(within: .milliseconds(200))
        group.stop()
        pool.stop()
        if let failure { throw failure }
    }

    private static func content(_ count: Int) -> Bytes {
        var state: UInt32 = 7
        return Bytes(
            unsafeUninitializedCapacity: count,
            initializingWith: { buffer, filled in
                for index in 0..<count {
                    state = state &* 1_664_525 &+ 1_013_904_223
                    buffer[index] = UInt8(truncatingIfNeeded: state >> 24)
                }
                filled = count
            })
    }

    @Test func `every byte comes, in order, however it is sent`() async throws {
        let content = Self.content(5 << 20)
        let expected = Hex.encode(SHA256.hash(content))
        try await with { service, port in
            let client = try LoopbackClient(port: port)
            for sizes in [[content.count], [1, 100, 70_000, 3, 300_000]] {
                try client.send("POST / HTTP/1.1\r\n\(Self.host)Content-Length: \(content.count)\r\n\r\n")
                var sent = 0
                var turn = 0
                while sent < content.count {
                    let end = min(content.count, sent + sizes[turn % sizes.count])
                    try client.send(Bytes(content[sent..<end]))
                    (sent, turn) = (end, turn + 1)
                }
                #expect(try client.receiveAnswer().text == expected)
            }
            try client.send("POST / HTTP/1.1\r\n\(Self.host)Transfer-Encoding: chunked\r\n\r\n")
            for start in stride(from: 0, to: content.count, by: 200_000) {
                let piece = content[start..<min(content.count, start + 200_000)]
                try client.send(Bytes("\(String(piece.count, radix: 16))\r\n".utf8) + piece + Bytes("\r\n".utf8))
            }
            try client.send("0\r\n\r\n")
            #expect(try client.receiveAnswer().text == expected)
            #expect([service.observed.bytes, service.observed.ends] == [3 * content.count, 3])
        }
    }

    @Test func `no more is read ahead than a window`() async throws {
        let content = Self.content(40 << 20)
        try await with(waits: true) { service, port in
            let client = try LoopbackClient(port: port, timeout: .seconds(1))
            try client.send("POST / HTTP/1.1\r\n\(Self.host)Content-Length: \(content.count)\r\n\r\n")
            var sent = 0
            // The kernel's buffers hold some megabytes beside it.
            #expect(throws: SystemError.self) {
                while sent < content.count {
                    try client.send(Bytes(content[sent..<min(content.count, sent + (64 << 10))]))
                    sent += 64 << 10
                }
            }
            #expect(sent < 16 << 20)
        }
    }

    @Test func `what came before a break is read, and then the break`() async throws {
        let content = Self.content(300_000)
        try await with { service, port in
            let client = try LoopbackClient(port: port)
            try client.send("POST / HTTP/1.1\r\n\(Self.host)Content-Length: 900000\r\n\r\n")
            try client.send(content)
            client.finishSending()
            let answer = try client.receiveAnswer().text
            #expect(answer.hasPrefix("300000 bytes, then aborted"))
            #expect([service.observed.bytes, service.observed.ends] == [300_000, 0])
        }
    }
}
