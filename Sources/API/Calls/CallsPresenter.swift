// Values in calls.md's clothes: bare objects, `{data, count}` for lists.

import Accounts
import Base
import Signaling
import Wire

enum CallsPresenter {
    static func reply(_ body: (inout JSONWriter) -> Void) -> Reply {
        var json = JSONWriter(capacity: 512)
        json.object(body)
        return .json(json.bytes)
    }

    /// What somebody gets who begins or joins a call, around what the document shows.
    static func token(_ admission: CallAdmission, into json: inout JSONWriter) {
        json.field("signaling_url", CallFields.signalingURL(admission.call))
        json.field("signaling_token", admission.token.exposedText)
        json.field("signaling_token_expires_at", admission.tokenExpiresAt)
    }

    static let tokenProperties: [Property] = [
        .required("signaling_url", .text),
        .required(
            "signaling_token", .text, "For the socket's `?token=`: good for this call and this login, and soon over"),
        .required("signaling_token_expires_at", .dateTime),
    ]

    static func call(_ call: CallInfo, into json: inout JSONWriter) {
        json.field("id", call.id)
        json.field("caller_id", call.caller)
        json.field("participants", call.participants.map(\.user.description))
        json.field("type", call.kind.rawValue)
        json.field("status", call.state.rawValue)
        json.field("started_at", call.startedAt)
        json.field("ended_at", call.endedAt)
    }

    static let callSchema = Schema.named(
        "Call",
        .object([
            .required("id", .uuid), .required("caller_id", .uuid), .required("participants", CallFields.people),
            .required("type", CallFields.kind), .required("status", CallFields.state),
            .required("started_at", .dateTime), .required("ended_at", .nullable(.dateTime)),
        ]))

    /// `callee_id` is the reader where they were called, else the first who was.
    static func log(_ call: CallInfo, for reader: UserID, into json: inout JSONWriter) {
        let callee = call.caller == reader ? call.participants.dropFirst().first?.user : reader
        json.field("id", call.id)
        json.field("conversation_id", call.conversation)
        json.field("caller_id", call.caller)
        json.field("callee_id", callee)
        json.field("call_type", call.kind.rawValue)
        json.field("status", call.state.rawValue)
        json.field("started_at", call.startedAt)
        json.field("ended_at", call.endedAt)
        json.field("duration", call.duration.map { Int($0.inSeconds) })
        guard let quality = CallQuality(call.measurements) else { return json.null("call_metadata") }
        json.object("call_metadata") { metadata(quality, into: &$0) }
    }

    /// Only what was measured.
    private static func metadata(_ quality: CallQuality, into json: inout JSONWriter) {
        if let grade = quality.grade { json.field("quality", grade.rawValue) }
        if let transport = quality.transport { json.field("connection_type", transport) }
        if let rate = quality.bitsPerSecond {
            let tenths = (rate + 50_000) / 100_000
            json.field("bandwidth_avg", "\(tenths / 10).\(tenths % 10)mbps")
        }
        if let loss = quality.lossShare { json.field("packet_loss", loss * 100) }
        if let trip = quality.roundTrip { json.field("latency_avg", trip.inSeconds * 1_000) }
    }

    static let logSchema = Schema.named(
        "CallLog",
        .object([
            .required("id", .uuid), .required("conversation_id", .nullable(.uuid)), .required("caller_id", .uuid),
            .required("callee_id", .nullable(.uuid)), .required("call_type", CallFields.kind),
            .required("status", CallFields.state), .required("started_at", .dateTime),
            .required("ended_at", .nullable(.dateTime)),
            .required("duration", .nullable(.count), "Seconds from the answer to the end; null where nobody answered"),
            .required(
                "call_metadata",
                .nullable(
                    .object([
                        .optional("quality", .choice(CallQuality.Grade.allCases.map(\.rawValue))),
                        .optional("connection_type", .text, "How packets travelled: udp, tcp or mixed"),
                        .optional("bandwidth_avg", .text), .optional("packet_loss", .number, "Percent"),
                        .optional("latency_avg", .number, "Round trip in milliseconds"),
                    ])), "What was measured; null where nothing was"),
        ]))
}
