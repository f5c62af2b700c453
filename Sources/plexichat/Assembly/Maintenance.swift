// What is done now and then while the server runs: ended sessions and old keys deleted, certificates looked at.

import API
import Accounts
import Backup
import Base
import Chat
import Glibc
import Net
import Relay
import Signaling
import Synchronization
import Tasks

final class Maintenance: Sendable {
    private static let log = Logger("maintenance")
    private static let sweepInterval = Duration.hours(1)
    /// Rings and leases are counted in seconds.
    private static let callInterval = Duration.seconds(1)
    private static let presenceInterval = Duration.minutes(1)
    private static let chatInterval = Duration.minutes(1)
    /// The shortest pause before a webhook is tried again.
    private static let webhookInterval = Duration.seconds(5)
    private static let fileInterval = Duration.minutes(1)
    /// How old what a crash leaves of a task's progress may be.
    private static let taskInterval = Duration.seconds(5)
    /// Schedules of backups are to the minute: one begins a sixth of one late at most.
    private static let scheduleInterval = Duration.seconds(10)
    /// Schedules of keys are to the minute.
    private static let keyInterval = Duration.minutes(1)

    private let accounts: AccountService
    private let clientSettings: ClientSettings
    private let idempotency: IdempotencyStore
    private let calls: CallAssembly.Parts
    private let chat: ChatAssembly.Parts
    private let files: FileAccess
    private let logins: LoginWatch
    private let load: LoadMonitor
    private let tasks: TaskBoard
    private let schedules: BackupScheduler
    private let tls: TLSReloader?
    private let relay: RelayServer?
    private let isStopped = Atomic<Bool>(false)
    private let isAdvancing = Atomic<Bool>(false)
    private let isSweepingChat = Atomic<Bool>(false)
    private let isSweepingFiles = Atomic<Bool>(false)
    private let isWritingTasks = Atomic<Bool>(false)

    init(
        accounts: AccountService, clientSettings: ClientSettings, idempotency: IdempotencyStore,
        calls: CallAssembly.Parts, chat: ChatAssembly.Parts, files: FileAccess, logins: LoginWatch, load: LoadMonitor,
        backups: BackupAssembly.Parts, tls: TLSReloader?, relay: RelayServer?
    ) {
        self.accounts = accounts
        self.clientSettings = clientSettings
        self.idempotency = idempotency
        self.calls = calls
        self.chat = chat
        self.files = files
        self.logins = logins
        self.load = load
        tasks = backups.tasks
        schedules = backups.schedules.scheduler
        self.tls = tls
        self.relay = relay
    }

    private var webhooks: WebhookService { chat.webhooks.service }

    func start(on shards: ShardGroup, tlsInterval: Duration) {
        let loop = shards.first
        loop.submit { [self] in
            load.start(on: loop)
            every(Self.sweepInterval, on: loop) { maintenance in
                Task { await maintenance.sweep() }
            }
            every(Self.callInterval, on: loop) { $0.advanceCalls() }
            every(Self.presenceInterval, on: loop) { maintenance in
                Task { await maintenance.noteWhoWasSeen() }
            }
            every(Self.chatInterval, on: loop) { $0.sweepChat() }
            webhooks.start()
            every(Self.webhookInterval, on: loop) { $0.webhooks.look() }
            every(Self.fileInterval, on: loop) { $0.sweepFiles() }
            every(Self.taskInterval, on: loop) { $0.writeTasks() }
            every(Self.scheduleInterval, on: loop) { $0.schedules.look() }
            every(Self.keyInterval, on: loop) { maintenance in
                Task { await maintenance.advanceKeys() }
            }
            if let interval = ServiceManager.watchdogInterval {
                every(interval, on: loop) { _ in Self.tellAlive(after: shards.shards[...]) }
            }
            if tls != nil { every(tlsInterval, on: loop) { $0.reloadCertificate() } }
            do {
                // Without TLS, too: `systemctl reload` must not end the server.
                try loop.watchSignal(SIGHUP) { self.reloadCertificate() }
            } catch {
                Self.log.error("SIGHUP cannot be watched", [.error(error)])
            }
        }
    }

