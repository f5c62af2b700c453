// Backups as a server does them: one backup, verification, restore or removal at a time, as a task that can be followed and
// cancelled; and what is known of the backups that there are. docs/protocol/backups.md says what a client sees of it.
//
// `BackupService+Tasks.swift` has what the tasks do.

package import Base
package import Store
package import Tasks
import Wire

package struct BackupEntry: Sendable {
    package let stored: StoredBackup
    /// What the last verification said; `nil` when there was none.
    package let check: BackupCheck?
}

package struct BackupListing: Sendable {
    /// Newest first.
    package let entries: [BackupEntry]
    package let total: Int
    /// What is wrong with the repository, and did not keep the rest from being read.
    package let findings: [BackupError]
    /// What is at work on it here.
    package let running: TaskRecord?
}

package enum BackupLookup: Sendable {
    case stored(BackupEntry)
    /// It is being made, or could not be.
    case task(TaskRecord)
}

package final class BackupService: Sendable {
    package static let family = "backup"

    enum Verb: String { case create, verify, restore, remove }

    /// How long a request waits for a removal or a verification that it asked for; the task goes on behind it.
    package static let requestWait = Duration.seconds(20)

    package let board: TaskBoard
    let setup: BackupSetup
    let checks: BackupChecks
    let events: any BackupEvents
    let clock: Clock

    package init(
        _ setup: BackupSetup, board: TaskBoard, database: any Database, events: any BackupEvents, clock: Clock = .system
    ) {
        self.setup = setup
        self.board = board
        self.events = events
        self.clock = clock
        checks = BackupChecks(database: database)
    }

    /// The name of this server, for who is asked to restore to another one.
    package var node: String { setup.node }

    // MARK: Making

    /// Returns when the task has begun; its result names the backup. `id`: the backup's, where somebody is told it before.
    @discardableResult
    package func start(
        _ request: BackupRequest, by actor: (any BackupActor)?, as id: UUID? = nil
    ) async throws(BackupServiceError) -> TaskID {
        let backup = id ?? .timeOrdered(at: clock.now())
        let protection = try await protection(for: request)
        try refuseWhileBusy()
        try await measure(request.parts)
        return try await begin(.create, backup, actor) { [self] handle in
            try await create(backup, request, protection, handle)
        }
    }

    /// What cannot be is refused here, before there is a task.
    func protection(for request: BackupRequest) async throws(BackupServiceError) -> Protection {
        guard !request.parts.isEmpty else {
            throw .invalid(field: "include", reason: "names nothing that could be backed up")
        }
        guard request.note.utf8.count <= BackupLimits.note else {
            throw .invalid(field: "note", reason: "has more than \(BackupLimits.note) bytes")
        }
        guard !request.rotatesKeys || setup.rotation != nil else {
            throw .invalid(
                field: "encryption.key_rotation",
                reason: "cannot be auto: the keys of these backups follow from the root key, and are not rotated alone")
        }
        let count = try await places().count
        let ordinary = setup.protection ?? Protection.copies(count) ?? .single
        guard let destination = request.destination else { return ordinary }
        if destination.kind == .folder, count != 1 {
            throw .invalid(
                field: "destination.type",
                reason: "cannot be folder: there are \(count) places, and a backup goes to all of them (distributed)")
        }
        guard let replication = destination.replication else { return ordinary }
        guard (1...count).contains(replication), let copies = Protection.copies(replication) else {
            throw .invalid(
                field: "destination.replication",
                reason: "must be 1 to \(count): there are so many places, and two copies in one are lost together")
        }
        return copies
    }

    func refuseWhileBusy() throws(BackupServiceError) {
        if let task = board.running(inFamily: Self.family) { throw .busy(task.id) }
    }

    private func measure(_ parts: Set<BackupPart>) async throws(BackupServiceError) {
        guard let limit = setup.bytesMax else { return }
        let bytes = try await working { [setup] in
            let sources = try await setup.sources(parts)
            var sum: UInt64 = 0
            for source in sources { sum += try await source.expectedBytes() ?? 0 }
            for source in sources { await source.close() }
            return sum
        }
        guard bytes <= limit else { throw .tooLarge(bytes: bytes, limit: limit) }
    }

    // MARK: Looking

    package func backups(offset: Int, limit: Int) async throws(BackupServiceError) -> BackupListing {
        let (state, checks) = try await look()
        let newestFirst = state.backups.reversed()
        let entries = newestFirst.dropFirst(max(0, offset)).prefix(max(0, limit)).map {
            BackupEntry(stored: $0, check: checks[$0.manifest.id])
        }
        return BackupListing(
            entries: entries, total: newestFirst.count, findings: state.findings,
            running: board.running(inFamily: Self.family))
    }

    package func backup(_ id: UUID) async throws(BackupServiceError) -> BackupLookup {
        let (state, checks) = try await look()
        if let stored = state.backup(id) { return .stored(BackupEntry(stored: stored, check: checks[id])) }
        let filter = TaskFilter(kind: "\(Self.family).\(Verb.create.rawValue)", target: "\(id)", limit: 1)
        let found: TaskRecord?
        do throws(TaskError) { found = try await board.tasks(filter, for: .everything).tasks.first } catch {
            throw BackupServiceError(error)
        }
        // One that succeeded and is not there was removed.
        guard let found, found.state != .succeeded else { throw .notFound }
        return .task(found)
    }

    func look() async throws(BackupServiceError) -> (RepositoryState, [UUID: BackupCheck]) {
        let repository = try await repository()
        let state = try await working { try await repository.state(adopting: false) }
        do throws(StoreError) { return (state, try await checks.all(of: repository.id)) } catch {
            throw .task(.store(error))
        }
    }

    // MARK: Verifying

    /// The task, ended or still running after `requestWait`; its result is the report.
    package func verify(
        _ backup: UUID, _ depth: VerificationReport.Depth, by actor: (any BackupActor)?,
        waiting: Duration = requestWait
    ) async throws(BackupServiceError) -> TaskRecord {
        try await requireStored(backup)
        return try await beginAndWait(.verify, backup, actor, waiting) { [self] handle in
            try await verify(backup, depth, handle)
        }
    }

    // MARK: Restoring

    /// Into a folder of the backup's own below `backup.restore_folder`. What the server works with stays as it is.
    package func restore(
        _ request: BackupRestoreRequest, by actor: (any BackupActor)?
    ) async throws(BackupServiceError) -> TaskID {
        guard !(request.overwrites && request.merges) else {
            throw .invalid(field: "restore_options", reason: "asks both to overwrite and to merge; choose one")
        }
        try await requireStored(request.backup)
        let folder = restoreFolder(of: request.backup)
        let isInTheWay = try await working { !Files.names(in: folder, hidden: true).isEmpty }
        guard !isInTheWay || request.overwrites || request.merges else {
            throw .conflict("\(folder) holds something already; ask to overwrite it, or to merge")
        }
        return try await begin(.restore, request.backup, actor) { [self] handle in
            try await restore(request, to: folder, handle)
        }
    }

    package func restoreFolder(of backup: UUID) -> String { "\(setup.restoreFolder)/\(backup)" }

    private func requireStored(_ backup: UUID) async throws(BackupServiceError) {
        let (state, _) = try await look()
        guard state.backup(backup) != nil else { throw .notFound }
        try refuseWhileBusy()
    }

    // MARK: Removing

    /// Returns when it is gone. One that takes longer than a request may throws `busy`, and goes on.
    package func remove(
        _ backup: UUID, by actor: (any BackupActor)?, waiting: Duration = requestWait
    ) async throws(BackupServiceError) {
        let (state, _) = try await look()
        guard state.backup(backup) != nil else { throw .notFound }
        guard state.backups.last?.manifest.id != backup else {
            throw .conflict("\(backup) is the newest backup; make another one before it is removed")
        }
        let task = try await beginAndWait(.remove, backup, actor, waiting) { [self] handle in
            try await remove(backup, handle)
        }
        if !task.state.hasEnded { throw .busy(task.id) }
    }
}
