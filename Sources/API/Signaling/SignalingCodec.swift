// What the dialects' signaling sockets have in common: reading members, and writing those of our messages. Names of types
// and what stands around them are each dialect's (`ManualSignaling`, `CallsSignaling`).

import Accounts
import Base
import Media
import Signaling
import Wire

protocol SignalingCodec: Sendable {
    /// `user` is who sent it.
    func read(_ object: JSONObject, from user: UserID) throws(SignalingFault) -> ClientMessage
    /// What a message is in this dialect: more than one where the document has one for each part.
    func write(_ message: ServerMessage) -> [Bytes]
}

extension SignalingCodec {
    func read(_ text: String, from user: UserID) throws(SignalingFault) -> ClientMessage {
        let value: JSONValue
        do throws(JSONError) {
            value = try JSONValue(parsing: Bytes(text.utf8), limits: SignalingMembers.limits)
        } catch {
            throw .invalidMessage("not JSON: \(error)")
        }
        guard case .object(let object) = value else { throw .invalidMessage("a message is an object") }
        return try read(object, from: user)
    }
}

extension JSONObject {
    func member(_ name: String) throws(SignalingFault) -> String {
        guard let text = self[name]?.stringValue else { throw .invalidMessage("`\(name)` must be a string") }
        return text
    }

    func flag(_ name: String) throws(SignalingFault) -> Bool {
        guard let flag = self[name]?.boolValue else { throw .invalidMessage("`\(name)` must be true or false") }
        return flag
    }

    /// The client's own name for its message.
    func reference() throws(SignalingFault) -> Int64? {
        guard let value = self["id"], !value.isNull else { return nil }
        guard let id = value.integerValue else { throw .invalidMessage("`id` must be a whole number") }
        return id
    }

    func description() throws(SignalingFault) -> NegotiationMachine.Description {
        NegotiationMachine.Description(sdp: try member("sdp"), id: try reference())
    }

    /// A layer's number; all that there are when nothing is said.
    func layer(_ name: String) throws(SignalingFault) -> UInt8 {
        guard let value = self[name], !value.isNull else { return .max }
        guard let number = value.integerValue, (0...7).contains(number) else {
            throw .invalidMessage("`\(name)` must be 0 to 7")
        }
        return UInt8(number)
    }

    func wish(_ name: String) throws(SignalingFault) -> ClientMessage {
        let mid = try member("mid")
        switch name {
        case "pin": return .wish(mid: mid, .pinned(try flag("on")))
        case "pause": return .wish(mid: mid, .paused(try flag("on")))
        default: return .wish(mid: mid, .layers(largest: try layer("layer"), temporal: try layer("temporal")))
        }
    }

    /// What a host wants of a call, by its name; nil for a name that is none of these.
    func hostAction(_ name: String) throws(SignalingFault) -> ClientMessage? {
        let action: HostAction
        switch name {
        case "mute_participant": action = .mute(try person())
        case "permissions": action = .permissions(try person(), try permissions())
        case "remove": action = .remove(try person())
        case "lock": action = .lock(try flag("on"))
        case "end": action = .endForAll
        case "invite": action = .invite(try people("participants"))
        case "record": action = .record(try flag("on"))
        case "consent": return .consent(agrees: try flag("agree"), id: try reference())
        default: return nil
        }
        return .host(action, id: try reference())
    }

    /// Presence, by the name of its message; nil for a name that is none of these.
    func presenceMessage(_ type: String) throws(SignalingFault) -> ClientMessage? {
        switch type {
        case "presence:subscribe": return .watch(try people("user_ids"))
        case "presence:unsubscribe":
            guard let value = self["user_ids"], !value.isNull else { return .unwatch(nil) }
            return .unwatch(try people("user_ids"))
        default: return nil
        }
    }

    /// `user_id` is the sender's own, in calls.
    private func person() throws(SignalingFault) -> UserID {
        guard let id = UserID(try member("participant_id")) else {
            throw .invalidMessage("`participant_id` is nobody's")
        }
        return id
    }

    func people(_ name: String) throws(SignalingFault) -> [UserID] {
        guard let values = self[name]?.arrayValue, (1...SignalingLimits.people).contains(values.count) else {
            throw .invalidMessage("`\(name)` must be a list of 1 to \(SignalingLimits.people) ids")
        }
        var people: [UserID] = []
        for value in values {
            guard let id = value.stringValue.flatMap({ UserID($0) }) else {
                throw .invalidMessage("`\(name)` has an id that is nobody's")
            }
            people.append(id)
        }
        return people
    }

