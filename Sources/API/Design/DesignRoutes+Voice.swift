// design.md, "Voice & Video", voice channels: a channel's standing call. Any conversation has one, if its members may talk.

import Accounts
import Base
import Chat
import Signaling
import Wire

extension DesignRoutes {
    static var voice: [Route] {
        [
            .post(
                "/v1/channels/{id}/voice/join", .standing(.member), "Enter the channel's call, or come back to it",
                answer: DesignPresenter.envelope(admissionSchema)
            ) { call in
                let admission = try await call.enterVoice(try call.conversationID(), by: try call.principal)
                return DesignPresenter.reply(call) { writeAdmission(admission, into: &$0) }
            },
            .delete("/v1/channels/{id}/voice/leave", .standing(.member), "Leave the channel's call") { call in
                let place = try call.conversationID()
                try await call.chat.authorize(.view, in: place, for: try call.principal)
                try await call.callService.leave(place.uuid, by: try call.principal)
                return .empty
            },
            .get(
                "/v1/channels/{id}/voice/participants", .standing(.member), "Who is in the channel's call",
                answer: DesignPresenter.envelope(participantsSchema)
            ) { call in
                let place = try call.conversationID()
                try await call.chat.authorize(.view, in: place, for: try call.principal)
                let standing = try await call.callService.standingCall(of: place.uuid)
                return DesignPresenter.reply(call) { json in
                    json.field("call_id", standing?.id)
                    json.array("participants") { json in
                        for participant in standing?.participants ?? [] where participant.isJoined {
                            json.object { writeParticipant(participant, into: &$0) }
                        }
                    }
                }
            },
        ]
    }

    private static let participantsSchema = Schema.object([
        .required("call_id", .nullable(.uuid), "null while nobody is in it"),
        .required("participants", .array(participantSchema, limit: CallFields.participantsMax)),
    ])
}
