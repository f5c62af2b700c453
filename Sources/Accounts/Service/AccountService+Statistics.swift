// How many there are of what, for administrators.

import Base
import Store

package struct AccountStatistics: Sendable {
    /// People; services and nodes are not counted.
    package var people: Int
    package var activePeople: Int
    /// Logins that still count. Issued tokens are not logins.
    package var sessions: Int
}

extension AccountService {
    /// Counts rows, so a caller is an administrator and its rate limit what bounds the cost.
    package func statistics(by actor: Actor) async throws(AccountError) -> AccountStatistics {
        try actor.requireAdmin()
        let now = clock.now()
        let person = User.Kind.person.rawValue
        let statistics = Selection(
            """
            SELECT (SELECT COUNT(*) FROM users WHERE kind = \(person)), \
            (SELECT COUNT(*) FROM users WHERE kind = \(person) AND is_active = 1), \
            (SELECT COUNT(*) FROM sessions WHERE kind = \(TokenKind.user.rawValue) AND revoked_at IS NULL \
            AND expires_at > \(now))
            """
        ) { (row) throws(StoreError) in
            AccountStatistics(
                people: Int(clamping: try row.integer(0)), activePeople: Int(clamping: try row.integer(1)),
                sessions: Int(clamping: try row.integer(2)))
        }
        return try await database.first(statistics) ?? AccountStatistics(people: 0, activePeople: 0, sessions: 0)
    }
}
