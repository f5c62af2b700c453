import Base
import Crypto
import Net
import Relay
import TestKit
import Testing
import Wire

@Suite(.serialized) struct RelayServerTests {
    @Test(arguments: RelayURL.Transport.allCases)
    func `bytes go through the relay and back`(transport: RelayURL.Transport) async throws {
        try await RelayHarness.run { relay in
            let report = await relay.probe(relay.url(transport))
            #expect(report.isHealthy, "\(report.findings)")
            #expect(report.isWell(.dns) && report.isWell(.allocate) && report.isWell(.permission))
            #expect(report.isWell(.echo))
            #expect(report.isWell(.tls) == (transport == .tls || transport == .dtls))
            #expect(report.isWell(.certificate) == (transport == .tls))
        }
    }

    @Test(arguments: RelayURL.Transport.allCases)
    func `a client finds its allocation again, whichever shard it is on`(transport: RelayURL.Transport) async throws {
        try await RelayHarness.run(shards: 3) { relay in
            for _ in 0..<12 {
                let report = await relay.probe(relay.url(transport))
                #expect(report.isHealthy, "\(report.findings)")
            }
            var allocated: UInt64 = 0
            for shard in relay.server.shards {
                allocated += await shard.perform { engine, _ in engine.counters.allocated }
            }
            #expect(allocated == 12)
        }
    }

    @Test func `what is given back is gone`() async throws {
        try await RelayHarness.run { relay in
            _ = await relay.probe(relay.url(.udp))
            let count = await relay.server.shards[0].perform { engine, _ in engine.allocationCount }
            #expect(count == 0)
        }
    }

    @Test func `a password of another secret allocates nothing`() async throws {
        try await RelayHarness.run { relay in
            let wrong = RelayHarness.credentials(secret: Secret(text: "another"))
            let report = await relay.probe(relay.url(.udp), wrong)
            #expect(!report.isHealthy && report.isWell(.udp) && report.isIll(.allocate))
            #expect(report[.allocate]?.text.contains("401") == true)
            let none = await relay.probe(relay.url(.tcp), nil)
            #expect(!none.isHealthy && none.isWell(.tcp) && none.isIll(.allocate))
        }
    }

    @Test func `an expired name allocates nothing`() async throws {
        try await RelayHarness.run { relay in
            let report = await relay.probe(relay.url(.udp), RelayHarness.credentials(expiresIn: -60))
            #expect(!report.isHealthy && report.isIll(.allocate))
        }
    }

    @Test func `a relay that reaches media only is judged by its allocation`() async throws {
        let media = TransportAddress(IPAddress(v4: 0xC000_0201), 20_000)
        let policy = try #require(PeerPolicy(.sfuOnly([PeerEndpoints(media.ip, ports: 20_000...20_003)])))
        try await RelayHarness.run(policy: policy) { relay in
            let report = await relay.probe(relay.url(.udp))
            #expect(report.isHealthy && report.isWell(.allocate))
            #expect(report[.permission]?.outcome == .skipped && report[.echo]?.outcome == .skipped)
            let withPeer = await relay.probe(relay.url(.udp)) { $0.peer = media }
            #expect(withPeer.isHealthy && withPeer.isWell(.permission))
        }
    }

    @Test func `a certificate for another name is the certificate's fault`() async throws {
        try await RelayHarness.run { relay in
            let report = await relay.probe(relay.url(.tls, host: "127.0.0.1"))
            #expect(!report.isHealthy && report.isIll(.certificate) && report[.allocate] == nil)
            let stranger = await relay.probe(relay.url(.tls)) { $0.trust = .system }
            #expect(stranger.isIll(.certificate))
        }
    }

    @Test func `a port that speaks no TLS is the fault of TLS`() async throws {
        try await RelayHarness.run { relay in
            let url = RelayURL(.tls, host: "localhost", port: relay.port(.tcp))
            let report = await relay.probe(url) { $0.hopLimit = .seconds(1) }
            #expect(!report.isHealthy && report.failure?.hop != .allocate, "\(report.findings)")
        }
    }

