// AV1 payloads (RTP Payload Format for AV1, §4.4): the aggregation header and the first OBU's header.
//
//      0 1 2 3 4 5 6 7             0 1 2 3 4 5 6 7
//     +-+-+-+-+-+-+-+-+           +-+-+-+-+-+-+-+-+
//     |Z|Y| W |N|-|-|-|           |F| type  |X|S|-|   OBU header; X: |TID|SID|- - -|
//     +-+-+-+-+-+-+-+-+           +-+-+-+-+-+-+-+-+
//
// Elements follow: each with a LEB128 length, but the last of W has none. Only their borders are checked.

package struct AV1Payload: Equatable, Sendable, BitwiseCopyable {
    /// A LEB128 of ours has at most this many bytes: lengths above 2^28 do not occur in a packet, and are refused.
    static let maximumLengthBytes = 4

    private static let sequenceHeader: UInt8 = 1

    /// Z: the first element continues an OBU of the packet before.
    package var continuesOBU = false
    /// Y: the last element goes on in the packet after.
    package var isContinued = false
    /// N: the first packet of a coded video sequence.
    package var startsSequence = false
    package var firstType: UInt8 = 0
    package var temporal: UInt8 = 0
    package var spatial: UInt8 = 0
    package var elements = 0

    /// N, and the sequence header is there: a decoder can start here.
    package var startsKeyframe: Bool { startsSequence && firstType == Self.sequenceHeader }

    package init(parsing payload: RawSpan) throws(WireError) {
        var reader = ByteReader(payload)
        let header = try reader.readUInt8()
        continuesOBU = header & 0x80 != 0
        isContinued = header & 0x40 != 0
        startsSequence = header & 0x08 != 0
        if continuesOBU && startsSequence { throw .invalid("AV1: a sequence that starts within an OBU") }
        let count = Int(header >> 4 & 0x03)
        guard !reader.isAtEnd else { throw .truncated }
        while !reader.isAtEnd {
            elements &+= 1
            if count > 0 && elements > count { throw .invalid("AV1: bytes after the last element") }
            let size = elements == count ? reader.remaining : try Self.readLength(&reader)
            let element = try reader.readSpan(size)
            if elements == 1 && !continuesOBU && size > 0 { try readFirst(element) }
        }
        guard count == 0 || elements == count else { throw .truncated }
    }

    private mutating func readFirst(_ element: RawSpan) throws(WireError) {
        let header = element.byte(0)
        firstType = header >> 3 & 0x0F
        guard header & 0x04 != 0 else { return }
        guard element.byteCount > 1 else { throw .truncated }
        temporal = element.byte(1) >> 5
        spatial = element.byte(1) >> 3 & 0x03
    }

    static func readLength(_ reader: inout ByteReader) throws(WireError) -> Int {
        var value = 0
        for index in 0..<maximumLengthBytes {
            let byte = try reader.readUInt8()
            value |= Int(byte & 0x7F) << (7 &* index)
            if byte & 0x80 == 0 { return value }
        }
        throw .invalid("LEB128: a number that is too long")
    }
}
