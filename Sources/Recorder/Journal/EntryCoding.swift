// Entries in bytes: docs/formats/journal.md, "Entry".

import Base
import Wire

enum EntryKind: UInt8 {
    case began = 1
    case participant, consent, trackBegan, packet, senderReport, gap, orientation, paused, speaker, trackEnded
    case participantLeft, ended
}

/// Appends entries of one segment to bytes.
struct EntryEncoder: Sendable {
    /// An entry's kind and length.
    static let headCount = 3
    /// At least what an entry takes beside descriptor and payload, with the longest numbers.
    static let packetOverhead = 48

    private var last: RecordingTime

    init(from time: RecordingTime) { last = time }

    /// One of thousands a second: nothing is made for it.
    mutating func append(
        _ head: JournalPacketHead, _ descriptor: RawSpan, _ payload: RawSpan, at time: RecordingTime,
        to bytes: inout Bytes
    ) {
        let start = begin(.packet, time, &bytes)
        bytes.append(varint: UInt64(head.track.value))
        bytes.append(varint: UInt64(head.stream))
        let layers = head.layers
        let hasLevel = head.audioLevel < 128
        var flags = head.flags.rawValue & PacketField.known
        if layers != 0 { flags |= PacketField.layers }
        if hasLevel { flags |= PacketField.level }
        if !descriptor.isEmpty { flags |= PacketField.descriptor }
        bytes.append(flags)
        bytes.append((head.marker ? 0x80 : 0) | head.payloadType & 0x7F)
        bytes.append(varint: head.sequence)
        bytes.append(bigEndian: head.timestamp)
        if layers != 0 { bytes.append(layers) }
        if hasLevel { bytes.append(head.audioLevel) }
        if !descriptor.isEmpty {
            bytes.append(UInt8(descriptor.byteCount))
            descriptor.withUnsafeBytes { bytes.append(contentsOf: $0) }
        }
        payload.withUnsafeBytes { bytes.append(contentsOf: $0) }
        finish(start, &bytes)
    }

    mutating func append(_ entry: JournalEntry, to bytes: inout Bytes) {
        if case .packet(let packet) = entry.content {
            let (descriptor, payload) = (packet.descriptor, packet.payload)
            return append(packet.head, descriptor.span.bytes, payload.span.bytes, at: entry.time, to: &bytes)
        }
        let start = begin(entry.content.kind, entry.time, &bytes)
        entry.content.writeFields(to: &bytes)
        finish(start, &bytes)
    }

    private mutating func begin(_ kind: EntryKind, _ time: RecordingTime, _ bytes: inout Bytes) -> Int {
        let start = bytes.count
        bytes.append(kind.rawValue)
        bytes.append(bigEndian: UInt16(0))
        let time = min(max(time, .zero), .most)
        bytes.append(varint: ZigZag.encode(time.microseconds &- last.microseconds))
        last = time
        return start
    }

    private func finish(_ start: Int, _ bytes: inout Bytes) {
        bytes.overwrite(bigEndian: UInt16(bytes.count - start - Self.headCount), at: start + 1)
    }
}

/// Reads the entries of one segment.
struct EntryDecoder {
    private var last: RecordingTime

    init(from time: RecordingTime) { last = time }

    mutating func next(_ reader: inout ByteReader) throws(WireError) -> JournalEntry {
        guard let kind = EntryKind(rawValue: try reader.readUInt8()) else {
            throw .invalid("an entry is of no known kind")
        }
        let count = Int(try reader.readUInt16())
        var body = ByteReader(try reader.readSpan(count))
        let difference = ZigZag.decode(try body.readVarint())
        let (microseconds, overflows) = last.microseconds.addingReportingOverflow(difference)
        guard !overflows, (0...RecordingTime.most.microseconds).contains(microseconds) else {
            throw .invalid("an entry's time is not such")
        }
        let time = RecordingTime(microseconds: microseconds)
        let content = try JournalEntry.Content(kind, parsing: &body)
        guard body.isAtEnd else { throw .invalid("bytes follow an entry's end") }
        last = time
        return JournalEntry(at: time, content)
    }
}

enum ZigZag {
    static func encode(_ value: Int64) -> UInt64 { UInt64(bitPattern: value << 1 ^ value >> 63) }
    static func decode(_ value: UInt64) -> Int64 { Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1) }
}

extension Bytes {
    mutating func append(varint value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        append(UInt8(truncatingIfNeeded: rest))
    }

    mutating func append(id: UUID) {
        append(bigEndian: id.high)
        append(bigEndian: id.low)
    }

    mutating func append(time: Timestamp) { append(bigEndian: UInt64(bitPattern: time.microsecondsSinceEpoch)) }

    /// A length of one byte, and the text.
    mutating func append(shortText text: String) {
        let bytes = Bytes(text.utf8.prefix(255))
        append(UInt8(bytes.count))
        self += bytes
    }

    /// A length of two bytes, and the bytes.
    mutating func append(long bytes: Bytes) {
        append(bigEndian: UInt16(bytes.count))
        self += bytes
    }
}

extension ByteReader {
    /// The shortest form, and nothing else: what is read is written as it was.
    @_lifetime(self: copy self)
    mutating func readVarint() throws(WireError) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 70, by: 7) {
            let byte = try readUInt8()
            guard shift < 63 || byte <= 1 else { throw .invalid("a number has more than 64 bits") }
            value |= UInt64(byte & 0x7F) << shift
            if byte & 0x80 == 0 {
                guard byte != 0 || shift == 0 else { throw .invalid("a number is not in its shortest form") }
                return value
            }
        }
        throw .invalid("a number has more than 64 bits")
    }

    @_lifetime(self: copy self)
    mutating func readID() throws(WireError) -> UUID { UUID(high: try readUInt64(), low: try readUInt64()) }

    /// 1970 to 2200: arithmetic with what lies between does not overflow.
    @_lifetime(self: copy self)
    mutating func readTime() throws(WireError) -> Timestamp {
        let time = Int64(bitPattern: try readUInt64())
        guard (0...7_258_118_400_000_000).contains(time) else { throw .invalid("a time is before 1970 or after 2200") }
        return Timestamp(microsecondsSinceEpoch: time)
    }

    @_lifetime(self: copy self)
    mutating func readRecordingTime() throws(WireError) -> RecordingTime {
        let time = try readUInt64()
        guard time <= UInt64(RecordingTime.most.microseconds) else { throw .invalid("a recording is too long") }
        return RecordingTime(microseconds: Int64(time))
    }

    @_lifetime(self: copy self)
    mutating func readBytes(_ count: Int) throws(WireError) -> Bytes {
        let span = try readSpan(count)
        return span.withUnsafeBytes { Bytes($0) }
    }

    @_lifetime(self: copy self)
    mutating func readText(_ count: Int, most: Int) throws(WireError) -> String {
        guard count <= most else { throw .invalid("a text is too long") }
        guard let text = String(validating: try readBytes(count), as: UTF8.self) else {
            throw .invalid("a text is not UTF-8")
        }
        return text
    }

    @_lifetime(self: copy self)
    mutating func readTrack() throws(WireError) -> TrackNumber {
        let number = try readVarint()
        guard (1...UInt64(JournalLimits.tracks)).contains(number) else { throw .invalid("there is no such track") }
        return TrackNumber(UInt16(number))
    }

    @_lifetime(self: copy self)
    mutating func readStream() throws(WireError) -> UInt16 {
        guard let stream = UInt16(exactly: try readVarint()) else { throw .invalid("there is no such stream") }
        return stream
    }
}
