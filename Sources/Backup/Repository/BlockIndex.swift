// Where each block lies: an open hash table of 24 bytes a slot, because there may be millions.
//
// A block is found by the first half of its id. Ids are keyed hashes of 32 bytes, so nobody can make two with the same
// half, and chance will not; the pack's own table has the whole id, and a block is compared with it when it is read.

struct BlockPlace: Hashable, Sendable {
    /// Number in the repository's list of packs.
    let pack: Int
    let ordinal: Int
}

struct BlockIndex: Sendable {
    private var highs: [UInt64]
    private var lows: [UInt64]
    /// (pack + 1) · 4,096 + ordinal; 0 for a free slot.
    private var values: [UInt64]
    private(set) var count = 0

    private static let smallest = 1_024

    init() {
        highs = Array(repeating: 0, count: Self.smallest)
        lows = highs
        values = highs
    }

    private func slot(_ id: Digest) -> Int {
        let mask = values.count - 1
        var slot = Int(truncatingIfNeeded: id.first) & mask
        while values[slot] != 0, highs[slot] != id.first || lows[slot] != id.second { slot = (slot + 1) & mask }
        return slot
    }

    func find(_ id: Digest) -> BlockPlace? {
        let value = values[slot(id)]
        guard value != 0 else { return nil }
        return BlockPlace(pack: Int(value >> 12) - 1, ordinal: Int(value & 4_095))
    }

    /// The first place of a block stays.
    mutating func insert(_ id: Digest, at place: BlockPlace) throws(BackupError) {
        let slot = slot(id)
        guard values[slot] == 0 else { return }
        guard count < BackupLimits.blocks else {
            throw .refused(
                "the repository has \(BackupLimits.blocks) blocks, as many as it may have; begin another one")
        }
        highs[slot] = id.first
        lows[slot] = id.second
        values[slot] = UInt64(place.pack + 1) << 12 | UInt64(place.ordinal)
        count += 1
        if count * 4 > values.count * 3 { grow() }
    }

    private mutating func grow() {
        let old = (highs, lows, values)
        highs = Array(repeating: 0, count: old.2.count * 2)
        lows = highs
        values = highs
        let mask = values.count - 1
        for index in old.2.indices where old.2[index] != 0 {
            var slot = Int(truncatingIfNeeded: old.0[index]) & mask
            while values[slot] != 0 { slot = (slot + 1) & mask }
            highs[slot] = old.0[index]
            lows[slot] = old.1[index]
            values[slot] = old.2[index]
        }
    }
}
