import Backup
import Base
import Glibc
import Store
import Synchronization
import Tasks
import TestKit
import Testing
import Wire

/// What the service refuses, does and remembers, over places in memory.
@Suite struct BackupServiceTests {
    /// What was noted, and a refusal to.
    final class Events: BackupEvents {
        private let noted = Mutex<[BackupEvent]>([])
        private let refuses = Mutex(false)

        var actions: [BackupEvent.Action] { noted.withLock { $0.map(\.action) } }
        var all: [BackupEvent] { noted.withLock { $0 } }
        func refuse() { refuses.withLock { $0 = true } }

        func note(_ event: BackupEvent) async throws(BackupServiceError) {
            if refuses.withLock({ $0 }) { throw .unavailable("the log is full") }
            noted.withLock { $0.append(event) }
        }
    }

    struct Stage {
        let backups: TestBackups
        let board: TaskBoard
        let events: Events
        var service: BackupService { backups.service }

        /// The task, when it has ended.
        func ended(_ id: TaskID) async throws -> TaskRecord {
            await board.wait(for: id)
            return try await board.task(id, for: .everything)
        }

        @discardableResult
        func made(_ request: BackupRequest = BackupRequest(isIncremental: false)) async throws -> UUID {
            let id = UUID.timeOrdered(at: .now())
            let task = try await ended(try await service.start(request, by: nil, as: id))
            #expect(task.state == .succeeded, "\(task.error ?? "")")
            return id
        }
    }

    private func run(_ setup: TestBackups.Setup = .init(), _ body: (Stage) async throws -> Void) async throws {
        let database = try SQLiteDatabase(.memory)
        try await Migrations(TasksSchema.migrations + BackupSchema.migrations).apply(to: database)
        let board = TaskBoard(database: database, node: "test")
        let events = Events()
        let backups = try TestBackups(setup, board: board, database: database, events: events, clock: .system)
        try await body(Stage(backups: backups, board: board, events: events))
        backups.gate.open()
        await board.stop()
        await database.close()
    }

    private func refusal(_ body: () async throws -> Void) async throws -> String? {
        do {
            try await body()
            return nil
        } catch let error as BackupServiceError {
            if case .invalid(let field, _) = error { return field }
            return error.description
        }
    }

    @Test func `a backup is made, listed with its numbers, and noted`() async throws {
        try await run { stage in
            let first = try await stage.made()
            let second = try await stage.made(BackupRequest(isIncremental: true, note: "nightly"))
            let listing = try await stage.service.backups(offset: 0, limit: 10)
            #expect(listing.entries.map(\.stored.manifest.id) == [second, first] && listing.total == 2)
            #expect(listing.entries[0].stored.manifest.note == "nightly")
            #expect(listing.entries[0].stored.manifest.isIncremental && listing.entries[0].check == nil)
            #expect(listing.entries[1].stored.manifest.items == 3)
            #expect(listing.entries[1].stored.manifest.protection == Protection.copies(3))
            #expect(listing.running == nil && listing.findings.isEmpty)
            let page = try await stage.service.backups(offset: 1, limit: 1)
            #expect(page.entries.map(\.stored.manifest.id) == [first] && page.total == 2)
            #expect(stage.events.actions == [.started, .made, .started, .made])
            #expect(stage.events.all[0].backup == first)
        }
    }

    @Test func `parts that are not asked for are not in it`() async throws {
        try await run { stage in
            let id = try await stage.made(BackupRequest(isIncremental: false, parts: [.configuration, .database]))
            guard case .stored(let entry) = try await stage.service.backup(id) else {
                Issue.record("no backup")
                return
            }
            #expect(entry.stored.manifest.items == 2)
        }
    }

    @Test func `what cannot be is refused before there is a task`() async throws {
        var setup = TestBackups.Setup()
        setup.rotatesKeys = false
        try await run(setup) { stage in
            let cases: [(BackupRequest, String)] = [
                (BackupRequest(isIncremental: false, parts: []), "include"),
                (BackupRequest(isIncremental: false, rotatesKeys: true), "encryption.key_rotation"),
                (BackupRequest(isIncremental: false, destination: .init(.folder)), "destination.type"),
                (
                    BackupRequest(isIncremental: false, destination: .init(.distributed, replication: 4)),
                    "destination.replication"
                ),
                (
                    BackupRequest(isIncremental: false, destination: .init(.distributed, replication: 0)),
                    "destination.replication"
                ),
                (BackupRequest(isIncremental: false, note: String(repeating: "x", count: 257)), "note"),
            ]
            for (request, field) in cases {
                let said = try await refusal { _ = try await stage.service.start(request, by: nil) }
                #expect(said == field)
            }
            let tasks = try await stage.board.tasks(TaskFilter(), for: .everything)
            #expect(tasks.total == 0)
            #expect(stage.events.actions.isEmpty)
        }
    }

