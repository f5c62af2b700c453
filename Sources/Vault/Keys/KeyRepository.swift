// Where the book of keys is kept. Vault knows no database: who has one supplies this (`SQLKeyRepository` in Accounts).

package import Base

package enum KeyError: Error, Equatable, CustomStringConvertible {
    case vault(VaultError)
    case unknownKey(String)
    case unknownVersion(String, UInt32)
    /// The version is in a state in which that cannot be done; the text says which, and what can.
    case state(String)
    /// The kind of the key does not do that.
    case kind(String)
    /// It still opens so many things: destroying it loses them.
    case inUse(count: Int, what: String)
    /// A schedule that cannot be read, a time that has passed, a count out of range.
    case invalid(String)
    case limitReached(String)
    /// Somebody else changed the keys in the meantime, again and again.
    case contended
    /// What is kept is not what was kept.
    case corrupt(String)
    /// The database failed; `isPassing`: a later try may succeed.
    case repository(String, isPassing: Bool)

    package var description: String {
        switch self {
        case .vault(let error): "\(error)"
        case .unknownKey(let name): "there is no key `\(name)`"
        case .unknownVersion(let name, let number): "the key `\(name)` has no version \(number)"
        case .state(let text), .kind(let text), .invalid(let text), .limitReached(let text): text
        case .inUse(let count, let what):
            "it still opens \(count) \(what); have them sealed anew first, or destroy it with force and lose them"
        case .contended: "the keys are being changed by others; try again"
        case .corrupt(let text): "the kept keys were changed: \(text)"
        case .repository(let text, _): text
        }
    }
}

/// What is noted together with a change.
package struct KeyEvent: Sendable, Equatable {
    package enum Action: String, Sendable, CaseIterable {
        case created = "key.created"
        case rotated = "key.rotated"
        case rescheduled = "key.rescheduled"
        case disabled = "key.disabled"
        case enabled = "key.enabled"
        case destructionScheduled = "key.destroy_scheduled"
        case destructionCancelled = "key.destroy_cancelled"
        case destroyed = "key.destroyed"
        case rewrapped = "key.rewrapped"
        case rootChanged = "vault.root_changed"
        case sharesMade = "vault.shares_made"
    }

    package let action: Action
    /// `nil` where it is about the root key.
    package let key: String?
    package let version: UInt32?
    package let details: [(name: String, value: String)]

    package init(
        _ action: Action, _ key: String?, _ version: UInt32? = nil, details: [(name: String, value: String)] = []
    ) {
        self.action = action
        self.key = key
        self.version = version
        self.details = details
    }

    package static func == (left: KeyEvent, right: KeyEvent) -> Bool {
        left.action == right.action && left.key == right.key && left.version == right.version
            && left.details.elementsEqual(right.details) { $0 == $1 }
    }
}

/// Who changes keys. Vault hands it through to who writes the note.
package protocol KeyActor: Sendable {}

package protocol KeyRepository: Sendable {
    /// All of it, as it was at one moment; `nil` for a new installation.
    func load() async throws(KeyError) -> KeyBook?

    /// Keeps the first book, durably. False when there is one already, which then stays.
    func begin(_ book: KeyBook) async throws(KeyError) -> Bool

    /// Puts `new` in the place of `old` together with its notes: all of it, durably, or nothing. False when what is kept
    /// is not of `old`'s revision any more; then nothing is changed.
    func replace(
        _ old: KeyBook, with new: KeyBook, noting events: [KeyEvent], by actor: (any KeyActor)?
    ) async throws(KeyError) -> Bool
}

/// Something that was made with a key and needs it: sealed rows, tokens, files.
package protocol KeyUser: Sendable {
    /// The key's name.
    var key: String { get }
    /// In words, for who is about to destroy the key: `second factors`.
    var what: String { get }
    /// How many need this version.
    func count(of version: KeyVersion, at now: Timestamp) async throws(KeyError) -> Int
    /// Has up to `limit` things that need another version made anew with the active one, durably, and returns how many.
    /// Zero when none is left. Broken off at any moment, it goes on the next time.
    func rewrap(_ keys: VaultKeys, limit: Int) async throws(KeyError) -> Int
    /// How many things need another version than the active one, or 0 for what is not made anew.
    func countToRewrap(_ keys: VaultKeys) async throws(KeyError) -> Int
}

extension KeyUser {
    package func rewrap(_ keys: VaultKeys, limit: Int) async throws(KeyError) -> Int { 0 }
    package func countToRewrap(_ keys: VaultKeys) async throws(KeyError) -> Int { 0 }
}
