// What is read of, and written to, the signaling sockets of each dialect.

import Accounts
import Base
import Media
import Testing
import Wire

@testable import API
@testable import Signaling

@Suite struct SignalingCodecTests {
    private static let call = CallID(UUID("0a0b0c0d-0000-4000-8000-000000000001") ?? .random())
    private static let user = UserID(UUID("0a0b0c0d-0000-4000-8000-000000000002") ?? .random())
    private static let other = UserID(UUID("0a0b0c0d-0000-4000-8000-000000000003") ?? .random())
    private static let manual = ManualSignaling()
    private static let calls = CallsSignaling(call: call)

    private static func read(_ codec: any SignalingCodec, _ text: String) -> Result<ClientMessage, SignalingFault> {
        do throws(SignalingFault) {
            return .success(try codec.read(text, from: user))
        } catch {
            return .failure(error)
        }
    }

    private static func description(_ id: Int64? = nil) -> NegotiationMachine.Description {
        NegotiationMachine.Description(sdp: "v=0", id: id)
    }

    private static let manualMessages: [(String, ClientMessage)] = [
        (
            #"{"type":"join","call_id":"\#(call)","role":"offerer"}"#,
            .join(JoinRequest(call: call, role: .offerer))
        ),
        (
            #"{"type":"join","call_id":"call_\#(call)","role":"answerer","resume":"T"}"#,
            .join(JoinRequest(call: call, role: .answerer, resumeToken: "T"))
        ),
        (#"{"type":"join","call_id":"\#(call)"}"#, .join(JoinRequest(call: call, role: .offerer))),
        (#"{"type":"sdp:offer","sdp":"v=0"}"#, .offer(description())),
        (#"{"type":"sdp:answer","sdp":"v=0","id":3,"more":[1]}"#, .answer(description(3))),
        (#"{"type":"ice:candidate","candidate":"candidate:1 1 udp 1 192.0.2.1 9 typ host"}"#, .candidate),
        (
            #"{"type":"ice:candidate","candidate":{"candidate":"candidate:1 1 udp 1 x.local 9 typ host","sdpMid":"0"}}"#,
            .candidate
        ),
        (#"{"type":"ice:candidate","candidate":""}"#, .candidate),
        (#"{"type":"ice:candidate","candidate":null}"#, .candidate),
        (#"{"type":"hangup","reason":"done"}"#, .hangUp),
        (#"{"type":"control","action":"mute","on":true}"#, .change(ControlsChange(isMuted: true))),
        (#"{"type":"control","action":"video","on":true}"#, .change(ControlsChange(isVideoOff: false))),
        (#"{"type":"control","action":"hold","on":true}"#, .change(ControlsChange(isHeld: true))),
        (#"{"type":"control","action":"hand","on":false}"#, .change(ControlsChange(isHandRaised: false))),
        (
            #"{"type":"control","action":"layer","mid":"s0","layer":0,"temporal":1}"#,
            .wish(mid: "s0", .layers(largest: 0, temporal: 1))
        ),
        (
            #"{"type":"control","action":"layer","mid":"s0"}"#,
            .wish(mid: "s0", .layers(largest: 255, temporal: 255))
        ),
        (#"{"type":"control","action":"pin","mid":"s0","on":true}"#, .wish(mid: "s0", .pinned(true))),
        (#"{"type":"control","action":"pause","mid":"s0","on":false}"#, .wish(mid: "s0", .paused(false))),
        (#"{"type":"control","action":"restart"}"#, .restart),
        (#"{"type":"ping","id":9}"#, .ping(id: 9)),
        (#"{"type":"presence:subscribe","user_ids":["\#(other)"]}"#, .watch([other])),
        (#"{"type":"presence:unsubscribe","user_ids":["\#(other)"]}"#, .unwatch([other])),
        (#"{"type":"presence:unsubscribe"}"#, .unwatch(nil)),
    ]

    private static let callsMessages: [(String, ClientMessage)] = [
        (#"{"type":"offer","sdp":"v=0","user_id":"\#(user)"}"#, .offer(description())),
        (#"{"type":"answer","sdp":"v=0","user_id":"user_\#(user)","id":1}"#, .answer(description(1))),
        (
            #"{"type":"ice-candidate","candidate":"candidate:1 1 udp 1 192.0.2.1 9 typ host","user_id":null}"#,
            .candidate
        ),
        (#"{"type":"mute","user_id":"\#(user)","muted":true}"#, .change(ControlsChange(isMuted: true))),
        (#"{"type":"video_toggle","video_enabled":false}"#, .change(ControlsChange(isVideoOff: true))),
        (#"{"type":"hold","on":true}"#, .change(ControlsChange(isHeld: true))),
        (#"{"type":"hand","on":true}"#, .change(ControlsChange(isHandRaised: true))),
        (#"{"type":"pin","mid":"0","on":true}"#, .wish(mid: "0", .pinned(true))),
        (#"{"type":"restart"}"#, .restart),
        (#"{"type":"hangup"}"#, .hangUp),
        (#"{"type":"ping"}"#, .ping(id: nil)),
        (#"{"type":"presence:subscribe","user_ids":["\#(other)"]}"#, .watch([other])),
    ]

    @Test func `messages of the documents, and ours, are read`() {
        for (text, message) in Self.manualMessages {
            #expect(Self.read(Self.manual, text) == .success(message), "\(text)")
        }
        for (text, message) in Self.callsMessages {
            #expect(Self.read(Self.calls, text) == .success(message), "\(text)")
        }
    }

    @Test func `what is no message is refused with a reason`() {
        let bad = [
            "", "[]", "17", "{", #"{"type":1}"#, "{}", #"{"type":"unknown"}"#, #"{"type":"sdp:offer"}"#,
            #"{"type":"sdp:offer","sdp":7}"#, #"{"type":"sdp:offer","sdp":"v=0","id":"x"}"#, #"{"type":"join"}"#,
            #"{"type":"join","call_id":"\#(Self.call)","role":"host"}"#, #"{"type":"ice:candidate"}"#,
            #"{"type":"ice:candidate","candidate":"nonsense"}"#, #"{"type":"ice:candidate","candidate":{}}"#,
            #"{"type":"control","action":"dance"}"#, #"{"type":"control","action":"mute"}"#,
            #"{"type":"control","action":"mute","on":"yes"}"#,
            #"{"type":"control","action":"layer","mid":"0","layer":8}"#,
            #"{"type":"control","action":"pin","on":true}"#,
            "{\"type\":\"ping\",\"deep\":" + String(repeating: "[", count: 40) + String(repeating: "]", count: 40)
                + "}",
        ]
        for text in bad {
            guard case .failure(.invalidMessage(let reason)) = Self.read(Self.manual, text) else {
                Issue.record("\(text) was read")
                continue
            }
            #expect(!reason.isEmpty)
        }
        #expect(Self.read(Self.manual, #"{"type":"join","call_id":"nobody"}"#) == .failure(.call(.notFound)))
    }

    @Test func `nobody speaks for somebody else`() {
        for type in ["offer", "mute", "ping"] {
            let text = #"{"type":"\#(type)","sdp":"v=0","muted":true,"user_id":"\#(Self.other)"}"#
            #expect(Self.read(Self.calls, text) == .failure(.notPermitted("`user_id` is somebody else")))
        }
    }

    // MARK: Writing

    private static func info() -> CallInfo {
        CallInfo(
            id: call, shape: .direct, kind: .audio, caller: user, host: user, conversation: nil, state: .ongoing,
            createdAt: .now(),
            participants: [user, other].map {
                CallParticipant(user: $0, state: .joined, session: .random(), invitedAt: .now())
            })
    }

    private static var recording: CallRecording {
        var recording = CallRecording(
            id: RecordingID(.random()), call: call, startedBy: user, policy: .ask, store: .backup, keyVersion: 1,
            startedAt: .now())
        recording.state = .recording
        recording.people = [(user, RecordingConsent.agreed), (other, .refused)].map { user, consent in
            RecordingPerson(user: user, isPresent: true, consent: consent, means: .socket, changedAt: .now())
        }
        return recording
    }

    @Test func `a recording is told alike in both dialects, and with the join`() throws {
        let id = Self.recording
        let manual = try Self.write(Self.manual, .recording(id))[0]
        let data = try #require(try Self.write(Self.calls, .recording(id))[0]["data"]?.objectValue)
        #expect(manual["type"] == .string("recording") && manual["on"] == .bool(true))
        #expect(manual["state"] == .string("recording") && manual["reason"] == .null)
        #expect(manual["participants"]?.arrayValue?.count == 2)
        for (name, value) in data.pairs { #expect(manual[name] == value) }
        var call = Self.info()
        call.recording = id
        let ice = RelayOptions().configuration(for: .random(), now: .now())
        for (found, state) in [(call, JSONValue.string("recording")), (Self.info(), .null)] {
            let welcome = Welcome(
                call: found, user: Self.user, role: .offerer, resumeToken: "T", resumeSeconds: 30, isResumed: false,
                own: nil, participants: [], ice: ice)
            let told = try Self.write(Self.manual, .joined(welcome))[0]["recording"]
            #expect(told?["state"] ?? told == state)
        }
        // One that is over is off, and says why.
        var over = id
        (over.state, over.end) = (.finished, .timeLimit)
        let last = try Self.write(Self.manual, .recording(over))[0]
        #expect(last["state"] == .string("off") && last["on"] == .bool(false))
        #expect(last["reason"] == .string("time_limit"))
    }

    @Test func `an answer to a recording has the same words in both dialects`() {
        for agrees in [true, false] {
            let manual = #"{"type":"control","action":"consent","agree":\#(agrees),"id":9}"#
            let calls = #"{"type":"consent","agree":\#(agrees),"id":9}"#
            let answer = Result<ClientMessage, SignalingFault>.success(.consent(agrees: agrees, id: 9))
            #expect(Self.read(Self.manual, manual) == answer && Self.read(Self.calls, calls) == answer)
        }
        for text in [#"{"type":"consent"}"#, #"{"type":"consent","agree":"yes"}"#, #"{"type":"record","on":1}"#] {
            guard case .failure(.invalidMessage) = Self.read(Self.calls, text) else {
                Issue.record("\(text) was read")
                continue
            }
        }
        let record = #"{"type":"control","action":"record","on":true,"id":2}"#
        #expect(Self.read(Self.manual, record) == .success(.host(.record(true), id: 2)))
    }

    private static func write(_ codec: any SignalingCodec, _ message: ServerMessage) throws -> [JSONValue] {
        try codec.write(message).map { bytes in try JSONValue(parsing: bytes) }
    }

    private static var everything: [ServerMessage] {
        let call = info()
        let view = ParticipantView(call.participants[1])
        let ice = RelayOptions().configuration(for: .random(), now: .now())
        return [
            .joined(
                Welcome(
                    call: call, user: user, role: .offerer, resumeToken: "T", resumeSeconds: 30, isResumed: false,
                    own: view, participants: [view], ice: ice)),
            .participantJoined(view), .participantLeft(other, reason: "left"), .participantUpdated(view),
            .offer(sdp: "v=0", id: 1), .answer(sdp: "v=0", id: nil),
            .tracks([TrackView(mid: "0", kind: .audio, user: other)]), .speaker(other),
            .stream(mid: "0", paused: .bandwidth), .layers(mid: "0", unwatched: [1, 2]), .quality(QualityView()),
            .recording(Self.recording), .status(call, by: nil), .incoming(call), .ringingStopped(call, .answered),
            .presence(other, Presence(status: .inCall, lastSeen: .now())), .iceServers(ice),
            .reconnect(url: "wss://other.example", seconds: 20), .fault(.notJoined, ref: 4), .pong(id: 1),
        ]
    }

    @Test func `every message has a form in both dialects`() throws {
        for message in Self.everything {
            let manual = try Self.write(Self.manual, message)
            #expect(manual.count == 1 && manual[0]["type"]?.stringValue?.isEmpty == false && manual[0]["data"] == nil)
            for json in try Self.write(Self.calls, message) {
                let isFlat = json["sdp"] != nil
                #expect(json["type"]?.stringValue?.isEmpty == false)
                #expect(isFlat == (json["data"] == nil), "\(json)")
            }
        }
    }

    @Test func `events have the documents' names and members`() throws {
        let call = Self.info()
        let view = ParticipantView(call.participants[1])
        let updated = try Self.write(Self.calls, .participantUpdated(view))
        #expect(
            updated.map { $0["type"]?.stringValue } == ["participant_muted", "participant_video", "participant_update"])
        #expect(updated[0]["data"]?["muted"]?.boolValue == false)
        #expect(updated[1]["data"]?["video_enabled"]?.boolValue == true)
        let joined = try Self.write(Self.calls, .participantJoined(view))[0]
        #expect(joined["type"]?.stringValue == "participant_update")
        #expect(joined["data"]?["action"]?.stringValue == "joined")
        #expect(joined["data"]?["user_id"]?.stringValue == "\(Self.other)")
        let status = try Self.write(Self.calls, .status(call, by: Self.other))[0]
        #expect(status["type"]?.stringValue == "call_status_update")
        #expect(status["data"]?["participant_id"]?.stringValue == "\(Self.other)")
        let incoming = try Self.write(Self.calls, .incoming(call))[0]
        #expect(incoming["type"]?.stringValue == "incoming_call")
        #expect(incoming["data"]?["call_type"]?.stringValue == "audio")
        let offer = try Self.write(Self.manual, .offer(sdp: "v=0", id: 2))[0]
        #expect(offer["type"]?.stringValue == "sdp:offer" && offer["id"]?.integerValue == 2)
        let left = try Self.write(Self.manual, .participantLeft(Self.other, reason: "removed"))[0]
        #expect(left["type"]?.stringValue == "participant:left" && left["reason"]?.stringValue == "removed")
    }

    @Test func `a refused description names its line in both dialects`() throws {
        let fault = ServerMessage.fault(.media(.sdpInvalid(line: 7, reason: "no such thing")), ref: 5)
        let manual = try Self.write(Self.manual, fault)[0]
        #expect(manual["type"]?.stringValue == "error" && manual["code"]?.stringValue == "sdp_invalid")
        #expect(manual["info"]?["line"]?.integerValue == 7)
        #expect(manual["info"]?["reason"]?.stringValue == "no such thing")
        #expect(manual["ref"]?.integerValue == 5)
        let calls = try Self.write(Self.calls, fault)[0]
        #expect(calls["data"]?["error_code"]?.stringValue == "SDP_INVALID")
        #expect(calls["data"]?["extra_info"]?["line"]?.integerValue == 7)
        let limited = try Self.write(Self.calls, .fault(.rateLimited(retryAfter: 3), ref: nil))[0]
        #expect(limited["data"]?["error_code"]?.stringValue == "RATE_LIMITED")
        #expect(limited["data"]?["extra_info"]?["retry_after"]?.integerValue == 3)
    }
}