    @Test func `replication is what was asked for, within the places`() async throws {
        try await run { stage in
            let id = try await stage.made(
                BackupRequest(isIncremental: false, rotatesKeys: true, destination: .init(.distributed, replication: 2))
            )
            guard case .stored(let entry) = try await stage.service.backup(id) else {
                Issue.record("no backup")
                return
            }
            #expect(entry.stored.manifest.protection == Protection.copies(2))
            #expect(stage.backups.rotationCount == 1)
        }
    }

    @Test func `one folder takes a backup for a folder`() async throws {
        var setup = TestBackups.Setup()
        setup.places = 1
        try await run(setup) { stage in
            try await stage.made(BackupRequest(isIncremental: false, destination: .init(.folder, replication: 1)))
        }
    }

    @Test func `without places, or without a repository in them, it says what to do`() async throws {
        var setup = TestBackups.Setup()
        setup.places = 0
        try await run(setup) { stage in
            let request = BackupRequest(isIncremental: false)
            let said = try await refusal { _ = try await stage.service.start(request, by: nil) }
            #expect(said?.contains("backup.places") == true)
        }
        setup.places = 2
        setup.hasRepository = false
        try await run(setup) { stage in
            let said = try await refusal { _ = try await stage.service.backups(offset: 0, limit: 1) }
            #expect(said?.contains("plexichat backup create --new") == true)
        }
    }

    @Test func `more than may be backed up is refused, and what turns out to be more is stopped`() async throws {
        var setup = TestBackups.Setup()
        setup.bytesMax = 800_000
        try await run(setup) { stage in
            let all = BackupRequest(isIncremental: false)
            let said = try await refusal { _ = try await stage.service.start(all, by: nil) }
            #expect(said?.contains("900000") == true && said?.contains("800000") == true)
            let some = BackupRequest(isIncremental: false, parts: [.database])
            try await stage.made(some)
            stage.backups.grow(to: 1_500_000)
            let task = try await stage.ended(try await stage.service.start(some, by: nil))
            #expect(task.state == .failed && task.error?.contains("backup.max_size") == true)
            #expect(try await stage.service.backups(offset: 0, limit: 10).total == 1)
            #expect(stage.events.actions.suffix(2) == [.started, .failed])
        }
    }

    @Test func `one thing at a time, and a cancelled one leaves nothing behind`() async throws {
        try await run { stage in
            let first = try await stage.made()
            stage.backups.gate.close()
            let id = UUID.timeOrdered(at: .now())
            let running = try await stage.service.start(BackupRequest(isIncremental: false), by: nil, as: id)
            while !stage.backups.gate.isWaitedFor { try await Task.sleep(for: .milliseconds(2)) }
            for body in [
                { _ = try await stage.service.start(BackupRequest(isIncremental: true), by: nil) },
                { _ = try await stage.service.verify(first, .structure, by: nil) },
                { _ = try await stage.service.restore(BackupRestoreRequest(first), by: nil) },
            ] as [@Sendable () async throws -> Void] {
                let said = try await refusal(body)
                #expect(said?.contains("\(running)") == true, "\(said ?? "nothing")")
            }
            #expect(try await stage.service.backups(offset: 0, limit: 1).running?.id == running)
            guard case .task(let seen) = try await stage.service.backup(id) else {
                Issue.record("it is a backup already")
                return
            }
            #expect(seen.state == .running && seen.progress.details["shards"]?.arrayValue?.count == 3)
            try await stage.board.cancel(running, by: .everything)
            #expect(try await stage.ended(running).state == .cancelled)
            stage.backups.gate.open()
            #expect(try await stage.service.backups(offset: 0, limit: 10).total == 1)
            try await stage.made()
        }
    }

