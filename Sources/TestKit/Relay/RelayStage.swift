// A relay without a socket: the driver's part, played by hand. Time moves when a test moves it; relayed sockets are
// numbers; what is sent lies in a list.

package import Base
package import Relay
package import Wire

package final class RelayStage {
    package enum Sent: Equatable {
        case toClient(ClientPath, Bytes)
        case toPeer(RelayID, TransportAddress, Bytes, dontFragment: Bool)
    }

    package let engine: RelayEngine
    package var now: Instant
    package var wallClock: Timestamp
    /// In order, since the last `take`.
    package private(set) var sent: [Sent] = []
    package private(set) var commands: [RelayCommand] = []
    /// The sockets that are open, with their addresses.
    package private(set) var sockets: [RelayID: TransportAddress] = [:]

    /// Answers to `open`. `nil` keeps the engine waiting.
    package enum Opening { case opens, exhausts, knowsNoV6, waits }
    package var opening = Opening.opens
    /// Datagrams before which the memory of a packet is not given back yet: as a driver that drains after a batch.
    private var nextPort: UInt16 = 50_000

    package static let v4 = IPAddress(v4: 0xC633_6401)
    package static let v6 = IPAddress(v6: 0x2A00_0001_0000_0000, 1)
    package static let start = Timestamp(secondsSinceEpoch: 1_760_000_000)
    package static let secret = Secret(text: "north remembers")

    package static func settings() -> RelaySettings {
        var settings = RelaySettings(tokenKey: Secret(Bytes(0..<32)))
        settings.limits.allocations = 64
        settings.limits.connections = 32
        return settings
    }

    package init(
        settings: RelaySettings = RelayStage.settings(), secrets: RelaySecrets = RelaySecrets(RelayStage.secret),
        policy: PeerPolicy
    ) {
        now = Instant(nanoseconds: 1_000_000_000_000)
        wallClock = Self.start
        engine = RelayEngine(settings: settings, secrets: secrets, policy: policy, now: now)
    }

    // MARK: Bytes

    package func client(_ bytes: Bytes, from path: ClientPath) {
        withPacket(bytes) { engine.receive($0, from: path, now: now, wallClock: wallClock) }
    }

    package func peer(_ bytes: Bytes, from peer: TransportAddress, to relay: RelayID) {
        withPacket(bytes) { engine.receive($0, on: relay, from: peer, now: now) }
    }

    /// The room around the packet is not zero, so that what is sent of it shows.
    private func withPacket(_ bytes: Bytes, _ body: (RelayPacket) -> Void) {
        let room = RelayPacket.headroom + bytes.count + RelayPacket.tailroom
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: room, alignment: 16)
        defer { memory.deallocate() }
        memory.initializeMemory(as: UInt8.self, repeating: 0xAA)
        guard let start = memory.baseAddress else { return }
        (start + RelayPacket.headroom).copyMemory(from: bytes, byteCount: bytes.count)
        body(RelayPacket(start: start + RelayPacket.headroom, count: bytes.count))
        drain()
    }

    // MARK: The driver

    package func tick(after duration: Duration) {
        now = now + duration
        wallClock = wallClock + duration
        repeat {
            engine.tick(now: now)
            drain()
        } while engine.nextDeadline.map { $0 <= now } ?? false
    }

    /// Also after calls of the engine that bring no packet.
    package func drain() {
        while !engine.outbox.isEmpty {
            let outbox = engine.outbox
            for index in 0..<outbox.count { note(outbox[index]) }
            let orders = outbox.takeCommands()
            outbox.removeDatagrams()
            for order in orders { carryOut(order) }
        }
    }

    private func note(_ datagram: RelayDatagram) {
        let bytes = Bytes(UnsafeRawBufferPointer(start: datagram.start, count: datagram.count))
        switch datagram.destination {
        case .client(let path): sent.append(.toClient(path, bytes))
        case .peer(let relay, let peer):
            sent.append(.toPeer(relay, peer, bytes, dontFragment: datagram.dontFragment))
        }
    }

    private func carryOut(_ command: RelayCommand) {
        commands.append(command)
        switch command {
        case .open(let order): open(order)
        case .close(let relay): sockets[relay] = nil
        default: break
        }
    }

    private func open(_ order: RelayOrder) {
        switch opening {
        case .waits: return
        case .exhausts: engine.relayRefused(order.relay, .exhausted, now: now)
        case .knowsNoV6 where order.relay.isV6: engine.relayRefused(order.relay, .noSuchFamily, now: now)
        default: answer(order)
        }
    }

    /// What the driver says when it has opened what was ordered: once for each order.
    package func answer(_ order: RelayOrder) {
        let ip = order.relay.isV6 ? Self.v6 : Self.v4
        nextPort &+= order.port == .any ? 1 : 2 &- nextPort & 1
        let address = TransportAddress(ip, nextPort)
        sockets[order.relay] = address
        var next: TransportAddress?
        if case .evenAndNext(let second) = order.port {
            nextPort &+= 1
            next = TransportAddress(ip, nextPort)
            sockets[second] = next
        }
        let isTaken = engine.relayOpened(order.relay, at: address, next: next, now: now)
        if isTaken { return }
        sockets[order.relay] = nil
        if case .evenAndNext(let second) = order.port { sockets[second] = nil }
    }

    // MARK: What happened

    package func take() -> [Sent] {
        defer { sent = [] }
        return sent
    }

    package func takeCommands() -> [RelayCommand] {
        defer { commands = [] }
        return commands
    }

    /// The only message to a client since the last `take`, if there is just one.
    package func answer() -> RelayAnswer? {
        let sent = take()
        guard sent.count == 1, case .toClient(_, let bytes) = sent[0] else { return nil }
        return RelayAnswer(bytes)
    }
}
