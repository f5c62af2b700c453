// A dictionary that forgets what was not asked for lately: two generations, of which the older is dropped whole when
// the younger is full. Every operation is O(1) but the dropping, and that is paid for by as many insertions.

struct GenerationalTable<Key: Hashable, Value> {
    private var young: [Key: Value] = [:]
    private var old: [Key: Value] = [:]
    private let capacity: Int

    /// Holds at least `capacity` of the values used last, and at most twice as many.
    init(capacity: Int) { self.capacity = max(1, capacity) }

    var count: Int { young.count + old.count }

    mutating func value(_ key: Key) -> Value? {
        if let value = young[key] { return value }
        guard let value = old[key] else { return nil }
        // What is asked for moves up and survives the next dropping, while there is room above.
        if young.count < capacity {
            old.removeValue(forKey: key)
            young[key] = value
        }
        return value
    }

    /// Returns what had to go, for owners who must tell it.
    @discardableResult
    mutating func insert(_ value: Value, for key: Key) -> [Value] {
        old.removeValue(forKey: key)
        guard young.count >= capacity, young[key] == nil else {
            young[key] = value
            return []
        }
        let dropped = Array(old.values)
        old = young
        young = [key: value]
        return dropped
    }

    @discardableResult
    mutating func remove(_ key: Key) -> Value? {
        let fromOld = old.removeValue(forKey: key)
        return young.removeValue(forKey: key) ?? fromOld
    }

    mutating func removeAll() {
        young.removeAll()
        old.removeAll()
    }
}