    /// A screen is video, as everywhere in signaling.
    private func permissions() throws(SignalingFault) -> PermissionsChange {
        let words: [(String, MediaPermissions)] = [
            ("audio", .sendAudio), ("video", [.sendVideo, .sendScreen]), ("receive", .receive),
        ]
        var change = PermissionsChange()
        for (name, permissions) in words {
            guard let value = self[name], !value.isNull else { continue }
            if try flag(name) { change.granted.formUnion(permissions) } else { change.taken.formUnion(permissions) }
        }
        guard change != PermissionsChange() else {
            throw .invalidMessage("one of `audio`, `video` and `receive` must be given")
        }
        return change
    }

    /// A line, or what a browser's `RTCIceCandidate` becomes as JSON. The empty one, and null, say that all have come.
    func checkCandidate() throws(SignalingFault) {
        guard let value = self["candidate"] else { throw .invalidMessage("`candidate` is missing") }
        let line: String
        switch value {
        case .null: return
        case .string(let text): line = text
        case .object(let object): line = object["candidate"]?.stringValue ?? "none"
        default: throw .invalidMessage("`candidate` must be a string")
        }
        if line.isEmpty { return }
        do throws(ICECandidateError) {
            _ = try ICECandidate(parsing: line)
        } catch {
            throw .invalidMessage("`candidate` is none")
        }
    }
}

// MARK: - Writing

/// A failure as a client is told it.
struct SignalingProblem {
    var code: String
    var detail: String
    var info = JSONObject()

    init(_ code: String, _ detail: String, _ info: [(String, JSONValue)] = []) {
        self.code = code
        self.detail = detail
        self.info = JSONObject(info)
    }

    init(_ fault: SignalingFault) {
        switch fault {
        case .invalidMessage(let reason): self.init("invalid_message", reason)
        case .notJoined: self.init("not_joined", "This socket has joined no call")
        case .alreadyJoined: self.init("already_joined", "This socket has joined a call")
        case .unexpectedAnswer: self.init("unexpected_answer", "No offer waits for an answer")
        case .negotiationTimeout: self.init("negotiation_timeout", "The offer was not answered, and is taken back")
        case .rateLimited(let seconds):
            self.init("too_many_requests", "Too many messages", [("retry_after", .integer(Int64(seconds)))])
        case .participantAbsent: self.init("participant_absent", "Whom this is about is not in the call")
        case .tooManyWatched(let limit):
            self.init(
                "too_many_watched", "One socket is told of \(limit) people at most",
                [("limit", .integer(Int64(limit)))])
        case .resumeInvalid: self.init("resume_invalid", "The resume token is not good any more; join anew")
        case .notPermitted(let reason): self.init("forbidden", reason)
        case .media(let error): self.init(error)
        case .call(let error): self.init(error)
        }
    }

    private init(_ error: MediaError) {
        switch error {
        case .sdpInvalid(let line, let reason):
            self.init(
                "sdp_invalid", line > 0 ? "Line \(line): \(reason)" : reason,
                [("line", line > 0 ? .integer(Int64(line)) : .null), ("reason", .string(reason))])
        case .notAcceptable(let reason): self.init("sdp_unacceptable", reason)
        case .noSuchSession: self.init("media_ended", "The media session has ended")
        case .conflict(let reason): self.init("conflict", reason)
        case .otherGeneration, .conditionMissing: self.init("conflict", "Another generation of ICE credentials")
        case .roomFull(let limit):
            self.init("call_full", "The call has all the people it may have", [("limit", .integer(Int64(limit)))])
        case .serverFull(let limit):
            self.init("server_full", "The server has all the sessions it may have", [("limit", .integer(Int64(limit)))])
        case .unavailable(let reason): self.init("service_unavailable", reason)
        }
    }

    private init(_ error: CallError) {
        switch error {
        case .notFound: self.init("not_found", "There is no such call")
        case .unknownUser: self.init("user_not_found", "Somebody who is to be called does not exist")
        case .validation(let field, let reason): self.init("invalid_payload", "\(field) \(reason)")
        case .alreadyInCall(let call):
            self.init("already_in_call", "You are in another call", [("call_id", .string("\(call)"))])
        case .answeredElsewhere: self.init("answered_elsewhere", "Another device of yours has taken the call")
        case .over(let state): self.init("call_over", "The call is over", [("status", .string(state.rawValue))])
        case .locked: self.init("call_locked", "The call is locked")
        case .removed: self.init("removed", "The host has removed you from the call")
        case .notHost: self.init("forbidden", "Only the host may do this")
        case .notJoined: self.init("not_joined", "You are not in the call")
        case .scopeMissing: self.init("forbidden", "The token does not have the scope calls")
        case .notPermitted: self.init("forbidden", "The host has switched this off")
        case .callFull(let limit):
            self.init("call_full", "The call has all the people it may have", [("limit", .integer(Int64(limit)))])
        case .tooManyInitiations(_, let retryAfter):
            self.init(
                "too_many_requests", "Too many calls", [("retry_after", .integer(retryAfter.milliseconds / 1_000 + 1))])
        case .serverFull(let limit):
            self.init("server_full", "The server has all the calls it may have", [("limit", .integer(Int64(limit)))])
        case .unavailable(let reason): self.init("service_unavailable", reason)
        case .recording(let error): self.init(error.code, error.message, error.details)
        case .account: self.init("invalid_token", "The token does not permit this")
        case .store: self.init("service_unavailable", "The database is not available")
        }
    }
}

