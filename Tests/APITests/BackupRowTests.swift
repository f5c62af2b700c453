import Accounts
import Backup
import Base
import Tasks
import TestKit
import Testing
import Wire

/// manual's and reference's rows of backups: docs/protocol/backups.md.
@Suite struct BackupRowTests {
    /// The backup's id, when it is made.
    private func made(_ api: APIHarness, _ body: String = "{}", as person: APIHarness.Person) async throws -> String {
        let answer = try await api.post("/backups/create", body, as: person)
        #expect(answer.status == 202, "\(answer.text)")
        let task = try await ended(api, try #require(answer.string("task_id")), as: person)
        #expect(task.string("state") == "succeeded", "\(task.text)")
        return try #require(answer.string("backup_id"))
    }

    private func ended(_ api: APIHarness, _ task: String, as person: APIHarness.Person) async throws -> TestAnswer {
        await api.tasks.wait(for: try #require(TaskID(task)))
        return try await api.get("/tasks/\(task)", as: person)
    }

    @Test func `a service account starts one, follows it, and cannot restore or remove`() async throws {
        try await APIHarness.run { api in
            let engine = try await api.machine("backup-engine", .service, [.backups])
            let first = try await made(api, as: engine)
            let second = try await made(api, #"{"type": "incremental", "note": "nightly"}"#, as: engine)
            let list = try await api.get("/backups", as: engine)
            #expect(list["total"] == .integer(2) && list.string("backups.0.backup_id") == second)
            #expect(list.string("backups.0.type") == "incremental" && list.string("backups.0.note") == "nightly")
            #expect(try await api.get("/api/v1/backups/backup_\(first)", as: engine).string("status") == "available")
            for path in ["/backups/\(first)/verify", "/backups/\(first)/restore"] {
                #expect(try await api.post(path, as: engine).status == 403)
            }
            #expect(try await api.delete("/backups/\(first)", as: engine).status == 403)
            let alice = try await api.register()
            for path in ["/backups", "/backups/\(first)"] {
                #expect(try await api.get(path, as: alice).status == 403)
                #expect(try await api.get(path).status == 401)
            }
            #expect(try await api.post("/backups/create", "{}", as: alice).status == 403)
            #expect(try await api.post("/api/v1/admin/backup", "{}", as: engine).status == 403)
        }
    }

    @Test func `one that runs is seen, refused another beside it, and cancelled`() async throws {
        try await APIHarness.run { api in
            let root = try await api.administrator()
            api.backups.gate.close()
            let started = try await api.post("/backups/create", "{}", as: root)
            let (backup, task) = (started.string("backup_id") ?? "", started.string("task_id") ?? "")
            while !api.backups.gate.isWaitedFor { try await Task.sleep(for: .milliseconds(2)) }
            let one = try await api.get("/backups/\(backup)", as: root)
            #expect(one.string("status") == "running" && one.string("task_id") == task)
            #expect(try await api.get("/backups", as: root).string("running_task_id") == task)
            for path in ["/backups/create", "/api/v1/backups/create"] {
                let refused = try await api.post(path, "{}", as: root)
                #expect(refused.status == 409 && refused.string("code") == "backup_in_progress")
                #expect(refused.string("info.task_id") == task)
            }
            let other = try await api.post("/api/v1/admin/backup", "{}", as: root)
            #expect(other.status == 409 && other.string("error.code") == "BACKUP_IN_PROGRESS")
            #expect(try await api.delete("/tasks/\(task)", as: root).status == 202)
            let after = try await ended(api, task, as: root)
            #expect(after.string("state") == "cancelled" && after["is_cancelling"] == .bool(false))
            #expect(try await api.delete("/tasks/\(task)", as: root).string("code") == "conflict")
            api.backups.gate.open()
            let gone = try await api.get("/backups/\(backup)", as: root)
            #expect(gone.string("status") == "cancelled" && gone["type"] == .null)
            _ = try await made(api, as: root)
        }
    }

    @Test(arguments: [
        (#"{"type": "differential"}"#, "type"), (#"{"include": ["db", "mail"]}"#, "include[1]"),
        (#"{"include": []}"#, "include"), (#"{"encryption": {"algorithm": "AES"}}"#, "encryption.algorithm"),
        (#"{"encryption": {"key_rotation": "daily"}}"#, "encryption.key_rotation"),
        (#"{"destination": {"type": "folder"}}"#, "destination.type"),
        (#"{"destination": {"replication": 4}}"#, "destination.replication"),
        (#"{"destination": {"replication": 0}}"#, "destination.replication"),
    ])
    func `what cannot be is refused by name`(_ body: String, _ field: String) async throws {
        try await APIHarness.run { api in
            let root = try await api.administrator()
            let answer = try await api.post("/backups/create", body, as: root)
            #expect(answer.status == 400 && answer.string("code") == "invalid_payload", "\(answer.text)")
            #expect(answer.string("info.field") == field)
            #expect(try await api.get("/tasks", as: root)["total"] == .integer(0))
        }
    }

    @Test(arguments: [
        #"{"encryption": false}"#, #"{"compression": "none"}"#, #"{"include_files": false, "include_database": false}"#,
    ])
    func `reference's row refuses what there is not`(_ body: String) async throws {
        try await APIHarness.run { api in
            let answer = try await api.post("/api/v1/admin/backup", body, as: try await api.administrator())
            #expect(answer.status == 422 && answer.string("error.code") == "VALIDATION_ERROR", "\(answer.text)")
        }
    }

    @Test func `keys are rotated when that is asked for and can be`() async throws {
        let body = #"{"encryption": {"algorithm": "PQ-Kyber-AES-hybrid", "key_rotation": "auto"}}"#
        try await APIHarness.run { api in
            _ = try await made(api, body, as: try await api.administrator())
            #expect(api.backups.rotationCount == 1)
        }
        var setup = APIHarness.Setup()
        setup.backups.rotatesKeys = false
        try await APIHarness.run(setup) { api in
            let answer = try await api.post("/backups/create", body, as: try await api.administrator())
            #expect(answer.status == 400 && answer.string("info.field") == "encryption.key_rotation")
        }
    }

    @Test func `without places every row says so`() async throws {
        var setup = APIHarness.Setup()
        setup.backups.places = 0
        try await APIHarness.run(setup) { api in
            let root = try await api.administrator()
            let id = UUID.random()
            var answers = [try await api.get("/backups", as: root), try await api.get("/backups/\(id)", as: root)]
            answers.append(try await api.post("/backups/create", "{}", as: root))
            for verb in ["verify", "restore"] {
                answers.append(try await api.post("/backups/\(id)/\(verb)", as: root))
            }
            answers.append(try await api.delete("/backups/\(id)", as: root))
            for answer in answers {
                #expect(answer.status == 503 && answer.string("code") == "service_unavailable", "\(answer.text)")
                #expect(answer.string("detail")?.contains("backup.places") == true)
            }
            let other = try await api.post("/api/v1/admin/backup", as: root)
            #expect(other.status == 503 && other.string("error.code") == "SERVICE_UNAVAILABLE")
        }
    }

    @Test func `more than the operator allows is refused with numbers`() async throws {
        var setup = APIHarness.Setup()
        setup.backups.bytesMax = 500_000
        try await APIHarness.run(setup) { api in
            let answer = try await api.post("/backups/create", "{}", as: try await api.administrator())
            #expect(answer.status == 413 && answer.string("code") == "quota_exceeded")
            #expect(answer["info.quota_bytes"] == .integer(500_000))
            #expect(answer["info.current_usage"] == .integer(900_000))
        }
    }

    @Test func `verified, restored into a folder, removed, and noted each time`() async throws {
        try await APIHarness.run { api in
            let root = try await api.administrator()
            let (old, new) = (try await made(api, as: root), try await made(api, as: root))
            let report = try await api.post("/backups/\(old)/verify", #"{"depth": "structure"}"#, as: root)
            #expect(report.string("verdict") == "whole" && report["checksums_match"] == .null, "\(report.text)")
            let listed = try await api.get("/backups/\(old)", as: root)
            #expect(listed.string("verification.status") == "whole")
            #expect(listed.string("verification.depth") == "structure")
            let restore = try await api.post("/backups/\(old)/restore", as: root)
            #expect(restore.string("folder")?.hasSuffix("/restored/\(old)") == true)
            let task = try await ended(api, try #require(restore.string("task_id")), as: root)
            #expect(task["result.items"] == .integer(3) && task.string("target") == old, "\(task.text)")
            let again = try await api.post("/backups/\(old)/restore", as: root)
            #expect(again.status == 409 && again.string("code") == "conflict")
            let elsewhere = try await api.post("/backups/\(old)/restore", #"{"target_node_id": "other"}"#, as: root)
            #expect(elsewhere.status == 400 && elsewhere.string("info.field") == "target_node_id")
            #expect(try await api.delete("/backups/\(new)", as: root).string("code") == "conflict")
            #expect(try await api.delete("/backups/\(old)", as: root).status == 204)
            #expect(try await api.delete("/backups/\(old)", as: root).status == 404)
            #expect(try await api.get("/backups/\(old)", as: root).status == 404)
            let noted = try await api.audited("backup")
            #expect(
                noted.reversed().map(\.action) == [
                    "backup.started", "backup.made", "backup.started", "backup.made", "backup.verified",
                    "backup.restore_started", "backup.restored", "backup.removal_started", "backup.removed",
                ])
            #expect(noted.allSatisfy { $0.actor == root.id && $0.details["task_id"] != nil })
            #expect(noted[0].target == old && noted[0].origin.address.exposed != "console")
        }
    }
}

/// Rows of ours: docs/protocol/tasks.md.
@Suite struct TaskRowTests {
    @Test func `a task is seen by who started it and by its family's administrators`() async throws {
        try await APIHarness.run { api in
            let engine = try await api.machine("engine", .service, [.backups])
            let other = try await api.machine("other", .service, [.backups])
            let keeper = try await api.machine("keeper", .service, [.backupsAdmin])
            let caller = try await api.machine("caller", .service, [.callsAdmin])
            let (root, alice) = (try await api.administrator(), try await api.register())
            let started = try await api.post("/backups/create", "{}", as: engine)
            let id = try #require(started.string("task_id"))
            await api.tasks.wait(for: try #require(TaskID(id)))
            for (person, sees) in [
                (engine, true), (keeper, true), (root, true), (other, false), (caller, false), (alice, false),
            ] {
                #expect(try await api.get("/tasks/\(id)", as: person).status == (sees ? 200 : 404), "\(person.name)")
                #expect(try await api.get("/tasks", as: person)["total"] == .integer(sees ? 1 : 0))
                #expect(try await api.delete("/tasks/\(id)", as: person).status == (sees ? 409 : 404))
            }
            #expect(try await api.get("/tasks/\(id)").status == 401)
            let task = try await api.get("/tasks/task_\(id)", as: engine)
            #expect(task.string("kind") == "backup.create" && task.string("node_id") == "test")
            #expect(task.string("owner_id") == "\(engine.id)")
            #expect(task["progress.percentage"] == .integer(100) || task["progress.percentage"] == .number(100))
            #expect(task["progress.details"]?["shards"]?.arrayValue?.count == 3)
            #expect(task.string("result.backup_id") == started.string("backup_id"))
        }
    }

    @Test func `the list is filtered and paged`() async throws {
        try await APIHarness.run { api in
            let root = try await api.administrator()
            for _ in 0..<3 {
                let started = try await api.post("/backups/create", "{}", as: root)
                await api.tasks.wait(for: try #require(TaskID(started.string("task_id") ?? "")))
                api.advance(by: .seconds(1))
            }
            for (query, total, count) in [
                ("", 3, 3), ("?limit=2&offset=2", 3, 1), ("?state=failed", 0, 0), ("?kind=backup", 3, 3),
                ("?kind=backup.verify", 0, 0), ("?kind=recording", 0, 0),
            ] {
                let answer = try await api.get("/tasks\(query)", as: root)
                #expect(answer["total"] == .integer(Int64(total)), "\(query)")
                #expect(answer["tasks"]?.arrayValue?.count == count, "\(query)")
            }
            #expect(try await api.get("/tasks?state=odd", as: root).status == 400)
            #expect(try await api.get("/tasks?limit=101", as: root).status == 400)
        }
    }
}
