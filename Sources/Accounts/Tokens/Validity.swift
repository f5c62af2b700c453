// What was read from the database and may be believed for a moment: users, sessions, API keys.
//
// A change on this node makes its entry stale at once, for everyone who holds it. A change by another process on the
// same database (a second node, the command line) is seen when the entry's time is over: hence the short lifetime.

import Base
import Synchronization

final class Standing<Value: Sendable>: Sendable {
    let value: Value
    private let validUntil: Timestamp
    private let isStale = Atomic(false)

    init(_ value: Value, validUntil: Timestamp) {
        self.value = value
        self.validUntil = validUntil
    }

    func isValid(at now: Timestamp) -> Bool { now < validUntil && !isStale.load(ordering: .acquiring) }

    func invalidate() { isStale.store(true, ordering: .releasing) }
}

final class StandingCache<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private let table: Mutex<GenerationalTable<Key, Standing<Value>>>
    /// Counts invalidations. Who reads the database remembers the number first: if it has changed when the value
    /// comes, the value may be older than the change, and is not kept.
    private let epoch = Atomic<UInt64>(0)
    private let lifetime: Duration

    init(capacity: Int, lifetime: Duration) {
        table = Mutex(GenerationalTable(capacity: capacity))
        self.lifetime = lifetime
    }

    var currentEpoch: UInt64 { epoch.load(ordering: .acquiring) }

    func valid(_ key: Key, at now: Timestamp) -> Standing<Value>? {
        table.withLock { $0.value(key) }.flatMap { $0.isValid(at: now) ? $0 : nil }
    }

    /// Keeps what was read after `epoch` was noted. One key has one valid entry: whoever comes second gets it too, so
    /// that an invalidation reaches all.
    func keep(_ value: Value, for key: Key, readAt epoch: UInt64, now: Timestamp) -> Standing<Value> {
        let fresh = Standing(value, validUntil: now + lifetime)
        return table.withLock { table in
            guard self.epoch.load(ordering: .acquiring) == epoch else {
                fresh.invalidate()
                return fresh
            }
            if let present = table.value(key) {
                if present.isValid(at: now) { return present }
                present.invalidate()
            }
            for dropped in table.insert(fresh, for: key) { dropped.invalidate() }
            return fresh
        }
    }

    /// What is being read now is not kept.
    func advanceEpoch() { table.withLock { _ in _ = epoch.wrappingAdd(1, ordering: .releasing) } }

    func invalidate(_ key: Key) {
        table.withLock { table in
            epoch.wrappingAdd(1, ordering: .releasing)
            table.remove(key)?.invalidate()
        }
    }
}
