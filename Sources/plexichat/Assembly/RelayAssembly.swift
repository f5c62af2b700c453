// The relay inside the server: where it listens, whom it reaches, what clients in calls are told of it.

import Base
import Configuration
import Crypto
import Glibc
import Media
import Net
import Relay
import Signaling
import Vault
import Wire

/// A relay that serves, and what clients need to find it.
struct EmbeddedRelay: Sendable {
    let server: RelayServer
    /// `stun:`.
    let openURLs: [String]
    /// `turn:` and `turns:`.
    let urls: [String]
    let secret: Secret
}

enum RelayAssembly {
    static let tokenKeyBytes = 32
    private static let log = Logger("relay")
    private static let secretBytes = 32

    /// `nil` when it is off, or when there is no media that it could relay to.
    static func start(
        _ configuration: Configuration, _ storage: Storage, _ keys: VaultKeys, _ media: [TransportAddress],
        besides endpoints: [Endpoint], _ metrics: Metrics
    ) async throws(StartFailure) -> EmbeddedRelay? {
        guard configuration.relay.enabled, configuration.media.enabled else { return nil }
        let addresses = try addresses(configuration, besides: endpoints)
        // The same for the operator's other relays, where he has set one; else one of our own, which outlives restarts.
        let secrets = try secrets(configuration, storage, keys)
        let secret = secrets.current
        var settings = RelaySettings(tokenKey: secrets.tokenKey)
        settings.limits = configuration.relayLimits
        let service = RelayServer.Service(
            settings: settings, secrets: RelaySecrets(secret, previous: secrets.previous),
            policy: try policy(configuration, media))
        let security = try security(configuration)
        var driver = RelayDriverOptions()
        driver.relayed = addresses
        driver.advertised = configuration.relayAdvertised
        driver.ports = UInt16(configuration.relay.firstPort)...UInt16(configuration.relay.lastPort)
        let server = try await listen(configuration, addresses, service, driver, security, storage.shards)
        RelayMetrics.register(metrics, server)
        let list = server.listening.map { "\($0.kind) \($0.address)" }.joined(separator: ", ")
        log.info("a relay is served", [.text("at", list)])
        let (open, urls) = urls(configuration, server, driver)
        return EmbeddedRelay(
            server: server, openURLs: open, urls: urls + sharedURLs(configuration, endpoints, driver), secret: secret)
    }

    private struct Secrets {
        let current: Secret
        /// What credentials that are still good may have been made with.
        let previous: Secret?
        let tokenKey: Secret
    }

    private static func secrets(
        _ configuration: Configuration, _ storage: Storage, _ keys: VaultKeys
    ) throws(StartFailure) -> Secrets {
        do {
            for name in [KeyNames.relayCredentials, KeyNames.relayTokens] { keys.register(RelayKeys(key: name)) }
            let own = try keys.derive(from: KeyNames.relayCredentials, purpose: "relay", count: secretBytes)
            let tokens = try keys.derive(from: KeyNames.relayTokens, purpose: "relay tokens", count: tokenKeyBytes)
            // Before the key had a name there was this one.
            let oldest = storage.vault.derive("relay", count: secretBytes)
            guard let tokenKey = tokens.first, let first = own.first else {
                throw KeyError.unknownKey(KeyNames.relayTokens)
            }
            if let configured = configuration.calls.relaySecret {
                return Secrets(current: configured, previous: nil, tokenKey: tokenKey)
            }
            return Secrets(current: first, previous: own.dropFirst().first ?? oldest, tokenKey: tokenKey)
        } catch {
            throw StartFailure("relay", error, remedy: "Run `plexichat vault status` with the same options.")
        }
    }

    private static func addresses(
        _ configuration: Configuration, besides endpoints: [Endpoint]
    ) throws(StartFailure) -> [IPAddress] {
        guard configuration.relay.addresses.isEmpty else { return configuration.relay.addresses }
        return try MediaAddresses.bindings(configuration, besides: endpoints).first?.map(\.ip) ?? []
    }

    private static func policy(
        _ configuration: Configuration, _ media: [TransportAddress]
    ) throws(StartFailure) -> PeerPolicy {
        let mode: PeerPolicy.Mode
        switch configuration.relay.peers {
        case .sfuOnly: mode = .sfuOnly(media.map { PeerEndpoints($0.ip, ports: $0.port...$0.port) })
        case .open: mode = .open
        }
        let policy = PeerPolicy(
            mode, denied: configuration.relay.deniedPeers, allowed: configuration.relay.allowedPeers)
        guard let policy else {
            throw StartFailure(
                "relay", "a list of peers is longer than \(PeerPolicy.networksMax)",
                remedy: "Join ranges of relay.allowed_peers and relay.denied_peers.")
        }
        return policy
    }

    // MARK: - Ports

