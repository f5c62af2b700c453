// What is said over a signaling socket, as values: each dialect has a codec that reads and writes them.
//
// docs/protocol/signaling.md has the meaning of each and the answers to it.

import Accounts
package import Base
package import Media

/// From a client.
package enum ClientMessage: Sendable, Equatable {
    case join(JoinRequest)
    case offer(NegotiationMachine.Description)
    case answer(NegotiationMachine.Description)
    /// Checked for its form by the codec. What it says is not needed: see the page.
    case candidate
    case hangUp
    case change(ControlsChange)
    /// What only the host may.
    case host(HostAction, id: Int64?)
    /// One's own answer to the recording of the call.
    case consent(agrees: Bool, id: Int64?)
    case wish(mid: String, StreamWish)
    case restart
    /// Whose presence this socket is told from now on.
    case watch([UserID])
    /// `nil` for everybody.
    case unwatch([UserID]?)
    case ping(id: Int64?)
}

package struct JoinRequest: Sendable, Equatable {
    package var call: CallID
    package var role: NegotiationMachine.Role
    package var resumeToken: String?

    package init(call: CallID, role: NegotiationMachine.Role, resumeToken: String? = nil) {
        self.call = call
        self.role = role
        self.resumeToken = resumeToken
    }
}

/// What a client wants of one of its sections.
package enum StreamWish: Sendable, Equatable {
    /// 255 for all that there are.
    case layers(largest: UInt8, temporal: UInt8)
    case pinned(Bool)
    case paused(Bool)
}

/// To a client.
package enum ServerMessage: Sendable, Equatable {
    case joined(Welcome)
    case participantJoined(ParticipantView)
    case participantLeft(UserID, reason: String)
    case participantUpdated(ParticipantView)
    case offer(sdp: String, id: Int64)
    case answer(sdp: String, id: Int64?)
    case tracks([TrackView])
    case speaker(UserID)
    case stream(mid: String, paused: PauseReason?)
    case layers(mid: String, unwatched: [UInt8])
    case quality(QualityView)
    case recording(CallRecording)
    case status(CallInfo, by: UserID?)
    case incoming(CallInfo)
    case ringingStopped(CallInfo, RingingEnd)
    case presence(UserID, Presence)
    /// Relay credentials in the place of those that end soon.
    case iceServers(ICEConfiguration)
    case reconnect(url: String, seconds: Int)
    case fault(SignalingFault, ref: Int64?)
    case pong(id: Int64?)
}

/// The answer to a join.
package struct Welcome: Sendable, Equatable {
    package let call: CallInfo
    package let user: UserID
    package let role: NegotiationMachine.Role
    package let resumeToken: String
    package let resumeSeconds: Int
    package let isResumed: Bool
    /// The client's own part, as the others see it.
    package let own: ParticipantView?
    package let participants: [ParticipantView]
    package let ice: ICEConfiguration
}

package struct ParticipantView: Sendable, Equatable {
    package let user: UserID
    /// Whether they are in it, or being called, or what became of that.
    package let state: CallParticipant.State
    /// Whether it is sending, as far as it and its permissions say.
    package let audio: Bool
    package let video: Bool
    package let isHeld: Bool
    package let isHandRaised: Bool
    package let isConnected: Bool
    /// What the host lets them do.
    package let permissions: MediaPermissions

    package init(_ participant: CallParticipant) {
        let effective = participant.effectivePermissions
        user = participant.user
        state = participant.state
        permissions = participant.permissions
        audio = effective.contains(.sendAudio)
        video = effective.contains(.sendVideo)
        isHeld = participant.controls.isHeld
        isHandRaised = participant.controls.isHandRaised
        isConnected = participant.isJoined && !participant.isLost
    }
}

package struct TrackView: Sendable, Equatable {
    package let mid: String
    package let kind: MediaKind
    package let user: UserID
}

/// `nil` where nothing was measured.
package struct QualityView: Sendable, Equatable {
    package var roundTrip: Duration?
    package var lossShare: Double?
    package var bitsIn: Int?
    package var bitsOut: Int?
    package var estimate: Int?

    package init() {}
}

package enum SignalingFault: Error, Sendable, Equatable {
    /// Not an object of JSON, a member that is missing or of another type, a type that nobody knows.
    case invalidMessage(String)
    case notJoined
    case alreadyJoined
    case unexpectedAnswer
    case negotiationTimeout
    case rateLimited(retryAfter: Int)
    case tooManyWatched(limit: Int)
    case resumeInvalid
    /// Whom a host's wish is about is not in the call.
    case participantAbsent
    case notPermitted(String)
    case media(MediaError)
    case call(CallError)
}

/// Why we close; calls.md has 4001 to 4005.
package enum SignalingClosure: UInt16, Sendable, Equatable {
    case normal = 1000
    case serverStops = 1001
    case authenticationFailed = 4001
    case invalidMessages = 4002
    case rateLimited = 4003
    case notFound = 4004
    case denied = 4005
}
