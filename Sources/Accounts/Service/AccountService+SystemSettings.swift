// The settings that administrators change while the server runs, as they are kept. What a key means, and which may be
// changed, is the configuration's business.

import Base
package import Store
import Synchronization
import Wire

extension AccountService {
    /// By key. Values are no secrets: keys that are cannot be set over the API.
    /// Asked before there is a service, which is made with some of them.
    package static func systemSettings(in database: any Database) async throws(AccountError) -> [String: String] {
        let rows = Selection("SELECT name, value FROM system_settings") { (row) throws(StoreError) in
            (try row.text(0), try row.text(1))
        }
        return Dictionary(uniqueKeysWithValues: try await database.all(rows))
    }

    /// Sets keys, or with `nil` takes them out, together with the note of who did it. The values have been checked.
    package func keepSystemSettings(
        _ changes: [(key: String, value: String?)], by actor: Actor, origin: RequestOrigin
    ) async throws(AccountError) {
        try actor.requireAdmin()
        let now = clock.now()
        let statements = changes.map { name, value in
            guard let value else { return Change("DELETE FROM system_settings WHERE name = \(name)") }
            return Change(
                """
                INSERT INTO system_settings (name, value, changed_by, changed_at) \
                VALUES (\(name), \(value), \(actor.userID), \(now)) \
                ON CONFLICT (name) DO UPDATE SET value = excluded.value, changed_by = excluded.changed_by, \
                changed_at = excluded.changed_at
                """)
        }
        let details = changes.map { ($0.key, $0.value.map(JSONValue.string) ?? .null) }
        try await commit(
            statements,
            event(
                .settingsChanged, actor: actor.userID, severity: .warning, origin: origin, details: details))
    }

    /// Whether people may register themselves, from now on.
    package func setRegistration(isOpen: Bool) { registrationIsOpen.store(isOpen, ordering: .relaxed) }
}
