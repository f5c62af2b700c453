// A relay under a script of bytes: clients that authenticate and clients that do not, peers, the driver's answers, the
// clock, and what the process decides. After each step the engine is audited; a script that ends leaves nothing behind.

package import Base
package import Relay
import Wire

package struct RelayScript {
    /// Longer scripts find nothing that these do not, and take time.
    static let stepsMax = 400

    private let input: Bytes
    private var position = 0
    private let stage: RelayStage
    private let clients: [RelayTestClient]
    private var orders: [RelayOrder] = []
    private var connections: [PeerConnectionID] = []
    /// Bytes of requests without credentials, and of what they were answered with.
    private var unproven = (received: 0, sent: 0)

    private static let peers = [
        TransportAddress(IPAddress(v4: 0x0808_0808), 5_000), TransportAddress(IPAddress(v4: 0x0808_0808), 5_001),
        TransportAddress(IPAddress(v4: 0x0101_0101), 6_000), TransportAddress(IPAddress(v4: 0x7F00_0001), 80),
        TransportAddress(IPAddress(v6: 0x2A01_0000_0000_0000, 9), 7_000),
    ]

    package struct Outcome {
        /// What did not hold; `nil` when all did.
        package let wrong: String?
        /// What the script came to.
        package let counters: RelayCounters
    }

    package static func run(_ input: Bytes) -> Outcome {
        var script = RelayScript(input)
        let wrong = script.run()
        return Outcome(wrong: wrong, counters: script.stage.engine.counters)
    }

    private init(_ input: Bytes) {
        self.input = input
        var settings = RelayStage.settings()
        settings.limits.allocations = 6
        settings.limits.allocationsPerUser = 4
        settings.limits.permissionsPerAllocation = 3
        settings.limits.channelsPerAllocation = 3
        settings.limits.connectionsPerAllocation = 2
        settings.limits.connections = 4
        settings.understandsUserhash = true
        let stage = RelayStage(settings: settings, policy: Self.policy(0))
        self.stage = stage
        clients = ClientTransport.allCases.enumerated().flatMap { number, transport in
            [("alice", RelayTestClient.Style.classic), ("bob", .modern)].enumerated().map { user, who in
                let client = RelayTestClient(
                    stage, session: who.0, lifetime: .hours(47), port: UInt16(1_000 + number * 2 + user),
                    transport: transport, style: who.1)
                client.renewsNonce = true
                return client
            }
        }
    }

    private static func policy(_ choice: UInt8) -> PeerPolicy {
        switch choice % 3 {
        case 0: PeerPolicy(.open) ?? .nobody
        case 1: PeerPolicy(.sfuOnly([PeerEndpoints(peers[0].ip, ports: 5_000...5_000)])) ?? .nobody
        default: .nobody
        }
    }

    // MARK: Reading

    private mutating func byte() -> UInt8 {
        guard position < input.count else { return 0 }
        defer { position += 1 }
        return input[position]
    }

    private mutating func bytes(_ count: Int) -> Bytes {
        let end = min(position + count, input.count)
        defer { position = end }
        return Bytes(input[position..<end])
    }

    private mutating func client() -> RelayTestClient { clients[Int(byte()) % clients.count] }
    private mutating func peer() -> TransportAddress { Self.peers[Int(byte()) % Self.peers.count] }

    private mutating func relay() -> RelayID? {
        let open = stage.sockets.keys.sorted { $0.rawValue < $1.rawValue }
        let choice = Int(byte())
        return open.isEmpty ? nil : open[choice % open.count]
    }

    private mutating func connection() -> PeerConnectionID? {
        let choice = Int(byte())
        return connections.isEmpty ? nil : connections[choice % connections.count]
    }

    // MARK: Running

    private mutating func run() -> String? {
        let start = stage.now
        for _ in 0..<Self.stepsMax where position < input.count {
            step()
            note()
            if let wrong = stage.engine.audit(now: stage.now) { return wrong }
            if stage.engine.openRelays != Set(stage.sockets.keys) {
                return "the driver has other sockets than the engine"
            }
        }
        let limits = RelayLimits()
        let seconds = Int((stage.now - start).components.seconds) + 1
        // Of each client: they have one address, and so one budget.
        let allowance = limits.unauthenticatedBytesBurst + limits.unauthenticatedBytesPerSecond * seconds
        if unproven.sent > unproven.received + allowance { return "strangers got \(unproven.sent) bytes" }
        stage.tick(after: .seconds(4_000))
        stage.tick(after: .seconds(4_000))
        if stage.engine.allocationCount > 0 { return "\(stage.engine.allocationCount) allocations never end" }
        if !stage.sockets.isEmpty { return "sockets stay open" }
        if stage.engine.nextDeadline != nil { return "an empty engine waits for something" }
        return stage.engine.audit(now: stage.now)
    }

    /// Outputs are well-formed, and what is ordered is remembered.
    private mutating func note() {
        for case .open(let order) in stage.commands where stage.sockets[order.relay] == nil { orders.append(order) }
        for case .connect(let connection, _, _) in stage.takeCommands() { connections.append(connection) }
        orders = orders.suffix(8)
        connections = connections.suffix(8)
    }

    private mutating func step() {
        switch byte() % 32 {
        case 0, 1: stranger()
        case 2...7: member()
        case 8...17: standard()
        case 18, 19:
            let (from, number) = (client(), UInt16(0x4000) + UInt16(byte() % 4))
            stage.client(RelayTestClient.channelData(number, bytes(Int(byte() % 16))), from: from.path)
        case 20...23:
            let (to, from) = (relay(), peer())
            if let to { stage.peer(bytes(Int(byte() % 16)), from: from, to: to) }
        case 24: stage.tick(after: .seconds(Int64(byte())))
        case 25: stage.now = stage.now + .seconds(Int64(byte()))  // and nobody ticks
        case 26: closing()
        case 27: opening()
        case 28...30: connecting()
        default: deciding()
        }
        _ = stage.take()
    }

    /// Bytes as they are, from a client that has nothing here.
    private mutating func stranger() {
        let from = client()
        var path = from.path
        path.remote.port = 1
        path.transport = .udp
        path.handle = 0
        let message = bytes(Int(byte() % 64))
        stage.client(message, from: path)
        unproven.received += message.count
        for case .toClient(_, let bytes) in stage.take() { unproven.sent += bytes.count }
    }

    /// Any method with any attributes, rightly signed.
    private mutating func member() {
        let from = client()
        let methods: [STUNMethod] = [
            .allocate, .refresh, .createPermission, .channelBind, .connect, .connectionBind, .binding,
        ]
        let method = methods[Int(byte()) % methods.count]
        let types: [UInt16] = [
            0x000C, 0x000D, 0x0012, 0x0013, 0x0017, 0x0018, 0x0019, 0x001A, 0x0022, 0x002A, 0x8000, 0x8030, 0x7F00,
            0x0014,
        ]
        let count = Int(byte() % 5)
        let attributes = (0..<count).map { _ in
            (STUNAttributeType(rawValue: types[Int(byte()) % types.count]), bytes(Int(byte() % 12)))
        }
        _ = from.ask(method) { writer in
            for (type, value) in attributes { writer.add(type, value.span.bytes) }
        }
    }

    /// What a client does that means well.
    private mutating func standard() {
        let from = client()
        let to = peer()
        switch byte() % 9 {
        case 0: _ = from.allocate()
        case 1: _ = from.allocate { $0.add(.additionalAddressFamily, UInt32(2) << 24) }
        case 2: _ = from.allocate { $0.add(.evenPort, Bytes([0x80]).span.bytes) }
        case 3: _ = from.ask(.allocate) { $0.add(.requestedTransport, UInt32(6) << 24) }
        case 4: _ = from.allocate { $0.add(flag: .mobilityTicket) }
        case 5: _ = from.permit(to, to)
        case 6: _ = from.bind(0x4000 + UInt16(byte() % 4), to: to)
        case 7: _ = from.ask(.connect) { $0.add(.xorPeerAddress, xor: to) }
        default: from.send(bytes(Int(byte() % 32)), to: to)
        }
    }

    private mutating func closing() {
        switch byte() % 3 {
        case 0:
            let from = client()
            if from.path.transport != .udp { stage.engine.connectionClosed(from.path, now: stage.now) }
        case 1: if let relay = relay() { stage.engine.relayFailed(relay) }
        default: _ = client().refresh(0)
        }
        stage.drain()
    }

    private mutating func opening() {
        let openings: [RelayStage.Opening] = [.waits, .exhausts, .knowsNoV6, .opens]
        stage.opening = openings[min(Int(byte() % 8), 3)]
        // Late: the allocation may be gone, and its place another's.
        if let order = orders.popLast() { stage.answer(order) }
        stage.drain()
    }

    private mutating func connecting() {
        switch byte() % 5 {
        case 0: if let connection = connection() { stage.engine.peerConnected(connection, now: stage.now) }
        case 1: if let connection = connection() { stage.engine.peerFailed(connection, now: stage.now) }
        case 2: if let connection = connection() { stage.engine.peerClosed(connection, now: stage.now) }
        case 3:
            if let relay = relay(), let arrived = stage.engine.peerArrived(on: relay, from: peer(), now: stage.now) {
                connections.append(arrived)
            }
        default:
            let from = client()
            if let connection = connection() {
                _ = from.ask(.connectionBind) { $0.add(.connectionID, connection.rawValue) }
                _ = stage.engine.pause(after: 1_000, on: connection, toPeer: true, now: stage.now)
            }
        }
        stage.drain()
    }

    private mutating func deciding() {
        // What cannot be taken back is rare, or most scripts would have a short life.
        switch byte() % 32 {
        case 0...9: stage.engine.set(Self.policy(byte()), now: stage.now)
        case 10...14: stage.engine.set(RelaySecrets(Secret(text: "new"), previous: RelayStage.secret))
        case 15:
            stage.engine.revoke(session: byte() % 2 == 0 ? "alice" : "bob", now: stage.now, wallClock: stage.wallClock)
        case 16: stage.engine.drain(alternate: nil, until: stage.now + .seconds(30))
        default:
            if let relay = relay() {
                let peer = peer()
                stage.engine.peerUnreachable(
                    on: relay, peer: peer, icmpType: byte(), icmpCode: byte(), data: 0, now: stage.now)
            }
        }
        stage.drain()
    }
}
