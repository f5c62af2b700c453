// Who looks at whose presence, and what they have not been told yet: of several changes between two tellings only the
// last is told, so that a device that comes and goes costs those who look one message a second.

import Base
import Synchronization

final class PresenceWatchers: Sendable {
    struct News {
        let user: UserID
        let presence: Presence
        let watching: [SignalingConnection]
    }

    private struct State {
        var watching: [UserID: [ObjectIdentifier: SignalingConnection]] = [:]
        var changed: [UserID: Presence] = [:]
    }

    private let state = Mutex(State())

    func add(_ connection: SignalingConnection, to users: some Sequence<UserID>) {
        state.withLock { state in
            for user in users { state.watching[user, default: [:]][ObjectIdentifier(connection)] = connection }
        }
    }

    func remove(_ connection: SignalingConnection, from users: some Sequence<UserID>) {
        state.withLock { state in
            for user in users {
                state.watching[user]?[ObjectIdentifier(connection)] = nil
                if state.watching[user]?.isEmpty == true { state.watching[user] = nil }
            }
        }
    }

    /// Kept until it is told, where anybody looks or shares a call.
    func note(_ presence: Presence, of user: UserID, isShared: Bool) {
        state.withLock { state in
            guard isShared || state.watching[user] != nil else { return }
            state.changed[user] = presence
        }
    }

    func takeNews() -> [News] {
        state.withLock { state in
            defer { state.changed = [:] }
            return state.changed.map { user, presence in
                News(user: user, presence: presence, watching: state.watching[user].map { Array($0.values) } ?? [])
            }
        }
    }

    /// People who are looked at.
    var count: Int { state.withLock { $0.watching.count } }
}
