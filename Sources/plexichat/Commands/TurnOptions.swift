// The command line of `plexichat turn`, checked, and what the relay is told.

import Base
import Configuration
import Crypto
import Net
import Relay
import Wire

struct TurnOptions: Sendable {
    struct Fault: Error { let reason: String }

    let listening: [RelayServer.Listening]
    let policy: PeerPolicy
    private(set) var settings = RelaySettings(tokenKey: SecureRandom.secret(RelayAssembly.tokenKeyBytes))
    private(set) var driver = RelayDriverOptions()
    let metrics: Endpoint?
    let shards: Int?
    let drain: Duration
    let logLevel: LogLevel
    private let secretFiles: [String]
    private let certificate: (chain: String, key: String)?

    init(_ invocation: Invocation) throws(Fault) {
        listening = try Self.listening(invocation)
        policy = try Self.policy(invocation)
        certificate = try Self.certificate(invocation)
        guard certificate != nil || invocation.values("listen-tls").isEmpty else {
            throw Fault(reason: "--listen-tls needs --certificate and --key")
        }
        secretFiles = invocation.values("secret-file")
        guard (1...RelaySecrets.secretsMax).contains(secretFiles.count) else {
            throw Fault(reason: "give --secret-file once, or twice while the secret is being replaced")
        }
        metrics = try invocation.value("metrics").map { text throws(Fault) in try Self.endpoint(text) }
        shards = try Self.number(invocation, "shards", 1...256)
        drain = try Self.drain(invocation)
        guard let level = LogLevel.allCases.first(where: { "\($0)" == invocation.value("log") ?? "info" }) else {
            throw Fault(reason: "--log is one of \(LogLevel.allCases.map { "\($0)" }.joined(separator: ", "))")
        }
        logLevel = level
        try takeBounds(invocation)
        try takeAddresses(invocation)
    }

    private mutating func takeBounds(_ invocation: Invocation) throws(Fault) {
        if let count = try Self.number(invocation, "allocations", 1...65_536) { settings.limits.allocations = count }
        if let count = try Self.number(invocation, "allocations-per-user", 1...65_536) {
            settings.limits.allocationsPerUser = count
        }
        if let rate = try Self.number(invocation, "bandwidth", 0...1_000_000_000) {
            settings.limits.bytesPerSecondPerAllocation = rate
        }
        settings.acceptsOldNumbers = invocation.has("old-channels")
        if let realm = invocation.value("realm") {
            guard (1...127).contains(realm.utf8.count) else { throw Fault(reason: "--realm has 1 to 127 bytes") }
            settings.realm = realm
        }
        if let text = invocation.value("ports") { driver.ports = try Self.ports(text) }
    }

    private mutating func takeAddresses(_ invocation: Invocation) throws(Fault) {
        driver.relayed = try invocation.values("relay-address").map { text throws(Fault) in try Self.address(text) }
        driver.advertised = try invocation.values("advertise").map { text throws(Fault) in try Self.address(text) }
        guard driver.relayed.isEmpty else { return }
        for one in listening where !driver.relayed.contains(one.address.ip) { driver.relayed.append(one.address.ip) }
    }

    // MARK: - Files

    func readSecrets() throws(StartFailure) -> RelaySecrets {
        do throws(SecretFile.Failure) {
            let current = try SecretFile.read(secretFiles[0])
            return RelaySecrets(current, previous: secretFiles.count > 1 ? try SecretFile.read(secretFiles[1]) : nil)
        } catch {
            throw StartFailure("secret", error, remedy: "Name a file with --secret-file that this user may read.")
        }
    }

    func makeSecurity() throws(StartFailure) -> RelayServer.Security? {
        guard let certificate else { return nil }
        return try RelayAssembly.security(certificate: certificate.chain, key: certificate.key, versions: .tls12and13)
    }

    // MARK: - Words

    private static func listening(_ invocation: Invocation) throws(Fault) -> [RelayServer.Listening] {
        var listening: [RelayServer.Listening] = []
        for text in invocation.values("listen") {
            let address = try transportAddress(text)
            listening += [.init(.udp, address), .init(.tcp, address)]
        }
        for text in invocation.values("listen-tls") { listening.append(.init(.tls, try transportAddress(text))) }
        guard !listening.isEmpty else { throw Fault(reason: "say where with --listen, such as 192.0.2.1:3478") }
        guard listening.count <= RelayServer.listenersMax else {
            throw Fault(reason: "more than \(RelayServer.listenersMax) listeners; each --listen is two")
        }
        return listening
    }

