// Which backups to keep: the last few, and one a day, a week and a month before that.

package import Base
package import Wire

package struct Retention: Sendable, Equatable {
    package var last: Int
    package var daily: Int
    package var weekly: Int
    package var monthly: Int

    package init(last: Int = 0, daily: Int = 0, weekly: Int = 0, monthly: Int = 0) {
        self.last = last
        self.daily = daily
        self.weekly = weekly
        self.monthly = monthly
    }

    /// Those that no rule keeps. The newest one always stays. Days are those of the zone, weeks begin on Monday.
    package func removable(_ backups: [StoredBackup], in zone: TimeZoneRules = .utc) -> Set<UUID> {
        let shown: (StoredBackup) -> Timestamp = { zone.shown(at: $0.manifest.taken) }
        let newestFirst = backups.sorted { $0.sequence > $1.sequence }
        var kept = Set(newestFirst.prefix(max(1, last)).map(\.manifest.id))
        let day: (StoredBackup) -> Int64 = { shown($0).secondsSinceEpoch.flooredDivision(by: 86_400) }
        keep(daily, newestFirst, &kept, by: day)
        // 1 January 1970 was a Thursday.
        keep(weekly, newestFirst, &kept) { (day($0) + 3).flooredDivision(by: 7) }
        keep(monthly, newestFirst, &kept) { backup in
            let time = CivilTime(shown(backup))
            return Int64(time.year * 12 + time.month)
        }
        return Set(backups.map(\.manifest.id)).subtracting(kept)
    }

    /// The newest backup of each of the newest `count` periods that have one.
    private func keep(
        _ count: Int, _ newestFirst: [StoredBackup], _ kept: inout Set<UUID>, by period: (StoredBackup) -> Int64
    ) {
        var periods: Set<Int64> = []
        for backup in newestFirst where periods.count < count && periods.insert(period(backup)).inserted {
            kept.insert(backup.manifest.id)
        }
    }
}