    /// A port that nobody has chosen gives way to who has it: the server must start beside another relay.
    private static func listen(
        _ configuration: Configuration, _ addresses: [IPAddress], _ service: RelayServer.Service,
        _ driver: RelayDriverOptions, _ security: RelayServer.Security?, _ shards: ShardGroup
    ) async throws(StartFailure) -> RelayServer {
        let chosen = configuration.relay.port != nil
        let attempts = chosen ? [configuration.relayPort] : [configuration.relayPort, 0]
        var last = SystemError("listen", code: EADDRINUSE)
        for (number, port) in attempts.enumerated() {
            let tls: UInt16? = security == nil ? nil : number == 0 ? configuration.relayTLSPort : 0
            var listening: [RelayServer.Listening] = []
            for address in addresses {
                let at = TransportAddress(address, port)
                listening += [.init(.udp, at), .init(.tcp, at)]
                if let tls { listening.append(.init(.tls, TransportAddress(address, tls))) }
            }
            do throws(SystemError) {
                return try await RelayServer.start(listening, service, driver, security: security, on: shards)
            } catch {
                last = error
                guard error.code == EADDRINUSE, number + 1 < attempts.count else { break }
                log.warning("the relay's port is taken; another one is used", [.error(error)])
            }
        }
        throw StartFailure(
            "relay", last,
            remedy: "If another program has the port, choose another one with relay.port, or set relay.enabled=false.")
    }

    // MARK: - Certificates

    private static func security(_ configuration: Configuration) throws(StartFailure) -> RelayServer.Security? {
        guard let certificate = configuration.tls.certificate, let key = configuration.tls.key else { return nil }
        let versions: TLSContext.Versions = configuration.tls.minVersion == .v1_3 ? .tls13only : .tls12and13
        return try security(certificate: certificate, key: key, versions: versions)
    }

    static func security(
        certificate: String, key: String, versions: TLSContext.Versions
    ) throws(StartFailure) -> RelayServer.Security {
        do {
            let tls = try TLSReloader { () throws(CryptoError) in
                let identity = try TLSIdentity(certificateChainFile: certificate, privateKeyFile: key)
                return try TLSContext.server(identity, applicationProtocols: [RelayURL.alpn], versions: versions)
            }
            return try RelayServer.Security(tls: tls) { () throws(CryptoError) in
                try .server(try TLSIdentity(certificateChainFile: certificate, privateKeyFile: key))
            }
        } catch {
            throw StartFailure("TLS", error, remedy: "Check the PEM files of the certificate and of its key.")
        }
    }

    // MARK: - What clients are told

    /// TLS only by a name: no certificate that clients believe is for an address.
    private static func urls(
        _ configuration: Configuration, _ server: RelayServer, _ driver: RelayDriverOptions
    ) -> (open: [String], relays: [String]) {
        var (open, relays): ([String], [String]) = ([], [])
        for listening in server.listening {
            let address = listening.address
            let host = configuration.relay.host ?? "\(driver.shown(address.ip))"
            let transport: RelayURL.Transport
            switch listening.kind {
            case .udp:
                transport = .udp
                let url = "\(RelayURL(isRelay: false, .udp, host: host, port: address.port))"
                if !open.contains(url) { open.append(url) }
            case .tcp: transport = .tcp
            case .tls:
                guard configuration.relay.host != nil else { continue }
                transport = .tls
            }
            let url = "\(RelayURL(transport, host: host, port: address.port))"
            if !relays.contains(url) { relays.append(url) }
        }
        return (open, relays)
    }

    /// The last that a client tries: on the port of HTTP.
    private static func sharedURLs(
        _ configuration: Configuration, _ endpoints: [Endpoint], _ driver: RelayDriverOptions
    ) -> [String] {
        guard configuration.relay.sharesHTTPS else { return [] }
        let transport: RelayURL.Transport = configuration.tls.certificate == nil ? .tcp : .tls
        var urls: [String] = []
        for endpoint in endpoints {
            // One that the service manager opened, or whose port the kernel chooses, has no port yet to be told.
            guard case .tcp(let ip, let port) = endpoint, port != 0 else { continue }
            // An address that stands for all is reached at each that the relay has.
            let reached = ip.bytes.contains { $0 != 0 } ? [ip] : driver.relayed
            for address in reached {
                let host = configuration.relay.host ?? "\(driver.shown(address))"
                let url = "\(RelayURL(transport, host: host, port: port))"
                if !urls.contains(url) { urls.append(url) }
            }
        }
        if urls.isEmpty {
            log.warning("no port of HTTP is known that clients could be told of (relay.share_https)", [])
        }
        return urls
    }
}

/// What was made with a relay's key is over with the process: nothing is lost with an older version.
private struct RelayKeys: KeyUser {
    let key: String
    let what = "relays"
    func count(of version: KeyVersion, at now: Timestamp) async throws(KeyError) -> Int { 0 }
}

extension Configuration {
    fileprivate var relayPort: UInt16 { relay.port.map { UInt16(clamping: $0) } ?? RelayURL.defaultPort }
    fileprivate var relayTLSPort: UInt16 { relay.tlsPort.map { UInt16(clamping: $0) } ?? RelayURL.defaultSecurePort }
    fileprivate var relayAdvertised: [IPAddress] { relay.advertised.isEmpty ? media.advertised : relay.advertised }

    fileprivate var relayLimits: RelayLimits {
        var limits = RelayLimits()
        limits.allocations = relay.maxAllocations
        limits.allocationsPerUser = relay.maxAllocationsPerUser
        limits.bytesPerSecondPerAllocation = relay.bytesPerSecondPerAllocation
        limits.bytesPerSecond = relay.bytesPerSecond
        return limits
    }
}
