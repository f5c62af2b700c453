// When something is done again and again: docs/formats/cron.md. Five fields as cron has them (`0 3 1 * *`), or a word that
// stands for five (`@daily`).
//
// Pure: it knows neither a clock nor a zone. Times are those of a calendar, counted as if it were that of UTC; what a zone
// makes of them is `CronExpression.next(after:in:)` in Wire.

/// Why a text is no expression, in words for whoever wrote it.
package struct CronError: Error, Equatable, CustomStringConvertible {
    package let description: String
}

package struct CronExpression: Sendable, Equatable, CustomStringConvertible {
    /// Longer ones are a mistake or an attack; the longest sensible one lists every minute.
    package static let textMax = 200
    /// 29 February on a given weekday comes back after 40 years at the latest, over a century's end.
    private static let monthsMax = 41 * 12
    /// Dates are written with four digits.
    private static let yearMax = 9_999

    /// As it was written.
    package let description: String
    /// Bit n: the minute n; the others alike.
    private let minutes: UInt64
    private let hours: UInt64
    private let days: UInt64
    private let months: UInt64
    private let weekdays: UInt64
    /// As cron: where both days and weekdays are given, one of them is enough.
    private let isEitherDay: Bool

    package init(parsing text: String) throws(CronError) {
        guard text.utf8.count <= Self.textMax else {
            throw CronError(description: "a schedule has at most \(Self.textMax) characters")
        }
        let fields = try Self.fields(of: text)
        description = text
        minutes = try CronField.minute.bits(fields[0])
        hours = try CronField.hour.bits(fields[1])
        days = try CronField.day.bits(fields[2])
        months = try CronField.month.bits(fields[3])
        // 7 is Sunday, too.
        let named = try CronField.weekday.bits(fields[4])
        weekdays = (named | named >> 7) & 0x7F
        isEitherDay = fields[2].first != "*" && fields[4].first != "*"
        guard comesEver else {
            throw CronError(description: "the schedule never comes: no month that it names has such a day")
        }
    }

    private static func fields(of text: String) throws(CronError) -> [Substring] {
        let fields = text.split(separator: " ")
        if fields.count == 5 { return fields }
        guard fields.count == 1, fields[0].first == "@" else {
            throw CronError(
                description:
                    "a schedule has five fields, minute, hour, day, month and weekday, or is a word such as @daily")
        }
        let five: Substring
        switch fields[0] {
        case "@hourly": five = "0 * * * *"
        case "@daily", "@midnight": five = "0 0 * * *"
        case "@weekly": five = "0 0 * * 0"
        case "@monthly": five = "0 0 1 * *"
        case "@yearly", "@annually": five = "0 0 1 1 *"
        default:
            throw CronError(
                description: "the words for schedules are @hourly, @daily, @weekly, @monthly and @yearly")
        }
        return five.split(separator: " ")
    }

    /// 30 February comes never, 29 February does. With weekdays alone, or beside days, something always comes; and where
    /// both must fit, every day of the year falls on every weekday some time.
    private var comesEver: Bool {
        if isEitherDay { return true }
        return (1...12).contains { month in
            // A leap year, which has the longer February.
            months & 1 << UInt64(month) != 0 && days & Self.dayBits(CivilTime.days(inMonth: month, of: 2_000)) != 0
        }
    }

    // MARK: What it says

    /// How often it comes in an hour in which it comes.
    package var timesPerHour: Int { minutes.nonzeroBitCount }

    /// It names no hour: what comes in each of them goes by hours that pass, not by what the clock on the wall shows.
    package var isOfEveryHour: Bool { hours == 0xFF_FFFF }

    /// The first time after `time`; `nil` after the year 9999. Takes a few hundred steps at most.
    package func next(after time: Timestamp) -> Timestamp? {
        let minute = time.secondsSinceEpoch.flooredDivision(by: 60) + 1
        let day = minute.flooredDivision(by: 1_440)
        let date = CivilTime(Timestamp(secondsSinceEpoch: day * 86_400))
        guard date.year <= Self.yearMax, let found = firstDay(from: date.year, date.month, date.day) else { return nil }
        if found > day { return Self.time(found, firstMinute(from: 0)) }
        if let inDay = firstMinute(from: Int(minute - day * 1_440)) { return Self.time(day, inDay) }
        let tomorrow = CivilTime(Timestamp(secondsSinceEpoch: (day + 1) * 86_400))
        guard let later = firstDay(from: tomorrow.year, tomorrow.month, tomorrow.day) else { return nil }
        return Self.time(later, firstMinute(from: 0))
    }

    private static func time(_ day: Int64, _ minute: Int?) -> Timestamp {
        Timestamp(secondsSinceEpoch: day * 86_400 + Int64(minute ?? 0) * 60)
    }

    /// Minutes since midnight, from `start` on.
    private func firstMinute(from start: Int) -> Int? {
        let (hour, minute) = (start / 60, start % 60)
        let left = minutes >> UInt64(minute)
        if hours & 1 << UInt64(hour) != 0, left != 0 { return start + left.trailingZeroBitCount }
        let later = hours >> UInt64(hour + 1)
        guard later != 0 else { return nil }
        return (hour + 1 + later.trailingZeroBitCount) * 60 + minutes.trailingZeroBitCount
    }

    /// Days since 1970, from a date on.
    private func firstDay(from year: Int, _ month: Int, _ day: Int) -> Int64? {
        var (year, month, day) = (year, month, day)
        for _ in 0..<Self.monthsMax {
            if months & 1 << UInt64(month) != 0 {
                let left = days(in: month, of: year) >> UInt64(day)
                if left != 0 {
                    return CivilTime.daysSinceEpoch(year: year, month: month, day: day + left.trailingZeroBitCount)
                }
            }
            day = 1
            (year, month) = month == 12 ? (year + 1, 1) : (year, month + 1)
        }
        return nil
    }

    /// A bit at the beginning of each: what is multiplied with it is repeated.
    private static let fiveWeeks: UInt64 = 1 | 1 << 7 | 1 << 14 | 1 << 21 | 1 << 28

    /// Bit n: it comes on the n-th.
    private func days(in month: Int, of year: Int) -> UInt64 {
        let start = CivilTime.daysSinceEpoch(year: year, month: month, day: 1)
        let first = UInt64(CivilTime.weekday(Timestamp(secondsSinceEpoch: start * 86_400)))
        // The week as it begins in this month, five times in a row; bit 0 is no day.
        let week = (weekdays >> first | weekdays << (7 - first)) & 0x7F
        let byWeekday = (week * Self.fiveWeeks) << 1
        let fitting = isEitherDay ? days | byWeekday : days & byWeekday
        return fitting & Self.dayBits(CivilTime.days(inMonth: month, of: year))
    }

    private static func dayBits(_ count: Int) -> UInt64 { (1 << UInt64(count + 1)) - 2 }
}