/// Members that are the same in all dialects.
enum SignalingMembers {
    /// The longest list is that of people: `SignalingLimits.people`, and what stands around it.
    static let limits = JSONLimits(depth: 4, values: SignalingLimits.people + 16)

    static func participant(_ view: ParticipantView, _ json: inout JSONWriter) {
        json.field("user_id", view.user)
        json.field("audio", view.audio)
        json.field("video", view.video)
        json.field("hold", view.isHeld)
        json.field("hand", view.isHandRaised)
        json.field("connected", view.isConnected)
        json.field("state", view.state.rawValue)
        json.object("permissions") { json in
            json.field("audio", view.permissions.contains(.sendAudio))
            json.field("video", view.permissions.contains(.sendVideo))
            json.field("receive", view.permissions.contains(.receive))
        }
    }

    static func welcome(_ welcome: Welcome, _ json: inout JSONWriter) {
        json.field("call_id", welcome.call.id)
        json.field("user_id", welcome.user)
        json.field("role", welcome.role.rawValue)
        json.field("status", welcome.call.state.rawValue)
        json.field("host_id", welcome.call.host)
        json.field("locked", welcome.call.isLocked)
        json.field("resume_token", welcome.resumeToken)
        json.field("resume_seconds", welcome.resumeSeconds)
        json.field("resumed", welcome.isResumed)
        welcome.ice.write(into: &json)
        if let own = welcome.own { json.object("self") { participant(own, &$0) } }
        json.array("participants") { json in
            for view in welcome.participants { json.object { participant(view, &$0) } }
        }
        guard let recording = welcome.call.recording else { return json.null("recording") }
        json.object("recording") { $0.recording(recording) }
    }

    static func tracks(_ tracks: [TrackView], _ json: inout JSONWriter) {
        json.array("tracks") { json in
            for track in tracks {
                json.object { json in
                    json.field("mid", track.mid)
                    json.field("kind", track.kind == .audio ? "audio" : "video")
                    json.field("user_id", track.user)
                }
            }
        }
    }

    static func quality(_ quality: QualityView, _ json: inout JSONWriter) {
        json.field("rtt_ms", quality.roundTrip.map { Int($0.milliseconds) })
        json.field("loss", quality.lossShare)
        json.field("bitrate_in", quality.bitsIn)
        json.field("bitrate_out", quality.bitsOut)
        json.field("estimate", quality.estimate)
    }

    static func reason(_ reason: PauseReason?) -> String? {
        switch reason {
        case nil: nil
        case .bandwidth: "bandwidth"
        case .preference: "preference"
        case .notSpeaking: "not_speaking"
        }
    }

    static func incoming(_ call: CallInfo, _ json: inout JSONWriter) {
        json.field("call_id", call.id)
        json.field("caller_id", call.caller)
        json.field("call_type", call.kind.rawValue)
        json.field("participants", call.participants.map { "\($0.user)" })
    }

    /// What has no form of its own in a document.
    static func others(_ message: ServerMessage, _ json: inout JSONWriter) {
        switch message {
        case .tracks(let tracks): Self.tracks(tracks, &json)
        case .speaker(let user): json.field("user_id", user)
        case .stream(let mid, let paused):
            json.field("mid", mid)
            json.field("paused", paused != nil)
            json.field("reason", reason(paused))
        case .layers(let mid, let unwatched):
            json.field("mid", mid)
            json.array("unwatched") { json in for layer in unwatched { json.value(Int(layer)) } }
        case .quality(let view): quality(view, &json)
        case .recording(let recording): json.recording(recording)
        case .ringingStopped(let call, let end):
            json.field("call_id", call.id)
            json.field("reason", end.rawValue)
        case .iceServers(let configuration): configuration.write(into: &json)
        case .reconnect(let url, let seconds):
            json.field("url", url)
            json.field("seconds", seconds)
        case .pong(let id): json.field("id", id)
        default: break
        }
    }
}
