import Base
import TestKit
import Testing
import Wire

@testable import Backup

/// docs/protocol/backup-schedules.md, "What happens when its time comes".
@Suite struct BackupPlannerTests {
    private static func time(_ text: String) throws -> Timestamp { try #require(Timestamp(rfc3339: text)) }

    private static func schedule(_ cron: String, next: String?, isEnabled: Bool = true) throws -> BackupSchedule {
        BackupSchedule(
            id: BackupScheduleID(.random()), cron: try CronExpression(parsing: cron), zone: .utc,
            request: BackupRequest(isIncremental: true), retention: nil, isEnabled: isEnabled, createdBy: nil,
            createdAt: Timestamp(secondsSinceEpoch: 0), revision: 0,
            progress: BackupSchedule.Progress(nextAt: try next.map(time)))
    }

    private static func plan(_ schedule: BackupSchedule, at now: String, on node: String = "here") throws -> BackupPlan
    {
        BackupPlanner.plan(
            schedule, in: .utc, at: try time(now), on: node, grace: BackupScheduleLimits.grace)
    }

    @Test func `before its time nothing is to be done`() throws {
        let schedule = try Self.schedule("0 3 * * *", next: "2026-11-22T03:00:00Z")
        #expect(try Self.plan(schedule, at: "2026-11-22T02:59:59Z") == .wait)
        #expect(try Self.plan(Self.schedule("0 3 * * *", next: nil), at: "2026-11-22T03:00:00Z") == .wait)
        let off = try Self.schedule("0 3 * * *", next: "2026-11-22T03:00:00Z", isEnabled: false)
        #expect(try Self.plan(off, at: "2026-11-22T04:00:00Z") == .wait)
    }

    @Test(arguments: [
        // In time, and as late as it may be.
        ("2026-11-22T03:00:00Z", "2026-11-22T03:00:00Z", "2026-11-23T03:00:00Z"),
        ("2026-11-22T15:00:00Z", "2026-11-22T03:00:00Z", "2026-11-23T03:00:00Z"),
        // Five nights without a server: one backup, for the last of them.
        ("2026-11-27T09:00:00Z", "2026-11-27T03:00:00Z", "2026-11-28T03:00:00Z"),
    ])
    func `what has come is made, once for all that were missed`(_ now: String, _ due: String, _ next: String) throws {
        let schedule = try Self.schedule("0 3 * * *", next: "2026-11-22T03:00:00Z")
        let expected = BackupPlan.make(due: try Self.time(due), next: try Self.time(next))
        #expect(try Self.plan(schedule, at: now) == expected)
    }

    @Test func `after the grace it is given up, and goes on`() throws {
        let schedule = try Self.schedule("0 3 * * *", next: "2026-11-22T03:00:00Z")
        let expected = BackupPlan.giveUp(
            due: try Self.time("2026-11-22T03:00:00Z"), next: try Self.time("2026-11-23T03:00:00Z"))
        #expect(try Self.plan(schedule, at: "2026-11-22T15:00:00.000001Z") == expected)
    }

    @Test func `a year without a server is planned at once, however often it would have come`() throws {
        let schedule = try Self.schedule("* * * * *", next: "2025-11-22T03:00:00Z")
        let expected = BackupPlan.make(
            due: try Self.time("2026-11-21T15:01:00Z"), next: try Self.time("2026-11-22T03:01:00Z"))
        #expect(try Self.plan(schedule, at: "2026-11-22T03:00:30Z") == expected)
    }

    @Test func `what was kept from being made stays due until the grace is over`() throws {
        var schedule = try Self.schedule("0 3 * * *", next: "2026-11-22T03:00:00Z")
        let due = try Self.time("2026-11-22T03:00:00Z")
        schedule.begin(due, next: try Self.time("2026-11-23T03:00:00Z"), on: "here", at: due)
        schedule.postpone(due, at: due)
        #expect(schedule.progress.attempt == nil)
        #expect(try Self.plan(schedule, at: "2026-11-22T03:00:59Z") == .wait)
        let next = try Self.time("2026-11-23T03:00:00Z")
        #expect(try Self.plan(schedule, at: "2026-11-22T03:01:00Z") == .make(due: due, next: next))
        #expect(try Self.plan(schedule, at: "2026-11-22T15:00:01Z") == .giveUp(due: due, next: next))
    }

    @Test func `what another server makes is left to it, but not for ever`() throws {
        var schedule = try Self.schedule("0 * * * *", next: "2026-11-22T03:00:00Z")
        let due = try Self.time("2026-11-22T03:00:00Z")
        schedule.begin(due, next: try Self.time("2026-11-22T04:00:00Z"), on: "there", at: due)
        #expect(try Self.plan(schedule, at: "2026-11-22T04:00:00Z") == .wait)
        let now = try Self.time("2026-11-22T04:00:00Z")
        let next = try Self.time("2026-11-22T05:00:00Z")
        #expect(try Self.plan(schedule, at: "2026-11-22T04:00:00Z", on: "there") == .make(due: now, next: next))
        guard case .make = try Self.plan(schedule, at: "2026-11-22T15:00:01Z") else {
            Issue.record("a server that died is waited for")
            return
        }
    }

    @Test func `what a stop broke off is due again at once, within the grace`() throws {
        var schedule = try Self.schedule("0 3 * * *", next: "2026-11-22T03:00:00Z")
        let due = try Self.time("2026-11-22T03:00:00Z")
        let next = try Self.time("2026-11-23T03:00:00Z")
        schedule.begin(due, next: next, on: "here", at: due)
        schedule.resume(at: try Self.time("2026-11-22T04:30:00Z"))
        #expect(try Self.plan(schedule, at: "2026-11-22T04:30:00Z") == .make(due: due, next: next))
        var late = try Self.schedule("0 3 * * *", next: "2026-11-22T03:00:00Z")
        late.begin(due, next: next, on: "here", at: due)
        late.resume(at: try Self.time("2026-11-22T20:00:00Z"))
        #expect(try Self.plan(late, at: "2026-11-22T20:00:00Z") == .giveUp(due: due, next: next))
        let before = schedule
        schedule.resume(at: try Self.time("2026-11-22T05:00:00Z"))
        #expect(schedule == before, "what is not under way is not resumed")
    }

    // MARK: Zones

    @Test(arguments: [
        "UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5", "Etc/GMT-14", "EST5EDT", "W-SU",
    ])
    func `a name of a zone`(_ text: String) throws {
        #expect(try #require(ZoneName(text)).text == text)
    }

    @Test(arguments: [
        "", "/", "/etc/passwd", "../passwd", "Europe/../../etc/passwd", "Europe//Berlin", "Europe/", ".", "..",
        "Europe/.Berlin", "-Berlin", "+Berlin", "5EDT", "Europe\\Berlin", "Europe/Ber lin", "Europe/Berlin\0", "Zürich",
        "zone.tab", "a/b/c/d/e", String(repeating: "a", count: 65),
    ])
    func `a name that might lead elsewhere is none`(_ text: String) {
        #expect(ZoneName(text) == nil)
    }

    @Test func `zones are read from the folder, and UTC without a file`() throws {
        let folder = try TemporaryFolder()
        let files = ZoneFiles(folder: folder.path)
        let utc = try files.rules(of: .utc)
        #expect(utc == .utc)
        let berlin = try #require(ZoneName("Europe/Berlin"))
        #expect(throws: ZoneFiles.Refusal.self) { try files.rules(of: berlin) }
        try Files.makeFolder(folder.path + "/Europe")
        try Files.write(Bytes("TZif nothing".utf8), to: folder.path + "/Europe/Berlin")
        #expect(throws: ZoneFiles.Refusal.self) { try files.rules(of: berlin) }
        let long = try #require(ZoneName("Long"))
        try Files.write(Bytes(repeating: 0, count: TimeZoneRules.fileMax + 1), to: folder.path + "/Long")
        #expect(throws: ZoneFiles.Refusal.self) { try files.rules(of: long) }
        // A folder is no zone.
        #expect(throws: ZoneFiles.Refusal.self) { try files.rules(of: try #require(ZoneName("Europe"))) }
        let machine = ZoneFiles(folder: "/usr/share/zoneinfo")
        guard Files.length(of: "/usr/share/zoneinfo/Europe/Paris") != nil else { return }
        let paris = try machine.rules(of: try #require(ZoneName("Europe/Paris")))
        #expect(paris.period(at: try Self.time("2026-07-01T00:00:00Z")).offset == 7_200)
    }
}
