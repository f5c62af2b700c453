import Base
import TestKit
import Wire

@testable import Media

/// One side: an association, and what came out of it.
final class SCTPSide {
    var association: SCTPAssociation
    var events: [SCTPEvent] = []
    var messages: [SCTPMessage] = []
    var isReading = true
    var packetsSent = 0
    var bytesSent = 0
    var largestPacket = 0

    init(_ configuration: SCTPConfiguration = .init(), seed: UInt64) {
        var random = SplitMix(seed: seed)
        association = SCTPAssociation(configuration, random: &random)
    }

    // `#expect` cannot look into what is not copyable.
    var isConnected: Bool { association.isConnected }
    var bufferedBytes: Int { association.bufferedBytes }
    var congestionWindow: Int { association.congestionWindow }
    var counters: SCTPCounters { association.counters }

    func send(
        _ payload: Bytes, on stream: UInt16, protocolID: UInt32, reliability: DataChannelReliability = .init(),
        now: Instant
    ) -> SCTPSendResult {
        association.send(payload, on: stream, protocolID: protocolID, reliability: reliability, now: now)
    }

    func takeEvents() {
        guard isReading else { return }
        while let event = association.nextEvent() {
            if case .message(let message) = event { messages.append(message) } else { events.append(event) }
        }
    }

    var closeReason: SCTPCloseReason? {
        for case .closed(let reason) in events { return reason }
        return nil
    }
}

/// Two sides and a network of virtual time between them, which loses, delays, reorders and repeats by its seed.
final class SCTPPair {
    struct Network {
        var loss = 0.0
        var duplication = 0.0
        var delay = 10.0
        /// Up to this many milliseconds more, per packet: that reorders.
        var jitter = 0.0
    }

    private struct Flight {
        var arrival: Instant
        var toRight: Bool
        var packet: Bytes
    }

    let left: SCTPSide
    let right: SCTPSide
    var network: Network
    var now = Instant(nanoseconds: 5_000_000_000)
    /// True: the packet never arrives.
    var filter: (_ toRight: Bool, _ packet: Bytes) -> Bool = { _, _ in false }
    private var random: SplitMix
    private var flights: [Flight] = []

    init(
        seed: UInt64, network: Network = .init(), left: SCTPConfiguration = .init(), right: SCTPConfiguration = .init()
    ) {
        self.network = network
        random = SplitMix(seed: seed)
        self.left = SCTPSide(left, seed: seed &* 2 &+ 1)
        self.right = SCTPSide(right, seed: seed &* 2 &+ 2)
    }

    private func collect(_ side: SCTPSide, toRight: Bool) {
        var packet: Bytes = []
        while side.association.nextPacket(into: &packet, now: now) {
            side.packetsSent += 1
            side.bytesSent += packet.count
            side.largestPacket = max(side.largestPacket, packet.count)
            if filter(toRight, packet) || Double.random(in: 0..<1, using: &random) < network.loss { continue }
            let copies = Double.random(in: 0..<1, using: &random) < network.duplication ? 2 : 1
            for _ in 0..<copies {
                let extra = network.jitter > 0 ? Double.random(in: 0..<network.jitter, using: &random) : 0
                let arrival = now + .microseconds(Int64((network.delay + extra) * 1_000))
                flights.append(Flight(arrival: arrival, toRight: toRight, packet: packet))
            }
        }
    }

    /// The next thing that happens, if it is before the end. False when nothing will.
    func step(until end: Instant) -> Bool {
        collect(left, toRight: true)
        collect(right, toRight: false)
        left.takeEvents()
        right.takeEvents()
        let times = flights.map(\.arrival) + [left.association.deadline, right.association.deadline].compactMap { $0 }
        guard let next = times.min(), next <= end else {
            now = max(now, end)
            return false
        }
        now = max(now, next)
        let due = flights.enumerated().filter { $0.element.arrival <= now }
        for index in due.map(\.offset).reversed() { flights.remove(at: index) }
        for (_, flight) in due.sorted(by: { $0.element.arrival < $1.element.arrival }) {
            let side = flight.toRight ? right : left
            side.association.receive(flight.packet.span.bytes, now: now)
        }
        left.association.handleTimeout(now: now)
        right.association.handleTimeout(now: now)
        return true
    }

    func run(_ time: Duration) {
        let end = now + time
        while step(until: end) {}
        left.takeEvents()
        right.takeEvents()
    }

    /// Until the condition holds; false when it did not within the time.
    func run(_ time: Duration, until condition: () -> Bool) -> Bool {
        let end = now + time
        while !condition() {
            if !step(until: end) { return condition() }
        }
        return true
    }

    func connect(both: Bool = false) {
        left.association.connect(now: now)
        if both { right.association.connect(now: now) }
        _ = run(.seconds(60)) { left.association.isConnected && right.association.isConnected }
        left.takeEvents()
        right.takeEvents()
    }
}

/// `#expect` cannot call what changes a value; in a closure it can.
func taken<Result>(_ body: () -> Result) -> Result { body() }
