import Base
import Testing

@testable import Wire

/// docs/formats/cron.md, "Zones".
@Suite struct CronZoneTests {
    private static func time(_ text: String) throws -> Timestamp { try #require(Timestamp(rfc3339: text)) }

    private static func next(_ expression: String, _ zone: String, _ after: String) throws -> String? {
        let rules = zone == "UTC" ? TimeZoneRules.utc : try TimeZoneTests.zone(zone)
        return try CronExpression(parsing: expression).next(after: time(after), in: rules)?.rfc3339
    }

    @Test(arguments: [
        ("0 3 * * *", "UTC", "2026-03-28T12:00:00Z", "2026-03-29T03:00:00Z"),
        // Berlin: 29 March 2026, from 02:00 to 03:00; 25 October, from 03:00 back to 02:00.
        ("0 3 * * *", "Europe-Berlin", "2026-03-28T03:00:00Z", "2026-03-29T01:00:00Z"),
        ("0 3 * * *", "Europe-Berlin", "2026-10-24T02:00:00Z", "2026-10-25T02:00:00Z"),
        ("30 2 * * *", "Europe-Berlin", "2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z"),
        ("30 2 * * *", "Europe-Berlin", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"),
        ("30 2 * * *", "Europe-Berlin", "2026-10-24T22:00:00Z", "2026-10-25T00:30:00Z"),
        ("30 2 * * *", "Europe-Berlin", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"),
        ("30 2 * * *", "Europe-Berlin", "2026-10-25T01:10:00Z", "2026-10-26T01:30:00Z"),
        // What is jumped over comes once, and so does what would come then anyway.
        ("*/20 2,3 * * *", "Europe-Berlin", "2026-03-29T00:59:00Z", "2026-03-29T01:00:00Z"),
        ("*/20 2,3 * * *", "Europe-Berlin", "2026-03-29T01:00:00Z", "2026-03-29T01:20:00Z"),
        // Each hour, whatever clocks show.
        ("30 * * * *", "Europe-Berlin", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"),
        ("30 * * * *", "Europe-Berlin", "2026-10-25T01:30:00Z", "2026-10-25T02:30:00Z"),
        ("0 * * * *", "Europe-Berlin", "2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z"),
        ("30 * * * *", "Europe-Berlin", "2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z"),
        ("30 * * * *", "Europe-Berlin", "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"),
        // The south, by half an hour: Lord Howe, 4 October 2026 at 02:00 and 5 April 2026 at 02:00.
        ("15 2 * * *", "Australia-Lord_Howe", "2026-10-03T12:00:00Z", "2026-10-03T15:30:00Z"),
        ("45 1 * * *", "Australia-Lord_Howe", "2026-04-04T12:00:00Z", "2026-04-04T14:45:00Z"),
        ("45 1 * * *", "Australia-Lord_Howe", "2026-04-04T15:16:00Z", "2026-04-05T15:15:00Z"),
        // Midnight that is not: Santiago, 6 September 2026.
        ("0 0 * * *", "America-Santiago", "2026-09-05T12:00:00Z", "2026-09-06T04:00:00Z"),
        ("@daily", "America-Santiago", "2026-09-06T04:00:00Z", "2026-09-07T03:00:00Z"),
        // A day that never was: Samoa had no 30 December 2011.
        ("0 12 30 12 *", "Pacific-Apia", "2011-12-29T00:00:00Z", "2011-12-30T10:00:00Z"),
        ("0 12 * * *", "Pacific-Apia", "2011-12-30T10:00:00Z", "2011-12-30T22:00:00Z"),
        // Years after the last change that the file lists.
        ("30 2 * * *", "Europe-Berlin", "2099-03-28T12:00:00Z", "2099-03-29T01:00:00Z"),
        ("0 0 29 2 *", "Asia-Kolkata", "2096-03-01T00:00:00Z", "2104-02-28T18:30:00Z"),
        // Two hours at once: Troll, 29 March 2026, from 01:00 to 03:00.
        ("30 1 * * *", "Antarctica-Troll", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"),
    ])
    func `the next time by the clocks of a zone`(
        _ expression: String, _ zone: String, _ after: String, _ expected: String
    ) throws {
        #expect(try Self.next(expression, zone, after) == expected)
    }

    @Test(arguments: TimeZoneTests.folder.files.filter { $0.contains("-") })
    func `each day of thirty years comes once`(_ name: String) throws {
        let zone = try TimeZoneTests.zone(name)
        let daily = try CronExpression(parsing: "30 2 * * *")
        var time = try Self.time("2010-01-01T00:00:00Z")
        let end = try Self.time("2040-01-01T00:00:00Z")
        var days: [Int64] = []
        while let next = daily.next(after: time, in: zone), next < end {
            #expect(next > time)
            let shown = zone.shown(at: next)
            // At 02:30, or where clocks jumped.
            let jumped = zone.period(at: next).start == next.secondsSinceEpoch
            #expect(jumped || shown.secondsSinceEpoch.flooredRemainder(86_400) == 9_000, "\(shown.rfc3339)")
            days.append(shown.secondsSinceEpoch.flooredDivision(by: 86_400))
            time = next
        }
        // The day that Samoa left out came at the next one's beginning.
        #expect(zip(days, days.dropFirst()).count { $0 >= $1 } == (name == "Pacific-Apia" ? 1 : 0))
        #expect((10_956...10_958).contains(days.count))
    }

    @Test func `what is of every hour comes every hour, in each zone`() throws {
        for name in ["Europe-Berlin", "Australia-Lord_Howe", "Antarctica-Troll", "Africa-Casablanca"] {
            let zone = try TimeZoneTests.zone(name)
            let hourly = try CronExpression(parsing: "15 * * * *")
            var time = try Self.time("2026-01-01T00:00:00Z")
            for _ in 0..<9_000 {
                let next = try #require(hourly.next(after: time, in: zone))
                #expect(next > time && next <= time + .minutes(90), "\(name) after \(time.rfc3339)")
                time = next
            }
        }
    }

    @Test func `beyond the last year there is nothing, and no time traps`() throws {
        let zone = try TimeZoneTests.zone("Europe-Berlin")
        let daily = try CronExpression(parsing: "0 3 * * *")
        for microseconds in [Int64.min, Int64.min + 1, Int64.max, Int64.max - 1] {
            let time = Timestamp(microsecondsSinceEpoch: microseconds)
            if let next = daily.next(after: time, in: zone) { #expect(next > time) }
        }
        #expect(daily.next(after: Timestamp(microsecondsSinceEpoch: .max), in: zone) == nil)
    }
}

extension Int64 {
    fileprivate func flooredRemainder(_ divisor: Int64) -> Int64 { self - flooredDivision(by: divisor) * divisor }
}
