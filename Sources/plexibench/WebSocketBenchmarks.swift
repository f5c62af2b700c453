// plexibench ws-…: what WebSockets cost a server, ours or another.
//
//   ws-server     --port 9000                               our server with a channel: GET /sub, POST /pub
//   ws-idle       --url ws://127.0.0.1:9000/sub --sockets 10000 --hold 5 --pid PID
//   ws-handshakes --url ws://127.0.0.1:9000/sub --concurrency 64 --seconds 5 --pid PID
//   ws-fanout     --url ws://127.0.0.1:9000/sub --publish http://127.0.0.1:9000/pub --sockets 1000 --size 128
//                 --window 4 --seconds 5 --pid PID
//
// Every run is bounded in sockets and in time and exits with 1 when something fails. Pin client and server to a core
// each (`taskset -c`): the client uses one thread.

import Base
import Glibc
import Net
import Wire

func benchmarkIdleWebSockets() {
    runLoad { loop, done in
        IdleRun(on: loop, done)
    }
}

func benchmarkWebSocketFanout() {
    runLoad { loop, done in
        FanoutRun(on: loop, done)
    }
}

/// What a run tells at its end.
private typealias Finish = (Result<String, LoadError>) -> Void

private protocol LoadRun: AnyObject {
    func start() throws
}

/// Keeps the run alive. `@unchecked Sendable`: used on the loop's thread only.
private final class RunHolder: @unchecked Sendable { var run: (any LoadRun)? }

/// Opens as many descriptors as the system lets us, makes a loop, and runs `make`'s run on it to its end.
private func runLoad(_ make: @escaping @Sendable (Shard, @escaping Finish) -> any LoadRun) {
    raiseDescriptorLimit()
    runToEnd {
        let loop = try Shard()
        let holder = RunHolder()
        let text = try await withCheckedThrowingContinuation { (waiting: CheckedContinuation<String, any Error>) in
            loop.submit {
                var waiting: CheckedContinuation<String, any Error>? = waiting
                let finish: Finish = { result in
                    waiting?.resume(with: result.mapError { $0 as any Error })
                    waiting = nil
                }
                let made = make(loop, finish)
                holder.run = made
                do {
                    try made.start()
                } catch {
                    finish(.failure(LoadError("\(error)")))
                }
            }
        }
        print(text)
        loop.submit { holder.run = nil }
        loop.stop()
    }
}

func raiseDescriptorLimit() {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
}

/// Opens a number of sockets, some at a time, and tells when all are open.
private final class LoadCrowd {
    /// Connections that are being opened at one time: more would measure the listener's backlog.
    private static let atOnce = 128

    private let target: LoadTarget
    private let wanted: Int
    private let loop: Shard
    private let message: () -> Void
    private let allOpen: () -> Void
    private let failed: (LoadError) -> Void
    private var sockets: [LoadSocket] = []
    private var openCount = 0

    init(
        _ target: LoadTarget, count: Int, on loop: Shard, message: @escaping () -> Void = {},
        allOpen: @escaping () -> Void, failed: @escaping (LoadError) -> Void
    ) {
        self.target = target
        wanted = count
        self.loop = loop
        self.message = message
        self.allOpen = allOpen
        self.failed = failed
    }

    func start() throws {
        for _ in 0..<min(Self.atOnce, wanted) { try add() }
    }

    func reset() {
        for socket in sockets { socket.reset() }
        sockets = []
    }

    private func add() throws {
        sockets.append(
            try LoadSocket(
                target, headers: extraHeaders, on: loop, opened: { [unowned self] _ in opened() },
                message: { [unowned self] _ in message() },
                ended: { [unowned self] _, reason in failed(LoadError("socket of \(sockets.count): \(reason)")) }))
    }

    private func opened() {
        openCount += 1
        if openCount == wanted { return allOpen() }
        guard sockets.count < wanted else { return }
        do { try add() } catch { failed(LoadError("\(error)")) }
    }
}