    @Test(arguments: [RelayURL.Transport.udp, .tcp])
    func `where nobody listens the way is at fault`(transport: RelayURL.Transport) async throws {
        try await RelayHarness.run { relay in
            // Bound by the relay as a relayed address is nobody's: port 1 of the loopback.
            let report = await relay.probe(RelayURL(transport, host: "127.0.0.1", port: 1))
            #expect(report.isIll(transport == .udp ? .udp : .tcp), "\(report.findings)")
        }
    }

    @Test func `a name that does not exist fails at DNS`() async throws {
        try await RelayHarness.run { relay in
            let report = await relay.probe(RelayURL(.udp, host: "relay.invalid", port: 3_478))
            #expect(!report.isHealthy && report.isIll(.dns) && report.findings.count == 1)
        }
    }

    @Test func `a relay that drains takes nobody new`() async throws {
        try await RelayHarness.run { relay in
            await relay.server.drain(within: .milliseconds(10))
            let report = await relay.probe(relay.url(.udp))
            #expect(!report.isHealthy && report.isIll(.allocate))
        }
    }

    @Test func `a revoked session allocates nothing`() async throws {
        try await RelayHarness.run { relay in
            let credentials = RelayHarness.credentials()
            #expect(await relay.probe(relay.url(.udp), credentials).isHealthy)
            await relay.server.revoke(session: "session")
            #expect(await relay.probe(relay.url(.udp), credentials).isIll(.allocate))
        }
    }

    @Test func `who says nothing for too long is closed`() async throws {
        var options = RelayDriverOptions()
        options.firstMessage = .milliseconds(300)
        try await RelayHarness.run(options: options) { relay in
            let client = try LoopbackClient(port: relay.port(.tcp))
            #expect(try client.isEndedByServer())
        }
    }

    /// Asks where it comes from: 20 bytes.
    private func binding(_ number: UInt64) -> Bytes {
        var writer = STUNWriter()
        writer.begin(.request, .binding, STUNTransactionID(0, number))
        return writer.bytes
    }

    @Test func `one read may bring more messages than leave at once`() async throws {
        try await RelayHarness.run { relay in
            let client = try LoopbackClient(port: relay.port(.tcp))
            try client.send(binding(0))
            let length = try client.receive().count
            let count = 3 * RelayOutbox.datagramLimit
            try client.send((1...UInt64(count)).flatMap(binding))
            let answers = try client.receiveExactly(count * length)
            for index in 0..<count {
                let answer = Bytes(answers[index * length..<(index + 1) * length])
                #expect(answer[..<2] == [0x01, 0x01] && answer[8..<20] == binding(UInt64(index + 1))[8..<20])
            }
        }
    }

    @Test func `under TLS each message is a record, however many come at once`() async throws {
        try await RelayHarness.run { relay in
            let context = try TLSContext.client(trusting: .certificates(relay.certificate))
            let client = try LoopbackClient(port: relay.port(.tls), tls: context)
            try client.send((0..<20).flatMap(binding))
            for number in 0..<20 as Range<UInt64> {
                // One record at most.
                let answer = try client.receive()
                #expect(answer.count == 20 + Int(answer[2]) << 8 + Int(answer[3]))
                #expect(answer[8..<20] == binding(number)[8..<20])
            }
        }
    }

    @Test func `a port in use is said to be in use`() async throws {
        try await RelayHarness.run { relay in
            let taken = TransportAddress(RelayHarness.loopback, relay.port(.udp))
            let service = RelayServer.Service(
                settings: RelaySettings(tokenKey: SecureRandom.secret(32)), secrets: RelaySecrets(RelayHarness.secret),
                policy: RelayHarness.open)
            await #expect(throws: SystemError.self) {
                _ = try await RelayServer.start(
                    [.init(.udp, taken)], service, RelayDriverOptions(), security: nil, on: relay.group)
            }
        }
    }
}
