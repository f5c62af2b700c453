// What goes between an export and the worker of a track. docs/formats/exports.md has the fields.
//
// The export reads replies as it reads what comes from the network: the worker may have been taken over by the media
// that it was reading. The worker believes its requests as little.

import Base
import Wire

enum ExportRequest: Equatable {
    case job(TrackJob)
    case packet(TimedPacket)
    case finish

    static let headCount = 5
    /// A job with all its parameter sets; a packet takes less.
    static let bodyMax = 1 << 18

    private enum Kind {
        static let job: UInt8 = 1
        static let packet: UInt8 = 2
        static let finish: UInt8 = 3
    }

    func write(to bytes: inout Bytes) {
        let start = bytes.count
        bytes.append(bigEndian: UInt32(0))
        switch self {
        case .job(let job):
            bytes.append(Kind.job)
            bytes.append(job.track.codec.rawValue)
            bytes.append(bigEndian: job.track.uid)
            bytes.append(bigEndian: UInt64(bitPattern: job.track.date.microsecondsSinceEpoch))
            Self.append(Bytes(job.track.name.utf8.prefix(MuxedTrack.nameBytesMax)), to: &bytes)
            let sets = job.parameterSets.filter { $0.count <= ParameterSets.bytesMax }.prefix(ParameterSets.countMax)
            bytes.append(UInt8(sets.count))
            for set in sets { Self.append(set, to: &bytes) }
        case .packet(let packet):
            bytes.append(Kind.packet)
            bytes.append(bigEndian: packet.stream)
            bytes.append(bigEndian: packet.sequence)
            bytes.append(bigEndian: packet.timestamp)
            bytes.append(packet.marker ? 1 : 0)
            bytes.append(bigEndian: UInt64(bitPattern: packet.arrival))
            bytes.append(bigEndian: UInt64(bitPattern: packet.time))
            bytes += packet.payload
        case .finish: bytes.append(Kind.finish)
        }
        let count = UInt32(truncatingIfNeeded: bytes.count - start - Self.headCount)
        for index in 0..<4 { bytes[start + index] = UInt8(truncatingIfNeeded: count >> UInt32(24 - 8 * index)) }
    }

    private static func append(_ part: Bytes, to bytes: inout Bytes) {
        bytes.append(bigEndian: UInt16(truncatingIfNeeded: part.count))
        bytes += part
    }

    /// What stands at `offset`, which moves behind it; `nil` while it is not whole.
    static func read(_ bytes: Bytes, at offset: inout Int) throws(WireError) -> ExportRequest? {
        guard bytes.count - offset >= headCount else { return nil }
        var head = ByteReader(bytes.span.bytes.extracting(offset..<(offset + headCount)))
        let count = Int(try head.readUInt32())
        let kind = try head.readUInt8()
        guard count <= bodyMax else { throw .invalid("a request is too long") }
        guard bytes.count - offset - headCount >= count else { return nil }
        let start = offset + headCount
        var body = ByteReader(bytes.span.bytes.extracting(start..<(start + count)))
        offset = start + count
        switch kind {
        case Kind.job: return .job(try readJob(&body))
        case Kind.packet: return .packet(try readPacket(&body))
        case Kind.finish: return .finish
        default: throw .invalid("a request is of no known kind")
        }
    }

    private static func readJob(_ body: inout ByteReader) throws(WireError) -> TrackJob {
        guard let codec = RecordedCodec(rawValue: try body.readUInt8()) else { throw .invalid("no such codec") }
        let uid = try body.readUInt64()
        let date = Timestamp(microsecondsSinceEpoch: Int64(bitPattern: try body.readUInt64()))
        let name = String(decoding: try readPart(&body), as: UTF8.self)
        var sets: [Bytes] = []
        for _ in 0..<(try body.readUInt8()) { sets.append(try readPart(&body)) }
        return TrackJob(track: MuxedTrack(codec: codec, uid: uid, name: name, date: date), parameterSets: sets)
    }

    private static func readPart(_ body: inout ByteReader) throws(WireError) -> Bytes {
        let span = try body.readSpan(Int(try body.readUInt16()))
        return span.withUnsafeBytes { Bytes($0) }
    }

