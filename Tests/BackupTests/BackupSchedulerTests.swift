import Base
import Synchronization
import TestKit
import Testing
import Wire

@testable import Backup

/// docs/protocol/backup-schedules.md, "What happens when its time comes", with a hand in place of the service.
@Suite struct BackupSchedulerTests {
    /// Makes backups by writing them down.
    private final class Hand: StartsBackups {
        struct State {
            var made: [(id: UUID, request: BackupRequest)] = []
            var stored: [StoredBackup] = []
            var removed: [UUID] = []
            var answer: Result<ScheduledBackupEnd, BackupServiceError> = .success(.made(bytes: 1_000, newBytes: 10))
            var removal: BackupServiceError?
        }

        let state = Mutex(State())
        private let clock: Clock

        init(_ clock: Clock) { self.clock = clock }

        func answer(_ answer: Result<ScheduledBackupEnd, BackupServiceError>) {
            state.withLock { $0.answer = answer }
        }

        func store(_ note: String, at time: Timestamp) -> UUID {
            let id = UUID.random()
            state.withLock { state in
                let manifest = BackupManifest(
                    id: id, isIncremental: true, base: 0, items: 1, bytes: 1_000, newBytes: 10, taken: time,
                    protection: .single, program: "test", note: note, catalogueLength: 0, catalogue: [])
                state.stored.append(
                    StoredBackup(sequence: UInt64(state.stored.count + 1), made: time, manifest: manifest))
            }
            return id
        }

        func check(_ request: BackupRequest) async throws(BackupServiceError) {}

        func make(_ request: BackupRequest, as id: UUID) async throws(BackupServiceError) -> ScheduledBackupEnd {
            let answer = state.withLock { state in
                state.made.append((id, request))
                return state.answer
            }
            if case .success(.made) = answer { _ = store(request.note, at: clock.now()) }
            return try answer.get()
        }

        func backups(noted note: String) async throws(BackupServiceError) -> [StoredBackup] {
            state.withLock { $0.stored.filter { $0.manifest.note == note } }
        }

        func remove(_ id: UUID) async throws(BackupServiceError) {
            try state.withLock { state throws(BackupServiceError) in
                if let failure = state.removal { throw failure }
                state.stored.removeAll { $0.manifest.id == id }
                state.removed.append(id)
            }
        }

        var count: Int { state.withLock { $0.made.count } }
    }

    private struct Stage {
        let test: TestSchedules
        let hand: Hand
        let metrics = Metrics()
        let scheduler: BackupScheduler

        init(_ test: TestSchedules, zones: ZoneFiles = .ofMachine()) {
            self.test = test
            hand = Hand(test.clock)
            scheduler = BackupScheduler(
                test.store, hand, zones: zones, node: "here", metrics: BackupScheduleMetrics(metrics), clock: test.clock
            )
        }

        /// A new process of the same server.
        func again() async throws -> Stage {
            let stage = Stage(test, hand)
            try await stage.scheduler.open()
            return stage
        }

        private init(_ test: TestSchedules, _ hand: Hand) {
            self.test = test
            self.hand = hand
            scheduler = BackupScheduler(
                test.store, hand, zones: .ofMachine(), node: "here", metrics: BackupScheduleMetrics(metrics),
                clock: test.clock)
        }

        func only() async throws -> BackupSchedule.Progress { try #require(try await test.store.all().first).progress }
    }

    private func run(_ body: (Stage) async throws -> Void) async throws {
        try await TestDatabase.memory.with { try await body(Stage(try await TestSchedules.make($0))) }
    }

