// Calls and presence in manual.md's clothes: bare objects.

import Base
import Signaling
import Wire

enum ManualCallPresenter {
    static func reply(_ body: (inout JSONWriter) -> Void) -> Reply {
        var json = JSONWriter(capacity: 512)
        json.object(body)
        return .json(json.bytes)
    }

    // MARK: Relays

    static func configuration(_ configuration: ICEConfiguration, into json: inout JSONWriter) {
        configuration.write(into: &json)
    }

    static let configurationSchema = Schema.named(
        "ICEConfiguration",
        .object([
            .required(
                "ice_servers",
                .array(
                    .object([
                        .required("urls", .array(.text, limit: 256)), .optional("username", .text),
                        .optional("credential", .text),
                    ]), limit: 16), "As RTCPeerConnection takes them"),
            .required("ttl", .count, "Seconds that the credentials are good for"),
            .required("expires_at", .dateTime),
        ]))

    // MARK: Presence

    /// The document knows three words: who is away is there, who is in a call is busy.
    static func presence(_ presence: Presence, of user: UserID, into json: inout JSONWriter) {
        let status =
            switch presence.status {
            case .offline: "offline"
            case .away, .online: "online"
            case .busy, .inCall: "busy"
            }
        json.field("user_id", user)
        json.field("status", status)
        json.field("last_seen", presence.lastSeen)
    }

    static let presenceSchema = Schema.object([
        .required("user_id", .uuid), .required("status", .choice(["online", "offline", "busy"])),
        .required("last_seen", .nullable(.dateTime)),
    ])

    // MARK: Metrics

    /// `null` and absent members were not measured: there are no defaults.
    static func metrics(
        _ call: CallInfo, _ measurements: [UserID: ParticipantMeasurements], into json: inout JSONWriter
    ) {
        let quality = CallQuality(Array(measurements.values))
        json.field("call_id", call.id)
        json.field("status", call.state.rawValue)
        json.field("is_live", !call.state.isOver)
        json.field("started_at", call.startedAt)
        json.field("ended_at", call.endedAt)
        json.field("packet_loss", quality?.lossShare.map { $0 * 100 })
        json.field("jitter_ms", quality?.jitter.map(milliseconds))
        json.field("latency_ms", quality?.roundTrip.map(milliseconds))
        json.field("bitrate", quality?.bitsPerSecond)
        json.field("codecs", quality?.codecs ?? [])
        json.array("participants") { json in
            for participant in call.participants {
                json.object { json in
                    json.field("user_id", participant.user)
                    json.field("state", participant.state.rawValue)
                    guard let measured = measurements[participant.user] else { return json.null("measured") }
                    json.object("measured") { Self.measured(measured, into: &$0) }
                }
            }
        }
    }

    private static func milliseconds(_ duration: Duration) -> Double { duration.inSeconds * 1_000 }

    private static func measured(_ measured: ParticipantMeasurements, into json: inout JSONWriter) {
        json.field("seconds", measured.duration.inSeconds)
        json.field("transport", measured.transport)
        json.field("latency_ms", measured.roundTrip.map(milliseconds))
        json.object("bitrate_adaptation") { json in
            json.field("estimated_bitrate", measured.estimatedBitsPerSecond)
            json.field("wanted_bitrate", measured.wantedBitsPerSecond)
        }
        json.field("audio_opinion", measured.opinion)
        json.field("freezes", measured.freezes.map { Int64(clamping: $0) })
        json.array("streams") { json in
            for stream in measured.streams { json.object { Self.stream(stream, into: &$0) } }
        }
    }

    private static func stream(_ stream: ParticipantMeasurements.Stream, into json: inout JSONWriter) {
        json.field("direction", stream.direction.rawValue)
        json.field("kind", stream.kind)
        json.field("codec", stream.codec)
        json.field("packets", Int64(clamping: stream.packets))
        json.field("bytes", Int64(clamping: stream.bytes))
        json.field("packets_lost", stream.lost)
        json.field("packet_loss", stream.lossShare.map { $0 * 100 })
        json.field("jitter_ms", stream.jitter.map(milliseconds))
        json.field("bitrate", stream.bitsPerSecond)
    }

    private static let streamSchema = Schema.object([
        .required("direction", .choice(["sent", "received"])), .required("kind", .text),
        .required("codec", .nullable(.text)), .required("packets", .count), .required("bytes", .count),
        .required("packets_lost", .nullable(.integer(Int64.min...Int64.max))),
        .required("packet_loss", .nullable(.number), "Percent"), .required("jitter_ms", .nullable(.number)),
        .required("bitrate", .nullable(.count)),
    ])

    private static let measuredSchema = Schema.object([
        .required("seconds", .number), .required("transport", .nullable(.text)),
        .required("latency_ms", .nullable(.number)),
        .required(
            "bitrate_adaptation",
            .object([
                .required("estimated_bitrate", .nullable(.count), "What the network was found to carry"),
                .required("wanted_bitrate", .nullable(.count), "What the streams would take at their best"),
            ])),
        .required("audio_opinion", .nullable(.number), "From 1 to 4.5"), .required("freezes", .nullable(.count)),
        .required("streams", .array(streamSchema, limit: 10_000)),
    ])

    static let metricsSchema = Schema.named(
        "CallMetrics",
        .object([
            .required("call_id", .uuid), .required("status", CallFields.state), .required("is_live", .boolean),
            .required("started_at", .dateTime), .required("ended_at", .nullable(.dateTime)),
            .required("packet_loss", .nullable(.number), "Percent"), .required("jitter_ms", .nullable(.number)),
            .required("latency_ms", .nullable(.number)), .required("bitrate", .nullable(.count)),
            .required("codecs", .array(.text, limit: 64)),
            .required(
                "participants",
                .array(
                    .object([
                        .required("user_id", .uuid),
                        .required("state", .choice(CallParticipant.State.allCases.map(\.rawValue))),
                        .required("measured", .nullable(measuredSchema)),
                    ]), limit: CallFields.participantsMax)),
        ]))
}