    private static func readPacket(_ body: inout ByteReader) throws(WireError) -> TimedPacket {
        let stream = try body.readUInt16()
        let sequence = try body.readUInt64()
        let timestamp = try body.readUInt32()
        let marker = try body.readUInt8() != 0
        let arrival = Int64(bitPattern: try body.readUInt64())
        let time = Int64(bitPattern: try body.readUInt64())
        let payload = try body.readSpan(body.remaining).withUnsafeBytes { Bytes($0) }
        return TimedPacket(
            stream: stream, sequence: sequence, timestamp: timestamp, marker: marker, arrival: arrival, time: time,
            payload: payload)
    }
}

/// Always of one length.
struct ExportReply: Equatable {
    enum Outcome: UInt8 {
        /// The sandbox is closed.
        case ready = 1
        case done = 2
        /// No frame could be made of the packets: the file is empty.
        case nothing = 3
        /// The kernel refused the sandbox; `detail` is errno.
        case noSandbox = 4
        /// The file could not be written; `detail` is errno.
        case unwritable = 5
        /// A request was none.
        case badRequest = 6
    }

    static let count = 120
    static let magic: UInt32 = 0x5058_4558

    var outcome: Outcome
    var detail: Int32 = 0
    var summary = TrackSummary()

    init(_ outcome: Outcome, detail: Int32 = 0, summary: TrackSummary = TrackSummary()) {
        self.outcome = outcome
        self.detail = detail
        self.summary = summary
    }

    var bytes: Bytes {
        var bytes: Bytes = []
        bytes.append(bigEndian: Self.magic)
        bytes += [outcome.rawValue, 0, 0, 0]
        bytes.append(bigEndian: UInt32(bitPattern: detail))
        bytes.append(bigEndian: UInt32(0))
        for value in numbers { bytes.append(bigEndian: value) }
        return bytes
    }

    private var numbers: [UInt64] {
        let counts = summary.counts
        return [
            UInt64(counts.packets), UInt64(counts.duplicates), counts.missingPackets, UInt64(counts.frames),
            UInt64(counts.keyframes), UInt64(counts.droppedFrames), summary.bytes, UInt64(max(0, summary.start)),
            UInt64(max(0, summary.durationMilliseconds)), UInt64(summary.width), UInt64(summary.height),
            UInt64(max(0, summary.concealedSamples)), UInt64(summary.overlappingPackets),
        ]
    }

    /// `nil` for what no worker of ours writes.
    init?(_ bytes: Bytes) {
        guard bytes.count == Self.count, let reply = try? Self.read(bytes) else { return nil }
        self = reply
    }

    private static func read(_ bytes: Bytes) throws(WireError) -> ExportReply {
        var reader = ByteReader(bytes.span.bytes)
        guard try reader.readUInt32() == magic, let outcome = Outcome(rawValue: try reader.readUInt8()) else {
            throw .invalid("not a reply")
        }
        try reader.skip(3)
        var reply = ExportReply(outcome, detail: Int32(bitPattern: try reader.readUInt32()))
        try reader.skip(4)
        var numbers: [Int64] = []
        while !reader.isAtEnd {
            // Nothing that is counted or timed comes near; sums of them do not overflow.
            let number = try reader.readUInt64()
            guard number < 1 << 56 else { throw .invalid("a number that is too large") }
            numbers.append(Int64(number))
        }
        guard numbers.count == 13 else { throw .truncated }
        reply.summary.counts.packets = Int(numbers[0])
        reply.summary.counts.duplicates = Int(numbers[1])
        reply.summary.counts.missingPackets = UInt64(numbers[2])
        reply.summary.counts.frames = Int(numbers[3])
        reply.summary.counts.keyframes = Int(numbers[4])
        reply.summary.counts.droppedFrames = Int(numbers[5])
        reply.summary.bytes = UInt64(numbers[6])
        reply.summary.start = numbers[7]
        reply.summary.durationMilliseconds = numbers[8]
        reply.summary.width = Int(numbers[9])
        reply.summary.height = Int(numbers[10])
        reply.summary.concealedSamples = numbers[11]
        reply.summary.overlappingPackets = Int(numbers[12])
        return reply
    }
}
