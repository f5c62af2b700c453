// What is done to named keys: rotation, states, rewrapping, the root key. Every change is noted in the same transaction.

package import Base
import Crypto
import Synchronization

extension VaultKeys {
    // MARK: Rotation

    /// Makes a new version the active one. Returns its number.
    @discardableResult
    package func rotate(
        _ name: String, by actor: (any KeyActor)? = nil, reason: String = "asked for"
    ) async throws(KeyError) -> UInt32 {
        var made: UInt32 = 0
        try await change(by: actor) { [self] book, vault throws(KeyError) in
            made = try rotate(name, in: &book, vault)
            return [KeyEvent(.rotated, name, made, details: [("reason", reason)])]
        }
        return made
    }

    private func rotate(_ name: String, in book: inout KeyBook, _ vault: Vault) throws(KeyError) -> UInt32 {
        let now = clock.now()
        let until = definition(of: name)?.verifiesFor.map { now + $0 }
        let number = try book.rotate(name, at: now, oldOpensUntil: until) { kind, number throws(KeyError) in
            try Self.newMaterial(kind, name, number, vault)
        }
        let next = try nextRotation(of: book.keys[name], after: now)
        book.keys[name]?.rotatesAt = next
        return number
    }

    /// Sets when a key is replaced: a schedule, `nil` for the policy's. `first`: the first time, where that is to be
    /// another than the schedule's next.
    package func schedule(
        _ name: String, _ schedule: String?, first: Timestamp? = nil, by actor: (any KeyActor)? = nil
    ) async throws(KeyError) {
        let now = clock.now()
        if let schedule { _ = try KeySchedule(parsing: schedule) }
        if let first, first <= now || first > now + KeySchedule.longest {
            throw .invalid("a rotation can be set for a time in the future, at most ten years ahead")
        }
        try await change(by: actor) { [self] book, _ throws(KeyError) in
            guard var key = book.keys[name] else { throw .unknownKey(name) }
            key.schedule = schedule
            key.rotatesAt = if let first { first } else { try nextRotation(of: key, after: now) }
            book.keys[name] = key
            let time = key.rotatesAt?.rfc3339 ?? "never"
            return [KeyEvent(.rescheduled, name, details: [("schedule", schedule ?? "policy"), ("next", time)])]
        }
    }

    /// What time has brought: rotations that are due, versions whose end has come. Called every minute or so. A policy
    /// that was made shorter counts for the versions that there are.
    package func advance() async throws(KeyError) {
        try await refresh()
        let now = clock.now()
        let (isDue, policy) = try dueRotations(in: book(), at: now)
        var probe = try book()
        guard !isDue.isEmpty || !probe.destroyDue(at: now).isEmpty else { return }
        try await change(by: nil) { [self] book, vault throws(KeyError) in
            var events: [KeyEvent] = []
            for name in try dueRotations(in: book, at: now).names {
                let number = try rotate(name, in: &book, vault)
                let reason = policy.contains(name) ? "policy" : "schedule"
                events.append(KeyEvent(.rotated, name, number, details: [("reason", reason)]))
            }
            for (name, number) in book.destroyDue(at: now) { events.append(KeyEvent(.destroyed, name, number)) }
            return events
        }
    }

    /// Those by schedule or policy; and which of them by policy.
    private func dueRotations(
        in book: KeyBook, at now: Timestamp
    ) throws(KeyError) -> (names: [String], policy: Set<String>) {
        var names: [String] = []
        var policy: Set<String> = []
        for key in book.keys.values.sorted(by: { $0.name < $1.name }) {
            let isDue = key.rotatesAt.map { now >= $0 } ?? false
            if key.schedule == nil { policy.insert(key.name) }
            let isTooOld = key.schedule == nil && isOlderThanPolicy(key, at: now)
            if isDue || isTooOld { names.append(key.name) }
        }
        return (names, policy)
    }

    private func isOlderThanPolicy(_ key: NamedKey, at now: Timestamp) -> Bool {
        guard let lifetime = definition(of: key.name)?.lifetime, let active = key.active else { return false }
        return now >= active.createdAt + lifetime
    }

    /// Keys whose rotation should have happened, for who looks after the server.
    package func overdue(at now: Timestamp) throws(KeyError) -> [String] {
        try dueRotations(in: book(), at: now).names
    }

    // MARK: States

    package func disable(
        _ name: String, _ version: UInt32, by actor: (any KeyActor)? = nil
    ) async throws(KeyError) {
        try await change(by: actor) { [clock] book, _ throws(KeyError) in
            try book.disable(name, version, at: clock.now())
            return [KeyEvent(.disabled, name, version)]
        }
    }

