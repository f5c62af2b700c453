// The least recently used cache of prepared statements that each connection keeps.

struct StatementCache<Prepared> {
    private struct Entry {
        let prepared: Prepared
        var lastUse: UInt64
    }

    private let capacity: Int
    private var entries: [String: Entry] = [:]
    private var uses: UInt64 = 0

    init(capacity: Int) {
        precondition(capacity > 0, "a cache needs room for one statement")
        self.capacity = capacity
        entries.reserveCapacity(capacity + 1)
    }

    mutating func value(for key: String) -> Prepared? {
        uses &+= 1
        guard let index = entries.index(forKey: key) else { return nil }
        entries.values[index].lastUse = uses
        return entries.values[index].prepared
    }

    /// Returns what had to go, for its owner to release. The search for it is linear: it happens only when a
    /// statement is new, which costs far more.
    mutating func insert(_ prepared: Prepared, for key: String) -> Prepared? {
        uses &+= 1
        entries[key] = Entry(prepared: prepared, lastUse: uses)
        guard entries.count > capacity else { return nil }
        guard let oldest = entries.min(by: { $0.value.lastUse < $1.value.lastUse }) else { return nil }
        return entries.removeValue(forKey: oldest.key)?.prepared
    }

    mutating func remove(_ key: String) -> Prepared? { entries.removeValue(forKey: key)?.prepared }

    mutating func removeAll() -> [Prepared] {
        defer { entries.removeAll(keepingCapacity: true) }
        return entries.values.map(\.prepared)
    }

    var count: Int { entries.count }
}
