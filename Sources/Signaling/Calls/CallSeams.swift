// What calls need of others: sockets that carry news to people, and media that obeys. Both are supplied by `plexichat`.

import Accounts
package import Base

/// Something that happened in a call, for clients. The call's value is that after the event.
package struct CallNotice: Sendable, Equatable {
    package enum Event: Sendable, Equatable {
        /// To somebody who is called: ring.
        case incoming
        /// To somebody who was called: stop ringing, except on the device that has answered.
        case ringingStopped(RingingEnd, except: DeviceID?)
        /// The call's state is another one. `by` is who brought that about, where it was a participant.
        case status(by: UserID?)
        case joined(UserID)
        case left(UserID, LeaveReason)
        /// Controls, permissions, or whether they can be reached.
        case updated(UserID)
        case hostChanged
        case lockChanged
        /// The recording of the call, or somebody's consent to it, is another one.
        case recording(CallRecording)
    }

    package let call: CallInfo
    package let event: Event

    package init(_ call: CallInfo, _ event: Event) {
        self.call = call
        self.event = event
    }
}

package enum RingingEnd: String, Sendable {
    case answered
    case answeredElsewhere = "answered_elsewhere"
    case declined
    case declinedElsewhere = "declined_elsewhere"
    case cancelled, timeout, removed
}

package enum LeaveReason: String, Sendable {
    case left
    case connectionLost = "connection_lost"
    case removed
    case callEnded = "call_ended"
}

/// The relay of this server, as far as calls command it.
package protocol RelayGate: Sendable {
    /// Ends what this session has there; its credentials are worth nothing from now on.
    func revoke(session: String) async
}

/// Carries notices to the sockets of people. Called in the order of events, from the call service's executor: it must
/// neither wait nor call back into the service; queueing is its own business.
package protocol CallEvents: Sendable {
    /// Hands a notice to every open socket of these users. Returns those of whom at least one device got it.
    func deliver(_ notice: CallNotice, to users: [UserID]) -> Set<UserID>

    /// A user's presence is another one. To whom that matters is for the sockets to know.
    func presenceChanged(_ user: UserID, _ presence: Presence)
}

/// Media, as far as calls command it. A call's room and its participants are named by the identifiers of the call and
/// the users. Every effect has happened when its method returns: who was cut is not forwarded any more.
package protocol CallMedia: Sendable {
    /// False where the server takes no part in calls.
    var isAvailable: Bool { get }

    /// From now on this user may negotiate in this call, with these permissions.
    func admit(_ user: UserID, to call: CallID, with permissions: MediaPermissions) async

    func setPermissions(_ permissions: MediaPermissions, of user: UserID, in call: CallID) async

    /// Ends whatever the user has in the call, and admits them no more. Returns what was measured until then.
    func cut(_ user: UserID, from call: CallID) async -> ParticipantMeasurements?

    /// Ends the room. Everybody has been cut before.
    func close(_ call: CallID) async

    /// Of everybody who has media in the call now.
    func measurements(of call: CallID) async -> [UserID: ParticipantMeasurements]
}