    package func enable(
        _ name: String, _ version: UInt32, by actor: (any KeyActor)? = nil
    ) async throws(KeyError) {
        try await change(by: actor) { [clock] book, _ throws(KeyError) in
            try book.enable(name, version, at: clock.now())
            return [KeyEvent(.enabled, name, version)]
        }
    }

    /// How many things need this version.
    package func uses(of name: String, _ version: UInt32) async throws(KeyError) -> [(count: Int, what: String)] {
        var uses: [(count: Int, what: String)] = []
        guard let version = try book().version(version, of: name) else { throw .unknownVersion(name, version) }
        for user in users.withLock({ $0 }) where user.key == name {
            let count = try await user.count(of: version, at: clock.now())
            if count > 0 { uses.append((count, user.what)) }
        }
        return uses
    }

    /// The version opens nothing from now on, and is destroyed after the waiting time. What still needs it stands in
    /// the way unless `force`.
    @discardableResult
    package func destroy(
        _ name: String, _ version: UInt32, force: Bool = false, after wait: Duration? = nil,
        by actor: (any KeyActor)? = nil
    ) async throws(KeyError) -> Timestamp {
        let now = clock.now()
        var probe = try book()
        _ = try probe.scheduleDestruction(name, version, at: now, after: wait ?? destructionWait)
        let uses = try await uses(of: name, version)
        if !force, let first = uses.first {
            let what = uses.dropFirst().reduce(first.what) { "\($0), \($1.count) \($1.what)" }
            throw .inUse(count: first.count, what: what)
        }
        var time = now
        try await change(by: actor) { [destructionWait] book, _ throws(KeyError) in
            time = try book.scheduleDestruction(name, version, at: now, after: wait ?? destructionWait)
            let lost = uses.map { "\($0.count) \($0.what)" }.joined(separator: ", ")
            let details = [("at", time.rfc3339)] + (lost.isEmpty ? [] : [("loses", lost)])
            return [KeyEvent(.destructionScheduled, name, version, details: details)]
        }
        return time
    }

    package func cancelDestruction(
        _ name: String, _ version: UInt32, by actor: (any KeyActor)? = nil
    ) async throws(KeyError) {
        try await change(by: actor) { [clock] book, _ throws(KeyError) in
            try book.cancelDestruction(name, version, at: clock.now())
            return [KeyEvent(.destructionCancelled, name, version)]
        }
    }

    // MARK: Rewrapping

    /// Of one transaction each: bounds how long other writers wait, and what is done again after a kill.
    package static let rewrapBatch = 100

    /// Has everything that older versions made with this key made anew with the active one. Broken off, it goes on
    /// where it was when it is called again. Returns how many there were.
    @discardableResult
    package func rewrap(
        _ name: String, by actor: (any KeyActor)? = nil,
        progress: @Sendable (_ done: Int, _ total: Int) -> Void = { _, _ in }
    ) async throws(KeyError) -> Int {
        guard try book().keys[name] != nil else { throw .unknownKey(name) }
        try await reload()
        var total = 0
        let users = users.withLock { $0 }.filter { $0.key == name }
        for user in users { total += try await user.countToRewrap(self) }
        var done = 0
        for user in users {
            while true {
                let count = try await user.rewrap(self, limit: Self.rewrapBatch)
                if count == 0 { break }
                done += count
                progress(done, max(done, total))
            }
        }
        guard done > 0 else { return 0 }
        let number = try activeVersion(of: name)
        try await note([KeyEvent(.rewrapped, name, number, details: [("count", "\(done)")])], by: actor)
        return done
    }

    /// Writes something down that changes no key.
    func note(_ events: [KeyEvent], by actor: (any KeyActor)?) async throws(KeyError) {
        try await change(by: actor) { _, _ throws(KeyError) in events }
    }
}

/// A key that was kept in another form before.
package struct AdoptedVersion: Sendable {
    package let material: Secret
    package let isActive: Bool
    package let createdAt: Timestamp
    package let changedAt: Timestamp
    package let opensUntil: Timestamp?

    package init(
        material: Secret, isActive: Bool, createdAt: Timestamp, changedAt: Timestamp, opensUntil: Timestamp?
    ) {
        self.material = material
        self.isActive = isActive
        self.createdAt = createdAt
        self.changedAt = changedAt
        self.opensUntil = opensUntil
    }
}