/// One of the five fields: what its numbers are, and what they are called.
private struct CronField {
    static let minute = CronField("minute", 0...59)
    static let hour = CronField("hour", 0...23)
    static let day = CronField("day", 1...31)
    static let month = CronField(
        "month", 1...12,
        names: ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"])
    static let weekday = CronField("weekday", 0...7, names: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"])

    private let name: String
    private let range: ClosedRange<Int>
    /// From the range's beginning on.
    private let names: [String]

    private init(_ name: String, _ range: ClosedRange<Int>, names: [String] = []) {
        self.name = name
        self.range = range
        self.names = names
    }

    /// `*`, `*/2`, `1-5`, `1-5/2`, `3`, `3/10`, and lists of them, as bits.
    func bits(_ field: Substring) throws(CronError) -> UInt64 {
        var bits: UInt64 = 0
        for part in field.split(separator: ",", omittingEmptySubsequences: false) {
            let pieces = part.split(separator: "/", omittingEmptySubsequences: false)
            guard (1...2).contains(pieces.count), let ends = ends(pieces[0], isOpen: pieces.count == 2) else {
                throw refusal(part)
            }
            let step = pieces.count == 2 ? Self.number(pieces[1]) : 1
            guard let step, step >= 1, step <= range.upperBound, ends.first <= ends.last else { throw refusal(part) }
            for value in stride(from: ends.first, through: ends.last, by: step) { bits |= 1 << UInt64(value) }
        }
        return bits
    }

    /// `isOpen`: with a step, a number alone is where it begins.
    private func ends(_ text: Substring, isOpen: Bool) -> (first: Int, last: Int)? {
        if text == "*" { return (range.lowerBound, range.upperBound) }
        let ends = text.split(separator: "-", omittingEmptySubsequences: false)
        guard (1...2).contains(ends.count), let first = value(ends[0]) else { return nil }
        if ends.count == 1 { return (first, isOpen ? range.upperBound : first) }
        guard let last = value(ends[1]) else { return nil }
        // `fri-sun`: the Sunday at the week's end.
        let isSundayByName = last == 0 && !names.isEmpty && Self.number(ends[1]) == nil
        return (first, isSundayByName ? 7 : last)
    }

    private func value(_ text: Substring) -> Int? {
        if let number = Self.number(text) { return range.contains(number) ? number : nil }
        let lower = text.lowercased()
        return names.firstIndex(of: lower).map { range.lowerBound + $0 }
    }

    private static func number(_ text: Substring) -> Int? {
        guard (1...2).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return Int(text)
    }

    private func refusal(_ part: Substring) -> CronError {
        let named = names.isEmpty ? "" : " or \(names[0]) to \(names[names.count - 1])"
        return CronError(
            description:
                "`\(part)` is not a \(name) of a schedule: \(range.lowerBound) to \(range.upperBound)\(named), "
                + "`*`, ranges (`1-5`), steps (`*/2`), and lists of them")
    }
}
