// What schedules of backups must do on every database. Each check gets an empty one.

package import Backup
package import Base
package import Store
import Wire

/// Notes of schedules in a table, so that a check sees which were kept together with what they tell of.
package struct NotedSchedules: BackupScheduleEvents {
    static let table: Statement = "CREATE TABLE noted (action TEXT NOT NULL)"

    package func note(_ event: BackupScheduleEvent, in transaction: any Transaction) async throws(StoreError) {
        try await transaction.execute("INSERT INTO noted (action) VALUES (\(event.action.rawValue))")
    }

    package func noted() {}
}

package final class TestSchedules: Sendable {
    package let database: FaultyDatabase
    package let store: BackupScheduleStore
    private let time = TestCell(Timestamp(secondsSinceEpoch: 1_790_000_000))

    package static func make(_ database: any Database) async throws -> TestSchedules {
        try await Migrations(BackupScheduleSchema.migrations).apply(to: database)
        try await database.execute(NotedSchedules.table)
        return TestSchedules(FaultyDatabase(database))
    }

    private init(_ database: FaultyDatabase) {
        self.database = database
        store = BackupScheduleStore(database: database, events: NotedSchedules())
    }

    package var now: Timestamp { time.value }
    package var clock: Clock { Clock { [self] in now } }
    package func advance(by duration: Duration) { time.value = now + duration }

    package func notes() async throws -> [String] {
        try await database.query("SELECT action FROM noted ORDER BY action").map { try $0.text(0) }
    }

    /// A schedule that comes after `seconds`.
    package func schedule(
        _ cron: String = "0 3 * * *", zone: String = "UTC", after seconds: Int = 60, isEnabled: Bool = true,
        retention: Retention? = nil, request: BackupRequest = BackupRequest(isIncremental: true)
    ) throws -> BackupSchedule {
        guard let name = ZoneName(zone) else { throw ConformanceFailure(description: "\(zone) is no zone") }
        advance(by: .milliseconds(1))
        return BackupSchedule(
            id: .timeOrdered(at: now), cron: try CronExpression(parsing: cron), zone: name, request: request,
            retention: retention, isEnabled: isEnabled, createdBy: nil, createdAt: now, revision: 0,
            progress: BackupSchedule.Progress(nextAt: isEnabled ? now + .seconds(seconds) : nil))
    }

    package func event(
        _ schedule: BackupSchedule, _ action: BackupScheduleEvent.Action = .created
    ) -> BackupScheduleEvent {
        BackupScheduleEvent(action: action, schedule: schedule.id, time: now, actor: nil, details: JSONObject())
    }

    @discardableResult
    package func keep(_ schedule: BackupSchedule) async throws -> BackupSchedule {
        try await store.insert(schedule, noting: event(schedule))
        return schedule
    }
}

