import Base
import TestKit
import Testing

@testable import Wire

/// docs/formats/cron.md, "Zones". The files and what another reader says of them: Tests/Vectors/tzif.
@Suite struct TimeZoneTests {
    static let folder = VectorFolder("tzif")

    static func zone(_ name: String) throws -> TimeZoneRules { try TimeZoneRules(parsing: folder.bytes(of: name)) }

    @Test func `offsets are those that another reader finds, from the first years to the last`() throws {
        var zones: [String: TimeZoneRules] = [:]
        let lines = String(decoding: Self.folder.bytes(of: "offsets.tsv"), as: UTF8.self).split(separator: "\n")
        #expect(lines.count > 400)
        for line in lines.dropFirst() {
            let columns = line.split(separator: "\t").map(String.init)
            let (seconds, offset) = (try #require(Int64(columns[1])), try #require(Int64(columns[2])))
            if zones[columns[0]] == nil { zones[columns[0]] = try Self.zone(columns[0]) }
            let period = try #require(zones[columns[0]]).period(at: seconds)
            #expect(period.offset == offset, "\(columns[0]) at \(seconds)")
            #expect((period.start ?? .min) <= seconds && seconds < period.end ?? .max)
        }
    }

    @Test(arguments: folder.files.filter { $0.contains("-") })
    func `periods follow each other without a hole`(_ name: String) throws {
        let zone = try Self.zone(name)
        var period = zone.period(at: Timestamp(secondsSinceEpoch: -10_000_000_000))
        var count = 1
        while let end = period.end, end < 20_000_000_000 {
            let next = zone.period(at: end)
            #expect(next.start == end && zone.period(at: end - 1) == period)
            period = next
            count += 1
        }
        #expect(count > 0 && count < 2_500)
    }

    @Test func `UTC is there without a file`() throws {
        let period = TimeZoneRules.utc.period(at: Timestamp(secondsSinceEpoch: 0))
        #expect(period == TimeZoneRules.Period(offset: 0, isDaylightSaving: false, start: nil, end: nil))
        #expect(try Self.zone("Etc-UTC").period(at: 0) == period)
    }

    @Test func `a file of the first version is read, and its last time goes on`() throws {
        let all = Self.folder.bytes(of: "Europe-Berlin")
        let zone = try TimeZoneRules(parsing: Self.firstVersion(of: all))
        #expect(zone.period(at: 1_760_000_000).offset == 7_200)
        let last = zone.period(at: 4_000_000_000)
        #expect(last.offset == 3_600 && last.end == nil)
    }

    /// The block of 32 bits alone, with the head that it had before there were others.
    static func firstVersion(of file: Bytes) -> Bytes {
        let counts = (0..<6).map { field in
            (0..<4).reduce(0) { $0 << 8 | Int(file[20 + field * 4 + $1]) }
        }
        let length = 44 + counts[3] * 5 + counts[4] * 6 + counts[5] + counts[2] * 8 + counts[1] + counts[0]
        var first = Bytes(file.prefix(length))
        first[4] = 0
        return first
    }

    // MARK: Rules

    /// A file that says nothing but a rule.
    static func file(rule: String, version: UInt8 = UInt8(ascii: "3")) -> Bytes {
        let header = Bytes("TZif".utf8) + [version] + Bytes(repeating: 0, count: 15)
        let counts: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 4]
        let block: Bytes = [0, 0, 0, 0, 0, 0] + Bytes("UTC\0".utf8)
        return header + counts + block + header + counts + block + Bytes("\n\(rule)\n".utf8)
    }

    private static func seconds(_ text: String) throws -> Int64 {
        try #require(Timestamp(rfc3339: text)).secondsSinceEpoch
    }

    @Test(arguments: [
        ("CET-1CEST,M3.5.0,M10.5.0/3", "2400-07-01T00:00:00Z", 7_200, "2400-03-26T01:00:00Z", "2400-10-29T01:00:00Z"),
        ("EST5EDT,M3.2.0,M11.1.0", "2050-12-01T00:00:00Z", -18_000, "2050-11-06T06:00:00Z", "2051-03-12T07:00:00Z"),
        // The south: over the end of the year.
        ("NZST-12NZDT,M9.5.0,M4.1.0/3", "2100-01-01T00:00:00Z", 46_800, "2099-09-26T14:00:00Z", "2100-04-03T14:00:00Z"),
        // Half an hour.
        (
            "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "2100-01-01T00:00:00Z", 39_600, "2099-10-03T15:30:00Z",
            "2100-04-03T15:00:00Z"
        ),
        // Behind standard time, in winter.
        ("IST-1GMT0,M10.5.0,M3.5.0/1", "2100-01-01T00:00:00Z", 0, "2099-10-25T01:00:00Z", "2100-03-28T01:00:00Z"),
        // On the day before, by a time before midnight.
        (
            "<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2100-07-01T00:00:00Z", -3_600, "2100-03-28T01:00:00Z",
            "2100-10-31T01:00:00Z"
        ),
        // Days of the year: 1 March and 29 February of a leap year.
        ("AAA0BBB,J60/0,J300/0", "2096-07-01T00:00:00Z", 3_600, "2096-03-01T00:00:00Z", "2096-10-26T23:00:00Z"),
        ("AAA0BBB,59/0,299/0", "2096-07-01T00:00:00Z", 3_600, "2096-02-29T00:00:00Z", "2096-10-25T23:00:00Z"),
        // A time days after its day.
        ("AAA0BBB,M3.5.4/50,M9.3.4/50", "2100-07-01T00:00:00Z", 3_600, "2100-03-27T02:00:00Z", "2100-09-18T01:00:00Z"),
    ])
    func `a rule goes on for ever`(
        _ rule: String, _ at: String, _ offset: Int64, _ start: String, _ end: String
    ) throws {
        let zone = try TimeZoneRules(parsing: Self.file(rule: rule))
        let period = zone.period(at: try Self.seconds(at))
        #expect(period.offset == offset)
        #expect(try period.start == Self.seconds(start))
        #expect(try period.end == Self.seconds(end))
    }

