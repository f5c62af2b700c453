// Where things lie and how they are found: slabs of plain values by number, and tables from a hash to a number.
//
// Both reserve memory for as many entries as there may ever be, once; the kernel gives its pages when they are touched,
// so an idle relay pays for what it uses. A table holds no keys: the entry that a number stands for has them, and the
// caller compares. A deletion moves the entries behind it back, so that there are no tombstones to collect. The hash is
// SipHash-1-3 under a random key: who can choose addresses cannot choose which ones collide.

import Base
import Glibc
import Wire

/// Plain values that are counted, not named: the number is the name.
struct Slab<Element>: ~Copyable {
    let capacity: Int
    private(set) var count = 0
    private let places: UnsafeMutablePointer<Element>
    /// The next free place after each free one.
    private let links: UnsafeMutablePointer<UInt32>
    private var firstFree = UInt32.max
    /// Places that were never used begin here.
    private var untouched = 0

    init(capacity: Int) {
        precondition(capacity > 0 && capacity < Int(UInt32.max), "a slab has places, and numbers for them")
        precondition(_isPOD(Element.self), "what lies in a slab is never deinitialised")
        guard let memory = calloc(capacity, MemoryLayout<Element>.stride),
            let links = calloc(capacity, MemoryLayout<UInt32>.stride)
        else { preconditionFailure("no memory for a slab") }
        self.capacity = capacity
        places = memory.bindMemory(to: Element.self, capacity: capacity)
        self.links = links.bindMemory(to: UInt32.self, capacity: capacity)
    }

    deinit {
        free(places)
        free(links)
    }

    var isFull: Bool { count == capacity }

    /// `nil` when all places are taken.
    mutating func insert(_ element: Element) -> UInt32? {
        guard let index = take() else { return nil }
        places[Int(index)] = element
        return index
    }

    /// `keep` carries over what lay in the place before (zeros, if nothing did).
    mutating func insert(_ element: Element, keeping keep: (_ new: inout Element, _ old: Element) -> Void) -> UInt32? {
        guard let index = take() else { return nil }
        var element = element
        keep(&element, places[Int(index)])
        places[Int(index)] = element
        return index
    }

    private mutating func take() -> UInt32? {
        guard count < capacity else { return nil }
        count &+= 1
        if firstFree != .max {
            let index = firstFree
            firstFree = links[Int(index)]
            return index
        }
        untouched &+= 1
        return UInt32(untouched &- 1)
    }

    mutating func remove(_ index: UInt32) {
        precondition(Int(index) < untouched && count > 0, "a place that was not taken is given back")
        links[Int(index)] = firstFree
        firstFree = index
        count &-= 1
    }

    /// Places from here on were never taken.
    var seenCount: Int { untouched }

    /// Whether the place was ever taken; what lies there may be gone.
    func hasSeen(_ index: UInt32) -> Bool { Int(index) < untouched }

    subscript(index: UInt32) -> Element {
        @inline(__always) get {
            precondition(Int(index) < untouched, "a place that was never taken")
            return places[Int(index)]
        }
        @inline(__always) nonmutating _modify {
            precondition(Int(index) < untouched, "a place that was never taken")
            yield &places[Int(index)]
        }
    }
}

/// From the hash of a key to the number of the entry that has it.
struct IndexTable: ~Copyable {
    /// Entries that may be in the table; the places are twice as many, rounded up to a power of 2.
    let capacity: Int
    private(set) var count = 0
    private let mask: Int
    /// Bits of the hash above, never 0 together, and the number below; 0 is an empty place.
    private let places: UnsafeMutablePointer<UInt64>

    init(capacity: Int) {
        precondition((1...1 << 28).contains(capacity), "a table has room for an entry at least")
        var size = 16
        while size < capacity * 2 { size *= 2 }
        guard let memory = calloc(size, MemoryLayout<UInt64>.stride) else {
            preconditionFailure("no memory for a table")
        }
        self.capacity = capacity
        mask = size - 1
        places = memory.bindMemory(to: UInt64.self, capacity: size)
    }

    deinit { free(places) }

    @inline(__always) private func tag(_ hash: UInt64) -> UInt64 { hash >> 32 | 1 }
    /// The lowest bit of a tag is always set, so it chooses nothing.
    @inline(__always) private func home(_ tag: UInt64) -> Int { Int(truncatingIfNeeded: tag >> 1) & mask }

    @inline(__always) func find(_ hash: UInt64, where matches: (UInt32) -> Bool) -> UInt32? {
        let tag = tag(hash)
        var place = home(tag)
        while places[place] != 0 {
            if places[place] >> 32 == tag {
                let index = UInt32(truncatingIfNeeded: places[place])
                if matches(index) { return index }
            }
            place = (place &+ 1) & mask
        }
        return nil
    }

    /// The key must not be there yet. `false` when the table is full.
    mutating func insert(_ hash: UInt64, _ index: UInt32) -> Bool {
        guard count < capacity else { return false }
        let tag = tag(hash)
        var place = home(tag)
        while places[place] != 0 { place = (place &+ 1) & mask }
        places[place] = tag << 32 | UInt64(index)
        count &+= 1
        return true
    }

    /// Nothing happens when the entry is not there.
    mutating func remove(_ hash: UInt64, _ index: UInt32) {
        let entry = tag(hash) << 32 | UInt64(index)
        var hole = home(tag(hash))
        while places[hole] != entry {
            if places[hole] == 0 { return }
            hole = (hole &+ 1) & mask
        }
        var next = (hole &+ 1) & mask
        while places[next] != 0 {
            // An entry may move back when that does not put it before its home.
            let distance = (next &- home(places[next] >> 32)) & mask
            if distance >= (next &- hole) & mask {
                places[hole] = places[next]
                hole = next
            }
            next = (next &+ 1) & mask
        }
        places[hole] = 0
        count &-= 1
    }
}
