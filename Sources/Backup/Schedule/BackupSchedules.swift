// Schedules as who may set them sees them: made, listed, removed. What runs them is `BackupScheduler`.

package import Base
package import Store
package import Wire

/// What happened to a schedule, for the audit log.
package struct BackupScheduleEvent: Sendable {
    package enum Action: String, Sendable, CaseIterable {
        case created = "backup_schedule.created"
        case removed = "backup_schedule.removed"
        case missed = "backup_schedule.missed"
        case skipped = "backup_schedule.skipped"
        case failed = "backup_schedule.failed"
    }

    package let action: Action
    package let schedule: BackupScheduleID
    package let time: Timestamp
    /// `nil`: the server itself.
    package let actor: (any BackupActor)?
    package let details: JSONObject

    package init(
        action: Action, schedule: BackupScheduleID, time: Timestamp, actor: (any BackupActor)?, details: JSONObject
    ) {
        self.action = action
        self.schedule = schedule
        self.time = time
        self.actor = actor
        self.details = details
    }
}

package protocol BackupScheduleEvents: Sendable {
    /// In the transaction of the change that it tells of.
    func note(_ event: BackupScheduleEvent, in transaction: any Transaction) async throws(StoreError)
    /// The transaction is committed.
    func noted()
}

package struct BackupSchedules: Sendable {
    let store: BackupScheduleStore
    private let service: any StartsBackups
    private let zones: ZoneFiles
    private let clock: Clock

    package init(
        _ store: BackupScheduleStore, _ service: any StartsBackups, zones: ZoneFiles, clock: Clock = .system
    ) {
        self.store = store
        self.service = service
        self.zones = zones
        self.clock = clock
    }

    package func all() async throws(BackupScheduleError) -> [BackupSchedule] { try await store.all() }

    /// What could never be made is refused here, and not in the night.
    package func create(_ new: NewBackupSchedule, by actor: (any BackupActor)?) async throws -> BackupSchedule {
        let now = clock.now()
        let cron: CronExpression
        do throws(CronError) { cron = try CronExpression(parsing: new.cron) } catch {
            throw BackupScheduleError.invalid(field: "cron", reason: "cannot be: \(error)")
        }
        let (zone, rules) = try zone(new.zone)
        if let retention = new.retention { try Self.check(retention) }
        try await service.check(new.request)
        guard let first = cron.next(after: now, in: rules) else {
            throw BackupScheduleError.invalid(field: "cron", reason: "never comes again")
        }
        let schedule = BackupSchedule(
            id: .timeOrdered(at: now), cron: cron, zone: zone, request: new.request, retention: new.retention,
            isEnabled: new.isEnabled, createdBy: actor?.user, createdAt: now, revision: 0,
            progress: BackupSchedule.Progress(nextAt: new.isEnabled ? first : nil))
        let details = JSONObject([("cron", .string(cron.description)), ("time_zone", .string(zone.text))])
        try await store.insert(
            schedule,
            noting: BackupScheduleEvent(
                action: .created, schedule: schedule.id, time: now, actor: actor, details: details))
        return schedule
    }

    private func zone(_ text: String) throws(BackupScheduleError) -> (ZoneName, TimeZoneRules) {
        guard let name = ZoneName(text) else {
            throw .invalid(field: "time_zone", reason: "must be the name of a zone, such as Europe/Berlin")
        }
        do throws(ZoneFiles.Refusal) { return (name, try zones.rules(of: name)) } catch {
            throw .invalid(field: "time_zone", reason: error.reason)
        }
    }

    private static func check(_ retention: Retention) throws(BackupScheduleError) {
        let counts = [retention.last, retention.daily, retention.weekly, retention.monthly]
        guard counts.allSatisfy({ (0...BackupScheduleLimits.kept).contains($0) }), counts.contains(where: { $0 > 0 })
        else {
            throw .invalid(
                field: "retention",
                reason: "keeps 0 to \(BackupScheduleLimits.kept) by each rule, and above 0 by one of them")
        }
    }

    package func remove(_ id: BackupScheduleID, by actor: (any BackupActor)?) async throws(BackupScheduleError) {
        try await store.remove(
            id,
            noting: BackupScheduleEvent(
                action: .removed, schedule: id, time: clock.now(), actor: actor, details: JSONObject()))
    }
}
