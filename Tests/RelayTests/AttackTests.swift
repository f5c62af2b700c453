// What strangers send: broken messages, forged sources, floods.

import Base
import Relay
import TestKit
import Testing
import Wire

@Suite struct AttackTests {
    /// The bytes that went to clients, and to whom.
    private func sizes(_ sent: [RelayStage.Sent]) -> Int {
        sent.reduce(0) { sum, sent in
            if case .toClient(_, let bytes) = sent { return sum + bytes.count }
            return sum
        }
    }

    @Test func `malformed messages of others change nothing and are answered by refusals only`() throws {
        let rows = RelayVectors.rows("malformed.json")
        try #require(rows.count >= 40)
        for transport in ClientTransport.allCases {
            let stage = openStage()
            let stranger = RelayTestClient(stage, transport: transport)
            let victim = RelayTestClient(stage, port: 2, transport: transport)
            #expect(victim.allocate()?.isSuccess == true && victim.bind(0x4000, to: peer4)?.isSuccess == true)
            for row in rows {
                let name = row["name"]?.stringValue ?? ""
                let isValid = row["structurally_valid"]?.boolValue == true
                for client in [stranger, victim] {
                    _ = stage.take()
                    stage.client(RelayVectors.hex(row["hex"]), from: client.path)
                    let sent = stage.take()
                    for case .toClient(_, let bytes) in sent {
                        let answer = try #require(RelayAnswer(bytes), "\(name)")
                        #expect(isValid && (answer.kind == .error || answer.method == .binding), "\(name)")
                    }
                    let isRelayed = sent.contains { if case .toPeer = $0 { true } else { false } }
                    #expect(!isRelayed, "\(name)")
                }
            }
            #expect(stage.engine.allocationCount == 1 && stage.engine.permissionCount == 1)
            #expect(stage.engine.channelCount == 1)
        }
    }

    /// Chromium's and Firefox's sessions with coturn, replayed at a relay that knows neither nonce nor name.
    @Test func `transcripts of other relays give nothing here`() throws {
        let sessions = RelayVectors.rows("turn-sessions.json")
        try #require(sessions.count == 4)
        for session in sessions {
            let stage = openStage()
            let transport: ClientTransport = session["transport"]?.stringValue == "tcp" ? .tcp : .udp
            let client = RelayTestClient(stage, transport: transport)
            let messages = session["messages"]?.arrayValue ?? []
            try #require(messages.count == 40)
            var asked = 0
            for message in messages where message["direction"]?.stringValue == "client->server" {
                stage.client(RelayVectors.hex(message["hex"]), from: client.path)
                asked += 1
            }
            var answered = 0
            for case .toClient(_, let bytes) in stage.take() {
                let answer = try #require(RelayAnswer(bytes))
                #expect(answer.method == .binding || answer.kind == .error)
                answered += 1
            }
            #expect(stage.engine.allocationCount == 0 && answered > 0 && answered <= asked)
        }
    }

    /// The same requests with our nonce, our realm and a right password: what browsers ask for is served.
    @Test(arguments: [0, 1, 2, 3]) func `what browsers ask of coturn is served here`(number: Int) throws {
        let sessions = RelayVectors.rows("turn-sessions.json")
        try #require(sessions.count == 4)
        let session = sessions[number]
        var settings = RelayStage.settings()
        settings.realm = "turn.example.org"
        let everything = try #require(IPNetwork("0.0.0.0/0"))
        let policy = try #require(PeerPolicy(.open, allowed: [everything]))
        let stage = RelayStage(settings: settings, policy: policy)
        let client = RelayTestClient(stage, transport: session["transport"]?.stringValue == "tcp" ? .tcp : .udp)
        client.realm = "turn.example.org"
        let password = RelaySecrets(RelayStage.secret).password(of: client.name).exposedBytes
        client.key = RelayKey(
            name: client.name, realm: client.realm, password: String(decoding: password, as: UTF8.self), .md5)
        var served: Set<UInt16> = []
        for message in session["messages"]?.arrayValue ?? []
        where message["direction"]?.stringValue == "client->server" {
            let bytes = RelayVectors.hex(message["hex"])
            guard let original = RelayAnswer(bytes), original.kind == .request, original.has(.username) else {
                continue
            }
            let answer = try #require(client.ask(original.method) { self.rewrite(bytes, into: &$0) })
            #expect(answer.isSuccess && answer.isAuthentic(client.key), "method \(original.method.rawValue)")
            served.insert(original.method.rawValue)
        }
        #expect(served.isSuperset(of: [3, 8]))
    }

