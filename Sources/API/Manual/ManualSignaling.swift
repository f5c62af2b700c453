// manual.md's signaling messages: flat objects, `{"type": "sdp:offer", "sdp": …}`.

import Accounts
import Base
import Signaling
import Wire

struct ManualSignaling: SignalingCodec {
    func read(_ object: JSONObject, from user: UserID) throws(SignalingFault) -> ClientMessage {
        let type = try object.member("type")
        switch type {
        case "join": return .join(try join(object))
        case "sdp:offer": return .offer(try object.description())
        case "sdp:answer": return .answer(try object.description())
        case "ice:candidate":
            try object.checkCandidate()
            return .candidate
        case "hangup": return .hangUp
        case "control": return try control(object)
        case "ping": return .ping(id: try object.reference())
        default:
            guard let message = try object.presenceMessage(type) else {
                throw .invalidMessage("`type` is none that is known here")
            }
            return message
        }
    }

    private func join(_ object: JSONObject) throws(SignalingFault) -> JoinRequest {
        guard let call = CallID(try object.member("call_id")) else { throw .call(.notFound) }
        let role = object["role"].map { $0.stringValue.flatMap(NegotiationMachine.Role.init(rawValue:)) } ?? .offerer
        guard let role else { throw .invalidMessage("`role` must be `offerer` or `answerer`") }
        return JoinRequest(call: call, role: role, resumeToken: object["resume"]?.stringValue)
    }

    private func control(_ object: JSONObject) throws(SignalingFault) -> ClientMessage {
        let action = try object.member("action")
        switch action {
        case "mute": return .change(ControlsChange(isMuted: try object.flag("on")))
        case "video": return .change(ControlsChange(isVideoOff: try !object.flag("on")))
        case "hold": return .change(ControlsChange(isHeld: try object.flag("on")))
        case "hand": return .change(ControlsChange(isHandRaised: try object.flag("on")))
        case "layer", "pin", "pause": return try object.wish(action)
        case "restart": return .restart
        default:
            guard let message = try object.hostAction(action) else {
                throw .invalidMessage("`action` is none that is known here")
            }
            return message
        }
    }

    func write(_ message: ServerMessage) -> [Bytes] {
        var json = JSONWriter()
        json.object { json in
            json.field("type", Self.name(message))
            members(message, &json)
        }
        return [json.bytes]
    }

    private static func name(_ message: ServerMessage) -> String {
        switch message {
        case .joined: "joined"
        case .participantJoined: "participant:joined"
        case .participantLeft: "participant:left"
        case .participantUpdated: "participant:updated"
        case .offer: "sdp:offer"
        case .answer: "sdp:answer"
        case .tracks: "tracks"
        case .speaker: "speakers"
        case .stream: "stream"
        case .layers: "layers"
        case .quality: "quality"
        case .recording: "recording"
        case .status: "call:status"
        case .incoming: "call:incoming"
        case .ringingStopped: "call:ringing-stopped"
        case .presence: "presence"
        case .iceServers: "ice_servers"
        case .reconnect: "reconnect-to"
        case .fault: "error"
        case .pong: "pong"
        }
    }

    /// manual.md's words for what sockets are told.
    private static func word(_ status: Presence.Status) -> String {
        switch status {
        case .offline: "offline"
        case .away, .online: "online"
        case .busy: "busy"
        case .inCall: "in-call"
        }
    }

    private func members(_ message: ServerMessage, _ json: inout JSONWriter) {
        switch message {
        case .joined(let welcome): SignalingMembers.welcome(welcome, &json)
        case .participantJoined(let view), .participantUpdated(let view): SignalingMembers.participant(view, &json)
        case .participantLeft(let user, let reason):
            json.field("user_id", user)
            json.field("reason", reason)
        case .offer(let sdp, let id):
            json.field("sdp", sdp)
            json.field("id", id)
        case .answer(let sdp, let id):
            json.field("sdp", sdp)
            json.field("id", id)
        case .status(let call, let user):
            json.field("call_id", call.id)
            json.field("status", call.state.rawValue)
            json.field("user_id", user)
            json.field("host_id", call.host)
            json.field("locked", call.isLocked)
        case .incoming(let call): SignalingMembers.incoming(call, &json)
        case .presence(let user, let presence):
            json.field("user_id", user)
            json.field("status", Self.word(presence.status))
            json.field("last_seen", presence.lastSeen)
        case .fault(let fault, let ref):
            let problem = SignalingProblem(fault)
            json.field("code", problem.code)
            json.field("detail", problem.detail)
            json.field("info", JSONValue.object(problem.info))
            json.field("ref", ref)
        default: SignalingMembers.others(message, &json)
        }
    }
}
