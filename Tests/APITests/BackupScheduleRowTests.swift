import Accounts
import Backup
import Base
import Tasks
import TestKit
import Testing
import Wire

/// docs/protocol/backup-schedules.md.
@Suite struct BackupScheduleRowTests {
    @Test(arguments: TestDatabase.available)
    func `a schedule is made, seen, comes true and is removed`(_ place: TestDatabase) async throws {
        try await APIHarness.run(on: place) { api in
            let keeper = try await api.machine("keeper", .service, [.backupsAdmin])
            let made = try await api.post(
                "/backups/schedule", #"{"cron": "*/10 * * * *", "retention": {"last": 2}}"#, as: keeper)
            #expect(made.status == 201, "\(made.text)")
            let id = try #require(made.string("schedule_id"))
            #expect(made.string("time_zone") == "UTC" && made.string("type") == "incremental")
            #expect(made["include"]?.arrayValue?.count == 3 && made["destination"] == .null)
            #expect(made.string("created_by") == "\(keeper.id)" && made["last_run"] == .null)
            // 08:53:20 on the clock of the tests.
            #expect(made.string("next_run_at") == "2025-10-09T09:00:00Z")
            for _ in 0..<4 {
                api.advance(by: .minutes(10))
                await api.scheduler.advance()
            }
            let list = try await api.get("/backups/schedules", as: keeper)
            #expect(list["schedules"]?.arrayValue?.count == 1 && list.string("schedules.0.schedule_id") == id)
            #expect(list.string("schedules.0.last_run.outcome") == "made", "\(list.text)")
            #expect(list["schedules.0.last_run.bytes"] == .integer(900_000))
            #expect(list["schedules.0.is_running"] == .bool(false))
            let backups = try await api.get("/backups", as: keeper)
            #expect(backups["total"] == .integer(2), "two stay")
            #expect(backups.string("backups.0.note") == "schedule \(id)")
            #expect(backups.string("backups.0.backup_id") == list.string("schedules.0.last_run.backup_id"))
            #expect(try await api.delete("/backups/schedules/\(id)", as: keeper).status == 204)
            #expect(try await api.delete("/backups/schedules/\(id)", as: keeper).status == 404)
            #expect(
                try await api.get("/api/v1/backups/schedules", as: keeper)["schedules"]?.arrayValue?.isEmpty == true)
            #expect(try await api.get("/backups", as: keeper)["total"] == .integer(2))
            let noted = try await api.audited("backup_schedule")
            #expect(noted.map(\.action) == ["backup_schedule.removed", "backup_schedule.created"])
            #expect(noted.allSatisfy { $0.actor == keeper.id && $0.target == id })
            let ofBackups = try await api.audited("backup")
            #expect(ofBackups.count { $0.action == "backup.made" } == 4)
            #expect(ofBackups.count { $0.action == "backup.removed" } == 2)
            #expect(ofBackups.allSatisfy { $0.actor == nil })
        }
    }

    @Test func `who may make backups sees schedules and makes none`() async throws {
        try await APIHarness.run { api in
            let engine = try await api.machine("engine", .service, [.backups])
            let alice = try await api.register()
            let body = #"{"cron": "@daily"}"#
            #expect(try await api.get("/backups/schedules", as: engine).status == 200)
            #expect(try await api.post("/backups/schedule", body, as: engine).status == 403)
            #expect(try await api.delete("/backups/schedules/\(UUID.random())", as: engine).status == 403)
            #expect(try await api.get("/backups/schedules", as: alice).status == 403)
            #expect(try await api.post("/backups/schedule", body, as: alice).status == 403)
            #expect(try await api.get("/backups/schedules").status == 401)
            #expect(try await api.post("/backups/schedule", body).status == 401)
        }
    }

