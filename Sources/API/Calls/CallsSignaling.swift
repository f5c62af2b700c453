// calls.md's signaling messages: descriptions and controls flat, events as `{"type": …, "data": {…}}`.

import Accounts
import Base
import Signaling
import Wire

struct CallsSignaling: SignalingCodec {
    let call: CallID

    func read(_ object: JSONObject, from user: UserID) throws(SignalingFault) -> ClientMessage {
        let type = try object.member("type")
        if let named = object["user_id"], !named.isNull, named.stringValue.flatMap({ UserID($0) }) != user {
            throw .notPermitted("`user_id` is somebody else")
        }
        switch type {
        case "offer": return .offer(try object.description())
        case "answer": return .answer(try object.description())
        case "ice-candidate":
            try object.checkCandidate()
            return .candidate
        case "mute": return .change(ControlsChange(isMuted: try object.flag("muted")))
        case "video_toggle": return .change(ControlsChange(isVideoOff: try !object.flag("video_enabled")))
        case "hold": return .change(ControlsChange(isHeld: try object.flag("on")))
        case "hand": return .change(ControlsChange(isHandRaised: try object.flag("on")))
        case "layer", "pin", "pause": return try object.wish(type)
        case "restart": return .restart
        case "hangup": return .hangUp
        case "ping": return .ping(id: try object.reference())
        default:
            if let message = try object.hostAction(type) { return message }
            guard let message = try object.presenceMessage(type) else {
                throw .invalidMessage("`type` is none that is known here")
            }
            return message
        }
    }

    func write(_ message: ServerMessage) -> [Bytes] {
        switch message {
        case .offer(let sdp, let id): return [flat("offer", sdp, id)]
        case .answer(let sdp, let id): return [flat("answer", sdp, id)]
        case .participantUpdated(let view):
            // The document has one for each of the two, and none for the rest.
            return [
                event("participant_muted") { json in
                    json.field("user_id", view.user)
                    json.field("muted", !view.audio)
                },
                event("participant_video") { json in
                    json.field("user_id", view.user)
                    json.field("video_enabled", view.video)
                },
                update(view, "updated"),
            ]
        case .participantJoined(let view): return [update(view, "joined")]
        case .participantLeft(let user, let reason):
            return [
                event("participant_update") { json in
                    json.field("call_id", call)
                    json.field("user_id", user)
                    json.field("action", "left")
                    json.field("reason", reason)
                }
            ]
        case .joined(let welcome):
            return [event("joined") { SignalingMembers.welcome(welcome, &$0) }]
        case .status(let info, let user):
            return [
                event("call_status_update") { json in
                    json.field("call_id", info.id)
                    json.field("status", info.state.rawValue)
                    json.field("participant_id", user)
                    json.field("host_id", info.host)
                    json.field("locked", info.isLocked)
                }
            ]
        case .incoming(let info): return [event("incoming_call") { SignalingMembers.incoming(info, &$0) }]
        case .presence(let user, let presence):
            return [
                event("user_status") { json in
                    json.field("user_id", user)
                    json.field("status", Self.word(presence.status))
                    json.field("last_seen", presence.lastSeen)
                }
            ]
        case .fault(let fault, let ref): return [event("error") { Self.problem(fault, ref, &$0) }]
        default: return [event(Self.name(message)) { SignalingMembers.others(message, &$0) }]
        }
    }

    private static func name(_ message: ServerMessage) -> String {
        switch message {
        case .tracks: "tracks"
        case .speaker: "speakers"
        case .stream: "stream"
        case .layers: "layers"
        case .quality: "quality"
        case .recording: "recording"
        case .ringingStopped: "ringing_stopped"
        case .iceServers: "ice_servers"
        case .reconnect: "reconnect-to"
        case .pong: "pong"
        default: preconditionFailure("has a form of its own")
        }
    }

    /// The document has four words.
    private static func word(_ status: Presence.Status) -> String {
        switch status {
        case .offline: "offline"
        case .away: "away"
        case .online: "online"
        case .busy, .inCall: "busy"
        }
    }

    private static func problem(_ fault: SignalingFault, _ ref: Int64?, _ json: inout JSONWriter) {
        let problem = SignalingProblem(fault)
        let code =
            switch problem.code {
            case "too_many_requests": "RATE_LIMITED"
            case "invalid_payload", "invalid_message": "VALIDATION_ERROR"
            case "invalid_token": "UNAUTHORIZED"
            default: problem.code.uppercased()
            }
        json.field("detail", problem.detail)
        json.field("error_code", code)
        json.field("extra_info", JSONValue.object(problem.info))
        json.field("ref", ref)
    }

    private func flat(_ type: String, _ sdp: String, _ id: Int64?) -> Bytes {
        var json = JSONWriter()
        json.object { json in
            json.field("type", type)
            json.field("sdp", sdp)
            json.field("id", id)
        }
        return json.bytes
    }

    private func update(_ view: ParticipantView, _ action: String) -> Bytes {
        event("participant_update") { json in
            json.field("call_id", call)
            json.field("action", action)
            SignalingMembers.participant(view, &json)
        }
    }

    private func event(_ type: String, _ members: (inout JSONWriter) -> Void) -> Bytes {
        var json = JSONWriter()
        json.object { json in
            json.field("type", type)
            json.object("data", members)
        }
        return json.bytes
    }
}
