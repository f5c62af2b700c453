import Base
import Testing

@Suite struct TimeTests {
    @Test(arguments: [
        ("1970-01-01T00:00:00Z", 0), ("2000-02-29T12:00:00Z", 951_825_600), ("1969-12-31T23:59:59Z", -1),
        ("2025-01-15T10:30:00Z", 1_736_937_000), ("9999-12-31T23:59:59Z", 253_402_300_799),
        ("0001-01-01T00:00:00Z", -62_135_596_800),
    ])
    func `RFC 3339 is written and read`(_ text: String, _ seconds: Int64) {
        let time = Timestamp(secondsSinceEpoch: seconds)
        #expect(time.rfc3339 == text)
        #expect(Timestamp(rfc3339: text) == time)
    }

    @Test(arguments: [
        ("2025-01-15T10:30:00+02:00", "2025-01-15T08:30:00Z"), ("2025-01-15t10:30:00z", "2025-01-15T10:30:00Z"),
        ("2025-01-15 10:30:00-00:30", "2025-01-15T11:00:00Z"),
        ("2025-01-15T10:30:00.5Z", "2025-01-15T10:30:00.500000Z"),
        ("2025-01-15T10:30:00.123456789Z", "2025-01-15T10:30:00.123456Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
    ])
    func `offsets, fractions and leap seconds are understood`(_ text: String, _ expected: String) {
        #expect(Timestamp(rfc3339: text)?.rfc3339 == expected)
    }

    @Test(arguments: [
        "", "2025-01-15", "2025-13-01T00:00:00Z", "2025-02-29T00:00:00Z", "2025-01-15T24:00:00Z",
        "2025-01-15T10:60:00Z", "2025-01-15T10:30:61Z", "2025-01-15T10:30:00", "2025-01-15T10:30:00.Z",
        "2025-01-15T10:30:00.1234567890Z", "2025-01-15T10:30:00+24:00", "2025-01-15T10:30:00Zx", "25-01-15T10:30:00Z",
    ])
    func `what is no date is refused`(_ text: String) {
        #expect(Timestamp(rfc3339: text) == nil)
    }

    @Test func `HTTP dates follow RFC 9110`() {
        let time = Timestamp(secondsSinceEpoch: 784_111_777)
        #expect(time.imfFixdate == "Sun, 06 Nov 1994 08:49:37 GMT")
        #expect(Timestamp(imfFixdate: "Sun, 06 Nov 1994 08:49:37 GMT") == time)
        #expect(Timestamp(imfFixdate: "Sunday, 06-Nov-94 08:49:37 GMT") == nil)
        #expect(Timestamp(imfFixdate: "Sun Nov  6 08:49:37 1994") == nil)
        #expect(Timestamp(imfFixdate: "Sun, 31 Feb 1994 08:49:37 GMT") == nil)
    }

    @Test func `every day of eight centuries comes back, in order of the week`() {
        var weekday = CivilTime.weekday(Timestamp(secondsSinceEpoch: -11_676_096_000))
        for day in stride(from: -135_140, to: 157_054, by: 1) {
            let time = Timestamp(secondsSinceEpoch: Int64(day) * 86_400)
            let civil = CivilTime(time)
            #expect(CivilTime.daysSinceEpoch(year: civil.year, month: civil.month, day: civil.day) == Int64(day))
            #expect(civil.day <= CivilTime.days(inMonth: civil.month, of: civil.year))
            #expect(CivilTime.weekday(time) == weekday)
            weekday = (weekday + 1) % 7
        }
    }

    @Test func `monotonic differences never go below zero`() {
        let early = Instant(nanoseconds: 5)
        let late = Instant(nanoseconds: 9)
        #expect(late - early == .nanoseconds(4))
        #expect(early - late == .zero)
        #expect(early + .nanoseconds(4) == late)
        #expect(early + .seconds(-1) == early)
    }

    @Test func `decimal digits have their sign and width`() {
        func text(_ value: Int, _ width: Int) -> String {
            var bytes = Bytes()
            bytes.appendDecimal(value, width: width)
            return String(decoding: bytes, as: UTF8.self)
        }
        #expect(text(0, 1) == "0")
        #expect(text(7, 3) == "007")
        #expect(text(-42, 4) == "-0042")
        #expect(text(.min, 1) == "-9223372036854775808")
    }
}
