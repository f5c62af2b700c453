import Base
import Crypto
import TestKit

/// Two sessions and a network between them, with time pushed by hand: every step delivers what is under way, or jumps
/// to the earliest deadline.
struct DTLSLink {
    struct Weather {
        var loss = 0.0
        var duplication = 0.0
        var reordering = 0.0
    }

    let client: DTLSSession
    let server: DTLSSession
    var now = Instant(nanoseconds: 1_000_000_000_000)
    var weather: Weather
    /// Every datagram sent, for what a test wants to see of it.
    private(set) var sent: [(fromClient: Bool, bytes: Bytes)] = []
    private(set) var timeouts = 0
    private var underWay: [(toServer: Bool, bytes: Bytes)] = []
    private var random: SplitMix

    init(
        _ clientIdentity: DTLSIdentity, _ serverIdentity: DTLSIdentity, weather: Weather = Weather(), seed: UInt64 = 1
    ) throws {
        client = try DTLSSession(.client, clientIdentity)
        server = try DTLSSession(.server, serverIdentity)
        self.weather = weather
        random = SplitMix(seed: seed)
    }

    var isDone: Bool { client.phase != .handshaking && server.phase != .handshaking }

    mutating func collect() {
        while let datagram = client.takeDatagram() { launch(datagram, fromClient: true) }
        while let datagram = server.takeDatagram() { launch(datagram, fromClient: false) }
    }

    private mutating func launch(_ datagram: Bytes, fromClient: Bool) {
        sent.append((fromClient, datagram))
        if chance(weather.loss) { return }
        underWay.append((fromClient, datagram))
        if chance(weather.duplication) { underWay.append((fromClient, datagram)) }
    }

    private mutating func chance(_ probability: Double) -> Bool {
        Double.random(in: 0..<1, using: &random) < probability
    }

    /// False when nothing is under way and nobody waits for anything.
    mutating func step() -> Bool {
        collect()
        if underWay.isEmpty {
            guard let deadline = [client.deadline, server.deadline].compactMap({ $0 }).min() else { return false }
            now = max(now, deadline)
            timeouts += 1
            client.handleTimeout(now: now)
            server.handleTimeout(now: now)
            return true
        }
        let place = chance(weather.reordering) ? Int.random(in: 0..<underWay.count, using: &random) : 0
        let (toServer, bytes) = underWay.remove(at: place)
        now = now + .milliseconds(1)
        (toServer ? server : client).receive(bytes, now: now)
        return true
    }

    mutating func shakeHands() {
        client.start(now: now)
        var steps = 0
        while !isDone, steps < 5_000, step() { steps += 1 }
    }

    /// Until nothing is under way.
    mutating func settle() {
        collect()
        while !underWay.isEmpty { _ = step() }
    }
}