/// `--header "Authorization: Bearer …"`.
private var extraHeaders: String { Arguments.value("header").map { $0 + "\r\n" } ?? "" }

private func target(_ name: String) throws(LoadError) -> LoadTarget {
    guard let url = Arguments.value(name) else { throw LoadError("--\(name) is missing") }
    return try LoadTarget(url)
}

private func rounded(_ value: Double) -> String {
    let tenths = Int((value * 10).rounded())
    return "\(tenths / 10).\(tenths % 10)"
}

// MARK: - Memory of idle sockets

private final class IdleRun: LoadRun {
    private let loop: Shard
    private let finish: Finish
    private let count = Arguments.integer("sockets", default: 10_000)
    private let server = WebSocketServerProcess.underTest
    private var before = 0
    private var crowd: LoadCrowd?

    init(on loop: Shard, _ finish: @escaping Finish) {
        self.loop = loop
        self.finish = finish
    }

    func start() throws {
        before = server?.residentBytes ?? 0
        crowd = LoadCrowd(
            try target("url"), count: count, on: loop, allOpen: { [unowned self] in hold() },
            failed: { [unowned self] in finish(.failure($0)) })
        try crowd?.start()
    }

    private func hold() {
        _ = loop.schedule(after: .seconds(Arguments.integer("hold", default: 5))) { [self] in
            let after = server?.residentBytes ?? 0
            crowd?.reset()
            let each = Double(after - before) / Double(count) / 1_024
            finish(
                .success(
                    "ws-idle: \(count) sockets; server RSS \(before >> 10) KiB before, \(after >> 10) KiB after: "
                        + "\(rounded(each)) KiB per socket"))
        }
    }
}

// MARK: - Handshakes

/// Without a loop: sockets are opened, written and read in batches by blocking calls, the fewest that a handshake can
/// cost its client, so that the server is what is measured.
func benchmarkWebSocketHandshakes() {
    do {
        print(try measureHandshakes())
    } catch {
        print("plexibench: \(error)")
        exit(1)
    }
}

private func measureHandshakes() throws -> String {
    let target = try target("url")
    let request = LoadHandshake.request(target, headers: extraHeaders)
    let batch = max(1, Arguments.integer("concurrency", default: 64))
    let server = WebSocketServerProcess.underTest
    let processorBefore = server?.processorSeconds ?? 0
    let begun = Instant.now()
    let end = begun + .seconds(Arguments.integer("seconds", default: 5))
    var count = 0
    while Instant.now() < end {
        try shakeHands(batch, target, request)
        count += batch
    }
    let elapsed = (Instant.now() - begun).inSeconds
    let processor = (server?.processorSeconds ?? 0) - processorBefore
    return "ws-handshakes: \(count) in \(rounded(elapsed)) s: \(Int(Double(count) / elapsed)) per second, "
        + "\(rounded(processor * 1e6 / Double(count))) µs of server time each"
}

private func shakeHands(_ count: Int, _ target: LoadTarget, _ request: Bytes) throws {
    var sockets: [BlockingSocket] = []
    for _ in 0..<count {
        let socket = try BlockingSocket(target)
        try socket.send(request)
        sockets.append(socket)
    }
    for socket in sockets {
        let answer = try socket.receiveHead()
        guard LoadHandshake.isAccepted(answer) else {
            throw LoadError("no WebSocket: \(String(decoding: answer.prefix(80), as: UTF8.self))")
        }
    }
}

// MARK: - Fan-out

/// Publishes over one kept-alive connection, so many messages ahead of what was delivered as `--window` says.
private final class FanoutRun: LoadRun {
    private let loop: Shard
    private let finish: Finish
    private let count = Arguments.integer("sockets", default: 1_000)
    private let window = max(1, Arguments.integer("window", default: 4))
    private let seconds = Arguments.integer("seconds", default: 5)
    private let server = WebSocketServerProcess.underTest
    private var crowd: LoadCrowd?
    private var publisher: LoadConnection?
    private var request = Bytes()
    private var published = 0
    private var answered = 0
    private var delivered = 0
    private var begun = Instant(nanoseconds: 0)
    private var processorBefore = 0.0
    private var isOver = false
    /// The tail of an answer's head, in which its end is looked for.
    private var recent: UInt32 = 0
    private var bodyLeft = 0
    private var head = Bytes()

