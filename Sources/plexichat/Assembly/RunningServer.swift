// The object graph: the one place that knows every concrete type. Built from the bottom up, taken down in reverse.

import API
import Accounts
import Backup
import Base
import Configuration
import Crypto
import Glibc
import Media
import Net
import Relay
import Signaling
import Store
import Synchronization
import Tasks
import Wire

struct RunningServer: Sendable {
    private static let log = Logger("server")

    let configuration: Configuration
    let storage: Storage
    let accounts: AccountService
    let health: HealthMonitor
    let http: HTTPServer
    /// `nil` when it takes no part in calls.
    let media: MediaService?
    /// `nil` when it is no relay.
    let relay: RelayServer?
    let calls: CallAssembly.Parts
    let files: FileParts
    let backups: BackupAssembly.Parts
    let maintenance: Maintenance
    /// The administrator's password, where this start has made one up.
    let administratorPassword: Secret?

    static func start(_ loaded: LoadedConfiguration) async throws(StartFailure) -> RunningServer {
        // A file that may not grow (a quota) is a write that fails, not the end of the process.
        signal(SIGXFSZ, SIG_IGN)
        let storage = try await Storage.open(loaded.values, shards: loaded.values.shardCount)
        do {
            return try await start(try await addingStoredSettings(to: loaded, storage), storage)
        } catch {
            await storage.close()
            throw error
        }
    }

    /// What administrators have set over the API stands under what the operator gives.
    private static func addingStoredSettings(
        to loaded: LoadedConfiguration, _ storage: Storage
    ) async throws(StartFailure) -> LoadedConfiguration {
        let stored: [String: String]
        do {
            stored = try await AccountService.systemSettings(in: storage.database)
        } catch {
            throw StartFailure("settings", error, remedy: "Run `plexichat doctor` with the same options.")
        }
        let (merged, passedOver) = loaded.adding(stored: stored)
        for key in passedOver {
            log.warning("a setting of an administrator does not fit any more and is passed over", [.text("key", key)])
        }
        return merged
    }

    private static func start(
        _ loaded: LoadedConfiguration, _ storage: Storage
    ) async throws(StartFailure) -> RunningServer {
        let configuration = loaded.values
        LogOutput.configure(level: configuration.logging.level)
        let metrics = Metrics()
        let web = try configuration.webPages()
        let accounts = try await makeAccounts(configuration, storage)
        let password = try await administrator(accounts)
        let backups = try await BackupAssembly.start(loaded, storage, accounts, metrics)
        let load = LoadMonitor(marks: configuration.loadMarks, diskFolder: configuration.data.folder)
        let requestMetrics = RequestMetrics(metrics)
        let health = HealthMonitor(
            database: storage.database, load: load, version: ProductVersion.text,
            responseTimes: requestMetrics.duration)
        let idempotency = IdempotencyStore(
            database: storage.database, vault: storage.vault, lifetime: configuration.idempotency.lifetime)
        let endpoints = Self.endpoints(configuration)
        let serving = try await MediaAssembly.start(configuration, on: storage.shards, besides: endpoints, metrics)
        let media = serving?.service
        let relay: EmbeddedRelay?
        do {
            relay = try await RelayAssembly.start(
                configuration, storage, accounts.keys, serving?.addresses ?? [], besides: endpoints, metrics)
        } catch {
            await media?.stop()
            throw error
        }
        let parts = try await startCalls(
            configuration, storage, accounts, media, relay, backups.tasks, metrics)
        let limiter = RateLimiter(configuration.rateLimitPolicy)
        let chat = ChatAssembly.make(configuration, storage, accounts, parts, metrics)
        let files = try await startFiles(configuration, storage, accounts, chat, relay, media)
        let clientSettings = SettingsAssembly.make(configuration, accounts, files, events: chat.live.hub)
        let logins = watchLogins(of: accounts, parts, chat)
        let services = Services(
            accounts: accounts, health: health, metrics: metrics,
            documentation: configuration.documentation, areMetricsPublic: configuration.metrics.isPublic,
            media: media.map { MediaAccess(service: $0, iceServers: configuration.media.iceServers) },
            signaling: parts.signaling, calls: parts.calls, chat: chat.chat, live: chat.live,
            files: files.access, settings: liveSettings(loaded, accounts, limiter),
            clientSettings: clientSettings, webhooks: chat.webhooks, tasks: backups.tasks, backups: backups.service,
            backupSchedules: backups.schedules.schedules)
        let api = APIService(
            services: services, limiter: limiter, load: load,
            idempotency: idempotency, options: configuration.apiOptions(web: web), clock: .system,
            metrics: requestMetrics)
        let neighbour = configuration.relay.sharesHTTPS ? relay?.server : nil
        let tls: TLSReloader?
        let http: HTTPServer
        do {
            tls = try makeTLS(configuration, besides: neighbour)
            http = try await listen(configuration, endpoints, api, storage.shards, tls, neighbour, metrics)
        } catch {
            files.stop()
            await relay?.server.stop()
            await media?.stop()
            throw error
        }
        let maintenance = Maintenance(
            accounts: accounts, clientSettings: clientSettings, idempotency: idempotency, calls: parts, chat: chat,
            files: files.access, logins: logins, load: load, backups: backups, tls: tls, relay: relay?.server)
        maintenance.start(on: storage.shards, tlsInterval: configuration.tls.reloadInterval)
        health.isReady = true
        return RunningServer(
            configuration: configuration, storage: storage, accounts: accounts, health: health, http: http,
            media: media, relay: relay?.server, calls: parts, files: files, backups: backups, maintenance: maintenance,
            administratorPassword: password)
    }

    // MARK: Parts

