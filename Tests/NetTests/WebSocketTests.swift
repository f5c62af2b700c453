import Base
import Glibc
import Synchronization
import TestKit
import Testing
import Wire

@testable import Net

/// Keeps what happens, answers as told.
private final class Recorder: WebSocketHandler {
    private let log = Mutex<[String]>([])
    private let act: @Sendable (WebSocketMessage, WebSocket) -> Void
    private let slow: SlowReader

    init(slow: SlowReader = .close, _ act: @escaping @Sendable (WebSocketMessage, WebSocket) -> Void = { _, _ in }) {
        self.slow = slow
        self.act = act
    }

    var events: [String] { log.withLock { $0 } }

    func opened(_ socket: WebSocket) { log.withLock { $0.append("opened \(socket.subprotocol ?? "-")") } }

    func received(_ message: WebSocketMessage, on socket: WebSocket) {
        log.withLock { $0.append("received") }
        act(message, socket)
    }

    func closed(_ socket: WebSocket, code: UInt16, reason: String) {
        log.withLock { $0.append("closed \(code) \(reason)") }
    }

    func isTooSlow(_ socket: WebSocket) -> SlowReader {
        log.withLock { $0.append("slow") }
        return slow
    }

    func writable(_ socket: WebSocket) { log.withLock { $0.append("writable") } }

    /// Waits until the last event begins so, for two seconds at most.
    func waits(for prefix: String) async throws -> Bool {
        for _ in 0..<400 {
            if events.last?.hasPrefix(prefix) == true { return true }
            try await Task.sleep(for: .milliseconds(5))
        }
        return false
    }
}

@Sendable private func echo(_ message: WebSocketMessage, _ socket: WebSocket) {
    switch message {
    case .text(let text): socket.send(text)
    case .binary(let bytes): socket.send(bytes)
    }
}

private struct SocketService: HTTPService {
    let acceptance: WebSocketAcceptance

    func respond(to request: HTTPRequest) async -> HTTPResponse {
        HTTPResponse(.switchingProtocols, body: .webSocket(acceptance))
    }

    func refuse(_ fault: HTTPFault, path: String?) -> HTTPResponse {
        HTTPResponse(fault.status, body: .bytes(Bytes("\(fault.reason)|\(fault.field ?? "-")".utf8)))
    }
}

/// The client's end: masks its frames, and shows what it gets.
private final class SocketClient {
    let http: LoopbackClient
    let answer: ReceivedAnswer
    private var receiver: WebSocketReceiver
    private var unread = Bytes()
    private var offset = 0
    private let pool = CompressionPool()

    init(_ port: UInt16, headers: String = "", early: Bytes = []) throws {
        http = try LoopbackClient(port: port)
        try http.send(
            Bytes(
                """
                GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\(headers)\r\n
                """.utf8) + early)
        answer = try http.receiveHead()
        receiver = WebSocketReceiver(.client, messageLimit: 16 << 20, allowsCompression: true)
    }

    func send(_ opcode: WebSocketOpcode, _ payload: Bytes, isFinal: Bool = true, isCompressed: Bool = false) throws {
        try http.send(
            WebSocketFrame.encode(
                opcode, payload, isFinal: isFinal, isCompressed: isCompressed, mask: UInt32.random(in: 1...UInt32.max)))
    }

