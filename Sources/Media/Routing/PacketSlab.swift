// Memory for packets: fixed slots in one allocation, handed out by number.
//
// Datagrams are received into slots; a media packet's slot then goes into its stream's ring, where it serves
// forwarding, pacing and retransmission without another copy, and comes back here when the ring is full. Nothing is
// allocated after the start; who asks for a slot when none is free drops a packet and counts it.

package struct PacketSlab: ~Copyable {
    /// Room for what a 1500-byte network carries and for what SRTP adds.
    package static let slotSize = 1_536

    package typealias Slot = UInt32

    package let count: Int
    private let memory: UnsafeMutableRawPointer
    /// A stack of slots, never longer than `count`.
    private let free: UnsafeMutablePointer<Slot>
    package private(set) var freeCount: Int

    package init(count: Int) {
        precondition(count > 0 && count <= Int(Slot.max), "a slab has slots, and numbers for them")
        self.count = count
        // Aligned to cache lines. Pages are touched when first used, so a large slab costs an idle server nothing.
        memory = .allocate(byteCount: count * Self.slotSize, alignment: 64)
        free = .allocate(capacity: count)
        freeCount = count
        for index in 0..<count { free[index] = Slot(count - 1 - index) }
    }

    deinit {
        memory.deallocate()
        free.deallocate()
    }

    package mutating func allocate() -> Slot? {
        guard freeCount > 0 else { return nil }
        freeCount &-= 1
        return free[freeCount]
    }

    package mutating func release(_ slot: Slot) {
        precondition(Int(slot) < count && freeCount < count, "a slot that was not handed out comes back")
        free[freeCount] = slot
        freeCount &+= 1
    }

    package subscript(slot: Slot) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(
            start: memory + Int(slot) &* Self.slotSize, count: Self.slotSize)
    }
}