    /// All attributes but the credentials, addresses masked anew.
    private func rewrite(_ bytes: Bytes, into writer: inout STUNWriter) {
        guard let message = try? STUNMessage(parsing: bytes.span.bytes) else { return }
        var offset = STUNMessage.headerLength
        while let attribute = message.nextAttribute(from: &offset) {
            switch attribute.type {
            case .username, .realm, .nonce: continue
            case .xorPeerAddress:
                if let peer = message.xorAddress(attribute) { writer.add(.xorPeerAddress, xor: peer) }
            default: writer.add(attribute.type, message.value(attribute))
            }
        }
    }

    @Test func `of repeated attributes the first counts, and those of other methods mean nothing`() {
        let stage = openStage()
        let client = RelayTestClient(stage, port: 1)
        let second = client.ask(.allocate) {
            $0.add(.requestedTransport, UInt32(99) << 24)
            $0.add(.requestedTransport, UInt32(17) << 24)
        }
        #expect(second?.code == .unsupportedTransport)
        let first = client.ask(.allocate) {
            $0.add(.requestedTransport, UInt32(17) << 24)
            $0.add(.requestedTransport, UInt32(99) << 24)
            $0.add(.lifetime, UInt32(700))
            $0.add(.lifetime, UInt32(800))
            // An answer's, another method's.
            $0.add(.xorRelayedAddress, xor: peer4)
            $0.add(.channelNumber, UInt32(0x4000) << 16)
            $0.add(.data, Bytes([1, 2, 3]).span.bytes)
        }
        #expect(first?.isSuccess == true && first?.uint32(.lifetime) == 700)
        let bound = client.ask(.channelBind) {
            $0.add(.channelNumber, UInt32(0x4001) << 16)
            $0.add(.channelNumber, UInt32(0x4002) << 16)
            $0.add(.xorPeerAddress, xor: peer4)
            $0.add(.xorPeerAddress, xor: other4)
        }
        #expect(bound?.isSuccess == true && stage.engine.permissionCount == 1)
        _ = stage.take()
        stage.client(RelayTestClient.channelData(0x4002, [1]), from: client.path)
        #expect(stage.take().isEmpty)
        stage.client(RelayTestClient.channelData(0x4001, [1]), from: client.path)
        guard case .toPeer(_, peer4, [1], _)? = stage.take().first else {
            Issue.record("the first number and the first peer")
            return
        }
    }

    @Test func `a second name does not change whose request it is`() {
        let stage = openStage()
        let client = RelayTestClient(stage, port: 1)
        _ = client.allocate()
        let mallory = RelayTestClient(stage, session: "mallory", port: 2)
        mallory.path = client.path
        mallory.fetchNonce()
        // Signed with her own key; his name first, then last.
        for order in [[client.name, mallory.name], [mallory.name, client.name]] {
            var writer = STUNWriter()
            writer.begin(.request, .refresh, mallory.nextTransaction())
            writer.add(.lifetime, UInt32(0))
            for name in order { writer.add(.username, name.span.bytes) }
            writer.add(.realm, text: mallory.realm)
            writer.add(.nonce, mallory.nonce.span.bytes)
            mallory.key.sign(&writer, .sha1)
            stage.client(writer.bytes, from: client.path)
            let code = stage.answer()?.code
            #expect(code == (order[0] == client.name ? .unauthenticated : .wrongCredentials))
        }
        #expect(stage.engine.allocationCount == 1)
    }

    // MARK: Amplification

