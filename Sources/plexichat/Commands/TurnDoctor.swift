// `plexichat turn doctor`: which hop of a STUN or TURN server fails.

import Base
import Configuration
import Crypto
import Net
import Relay
import Wire

enum TurnDoctor {
    /// How long a name that is made for the look is good for.
    private static let nameLifetime = Int64(300)

    private struct Refusal: Error { let text: String }

    @Sendable static func run(_ invocation: Invocation) async -> ExitCode {
        let (url, options, credentials): (RelayURL, RelayProbeOptions, RelayClientCredentials?)
        do throws(Refusal) {
            url = try target(invocation)
            options = try probeOptions(invocation)
            credentials = url.isRelay ? try self.credentials(invocation) : nil
        } catch {
            invocation.output.complain("plexichat turn doctor: \(error.text)")
            return .usage
        }
        do {
            let shard = try Shard()
            let pool = try BlockingPool(name: "resolver", threads: 1, queueLimit: 1)
            let report = await RelayProbe.run(
                url, credentials, options: options, resolver: HostResolver(pool: pool), on: shard)
            show(report, url, invocation.output)
            shard.stop()
            return report.isHealthy ? .success : .failure
        } catch {
            invocation.output.complain("plexichat turn doctor: \(error)")
            return .failure
        }
    }

    private static func show(_ report: RelayReport, _ url: RelayURL, _ output: Output) {
        output.line("\(url)")
        for finding in report.findings {
            let mark =
                switch finding.outcome {
                case .well: "ok "
                case .ill: "!! "
                case .skipped: "-- "
                }
            let hop = finding.hop.rawValue
            let name = hop + String(repeating: " ", count: max(0, 12 - hop.count))
            let time = finding.time.map { " (\(milliseconds($0)) ms)" } ?? ""
            output.line("\(mark) \(name) \(finding.text)\(time)")
            if case .ill(let remedy) = finding.outcome { output.line("                 -> \(remedy)") }
        }
        output.line(report.isHealthy ? "All is well." : "It fails at: \(report.failure?.hop.rawValue ?? "the end").")
    }

    private static func milliseconds(_ time: Duration) -> String {
        let tenths = time.microseconds / 100
        return "\(tenths / 10).\(tenths % 10)"
    }

    // MARK: - What was asked

    private static func target(_ invocation: Invocation) throws(Refusal) -> RelayURL {
        guard let text = invocation.argument("URL"), let url = RelayURL(text) else {
            throw Refusal(text: "the URL is none such as turn:relay.example.org:3478?transport=udp")
        }
        return url
    }

    private static func probeOptions(_ invocation: Invocation) throws(Refusal) -> RelayProbeOptions {
        var options = RelayProbeOptions()
        if let file = invocation.value("authorities") { options.trust = .file(file) }
        if invocation.has("any-certificate") { options.trust = .anyone }
        if let text = invocation.value("timeout") {
            guard let limit = DurationText.parse(text), limit > .zero else {
                throw Refusal(text: "\(text) is not a duration such as 5s")
            }
            options.hopLimit = limit
        }
        if let text = invocation.value("peer") {
            guard let peer = Endpoint(text), case .tcp(let address, let port) = peer, port > 0 else {
                throw Refusal(text: "\(text) is no peer such as 192.0.2.1:20000")
            }
            options.peer = TransportAddress(address, port)
        }
        return options
    }

    private static func credentials(_ invocation: Invocation) throws(Refusal) -> RelayClientCredentials? {
        if let path = invocation.value("secret-file") {
            let secret: Secret
            do throws(SecretFile.Failure) {
                secret = try SecretFile.read(path)
            } catch {
                throw Refusal(text: error.description)
            }
            let name = "\(Timestamp.now().secondsSinceEpoch + nameLifetime):\(UUID.random())"
            return RelayClientCredentials(
                username: name, password: RelaySecrets(secret).password(of: Bytes(name.utf8)))
        }
        guard let name = invocation.value("username") ?? invocation.environment["TURN_USERNAME"] else { return nil }
        if let password = invocation.environment["TURN_PASSWORD"] {
            return RelayClientCredentials(username: name, password: Secret(text: password))
        }
        guard let password = SecretPrompt.read("Password: ", output: invocation.output) else {
            throw Refusal(text: "no password was given")
        }
        return RelayClientCredentials(username: name, password: password)
    }
}
