// What the host of a call may do, as one value for sockets: the rules are `CallMachine`'s, as for REST.

package import Accounts
package import Base

package enum HostAction: Sendable, Equatable {
    /// The microphone is off until its owner switches it on again.
    case mute(UserID)
    case permissions(UserID, PermissionsChange)
    case remove(UserID)
    case lock(Bool)
    case endForAll
    case invite([UserID])
    /// Begins or ends a recording. Who may is the server's policy, and may be others than the host.
    case record(Bool)
}

/// What somebody may from now on, and may not; what neither names stays.
package struct PermissionsChange: Sendable, Equatable {
    package var granted: MediaPermissions
    package var taken: MediaPermissions

    package init(granted: MediaPermissions = [], taken: MediaPermissions = []) {
        self.granted = granted
        self.taken = taken
    }

    /// What is both granted and taken is taken.
    package func applied(to permissions: MediaPermissions) -> MediaPermissions {
        permissions.union(granted).subtracting(taken)
    }
}

extension CallService {
    package func act(_ action: HostAction, in id: CallID, by principal: Principal) async throws(CallError) {
        switch action {
        case .mute(let user): try await mute(user, in: id, by: principal)
        case .permissions(let user, let change):
            try await changePermissions(change, of: user, in: id, by: principal)
        case .remove(let user): try await remove(user, from: id, by: principal)
        case .lock(let isLocked): try await setLocked(isLocked, id, by: principal)
        case .endForAll: try await endForAll(id, by: principal)
        case .invite(let users): try await invite(users, to: id, by: principal)
        case .record(true):
            let wish = RecordingWish(keyVersion: try recordingKeyVersion())
            _ = try await beginRecording(id, wish, by: principal, origin: .socket)
        case .record(false): _ = try await endRecording(id, by: principal, origin: .socket)
        }
    }
}
