// The object graph: the one place that knows every concrete type. Built from the bottom up, taken down in reverse.

import API
import Accounts
import Base
import Configuration
import Crypto
import Glibc
import Net
import Store
import Synchronization
import Wire

struct RunningServer: Sendable {
    private static let log = Logger("server")

    let configuration: Configuration
    let storage: Storage
    let accounts: AccountService
    let health: HealthMonitor
    let http: HTTPServer
    let maintenance: Maintenance
    /// The administrator's password, where this start has made one up.
    let administratorPassword: Secret?

    static func start(_ configuration: Configuration) async throws(StartFailure) -> RunningServer {
        let storage = try await Storage.open(configuration, shards: configuration.shardCount)
        do {
            return try await start(configuration, storage)
        } catch {
            await storage.close()
            throw error
        }
    }

    private static func start(
        _ configuration: Configuration, _ storage: Storage
    ) async throws(StartFailure) -> RunningServer {
        let metrics = Metrics()
        let accounts = try await makeAccounts(configuration, storage)
        let password = try await administrator(accounts)
        let load = LoadMonitor(marks: configuration.loadMarks, diskFolder: configuration.data.folder)
        let requestMetrics = RequestMetrics(metrics)
        let health = HealthMonitor(
            database: storage.database, load: load, version: ProductVersion.text,
            responseTimes: requestMetrics.duration)
        let idempotency = IdempotencyStore(
            database: storage.database, vault: storage.vault, lifetime: configuration.idempotency.lifetime)
        let services = Services(
            accounts: accounts, health: health, metrics: metrics,
            documentation: configuration.documentation, areMetricsPublic: configuration.metrics.isPublic)
        let api = APIService(
            services: services, limits: configuration.rateLimitPolicy, load: load,
            idempotency: idempotency, options: configuration.apiOptions, clock: .system, metrics: requestMetrics)
        let tls = try makeTLS(configuration)
        let http = try await listen(configuration, api, storage.shards, tls, metrics)
        let maintenance = Maintenance(accounts: accounts, idempotency: idempotency, load: load, tls: tls)
        maintenance.start(on: storage.shards.first, tlsInterval: configuration.tls.reloadInterval)
        health.isReady = true
        return RunningServer(
            configuration: configuration, storage: storage, accounts: accounts, health: health, http: http,
            maintenance: maintenance, administratorPassword: password)
    }

    // MARK: Parts

    static func makeAccounts(
        _ configuration: Configuration, _ storage: Storage
    ) async throws(StartFailure) -> AccountService {
        let senders = try configuration.codeSenders(on: storage.shards.first)
        do {
            let accounts = AccountService(
                database: storage.database, vault: storage.vault,
                passwords: try PasswordWorker(configuration.passwordOptions), senders: senders,
                options: configuration.accountOptions(installation: storage.installation))
            try await accounts.start()
            return accounts
        } catch {
            throw StartFailure("accounts", error, remedy: "Run `plexichat doctor` with the same options.")
        }
    }

    private static func administrator(_ accounts: AccountService) async throws(StartFailure) -> Secret? {
        let chosen = getenv("PLEXICHAT_ADMIN_PASSWORD").map { Secret(text: String(cString: $0)) }
        do {
            return try await accounts.ensureAdministrator(password: chosen)
        } catch {
            throw StartFailure(
                "administrator", error, remedy: "PLEXICHAT_ADMIN_PASSWORD must be at least 8 characters long.")
        }
    }

    private static func makeTLS(_ configuration: Configuration) throws(StartFailure) -> TLSReloader? {
        guard let certificate = configuration.tls.certificate, let key = configuration.tls.key else { return nil }
        let versions: TLSContext.Versions = configuration.tls.minVersion == .v1_3 ? .tls13only : .tls12and13
        do {
            return try TLSReloader { () throws(CryptoError) in
                let identity = try TLSIdentity(certificateChainFile: certificate, privateKeyFile: key)
                return try TLSContext.server(identity, applicationProtocols: ["http/1.1"], versions: versions)
            }
        } catch {
            throw StartFailure(
                "TLS", error, remedy: "Check the PEM files named by `tls.certificate` and `tls.key`.")
        }
    }

    private static func listen(
        _ configuration: Configuration, _ api: APIService, _ shards: ShardGroup, _ tls: TLSReloader?,
        _ metrics: Metrics
    ) async throws(StartFailure) -> HTTPServer {
        // Sockets that the service manager hands over take the place of the configured list.
        let inherited = ServiceManager.takeListeners()
        let endpoints = inherited.isEmpty ? configuration.endpoints : inherited
        do {
            return try await HTTPServer.start(
                endpoints.map { HTTPServer.Listening($0, isSecure: tls != nil) }, service: api, on: shards,
                options: configuration.httpOptions, tls: tls, metrics: metrics)
        } catch {
            throw StartFailure(
                "listening", error,
                remedy: "If another program has the address, stop it or choose another one with --listen.")
        }
    }

    static func tellServiceManager(_ state: ServiceManager.State) {
        do {
            try ServiceManager.notify(state)
        } catch {
            log.warning("the service manager cannot be told", [.error(error)])
        }
    }

    // MARK: The end

    /// Returns when SIGTERM or SIGINT asks the process to stop. A second one ends it at once.
    func untilAskedToStop() async {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            let once = StopSignal(continuation)
            storage.shards.first.submit {
                for number in [SIGTERM, SIGINT] {
                    do {
                        try storage.shards.first.watchSignal(number) { once.received() }
                    } catch {
                        Self.log.error("a signal cannot be watched", [.error(error)])
                    }
                }
            }
        }
    }

    func stop() async {
        health.isReady = false
        Self.tellServiceManager(.stopping)
        Self.log.info("draining", [.count("connections", http.connectionCount)])
        await http.stop(within: configuration.server.drainTimeout)
        maintenance.stop()
        await accounts.stop()
        await storage.close()
    }
}

/// Resumes the waiting command at the first signal; ends the process at the second.
private final class StopSignal: Sendable {
    private let continuation: Mutex<CheckedContinuation<Void, Never>?>

    init(_ continuation: CheckedContinuation<Void, Never>) { self.continuation = Mutex(continuation) }

    func received() {
        guard let waiting = continuation.withLock({ $0.take() }) else { exit(1) }
        waiting.resume()
    }
}