    /// Sockets that the service manager hands over take the place of the configured list.
    private static func endpoints(_ configuration: Configuration) -> [Endpoint] {
        let inherited = ServiceManager.takeListeners()
        return inherited.isEmpty ? configuration.endpoints : inherited
    }

    private static func startCalls(
        _ configuration: Configuration, _ storage: Storage, _ accounts: AccountService, _ media: MediaService?,
        _ relay: EmbeddedRelay?, _ tasks: TaskBoard, _ metrics: Metrics
    ) async throws(StartFailure) -> CallAssembly.Parts {
        do throws(StartFailure) {
            return try await CallAssembly.start(configuration, storage, accounts, media, relay, tasks, metrics)
        } catch {
            await relay?.server.stop()
            await media?.stop()
            throw error
        }
    }

    /// What runs already stops when they cannot be served.
    private static func startFiles(
        _ configuration: Configuration, _ storage: Storage, _ accounts: AccountService, _ chat: ChatAssembly.Parts,
        _ relay: EmbeddedRelay?, _ media: MediaService?
    ) async throws(StartFailure) -> FileParts {
        do throws(StartFailure) {
            return try await FileAssembly.start(configuration, storage, accounts, chat.chat.service)
        } catch {
            await relay?.server.stop()
            await media?.stop()
            throw error
        }
    }

    /// What administrators change while the server runs, and what takes it up at once.
    private static func liveSettings(
        _ loaded: LoadedConfiguration, _ accounts: AccountService, _ limiter: RateLimiter
    ) -> LiveSettings {
        LiveSettings(loaded) { changed in
            accounts.setRegistration(isOpen: changed.accounts.registration == .open)
            LogOutput.configure(level: changed.logging.level)
            limiter.adopt(changed.rateLimitPolicy)
        }
    }

    /// Sockets of calls and of chat end with their logins.
    private static func watchLogins(
        of accounts: AccountService, _ calls: CallAssembly.Parts, _ chat: ChatAssembly.Parts
    ) -> LoginWatch {
        let sockets: [(any LoginSockets)?] = [calls.signaling?.hub, chat.live.hub]
        let logins = LoginWatch(
            sockets: sockets.compactMap { $0 }, calls: calls.calls.service, presence: calls.calls.presence,
            accounts: accounts)
        accounts.setEvents(logins)
        return logins
    }

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

    private static func makeTLS(
        _ configuration: Configuration, besides neighbour: RelayServer?
    ) throws(StartFailure) -> TLSReloader? {
        guard let certificate = configuration.tls.certificate, let key = configuration.tls.key else { return nil }
        let versions: TLSContext.Versions = configuration.tls.minVersion == .v1_3 ? .tls13only : .tls12and13
        let protocols = ["http/1.1"] + (neighbour.map { [$0.applicationProtocol] } ?? [])
        do {
            return try TLSReloader { () throws(CryptoError) in
                let identity = try TLSIdentity(certificateChainFile: certificate, privateKeyFile: key)
                return try TLSContext.server(identity, applicationProtocols: protocols, versions: versions)
            }
        } catch {
            throw StartFailure(
                "TLS", error, remedy: "Check the PEM files named by `tls.certificate` and `tls.key`.")
        }
    }

    private static func listen(
        _ configuration: Configuration, _ endpoints: [Endpoint], _ api: APIService, _ shards: ShardGroup,
        _ tls: TLSReloader?, _ neighbour: RelayServer?, _ metrics: Metrics
    ) async throws(StartFailure) -> HTTPServer {
        do {
            return try await HTTPServer.start(
                endpoints.map { HTTPServer.Listening($0, isSecure: tls != nil) }, service: api, on: shards,
                options: configuration.httpOptions, tls: tls, neighbour: neighbour, metrics: metrics)
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

    /// From its return on, SIGTERM and SIGINT ask the process to stop instead of ending it. A second one ends it at once.
    func watchForStop() async -> StopSignal {
        let stop = StopSignal()
        let shard = storage.shards.first
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            shard.submit {
                for number in [SIGTERM, SIGINT] {
                    do {
                        try shard.watchSignal(number) { stop.received() }
                    } catch {
                        Self.log.error("a signal cannot be watched", [.error(error)])
                    }
                }
                continuation.resume()
            }
        }
        return stop
    }

    func stop() async {
        health.isReady = false
        Self.tellServiceManager(.stopping)
        Self.log.info("draining", [.count("connections", http.connectionCount)])
        // First, so that clients go elsewhere while requests are finished.
        await calls.signaling?.hub.drain(
            to: configuration.calls.reconnectURL, within: configuration.calls.drainTime)
        await calls.calls.service.stop()
        calls.signaling?.hub.finishDrain()
        await media?.stop()
        // What it relayed to is gone.
        await relay?.stop()
        await http.stop(within: configuration.server.drainTimeout)
        // What cannot be finished is interrupted: it is said in the database, which is still there.
        await backups.tasks.stop()
        await backups.schedules.scheduler.stop()
        await maintenance.stop()
        files.stop()
        await maintenance.noteWhoWasSeen()
        await accounts.stop()
        await storage.close()
    }
}

/// Resumes the waiting command at the first signal, also one that came before it waited; ends the process at the second.
final class StopSignal: Sendable {
    private enum State {
        case running
        case waitedFor(CheckedContinuation<Void, Never>)
        case received
    }

    private let state = Mutex(State.running)

    func wait() async {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            let isReceived = state.withLock { state in
                if case .received = state { return true }
                state = .waitedFor(continuation)
                return false
            }
            if isReceived { continuation.resume() }
        }
    }

    func received() {
        let before = state.withLock { state in
            defer { state = .received }
            return state
        }
        switch before {
        case .running: break
        case .waitedFor(let waiting): waiting.resume()
        case .received: exit(1)
        }
    }
}
