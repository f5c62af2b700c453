// Looks at the relays that clients in calls are told of, one after the other, as a client would: a relay that fails is
// left out of `ice-config` until it is well again, and the log says so.

import Base
import Net
import Relay
import Signaling
import Synchronization
import Wire

final class RelayWatch: Sendable {
    private static let log = Logger("relays")
    /// How long the credentials of a look are good for, in seconds.
    private static let credentialSeconds: Int64 = 120

    private let urls: [(text: String, url: RelayURL)]
    private let options: RelayOptions
    private let probe: RelayProbeOptions
    private let interval: Duration
    private let loop: any EventLoop
    private let resolver: HostResolver
    private let nextLook: Mutex<Instant>
    private let isLooking = Atomic<Bool>(false)

    /// The first look is at once: a relay that does not answer when the server starts is not told to its first caller.
    init(
        _ options: RelayOptions, probe: RelayProbeOptions, every interval: Duration, resolver: HostResolver,
        on loop: any EventLoop, now: Instant = .now()
    ) {
        urls = (options.openServers + options.relays).compactMap { text in
            RelayURL(text).map { (text, $0) }
        }
        self.options = options
        self.probe = probe
        self.interval = interval
        self.resolver = resolver
        self.loop = loop
        nextLook = Mutex(now)
    }

    /// Called every second. A round that takes longer than the interval is not joined by the next one.
    func advance(now: Instant = .now()) {
        guard !urls.isEmpty, nextLook.withLock({ $0 <= now }) else { return }
        guard !isLooking.exchange(true, ordering: .relaxed) else { return }
        Task(executorPreference: loop) { [self] in
            for (text, url) in urls { note(await look(at: url), text) }
            nextLook.withLock { $0 = .now() + interval }
            isLooking.store(false, ordering: .relaxed)
        }
    }

    private func look(at url: RelayURL) async -> RelayReport {
        var credentials: RelayClientCredentials?
        if url.isRelay {
            let expiry = Timestamp.now().secondsSinceEpoch + Self.credentialSeconds
            if let (name, password) = options.credentials(for: .random(), expiry: expiry) {
                credentials = RelayClientCredentials(username: name, password: Secret(text: password))
            }
        }
        return await RelayProbe.run(url, credentials, options: probe, resolver: resolver, on: loop)
    }

    private func note(_ report: RelayReport, _ text: String) {
        guard options.health.note(text, isHealthy: report.isHealthy) else { return }
        if report.isHealthy {
            Self.log.info("a relay answers again, and clients are told of it", [.text("url", text)])
        } else {
            Self.log.warning(
                "a relay does not answer as it should, and clients are not told of it",
                [
                    .text("url", text), .text("hop", report.failure?.hop.rawValue ?? "the end"),
                    .text("reason", report.failure?.text ?? "no answer in time"),
                ])
        }
    }
}
