// What is said about a call, in values that all dialects share.

package import Accounts
package import Base
package import Media

package enum CallIdentity: IdentifierKind { package static let prefix = "call" }
package typealias CallID = Identifier<CallIdentity>

/// What a call was begun as. Decides what is shown and offered first; what may be sent is `MediaPermissions`.
package enum CallKind: String, Sendable, CaseIterable { case audio, video }

/// Stored by its name, which is calls.md's word for it: never renamed.
package enum CallState: String, Sendable, CaseIterable {
    /// Begun; no device of anybody who is called has it yet.
    case initiating
    /// At least one device rings.
    case ringing
    /// Two people at least have been in it.
    case ongoing
    case ended
    /// Nobody answered in time, or the caller gave up before.
    case missed
    /// Everybody who was called refused or was busy.
    case declined
    /// It was on when the server ended without closing it.
    case failed

    package var isOver: Bool {
        switch self {
        case .initiating, .ringing, .ongoing: false
        case .ended, .missed, .declined, .failed: true
        }
    }
}

/// Why a call is over, more exactly than its state says. Stored by name.
package enum CallEnd: String, Sendable, CaseIterable {
    case hangUp = "hang_up"
    /// The host, or a moderator, ended it for everybody.
    case endedForAll = "ended_for_all"
    /// Everybody had left, and nobody came back in time.
    case empty
    case cancelled, unanswered, declined, busy
    case connectionLost = "connection_lost"
    case serverStopped = "server_stopped"
    /// Found at start-up: the server had ended without closing it.
    case serverRestarted = "server_restarted"
}

/// Who belongs to a call, and what its emptiness means. Stored by name.
package enum CallShape: String, Sendable, CaseIterable {
    /// Two people: when one goes, it is over.
    case direct
    /// Several: people come and go, and the last one ends it.
    case group
    /// A place rather than an event (a voice channel): nobody is rung, membership of the place admits.
    case standing
}

/// One login of a user: where they are in a call. A page and its reload are one device, a phone and a laptop are two.
package struct DeviceID: Hashable, Sendable {
    package let uuid: UUID
    /// An API key, which goes on when a user's sessions end.
    package let isKey: Bool

    package init(_ uuid: UUID, isKey: Bool = false) {
        self.uuid = uuid
        self.isKey = isKey
    }

    package init(_ principal: Principal) {
        isKey = principal.session == nil && principal.apiKey != nil
        uuid = principal.session?.uuid ?? principal.apiKey?.uuid ?? principal.user.uuid
    }
}

/// A call, live or over: the same value for sockets, REST and the history.
package struct CallInfo: Sendable, Equatable {
    package let id: CallID
    package let shape: CallShape
    package let kind: CallKind
    /// Who began it: its owner for good, whoever hosts it now.
    package let caller: UserID
    package internal(set) var host: UserID
    /// What it belongs to, where that is anything.
    package let conversation: UUID?
    package internal(set) var state: CallState
    package internal(set) var end: CallEnd?
    package let createdAt: Timestamp
    /// When it became `ongoing`.
    package internal(set) var answeredAt: Timestamp?
    package internal(set) var endedAt: Timestamp?
    /// Nobody comes in any more who is not in it.
    package internal(set) var isLocked = false
    /// Everybody who was ever called to it, the caller first, then in order of invitation.
    package internal(set) var participants: [CallParticipant]
    /// What its descriptions agree on first, where both sides have it. Not stored: nobody negotiates in a call that is over.
    package internal(set) var preferredCodecs: [Codec] = []
    /// The one that is on, once people are told of it.
    package internal(set) var recording: CallRecording?

    package func participant(_ user: UserID) -> CallParticipant? { participants.first { $0.user == user } }

    package var joined: [UserID] { participants.filter(\.isJoined).map(\.user) }

    /// Who is concerned by what happens: in it, or still being called.
    package var present: [UserID] { participants.filter { $0.isJoined || $0.isCalled }.map(\.user) }

    /// From the answer to the end; `nil` before the end and where nobody answered.
    package var duration: Duration? {
        guard let answeredAt, let endedAt else { return nil }
        return endedAt - answeredAt
    }
}

