// manual.md, "Voice & Video (Calling) APIs".

import Accounts
import Base
import Media
import Signaling
import Wire

extension ManualRoutes {
    static var calls: [Route] {
        [
            // The path under /api/v1 belongs to two documents: `PathClaims` chooses by the body.
            initiation("/calls/initiate"), initiation("/api/v1/calls/initiate"),
            .get(
                "/calls/ice-config", .scope(.calls), "STUN servers, and relays with credentials",
                answer: ManualCallPresenter.configurationSchema
            ) { call in
                let configuration = try await call.callService.iceConfiguration(for: try call.principal)
                return ManualCallPresenter.reply { ManualCallPresenter.configuration(configuration, into: &$0) }
            },
            .get(
                "/calls/presence/{user_id}", .scope(.calls), "Whether somebody is there",
                answer: ManualCallPresenter.presenceSchema
            ) { call in
                let user: UserID = try call.identifier("user_id")
                let presence = try await call.presence(of: user)
                return ManualCallPresenter.reply { ManualCallPresenter.presence(presence, of: user, into: &$0) }
            },
            .get(
                "/calls/{call_id}/metrics", .owner(or: .callsAdmin), "How a call went, or goes",
                answer: ManualCallPresenter.metricsSchema
            ) { call in
                let (found, measurements) = try await call.callService.metrics(
                    of: try call.identifier("call_id"), for: try call.principal)
                return ManualCallPresenter.reply { ManualCallPresenter.metrics(found, measurements, into: &$0) }
            },
        ]
    }

    private static func initiation(_ path: String) -> Route {
        .post(
            path, .scope(.calls), "Call somebody", status: .accepted,
            body: .json(
                .object([
                    .required("to_user_id", .uuid),
                    .optional(
                        "media",
                        .object([
                            .optional("audio", .boolean), .optional("video", .boolean), .optional("data", .boolean),
                        ]),
                        "What may be sent in the call; audio and video where it is not said"),
                    .optional(
                        "preferred_codecs", .array(.text(1...64), limit: 16),
                        "Agreed on first, in this order, by those who have them; names that the server does not know are passed over"
                    ),
                ])),
            answer: .object([
                .required("call_id", .uuid),
                .required("signaling_token", .text, "Good for this call and this login, and soon over"),
                .required("signaling_token_expires_at", .dateTime),
            ])
        ) { call in
            guard let callee = UserID(try call.text("to_user_id")) else { throw CallError.unknownUser }
            let admission = try await call.callService.initiate(
                try newCall(to: callee, media: call.body["media"], codecs: call.body["preferred_codecs"]),
                by: try call.principal)
            return ManualCallPresenter.reply { json in
                json.field("call_id", admission.call.id)
                json.field("signaling_token", admission.token.exposedText)
                json.field("signaling_token_expires_at", admission.tokenExpiresAt)
            }
        }
    }

    private static func newCall(to callee: UserID, media: JSONValue?, codecs: JSONValue?) throws(CallError) -> NewCall {
        let hasAudio = media?["audio"]?.boolValue ?? true
        let hasVideo = media?["video"]?.boolValue ?? true
        let hasData = media?["data"]?.boolValue ?? (media == nil)
        guard hasAudio || hasVideo || hasData else {
            throw .validation(field: "media", reason: "a call without audio, video and data is none")
        }
        var permissions: MediaPermissions = .receive
        if hasAudio { permissions.insert(.sendAudio) }
        if hasVideo { permissions.formUnion([.sendVideo, .sendScreen]) }
        if hasData { permissions.insert(.sendData) }
        let preferred = (codecs?.arrayValue ?? []).compactMap { $0.stringValue.flatMap(Codec.init(preferred:)) }
        return NewCall(
            kind: hasVideo ? .video : .audio, invited: [callee], permissions: permissions, preferredCodecs: preferred)
    }
}
