// What the doctor says of TURN on the ports of HTTP (`relay.share_https`).

import Base
import Configuration
import Crypto
import Net
import Relay
import Wire

extension Doctor {
    /// While the server runs each port is asked as a client would: it must answer a STUN binding on a stream.
    static func sharedPorts(_ configuration: Configuration, isServing: Bool) async -> [Finding] {
        guard configuration.relay.sharesHTTPS else { return [] }
        guard configuration.relay.enabled, configuration.media.enabled else {
            return [
                .ill(
                    "relay", "relay.share_https is set, but this server is no relay",
                    "Set relay.enabled and media.enabled, or unset relay.share_https.")
            ]
        }
        let urls = configuration.endpoints.compactMap { sharedURL($0, configuration) }
        guard !urls.isEmpty else {
            return [
                .ill(
                    "relay", "relay.share_https is set, but server.listen has no port of the network",
                    "Add an address to server.listen, or unset relay.share_https.")
            ]
        }
        guard isServing else { return urls.map { .well("relay", "TURN will be served at \($0.host):\($0.port), too") } }
        do {
            return try await ask(urls)
        } catch {
            return [.ill("relay", "\(error)", "Raise the process's limits of threads and descriptors.")]
        }
    }

    private static func sharedURL(_ endpoint: Endpoint, _ configuration: Configuration) -> RelayURL? {
        guard case .tcp(let ip, let port) = endpoint, port != 0 else { return nil }
        // An address that stands for all is asked at the loopback.
        let isAny = !ip.bytes.contains { $0 != 0 }
        let host = isAny ? (ip.isV6 ? "::1" : "127.0.0.1") : "\(ip)"
        return RelayURL(
            isRelay: false, configuration.tls.certificate == nil ? .tcp : .tls, host: host, port: port)
    }

    private static func ask(_ urls: [RelayURL]) async throws -> [Finding] {
        let shard = try Shard()
        defer { shard.stop() }
        let resolver = HostResolver(pool: try BlockingPool(name: "resolver", threads: 1, queueLimit: 1))
        var options = RelayProbeOptions()
        // By an address, which no certificate is for; `tls` above has looked at it.
        options.trust = .anyone
        var findings: [Finding] = []
        for url in urls {
            let report = await RelayProbe.run(url, nil, options: options, resolver: resolver, on: shard)
            let place = "\(url.host):\(url.port)"
            if let failure = report.failure {
                findings.append(
                    .ill(
                        "relay", "TURN is not answered at \(place): \(failure.text)",
                        "Restart the server if relay.share_https was set after its start."))
            } else {
                findings.append(.well("relay", "TURN is answered at \(place), too"))
            }
        }
        return findings
    }
}
