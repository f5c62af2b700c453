// What the service's tasks do, and how they are begun: on the threads of backups, noted in the audit log at both ends.

import Base
import Store
import Synchronization
import Tasks
import Wire

extension BackupService {
    private static let log = Logger("backup")

    // MARK: Places

    /// Runs on the threads of backups: places wait for disks.
    func working<Value: Sendable>(
        _ body: @escaping @Sendable () async throws -> Value
    ) async throws(BackupServiceError) -> Value {
        do throws(BackupError) { return try await BackupThreads.run(body) } catch { throw BackupServiceError(error) }
    }

    func places() async throws(BackupServiceError) -> [any Place] {
        let places = try await working { [setup] in try await setup.places() }
        guard !places.isEmpty else { throw .noPlaces }
        return places
    }

    func repository() async throws(BackupServiceError) -> Repository {
        let places = try await places()
        do throws(BackupServiceError) {
            return try await working { [setup] in
                try await Repository.open(in: places, keys: try await setup.keys(places))
            }
        } catch {
            // A repository that cannot be opened is no conflict with another request.
            if case .conflict(let reason) = error { throw .unavailable(reason) }
            throw error
        }
    }

    private func options(_ purpose: String) -> (holder: LockHolder, guardFolder: String) {
        (LockHolder(name: setup.holder, purpose: purpose), setup.folder + "/locks")
    }

    // MARK: Beginning

    func begin(
        _ verb: Verb, _ backup: UUID, _ actor: (any BackupActor)?, _ body: @escaping TaskBody
    ) async throws(BackupServiceError) -> TaskID {
        let new = NewTask(
            TaskKind(Self.family, verb.rawValue), owner: actor?.user, target: "\(backup)", isExclusive: true)
        do throws(TaskError) {
            return try await board.start(new) { [self] handle in try await noted(verb, backup, actor, handle, body) }
        } catch { throw BackupServiceError(error) }
    }

    /// The task as it is when it has ended, or after `limit`. A failure is thrown as what it was.
    func beginAndWait(
        _ verb: Verb, _ backup: UUID, _ actor: (any BackupActor)?, _ limit: Duration, _ body: @escaping TaskBody
    ) async throws(BackupServiceError) -> TaskRecord {
        let failure = Failure()
        let id = try await begin(verb, backup, actor) { handle in
            do { return try await body(handle) } catch {
                failure.keep(error)
                throw error
            }
        }
        await board.wait(for: id, atMost: limit)
        let task: TaskRecord
        do throws(TaskError) { task = try await board.task(id, for: .everything) } catch {
            throw BackupServiceError(error)
        }
        guard task.state.hasEnded, task.state != .succeeded else { return task }
        throw failure.error ?? .unavailable(task.error ?? "the task ended (\(task.state.rawValue))")
    }

    private final class Failure: Sendable {
        private let value = Mutex<BackupServiceError?>(nil)

        var error: BackupServiceError? { value.withLock { $0 } }

        func keep(_ error: any Error) {
            value.withLock { value in
                if let error = error as? BackupServiceError {
                    value = error
                } else {
                    value = BackupServiceError(BackupError.wrapping(error))
                }
            }
        }
    }

    // MARK: Noting

    /// What cannot be noted is not begun; what cannot be noted at its end stands in the log.
    private func noted(
        _ verb: Verb, _ backup: UUID, _ actor: (any BackupActor)?, _ handle: TaskHandle, _ body: TaskBody
    ) async throws -> JSONObject {
        let task = JSONObject([("task_id", .string("\(handle.id)"))])
        if let started = verb.started {
            try await events.note(BackupEvent(action: started, backup: backup, actor: actor, details: task))
        }
        do {
            let result = try await body(handle)
            await noteEnd(BackupEvent(action: verb.done, backup: backup, actor: actor, details: task))
            return result
        } catch {
            var details = task
            details["reason"] = .string("\(error)")
            if let failed = verb.failed {
                await noteEnd(BackupEvent(action: failed, backup: backup, actor: actor, details: details))
            }
            throw error
        }
    }

