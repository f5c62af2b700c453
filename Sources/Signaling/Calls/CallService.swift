// The one owner of all live calls of this node: who may do what, in one actor, over the rules of `CallMachine`.

package import Accounts
package import Base
package import Store

package actor CallService {
    package init(
        database: any Database, accounts: AccountService, presence: PresenceBook, media: any CallMedia,
        events: any CallEvents, clock: Clock = .system, options: CallOptions = CallOptions()
    ) {
        fatalError("signatures only")
    }

    // MARK: Running

    /// Closes as `failed` what a crash left on. Before the first request.
    package func start() async throws(CallError) { fatalError("signatures only") }

    /// Ends every call, and takes no more.
    package func stop() async { fatalError("signatures only") }

    /// What is due now: ringing that nobody answered, people who did not come back, empty calls. Called every second.
    package func advance() async { fatalError("signatures only") }

    // MARK: Calling (REST and sockets)

    package func initiate(_ new: NewCall, by principal: Principal) async throws(CallError) -> CallAdmission {
        fatalError("signatures only")
    }

    /// Accepts, enters or comes back. The signaling socket has to be there soon: see `attach`.
    package func join(_ id: CallID, by principal: Principal) async throws(CallError) -> CallAdmission {
        fatalError("signatures only")
    }

    /// What calls.md's `end` means for whoever asks: declines while it rings for them, cancels while nobody has
    /// answered, ends a call of two, ends any call for its host; everybody else leaves.
    package func end(_ id: CallID, by principal: Principal) async throws(CallError) { fatalError("signatures only") }

    package func decline(_ id: CallID, by principal: Principal) async throws(CallError) {
        fatalError("signatures only")
    }

    /// Goes, or declines where they are only called.
    package func leave(_ id: CallID, by principal: Principal) async throws(CallError) { fatalError("signatures only") }

    // MARK: Reading

    package func call(_ id: CallID, for principal: Principal) async throws(CallError) -> CallInfo {
        fatalError("signatures only")
    }

    /// The calls that are on and concern the user.
    package func activeCalls(of user: UserID) -> [CallInfo] { fatalError("signatures only") }

    package func history(
        of user: UserID, conversation: UUID?, offset: Int, limit: Int
    ) async throws(CallError) -> Page<CallInfo> {
        fatalError("signatures only")
    }

    /// For the call's owner and for `calls.admin`; live or as kept at the end.
    package func metrics(
        of id: CallID, for principal: Principal
    ) async throws(CallError) -> (call: CallInfo, measurements: [UserID: ParticipantMeasurements]) {
        fatalError("signatures only")
    }

    // MARK: Sockets

    /// Whom a signaling token is for, while the login that it was given to counts.
    package func principal(
        ofSignalingToken token: String
    ) async throws(CallError) -> (principal: Principal, call: CallID) {
        fatalError("signatures only")
    }

    /// A socket of this login is there for this call: joins it where it has not joined yet, and ends the waiting for
    /// a lost device. Returns the call and what media may do for them.
    package func attach(
        _ id: CallID, by principal: Principal
    ) async throws(CallError) -> (call: CallInfo, permissions: MediaPermissions) {
        fatalError("signatures only")
    }

    /// The login's last socket for this call is gone. Its place is kept for the grace time; media goes on meanwhile.
    package func detach(_ id: CallID, user: UserID, device: DeviceID) async { fatalError("signatures only") }

    /// Calls that ring for a user now: for a device that has just connected, which counts as having been told.
    package func incomingCalls(for user: UserID) async -> [CallInfo] { fatalError("signatures only") }

    /// Mute, video off, hold, raised hand: one's own.
    package func change(_ id: CallID, _ change: ControlsChange, by principal: Principal) async throws(CallError) {
        fatalError("signatures only")
    }

    /// Media of somebody broke for good: they leave as if their connection were lost.
    package func mediaEnded(_ id: CallID, user: UserID) async { fatalError("signatures only") }

    // MARK: The host's powers (`calls.admin` has them everywhere)

    package func invite(_ users: [UserID], to id: CallID, by principal: Principal) async throws(CallError) {
        fatalError("signatures only")
    }

    /// Switches somebody's microphone off; they may switch it on again.
    package func mute(_ user: UserID, in id: CallID, by principal: Principal) async throws(CallError) {
        fatalError("signatures only")
    }

    /// What somebody may do until it is changed again.
    package func setPermissions(
        _ permissions: MediaPermissions, of user: UserID, in id: CallID, by principal: Principal
    ) async throws(CallError) {
        fatalError("signatures only")
    }

    /// Their media is cut before this returns.
    package func remove(_ user: UserID, from id: CallID, by principal: Principal) async throws(CallError) {
        fatalError("signatures only")
    }

    package func setLocked(_ isLocked: Bool, _ id: CallID, by principal: Principal) async throws(CallError) {
        fatalError("signatures only")
    }

    package func endForAll(_ id: CallID, by principal: Principal) async throws(CallError) {
        fatalError("signatures only")
    }
}
