// Who has to know at once that a login counts no more: sockets that it has opened, calls that it is in. Declared here,
// supplied by `plexichat`.

package import Base
import Synchronization

package enum AccountEvent: Sendable, Equatable {
    /// This session is over, and every token and cookie of it.
    case sessionEnded(SessionID)
    case keyRevoked(APIKeyID)
    /// All sessions of a user, but the one that is named; their API keys count on.
    case sessionsEnded(of: UserID, but: SessionID?)
    /// Some of the user's sessions may be over, the oldest: see `AccountService.ended`.
    case sessionsMayHaveEnded(of: UserID)
    /// Roles or tier are others: what a principal says of them is old.
    case rightsChanged(of: UserID)
    /// Deactivated or deleted: nothing of theirs counts.
    case accountEnded(UserID)
    /// A signing key was discarded: everybody has to show a credential again.
    case credentialsDiscarded
}

/// Told after the change is durable and before its answer leaves: who was logged out is out when the answer says so.
package protocol AccountEvents: Sendable {
    func happened(_ event: AccountEvent) async
}

/// Whoever listens needs the service to be made, so it comes later.
final class AccountEventsBox: Sendable {
    private let listener = Mutex<(any AccountEvents)?>(nil)

    func set(_ events: any AccountEvents) { listener.withLock { $0 = events } }

    func tell(_ event: AccountEvent) async {
        await listener.withLock { $0 }?.happened(event)
    }
}

extension AccountService {
    package func setEvents(_ events: any AccountEvents) { self.events.set(events) }

    /// After a commit: this node's caches first, so that nobody comes in again while others are told.
    func announce(_ event: AccountEvent) async {
        switch event {
        case .sessionEnded(let id): authenticator.sessionEnded(id)
        case .keyRevoked(let id): authenticator.keyRevoked(id)
        case .sessionsEnded(let user, _), .sessionsMayHaveEnded(let user), .rightsChanged(let user),
            .accountEnded(let user):
            authenticator.userChanged(user)
        case .credentialsDiscarded: authenticator.forgetCredentials()
        }
        await events.tell(event)
    }

    /// Of these, who counts no more: the session or key is over or expired, or its account is. For those who keep a
    /// principal longer than a request.
    package func ended(among principals: [Principal]) async throws(AccountError) -> Set<Principal> {
        let now = clock.now()
        let sessions = principals.compactMap(\.session)
        let keys = principals.compactMap(\.apiKey)
        var live: Set<UUID> = []
        if !sessions.isEmpty {
            live.formUnion(try await database.all(SessionTable.live(among: sessions, at: now)).map(\.uuid))
        }
        if !keys.isEmpty {
            live.formUnion(try await database.all(APIKeyTable.live(among: keys, at: now)).map(\.uuid))
        }
        return Set(
            principals.filter { principal in
                guard let holder = principal.session?.uuid ?? principal.apiKey?.uuid else { return false }
                return !live.contains(holder)
            })
    }
}