    @Test(arguments: [
        ("{}", "cron"), (#"{"cron": ""}"#, "cron"), (#"{"cron": "daily"}"#, "cron"),
        (#"{"cron": "61 * * * *"}"#, "cron"), (#"{"cron": "0 0 30 2 *"}"#, "cron"), (#"{"cron": 5}"#, "cron"),
        (#"{"cron": "@daily", "time_zone": "../../etc/passwd"}"#, "time_zone"),
        (#"{"cron": "@daily", "time_zone": "Atlantis/Poseidonis"}"#, "time_zone"),
        (#"{"cron": "@daily", "time_zone": "zone.tab"}"#, "time_zone"),
        (#"{"cron": "@daily", "time_zone": ""}"#, "time_zone"),
        (#"{"cron": "@daily", "type": "differential"}"#, "type"),
        (#"{"cron": "@daily", "include": []}"#, "include"),
        (#"{"cron": "@daily", "encryption": {"algorithm": "AES"}}"#, "encryption.algorithm"),
        (#"{"cron": "@daily", "destination": {"type": "folder"}}"#, "destination.type"),
        (#"{"cron": "@daily", "destination": {"replication": 4}}"#, "destination.replication"),
        (#"{"cron": "@daily", "retention": {}}"#, "retention"),
        (#"{"cron": "@daily", "retention": {"daily": 0}}"#, "retention"),
        (#"{"cron": "@daily", "retention": {"daily": -1}}"#, "retention.daily"),
        (#"{"cron": "@daily", "retention": {"weekly": 4097}}"#, "retention.weekly"),
        (#"{"cron": "@daily", "enabled": "yes"}"#, "enabled"),
    ])
    func `what cannot be is refused by name, and nothing is kept`(_ body: String, _ field: String) async throws {
        try await APIHarness.run { api in
            let root = try await api.administrator()
            let answer = try await api.post("/backups/schedule", body, as: root)
            #expect(answer.status == 400 && answer.string("code") == "invalid_payload", "\(answer.text)")
            #expect(answer.string("info.field") == field)
            #expect(try await api.schedules.all().isEmpty)
            #expect(try await api.audited("backup_schedule").isEmpty)
        }
    }

    @Test func `without places there is nothing to schedule`() async throws {
        var setup = APIHarness.Setup()
        setup.backups.places = 0
        try await APIHarness.run(setup) { api in
            let root = try await api.administrator()
            let answer = try await api.post("/backups/schedule", #"{"cron": "@daily"}"#, as: root)
            #expect(answer.status == 503 && answer.string("detail")?.contains("backup.places") == true)
            #expect(try await api.get("/backups/schedules", as: root).status == 200)
        }
    }

    @Test func `there are at most so many`() async throws {
        try await APIHarness.run { api in
            let root = try await api.administrator()
            for _ in 0..<BackupScheduleLimits.schedules {
                #expect(try await api.post("/backups/schedule", #"{"cron": "@daily"}"#, as: root).status == 201)
            }
            let answer = try await api.post("/backups/schedule", #"{"cron": "@daily"}"#, as: root)
            #expect(answer.status == 403 && answer.string("code") == "quota_exceeded")
        }
    }

    @Test func `one that is off makes none, and one that waits for another is made after it`() async throws {
        try await APIHarness.run { api in
            let root = try await api.administrator()
            let off = try await api.post("/backups/schedule", #"{"cron": "* * * * *", "enabled": false}"#, as: root)
            #expect(off["next_run_at"] == .null && off["enabled"] == .bool(false))
            api.advance(by: .seconds(1))
            _ = try await api.post("/backups/schedule", #"{"cron": "@hourly", "type": "full"}"#, as: root)
            api.backups.gate.close()
            let other = try await api.post("/backups/create", "{}", as: root)
            while !api.backups.gate.isWaitedFor { try await Task.sleep(for: .milliseconds(2)) }
            api.advance(by: .hours(1))
            await api.scheduler.advance()
            var list = try await api.get("/backups/schedules", as: try await api.login("root"))
            #expect(list["schedules.1.last_run"] == .null && list["schedules.1.is_running"] == .bool(false))
            api.backups.gate.open()
            await api.tasks.wait(for: try #require(.init(other.string("task_id") ?? "")))
            api.advance(by: .minutes(1))
            await api.scheduler.advance()
            list = try await api.get("/backups/schedules", as: try await api.login("root"))
            #expect(list.string("schedules.1.last_run.outcome") == "made", "\(list.text)")
            #expect(list.string("schedules.1.last_run.due_at") == "2025-10-09T09:00:00Z")
            #expect(list["schedules.0.last_run"] == .null)
        }
    }
}
