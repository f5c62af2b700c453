// Sockets and media as calls see them, in a test's hand: who can be told, what was told, what media was made to do.

package import Base
package import Signaling
import Synchronization

package final class TestCallWorld: CallEvents, CallMedia, RelayGate {
    package struct Told: Sendable {
        package let notice: CallNotice
        package let users: [UserID]
    }

    private struct State {
        var connected: Set<UserID> = []
        var told: [Told] = []
        var admitted: [CallID: [UserID: MediaPermissions]] = [:]
        var closed: Set<CallID> = []
        var measurements: [UserID: ParticipantMeasurements] = [:]
        var isAvailable = true
        var revoked: [String] = []
    }

    private let state = Mutex(State())

    package init() {}

    // MARK: A test's hand

    /// Users whose sockets are open.
    package func connect(_ users: UserID...) { state.withLock { $0.connected.formUnion(users) } }
    package func measure(_ user: UserID, _ measurements: ParticipantMeasurements) {
        state.withLock { $0.measurements[user] = measurements }
    }
    package func switchMediaOff() { state.withLock { $0.isAvailable = false } }

    /// Sessions whose relay credentials are worth nothing any more.
    package var revoked: [String] { state.withLock { $0.revoked } }
    package func revoke(session: String) async { state.withLock { $0.revoked.append(session) } }

    package func told(_ user: UserID) -> [CallNotice.Event] {
        state.withLock { $0.told.filter { $0.users.contains(user) }.map(\.notice.event) }
    }
    /// Whom media would forward now, and with which permissions.
    package func admitted(_ call: CallID) -> [UserID: MediaPermissions] {
        state.withLock { $0.admitted[call] ?? [:] }
    }
    package func isClosed(_ call: CallID) -> Bool { state.withLock { $0.closed.contains(call) } }

    // MARK: CallEvents

    package func deliver(_ notice: CallNotice, to users: [UserID]) -> Set<UserID> {
        state.withLock { state in
            state.told.append(Told(notice: notice, users: users))
            return state.connected.intersection(users)
        }
    }

    package func presenceChanged(_ user: UserID, _ presence: Presence) {}

    // MARK: CallMedia

    package var isAvailable: Bool { state.withLock { $0.isAvailable } }

    package func admit(_ user: UserID, to call: CallID, with permissions: MediaPermissions) async {
        state.withLock { $0.admitted[call, default: [:]][user] = permissions }
    }

    package func setPermissions(_ permissions: MediaPermissions, of user: UserID, in call: CallID) async {
        state.withLock { state in
            guard state.admitted[call]?[user] != nil else { return }
            state.admitted[call]?[user] = permissions
        }
    }

    package func cut(_ user: UserID, from call: CallID) async -> ParticipantMeasurements? {
        state.withLock { state in
            state.admitted[call]?[user] = nil
            return state.measurements[user]
        }
    }

    package func close(_ call: CallID) async { state.withLock { _ = $0.closed.insert(call) } }

    package func measurements(of call: CallID) async -> [UserID: ParticipantMeasurements] {
        state.withLock { state in state.measurements.filter { state.admitted[call]?[$0.key] != nil } }
    }
}
