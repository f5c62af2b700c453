import Base
import TestKit
import Testing

/// docs/formats/cron.md. What zones make of it is in WireTests.
@Suite struct CronExpressionTests {
    private static func time(_ text: String) throws -> Timestamp { try #require(Timestamp(rfc3339: text)) }

    @Test(arguments: [
        ("* * * * *", "2026-11-22T01:59:30Z", "2026-11-22T02:00:00Z"),
        ("* * * * *", "2026-12-31T23:59:00Z", "2027-01-01T00:00:00Z"),
        ("0 3 * * *", "2026-11-22T03:00:00Z", "2026-11-23T03:00:00Z"),
        ("0 3 * * *", "2026-11-22T02:59:59.999999Z", "2026-11-22T03:00:00Z"),
        ("0 3 * * *", "2026-11-22T03:00:00.000001Z", "2026-11-23T03:00:00Z"),
        ("*/15 * * * *", "2026-11-22T03:46:00Z", "2026-11-22T04:00:00Z"),
        ("5/20 * * * *", "2026-11-22T03:26:00Z", "2026-11-22T03:45:00Z"),
        ("10-30/10,59 * * * *", "2026-11-22T03:31:00Z", "2026-11-22T03:59:00Z"),
        ("0 9-17 * * mon-fri", "2026-11-20T17:00:00Z", "2026-11-23T09:00:00Z"),
        ("0 0 * * FRI-Sun", "2026-11-22T00:00:00Z", "2026-11-27T00:00:00Z"),
        ("0 0 * * 5-7", "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z"),
        ("0 0 1 jan,Jul *", "2026-01-02T00:00:00Z", "2026-07-01T00:00:00Z"),
        ("0 0 31 * *", "2026-01-31T00:00:00Z", "2026-03-31T00:00:00Z"),
        ("59 23 31 12 *", "2026-12-31T23:59:00Z", "2027-12-31T23:59:00Z"),
        // Where both a day and a weekday are given, either is enough.
        ("0 0 13 * 5", "2026-11-21T00:00:00Z", "2026-11-27T00:00:00Z"),
        ("0 0 13 * 5", "2026-11-27T00:00:00Z", "2026-12-04T00:00:00Z"),
        ("0 0 30 2 1", "2026-02-23T00:00:00Z", "2027-02-01T00:00:00Z"),
        // A field that begins with `*` narrows, as in cron: every seventh day that is a Monday.
        ("0 0 */7 * 1", "2026-11-22T00:00:00Z", "2027-02-01T00:00:00Z"),
        ("0 0 29 2 *", "2026-03-01T00:00:00Z", "2028-02-29T00:00:00Z"),
        ("0 0 29 2 *", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00Z"),
        // A Sunday that is 29 February: forty years, over the end of a century.
        ("0 0 29 2 */7", "2088-03-01T00:00:00Z", "2128-02-29T00:00:00Z"),
        ("@hourly", "2026-11-22T01:00:00Z", "2026-11-22T02:00:00Z"),
        ("@daily", "2026-11-22T01:00:00Z", "2026-11-23T00:00:00Z"),
        ("@midnight", "2026-11-22T01:00:00Z", "2026-11-23T00:00:00Z"),
        ("@weekly", "2026-11-22T00:00:00Z", "2026-11-29T00:00:00Z"),
        ("@monthly", "2026-11-22T00:00:00Z", "2026-12-01T00:00:00Z"),
        ("@yearly", "2026-11-22T00:00:00Z", "2027-01-01T00:00:00Z"),
        ("@annually", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        ("  0   3  *  * * ", "2026-11-22T04:00:00Z", "2026-11-23T03:00:00Z"),
        ("0 3 * * *", "1969-12-31T04:00:00Z", "1970-01-01T03:00:00Z"),
    ])
    func `the next time`(_ expression: String, _ after: String, _ next: String) throws {
        #expect(try CronExpression(parsing: expression).next(after: Self.time(after)) == Self.time(next))
    }

    @Test(arguments: [
        "", " ", "@", "@reboot", "@every", "daily", "* * * *", "* * * * * *", "60 * * * *", "-1 * * * *", "* 24 * * *",
        "* * 0 * *", "* * 32 * *", "* * * 0 *", "* * * 13 *", "* * * * 8", "30-10 * * * *", "* * * * fri-mon",
        "*/0 * * * *", "*/60 * * * *", "1//2 * * * *", "1-2-3 * * * *", "1- * * * *", ", * * * *", "1, * * * *",
        "a * * * *", "jan * * * *", "* * * sun *", "* * jan * *", "* * * january *", "١ * * * *", "+1 * * * *",
        "001 * * * *", "1.5 * * * *", "1?2 * * * *", "0 0 L * *", "0 0 * * 5#2", "0\t0\t*\t*\t*",
        String(repeating: "0 ", count: 200),
    ])
    func `what is no expression is refused`(_ text: String) {
        #expect(throws: CronError.self) { try CronExpression(parsing: text) }
    }

    @Test(arguments: [
        ("0 24 * * *", "hour"), ("0 0 32 * *", "`32`"), ("0 0 * * 8", "sun to sat"), ("@never", "@daily"),
        ("1 2 3", "five fields"),
    ])
    func `a refusal says which part is wrong and what would do`(_ text: String, _ part: String) throws {
        let error = #expect(throws: CronError.self) { try CronExpression(parsing: text) }
        #expect(try #require(error).description.contains(part), "\(error?.description ?? "")")
    }

    @Test(arguments: ["0 0 30 2 *", "0 0 31 2,4,6,9,11 *", "0 0 30,31 feb */2"])
    func `a day that never comes is refused`(_ text: String) throws {
        let error = #expect(throws: CronError.self) { try CronExpression(parsing: text) }
        #expect(try #require(error).description.contains("never comes"))
    }

    @Test func `every hour and every minute are told apart from named ones`() throws {
        #expect(try CronExpression(parsing: "5 * * * *").isOfEveryHour)
        #expect(try CronExpression(parsing: "5 0-23 * * *").isOfEveryHour)
        #expect(try !CronExpression(parsing: "5 1-23 * * *").isOfEveryHour)
        #expect(try CronExpression(parsing: "*/20 3 * * *").timesPerHour == 3)
    }

    @Test func `beyond the last year there is nothing, and no time traps`() throws {
        let daily = try CronExpression(parsing: "0 3 * * *")
        for microseconds in [Int64.min, Int64.min + 1, Int64.max, Int64.max - 1, 253_402_300_800_000_000] {
            let time = Timestamp(microsecondsSinceEpoch: microseconds)
            if let next = daily.next(after: time) { #expect(next > time) }
        }
        #expect(daily.next(after: Timestamp(microsecondsSinceEpoch: .max)) == nil)
        #expect(try daily.next(after: Self.time("9999-12-31T02:00:00Z")) == Self.time("9999-12-31T03:00:00Z"))
    }

    /// Minute after minute, as a daemon would do it that looks at its clock.
    private struct Slow {
        let minutes: Set<Int>, hours: Set<Int>, days: Set<Int>, months: Set<Int>, weekdays: Set<Int>
        let isEither: Bool

        func fits(_ time: Timestamp) -> Bool {
            let date = CivilTime(time)
            guard minutes.contains(date.minute), hours.contains(date.hour), months.contains(date.month) else {
                return false
            }
            let (day, weekday) = (days.contains(date.day), weekdays.contains(CivilTime.weekday(time)))
            return isEither ? day || weekday : day && weekday
        }
    }

    @Test func `it agrees with looking at every minute`() throws {
        var random = SplitMix(seed: 7)
        for _ in 0..<60 {
            let minutes = random.some(of: 0...59), hours = random.some(of: 0...23)
            let days = random.some(of: 1...31), months = random.some(of: 1...12), weekdays = random.some(of: 0...6)
            let text = [minutes, hours, days, months, weekdays].map { $0?.list ?? "*" }.joined(separator: " ")
            guard let expression = try? CronExpression(parsing: text) else { continue }
            let slow = Slow(
                minutes: minutes ?? Set(0...59), hours: hours ?? Set(0...23), days: days ?? Set(1...31),
                months: months ?? Set(1...12), weekdays: weekdays ?? Set(0...6),
                isEither: days != nil && weekdays != nil)
            let start = Timestamp(secondsSinceEpoch: 1_700_000_000 + Int64(random.below(400)) * 86_400)
            var time = Timestamp(secondsSinceEpoch: start.secondsSinceEpoch.flooredDivision(by: 60) * 60 + 60)
            let end = start + .days(40)
            while time < end, !slow.fits(time) { time = time + .minutes(1) }
            let found = try #require(expression.next(after: start))
            #expect(time < end ? found == time : found >= end, "\(text) after \(start.rfc3339)")
        }
    }
}

extension SplitMix {
    fileprivate mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &self) }

    /// `nil`: all of them.
    fileprivate mutating func some(of range: ClosedRange<Int>) -> Set<Int>? {
        if below(3) == 0 { return nil }
        return Set((0...below(4)).map { _ in range.lowerBound + below(range.count) })
    }
}

extension Set<Int> {
    fileprivate var list: String { sorted().map { "\($0)" }.joined(separator: ",") }
}
