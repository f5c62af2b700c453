import Base
import Crypto
import Net
import Relay
import Wire

/// A relay on the loopback, and who looks at it.
struct RelayHarness: Sendable {
    static let loopback = IPAddress(v4: 0x7F00_0001)
    static let secret = Secret(text: "between the relay and who gives its passwords")

    let group: ShardGroup
    let server: RelayServer
    let resolver: HostResolver
    let certificate: Bytes

    /// Allowed to reach the loopback, which no relay does by itself.
    static var open: PeerPolicy {
        PeerPolicy(.open, allowed: [IPNetwork(loopback, prefixLength: 8)].compactMap { $0 }) ?? .nobody
    }

    static func run(
        shards: Int = 1, policy: PeerPolicy = RelayHarness.open, options: RelayDriverOptions = RelayDriverOptions(),
        _ body: (RelayHarness) async throws -> Void
    ) async throws {
        let group = try ShardGroup(count: shards)
        let pool = try BlockingPool(name: "resolver", threads: 1, queueLimit: 8)
        let identity = try SelfSignedCertificate.make(names: ["localhost"], validFor: .hours(1))
        let tls = try TLSReloader { () throws(CryptoError) in
            try TLSContext.server(identity, applicationProtocols: [RelayURL.alpn])
        }
        let service = RelayServer.Service(
            settings: RelaySettings(tokenKey: SecureRandom.secret(32)), secrets: RelaySecrets(secret), policy: policy)
        var options = options
        options.relayed = [loopback]
        let any = TransportAddress(loopback, 0)
        let server = try await RelayServer.start(
            [.init(.udp, any), .init(.tcp, any), .init(.tls, any)], service, options,
            security: try .init(tls: tls) { () throws(CryptoError) in try .server(identity) }, on: group)
        let harness = RelayHarness(
            group: group, server: server, resolver: HostResolver(pool: pool), certificate: identity.certificateChain)
        let failure: (any Error)?
        do {
            try await body(harness)
            failure = nil
        } catch {
            failure = error
        }
        await server.stop()
        group.stop()
        pool.stop()
        if let failure { throw failure }
    }

    func port(_ kind: RelayServer.Listening.Kind) -> UInt16 {
        server.listening.first { $0.kind == kind }?.address.port ?? 0
    }

    func url(_ transport: RelayURL.Transport, host: String = "localhost") -> RelayURL {
        switch transport {
        case .udp, .dtls: RelayURL(transport, host: host, port: port(.udp))
        case .tcp: RelayURL(.tcp, host: host, port: port(.tcp))
        case .tls: RelayURL(.tls, host: host, port: port(.tls))
        }
    }

    static func credentials(secret: Secret = RelayHarness.secret, expiresIn seconds: Int64 = 600)
        -> RelayClientCredentials
    {
        let name = "\(Timestamp.now().secondsSinceEpoch + seconds):session"
        let password = Base64.encode(HMAC.sha1(Bytes(name.utf8), key: secret))
        return RelayClientCredentials(username: name, password: Secret(text: password))
    }

    func probe(
        _ url: RelayURL, _ credentials: RelayClientCredentials? = RelayHarness.credentials(),
        _ adjust: (inout RelayProbeOptions) -> Void = { _ in }
    ) async -> RelayReport {
        var options = RelayProbeOptions()
        options.trust = .certificates(certificate)
        options.hopLimit = .seconds(3)
        adjust(&options)
        return await RelayProbe.run(url, credentials, options: options, resolver: resolver, on: group.first)
    }
}

extension RelayReport {
    subscript(hop: Hop) -> Finding? { findings.first { $0.hop == hop } }
    func isWell(_ hop: Hop) -> Bool { self[hop]?.outcome == .well }
    func isIll(_ hop: Hop) -> Bool { if case .ill? = self[hop]?.outcome { true } else { false } }
}