package struct CallParticipant: Sendable, Equatable {
    /// Stored by name.
    package enum State: String, Sendable, CaseIterable {
        /// Called; no device of theirs has it yet.
        case invited
        /// A device of theirs rings.
        case ringing
        case joined
        /// Was in it, or gave up calling.
        case left
        case declined
        case missed
        /// Was in another call when they were called.
        case busy
        /// Taken out by the host: does not come back.
        case removed
    }

    /// Whether the device that joined can be reached. What a lost one may come back to is kept until then.
    package enum Link: Sendable, Equatable {
        /// Joined over REST; its socket is expected until then.
        case expected(until: Timestamp)
        case attached
        case lost(until: Timestamp)
    }

    package let user: UserID
    package internal(set) var state: State
    /// The device that they are in the call with, or were.
    package internal(set) var device: DeviceID?
    package internal(set) var link: Link?
    /// Stands for this person in this call where the person must not be named: relay credentials.
    package internal(set) var session: UUID
    package let invitedAt: Timestamp
    /// The first time.
    package internal(set) var joinedAt: Timestamp?
    /// The last time.
    package internal(set) var leftAt: Timestamp?
    package internal(set) var permissions = MediaPermissions.all
    package internal(set) var controls = ParticipantControls()
    /// What was measured of their media, once they have left; `nil` where nothing was.
    package internal(set) var measurements: ParticipantMeasurements?

    package var isJoined: Bool { state == .joined }
    package var isCalled: Bool { state == .invited || state == .ringing }
    /// In the call, but out of reach for the moment.
    package var isLost: Bool { if case .lost? = link { isJoined } else { false } }

    /// What media may do for them now: what they are allowed, less what is switched off.
    package var effectivePermissions: MediaPermissions {
        if controls.isHeld { return [] }
        var effective = permissions
        if controls.isMuted { effective.remove(.sendAudio) }
        if controls.isVideoOff { effective.remove(.sendVideo) }
        return effective
    }
}

/// What the server forwards for somebody. Stored as a bit set: bits are never renumbered.
package struct MediaPermissions: OptionSet, Sendable, Hashable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package static let sendAudio = MediaPermissions(rawValue: 1 << 0)
    package static let sendVideo = MediaPermissions(rawValue: 1 << 1)
    package static let sendScreen = MediaPermissions(rawValue: 1 << 2)
    package static let sendData = MediaPermissions(rawValue: 1 << 3)
    package static let receive = MediaPermissions(rawValue: 1 << 4)
    package static let all: MediaPermissions = [.sendAudio, .sendVideo, .sendScreen, .sendData, .receive]
}

/// What a participant, or the host for them, has switched. The others are told of it, and the server enforces it.
package struct ParticipantControls: Sendable, Equatable {
    package var isMuted = false
    package var isVideoOff = false
    /// Neither sends nor gets anything.
    package var isHeld = false
    package var isHandRaised = false

    package init() {}
}

/// A change of one's own controls; what is `nil` stays.
package struct ControlsChange: Sendable, Equatable {
    package var isMuted: Bool?
    package var isVideoOff: Bool?
    package var isHeld: Bool?
    package var isHandRaised: Bool?

    package init(
        isMuted: Bool? = nil, isVideoOff: Bool? = nil, isHeld: Bool? = nil, isHandRaised: Bool? = nil
    ) {
        self.isMuted = isMuted
        self.isVideoOff = isVideoOff
        self.isHeld = isHeld
        self.isHandRaised = isHandRaised
    }
}

/// A call that somebody wants to begin.
package struct NewCall: Sendable {
    package let kind: CallKind
    /// Without the caller, who is dropped from it; twice the same counts once.
    package let invited: [UserID]
    /// What everybody in it may send.
    package let permissions: MediaPermissions
    package let preferredCodecs: [Codec]

    package init(
        kind: CallKind, invited: [UserID], permissions: MediaPermissions = .all, preferredCodecs: [Codec] = []
    ) {
        self.kind = kind
        self.invited = invited
        self.permissions = permissions
        self.preferredCodecs = preferredCodecs
    }
}

/// What somebody gets who begins or joins a call.
package struct CallAdmission: Sendable {
    package let call: CallInfo
    /// For the signaling socket: names this call and this login, and nothing else may be done with it.
    package let token: Secret
    package let tokenExpiresAt: Timestamp
}
