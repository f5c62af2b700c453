// A recording as JSON: what people of the call see of it, the same in rows and on sockets, and what its owner sees.

import Base
import Signaling
import Vault
import Wire

extension JSONWriter {
    /// The recording of a call for people of it; `nil` while none is on.
    mutating func recording(_ recording: CallRecording?) {
        field("on", recording?.state == .recording)
        field("state", recording.map(RecordingFields.word) ?? RecordingFields.off)
        field("recording_id", recording?.id)
        field("policy", recording?.policy.rawValue)
        field("started_by", recording?.startedBy)
        field("started_at", recording?.startedAt)
        let isOver = recording?.state.isOver == true
        field("reason", isOver ? recording?.end?.rawValue : nil)
        array("participants") { json in
            for person in recording?.present ?? [] {
                json.object { json in
                    json.field("user_id", person.user)
                    json.field("consent", person.consent.rawValue)
                }
            }
        }
    }
}

enum RecordingFields {
    static let off = "off"

    /// The words of sockets: whether one has ended well is for its owner.
    static func word(_ recording: CallRecording) -> String {
        switch recording.state {
        case .starting, .finished, .interrupted: off
        case .asking, .recording, .paused, .stopping, .failed: recording.state.rawValue
        }
    }

    private static let words: [String] =
        [off] + [.asking, .recording, .paused, .stopping, .failed].map { (state: RecordingState) in state.rawValue }

    static let stateSchema = Schema.named(
        "CallRecordingState",
        .object([
            .required("on", .boolean, "Whether anything is written now"), .required("state", .choice(words)),
            .required("recording_id", .nullable(.uuid)),
            .required("policy", .nullable(.choice(ConsentPolicy.allCases.map(\.rawValue)))),
            .required("started_by", .nullable(.uuid)), .required("started_at", .nullable(.dateTime)),
            .required("reason", .nullable(.choice(RecordingEnd.allCases.map(\.rawValue))), "Why it is over"),
            .required(
                "participants",
                .array(
                    .object([
                        .required("user_id", .uuid),
                        .required("consent", .choice(RecordingConsent.allCases.map(\.rawValue))),
                    ]), limit: CallFields.participantsMax)),
        ]))

    // MARK: For who sees it

    static func write(_ shared: SharedRecording, into json: inout JSONWriter) {
        let recording = shared.recording
        json.field("recording_id", recording.id)
        json.field("call_id", recording.call)
        json.field("started_by", recording.startedBy)
        json.field("state", recording.state.rawValue)
        json.field("end_reason", recording.end?.rawValue)
        json.field("policy", recording.policy.rawValue)
        json.field("started_at", recording.startedAt)
        json.field("ended_at", recording.endedAt)
        json.field("duration", recording.duration.map { Int($0.inSeconds) })
        json.field("size_bytes", recording.bytes)
        json.field("store", recording.store.rawValue)
        json.field("encryption_key_id", "\(KeyNames.recording):\(recording.keyVersion)")
        json.field("legal_hold", recording.isHeld)
        json.field("shared_with", shared.sharedWith.map(\.description))
        json.array("participants") { json in
            for person in recording.people { json.object { write(person, into: &$0) } }
        }
    }

    private static func write(_ person: RecordingPerson, into json: inout JSONWriter) {
        json.field("user_id", person.user)
        json.field("consent", person.consent.rawValue)
        json.field("means", person.means.rawValue)
        json.field("changed_at", person.changedAt)
        json.field("agreed_at", person.agreedAt)
        json.field("withdrawn_at", person.withdrawnAt)
    }

    static let schema = Schema.named(
        "Recording",
        .object([
            .required("recording_id", .uuid), .required("call_id", .uuid), .required("started_by", .uuid),
            .required("state", .choice(RecordingState.allCases.map(\.rawValue))),
            .required("end_reason", .nullable(.choice(RecordingEnd.allCases.map(\.rawValue)))),
            .required("policy", .choice(ConsentPolicy.allCases.map(\.rawValue))),
            .required("started_at", .dateTime), .required("ended_at", .nullable(.dateTime)),
            .required("duration", .nullable(.count), "Seconds"), .required("size_bytes", .count),
            .required("store", .choice(RecordingStore.allCases.map(\.rawValue))),
            .required("encryption_key_id", .text), .required("legal_hold", .boolean),
            .required("shared_with", .array(.uuid, limit: RecordingLimits.shares)),
            .required("participants", .array(personSchema, limit: CallFields.participantsMax)),
        ]))

    private static let personSchema = Schema.object([
        .required("user_id", .uuid), .required("consent", .choice(RecordingConsent.allCases.map(\.rawValue))),
        .required("means", .choice(ConsentMeans.allCases.map(\.rawValue))), .required("changed_at", .dateTime),
        .required("agreed_at", .nullable(.dateTime), "The first time"), .required("withdrawn_at", .nullable(.dateTime)),
    ])
}