    @Test func `a verification is reported and remembered, whole and then damaged`() async throws {
        try await run { stage in
            let id = try await stage.made()
            let report = try await stage.service.verify(id, .everyByte, by: nil)
            #expect(report.state == .succeeded && report.result?["verdict"] == .string("whole"))
            #expect(report.result?["checksums_match"] == .bool(true))
            #expect(report.result?["shards"]?.arrayValue?.first?["bad"] == .integer(0))
            var check = try await stage.service.backups(offset: 0, limit: 1).entries[0].check
            #expect(check?.verdict == .whole && check?.depth == .everyByte)
            for name in stage.backups.places[0].files.keys where name.hasPrefix("packs/") {
                stage.backups.places[0].set(name, nil)
            }
            let degraded = try await stage.service.verify(id, .structure, by: nil)
            #expect(degraded.result?["verdict"] == .string("degraded"))
            #expect(degraded.result?["checksums_match"] == .null)
            for place in stage.backups.places {
                for name in place.files.keys where name.hasPrefix("packs/") { place.set(name, nil) }
            }
            let damaged = try await stage.service.verify(id, .everyByte, by: nil)
            #expect(damaged.result?["is_restorable"] == .bool(false))
            check = try await stage.service.backups(offset: 0, limit: 1).entries[0].check
            #expect(check?.verdict == .damaged)
            #expect(try await refusal { _ = try await stage.service.verify(.random(), .structure, by: nil) } != nil)
        }
    }

    @Test func `a restore goes into a folder of its own, and over another only when asked`() async throws {
        try await run { stage in
            let id = try await stage.made()
            let task = try await stage.ended(try await stage.service.restore(BackupRestoreRequest(id), by: nil))
            #expect(task.state == .succeeded && task.result?["items"] == .integer(3), "\(task.error ?? "")")
            let folder = stage.service.restoreFolder(of: id)
            #expect(BackupStage.tree(folder).files["data/plexichat.db"]?.count == 300_000)
            let said = try await refusal { _ = try await stage.service.restore(BackupRestoreRequest(id), by: nil) }
            #expect(said?.contains("overwrite") == true)
            let both = BackupRestoreRequest(id, overwrites: true, merges: true)
            #expect(try await refusal { _ = try await stage.service.restore(both, by: nil) } == "restore_options")
            let some = BackupRestoreRequest(
                id, overwrites: true, selection: [try #require(ItemPath("configuration"))])
            #expect(try await stage.ended(try await stage.service.restore(some, by: nil)).state == .succeeded)
            #expect(Array(BackupStage.tree(folder).files.keys) == ["configuration/plexichat.yaml"])
            let merging = BackupRestoreRequest(id, merges: true)
            let merged = try await stage.ended(try await stage.service.restore(merging, by: nil))
            #expect(merged.result?["kept"] == .integer(1), "\(merged.error ?? "")")
            #expect(BackupStage.tree(folder).files.count == 3)
            #expect(stage.events.actions.suffix(2) == [.restoreStarted, .restored])
        }
    }

    @Test func `a backup is removed with what was known of it; the newest is not`() async throws {
        try await run { stage in
            let old = try await stage.made()
            _ = try await stage.service.verify(old, .structure, by: nil)
            stage.backups.change(9)
            let new = try await stage.made()
            let said = try await refusal { try await stage.service.remove(new, by: nil) }
            #expect(said?.contains("newest") == true)
            try await stage.service.remove(old, by: nil)
            #expect(try await stage.service.backups(offset: 0, limit: 9).entries.map(\.stored.manifest.id) == [new])
            #expect(try await refusal { _ = try await stage.service.backup(old) } == "there is no such backup")
            #expect(try await refusal { try await stage.service.remove(old, by: nil) } == "there is no such backup")
            #expect(stage.events.actions.suffix(2) == [.removalStarted, .removed])
            #expect(try await stage.service.verify(new, .everyByte, by: nil).result?["verdict"] == .string("whole"))
        }
    }

    @Test func `what cannot be noted is not begun`() async throws {
        try await run { stage in
            stage.events.refuse()
            let task = try await stage.ended(
                try await stage.service.start(BackupRequest(isIncremental: false), by: nil))
            #expect(task.state == .failed && task.error == "the log is full")
            #expect(try await stage.service.backups(offset: 0, limit: 9).total == 0)
        }
    }
}
