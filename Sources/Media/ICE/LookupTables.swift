// The two tables that find a datagram's session: by its 5-tuple, and for the first checks by our user name fragment.
//
// Open addressing with linear probing over memory that is reserved once, for as many entries as there may ever be, and
// becomes real as it is touched; a deletion moves the entries behind it back, so that there are no tombstones to
// collect. The hash is SipHash-1-3 under a random key: who can choose
// addresses cannot choose which ones collide. Half of the places stay empty, which keeps a search at one or two of
// them.

import Base
import Glibc
package import Wire

/// Keys as 64-bit words, for a hash without a `Hasher`. Plain memory, in which zeros are as good as anything.
protocol TableKey: Equatable {
    func hash(_ hash: KeyedHash) -> UInt64
}

/// What both tables are. Not `package`: a generic would not be specialised for who uses it from outside.
struct OpenTable<Key: TableKey>: ~Copyable {
    struct Entry {
        var key: Key
        var value: UInt32
        /// Bits of the hash that did not choose the place; 0 marks an empty place.
        var tag: UInt32
    }

    /// Entries that may be in the table; the places are twice as many, rounded up to a power of 2.
    let capacity: Int
    private(set) var count = 0
    private let mask: Int
    private let hash: KeyedHash
    private let places: UnsafeMutablePointer<Entry>

    init(capacity: Int, seed: (UInt64, UInt64)) {
        precondition((1...1 << 28).contains(capacity), "a table has room for an entry at least")
        var size = 16
        while size < capacity * 2 { size *= 2 }
        self.capacity = capacity
        mask = size - 1
        hash = KeyedHash(seed: seed)
        // Zeros are an empty place. The kernel gives zeroed pages when they are touched: 10,000 sessions reserve 16 MiB,
        // and use what their paths need.
        guard let memory = calloc(size, MemoryLayout<Entry>.stride) else {
            preconditionFailure("no memory for a table")
        }
        places = memory.bindMemory(to: Entry.self, capacity: size)
    }

    deinit { free(places) }

    @inline(__always) private func tag(_ hashed: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: hashed >> 32) | 1 }
    @inline(__always) private func home(_ hashed: UInt64) -> Int { Int(truncatingIfNeeded: hashed) & mask }

    /// The place of the key, or the empty one where it would be.
    @inline(__always) private func place(_ key: Key, _ hashed: UInt64) -> Int {
        let tag = tag(hashed)
        var place = home(hashed)
        while places[place].tag != 0 {
            if places[place].tag == tag, places[place].key == key { return place }
            place = (place &+ 1) & mask
        }
        return place
    }

    @inline(__always) func find(_ key: Key) -> UInt32? {
        let place = place(key, key.hash(hash))
        return places[place].tag == 0 ? nil : places[place].value
    }

    /// A key that is there gets the new value. `false` when the table is full.
    mutating func set(_ key: Key, _ value: UInt32) -> Bool {
        let hashed = key.hash(hash)
        let place = place(key, hashed)
        if places[place].tag == 0 {
            guard count < capacity else { return false }
            count &+= 1
        }
        places[place] = Entry(key: key, value: value, tag: tag(hashed))
        return true
    }

    mutating func remove(_ key: Key) -> UInt32? {
        var hole = place(key, key.hash(hash))
        guard places[hole].tag != 0 else { return nil }
        let value = places[hole].value
        var next = (hole &+ 1) & mask
        while places[next].tag != 0 {
            // An entry may move back when that does not put it before its home.
            let distance = (next &- home(places[next].key.hash(hash))) & mask
            if distance >= (next &- hole) & mask {
                places[hole] = places[next]
                hole = next
            }
            next = (next &+ 1) & mask
        }
        places[hole].tag = 0
        count &-= 1
        return value
    }
}

extension MediaPath: TableKey {
    @inline(__always) func hash(_ hash: KeyedHash) -> UInt64 {
        let (high, low) = remote.ip.words
        let rest = UInt64(socket) << 32 | UInt64(remote.port) << 1 | (remote.ip.isV6 ? 1 : 0)
        return hash(high, low, rest)
    }
}

extension LocalUfrag: TableKey {
    @inline(__always) func hash(_ hash: KeyedHash) -> UInt64 { hash(bits) }
}

/// Whose datagrams come over a path. Only paths that ICE has validated are in it.
package struct PathTable: ~Copyable {
    private var table: OpenTable<MediaPath>

    /// `seed` is random and secret.
    package init(capacity: Int, seed: (UInt64, UInt64)) {
        table = OpenTable(capacity: capacity, seed: seed)
    }

    package var count: Int { table.count }
    package func find(_ path: MediaPath) -> UInt32? { table.find(path) }
    /// `false` when the table is full: the path stays unknown.
    package mutating func set(_ path: MediaPath, _ session: UInt32) -> Bool { table.set(path, session) }
    package mutating func remove(_ path: MediaPath) -> UInt32? { table.remove(path) }
}

/// Whose fragment a check names. Asked only when the path is unknown.
package struct UfragTable: ~Copyable {
    private var table: OpenTable<LocalUfrag>

    /// `seed` is random and secret.
    package init(capacity: Int, seed: (UInt64, UInt64)) {
        table = OpenTable(capacity: capacity, seed: seed)
    }

    package var count: Int { table.count }
    package func find(_ ufrag: LocalUfrag) -> UInt32? { table.find(ufrag) }
    /// `false` when the table is full, or when the fragment is taken: make other credentials then.
    package mutating func insert(_ ufrag: LocalUfrag, _ session: UInt32) -> Bool {
        table.find(ufrag) == nil && table.set(ufrag, session)
    }
    package mutating func remove(_ ufrag: LocalUfrag) -> UInt32? { table.remove(ufrag) }
}
