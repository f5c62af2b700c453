// Calls and presence over the accounts, media and the database of this server.

import API
import Accounts
import Base
import Chat
import Configuration
import Media
import Net
import Relay
import Signaling
import Tasks

enum CallAssembly {
    struct Parts: Sendable {
        let calls: CallAccess
        /// `nil` when the server takes no part in calls.
        let signaling: SignalingAccess?
        /// `nil` where nobody looks at relays.
        let relays: RelayWatch?
        /// Chat is built later, but who is there is known here and told over its sockets, too.
        let chatHub: ChatHub
    }

    static func start(
        _ configuration: Configuration, _ storage: Storage, _ accounts: AccountService, _ media: MediaService?,
        _ relay: EmbeddedRelay?, _ tasks: TaskBoard, _ metrics: Metrics
    ) async throws(StartFailure) -> Parts {
        let hub = media.map { SignalingHub(media: $0, resumeGrace: configuration.calls.resumeGrace) }
        let sockets: any CallEvents & CallMedia = if let hub { hub } else { NoMedia() }
        let chat = ChatHub(limits: configuration.liveLimits)
        let presence = PresenceBook(
            database: storage.database, options: configuration.presenceOptions,
            tell: { user, presence in
                sockets.presenceChanged(user, presence)
                chat.presenceChanged(user, presence.inChat)
            })
        chat.setPresence(presence)
        let options = configuration.callOptions(with: relay)
        let node = try NodeIdentity.load(configuration)
        let recorder = media.map {
            JournalRecorder(folder: configuration.data.folder + "/recordings", media: $0, accounts: accounts)
        }
        let recordingTasks = RecordingTaskBoard(tasks)
        let service = CallService(
            node: node, database: storage.database, accounts: accounts, presence: presence, media: sockets,
            events: sockets, relay: relay?.server, recorder: recorder, recordingTasks: recordingTasks, options: options)
        recordingTasks.setEnd { [weak service] recording, call in await service?.endRecording(recording, of: call) }
        let recordings = RecordingLibrary(
            node: node, database: storage.database, accounts: accounts, recorder: recorder)
        do {
            try await service.start()
        } catch {
            throw StartFailure("calls", error, remedy: "Run `plexichat doctor` with the same options.")
        }
        metrics.sampled("plexichat_calls", "Calls that are on.") { Double(service.liveGauge.current) }
        hub?.setCalls(service)
        hub?.setPresence(presence)
        let signaling = hub.map { hub in
            SignalingAccess(hub: hub) { token throws(CallError) in
                try await service.principal(ofSignalingToken: token)
            }
        }
        return Parts(
            calls: CallAccess(service: service, presence: presence, recordings: recordings), signaling: signaling,
            relays: try watch(options.relays, configuration, storage, metrics), chatHub: chat)
    }
}

extension CallAssembly {
    private static func watch(
        _ relays: RelayOptions, _ configuration: Configuration, _ storage: Storage, _ metrics: Metrics
    ) throws(StartFailure) -> RelayWatch? {
        metrics.sampled("plexichat_relays_unhealthy", "Relays that clients are not told of, for they do not answer.") {
            Double(relays.health.unhealthy.count)
        }
        guard configuration.calls.probeRelays, !(relays.openServers + relays.relays).isEmpty else { return nil }
        do {
            let pool = try BlockingPool(name: "resolver", threads: 1, queueLimit: 8)
            return RelayWatch(
                relays, probe: RelayProbeOptions(), every: configuration.calls.relayProbeInterval,
                resolver: HostResolver(pool: pool), on: storage.shards.first)
        } catch {
            throw StartFailure("threads", error, remedy: "Raise the process's limit of threads.")
        }
    }
}

extension RelayServer: RelayGate {}

/// A server that takes no part in calls: nobody rings, and nobody gets media that would have to obey.
private struct NoMedia: CallEvents, CallMedia {
    let isAvailable = false

    func deliver(_ notice: CallNotice, to users: [UserID]) -> Set<UserID> { [] }
    func presenceChanged(_ user: UserID, _ presence: Presence) {}
    func admit(_ user: UserID, to call: CallID, with permissions: MediaPermissions) async {}
    func setPermissions(_ permissions: MediaPermissions, of user: UserID, in call: CallID) async {}
    func cut(_ user: UserID, from call: CallID) async -> ParticipantMeasurements? { nil }
    func close(_ call: CallID) async {}
    func measurements(of call: CallID) async -> [UserID: ParticipantMeasurements] { [:] }
}

extension Configuration {
    /// The relays of the operator, and our own.
    func callOptions(with relay: EmbeddedRelay?) -> CallOptions {
        var options = callOptions
        guard let relay else { return options }
        options.relays.openServers = relay.openURLs + options.relays.openServers
        // Without a secret of the operator's there are no relays of his (`calls.relay_secret` is needed for them).
        options.relays.relays = relay.urls + options.relays.relays
        options.relays.secret = relay.secret
        return options
    }

    private var callOptions: CallOptions {
        var options = CallOptions()
        options.ringTime = calls.ringTime
        options.resumeGrace = calls.resumeGrace
        options.emptyGrace = calls.emptyGrace
        options.tokenLifetime = calls.signalingTokenLifetime
        options.participantsPerCall = calls.maxParticipants
        options.liveCalls = calls.maxLive
        let rate = rateLimits.calls.calls
        options.initiationWindow = rate.window
        // Like every other rate: a scale of 0 turns it off.
        options.initiations =
            rateLimits.scale == 0 ? nil : rate.count.map { max(1, Int(Double($0) * rateLimits.scale)) }
        options.recording = recordingOptions
        let isOpen: (String) -> Bool = { $0.hasPrefix("stun:") || $0.hasPrefix("stuns:") }
        options.relays.openServers = (media.iceServers + calls.relays).filter(isOpen)
        options.relays.relays = calls.relays.filter { !isOpen($0) }
        options.relays.secret = calls.relaySecret
        options.relays.lifetime = calls.relayCredentialLifetime
        return options
    }

    private var recordingOptions: RecordingOptions {
        var options = RecordingOptions()
        options.allowed =
            switch recording.allowed {
            case .nobody: .nobody
            case .admins: .admins
            case .hosts: .hosts
            }
        options.consent =
            switch recording.consent {
            case .ask: .ask
            case .announce: .announce
            case .operator: .operator
            }
        options.maxDuration = recording.maxDuration
        options.answerTime = recording.answerTime
        return options
    }

    var presenceOptions: PresenceOptions {
        var options = PresenceOptions()
        options.lease = calls.presenceLease
        return options
    }
}