    private static func endpoint(_ text: String) throws(Fault) -> Endpoint {
        guard let endpoint = Endpoint(text) else { throw Fault(reason: "\(text) is no address such as 127.0.0.1:9100") }
        return endpoint
    }

    private static func transportAddress(_ text: String) throws(Fault) -> TransportAddress {
        guard case .tcp(let address, let port) = try endpoint(text) else {
            throw Fault(reason: "\(text) is no address of the network")
        }
        guard address.bytes.contains(where: { $0 != 0 }) else {
            throw Fault(reason: "\(text) stands for all addresses; name each, for answers must come from the one asked")
        }
        return TransportAddress(address, port)
    }

    private static func address(_ text: String) throws(Fault) -> IPAddress {
        guard let address = IPAddress(text) else { throw Fault(reason: "\(text) is no IP address") }
        return address
    }

    private static func number(
        _ invocation: Invocation, _ option: String, _ range: ClosedRange<Int>
    ) throws(Fault) -> Int? {
        guard let text = invocation.value(option) else { return nil }
        guard let number = Int(text), range.contains(number) else {
            throw Fault(reason: "--\(option) is a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    private static func ports(_ text: String) throws(Fault) -> ClosedRange<UInt16> {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false).map { UInt16($0) }
        guard parts.count == 2, let first = parts[0], let last = parts[1], first >= 1_024, first < UInt16.max - 3,
            last >= first + 3
        else { throw Fault(reason: "--ports is a range of at least four ports above 1023, such as 49152-65535") }
        return first...last
    }

    private static func drain(_ invocation: Invocation) throws(Fault) -> Duration {
        guard let text = invocation.value("drain") else { return .seconds(30) }
        guard let drain = DurationText.parse(text), drain >= .zero else {
            throw Fault(reason: "--drain is a duration such as 30s")
        }
        return drain
    }

    private static func certificate(_ invocation: Invocation) throws(Fault) -> (chain: String, key: String)? {
        switch (invocation.value("certificate"), invocation.value("key")) {
        case (nil, nil): return nil
        case (let chain?, let key?): return (chain, key)
        default: throw Fault(reason: "--certificate and --key go together")
        }
    }

    // MARK: - Policy

    private static func policy(_ invocation: Invocation) throws(Fault) -> PeerPolicy {
        let endpoints = try invocation.values("peer").map { text throws(Fault) in try peer(text) }
        let isOpen = invocation.has("open")
        guard isOpen != !endpoints.isEmpty else {
            throw Fault(reason: "say whom clients may reach: the media sockets with --peer, or everybody with --open")
        }
        let policy = PeerPolicy(
            isOpen ? .open : .sfuOnly(endpoints), denied: try networks(invocation, "deny"),
            allowed: try networks(invocation, "allow"))
        guard let policy else { throw Fault(reason: "more --peer, --allow or --deny than a relay takes") }
        return policy
    }

    private static func networks(_ invocation: Invocation, _ option: String) throws(Fault) -> [IPNetwork] {
        try invocation.values(option).map { text throws(Fault) in
            guard let network = IPNetwork(text) else { throw Fault(reason: "--\(option) \(text) is no ADDRESS/BITS") }
            return network
        }
    }

    /// `192.0.2.1:20000`, `[2001:db8::1]:20000-20007`.
    private static func peer(_ text: String) throws(Fault) -> PeerEndpoints {
        let fault = Fault(reason: "--peer \(text) is none such as 192.0.2.1:20000-20007")
        guard let colon = text.lastIndex(of: ":") else { throw fault }
        let ports = text[text.index(after: colon)...].split(separator: "-", omittingEmptySubsequences: false)
        guard (1...2).contains(ports.count), let first = UInt16(ports[0]), let last = UInt16(ports[ports.count - 1]),
            0 < first, first <= last, case .tcp(let address, _)? = Endpoint("\(text[..<colon]):\(first)")
        else { throw fault }
        return PeerEndpoints(address, ports: first...last)
    }
}