    /// Nothing calls out when it returns.
    func stop() async {
        isStopped.store(true, ordering: .relaxed)
        await webhooks.stop()
    }

    private func every(
        _ interval: Duration, on loop: any EventLoop, _ action: @escaping (Maintenance) -> Void
    ) {
        _ = loop.schedule(after: interval) { [self] in
            guard !isStopped.load(ordering: .relaxed) else { return }
            action(self)
            every(interval, on: loop, action)
        }
    }

    /// Tells the service manager that the server lives, once every loop has taken its turn: one that hangs keeps the
    /// message back, and the server is restarted (WatchdogSec of the unit).
    private static func tellAlive(after shards: ArraySlice<Shard>) {
        guard let next = shards.first else { return RunningServer.tellServiceManager(.alive) }
        next.submit { tellAlive(after: shards.dropFirst()) }
    }

    /// A turn that takes longer than the interval (the database hangs) is not joined by the next ones.
    private func advanceCalls() {
        calls.relays?.advance()
        guard !isAdvancing.exchange(true, ordering: .relaxed) else { return }
        Task {
            calls.calls.presence.advance()
            await calls.calls.service.advance()
            await calls.signaling?.hub.advance()
            await chat.live.hub.advancePresence()
            await logins.advance()
            isAdvancing.store(false, ordering: .relaxed)
        }
    }

    /// What was deleted or is too old goes in parts, so that no writer waits long behind one.
    private func sweepChat() {
        guard !isSweepingChat.exchange(true, ordering: .relaxed) else { return }
        Task {
            do {
                while try await chat.chat.service.sweep(), !isStopped.load(ordering: .relaxed) {}
            } catch {
                Self.log.warning("old messages could not be deleted; the next sweep tries again", [.error(error)])
            }
            isSweepingChat.store(false, ordering: .relaxed)
        }
    }

    /// Files that nothing keeps, uploads that nobody goes on with, blobs that nobody needs; in parts, too.
    private func sweepFiles() {
        guard !isSweepingFiles.exchange(true, ordering: .relaxed) else { return }
        Task {
            do {
                while try await files.avatars?.sweep() == true, !isStopped.load(ordering: .relaxed) {}
                while try await files.service.sweep(), !isStopped.load(ordering: .relaxed) {}
                try await clientSettings.scanPending()
            } catch {
                Self.log.warning("old files could not be deleted; the next sweep tries again", [.error(error)])
            }
            isSweepingFiles.store(false, ordering: .relaxed)
        }
    }

    private func writeTasks() {
        guard !isWritingTasks.exchange(true, ordering: .relaxed) else { return }
        Task {
            await tasks.advance()
            isWritingTasks.store(false, ordering: .relaxed)
        }
    }

    private func advanceKeys() async {
        do {
            try await accounts.advanceKeys()
        } catch {
            Self.log.warning("keys could not be looked after; the next minute tries again", [.error(error)])
        }
    }

    func noteWhoWasSeen() async {
        do {
            try await calls.calls.presence.sweep()
        } catch {
            Self.log.warning("who was seen could not be written; the next time tries again", [.error(error)])
        }
    }

    private func sweep() async {
        do {
            try await accounts.sweep()
            try await clientSettings.sweep()
            try await idempotency.purge(at: .now())
        } catch {
            Self.log.warning("old rows could not be deleted; the next sweep tries again", [.error(error)])
        }
    }

    private func reloadCertificate() {
        do {
            try tls?.reload()
            try relay?.reloadCertificate()
        } catch {
            Self.log.error("the certificate could not be read again; the one in use stays", [.error(error)])
        }
    }
}
