// `plexibench logins --port N --users N --prefix TEXT --password TEXT --token TEXT [--rate N] [--seconds N]`:
// what a GET costs while passwords are hashed.
//
// Every user logs in over and over on a connection of their own, so that as many logins are in flight all the time.
// Beside them GETs are due at a fixed rate, and each is timed from the moment it was due: one that had to wait for a
// free connection, because those before it hung, waits in the figures too. One thread and `poll`, so that the client
// takes little from the server; `poll` may wake it up to a millisecond late, and that counts against the server.

import Base
import Glibc
import Wire

func benchmarkLogins() {
    signal(SIGPIPE, SIG_IGN)
    do {
        var benchmark = try LoginBenchmark()
        try benchmark.run()
        benchmark.report()
    } catch {
        print("plexibench: \(error)")
        exit(1)
    }
}

private struct LoginBenchmark: ~Copyable {
    /// GETs that may be in flight at one time; more wait.
    private static let getConnections = 16

    private let seconds = Arguments.integer("seconds", default: 10)
    private let interval: Duration
    private let getRequest: Bytes
    private let loginRequests: [Bytes]
    private var gets: [PolledConnection] = []
    private var logins: [PolledConnection] = []
    /// When the GETs that no connection was free for were due.
    private var waiting: [Instant] = []
    private var getDurations: [Duration] = []
    private var loginCount = 0
    private var failures = 0

    init() throws {
        let port = UInt16(clamping: Arguments.integer("port", default: 8000))
        let users = Arguments.integer("users", default: 50)
        let host = "Host: 127.0.0.1:\(port)\r\n"
        interval = .nanoseconds(1_000_000_000 / max(1, Arguments.integer("rate", default: 200)))
        let token = Arguments.value("token") ?? ""
        getRequest = Bytes("GET /api/v1/users/me HTTP/1.1\r\n\(host)Authorization: Bearer \(token)\r\n\r\n".utf8)
        let prefix = Arguments.value("prefix") ?? ""
        let password = Arguments.value("password") ?? ""
        loginRequests = (0..<users).map { Self.login(host, name: "\(prefix)\($0)", password) }
        for _ in 0..<Self.getConnections { gets.append(try PolledConnection(port: port)) }
        for _ in 0..<users { logins.append(try PolledConnection(port: port)) }
    }

    private static func login(_ host: String, name: String, _ password: String) -> Bytes {
        var json = JSONWriter()
        json.object { json in
            json.field("username", name)
            json.field("password", password)
        }
        let head = "POST /api/v1/auth/login HTTP/1.1\r\n\(host)Content-Type: application/json\r\n"
        return Bytes("\(head)Content-Length: \(json.bytes.count)\r\n\r\n".utf8) + json.bytes
    }

    mutating func run() throws {
        try warmUp()
        var now = Instant.now()
        let end = now + .seconds(seconds)
        var nextGet = now
        while now < end {
            while nextGet <= now {
                waiting.append(nextGet)
                nextGet = nextGet + interval
            }
            try sendWhatIsDue(now)
            try waitForAnswers(until: nextGet, now)
            now = .now()
        }
    }

    /// One request on each connection: a server closes those that never send one.
    private func warmUp() throws {
        for connection in gets {
            try connection.send(getRequest, due: .now())
            while try connection.receive() == nil {}
        }
    }

    private mutating func sendWhatIsDue(_ now: Instant) throws {
        for (login, request) in zip(logins, loginRequests) where !login.isBusy { try login.send(request, due: now) }
        for get in gets where !get.isBusy && !waiting.isEmpty {
            try get.send(getRequest, due: waiting.removeFirst())
        }
    }

    private mutating func waitForAnswers(until deadline: Instant, _ now: Instant) throws {
        var polled = (gets + logins).map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
        let milliseconds = Int32(clamping: ((deadline - now).nanoseconds + 999_999) / 1_000_000)
        guard poll(&polled, nfds_t(polled.count), milliseconds) >= 0 || errno == EINTR else {
            throw SystemError("poll")
        }
        for (index, entry) in polled.enumerated() where entry.revents != 0 {
            if index < gets.count { try receiveGet(gets[index]) } else { try receiveLogin(logins[index - gets.count]) }
        }
    }

    private mutating func receiveGet(_ connection: PolledConnection) throws {
        guard let status = try connection.receive() else { return }
        getDurations.append(.now() - connection.due)
        if status != 200 { failures += 1 }
    }

    private mutating func receiveLogin(_ connection: PolledConnection) throws {
        guard let status = try connection.receive() else { return }
        if status == 200 { loginCount += 1 } else { failures += 1 }
    }

    func report() {
        let latencies = Latencies()
        // What was due and never sent, or never answered, is not left out: it took at least this long.
        let end = Instant.now()
        let unanswered = waiting + gets.filter(\.isBusy).map(\.due)
        latencies.add(getDurations + unanswered.map { end - $0 })
        let tenths = loginCount * 10 / max(1, seconds)
        print("GET: \(getDurations.count) answers, \(latencies.summary)")
        print("logins: \(tenths / 10).\(tenths % 10)/s")
        guard failures == 0 else {
            print("plexibench: \(failures) answers were not 200")
            exit(1)
        }
    }
}

/// A connection to the loopback that carries one request at a time.
private final class PolledConnection {
    let descriptor: Int32
    private(set) var isBusy = false
    private(set) var due = Instant.now()
    private var received = Bytes()

    init(port: UInt16) throws(SystemError) {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw SystemError("make a socket") }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard code == 0 else { throw SystemError("connect to port \(port)") }
        var on: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
    }

    deinit { close(descriptor) }

    /// Requests are shorter than any socket buffer: one call takes them whole.
    func send(_ request: Bytes, due: Instant) throws(SystemError) {
        guard write(descriptor, request, request.count) == request.count else { throw SystemError("send a request") }
        self.due = due
        isBusy = true
    }

    /// The status, once the whole answer is here.
    func receive() throws(SystemError) -> Int? {
        var piece = Bytes(repeating: 0, count: 16 << 10)
        let count = read(descriptor, &piece, piece.count)
        guard count > 0 else { throw SystemError("read an answer", code: count == 0 ? ECONNRESET : errno) }
        received += piece.prefix(count)
        guard let status = finishedAnswer() else { return nil }
        received.removeAll(keepingCapacity: true)
        isBusy = false
        return status
    }

    private func finishedAnswer() -> Int? {
        guard let head = received.firstRange(of: Array("\r\n\r\n".utf8)) else { return nil }
        let lines = String(decoding: received[..<head.lowerBound], as: UTF8.self).split(separator: "\r\n")
        let length = lines.lazy.map { $0.split(separator: ":", maxSplits: 1) }
            .first { $0[0].lowercased() == "content-length" }?.last
        guard let length, let count = Int(length.drop { $0 == " " }) else { return nil }
        guard received.count - head.upperBound >= count else { return nil }
        return lines[0].split(separator: " ").dropFirst().first.flatMap { Int($0) }
    }
}
