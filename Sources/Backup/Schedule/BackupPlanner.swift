// Whether a schedule's time has come, and what of times that have passed. Pure: the time is an argument.

package import Base
package import Wire

package enum BackupPlan: Sendable, Equatable {
    /// Nothing is to be done now.
    case wait
    /// A backup is to be made for this time of the schedule; behind it the schedule goes on at `next`.
    case make(due: Timestamp, next: Timestamp?)
    /// It is too late for this time.
    case giveUp(due: Timestamp, next: Timestamp?)
}

package enum BackupPlanner {
    /// `node`: the server that asks. `grace`: how long after its time a backup may begin.
    package static func plan(
        _ schedule: BackupSchedule, in zone: TimeZoneRules, at now: Timestamp, on node: String, grace: Duration
    ) -> BackupPlan {
        let progress = schedule.progress
        guard schedule.isEnabled, let nextAt = progress.nextAt, nextAt <= now else { return .wait }
        // Another server makes one; if it died, that is not waited for too long.
        if let attempt = progress.attempt, attempt.node != node, now - attempt.startedAt <= grace { return .wait }
        let next = schedule.cron.next(after: now, in: zone)
        let first = progress.attempt == nil ? progress.dueAt ?? nextAt : nextAt
        if now - first <= grace { return .make(due: first, next: next) }
        // Of those that came later, the first for which it is not too late stands for all.
        if let later = schedule.cron.next(after: now - grace, in: zone), later <= now {
            return .make(due: later, next: next)
        }
        return .giveUp(due: first, next: next)
    }
}

extension BackupSchedule {
    /// It cannot be now: something else is at work. The time stays due.
    package mutating func postpone(_ due: Timestamp, at now: Timestamp) {
        progress.attempt = nil
        progress.dueAt = due
        progress.nextAt = now + BackupScheduleLimits.retryPause
    }

    package mutating func begin(_ due: Timestamp, next: Timestamp?, on node: String, at now: Timestamp) {
        progress.attempt = Attempt(startedAt: now, node: node)
        progress.dueAt = due
        progress.nextAt = next
    }

    package mutating func end(_ run: Run) {
        progress.attempt = nil
        progress.dueAt = nil
        progress.lastRun = run
        if run.outcome == .made { progress.lastSuccessAt = run.endedAt }
    }

    /// Nothing was made, and it goes on at `next`.
    package mutating func end(_ run: Run, next: Timestamp?) {
        end(run)
        progress.nextAt = next
    }

    /// What a process that has ended left under way is due again at once.
    package mutating func resume(at now: Timestamp) {
        guard let attempt = progress.attempt else { return }
        progress.dueAt = progress.dueAt ?? attempt.startedAt
        progress.nextAt = now
        progress.attempt = nil
    }
}
