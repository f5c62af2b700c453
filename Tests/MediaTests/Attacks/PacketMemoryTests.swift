import Base
import TestKit
import Testing
import Wire

@testable import Media

/// Rings and budgets by themselves: what they give back, and what they refuse.
@Suite struct PacketMemoryTests {
    private func record(_ sequence: ExtendedSequence, slot: PacketSlab.Slot, at time: UInt64) -> PacketRecord {
        let header = Bytes([0x80, 96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])
        let span = header.span.bytes
        // Parsed rather than made: there is no other way to have a reading.
        guard let parsed = try? RTPHeader(parsing: span) else { preconditionFailure("twelve bytes are a header") }
        return PacketRecord(
            input: ForwardInput(
                simulcastLayer: 0, sequence: sequence, timestamp: 0, marker: false, frame: VideoFrameInfo(),
                arrival: Instant(nanoseconds: time), payloadLength: 1, senderClock: nil),
            slot: slot, payloadStart: 12, payloadType: 96,
            extensions: RTPExtensionReading(reading: span, header: parsed, map: RTPExtensionMap()))
    }

    @Test func `A ring gives the oldest back first, whatever came in which order`() {
        var random = SplitMix(seed: 1)
        for _ in 0..<50 {
            var ring = PacketRing(capacity: 16)
            var model: [ExtendedSequence: PacketSlab.Slot] = [:]
            var next: ExtendedSequence = 65_536
            var slot: PacketSlab.Slot = 0
            for _ in 0..<200 {
                if random.next() % 3 == 0 {
                    let oldest = model.keys.min()
                    let given = ring.removeOldest()
                    #expect(given == oldest.flatMap { model[$0] })
                    if let oldest { model[oldest] = nil }
                } else {
                    // Sometimes late, and never so far that something is left behind.
                    let sequence = random.next() % 5 == 0 ? next - min(next - 65_536, random.next() % 10) : next
                    slot += 1
                    switch ring.insert(record(sequence, slot: slot, at: 0)) {
                    case .kept: model[sequence] = slot
                    case .replaced(let old):
                        model = model.filter { $0.value != old }
                        model[sequence] = slot
                    case .refused: break
                    }
                    next = max(next, sequence + 1)
                }
                let count = ring.count
                #expect(count == model.count)
            }
        }
    }

    @Test func `A jump of the numbers loses no slot`() {
        var slab = PacketSlab(count: 64)
        var ring = PacketRing(capacity: 16)
        for sequence: ExtendedSequence in [70_000, 70_001, 90_000, 90_001, 90_005] {
            guard let slot = slab.allocate() else { return }
            if case .replaced(let old) = ring.insert(record(sequence, slot: slot, at: 0)) { slab.release(old) }
        }
        while let slot = ring.removeOldest() { slab.release(slot) }
        ring.removeAll(into: &slab)
        let (free, count) = (slab.freeCount, ring.count)
        #expect(free == 64)
        #expect(count == 0)
    }

    @Test func `Packets of before a time are given back, and no others`() {
        var slab = PacketSlab(count: 64)
        var ring = PacketRing(capacity: 16)
        for index in 0..<10 {
            guard let slot = slab.allocate() else { return }
            _ = ring.insert(record(70_000 + ExtendedSequence(index), slot: slot, at: UInt64(index)))
        }
        ring.removeAll(before: Instant(nanoseconds: 4), into: &slab)
        let free = slab.freeCount
        #expect(free == 64 - 6)
        let isGone = ring.find(70_003) == nil
        let isThere = ring.find(70_004) != nil
        #expect(isGone && isThere)
    }

    @Test func `Repairs are half of what was sent, and a burst`() {
        var budget = RepairBudget()
        var sent: UInt64 = 0
        var repaired = 0
        while budget.take(1_000, sentBytes: sent) {
            repaired += 1_000
            sent += 1_000  // repairs are sent, too
        }
        #expect(repaired <= Int(RepairBudget.burst) && repaired > Int(RepairBudget.burst) - 1_000)
        sent += 100_000
        var more = 0
        while budget.take(1_000, sentBytes: sent) {
            more += 1_000
            sent += 1_000
        }
        #expect((49_000...51_000).contains(more))
    }

    @Test func `Reports may tell of each packet a few times, and of no others`() {
        var budget = FeedbackBudget()
        let tells = [
            (Int(FeedbackBudget.start), 0, true), (1, 0, false), (100, 100, true), (100, 100, true), (100, 100, true),
            (100, 100, true), (1, 100, false), (-1, 200, false),
        ].map { count, sent, expected in budget.take(count, sentPackets: UInt64(sent)) == expected }
        #expect(!tells.contains(false))
    }

    @Test func `Layers are made in a burst and then at a pace`() {
        var budget = LayerBudget()
        let start = Instant(nanoseconds: 1_000_000_000_000)
        let burst = (0..<LayerBudget.burst).map { _ in budget.take(start) }
        #expect(!burst.contains(false))
        let later = [200, 300, 300].map { budget.take(start + .milliseconds(Int64($0))) }
        #expect(later == [false, true, false])
    }
}