    @Test func `a backup is made when its time has come, and noted by its schedule`() async throws {
        try await run { stage in
            let schedule = try await stage.test.keep(try stage.test.schedule("*/5 * * * *", after: 60))
            await stage.scheduler.advance()
            #expect(stage.hand.count == 0)
            stage.test.advance(by: .seconds(60))
            let now = stage.test.now
            await stage.scheduler.advance()
            await stage.scheduler.advance()
            let made = stage.hand.state.withLock { $0.made }
            #expect(made.count == 1 && made[0].request.note == "schedule \(schedule.id)")
            let progress = try await stage.only()
            #expect(progress.lastRun?.outcome == .made && progress.lastRun?.backup == made[0].id)
            #expect(progress.lastRun?.bytes == 1_000 && progress.lastSuccessAt == now)
            #expect(progress.attempt == nil && progress.dueAt == nil)
            #expect(progress.nextAt == schedule.cron.next(after: now))
            let text = stage.metrics.render()
            #expect(text.contains("plexichat_backup_last_success_timestamp_seconds \(now.secondsSinceEpoch)\n"))
            #expect(text.contains("plexichat_backup_last_success_bytes 1000\n"))
            #expect(text.contains("plexichat_backup_schedule_runs_total{outcome=\"made\"} 1\n"))
        }
    }

    @Test func `while another one is at work it is tried again, and made then`() async throws {
        try await run { stage in
            try await stage.test.keep(try stage.test.schedule("0 3 * * *", after: 0))
            let due = try #require(try await stage.only().nextAt)
            let locked = BackupError.locked(holder: "two", purpose: "backup", since: stage.test.now)
            for error in [BackupServiceError.busy(.timeOrdered(at: stage.test.now)), .repository(locked)] {
                stage.hand.answer(.failure(error))
                await stage.scheduler.advance()
                let progress = try await stage.only()
                #expect(progress.dueAt == due && progress.lastRun == nil && progress.attempt == nil)
                #expect(progress.nextAt == stage.test.now + BackupScheduleLimits.retryPause)
                stage.test.advance(by: BackupScheduleLimits.retryPause)
            }
            stage.hand.answer(.success(.made(bytes: 1, newBytes: 1)))
            await stage.scheduler.advance()
            let run = try #require(try await stage.only().lastRun)
            #expect(run.outcome == .made && run.dueAt == due && stage.hand.count == 3)
            #expect(try await stage.test.notes() == ["backup_schedule.created"])
        }
    }

    @Test func `what could not begin in time is said to be skipped, and what had no server to be missed`() async throws
    {
        try await run { stage in
            try await stage.test.keep(try stage.test.schedule("0 3 * * *", after: 0))
            stage.hand.answer(.failure(.busy(.timeOrdered(at: stage.test.now))))
            await stage.scheduler.advance()
            stage.test.advance(by: BackupScheduleLimits.grace + .seconds(1))
            let next = try #require(try await stage.test.store.all().first).cron.next(after: stage.test.now)
            await stage.scheduler.advance()
            let progress = try await stage.only()
            #expect(progress.lastRun?.outcome == .skipped && progress.lastRun?.reason != nil)
            #expect(progress.nextAt == next && progress.dueAt == nil && stage.hand.count == 1)
            // Two days without a server, and then a night before its time.
            stage.test.advance(by: .hours(48))
            let again = try await stage.again()
            await again.scheduler.advance()
            #expect(try await again.only().lastRun?.outcome == .missed && stage.hand.count == 1)
            let notes = ["backup_schedule.created", "backup_schedule.missed", "backup_schedule.skipped"]
            #expect(try await stage.test.notes() == notes)
        }
    }

    @Test func `a server that was away for days makes one backup, or says that it is too late`() async throws {
        try await run { stage in
            // The clock of the tests stands at 14:13: by then the night's backup is eleven hours old.
            let now = stage.test.now
            let schedule = try stage.test.schedule("0 3 * * *", after: 0)
            try await stage.test.keep(schedule)
            stage.test.advance(by: .days(9))
            await stage.scheduler.advance()
            let due = try #require(try await stage.only().lastRun).dueAt
            #expect(stage.hand.count == 1 && stage.test.now - due <= BackupScheduleLimits.grace && due > now + .days(8))
            stage.test.advance(by: .days(1) + .hours(5))
            await stage.scheduler.advance()
            let progress = try await stage.only()
            #expect(stage.hand.count == 1 && progress.lastRun?.outcome == .missed)
            #expect(try #require(progress.nextAt) > stage.test.now)
            #expect(try await stage.test.notes() == ["backup_schedule.created", "backup_schedule.missed"])
        }
    }

