// When a key is replaced: an interval (`90d`), or fields as cron has them (`0 3 1 * *`), in UTC. Pure: the time is an
// argument.

package import Base

package struct KeySchedule: Sendable, Equatable {
    package static let shortest = Duration.hours(1)
    package static let longest = Duration.days(3_653)
    /// Longer ones are a mistake or an attack; the longest sensible one lists every minute.
    private static let textMax = 200

    private enum Form: Equatable {
        case every(Duration)
        case calendar(minutes: UInt64, hours: UInt64, days: UInt64, months: UInt64, weekdays: UInt64, eitherDay: Bool)
    }

    private let form: Form

    package init(parsing text: String) throws(KeyError) {
        let fields = text.split(separator: " ")
        guard text.utf8.count <= Self.textMax, !fields.isEmpty else { throw Self.unreadable }
        form = fields.count == 1 ? try Self.interval(fields[0]) : try Self.calendar(fields)
    }

    private static let unreadable = KeyError.invalid(
        "a schedule is an interval such as 90d, or five fields as cron has them: minute, hour, day, month, weekday, in UTC"
    )

    private static func interval(_ text: Substring) throws(KeyError) -> Form {
        let digits = text.utf8.dropLast()
        guard let unit = text.utf8.last, (1...6).contains(digits.count),
            digits.allSatisfy({ (0x30...0x39).contains($0) })
        else { throw unreadable }
        let count = digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
        let interval: Duration
        switch unit {
        case UInt8(ascii: "h"): interval = .hours(count)
        case UInt8(ascii: "d"): interval = .days(count)
        case UInt8(ascii: "w"): interval = .days(7 * count)
        default: throw unreadable
        }
        guard (shortest...longest).contains(interval) else {
            throw .invalid("keys are replaced every hour at most, and every ten years at least")
        }
        return .every(interval)
    }

    private static func calendar(_ fields: [Substring]) throws(KeyError) -> Form {
        guard fields.count == 5 else { throw unreadable }
        let minutes = try set(fields[0], 0...59)
        guard minutes.nonzeroBitCount == 1 else {
            throw .invalid("keys are replaced every hour at most: the schedule's first field is one minute")
        }
        // 7 is Sunday, too.
        var weekdays = try set(fields[4], 0...7)
        if weekdays & 1 << 7 != 0 { weekdays = (weekdays | 1) & 0x7F }
        let form = Form.calendar(
            minutes: minutes, hours: try set(fields[1], 0...23), days: try set(fields[2], 1...31),
            months: try set(fields[3], 1...12), weekdays: weekdays,
            // As cron: where both are given, one of them is enough.
            eitherDay: fields[2] != "*" && fields[4] != "*")
        return form
    }

    /// `*`, `*/2`, `1-5`, `1-5/2`, `3`, and lists of them, as bits.
    private static func set(_ field: Substring, _ range: ClosedRange<Int>) throws(KeyError) -> UInt64 {
        var bits: UInt64 = 0
        for part in field.split(separator: ",", omittingEmptySubsequences: false) {
            let pieces = part.split(separator: "/", omittingEmptySubsequences: false)
            guard (1...2).contains(pieces.count) else { throw unreadable }
            let step = pieces.count == 2 ? try number(pieces[1], 1...range.upperBound) : 1
            var (first, last) = (range.lowerBound, range.upperBound)
            if pieces[0] != "*" {
                let ends = pieces[0].split(separator: "-", omittingEmptySubsequences: false)
                guard (1...2).contains(ends.count) else { throw unreadable }
                first = try number(ends[0], range)
                last = ends.count == 2 ? try number(ends[1], range) : pieces.count == 2 ? range.upperBound : first
            }
            guard first <= last else { throw unreadable }
            for value in stride(from: first, through: last, by: step) { bits |= 1 << UInt64(value) }
        }
        return bits
    }

    private static func number(_ text: Substring, _ range: ClosedRange<Int>) throws(KeyError) -> Int {
        guard (1...2).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let value = Int(text), range.contains(value)
        else { throw unreadable }
        return value
    }

    /// The first time after `time`; `nil` for a day that never comes (30 February).
    package func next(after time: Timestamp) -> Timestamp? {
        switch form {
        case .every(let interval): return time + interval
        case .calendar(let minutes, let hours, let days, let months, let weekdays, let eitherDay):
            var day = time.secondsSinceEpoch.flooredDivision(by: 86_400)
            // 29 February on a given weekday comes back after 40 years at the latest, over a century's end.
            for _ in 0..<(366 * 41) {
                let start = Timestamp(secondsSinceEpoch: day * 86_400)
                let date = CivilTime(start)
                let isDay = days & 1 << UInt64(date.day) != 0
                let isWeekday = weekdays & 1 << UInt64(CivilTime.weekday(start)) != 0
                if months & 1 << UInt64(date.month) != 0, eitherDay ? isDay || isWeekday : isDay && isWeekday,
                    let found = Self.first(in: start, hours, minutes, after: time)
                {
                    return found
                }
                day += 1
            }
            return nil
        }
    }

    private static func first(
        in day: Timestamp, _ hours: UInt64, _ minutes: UInt64, after time: Timestamp
    ) -> Timestamp? {
        for hour in 0..<24 where hours & 1 << UInt64(hour) != 0 {
            let found = day + .hours(hour) + .minutes(minutes.trailingZeroBitCount)
            if found > time { return found }
        }
        return nil
    }
}
