// design.md, "Voice & Video" (calls between people; those of channels are in DesignRoutes+Voice) and presence.

import Accounts
import Base
import Signaling
import Wire

extension DesignRoutes {
    static var calls: [Route] {
        [
            .post(
                "/v1/calls", .user, "Start a call", status: .created,
                body: .json(
                    .object([
                        .required("participants", CallFields.people),
                        .optional("type", CallFields.kind, "video where it is not given"),
                    ])), answer: DesignPresenter.envelope(admissionSchema)
            ) { call in
                let kind = call.optionalText("type").flatMap(CallKind.init(rawValue:)) ?? .video
                let admission = try await call.callService.initiate(
                    NewCall(kind: kind, invited: try call.users("participants")), by: try call.principal)
                return DesignPresenter.reply(call) { writeAdmission(admission, into: &$0) }
            },
            .get(
                "/v1/calls/{id}", .participant, "One call", answer: DesignPresenter.envelope(callSchema)
            ) { call in
                let found = try await call.callService.call(try call.identifier("id"), for: try call.principal)
                return DesignPresenter.reply(call) { writeCall(found, into: &$0) }
            },
            .post(
                "/v1/calls/{id}/join", .participant, "Accept, enter or come back",
                answer: DesignPresenter.envelope(admissionSchema)
            ) { call in
                let admission = try await call.callService.join(try call.identifier("id"), by: try call.principal)
                return DesignPresenter.reply(call) { writeAdmission(admission, into: &$0) }
            },
            .delete("/v1/calls/{id}/leave", .participant, "Leave, or decline") { call in
                try await call.callService.leave(try call.identifier("id"), by: try call.principal)
                return .empty
            },
        ]
    }

    static var presence: [Route] {
        [
            .get(
                "/v1/users/{id}/presence", .user, "Whether somebody is there",
                answer: DesignPresenter.envelope(presenceSchema)
            ) { call in
                let user: UserID = try call.identifier("id")
                let presence = try await call.presence(of: user)
                return DesignPresenter.reply(call) { writePresence(presence, of: user, into: &$0) }
            },
            .put(
                "/v1/users/{id}/presence", .adminOrSelf(parameter: "id"), "Say that one is there, for a while",
                body: .json(
                    .object([
                        .required("status", .choice(["online", "away", "busy", "offline"])),
                        .optional(
                            "ttl", .integer(1...86_400),
                            "Seconds until it is over unless it is said again; the server has a longest one"),
                    ])), answer: DesignPresenter.envelope(presenceSchema)
            ) { call in
                let user: UserID = try call.identifier("id")
                _ = try await call.accounts.user(user)
                let word = try call.text("status")
                let status: Presence.Status =
                    switch word {
                    case "online": .online
                    case "away": .away
                    case "busy": .busy
                    default: .offline
                    }
                let access = try call.callAccess
                access.presence.renew(
                    user, device: DeviceID(try call.principal), status,
                    for: call.body["ttl"]?.integerValue.map { .seconds($0) })
                let presence = try await access.presence.presence(of: user)
                return DesignPresenter.reply(call) { writePresence(presence, of: user, into: &$0) }
            },
        ]
    }

    // MARK: Values

    private static func writePresence(_ presence: Presence, of user: UserID, into json: inout JSONWriter) {
        json.field("user_id", user)
        json.field("status", presence.status.name)
        json.field("last_seen", presence.lastSeen)
    }

    private static let presenceSchema = Schema.object([
        .required("user_id", .uuid), .required("status", .choice(Presence.Status.allCases.map(\.name))),
        .required("last_seen", .nullable(.dateTime)),
    ])

    private static func writeCall(_ call: CallInfo, into json: inout JSONWriter) {
        json.field("id", call.id)
        json.field("caller_id", call.caller)
        json.field("host_id", call.host)
        json.field("type", call.kind.rawValue)
        json.field("status", call.state.rawValue)
        json.field("end_reason", call.end?.rawValue)
        json.field("is_locked", call.isLocked)
        json.field("started_at", call.startedAt)
        json.field("ended_at", call.endedAt)
        json.field("duration", call.duration.map { Int($0.inSeconds) })
        json.array("participants") { json in
            for participant in call.participants { json.object { writeParticipant(participant, into: &$0) } }
        }
        json.field("signaling_url", CallFields.signalingURL(call))
    }

    static func writeParticipant(_ participant: CallParticipant, into json: inout JSONWriter) {
        json.field("user_id", participant.user)
        json.field("state", participant.state.rawValue)
        json.field("joined_at", participant.joinedAt)
        json.field("left_at", participant.leftAt)
        json.field("is_muted", participant.controls.isMuted)
        json.field("is_video_off", participant.controls.isVideoOff)
        json.field("is_hand_raised", participant.controls.isHandRaised)
    }

    static func writeAdmission(_ admission: CallAdmission, into json: inout JSONWriter) {
        writeCall(admission.call, into: &json)
        json.field("signaling_token", admission.token.exposedText)
        json.field("signaling_token_expires_at", admission.tokenExpiresAt)
    }

    static let participantSchema = Schema.named(
        "DesignCallParticipant",
        .object([
            .required("user_id", .uuid),
            .required("state", .choice(CallParticipant.State.allCases.map(\.rawValue))),
            .required("joined_at", .nullable(.dateTime)), .required("left_at", .nullable(.dateTime)),
            .required("is_muted", .boolean), .required("is_video_off", .boolean),
            .required("is_hand_raised", .boolean),
        ]))

    private static let callProperties: [Property] = [
        .required("id", .uuid), .required("caller_id", .uuid), .required("host_id", .uuid),
        .required("type", CallFields.kind), .required("status", CallFields.state),
        .required("end_reason", .nullable(.choice(CallEnd.allCases.map(\.rawValue)))),
        .required("is_locked", .boolean), .required("started_at", .dateTime),
        .required("ended_at", .nullable(.dateTime)), .required("duration", .nullable(.count)),
        .required("participants", .array(participantSchema, limit: CallFields.participantsMax)),
        .required("signaling_url", .text),
    ]
    private static let callSchema = Schema.named("DesignCall", .object(callProperties))
    static let admissionSchema = Schema.named(
        "DesignCallAdmission",
        .object(
            callProperties + [
                .required("signaling_token", .text, "For the socket: good for this call and this login, and soon over"),
                .required("signaling_token_expires_at", .dateTime),
            ]))
}

extension Presence.Status {
    /// All five; dialects whose document has fewer words map them.
    var name: String {
        switch self {
        case .offline: "offline"
        case .away: "away"
        case .online: "online"
        case .busy: "busy"
        case .inCall: "in-call"
        }
    }
}
