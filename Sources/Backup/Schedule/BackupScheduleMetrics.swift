// What Prometheus hears of scheduled backups.

package import Base

package final class BackupScheduleMetrics: Sendable {
    private let succeededAt: Gauge
    private let seconds: Gauge
    private let bytes: Gauge
    private let runs: [BackupSchedule.Run.Outcome: Counter]

    package init(_ metrics: Metrics) {
        succeededAt = metrics.gauge(
            "plexichat_backup_last_success_timestamp_seconds", "When a schedule's backup was last finished; 0: never")
        seconds = metrics.gauge(
            "plexichat_backup_last_success_duration_seconds", "How long the last one that was made took")
        bytes = metrics.gauge("plexichat_backup_last_success_bytes", "How much the last one that was made holds")
        var runs: [BackupSchedule.Run.Outcome: Counter] = [:]
        for outcome in BackupSchedule.Run.Outcome.allCases {
            runs[outcome] = metrics.counter(
                "plexichat_backup_schedule_runs_total", "Times of schedules that came, by how they ended",
                labels: ["outcome": outcome.rawValue])
        }
        self.runs = runs
    }

    /// From before this process.
    func knows(_ schedule: BackupSchedule) {
        guard let at = schedule.progress.lastSuccessAt, at.secondsSinceEpoch > succeededAt.current else { return }
        succeededAt.set(at.secondsSinceEpoch)
        if let run = schedule.progress.lastRun, run.outcome == .made { measure(run) }
    }

    func ended(_ run: BackupSchedule.Run) {
        runs[run.outcome]?.increment()
        guard run.outcome == .made else { return }
        succeededAt.set(run.endedAt.secondsSinceEpoch)
        measure(run)
    }

    private func measure(_ run: BackupSchedule.Run) {
        seconds.set((run.endedAt - run.startedAt).components.seconds)
        bytes.set(Int64(clamping: run.bytes ?? 0))
    }
}
