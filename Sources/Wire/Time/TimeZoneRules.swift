// A time zone: what is added to UTC, and from when to when. Read from a TZif file (`TimeZoneFile.swift`); after the last
// change that the file lists, the rule at its end goes on for ever (`DaylightRule.swift`). docs/formats/cron.md.

package import Base

package struct TimeZoneRules: Sendable, Equatable {
    /// A stretch of time in which clocks run evenly. Seconds since 1970.
    package struct Period: Sendable, Equatable {
        /// What clocks show beyond UTC, in seconds.
        package let offset: Int64
        package let isDaylightSaving: Bool
        /// `nil`: since ever.
        package let start: Int64?
        /// The first second that is not in it any more; `nil`: for ever.
        package let end: Int64?
    }

    /// What holds between two changes.
    struct LocalTime: Sendable, Equatable {
        let offset: Int64
        let isDaylightSaving: Bool
    }

    struct Change: Sendable, Equatable {
        let time: Int64
        let to: LocalTime
    }

    package static let utc = TimeZoneRules(
        initially: LocalTime(offset: 0, isDaylightSaving: false), changes: [], afterwards: nil)

    private let initially: LocalTime
    /// In order.
    private let changes: [Change]
    private let afterwards: DaylightRule?

    init(initially: LocalTime, changes: [Change], afterwards: DaylightRule?) {
        self.initially = initially
        self.changes = changes
        self.afterwards = afterwards
    }

    package func period(at time: Timestamp) -> Period { period(at: time.secondsSinceEpoch) }

    func period(at seconds: Int64) -> Period {
        let past = count(upTo: seconds)
        if past == changes.count, let afterwards {
            let period = afterwards.period(at: seconds)
            guard let last = changes.last?.time else { return period }
            return Period(
                offset: period.offset, isDaylightSaving: period.isDaylightSaving,
                start: max(last, period.start ?? last), end: period.end)
        }
        let local = past == 0 ? initially : changes[past - 1].to
        return Period(
            offset: local.offset, isDaylightSaving: local.isDaylightSaving,
            start: past == 0 ? nil : changes[past - 1].time, end: past < changes.count ? changes[past].time : nil)
    }

    /// How many changes have been, by halving.
    private func count(upTo seconds: Int64) -> Int {
        var (low, high) = (0, changes.count)
        while low < high {
            let middle = (low + high) / 2
            if changes[middle].time <= seconds { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// What a clock in the zone shows, counted as if it were UTC.
    package func shown(at time: Timestamp) -> Timestamp { time + .seconds(period(at: time).offset) }
}