    init(on loop: Shard, _ finish: @escaping Finish) {
        self.loop = loop
        self.finish = finish
    }

    func start() throws {
        let publish = try target("publish")
        let body = String(repeating: "x", count: Arguments.integer("size", default: 128))
        request = Bytes(
            """
            POST \(publish.path) HTTP/1.1\r\nHost: 127.0.0.1:\(publish.port)\r\nContent-Type: text/plain\r\n\
            \(extraHeaders)Content-Length: \(body.utf8.count)\r\n\r\n\(body)
            """.utf8)
        crowd = LoadCrowd(
            try target("url"), count: count, on: loop, message: { [unowned self] in oneDelivered() },
            allOpen: { [unowned self] in connectPublisher(publish) }, failed: { [unowned self] in fail($0) })
        try crowd?.start()
    }

    private func connectPublisher(_ target: LoadTarget) {
        do {
            publisher = try LoadConnection(
                target, on: loop, connected: { [unowned self] in begin() },
                received: { [unowned self] bytes in readAnswers(bytes) },
                ended: { [unowned self] in fail(LoadError("the publisher's connection ended")) })
        } catch {
            fail(LoadError("\(error)"))
        }
    }

    private func begin() {
        begun = .now()
        processorBefore = server?.processorSeconds ?? 0
        _ = loop.schedule(after: .seconds(seconds)) { [self] in end() }
        publish()
    }

    /// One request at a time; a server may not read a second one before it has answered the first.
    private func publish() {
        guard !isOver, answered == published, published * count - delivered < window * count else { return }
        published += 1
        publisher?.send(request)
    }

    private func oneDelivered() {
        delivered += 1
        if delivered % count == 0 { publish() }
    }

    private func readAnswers(_ bytes: Span<UInt8>) {
        var index = 0
        while index < bytes.count {
            if bodyLeft > 0 {
                let taken = min(bodyLeft, bytes.count - index)
                bodyLeft -= taken
                index += taken
                if bodyLeft == 0 { oneAnswered() }
                continue
            }
            head.append(bytes[index])
            recent = recent << 8 | UInt32(bytes[index])
            index += 1
            if recent == 0x0D0A_0D0A { finishHead() }
        }
    }

    private func finishHead() {
        let lines = String(decoding: head, as: UTF8.self).lowercased().split(whereSeparator: \.isNewline)
        head = []
        recent = 0
        guard let status = lines.first, status.hasPrefix("http/1.1 2") else {
            return fail(LoadError("publishing: \(lines.first ?? "")"))
        }
        let length = lines.first { $0.hasPrefix("content-length:") }?.dropFirst(15).drop { $0 == " " }
        bodyLeft = length.flatMap { Int($0) } ?? 0
        if bodyLeft == 0 { oneAnswered() }
    }

    private func oneAnswered() {
        answered += 1
        publish()
    }

    private func fail(_ error: LoadError) {
        guard !isOver else { return }
        isOver = true
        finish(.failure(error))
    }

    private func end() {
        guard !isOver else { return }
        isOver = true
        let elapsed = (Instant.now() - begun).inSeconds
        let processor = (server?.processorSeconds ?? 0) - processorBefore
        crowd?.reset()
        publisher?.reset()
        let perSecond = processor > 0 ? "\(Int(Double(delivered) / processor))" : "?"
        finish(
            .success(
                "ws-fanout: \(count) sockets, \(published) messages: \(Int(Double(delivered) / elapsed)) deliveries per "
                    + "second, \(perSecond) per server CPU-second"))
    }
}
