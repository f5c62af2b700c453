// The fields of each kind of entry: docs/formats/journal.md, the table under "Entry".

import Base
import Wire

extension JournalEntry.Content {
    var kind: EntryKind {
        switch self {
        case .began: .began
        case .participant: .participant
        case .consent: .consent
        case .trackBegan: .trackBegan
        case .packet: .packet
        case .senderReport: .senderReport
        case .gap: .gap
        case .orientation: .orientation
        case .paused: .paused
        case .speaker: .speaker
        case .trackEnded: .trackEnded
        case .participantLeft: .participantLeft
        case .ended: .ended
        }
    }

    /// All but those of a packet, which `EntryEncoder` writes without making a value.
    func writeFields(to bytes: inout Bytes) {
        switch self {
        case .began(let beginning): beginning.write(to: &bytes)
        case .participant(let participant):
            bytes.append(id: participant.id)
            bytes.append(shortText: participant.name)
        case .consent(let consent): consent.write(to: &bytes)
        case .trackBegan(let track): track.write(to: &bytes)
        case .packet: preconditionFailure("a packet's fields are written by the encoder")
        case .senderReport(let report): report.write(to: &bytes)
        case .gap(let gap): gap.write(to: &bytes)
        case .orientation(let track, let orientation):
            bytes.append(varint: UInt64(track.value))
            bytes.append(orientation)
        case .paused(let track, let isPaused):
            bytes.append(varint: UInt64(track.value))
            bytes.append(isPaused ? 1 : 0)
        case .speaker(let participant): bytes.append(id: participant ?? .zeros)
        case .trackEnded(let track, let reason):
            bytes.append(varint: UInt64(track.value))
            bytes.append(reason.rawValue)
        case .participantLeft(let participant): bytes.append(id: participant)
        case .ended(let reason): bytes.append(reason.rawValue)
        }
    }

    init(_ kind: EntryKind, parsing reader: inout ByteReader) throws(WireError) {
        switch kind {
        case .packet: self = .packet(try JournalPacket(parsing: &reader))
        case .senderReport: self = .senderReport(try JournalSenderReport(parsing: &reader))
        case .began: self = .began(try JournalBeginning(parsing: &reader))
        case .participant:
            let id = try reader.readID()
            let name = try reader.readText(Int(try reader.readUInt8()), most: JournalLimits.name)
            self = .participant(JournalParticipant(id: id, name: name))
        case .consent: self = .consent(try JournalConsent(parsing: &reader))
        case .trackBegan: self = .trackBegan(try JournalTrack(parsing: &reader))
        case .gap: self = .gap(try JournalGap(parsing: &reader))
        case .orientation:
            let track = try reader.readTrack()
            let orientation = try reader.readUInt8()
            guard orientation < 16 else { throw .invalid("an orientation is not such") }
            self = .orientation(track, orientation)
        case .paused: self = .paused(try reader.readTrack(), try reader.readFlag())
        case .speaker:
            let participant = try reader.readID()
            self = .speaker(participant == .zeros ? nil : participant)
        case .trackEnded:
            self = .trackEnded(try reader.readTrack(), try reader.readCase("a track ends for no known reason"))
        case .participantLeft: self = .participantLeft(try reader.readID())
        case .ended: self = .ended(try reader.readCase("a recording ends for no known reason"))
        }
    }
}

extension UUID {
    static let zeros = UUID(high: 0, low: 0)
}

extension ByteReader {
    @_lifetime(self: copy self)
    mutating func readCase<Value: RawRepresentable<UInt8>>(_ what: StaticString) throws(WireError) -> Value {
        guard let value = Value(rawValue: try readUInt8()) else { throw .invalid(what) }
        return value
    }

    @_lifetime(self: copy self)
    mutating func readFlag() throws(WireError) -> Bool {
        switch try readUInt8() {
        case 0: false
        case 1: true
        default: throw .invalid("a flag is neither 0 nor 1")
        }
    }
}

extension JournalBeginning {
    fileprivate func write(to bytes: inout Bytes) {
        bytes.append(id: call)
        bytes.append(time: started)
        bytes.append(bigEndian: instant.nanoseconds)
        bytes.append(policy.rawValue)
        bytes.append(shortText: version)
    }

    fileprivate init(parsing reader: inout ByteReader) throws(WireError) {
        call = try reader.readID()
        started = try reader.readTime()
        instant = Instant(nanoseconds: try reader.readUInt64())
        policy = try reader.readCase("there is no such policy")
        version = try reader.readText(Int(try reader.readUInt8()), most: JournalLimits.version)
    }
}

extension JournalConsent {
    func write(to bytes: inout Bytes) {
        bytes.append(id: participant)
        bytes.append(decision.rawValue)
        bytes.append(means.rawValue)
        bytes.append(id: by)
        bytes.append(time: at)
    }

    init(parsing reader: inout ByteReader) throws(WireError) {
        participant = try reader.readID()
        decision = try reader.readCase("there is no such decision")
        means = try reader.readCase("there are no such means")
        by = try reader.readID()
        at = try reader.readTime()
    }
}

extension JournalTrack {
    fileprivate func write(to bytes: inout Bytes) {
        bytes.append(varint: UInt64(number.value))
        bytes.append(id: participant)
        bytes.append(id: session)
        bytes.append(medium.rawValue)
        bytes.append(source.rawValue)
        for text in [section, stream, name] { bytes.append(shortText: text) }
        switch protection {
        case .none:
            bytes.append(0)
            bytes.append(long: [])
        case .sframe(let descriptor):
            bytes.append(1)
            bytes.append(long: descriptor)
        }
        bytes.append(UInt8(codecs.count))
        for codec in codecs { codec.write(to: &bytes) }
    }

