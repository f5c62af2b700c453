// Has backups made when their time has come: looks at the schedules, claims one, has its backup made, removes what it
// replaces, and keeps what came of it. One at a time. What is to be done is decided by `BackupPlanner`.

package import Base
import Synchronization
import Tasks
import Wire

package final class BackupScheduler: Sendable {
    private static let log = Logger("backup-schedules")
    /// A backup that begins later than this is said to be late.
    private static let lateness = Duration.minutes(5)
    /// Tasks have been stopped by then: what is left is to write down how one ended.
    package static let stopWait = Duration.seconds(5)

    private struct State {
        var isStopping = false
        var isWorking = false
        var waiting: CheckedContinuation<Void, Never>?
    }

    private let store: BackupScheduleStore
    private let service: any StartsBackups
    private let zones: ZoneFiles
    private let metrics: BackupScheduleMetrics
    private let node: String
    private let clock: Clock
    private let grace: Duration
    private let state = Mutex(State())

    package init(
        _ store: BackupScheduleStore, _ service: any StartsBackups, zones: ZoneFiles, node: String,
        metrics: BackupScheduleMetrics, clock: Clock = .system, grace: Duration = BackupScheduleLimits.grace
    ) {
        self.store = store
        self.service = service
        self.zones = zones
        self.node = node
        self.metrics = metrics
        self.clock = clock
        self.grace = grace
    }

    // MARK: Driving

    /// Before anything is looked at: what an earlier process of this node left is due again, and what it made is told.
    package func open() async throws(BackupScheduleError) {
        let now = clock.now()
        for schedule in try await store.all() {
            metrics.knows(schedule)
            guard schedule.progress.attempt?.node == node else { continue }
            var resumed = schedule
            resumed.resume(at: now)
            _ = try await store.replace(resumed)
        }
    }

    /// To be called every few seconds. Begins what is due, unless something is under way.
    package func look() {
        let mustBegin = state.withLock { state in
            guard !state.isStopping, !state.isWorking else { return false }
            state.isWorking = true
            return true
        }
        guard mustBegin else { return }
        Task { [self] in
            await advance()
            let waiting = state.withLock { state in
                state.isWorking = false
                return state.waiting.take()
            }
            waiting?.resume()
        }
    }

    /// Nothing is begun any more. Returns when what is under way has ended, or after `limit`: then it is found under way
    /// by the next start. Whoever stops the tasks does so before. Called once.
    package func stop(within limit: Duration = stopWait) async {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            let isIdle = state.withLock { state in
                state.isStopping = true
                guard state.isWorking else { return true }
                state.waiting = continuation
                return false
            }
            guard !isIdle else { return continuation.resume() }
            Task { [self] in
                try? await Task.sleep(for: limit)
                state.withLock { $0.waiting.take() }?.resume()
            }
        }
    }

    private var isStopping: Bool { state.withLock { $0.isStopping } }

    /// Does all that is due, one after the other.
    package func advance() async {
        do throws(BackupScheduleError) {
            for schedule in try await store.due(at: clock.now()) where !isStopping { try await advance(schedule) }
        } catch {
            Self.log.warning("schedules of backups could not be looked at; the next look tries again", [.error(error)])
        }
    }

    private func advance(_ schedule: BackupSchedule) async throws(BackupScheduleError) {
        let now = clock.now()
        let rules: TimeZoneRules
        do throws(ZoneFiles.Refusal) { rules = try zones.rules(of: schedule.zone) } catch {
            return try await fail(schedule, "time_zone \(error.reason)", at: now)
        }
        switch BackupPlanner.plan(schedule, in: rules, at: now, on: node, grace: grace) {
        case .wait: return
        case .giveUp(let due, let next): try await giveUp(schedule, due, next, at: now)
        case .make(let due, let next):
            var begun = schedule
            begun.begin(due, next: next, on: node, at: now)
            // Another server may have been first.
            guard let claimed = try await store.replace(begun) else { return }
            if now - due > Self.lateness {
                Self.log.info(
                    "a backup begins late",
                    [
                        .text("schedule", schedule.id), .text("due", due.rfc3339),
                        .count("seconds", (now - due).components.seconds),
                    ])
            }
            try await make(claimed, due, rules, from: now)
        }
    }

    // MARK: Making

    private func make(
        _ schedule: BackupSchedule, _ due: Timestamp, _ rules: TimeZoneRules, from start: Timestamp
    ) async throws(BackupScheduleError) {
        let backup = UUID.timeOrdered(at: start)
        var request = schedule.request
        request.note = schedule.note
        let end: ScheduledBackupEnd
        do throws(BackupServiceError) { end = try await service.make(request, as: backup) } catch {
            guard error.isPassing else { return try await finish(schedule, due, start, .failed("\(error)"), backup) }
            Self.log.info(
                "a backup waits for another one", [.text("schedule", schedule.id), .text("reason", "\(error)")])
            let now = clock.now()
            return try await store.change(schedule.id) { $0.postpone(due, at: now) }
        }
        var reason: String?
        if case .made = end, let retention = schedule.retention {
            reason = await removeOld(schedule, retention, rules)
        }
        try await finish(schedule, due, start, end, backup, reason)
    }

    /// Why it could not be done, where it could not.
    private func removeOld(_ schedule: BackupSchedule, _ retention: Retention, _ rules: TimeZoneRules) async -> String?
    {
        do throws(BackupServiceError) {
            let own = try await service.backups(noted: schedule.note)
            let old = retention.removable(own, in: rules)
            // The oldest first: when it is broken off, what is left is newer.
            for backup in own.sorted(by: { $0.sequence < $1.sequence }) where old.contains(backup.manifest.id) {
                if isStopping { return nil }
                try await service.remove(backup.manifest.id)
                Self.log.info(
                    "a backup was removed by its schedule",
                    [.text("schedule", schedule.id), .text("backup", backup.manifest.id)])
            }
            return nil
        } catch {
            // Removed by somebody else in the meantime: the next time looks again.
            if case .notFound = error { return nil }
            Self.log.warning(
                "what a backup replaces could not be removed; its next one tries again",
                [.text("schedule", schedule.id), .error(error)])
            return "what it replaces could not be removed: \(error)"
        }
    }

    private func finish(
        _ schedule: BackupSchedule, _ due: Timestamp, _ start: Timestamp, _ end: ScheduledBackupEnd, _ backup: UUID,
        _ reason: String? = nil
    ) async throws(BackupScheduleError) {
        var run = BackupSchedule.Run(
            dueAt: due, startedAt: start, endedAt: clock.now(), outcome: .made, reason: reason.map(Self.cut))
        switch end {
        // As it stands in the database: the next start finds it under way, and makes it anew.
        case .interrupted: return
        case .made(let bytes, let newBytes):
            (run.backup, run.bytes, run.newBytes) = (backup, bytes, newBytes)
            Self.log.info(
                "a backup was made by its schedule",
                [
                    .text("schedule", schedule.id), .text("backup", backup), .count("bytes", bytes),
                    .count("new_bytes", newBytes), .count("seconds", (run.endedAt - start).components.seconds),
                ])
        case .cancelled: run.outcome = .cancelled
        case .failed(let words):
            run.outcome = .failed
            run.reason = Self.cut(words)
        }
        try await keep(run, of: schedule) { [run] in $0.end(run) }
    }

    // MARK: Not making

    private func giveUp(
        _ schedule: BackupSchedule, _ due: Timestamp, _ next: Timestamp?, at now: Timestamp
    ) async throws(BackupScheduleError) {
        // What was tried again was kept from being made; what never was had nobody to make it.
        let wasTried = schedule.progress.dueAt != nil && schedule.progress.attempt == nil
        let run = BackupSchedule.Run(
            dueAt: due, startedAt: now, endedAt: now, outcome: wasTried ? .skipped : .missed,
            reason: wasTried
                ? "something else was at work on the backups until it was too late"
                : "no server ran until it was too late")
        try await keep(run, of: schedule) { $0.end(run, next: next) }
    }

    /// Nothing can be planned; it is looked at again in a while.
    private func fail(
        _ schedule: BackupSchedule, _ reason: String, at now: Timestamp
    ) async throws(BackupScheduleError) {
        let run = BackupSchedule.Run(
            dueAt: schedule.progress.nextAt ?? now, startedAt: now, endedAt: now, outcome: .failed,
            reason: Self.cut(reason))
        try await keep(run, of: schedule) { $0.end(run, next: now + BackupScheduleLimits.zonePause) }
    }

    private func keep(
        _ run: BackupSchedule.Run, of schedule: BackupSchedule,
        _ change: @escaping @Sendable (inout BackupSchedule) -> Void
    ) async throws(BackupScheduleError) {
        metrics.ended(run)
        var event: BackupScheduleEvent?
        if let action = run.outcome.action {
            Self.log.error(
                "a backup was not made",
                [
                    .text("schedule", schedule.id), .text("outcome", run.outcome.rawValue),
                    .text("due", run.dueAt.rfc3339), .text("reason", run.reason ?? ""),
                ])
            event = BackupScheduleEvent(
                action: action, schedule: schedule.id, time: run.endedAt, actor: nil,
                details: JSONObject([
                    ("due_at", .string(run.dueAt.rfc3339)), ("reason", .string(run.reason ?? "")),
                ]))
        }
        try await store.change(schedule.id, noting: event, change)
    }

    private static func cut(_ text: String) -> String {
        String(decoding: text.utf8.prefix(BackupScheduleLimits.reason), as: UTF8.self)
    }
}

extension BackupServiceError {
    /// Something else is at work: a minute later it may be done.
    fileprivate var isPassing: Bool {
        switch self {
        case .busy, .repository(.locked), .task(.busy), .task(.tooMany): true
        default: false
        }
    }
}

extension BackupSchedule.Run.Outcome {
    /// What stands in the audit log of it. What was made or cancelled stands there as the backup's.
    fileprivate var action: BackupScheduleEvent.Action? {
        switch self {
        case .made, .cancelled: nil
        case .failed: .failed
        case .skipped: .skipped
        case .missed: .missed
        }
    }
}