    @Test func `a stop in the middle leaves it under way, and the next start makes it anew`() async throws {
        try await run { stage in
            try await stage.test.keep(try stage.test.schedule("0 3 * * *", after: 0))
            let due = try #require(try await stage.only().nextAt)
            stage.hand.answer(.success(.interrupted))
            await stage.scheduler.advance()
            #expect(try await stage.only().attempt?.node == "here")
            stage.test.advance(by: .minutes(10))
            await stage.scheduler.advance()
            #expect(stage.hand.count == 1, "its next time has not come")
            stage.hand.answer(.success(.made(bytes: 5, newBytes: 5)))
            let again = try await stage.again()
            await again.scheduler.advance()
            let progress = try await again.only()
            #expect(progress.lastRun?.outcome == .made && progress.lastRun?.dueAt == due && stage.hand.count == 2)
            let third = try await stage.again()
            let at = try #require(progress.lastSuccessAt).secondsSinceEpoch
            #expect(third.metrics.render().contains("plexichat_backup_last_success_timestamp_seconds \(at)\n"))
        }
    }

    @Test func `a failure is said, and not tried again before the next time`() async throws {
        try await run { stage in
            try await stage.test.keep(try stage.test.schedule("0 3 * * *", after: 0))
            stage.hand.answer(.failure(.noPlaces))
            await stage.scheduler.advance()
            stage.test.advance(by: .minutes(5))
            await stage.scheduler.advance()
            var run = try #require(try await stage.only().lastRun)
            #expect(run.outcome == .failed && run.reason?.contains("backup.places") == true && stage.hand.count == 1)
            stage.test.advance(by: .days(1))
            stage.hand.answer(.success(.failed("the disk is full")))
            await stage.scheduler.advance()
            run = try #require(try await stage.only().lastRun)
            #expect(run.outcome == .failed && run.reason == "the disk is full" && run.backup == nil)
            stage.test.advance(by: .days(1))
            stage.hand.answer(.success(.cancelled))
            await stage.scheduler.advance()
            #expect(try await stage.only().lastRun?.outcome == .cancelled)
            #expect(try await stage.test.notes().count { $0 == "backup_schedule.failed" } == 2)
            #expect(stage.metrics.render().contains("{outcome=\"failed\"} 2\n"))
        }
    }

    @Test func `what a backup replaces is removed, of its own alone, the oldest first`() async throws {
        try await run { stage in
            let schedule = try await stage.test.keep(
                try stage.test.schedule("0 3 * * *", after: 0, retention: Retention(last: 2)))
            let now = stage.test.now
            let old = (1...4).reversed().map { stage.hand.store(schedule.note, at: now - .days($0)) }
            let others = [stage.hand.store("", at: now), stage.hand.store("schedule of somebody", at: now)]
            await stage.scheduler.advance()
            let (removed, left) = stage.hand.state.withLock { ($0.removed, $0.stored.map(\.manifest.id)) }
            #expect(removed == Array(old.prefix(3)))
            #expect(left.count == 4 && left.contains(old[3]) && others.allSatisfy(left.contains))
        }
    }

    @Test func `without a retention everything stays, and so it does when nothing was made`() async throws {
        try await run { stage in
            let schedule = try await stage.test.keep(try stage.test.schedule("0 3 * * *", after: 0))
            for days in 1...5 { _ = stage.hand.store(schedule.note, at: stage.test.now - .days(days)) }
            await stage.scheduler.advance()
            try await stage.test.store.remove(schedule.id, noting: stage.test.event(schedule, .removed))
            let other = try await stage.test.keep(
                try stage.test.schedule("0 3 * * *", after: 0, retention: Retention(last: 1)))
            for days in 1...5 { _ = stage.hand.store(other.note, at: stage.test.now - .days(days)) }
            stage.hand.answer(.success(.failed("no")))
            await stage.scheduler.advance()
            #expect(stage.hand.count == 2 && stage.hand.state.withLock { $0.removed.isEmpty })
        }
    }

