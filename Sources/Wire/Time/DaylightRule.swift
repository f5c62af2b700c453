// The rule at the end of a TZif file, which goes on for ever: the TZ string of POSIX, with the times of a week that RFC 9636
// §3.3.1 adds.
//
//     CET-1CEST,M3.5.0,M10.5.0/3        standard time, daylight saving time, from when, to when
//     <-03>3                            no daylight saving time
//     IST-1GMT0,M10.5.0,M3.5.0/1        it may be behind standard time as well, and lie over the end of the year
//
// Offsets are counted to the west, so that their sign is the other one.

import Base

struct DaylightRule: Sendable, Equatable {
    /// Longer ones are an attack: names have three letters, as a rule.
    static let textMax = 128

    private struct Daylight: Sendable, Equatable {
        let local: TimeZoneRules.LocalTime
        let from: YearDay
        let to: YearDay
    }

    private let standard: TimeZoneRules.LocalTime
    /// `nil`: standard time all year.
    private let daylight: Daylight?

    init(parsing text: Bytes) throws(WireError) {
        guard text.count <= Self.textMax else { throw .invalid("the rule of a zone is too long") }
        var scanner = RuleScanner(text)
        try scanner.skipName()
        let standard = -(try scanner.clock(hoursMax: RuleScanner.offsetHoursMax))
        self.standard = TimeZoneRules.LocalTime(offset: standard, isDaylightSaving: false)
        if scanner.isAtEnd {
            daylight = nil
            return
        }
        try scanner.skipName()
        var offset = standard + 3_600
        if !scanner.isAt(",") { offset = -(try scanner.clock(hoursMax: RuleScanner.offsetHoursMax)) }
        // What holds without dates is nowhere written down.
        let from = try scanner.yearDay()
        let to = try scanner.yearDay()
        guard scanner.isAtEnd else { throw .invalid("the rule of a zone goes on where it should end") }
        daylight = Daylight(
            local: TimeZoneRules.LocalTime(offset: offset, isDaylightSaving: true), from: from, to: to)
    }

    func period(at seconds: Int64) -> TimeZoneRules.Period {
        guard let daylight else {
            return TimeZoneRules.Period(offset: standard.offset, isDaylightSaving: false, start: nil, end: nil)
        }
        let year = CivilTime(Timestamp(secondsSinceEpoch: seconds)).year
        var last: TimeZoneRules.Change?
        var next: Int64?
        // A day may lie a week outside of its year.
        for year in (year - 2)...(year + 2) {
            for change in changes(in: year, daylight) {
                if change.time > seconds {
                    next = min(next ?? change.time, change.time)
                } else if last.map({ $0.time <= change.time }) ?? true {
                    last = change
                }
            }
        }
        let local = last?.to ?? standard
        return TimeZoneRules.Period(
            offset: local.offset, isDaylightSaving: local.isDaylightSaving, start: last?.time, end: next)
    }

    /// Daylight saving time last: where it ends in the moment in which it begins again, it lasts all year (RFC 9636 §3.3.1).
    private func changes(in year: Int, _ daylight: Daylight) -> [TimeZoneRules.Change] {
        [
            TimeZoneRules.Change(time: daylight.to.seconds(in: year) - daylight.local.offset, to: standard),
            TimeZoneRules.Change(time: daylight.from.seconds(in: year) - standard.offset, to: daylight.local),
        ]
    }
}

/// A moment of each year, as clocks show it that have not been changed yet.
private struct YearDay: Sendable, Equatable {
    enum Day: Sendable, Equatable {
        /// `J60`: 1 March in each year; 29 February is not counted.
        case withoutLeapDay(Int)
        /// `59`: counted from 0.
        case ofYear(Int)
        /// `M3.5.0`: the fifth is the last one.
        case ofWeek(month: Int, week: Int, weekday: Int)
    }

    let day: Day
    /// Since its midnight; may be negative, or lie days later.
    let time: Int64

    func seconds(in year: Int) -> Int64 { days(in: year) * 86_400 + time }

    private func days(in year: Int) -> Int64 {
        let first = CivilTime.daysSinceEpoch(year: year, month: 1, day: 1)
        switch day {
        case .withoutLeapDay(let number):
            let isLater = number >= 60 && CivilTime.days(inMonth: 2, of: year) == 29
            return first + Int64(isLater ? number : number - 1)
        case .ofYear(let number): return first + Int64(number)
        case .ofWeek(let month, let week, let weekday):
            let start = CivilTime.daysSinceEpoch(year: year, month: month, day: 1)
            let startsOn = CivilTime.weekday(Timestamp(secondsSinceEpoch: start * 86_400))
            let day = (weekday - startsOn + 7) % 7 + (week - 1) * 7
            return start + Int64(day < CivilTime.days(inMonth: month, of: year) ? day : day - 7)
        }
    }
}

private struct RuleScanner {
    /// Of an offset, and of a time of a week.
    static let offsetHoursMax = 24
    static let timeHoursMax = 167
    /// Where no time is given: two o'clock.
    private static let usualTime: Int64 = 2 * 3_600
    private static let nameMin = 3

    private var rest: Bytes.SubSequence

    init(_ text: Bytes) { rest = text[...] }

    var isAtEnd: Bool { rest.isEmpty }

    func isAt(_ character: Unicode.Scalar) -> Bool { rest.first == UInt8(ascii: character) }

    private mutating func skip(_ character: Unicode.Scalar) -> Bool {
        guard isAt(character) else { return false }
        rest.removeFirst()
        return true
    }

    /// `CET`, or `<+0330>`.
    mutating func skipName() throws(WireError) {
        let isQuoted = skip("<")
        let name = rest.prefix { byte in
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"): true
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"): isQuoted
            default: false
            }
        }
        rest.removeFirst(name.count)
        guard name.count >= Self.nameMin, isQuoted == false || skip(">") else {
            throw .invalid("the rule of a zone has no name where there should be one")
        }
    }

    /// `-1`, `+5:30`, `12:45:30`, in seconds.
    mutating func clock(hoursMax: Int) throws(WireError) -> Int64 {
        let isNegative = skip("-")
        if !isNegative { _ = skip("+") }
        var seconds = Int64(try number(0...hoursMax)) * 3_600
        if skip(":") {
            seconds += Int64(try number(0...59)) * 60
            if skip(":") { seconds += Int64(try number(0...59)) }
        }
        return isNegative ? -seconds : seconds
    }

    /// `,M3.5.0/3`
    mutating func yearDay() throws(WireError) -> YearDay {
        guard skip(",") else { throw .invalid("the rule of a zone does not say when daylight saving time is") }
        let day: YearDay.Day
        if skip("J") {
            day = .withoutLeapDay(try number(1...365))
        } else if skip("M") {
            let month = try number(1...12)
            guard skip(".") else { throw Self.unreadable }
            let week = try number(1...5)
            guard skip(".") else { throw Self.unreadable }
            day = .ofWeek(month: month, week: week, weekday: try number(0...6))
        } else {
            day = .ofYear(try number(0...365))
        }
        return YearDay(day: day, time: skip("/") ? try clock(hoursMax: Self.timeHoursMax) : Self.usualTime)
    }

    private static let unreadable = WireError.invalid("the rule of a zone has no number where there should be one")

    private mutating func number(_ range: ClosedRange<Int>) throws(WireError) -> Int {
        let digits = rest.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        guard (1...3).contains(digits.count) else { throw Self.unreadable }
        rest.removeFirst(digits.count)
        let value = digits.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
        guard range.contains(value) else { throw .invalid("a number in the rule of a zone is out of range") }
        return value
    }
}
