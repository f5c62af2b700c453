// `plexichat turn`: the relay alone. No database, no configuration file: what it needs is on its command line.

import Base
import Configuration
import Crypto
import Glibc
import Net
import Relay
import Synchronization
import Wire

enum TurnCommand {
    private static let log = Logger("relay")

    @Sendable static func run(_ invocation: Invocation) async -> ExitCode {
        let wanted: TurnOptions
        do throws(TurnOptions.Fault) {
            wanted = try TurnOptions(invocation)
        } catch {
            invocation.output.complain("plexichat turn: \(error.reason)")
            invocation.output.complain("Try `plexichat turn --help`.")
            return .usage
        }
        LogOutput.configure(level: wanted.logLevel)
        signal(SIGPIPE, SIG_IGN)
        do throws(StartFailure) {
            try await serve(wanted, invocation.output)
            return .success
        } catch {
            invocation.output.complain("plexichat turn cannot start.\n\(error)")
            return .failure
        }
    }

    private static func serve(_ wanted: TurnOptions, _ output: Output) async throws(StartFailure) {
        let secrets = try wanted.readSecrets()
        let security = try wanted.makeSecurity()
        let shards: ShardGroup
        do {
            shards = try wanted.shards.map(ShardGroup.init(count:)) ?? ShardGroup()
        } catch {
            throw StartFailure("threads", error, remedy: "Raise the process's limit of threads or descriptors.")
        }
        let relay = try await start(wanted, secrets, security, shards)
        let metrics = Metrics()
        RelayMetrics.register(metrics, relay)
        let http = try await listenForMetrics(wanted, metrics, shards)
        for listening in relay.listening { output.line("relay listens on \(listening.kind) \(listening.address)") }
        for listening in http?.listening ?? [] { output.line("relay listens on metrics \(listening.endpoint)") }
        let stop = await watchSignals(wanted, relay, shards.first)
        RunningServer.tellServiceManager(.ready)
        await stop.wait()
        RunningServer.tellServiceManager(.stopping)
        log.info("draining", [.count("allocations", relay.statistics.reduce(0) { $0 + $1.allocations })])
        await relay.drain(within: wanted.drain)
        await http?.stop(within: .zero)
        await relay.stop()
        shards.stop()
    }

    private static func start(
        _ wanted: TurnOptions, _ secrets: RelaySecrets, _ security: RelayServer.Security?, _ shards: ShardGroup
    ) async throws(StartFailure) -> RelayServer {
        let service = RelayServer.Service(settings: wanted.settings, secrets: secrets, policy: wanted.policy)
        do {
            return try await RelayServer.start(
                wanted.listening, service, wanted.driver, security: security, on: shards)
        } catch {
            throw StartFailure(
                "listening", error,
                remedy: "If another program has the address, stop it or choose another one with --listen.")
        }
    }

    private static func listenForMetrics(
        _ wanted: TurnOptions, _ metrics: Metrics, _ shards: ShardGroup
    ) async throws(StartFailure) -> HTTPServer? {
        guard let endpoint = wanted.metrics else { return nil }
        do {
            return try await HTTPServer.start(
                [HTTPServer.Listening(endpoint)], service: MetricsService(metrics: metrics), on: shards)
        } catch {
            throw StartFailure("metrics", error, remedy: "Choose another address with --metrics.")
        }
    }

    /// SIGTERM and SIGINT end it; SIGHUP reads the files again.
    private static func watchSignals(
        _ wanted: TurnOptions, _ relay: RelayServer, _ shard: Shard
    ) async -> StopSignal {
        let stop = StopSignal()
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            shard.submit {
                do {
                    for number in [SIGTERM, SIGINT] { try shard.watchSignal(number) { stop.received() } }
                    try shard.watchSignal(SIGHUP) { Task { await reload(wanted, relay) } }
                } catch {
                    log.error("a signal cannot be watched", [.error(error)])
                }
                continuation.resume()
            }
        }
        return stop
    }

    private static func reload(_ wanted: TurnOptions, _ relay: RelayServer) async {
        do {
            await relay.set(try wanted.readSecrets())
            try relay.reloadCertificate()
            log.info("the secrets and the certificate were read again", [])
        } catch {
            log.error("what was in use stays in use", [.error(error)])
        }
    }
}

/// `/metrics` and `/healthz`, without anything of the API.
private struct MetricsService: HTTPService {
    let metrics: Metrics

    func respond(to request: HTTPRequest) async -> HTTPResponse {
        switch request.head.path {
        case "/metrics": text(.ok, metrics.render(), type: "text/plain; version=0.0.4; charset=utf-8")
        case "/healthz": text(.ok, "ok\n")
        default: text(.notFound, "nothing here; see /metrics\n")
        }
    }

    func refuse(_ fault: HTTPFault, path: String?) -> HTTPResponse { text(fault.status, fault.reason + "\n") }

    private func text(
        _ status: HTTPStatus, _ text: String, type: String = "text/plain; charset=utf-8"
    ) -> HTTPResponse {
        var headers = ResponseHeaders()
        headers.add("Content-Type", type)
        return HTTPResponse(status, headers: headers, body: .bytes(Bytes(text.utf8)))
    }
}