    /// In a task of its own: one that was cancelled is noted, too.
    private func noteEnd(_ event: BackupEvent) async {
        await Task { [events] in
            do { try await events.note(event) } catch {
                Self.log.error(
                    "what happened to a backup could not be noted",
                    [.text("action", event.action.rawValue), .text("backup", event.backup), .error(error)])
            }
        }.value
    }

    // MARK: Bodies

    func create(
        _ backup: UUID, _ request: BackupRequest, _ protection: Protection, _ handle: TaskHandle
    ) async throws -> JSONObject {
        if request.rotatesKeys, try await setup.rotation?.rotateIfDue() == true {
            Self.log.info("the keys of backups were rotated before a backup", [.text("backup", backup)])
        }
        let repository = try await repository()
        let meter = BackupMeter(repository)
        handle.follow { meter.current.task() }
        let (holder, guardFolder) = options("backup")
        var options = BackupOptions(holder: holder)
        options.id = backup
        options.isIncremental = request.isIncremental
        options.protection = protection
        options.bytesPerSecond = setup.bytesPerSecond
        options.note = request.note
        options.program = setup.program
        options.guardFolder = guardFolder
        options.bytesMax = setup.bytesMax
        let result = try await working { [setup, clock, options] in
            try Files.makeFolder(setup.folder)
            let memory = BackupMemory(setup.folder, repository)
            var options = options
            options.known = memory.witness
            let sources = try await setup.sources(request.parts)
            let result = try await BackupWriter.write(sources, to: repository, options, clock: clock, meter: meter)
            memory.keep(result.witness)
            return result
        }
        return result.json
    }

    func verify(
        _ backup: UUID, _ depth: VerificationReport.Depth, _ handle: TaskHandle
    ) async throws -> JSONObject {
        let repository = try await repository()
        let meter = BackupMeter(repository)
        handle.follow { meter.current.task() }
        let report = try await working { [setup] in
            try await Verifier.verify(
                repository, backup: backup, depth, known: BackupMemory(setup.folder, repository).witness, meter: meter)
        }
        let check = BackupCheck(checkedAt: clock.now(), depth: depth, verdict: report.verdict)
        try await checks.keep(check, of: backup, in: repository.id)
        if report.verdict != .whole {
            Self.log.warning(
                "a backup is not whole", [.text("backup", backup), .text("verdict", report.verdict.rawValue)])
        }
        return report.json(backup)
    }

    func restore(_ request: BackupRestoreRequest, to folder: String, _ handle: TaskHandle) async throws -> JSONObject {
        let repository = try await repository()
        let meter = BackupMeter(repository)
        handle.follow { meter.current.task() }
        let report = try await working { [setup] in
            try Files.makeFolder(setup.restoreFolder)
            var options = RestoreOptions(target: folder)
            options.overwrites = request.overwrites
            options.merges = request.merges
            options.selection = request.selection
            options.known = BackupMemory(setup.folder, repository).witness
            return try await Restorer.restore(request.backup, of: repository, options, meter: meter)
        }
        return report.json(request.backup, folder)
    }

    func remove(_ backup: UUID, _ handle: TaskHandle) async throws -> JSONObject {
        handle.report(TaskProgress(phase: BackupProgress.Phase.working.rawValue))
        let repository = try await repository()
        let (holder, guardFolder) = options("removal")
        let report = try await working { [setup, clock] in
            try Files.makeFolder(setup.folder)
            let memory = BackupMemory(setup.folder, repository)
            let (report, witness) = try await BackupRemoval.remove(
                [backup], from: repository, holder: holder, guardFolder: guardFolder, known: memory.witness,
                clock: clock)
            if let witness { memory.keep(witness) }
            return report
        }
        try await checks.forget(backup)
        return report.json(backup)
    }
}

extension BackupService.Verb {
    fileprivate var started: BackupEvent.Action? {
        switch self {
        case .create: .started
        case .verify: nil
        case .restore: .restoreStarted
        case .remove: .removalStarted
        }
    }

    fileprivate var done: BackupEvent.Action {
        switch self {
        case .create: .made
        case .verify: .verified
        case .restore: .restored
        case .remove: .removed
        }
    }

    fileprivate var failed: BackupEvent.Action? {
        switch self {
        case .create: .failed
        case .verify: nil
        case .restore: .restoreFailed
        case .remove: .removalFailed
        }
    }
}
