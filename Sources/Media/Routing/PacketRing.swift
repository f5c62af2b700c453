// The packets of one received stream, by sequence number: what is being forwarded and what may have to be repeated.
//
// One copy serves everybody: a subscriber that pauses, is paced or reports a loss is served from here, rewritten for
// it. The bytes stay in the slab's slot that they were received into; the ring owns the slot until the packet that is
// one capacity younger takes its place.

package import Base
package import Wire

/// One decrypted packet: where its parts are, and what forwarding needs to know of it. Owns nothing itself.
package struct PacketRecord {
    /// As forwarders see it: the same for every subscriber.
    package var input: ForwardInput
    package var slot: PacketSlab.Slot
    /// Of the payload, within the slot, without padding.
    package var payloadStart: UInt16
    package var payloadType: UInt8
    package var extensions: RTPExtensionReading

    package var sequence: ExtendedSequence { input.sequence }
}

package struct PacketRing: ~Copyable {
    package let capacity: Int
    private let records: UnsafeMutablePointer<PacketRecord>
    /// Sequence number plus one of what each place holds; 0 when it is empty.
    private let occupants: UnsafeMutablePointer<UInt64>
    /// Nothing in the ring is older than `tail`, but for what a jump of the numbers left behind: that goes when its
    /// place is taken.
    private var tail: ExtendedSequence = 0
    private var newest: ExtendedSequence = 0
    package private(set) var count = 0

    /// A power of two.
    package init(capacity: Int) {
        precondition(capacity > 0 && capacity & (capacity - 1) == 0, "a ring's capacity is a power of two")
        self.capacity = capacity
        records = .allocate(capacity: capacity)
        occupants = .allocate(capacity: capacity)
        occupants.initialize(repeating: 0, count: capacity)
    }

    deinit {
        records.deallocate()
        occupants.deallocate()
    }

    @inline(__always)
    private func place(_ sequence: ExtendedSequence) -> Int { Int(truncatingIfNeeded: sequence) & (capacity &- 1) }

    /// What became of an inserted packet's slot, or of the one it drove out.
    package enum Insertion: Equatable {
        case kept
        /// This slot is free again.
        case replaced(PacketSlab.Slot)
        /// A packet of this number, or a younger one in its place, is there: the new one was not taken.
        case refused
    }

    package mutating func insert(_ record: PacketRecord) -> Insertion {
        let place = place(record.sequence)
        let occupant = occupants[place]
        guard occupant < record.sequence &+ 1 else { return .refused }
        let old = occupant == 0 ? nil : records[place].slot
        tail = count == 0 ? record.sequence : min(tail, record.sequence)
        newest = max(newest, record.sequence)
        if old == nil { count &+= 1 }
        records[place] = record
        occupants[place] = record.sequence &+ 1
        return old.map { .replaced($0) } ?? .kept
    }

    /// `nil` when it never came, or was driven out.
    @inline(__always)
    package func find(_ sequence: ExtendedSequence) -> UnsafePointer<PacketRecord>? {
        let place = place(sequence)
        return occupants[place] == sequence &+ 1 ? UnsafePointer(records + place) : nil
    }

    /// Takes the oldest packet out, and gives its slot.
    package mutating func removeOldest() -> PacketSlab.Slot? {
        guard let place = oldestPlace() else { return nil }
        tail &+= 1
        return vacate(place)
    }

    /// Takes out what came before then, oldest first, as long as the oldest did.
    package mutating func removeAll(before limit: Instant, into slab: inout PacketSlab) {
        while let place = oldestPlace(), records[place].input.arrival < limit {
            tail &+= 1
            slab.release(vacate(place))
        }
    }

    private mutating func vacate(_ place: Int) -> PacketSlab.Slot {
        occupants[place] = 0
        count &-= 1
        return records[place].slot
    }

    /// Moves `tail` to the oldest packet. What is passed over is not looked at again.
    private mutating func oldestPlace() -> Int? {
        guard count > 0 else { return nil }
        if newest >= UInt64(capacity) { tail = max(tail, newest &- UInt64(capacity &- 1)) }
        while tail <= newest {
            let place = place(tail)
            if occupants[place] == tail &+ 1 { return place }
            tail &+= 1
        }
        return nil
    }

    /// Gives every slot back.
    package mutating func removeAll(into slab: inout PacketSlab) {
        for place in 0..<capacity where occupants[place] != 0 {
            slab.release(records[place].slot)
            occupants[place] = 0
        }
        count = 0
    }
}
