import Testing

@testable import Media

@Suite struct PacketSlabTests {
    @Test func `slots are handed out once, and again after they came back`() {
        var slab = PacketSlab(count: 3)
        var taken: Set<PacketSlab.Slot> = []
        while let slot = slab.allocate() { taken.insert(slot) }
        #expect(taken == [0, 1, 2])
        slab.release(1)
        #expect(slab.allocate() == 1)
        #expect(slab.allocate() == nil)
    }

    @Test func `slots do not overlap`() {
        var slab = PacketSlab(count: 2)
        guard let first = slab.allocate(), let second = slab.allocate() else { return #expect(Bool(false)) }
        slab[first].initializeMemory(as: UInt8.self, repeating: 1)
        slab[second].initializeMemory(as: UInt8.self, repeating: 2)
        #expect(slab[first].allSatisfy { $0 == 1 })
        #expect(slab[second].count == PacketSlab.slotSize)
    }
}