package enum BackupScheduleConformance {
    package typealias Check = ConformanceCheck<TestSchedules>

    package static let checks: [Check] = keeping + changing

    private static let keeping: [Check] = [
        Check("a schedule comes back as it was kept") { test in
            let schedules = try everyKind(test)
            for schedule in schedules { try await test.keep(schedule) }
            try requireEqual(try await test.store.all(), schedules)
            try requireEqual(try await test.notes().count, 3)
        },
        Check("progress comes back as it was kept") { test in
            var schedule = try await test.keep(try test.schedule())
            let now = test.now
            schedule.begin(now, next: now + .hours(1), on: "one", at: now)
            schedule = try await kept(test, schedule)
            let run = BackupSchedule.Run(
                dueAt: now, startedAt: now + .seconds(1), endedAt: now + .seconds(9), outcome: .made,
                backup: .timeOrdered(at: now), bytes: 1 << 40, newBytes: 0, reason: "what it replaces stays")
            schedule.end(run)
            schedule = try await kept(test, schedule)
            try requireEqual(schedule.progress.lastSuccessAt, run.endedAt)
            for outcome in BackupSchedule.Run.Outcome.allCases where outcome != .made {
                schedule.end(
                    BackupSchedule.Run(dueAt: now, startedAt: now, endedAt: now, outcome: outcome), next: nil)
                schedule = try await kept(test, schedule)
            }
            try requireEqual(schedule.progress.nextAt, nil)
            try requireEqual(schedule.progress.lastSuccessAt, run.endedAt)
        },
        Check("there are at most so many") { test in
            for _ in 0..<BackupScheduleLimits.schedules { try await test.keep(try test.schedule()) }
            try await requireError(
                BackupScheduleError.self, { try await test.keep(try test.schedule()) },
                matches: { $0 == .limitReached(BackupScheduleLimits.schedules) })
            let all = try await test.store.all()
            try requireEqual(all.count, BackupScheduleLimits.schedules)
            try requireEqual(try await test.notes().count, all.count)
            try await test.store.remove(all[0].id, noting: test.event(all[0], .removed))
            try await test.keep(try test.schedule())
        },
        Check("what was removed is gone, and is not there to be removed again") { test in
            let schedule = try await test.keep(try test.schedule())
            try await test.store.remove(schedule.id, noting: test.event(schedule, .removed))
            try requireEqual(try await test.store.all(), [])
            try await requireError(
                BackupScheduleError.self,
                { try await test.store.remove(schedule.id, noting: test.event(schedule, .removed)) },
                matches: { $0 == .notFound })
            try requireEqual(try await test.notes(), ["backup_schedule.created", "backup_schedule.removed"])
        },
    ]

    /// Apart, and not in the check that keeps them: swiftc 6.3.1 crashes when it optimises this list in an async closure.
    private static func everyKind(_ test: TestSchedules) throws -> [BackupSchedule] {
        var request = BackupRequest(isIncremental: false, parts: [.database, .configuration], rotatesKeys: true)
        request.destination = BackupDestination(.distributed, replication: 3)
        var folder = BackupRequest(isIncremental: true)
        folder.destination = BackupDestination(.folder)
        return [
            try test.schedule("@daily"),
            try test.schedule(
                "*/5 1-3 * jan mon", zone: "Europe/Berlin",
                retention: Retention(last: 7, daily: 0, weekly: 4, monthly: 4_096), request: request),
            try test.schedule(isEnabled: false, request: folder),
        ]
    }

    private static func kept(_ test: TestSchedules, _ schedule: BackupSchedule) async throws -> BackupSchedule {
        let replaced = try await test.store.replace(schedule)
        guard let replaced else { throw ConformanceFailure(description: "it was changed by nobody") }
        var expected = schedule
        expected.revision += 1
        try requireEqual(replaced, expected)
        try requireEqual(try await test.store.all(), [expected])
        return replaced
    }

    private static let changing: [Check] = [
        Check("due is what is enabled and whose time has come, the longest first") { test in
            let later = try await test.keep(try test.schedule(after: 50))
            let first = try await test.keep(try test.schedule(after: 10))
            try await test.keep(try test.schedule(isEnabled: false))
            try await test.keep(try test.schedule(after: 100))
            try requireEqual(try await test.store.due(at: test.now), [])
            test.advance(by: .seconds(60))
            try requireEqual(try await test.store.due(at: test.now).map(\.id), [first.id, later.id])
        },
        Check("of servers that claim it at once one is first") { test in
            let schedule = try await test.keep(try test.schedule())
            let now = test.now
            let won = try await withThrowingTaskGroup(of: Bool.self) { group in
                for node in 0..<6 {
                    group.addTask {
                        var claimed = schedule
                        claimed.begin(now, next: nil, on: "node \(node)", at: now)
                        return try await test.store.replace(claimed) != nil
                    }
                }
                return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            try requireEqual(won, 1)
        },
        Check("a change finds it as it is by now, and nothing where it was removed") { test in
            let schedule = try await test.keep(try test.schedule())
            let now = test.now
            for count in 1...3 {
                try await test.store.change(schedule.id) { $0.postpone(now + .seconds(count), at: now) }
            }
            let found = try await test.store.all().first
            try requireEqual(found?.revision, 3)
            try requireEqual(found?.progress.dueAt, now + .seconds(3))
            try await test.store.remove(schedule.id, noting: test.event(schedule, .removed))
            try await test.store.change(schedule.id, noting: test.event(schedule, .failed)) { $0.resume(at: now) }
            try requireEqual(try await test.store.replace(schedule), nil)
            try requireEqual(try await test.notes(), ["backup_schedule.created", "backup_schedule.removed"])
        },
        Check("killed at any moment, a change and its note are there, or neither") { test in
            let schedule = try await test.keep(try test.schedule())
            let now = test.now
            var (moment, wasKilled) = (0, true)
            while wasKilled {
                test.database.kill(after: moment)
                do {
                    try await test.store.change(schedule.id, noting: test.event(schedule, .missed)) {
                        $0.postpone(now, at: now)
                    }
                } catch { try require(error is BackupScheduleError, "found the error \(error)") }
                wasKilled = test.database.revive()
                let revision = try await test.store.all().first?.revision
                try requireEqual(revision, Int64(try await test.notes().count { $0 == "backup_schedule.missed" }))
                moment += 1
                try require(moment < 100, "it never comes through")
            }
            try require(moment > 2, "there were only \(moment) moments")
        },
        Check("a row that was changed behind our back is said to be corrupt") { test in
            let attacks: [Statement] = [
                "UPDATE backup_schedules SET cron = 'never'", "UPDATE backup_schedules SET zone = '../etc/passwd'",
                "UPDATE backup_schedules SET parts = 'everything'", "UPDATE backup_schedules SET destination = 'tape'",
                "UPDATE backup_schedules SET run_outcome = 'well', run_due_at = 0, run_started_at = 0, run_ended_at = 0",
            ]
            for attack in attacks {
                let schedule = try await test.keep(try test.schedule())
                try await test.database.execute(attack)
                try await requireError(
                    BackupScheduleError.self, { _ = try await test.store.all() },
                    matches: { if case .store(.corrupt) = $0 { true } else { false } })
                try await test.store.remove(schedule.id, noting: test.event(schedule, .removed))
            }
        },
    ]
}