    @Test(arguments: [false, true])
    func `a forged source never gets more than it seems to send, but for its allowance`(isV6: Bool) {
        let stage = openStage()
        let limits = RelayLimits()
        let forged = RelayTestClient(stage)
        if isV6 { forged.path.remote.ip = IPAddress(v6: 0x2A00_1234_0000_0000, 1) }
        var received = 0
        var sent = 0
        for round in 0..<20_000 {
            forged.path.remote.port = UInt16(truncatingIfNeeded: round)
            // An attacker in the same /64 is the same source.
            if isV6 { forged.path.remote.ip = IPAddress(v6: 0x2A00_1234_0000_0000, UInt64(round)) }
            let request = forged.bare(round % 3 == 0 ? .binding : round % 3 == 1 ? .allocate : .refresh)
            received += request.count
            stage.client(request, from: forged.path)
            sent += sizes(stage.take())
            if round % 1_000 == 0 { stage.tick(after: .milliseconds(50)) }
        }
        let allowance = limits.unauthenticatedBytesBurst + limits.unauthenticatedBytesPerSecond
        #expect(sent <= received + allowance)
        #expect(stage.engine.counters[.rateLimited] > 5_000)
        // Somebody else is served all the same.
        let other = RelayTestClient(stage)
        other.path.remote.ip = IPAddress(v4: 0x5505_0505)
        #expect(other.allocate()?.isSuccess == true)
    }

    @Test func `after a flood a source recovers`() {
        let stage = openStage()
        let client = RelayTestClient(stage)
        while stage.engine.counters[.rateLimited] == 0 { stage.client(client.bare(.allocate), from: client.path) }
        _ = stage.take()
        stage.tick(after: .seconds(2))
        #expect(client.allocate()?.isSuccess == true)
    }

    @Test func `guesses at passwords are counted, and then not looked at`() {
        let stage = openStage()
        let guesser = RelayTestClient(stage, transport: .tcp, secrets: RelaySecrets(Secret(text: "guess")))
        guesser.fetchNonce()
        var refused = 0
        for _ in 0..<200 where guesser.allocate()?.code == .unauthenticated { refused += 1 }
        #expect(refused == 64 && stage.engine.counters[.wrongPassword] == 64)
        // Who is here already goes on, from the same address too.
        #expect(stage.engine.counters[.rateLimited] == 136)
        stage.tick(after: .seconds(2))
        let neighbour = RelayTestClient(stage, port: 5)
        #expect(neighbour.allocate()?.isSuccess == true)
        for _ in 0..<200 { _ = guesser.allocate() }
        #expect(neighbour.refresh(600)?.isSuccess == true)
    }

    @Test func `responses, indications and unknown methods get nothing`() {
        let stage = openStage()
        let path = RelayTestClient(stage).path
        for kind in [STUNClass.request, .indication, .success, .error] {
            for method: UInt16 in 0...0xFFF {
                let isServed = kind == .request && [1, 3, 4, 8, 9, 10, 11].contains(method)
                guard !isServed else { continue }
                var writer = STUNWriter()
                writer.begin(kind, STUNMethod(rawValue: method), STUNTransactionID(1, 2))
                stage.client(writer.bytes, from: path)
            }
        }
        #expect(stage.take().isEmpty)
    }

    @Test func `any byte that is not the first of STUN or of a channel is dropped`() {
        let stage = openStage()
        let path = RelayTestClient(stage).path
        for first in UInt8(0)...255 {
            for length in [0, 1, 3, 4, 19, 20, 100] {
                stage.client(Bytes(repeating: first, count: length), from: path)
            }
        }
        #expect(stage.take().isEmpty && stage.engine.allocationCount == 0)
    }

    @Test func `random bytes from a peer come through whole, and only to the owner`() throws {
        let stage = openStage()
        let client = RelayTestClient(stage)
        _ = client.allocate()
        _ = client.permit(peer4)
        let relay = try #require(stage.sockets.keys.first)
        _ = stage.take()
        // A STUN message or a channel of a peer is data here.
        let forged = client.message(.refresh) { $0.add(.lifetime, UInt32(0)) }
        stage.peer(forged, from: peer4, to: relay)
        #expect(stage.answer()?.value(.data) == forged && stage.engine.allocationCount == 1)
        stage.peer([1], from: peer4, to: RelayID(rawValue: relay.rawValue ^ 1 << 40))
        stage.peer([1], from: peer4, to: RelayID(rawValue: .max))
        #expect(stage.take().isEmpty)
    }
}
