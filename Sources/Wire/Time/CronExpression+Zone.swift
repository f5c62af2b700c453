// What a schedule means in a zone whose clocks are changed: docs/formats/cron.md, "Zones".

package import Base

extension CronExpression {
    /// Changes of the clocks that are looked through: two a year for as long as a day may take to come again, and all
    /// that a file may list.
    private static var periodsMax: Int { 2 * 41 + 2_000 }

    /// The first moment after `time` at which clocks in the zone show a time of the schedule. A time that they jump over
    /// comes when they have jumped. One that they show twice comes the first time, unless the schedule names no hour:
    /// what is done each hour is done in both.
    package func next(after time: Timestamp, in zone: TimeZoneRules) -> Timestamp? {
        var period = zone.period(at: time)
        var shown = time.secondsSinceEpoch + period.offset
        if !isOfEveryHour, let start = period.start {
            // What was shown before the clocks were put back does not come again.
            shown = max(shown, start + zone.period(at: start - 1).offset - 1)
        }
        guard var found = nextShown(after: shown) else { return nil }
        for _ in 0..<Self.periodsMax {
            guard let end = period.end, found - period.offset >= end else {
                return Timestamp(secondsSinceEpoch: found - period.offset)
            }
            let following = zone.period(at: end)
            let opening = end + following.offset
            if found < opening { return Timestamp(secondsSinceEpoch: end) }
            if isOfEveryHour, following.offset < period.offset {
                guard let again = nextShown(after: opening - 1) else { return nil }
                found = again
            }
            period = following
        }
        return nil
    }

    private func nextShown(after seconds: Int64) -> Int64? {
        next(after: Timestamp(secondsSinceEpoch: seconds))?.secondsSinceEpoch
    }
}
