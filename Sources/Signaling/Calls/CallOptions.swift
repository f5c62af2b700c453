// What an operator may set about calls. The defaults are the documents' numbers where they give any.

import Base

package struct CallOptions: Sendable {
    /// Longer rings on; shorter misses people who are not at the phone.
    package var ringTime = Duration.seconds(45)
    /// How long the place of a device that was lost, or has not opened its socket yet, is kept. Longer helps on bad
    /// networks, and keeps a phantom in the call for as long.
    package var resumeGrace = Duration.seconds(30)
    /// How long a group's call waits, empty, for somebody to come back.
    package var emptyGrace = Duration.seconds(30)
    /// For the socket to be opened with; renewed by joining again.
    package var tokenLifetime = Duration.minutes(5)
    /// People in one call, those who have left included: what one change costs grows with it.
    package var participantsPerCall = 250
    /// Live calls on this node; each costs about 1 KiB and 0.5 KiB a participant.
    package var liveCalls = 10_000
    /// Calls that ring for one user at the same time; further callers find them busy.
    package var ringsPerUser = 5
    /// Calls that one user may begin in `initiationWindow` (calls.md: 10 per hour); `nil` for any number.
    package var initiations: Int? = 10
    package var initiationWindow = Duration.hours(1)
    package var relays = RelayOptions()
    package var recording = RecordingOptions()

    package init() {}
}
