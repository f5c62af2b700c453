// manual.md, "Recording Control", and rows of ours for what becomes of recordings: docs/protocol/recording.md.

import Accounts
import Base
import Signaling
import Vault
import Wire

extension ManualRoutes {
    static var recordings: [Route] { callRecording + recordingLibrary + recordingShares }

    private static var callRecording: [Route] {
        [
            .post(
                "/calls/{call_id}/record", .scope([.calls, .callsAdmin]), "Begin or end recording", status: .accepted,
                body: .json(
                    .object([
                        .required("enable", .boolean),
                        .optional(
                            "encryption_key_id", .nullable(.text(0...256)),
                            "`recording`, or its active version as `recording:3`; that is also what null means"),
                        .optional(
                            "store", .choice(RecordingStore.allCases.map(\.rawValue)),
                            "backup where it is not given; object_storage is refused by this version"),
                    ])), answer: .object([.required("task_id", .uuid)])
            ) { call in
                let (id, principal): (CallID, Principal) = (try call.identifier("call_id"), try call.principal)
                let service = try call.callService
                let recording =
                    call.body["enable"]?.boolValue == true
                    ? try await service.beginRecording(id, try wish(call), by: principal, origin: call.origin)
                    : try await service.endRecording(id, by: principal, origin: call.origin)
                return ManualCallPresenter.reply { $0.field("task_id", recording.task) }
            },
            .get(
                "/calls/{call_id}/recording", .scope(.calls), "Whether a call is recorded, and who has agreed",
                answer: RecordingFields.stateSchema
            ) { call in
                let id: CallID = try call.identifier("call_id")
                let recording = try await call.callService.recording(of: id, for: try call.principal)
                return ManualCallPresenter.reply { $0.recording(recording) }
            },
            .post(
                "/calls/{call_id}/recording/consent", .scope(.calls), "Agree to being recorded, or take it back",
                body: .json(.object([.required("agree", .boolean)])), answer: RecordingFields.stateSchema
            ) { call in
                let (id, principal): (CallID, Principal) = (try call.identifier("call_id"), try call.principal)
                let service = try call.callService
                try await service.answerRecording(
                    id, agrees: call.body["agree"]?.boolValue == true, .rest, by: principal, origin: call.origin)
                let recording = try await service.recording(of: id, for: principal)
                return ManualCallPresenter.reply { $0.recording(recording) }
            },
        ]
    }

    private static var recordingLibrary: [Route] {
        [
            .get(
                "/recordings", .scope([.calls, .callsAdmin]), "Recordings, the newest first",
                query: [
                    Parameter("call_id", .uuid, "Of this call only"),
                    Parameter("offset", .integer(0...1_000_000)),
                    Parameter("limit", .integer(1...Int64(RecordingLimits.page)), "50 where it is not given"),
                ],
                answer: .object([
                    .required("recordings", .array(RecordingFields.schema, limit: RecordingLimits.page)),
                    .required("total", .count),
                ])
            ) { call in
                let page = try await call.recordings.page(
                    call: call.queryText("call_id").flatMap { CallID($0) },
                    offset: call.queryInteger("offset", default: 0), limit: call.queryInteger("limit", default: 50),
                    by: try call.principal, origin: call.origin)
                return ManualCallPresenter.reply { json in
                    json.array("recordings") { json in
                        for one in page.items { json.object { RecordingFields.write(one, into: &$0) } }
                    }
                    json.field("total", page.total)
                }
            },
            .get(
                "/recordings/{recording_id}", .scope([.calls, .callsAdmin]), "One recording",
                answer: RecordingFields.schema
            ) { call in
                reply(
                    try await call.recordings.recording(
                        try call.identifier("recording_id"), by: try call.principal, origin: call.origin))
            },
            .delete("/recordings/{recording_id}", .scope([.calls, .callsAdmin]), "Delete a recording for good") {
                call in
                try await call.recordings.delete(
                    try call.identifier("recording_id"), by: try call.principal, origin: call.origin)
                return .empty
            },
            .put(
                "/recordings/{recording_id}/hold", .scope(.callsAdmin), "Keep a recording from being deleted",
                body: .json(.object([.required("on", .boolean)])), answer: RecordingFields.schema
            ) { call in
                reply(
                    try await call.recordings.setHeld(
                        call.body["on"]?.boolValue == true, try call.identifier("recording_id"),
                        by: try call.principal, origin: call.origin))
            },
        ]
    }

    private static var recordingShares: [Route] {
        [
            .post(
                "/recordings/{recording_id}/shares", .scope([.calls, .callsAdmin]), "Let somebody see a recording",
                status: .created, body: .json(.object([.required("user_id", .uuid)])),
                answer: RecordingFields.schema
            ) { call in
                guard let user = UserID(try call.text("user_id")) else { throw RecordingError.notFound }
                return reply(
                    try await call.recordings.share(
                        try call.identifier("recording_id"), with: user, by: try call.principal, origin: call.origin))
            },
            .delete(
                "/recordings/{recording_id}/shares/{user_id}", .scope([.calls, .callsAdmin]),
                "Let somebody see it no more"
            ) { call in
                try await call.recordings.unshare(
                    try call.identifier("recording_id"), with: try call.identifier("user_id"),
                    by: try call.principal, origin: call.origin)
                return .empty
            },
        ]
    }

    private static func reply(_ recording: SharedRecording) -> Reply {
        ManualCallPresenter.reply { RecordingFields.write(recording, into: &$0) }
    }

    /// What is asked of a recording, as far as this version can do it.
    private static func wish(_ call: Call) throws -> RecordingWish {
        let store = call.optionalText("store").flatMap(RecordingStore.init(rawValue:)) ?? .backup
        guard store == .backup else {
            throw RecordingError.validation(
                field: "store", reason: "this version keeps recordings with backups only (`backup`)")
        }
        let active = try call.callService.recordingKeyVersion()
        guard let named = call.optionalText("encryption_key_id"), !named.isEmpty else {
            return RecordingWish(store: store, keyVersion: active)
        }
        let reference = try? KeyReference(named)
        guard let reference, reference.name == KeyNames.recording else {
            throw RecordingError.validation(
                field: "encryption_key_id", reason: "recordings are written for the key `\(KeyNames.recording)`")
        }
        guard reference.version == nil || reference.version == active else {
            throw RecordingError.validation(
                field: "encryption_key_id",
                reason: "only the key's active version, \(active), takes new recordings; older ones open what they have"
            )
        }
        return RecordingWish(store: store, keyVersion: active)
    }
}