    func sendCompressed(_ payload: Bytes) throws {
        try send(.text, try #require(pool.compressMessage(payload)), isCompressed: true)
    }

    /// `nil` when the connection has ended.
    func next() throws -> WebSocketEvent? {
        while true {
            let bytes = unread
            if let event = try receiver.next(bytes.span, &offset) { return event }
            unread = try http.receive()
            offset = 0
            if unread.isEmpty { return nil }
        }
    }

    func close(_ code: WebSocketCloseCode = .normal) throws {
        try send(.close, WebSocketFrame.closePayload(code, ""))
    }
}

private func withSockets(
    _ handler: Recorder, timing: WebSocketTiming = WebSocketTiming(), messageLimit: Int = 64 << 10,
    queueLimit: Int = 1 << 20, subprotocol: String? = nil, _ body: (UInt16, HTTPServer) async throws -> Void
) async throws {
    let group = try ShardGroup(count: 1)
    let service = SocketService(
        acceptance: WebSocketAcceptance(
            subprotocol: subprotocol, messageLimit: messageLimit, queueLimit: queueLimit, timing: timing,
            handler: handler))
    let server = try await HTTPServer.start(
        [.init(.tcp(IPAddress(v4: 0x7F00_0001), port: 0))], service: service, on: group)
    let port = try #require(server.listening[0].endpoint.port)
    do {
        try await body(port, server)
    } catch {
        Issue.record(error)
    }
    await server.stop(within: .seconds(1))
    group.stop()
}

@Suite struct WebSocketTests {
    private let long = String(repeating: "a message that is worth compressing; ", count: 100)

    @Test func `the handshake answers the key, and messages are echoed`() async throws {
        let handler = Recorder(echo)
        try await withSockets(handler) { port, _ in
            let client = try SocketClient(port)
            #expect(client.answer.status == 101)
            #expect(client.answer.header("sec-websocket-accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
            #expect(client.answer.header("upgrade") == "websocket")
            #expect(client.answer.header("connection") == "Upgrade")
            #expect(client.answer.header("sec-websocket-extensions") == nil)
            try client.send(.text, Bytes("héllo".utf8))
            #expect(try client.next() == .text("héllo"))
            try client.send(.binary, Bytes(repeating: 7, count: 60_000))
            #expect(try client.next() == .binary(Bytes(repeating: 7, count: 60_000)))
            try client.send(.ping, [1, 2])
            #expect(try client.next() == .pong([1, 2]))
            try client.close(WebSocketCloseCode(4001))
            #expect(try client.next() == .close(WebSocketCloseCode(4001), reason: ""))
            #expect(try client.http.isEndedByServer())
        }
        #expect(handler.events == ["opened -", "received", "received", "closed 4001 "])
    }

    @Test func `frames that come with the handshake are not lost`() async throws {
        try await withSockets(Recorder(echo)) { port, _ in
            let client = try SocketClient(port, early: [0x81, 0x82, 1, 2, 3, 4, 0x69, 0x6B])
            #expect(try client.next() == .text("hi"))
        }
    }