    /// RFC 9636 §3.3.1 has this one.
    @Test func `daylight saving time all year`() throws {
        let zone = try TimeZoneRules(parsing: Self.file(rule: "XXX3EDT4,0/0,J365/23"))
        for month in 1...12 {
            for day in [1, 2, 15, 28] {
                let time = CivilTime.daysSinceEpoch(year: 2_060, month: month, day: day) * 86_400 + 14_400
                #expect(zone.period(at: time).offset == -14_400, "\(month)-\(day)")
            }
        }
    }

    @Test(arguments: [
        "A0", "CET", "CET-25", "CET-1:60", "CET-1CEST", "CET-1CEST,M3.5.0", "CET-1CEST,M3.5.0,",
        "CET-1CEST,M13.5.0,M10.5.0",
        "CET-1CEST,M3.6.0,M10.5.0", "CET-1CEST,M3.5.7,M10.5.0", "CET-1CEST,M3.0.0,M10.5.0", "CET-1CEST,J0,J1",
        "CET-1CEST,J366,J1", "CET-1CEST,366,1", "CET-1CEST,M3.5.0/168,M10.5.0", "CET-1CEST,M3.5.0,M10.5.0x",
        "<+03-3", "<+0>0", "CET-1 ", "CET--1", "CET1000", "CET-1CEST,M3,M10.5.0", ":Europe/Berlin",
        "CET-1CEST,M3.5.0,M10.5.0/" + String(repeating: "0", count: 120),
    ])
    func `a rule that is none is refused`(_ rule: String) {
        #expect(throws: WireError.self) { try TimeZoneRules(parsing: Self.file(rule: rule)) }
    }

    // MARK: Damage

    @Test func `a file that was cut anywhere is refused`() throws {
        for name in ["Europe-Berlin", "Asia-Kolkata", "Etc-UTC"] {
            let file = Self.folder.bytes(of: name)
            for count in 0..<file.count {
                #expect(throws: WireError.self, "\(name), \(count) bytes") {
                    try TimeZoneRules(parsing: Bytes(file.prefix(count)))
                }
            }
            #expect(throws: WireError.self) { try TimeZoneRules(parsing: file + [0]) }
        }
    }

    private static func changed(_ offset: Int, _ bytes: [UInt8]) -> Bytes {
        var file = file(rule: "UTC0")
        for (index, byte) in bytes.enumerated() { file[offset + index] = byte }
        return file
    }

    /// The second header begins behind the first block.
    private static let second = 44 + 10

    @Test(arguments: [
        ("another format", changed(0, Bytes("GIF8".utf8))),
        ("a later version", changed(4, [UInt8(ascii: "9")])),
        ("two versions", changed(second + 4, [UInt8(ascii: "2")])),
        ("leap seconds", changed(second + 28, [0, 0, 0, 1])),
        ("no kind of time", changed(second + 36, [0, 0, 0, 0])),
        ("too many kinds", changed(second + 36, [0, 0, 1, 1])),
        ("too many changes", changed(second + 32, [0, 0, 0x07, 0xD1])),
        ("more than there is", changed(second + 32, [0xFF, 0xFF, 0xFF, 0xFF])),
        ("a first block that is too long", changed(32, [0xFF, 0xFF, 0xFF, 0xFF])),
        ("flags for other kinds", changed(second + 20, [0, 0, 0, 2])),
        ("an offset of two days", changed(second + 44, [0, 2, 0xA3, 0])),
        ("a flag that is none", changed(second + 48, [2])),
        ("a name outside of the names", changed(second + 49, [4])),
        ("no line before the rule", changed(second + 54, [UInt8(ascii: "U")])),
    ])
    func `a malformed file is refused`(_ what: String, _ file: Bytes) throws {
        _ = try TimeZoneRules(parsing: Self.file(rule: "UTC0"))
        #expect(throws: WireError.self, "\(what)") { try TimeZoneRules(parsing: file) }
    }

    @Test func `a file that is too long is refused before it is read`() {
        let file = Self.file(rule: "UTC0") + Bytes(repeating: 0, count: TimeZoneRules.fileMax)
        #expect(throws: WireError.invalid("it is longer than a zone may be")) { try TimeZoneRules(parsing: file) }
    }
}
