// Named keys, in use: docs/formats/vault.md, "Named keys". What is done with them is in `VaultKeys+Use.swift`, what is done
// to them in `VaultKeys+Changes.swift`.
//
// The book is read whole and the versions that may open are kept opened in memory. Another node's change is seen when the
// book is read the next time: at most `refreshInterval` later, or at once when something names a version that is not
// known here. Every change is one replacement of the book, prepared from the revision that it was read at: of two at once,
// the second is prepared again.

package import Base
import Crypto
import Synchronization

package final class VaultKeys: Sendable {
    struct State: Sendable {
        var vault: Vault
        var book: KeyBook?
        var rings: [String: KeyRing] = [:]
        var loadedAt: Timestamp?
        /// When the book was last read for something unknown.
        var soughtAt: Timestamp?
    }

    /// A node looks this often whether another one has changed a key.
    package static let refreshInterval = Duration.seconds(60)
    /// What names an unknown version makes a node read the book, at most this often: else invented ones would buy a
    /// database read each.
    private static let reloadInterval = Duration.seconds(1)
    /// Tries of a change that others come before.
    private static let attemptsMax = 8

    package let definitions: [KeyDefinition]
    let repository: any KeyRepository
    let clock: Clock
    let state: Mutex<State>
    let users = Mutex<[any KeyUser]>([])
    /// Before a version that was to be destroyed is.
    package let destructionWait: Duration

    package init(
        vault: Vault, repository: any KeyRepository, definitions: [KeyDefinition], clock: Clock = .system,
        destructionWait: Duration = .days(30)
    ) {
        self.repository = repository
        self.definitions = definitions
        self.clock = clock
        self.destructionWait = destructionWait
        state = Mutex(State(vault: vault))
    }

    /// Says what needs a key, so that it is asked before the key goes, and made anew when it is told to be.
    package func register(_ user: any KeyUser) { users.withLock { $0.append(user) } }

    /// Something in this process has said that it needs this key.
    package func isUsed(_ name: String) -> Bool { users.withLock { $0.contains { $0.key == name } } }

    /// Reads the book, and makes the keys that are not there yet. Fails for a wrong root key before anything is served.
    /// `adopted`: what was kept in another form before its key had a name; counts only where there is no such key yet.
    package func start(adopting adopted: [String: [AdoptedVersion]] = [:]) async throws(KeyError) {
        let vault = state.withLock { $0.vault }
        if try await repository.load() == nil { _ = try await repository.begin(KeyBook(root: vault.record)) }
        try await reload()
        let missing = { [definitions] (book: KeyBook) in definitions.filter { book.keys[$0.name] == nil } }
        guard !missing(try book()).isEmpty else { return }
        try await change(by: nil) { [self] book, vault throws(KeyError) in
            // The first keys of all are no change that anybody made.
            let isFirst = book.keys.isEmpty
            var events: [KeyEvent] = []
            for definition in missing(book) {
                let number = try add(definition, adopted[definition.name] ?? [], to: &book, vault)
                if !isFirst { events.append(KeyEvent(.created, definition.name, number)) }
            }
            return events
        }
    }

    private func add(
        _ definition: KeyDefinition, _ adopted: [AdoptedVersion], to book: inout KeyBook, _ vault: Vault
    ) throws(KeyError) -> UInt32 {
        let now = clock.now()
        let name = definition.name
        try book.add(NamedKey(name: name, kind: definition.kind, createdAt: now))
        for (index, version) in adopted.prefix(KeyBook.versionsMax - 1).enumerated() {
            let number = UInt32(index + 1)
            let made = try Self.wrapped(version.material, definition.kind, name, number, vault)
            book.keys[name]?.versions.append(
                KeyVersion(
                    number: number, state: version.isActive ? .active : .opening, createdAt: version.createdAt,
                    changedAt: version.changedAt, opensUntil: version.opensUntil, fingerprint: made.fingerprint,
                    wrapped: made.wrapped))
        }
        if book.keys[name]?.active == nil {
            _ = try book.rotate(name, at: now) { kind, number throws(KeyError) in
                try Self.newMaterial(kind, name, number, vault)
            }
        }
        let since = book.keys[name]?.active?.createdAt ?? now
        let next = try nextRotation(of: book.keys[name], after: since)
        book.keys[name]?.rotatesAt = next
        return book.keys[name]?.active?.number ?? 0
    }

    // MARK: Reading

    /// As it was read last. Holds no key in plain.
    package func book() throws(KeyError) -> KeyBook {
        guard let book = state.withLock({ $0.book }) else {
            throw .repository("the keys were not read yet", isPassing: true)
        }
        return book
    }

    /// Reads the book again unless that was done a moment ago.
    package func refresh() async throws(KeyError) {
        let now = clock.now()
        let isFresh = state.withLock { state in
            state.loadedAt.map { now < $0 + Self.refreshInterval } ?? false
        }
        if !isFresh { try await reload() }
    }

    /// For something that names a version which is not known here. False when it was read a moment ago.
    func reloadForUnknown() async throws(KeyError) -> Bool {
        let now = clock.now()
        let mayLoad = state.withLock { state in
            guard state.soughtAt.map({ now >= $0 + Self.reloadInterval }) ?? true else { return false }
            state.soughtAt = now
            return true
        }
        if mayLoad { try await reload() }
        return mayLoad
    }

    package func reload() async throws(KeyError) {
        guard let book = try await repository.load() else { throw .corrupt("there is no record of the root key") }
        try adopt(book)
    }

    private func adopt(_ book: KeyBook) throws(KeyError) {
        let (known, rings) = state.withLock { ($0.vault, $0.rings) }
        let vault = try Self.vault(known, for: book)
        var opened: [String: KeyRing] = [:]
        for (name, key) in book.keys { opened[name] = try KeyRing(key, vault, reusing: rings[name]) }
        let now = clock.now()
        state.withLock { state in
            // Two readings may end in the other order.
            guard state.book.map({ $0.root.revision <= book.root.revision }) ?? true else { return }
            state = State(vault: vault, book: book, rings: opened, loadedAt: now, soughtAt: state.soughtAt)
        }
    }

    /// The root key may have been replaced while this process runs: it is then read again from where it comes from.
    static func vault(_ known: Vault, for book: KeyBook) throws(KeyError) -> Vault {
        var vault = known
        if !constantTimeEquals(known.check, book.root.check) || known.record.epoch != book.root.epoch {
            do { vault = try Vault.open(known.source, record: book.root) } catch { throw .vault(error) }
        }
        guard let mac = book.root.mac else {
            guard book.keys.isEmpty, book.root.base == nil, book.root.epoch == 0 else {
                throw .corrupt("the seal of the book of keys is missing")
            }
            return vault
        }
        guard constantTimeEquals(mac, vault.mac(of: book)) else {
            throw .corrupt("the book of keys does not fit its seal; keep a copy of the database and restore a backup")
        }
        return vault
    }

    // MARK: Changing

    static func newMaterial(
        _ kind: KeyKind, _ name: String, _ number: UInt32, _ vault: Vault
    ) throws(KeyError) -> WrappedMaterial {
        try wrapped(SecureRandom.secret(KeyKind.materialCount), kind, name, number, vault)
    }

    static func wrapped(
        _ secret: Secret, _ kind: KeyKind, _ name: String, _ number: UInt32, _ vault: Vault
    ) throws(KeyError) -> WrappedMaterial {
        let material = try KeyRing.Material(kind, secret)
        return WrappedMaterial(fingerprint: material.fingerprint, wrapped: vault.wrap(secret, kind, name, number))
    }

    /// Reads, changes and replaces the book, and notes the events. `body` may run again: it must do nothing else.
    func change(
        by actor: (any KeyActor)?, _ body: (inout KeyBook, Vault) throws(KeyError) -> [KeyEvent]
    ) async throws(KeyError) {
        for _ in 0..<Self.attemptsMax {
            guard let old = try await repository.load() else {
                throw .corrupt("there is no record of the root key")
            }
            let vault = try Self.vault(state.withLock { $0.vault }, for: old)
            var new = old
            let events = try body(&new, vault)
            guard new != old || !events.isEmpty else { return try adopt(old) }
            new.root.revision = old.root.revision + 1
            new.root.mac = vault.mac(of: new)
            if try await repository.replace(old, with: new, noting: events, by: actor) { return try adopt(new) }
        }
        throw .contended
    }

    func definition(of name: String) -> KeyDefinition? { definitions.first { $0.name == name } }

    /// By its schedule, or else by the policy.
    func nextRotation(of key: NamedKey?, after now: Timestamp) throws(KeyError) -> Timestamp? {
        guard let key else { return nil }
        if let text = key.schedule { return try KeySchedule(parsing: text).next(after: now) }
        return definition(of: key.name)?.lifetime.map { now + $0 }
    }
}