    @Test func `a removal that fails is told beside the backup that was made`() async throws {
        try await run { stage in
            let schedule = try await stage.test.keep(
                try stage.test.schedule("0 3 * * *", after: 0, retention: Retention(last: 1)))
            _ = stage.hand.store(schedule.note, at: stage.test.now - .days(1))
            stage.hand.state.withLock { $0.removal = .unavailable("a place is away") }
            await stage.scheduler.advance()
            let run = try #require(try await stage.only().lastRun)
            #expect(run.outcome == .made && run.reason?.contains("a place is away") == true)
        }
    }

    @Test func `a zone that is not there any more is said, and looked for again`() async throws {
        try await TestDatabase.memory.with { database in
            let folder = try TemporaryFolder()
            let stage = Stage(try await TestSchedules.make(database), zones: ZoneFiles(folder: folder.path))
            try await stage.test.keep(try stage.test.schedule("0 3 * * *", zone: "Atlantis/Poseidonis", after: 0))
            await stage.scheduler.advance()
            let progress = try await stage.only()
            #expect(progress.lastRun?.outcome == .failed && progress.lastRun?.reason?.contains("Poseidonis") == true)
            #expect(try #require(progress.nextAt) > stage.test.now && stage.hand.count == 0)
        }
    }

    @Test func `a schedule that was removed meanwhile leaves nothing behind`() async throws {
        try await run { stage in
            let schedule = try await stage.test.keep(try stage.test.schedule("0 3 * * *", after: 0))
            let stale = try await stage.test.store.due(at: stage.test.now)
            #expect(stale.count == 1)
            try await stage.test.store.remove(schedule.id, noting: stage.test.event(schedule, .removed))
            await stage.scheduler.advance()
            #expect(stage.hand.count == 0)
            #expect(try await stage.test.store.all().isEmpty)
        }
    }

    @Test func `looks that come while one is at work begin nothing, and none after the stop`() async throws {
        try await run { stage in
            try await stage.test.keep(try stage.test.schedule("0 3 * * *", after: 0))
            for _ in 0..<20 { stage.scheduler.look() }
            await stage.scheduler.stop()
            #expect(stage.hand.count <= 1)
            let before = stage.hand.count
            stage.test.advance(by: .days(1))
            stage.scheduler.look()
            await stage.scheduler.advance()
            #expect(stage.hand.count == before)
        }
    }

    // MARK: Retention by a zone's calendar

    @Test func `days, weeks and months are those of the zone`() throws {
        let files = ZoneFiles.ofMachine()
        let name = try #require(ZoneName("Pacific/Auckland"))
        // Without tzdata there is nothing to compare.
        guard let auckland = try? files.rules(of: name) else { return }
        let stored = try ["2026-11-30T10:30:00Z", "2026-11-30T11:30:00Z", "2026-12-01T10:30:00Z"].enumerated().map {
            (index, text) in
            let time = try #require(Timestamp(rfc3339: text))
            return StoredBackup(
                sequence: UInt64(index + 1), made: time,
                manifest: BackupManifest(
                    id: UUID(high: 0, low: UInt64(index)), isIncremental: true, base: 0, items: 1, bytes: 1,
                    newBytes: 1,
                    taken: time, protection: .single, program: "test", note: "", catalogueLength: 0, catalogue: []))
        }
        func kept(_ retention: Retention, _ zone: TimeZoneRules) -> [UInt64] {
            let removable = retention.removable(stored, in: zone)
            return stored.filter { !removable.contains($0.manifest.id) }.map(\.sequence)
        }
        // There it is 30 November, 23:30, then 1 December, 0:30 and 23:30.
        #expect(kept(Retention(daily: 2), .utc) == [2, 3])
        #expect(kept(Retention(daily: 2), auckland) == [1, 3])
        #expect(kept(Retention(monthly: 2), .utc) == [2, 3])
        #expect(kept(Retention(monthly: 2), auckland) == [1, 3])
    }
}
