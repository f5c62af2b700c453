// The book of keys in the database: docs/formats/vault.md, "Tables". A change and its notes are one transaction, which is
// for one revision of the book only.

package import Base
package import Store
package import Vault
import Wire

/// Who changes a key, and from where; for the note.
package struct KeyChangeOrigin: KeyActor {
    package let actor: Actor
    package let origin: RequestOrigin

    package init(_ actor: Actor, _ origin: RequestOrigin) {
        self.actor = actor
        self.origin = origin
    }
}

package struct SQLKeyRepository: KeyRepository {
    private let database: any Database
    private let clock: Clock

    package init(database: any Database, clock: Clock = .system) {
        self.database = database
        self.clock = clock
    }

    package func load() async throws(KeyError) -> KeyBook? {
        let rows: [Row]
        do { rows = try await database.query(VaultTables.book) } catch { throw KeyError(error) }
        do { return try VaultTables.book(from: rows) } catch { throw KeyError(error) }
    }

    package func begin(_ book: KeyBook) async throws(KeyError) -> Bool {
        try await database.transaction { (transaction) async throws(KeyError) -> Bool in
            try await transaction.apply(VaultTables.insert(book.root)) == 1
        }
    }

    package func replace(
        _ old: KeyBook, with new: KeyBook, noting events: [KeyEvent], by actor: (any KeyActor)?
    ) async throws(KeyError) -> Bool {
        let notes = events.map { note($0, actor as? KeyChangeOrigin) }
        return try await database.transaction { (transaction) async throws(KeyError) -> Bool in
            guard try await transaction.apply(VaultTables.replace(new.root, at: old.root.revision)) == 1 else {
                return false
            }
            for statement in VaultTables.changes(from: old, to: new) { try await transaction.apply(statement) }
            for note in notes { try await transaction.apply(AuditTable.insert(note)) }
            return true
        }
    }

    private func note(_ event: KeyEvent, _ by: KeyChangeOrigin?) -> AuditEvent {
        var details = JSONObject()
        for (name, value) in event.details { details[name] = .string(value) }
        let target = event.key.map { key in event.version.map { "\(key):\($0)" } ?? key }
        return AuditEvent(
            time: clock.now(), actor: by?.actor.userID, action: event.action.rawValue, severity: event.severity,
            target: target, origin: by?.origin ?? .console, details: details)
    }
}

extension KeyEvent {
    fileprivate var severity: AuditSeverity {
        switch action {
        case .created, .rewrapped, .rescheduled: .info
        case .rotated, .enabled, .destructionCancelled: .warning
        case .disabled, .destructionScheduled, .destroyed, .rootChanged, .sharesMade: .critical
        }
    }
}

extension KeyError: StoreFailureConvertible {
    package init(_ failure: StoreError) {
        switch failure {
        case .unavailable(let words): self = .repository(words, isPassing: true)
        case .corrupt(let words): self = .corrupt(words)
        case .conflict, .misuse: self = .repository(failure.words, isPassing: false)
        }
    }
}

extension AccountError {
    /// A key that fails an account's operation: for its caller that is the store.
    package init(_ failure: KeyError) {
        switch failure {
        case .repository(let words, isPassing: true): self = .store(.unavailable(words))
        case .contended: self = .store(.unavailable(failure.description))
        default: self = .store(.corrupt(failure.description))
        }
    }
}

extension Transaction {
    @discardableResult
    fileprivate func apply(_ statement: Statement) async throws(KeyError) -> Int {
        do { return try await execute(statement) } catch { throw KeyError(error) }
    }
}
