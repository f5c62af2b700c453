// Reads TZif (RFC 9636), versions 1 to 4: the files of /usr/share/zoneinfo.
//
//     header  block with times of 32 bits  header  block with times of 64 bits  \n rule \n
//     ------ version 1 ends here ------
//
//     header  "TZif" version 15 zeros, counts of 4 bytes: isut isstd leap time type char
//     block   times, type of each (1 byte), types (offset 4, daylight 1, name 1), names, leap seconds, isstd, isut
//
// Names and the two lists of flags are passed over: nothing here shows the one, and the others are for who has no rule.

package import Base

extension TimeZoneRules {
    /// The largest file of a collection has 4 KiB.
    package static let fileMax = 65_536
    /// Zones change twice a year at most, as a rule; the longest list has some 240.
    private static let changesMax = 2_000
    private static let typesMax = 256
    /// RFC 9636 §3.2: what an offset may be.
    private static let offsets: ClosedRange<Int64> = -89_999...93_599
    /// Before it there was no time; zic writes it where it has to write something.
    private static let bigBang: Int64 = -1 << 59

    package init(parsing bytes: Bytes) throws(WireError) {
        guard bytes.count <= Self.fileMax else { throw .invalid("it is longer than a zone may be") }
        let span = bytes.span
        var reader = unsafe ByteReader(span.bytes)
        let first = try Header(parsing: &reader)
        guard first.version > 1 else {
            let (initially, changes) = try Self.block(first, &reader, isWide: false)
            guard reader.isAtEnd else { throw .invalid("it goes on where it should end") }
            self.init(initially: initially, changes: changes, afterwards: nil)
            return
        }
        try reader.skip(first.length(isWide: false))
        let second = try Header(parsing: &reader)
        guard second.version == first.version else { throw .invalid("its two headers are of different versions") }
        let (initially, changes) = try Self.block(second, &reader, isWide: true)
        self.init(initially: initially, changes: changes, afterwards: try Self.rule(&reader))
    }

    private struct Header {
        static let magic: UInt32 = 0x545A_6966  // "TZif"
        private static let reserved = 15

        let version: Int
        let isUTCount: Int
        let isStandardCount: Int
        let leapCount: Int
        let timeCount: Int
        let typeCount: Int
        let nameBytes: Int

        init(parsing reader: inout ByteReader) throws(WireError) {
            guard try reader.readUInt32() == Self.magic else { throw .invalid("it is no file of a time zone") }
            switch try reader.readUInt8() {
            case 0: version = 1
            case UInt8(ascii: "2"): version = 2
            case UInt8(ascii: "3"): version = 3
            case UInt8(ascii: "4"): version = 4
            default: throw .invalid("it is of no known version")
            }
            try reader.skip(Self.reserved)
            isUTCount = Int(try reader.readUInt32())
            isStandardCount = Int(try reader.readUInt32())
            leapCount = Int(try reader.readUInt32())
            timeCount = Int(try reader.readUInt32())
            typeCount = Int(try reader.readUInt32())
            nameBytes = Int(try reader.readUInt32())
        }

        /// Counts of 32 bits each: the sum is far from what an Int holds.
        func length(isWide: Bool) -> Int {
            let time = isWide ? 8 : 4
            return timeCount * (time + 1) + typeCount * 6 + nameBytes + leapCount * (time + 4) + isStandardCount
                + isUTCount
        }

        func check() throws(WireError) {
            guard leapCount == 0 else { throw .invalid("it counts leap seconds, which clocks here do not") }
            guard (1...typesMax).contains(typeCount), nameBytes > 0, timeCount <= changesMax,
                [0, typeCount].contains(isStandardCount), [0, typeCount].contains(isUTCount)
            else { throw .invalid("its counts are not those of a zone") }
        }
    }

    private static func block(
        _ header: Header, _ reader: inout ByteReader, isWide: Bool
    ) throws(WireError) -> (initially: LocalTime, changes: [Change]) {
        try header.check()
        var times: [Int64] = []
        times.reserveCapacity(min(header.timeCount, reader.remaining))
        for _ in 0..<header.timeCount {
            let time =
                isWide
                ? Int64(bitPattern: try reader.readUInt64()) : Int64(Int32(bitPattern: try reader.readUInt32()))
            guard time >= bigBang, time <= -bigBang, times.last.map({ $0 < time }) ?? true else {
                throw .invalid("its times do not ascend")
            }
            times.append(time)
        }
        var numbers: [Int] = []
        for _ in 0..<header.timeCount { numbers.append(Int(try reader.readUInt8())) }
        var types: [LocalTime] = []
        for _ in 0..<header.typeCount { types.append(try localTime(&reader, header)) }
        try reader.skip(header.nameBytes)
        try reader.skip(header.isStandardCount + header.isUTCount)
        var changes: [Change] = []
        for (time, number) in zip(times, numbers) {
            guard number < types.count else { throw .invalid("a change is to a kind of time that it does not have") }
            changes.append(Change(time: time, to: types[number]))
        }
        return (types[0], changes)
    }

    private static func localTime(
        _ reader: inout ByteReader, _ header: Header
    ) throws(WireError) -> LocalTime {
        let offset = Int64(Int32(bitPattern: try reader.readUInt32()))
        let flag = try reader.readUInt8()
        guard offsets.contains(offset), flag <= 1, Int(try reader.readUInt8()) < header.nameBytes else {
            throw .invalid("a kind of time is not such")
        }
        return LocalTime(offset: offset, isDaylightSaving: flag == 1)
    }

    /// `nil` where there is none: what held last then holds for ever.
    private static func rule(_ reader: inout ByteReader) throws(WireError) -> DaylightRule? {
        let newline = UInt8(ascii: "\n")
        guard try reader.readUInt8() == newline else { throw .invalid("its rule does not begin with a line") }
        var text: Bytes = []
        while true {
            let byte = try reader.readUInt8()
            if byte == newline { break }
            text.append(byte)
        }
        guard reader.isAtEnd else { throw .invalid("it goes on where it should end") }
        return text.isEmpty ? nil : try DaylightRule(parsing: text)
    }
}
