// The stored form of measurements: one JSON object, whose members are only ever added to. What was not measured is absent.

import Base
import Wire

extension ParticipantMeasurements {
    var json: String {
        var writer = JSONWriter(capacity: 512)
        writer.object { json in
            json.field("duration_us", duration.microseconds)
            json.measured("transport", transport)
            json.measured("round_trip_us", roundTrip?.microseconds)
            json.measured("estimated_bps", estimatedBitsPerSecond.map(Int64.init))
            json.measured("wanted_bps", wantedBitsPerSecond.map(Int64.init))
            if let opinion { json.field("opinion", opinion) }
            json.measured("freezes", freezes.map { Int64(clamping: $0) })
            json.array("streams") { json in
                for stream in streams { json.object { stream.write(into: &$0) } }
            }
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    /// `nil` for what this version cannot read: a figure of an old call is not worth a failure.
    init?(json: String) {
        guard let object = (try? JSONValue(parsing: Bytes(json.utf8)))?.objectValue,
            let duration = object["duration_us"]?.integerValue
        else { return nil }
        self.init(
            duration: .microseconds(duration), transport: object["transport"]?.stringValue,
            roundTrip: object["round_trip_us"]?.integerValue.map { .microseconds($0) },
            estimatedBitsPerSecond: object["estimated_bps"]?.integerValue.map { Int(clamping: $0) },
            wantedBitsPerSecond: object["wanted_bps"]?.integerValue.map { Int(clamping: $0) },
            opinion: object["opinion"]?.numberValue,
            freezes: object["freezes"]?.integerValue.map { UInt64(clamping: $0) },
            streams: object["streams"]?.arrayValue?.compactMap { $0.objectValue.flatMap(Stream.init) } ?? [])
    }
}

extension ParticipantMeasurements.Stream {
    fileprivate func write(into json: inout JSONWriter) {
        json.field("direction", direction.rawValue)
        json.field("kind", kind)
        json.measured("codec", codec)
        json.field("packets", Int64(clamping: packets))
        json.field("bytes", Int64(clamping: bytes))
        json.measured("lost", lost)
        if let lossShare { json.field("loss_share", lossShare) }
        json.measured("jitter_us", jitter?.microseconds)
        json.measured("bps", bitsPerSecond.map(Int64.init))
    }

    fileprivate init?(_ object: JSONObject) {
        guard
            let direction = object["direction"]?.stringValue
                .flatMap(ParticipantMeasurements.Direction.init(rawValue:)),
            let kind = object["kind"]?.stringValue, let packets = object["packets"]?.integerValue,
            let bytes = object["bytes"]?.integerValue
        else { return nil }
        self.init(
            direction: direction, kind: kind, codec: object["codec"]?.stringValue, packets: UInt64(clamping: packets),
            bytes: UInt64(clamping: bytes), lost: object["lost"]?.integerValue,
            lossShare: object["loss_share"]?.numberValue,
            jitter: object["jitter_us"]?.integerValue.map { .microseconds($0) },
            bitsPerSecond: object["bps"]?.integerValue.map { Int(clamping: $0) })
    }
}

extension JSONWriter {
    fileprivate mutating func measured(_ name: StaticString, _ value: String?) {
        if let value { field(name, value) }
    }

    fileprivate mutating func measured(_ name: StaticString, _ value: Int64?) {
        if let value { field(name, value) }
    }
}