    @Test func `a malformed handshake is refused in the service's words`() async throws {
        try await withSockets(Recorder()) { port, _ in
            let http = try LoopbackClient(port: port)
            try http.send("GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
            let answer = try http.receiveAnswer()
            #expect(answer.status == 400)
            #expect(answer.text == "exactly one key is wanted|Sec-WebSocket-Key")
            let old = try LoopbackClient(port: port)
            try old.send(
                """
                GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 8\r\n\r\n
                """)
            let upgrade = try old.receiveAnswer()
            #expect(upgrade.status == 426)
            #expect(upgrade.header("sec-websocket-version") == "13")
        }
    }

    @Test(arguments: [("chat, calls", "calls" as String?), ("chat", nil), ("", nil)])
    func `only a subprotocol that was offered is named`(_ offered: String, _ expected: String?) async throws {
        let handler = Recorder()
        try await withSockets(handler, subprotocol: "calls") { port, _ in
            let client = try SocketClient(
                port, headers: offered.isEmpty ? "" : "Sec-WebSocket-Protocol: \(offered)\r\n")
            #expect(client.answer.header("sec-websocket-protocol") == expected)
        }
        #expect(handler.events.first == "opened \(expected ?? "-")")
    }

    @Test func `messages are compressed both ways when that was negotiated`() async throws {
        try await withSockets(Recorder(echo)) { port, _ in
            let client = try SocketClient(
                port, headers: "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n")
            #expect(client.answer.header("sec-websocket-extensions")?.hasPrefix("permessage-deflate") == true)
            for _ in 0..<3 {
                try client.sendCompressed(Bytes(long.utf8))
                guard case .compressed(let payload, isText: true) = try client.next() else {
                    Issue.record("the echo is not compressed")
                    return
                }
                #expect(payload.count < long.utf8.count / 10)
                #expect(try CompressionPool().decompressMessage(payload, limit: 10_000) == Bytes(long.utf8))
            }
            try client.send(.text, Bytes("short".utf8))
            #expect(try client.next() == .text("short"))
        }
    }

    @Test func `a bomb is closed with 1009, bad data and bad text with 1007`() async throws {
        let handler = Recorder(echo)
        try await withSockets(handler) { port, _ in
            let offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n"
            let bomb = try SocketClient(port, headers: offer)
            try bomb.sendCompressed(Bytes(repeating: 0x61, count: 10 << 20))
            #expect(try bomb.next() == .close(.messageTooBig, reason: "the message is too long"))
            let noise = try SocketClient(port, headers: offer)
            try noise.send(.binary, [0xFF, 0xFF, 0xFF], isCompressed: true)
            #expect(try noise.next() == .close(.invalidPayload, reason: "the message does not decompress"))
            let text = try SocketClient(port, headers: offer)
            try text.sendCompressed(Bytes(repeating: 0xFF, count: 100))
            #expect(try text.next() == .close(.invalidPayload, reason: "text is not valid UTF-8"))
        }
        #expect(!handler.events.contains("received"))
    }

    @Test func `a client at fault is told why, and its connection ends`() async throws {
        let handler = Recorder(echo)
        try await withSockets(handler, messageLimit: 100) { port, _ in
            let unmasked = try SocketClient(port)
            try unmasked.http.send([0x81, 0x00])
            #expect(try unmasked.next() == .close(.protocolError, reason: "a client must mask its frames"))
            #expect(try unmasked.http.isEndedByServer())
            let long = try SocketClient(port)
            try long.http.send([0x82, 0xFE, 0x01, 0x00, 0, 0, 0, 0])
            #expect(try long.next() == .close(.messageTooBig, reason: "the message is too long"))
        }
        #expect(handler.events.contains("closed 1002 a client must mask its frames"))
        #expect(handler.events.contains("closed 1009 the message is too long"))
    }

    @Test func `our close waits for the peer's, and reports its code`() async throws {
        let handler = Recorder { _, socket in
            socket.close(WebSocketCloseCode(4002), "enough")
            socket.send("never sent")
        }
        try await withSockets(handler) { port, _ in
            let client = try SocketClient(port)
            try client.send(.text, [])
            #expect(try client.next() == .close(WebSocketCloseCode(4002), reason: "enough"))
            try client.send(.text, Bytes("too late".utf8))
            try client.close(WebSocketCloseCode(4003))
            #expect(try client.http.isEndedByServer())
        }
        #expect(handler.events == ["opened -", "received", "closed 4003 "])
    }

    @Test func `a peer that does not answer our close is cut off`() async throws {
        var timing = WebSocketTiming()
        timing.closeTimeout = .milliseconds(30)
        let handler = Recorder { _, socket in socket.close(.policyViolation, "go") }
        try await withSockets(handler, timing: timing) { port, _ in
            let client = try SocketClient(port)
            try client.send(.text, [])
            #expect(try client.next() == .close(.policyViolation, reason: "go"))
            #expect(try client.next() == nil)
            #expect(try await handler.waits(for: "closed 1008 go"))
        }
    }

    @Test func `a silent peer is pinged, and cut off when it stays silent`() async throws {
        var timing = WebSocketTiming()
        timing.pingInterval = .milliseconds(30)
        timing.pongTimeout = .seconds(1)
        let handler = Recorder()
        try await withSockets(handler, timing: timing) { port, _ in
            let client = try SocketClient(port)
            for _ in 0..<3 {
                #expect(try client.next() == .ping([]))
                try client.send(.pong, [])
            }
            #expect(handler.events == ["opened -"])
            #expect(try client.next() == .ping([]))
            #expect(try client.next() == nil)
            #expect(try await handler.waits(for: "closed 1006 the peer does not answer"))
        }
    }

    @Test func `a peer that breaks off is reported once as 1006`() async throws {
        let handler = Recorder()
        try await withSockets(handler) { port, _ in
            do {
                let client = try SocketClient(port)
                client.http.finishSending()
                #expect(try client.next() == nil)
            }
            #expect(try await handler.waits(for: "closed"))
        }
        #expect(handler.events == ["opened -", "closed 1006 the peer broke off"])
    }

    @Test func `a stopping server says 1001`() async throws {
        let handler = Recorder()
        try await withSockets(handler) { port, server in
            let client = try SocketClient(port)
            #expect(try await handler.waits(for: "opened"))
            async let stopped: Void = server.stop(within: .seconds(5))
            #expect(try client.next() == .close(.goingAway, reason: "the server stops"))
            try client.close(.goingAway)
            await stopped
        }
        #expect(handler.events == ["opened -", "closed 1001 "])
    }

    /// Sends without end to a client that does not read.
    private func flood(_ slow: SlowReader) -> Recorder {
        Recorder(slow: slow) { _, socket in
            for _ in 0..<400 { socket.send(Bytes(repeating: 1, count: 50_000)) }
        }
    }

    @Test func `a slow reader is closed with 1008 and cut off`() async throws {
        var timing = WebSocketTiming()
        timing.closeTimeout = .milliseconds(50)
        let handler = flood(.close)
        try await withSockets(handler, timing: timing, queueLimit: 200_000) { port, _ in
            let client = try SocketClient(port)
            client.http.shrinkReceiveBuffer()
            try client.send(.text, [])
            #expect(try await handler.waits(for: "closed"))
        }
        #expect(handler.events == ["opened -", "received", "slow", "closed 1008 too slow a reader"])
    }

    @Test func `a handler may skip messages of a slow reader, and learns when it can go on`() async throws {
        let handler = Recorder(slow: .skip) { _, socket in
            for _ in 0..<5 { socket.send(Bytes(repeating: 1, count: 50_000)) }
            socket.callWhenWritable()
        }
        try await withSockets(handler, queueLimit: 120_000) { port, _ in
            let client = try SocketClient(port)
            try client.send(.text, [])
            for _ in 0..<2 { #expect(try client.next() == .binary(Bytes(repeating: 1, count: 50_000))) }
            #expect(try await handler.waits(for: "writable"))
            try client.close()
        }
        #expect(handler.events.prefix(6) == ["opened -", "received", "slow", "slow", "slow", "writable"])
    }

    @Test func `one frame goes to many sockets, compressed where it may be`() async throws {
        let sockets = Mutex<[WebSocket]>([])
        let handler = Recorder { _, socket in
            let all = sockets.withLock { sockets in
                sockets.append(socket)
                return sockets
            }
            guard all.count == 3 else { return }
            let frame = SharedFrame(text: String(repeating: "to all of you; ", count: 100))
            for socket in all { socket.send(frame) }
        }
        try await withSockets(handler) { port, _ in
            let plain = try SocketClient(port)
            let narrow = try SocketClient(
                port, headers: "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=9\r\n")
            let wide = try SocketClient(port, headers: "Sec-WebSocket-Extensions: permessage-deflate\r\n")
            for client in [plain, narrow, wide] { try client.send(.text, []) }
            let expected = String(repeating: "to all of you; ", count: 100)
            #expect(try plain.next() == .text(expected))
            #expect(try narrow.next() == .text(expected))
            guard case .compressed(let payload, isText: true) = try wide.next() else {
                Issue.record("not compressed")
                return
            }
            #expect(try CompressionPool().decompressMessage(payload, limit: 10_000) == Bytes(expected.utf8))
            sockets.withLock { $0 = [] }
        }
    }
}
