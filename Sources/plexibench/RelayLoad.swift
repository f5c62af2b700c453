// plexibench relay-load: clients of a relay that send video as browsers do, and a peer that sends it back as a media
// server does. One line of JSON says what came back, how old it was, and what the relay's process used meanwhile.
//
//   --server 127.0.0.1:3478   --transport udp|tcp|tls|dtls|none   --process PID   --clients 30   --seconds 5
//   --packets 8   --rate 30   --length 1200   --gathers 0|1
//
// The relay's shared secret is the environment's PLEXI_RELAY_SECRET. `none` leaves the relay out: what is measured then
// is the generator itself. Everything is one thread, so that a relay on another core is not disturbed by it.

import Base
import Glibc
import Net
import Relay
import Wire

private struct RelayLoadOptions: Sendable {
    let server: TransportAddress
    /// `nil` for none.
    let url: RelayURL?
    let credentials: RelayClientCredentials?
    let process = pid_t(Arguments.integer("process", default: 0))
    let clients = max(1, Arguments.integer("clients", default: 30))
    let seconds = max(1, Arguments.integer("seconds", default: 5))
    let gathers = Arguments.integer("gathers", default: 1) != 0

    init() throws(SystemError) {
        let name = Arguments.value("transport") ?? "udp"
        guard name != "none" else {
            (server, url, credentials) = (TransportAddress(IPAddress(v4: 0x7F00_0001), 0), nil, nil)
            return
        }
        guard let transport = RelayURL.Transport(rawValue: name),
            case .tcp(let ip, let port)? = Endpoint(Arguments.value("server") ?? "127.0.0.1:3478")
        else { throw SystemError("read --transport and --server", code: EINVAL) }
        server = TransportAddress(ip, port)
        url = RelayURL(transport, host: "\(ip)", port: port)
        guard let secret = getenv("PLEXI_RELAY_SECRET") else {
            throw SystemError("find PLEXI_RELAY_SECRET in the environment", code: ENOENT)
        }
        let username = "\(Timestamp.now().secondsSinceEpoch + 3_600):bench"
        credentials = RelayClientCredentials(
            username: username,
            password: RelaySecrets(Secret(text: String(cString: secret))).password(of: Bytes(username.utf8)))
    }
}

/// `@unchecked Sendable`: everything is touched on the loop's thread only.
private final class RelayLoad: @unchecked Sendable {
    /// Allocations, handshakes and channels of everybody.
    private static let connectLimit = Duration.seconds(20)
    /// After it caches are warm and everybody has found its rhythm.
    private static let warmUp = Duration.seconds(1)
    /// What is on its way when the sending stops has come by then, or is lost.
    private static let settling = Duration.milliseconds(300)

    private let options: RelayLoadOptions
    private let loop: Shard
    private let peer: RelayLoadPeer
    private var clients: [RelayLoadClient] = []
    private var timer: (any ScheduledTimer)?
    private var before = (processor: UInt64(0), peer: 0)
    private var isOver = false

    init(_ options: RelayLoadOptions, on loop: Shard) throws(SystemError) {
        self.options = options
        self.loop = loop
        peer = try RelayLoadPeer(gathers: options.gathers, on: loop)
        let shape = RelayLoadShape()
        for _ in 0..<options.clients {
            clients.append(
                RelayLoadClient(
                    options.url, at: options.server, options.credentials, peer: peer.address, shape, on: loop))
        }
    }

    func run(_ ended: @escaping (Result<String, SystemError>) -> Void) {
        for client in clients { client.open() }
        awaitEverybody(until: .now() + Self.connectLimit, ended)
    }

    private func after(_ delay: Duration, _ action: @escaping () -> Void) {
        timer = loop.schedule(after: delay, action)
    }

    private func awaitEverybody(until limit: Instant, _ ended: @escaping (Result<String, SystemError>) -> Void) {
        for client in clients {
            guard case .failed(let reason) = client.phase else { continue }
            return ended(.failure(SystemError("become a client of the relay: \(reason)", code: ECONNREFUSED)))
        }
        guard clients.contains(where: { $0.phase != .ready }) else { return begin(ended) }
        guard .now() < limit else {
            return ended(.failure(SystemError("become clients of the relay", code: ETIMEDOUT)))
        }
        after(.milliseconds(10)) { [self] in awaitEverybody(until: limit, ended) }
    }

    /// We never sleep while we measure: waking us would cost the relay, and of no network does it.
    private func stayAwake() {
        guard !isOver else { return }
        loop.submit { [self] in stayAwake() }
    }

    private func begin(_ ended: @escaping (Result<String, SystemError>) -> Void) {
        stayAwake()
        let now = Instant.now()
        // Spread over an interval, as people are.
        for (index, client) in clients.enumerated() {
            client.begin(at: now + .microseconds(Int64(index &* 7_919 % 33_333)))
        }
        after(Self.warmUp) { [self] in measure(ended) }
    }

    private func measure(_ ended: @escaping (Result<String, SystemError>) -> Void) {
        let counts = totals
        before = (processor, peer.received)
        for client in clients { client.isTimed = true }
        after(.seconds(options.seconds)) { [self] in
            for client in clients { client.pause() }
            after(Self.settling) { [self] in ended(.success(report(since: counts))) }
        }
    }

    /// What the relay's process has used so far, threads that have ended among it.
    private var processor: UInt64 {
        var clock = clockid_t()
        var time = timespec()
        guard options.process > 0, clock_getcpuclockid(options.process, &clock) == 0, clock_gettime(clock, &time) == 0
        else { return 0 }
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    private var totals: (sent: Int, returned: Int, skipped: Int) {
        clients.reduce((0, 0, 0)) { ($0.0 + $1.sent, $0.1 + $1.returned, $0.2 + $1.skipped) }
    }

    private func report(since counts: (sent: Int, returned: Int, skipped: Int)) -> String {
        let (sent, returned) = (totals.sent - counts.sent, totals.returned - counts.returned)
        // Each way through the relay is a packet that it relayed.
        let relayed = peer.received - before.peer + returned
        let nanoseconds = processor &- before.processor
        let sorted = clients.flatMap(\.latencies).sorted()
        func microseconds(_ share: Double) -> Double {
            sorted.isEmpty ? 0 : Double(sorted[Int(Double(sorted.count - 1) * share)]) / 1_000
        }
        let each = relayed > 0 ? Double(nanoseconds) / Double(relayed) / 1_000 : 0
        return "{\"sent\":\(sent),\"returned\":\(returned),\"skipped\":\(totals.skipped - counts.skipped),"
            + "\"relayed\":\(relayed),\"peer_dropped\":\(peer.dropped),\"us\":\(each),"
            + "\"p50_us\":\(microseconds(0.5)),\"p99_us\":\(microseconds(0.99))}"
    }

    func stop() {
        isOver = true
        for client in clients { client.close() }
        clients = []
        peer.stop()
    }
}

func benchmarkRelayLoad() {
    runToEnd {
        let options = try RelayLoadOptions()
        let loop = try Shard()
        let result: Result<String, SystemError> = await withCheckedContinuation { continuation in
            loop.submit {
                do throws(SystemError) {
                    let load = try RelayLoad(options, on: loop)
                    load.run { result in
                        load.stop()
                        continuation.resume(returning: result)
                    }
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
        }
        print(try result.get())
        loop.stop()
    }
}