    fileprivate init(parsing reader: inout ByteReader) throws(WireError) {
        number = try reader.readTrack()
        participant = try reader.readID()
        session = try reader.readID()
        medium = try reader.readCase("there is no such medium")
        source = try reader.readCase("there is no such source")
        section = try reader.readText(Int(try reader.readUInt8()), most: JournalLimits.name)
        stream = try reader.readText(Int(try reader.readUInt8()), most: JournalLimits.name)
        name = try reader.readText(Int(try reader.readUInt8()), most: JournalLimits.name)
        protection = try Protection(parsing: &reader)
        let count = Int(try reader.readUInt8())
        guard count <= JournalLimits.codecs else { throw .invalid("a track has too many codecs") }
        var codecs: [JournalCodec] = []
        for _ in 0..<count { codecs.append(try JournalCodec(parsing: &reader)) }
        self.codecs = codecs
    }
}

extension JournalTrack.Protection {
    fileprivate init(parsing reader: inout ByteReader) throws(WireError) {
        let kind = try reader.readUInt8()
        let count = Int(try reader.readUInt16())
        guard count <= JournalLimits.descriptor else { throw .invalid("a descriptor is too long") }
        let descriptor = try reader.readBytes(count)
        switch kind {
        case 0 where descriptor.isEmpty: self = .none
        case 1: self = .sframe(descriptor: descriptor)
        default: throw .invalid("there is no such protection")
        }
    }
}

extension JournalCodec {
    fileprivate func write(to bytes: inout Bytes) {
        bytes.append(payloadType)
        bytes.append(bigEndian: clockRate)
        bytes.append(channels)
        bytes.append(shortText: name)
        bytes.append(long: Bytes(parameters.utf8))
    }

    fileprivate init(parsing reader: inout ByteReader) throws(WireError) {
        payloadType = try reader.readUInt8()
        clockRate = try reader.readUInt32()
        guard payloadType < 0x80, clockRate > 0 else { throw .invalid("a codec's payload type or clock is not such") }
        channels = try reader.readUInt8()
        name = try reader.readText(Int(try reader.readUInt8()), most: JournalLimits.codecName)
        parameters = try reader.readText(Int(try reader.readUInt16()), most: JournalLimits.codecParameters)
    }
}

/// Which fields of a packet are there.
enum PacketField {
    static let layers: UInt8 = 32
    static let level: UInt8 = 64
    static let descriptor: UInt8 = 128
    static let known: UInt8 = 31
}

extension JournalPacketHead {
    /// What `layers` holds: 2 bits of simulcast, 3 spatial, 3 temporal.
    var layers: UInt8 { (layer & 3) << 6 | (spatial & 7) << 3 | temporal & 7 }
}

extension JournalPacket {
    fileprivate init(parsing reader: inout ByteReader) throws(WireError) {
        let (track, stream) = (try reader.readTrack(), try reader.readStream())
        let flags = try reader.readUInt8()
        let kind = try reader.readUInt8()
        head = JournalPacketHead(
            track: track, stream: stream, payloadType: kind & 0x7F, marker: kind & 0x80 != 0,
            flags: .init(rawValue: flags & PacketField.known), sequence: try reader.readVarint(),
            timestamp: try reader.readUInt32())
        if flags & PacketField.layers != 0 {
            let layers = try reader.readUInt8()
            guard layers != 0 else { throw .invalid("layers that are 0 are not written") }
            (head.layer, head.spatial, head.temporal) = (layers >> 6, layers >> 3 & 7, layers & 7)
        }
        if flags & PacketField.level != 0 {
            head.audioLevel = try reader.readUInt8()
            guard head.audioLevel < 128 else { throw .invalid("an audio level is not such") }
        }
        descriptor = []
        if flags & PacketField.descriptor != 0 {
            descriptor = try reader.readBytes(Int(try reader.readUInt8()))
            guard !descriptor.isEmpty else { throw .invalid("a descriptor that is empty is not written") }
        }
        guard reader.remaining <= JournalLimits.payload else { throw .invalid("a payload is too long") }
        payload = try reader.readBytes(reader.remaining)
    }
}

extension JournalSenderReport {
    fileprivate func write(to bytes: inout Bytes) {
        bytes.append(varint: UInt64(track.value))
        bytes.append(varint: UInt64(stream))
        bytes.append(bigEndian: ntp)
        bytes.append(bigEndian: timestamp)
    }

    fileprivate init(parsing reader: inout ByteReader) throws(WireError) {
        (track, stream) = (try reader.readTrack(), try reader.readStream())
        (ntp, timestamp) = (try reader.readUInt64(), try reader.readUInt32())
    }
}

extension JournalGap {
    fileprivate func write(to bytes: inout Bytes) {
        bytes.append(varint: UInt64(track?.value ?? 0))
        bytes.append(reason.rawValue)
        bytes.append(varint: count)
        bytes.append(bigEndian: UInt64(bitPattern: since.microseconds))
    }

    fileprivate init(parsing reader: inout ByteReader) throws(WireError) {
        let number = try reader.readVarint()
        guard number <= UInt64(JournalLimits.tracks) else { throw .invalid("there is no such track") }
        track = number == 0 ? nil : TrackNumber(UInt16(number))
        reason = try reader.readCase("there is no such reason of a gap")
        count = try reader.readVarint()
        since = try reader.readRecordingTime()
    }
}
