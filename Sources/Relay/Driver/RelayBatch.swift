// Where datagrams are received: slots with room before and behind them, so that what is relayed is sent from where it
// lies. One batch for all sockets of a shard.
//
// Datagrams of one sender that the kernel hands over together (UDP_GRO: a media server's burst on the same machine, or
// what an interface has put together) come as one message, longer than a slot; they are copied apart, for each needs
// its room. A copy is 50 ns, the kernel's way for one more datagram ten times that.

import CShims
import Wire

final class RelayBatch {
    /// Datagrams that are held between two flushes. Higher lets more of them leave in one call, lower stays in the
    /// nearest cache: these are 256 KiB.
    static let slotCount = 128
    /// Higher takes longer datagrams, which no path of the Internet carries whole; lower would cut the ones that
    /// Ethernet carries.
    static let slotBytes = 2_048
    /// The longest datagram that is relayed.
    package static let datagramBytesMax = slotBytes - RelayPacket.headroom - RelayPacket.tailroom
    /// Taken from one socket at once: a busy one leaves room for others.
    static let perReceive = 64

    /// The longest message of datagrams that came together.
    private static let joinedBytesMax = 64 << 10
    /// Datagrams that are copied apart between two flushes: what one message holds at most (UDP_MAX_SEGMENTS).
    private static let apartCount = 64

    private let memory: UnsafeMutableRawPointer
    /// For what is longer than a slot: 8 MiB, which become real as far as they are used.
    private let rests: UnsafeMutableRawPointer
    private let apart: UnsafeMutableRawPointer
    private var apartUsed = 0
    private let receiver: OpaquePointer
    /// Slots before this one belong to packets that the outbox may point to.
    private(set) var used = 0
    /// Came in longer than a slot.
    private(set) var truncated: UInt64 = 0

    /// `nil` without memory.
    init?() {
        let made = plexi_receiver_make_joined(
            UInt32(Self.slotCount), UInt(Self.datagramBytesMax), UInt(Self.joinedBytesMax))
        guard let made else { return nil }
        receiver = made
        memory = .allocate(byteCount: Self.slotCount * Self.slotBytes, alignment: 64)
        rests = .allocate(byteCount: Self.slotCount * Self.joinedBytesMax, alignment: 64)
        apart = .allocate(byteCount: Self.apartCount * Self.slotBytes, alignment: 64)
        for index in 0..<Self.slotCount {
            plexi_receiver_set_buffer(receiver, UInt32(index), start(index))
            plexi_receiver_set_rest(receiver, UInt32(index), rest(index))
        }
    }

    deinit {
        plexi_receiver_free(receiver)
        memory.deallocate()
        rests.deallocate()
        apart.deallocate()
    }

    private func start(_ index: Int) -> UnsafeMutableRawPointer {
        memory + index &* Self.slotBytes + RelayPacket.headroom
    }

    private func rest(_ index: Int) -> UnsafeMutableRawPointer { rests + index &* Self.joinedBytesMax }

    /// Empty the outbox and `reset` before the next receive when there is none.
    var hasRoom: Bool { used &+ Self.perReceive <= Self.slotCount }
    func reset() { used = 0 }

    /// The same before the next datagram is copied apart, with `resetApart`: those are never waited for.
    var hasRoomApart: Bool { apartUsed < Self.apartCount }
    func resetApart() { apartUsed = 0 }

    /// Datagrams of the socket, by their places; fewer than `perReceive` when it is empty now.
    func receive(_ descriptor: Int32) -> Range<Int> {
        // An error here (ICMP about an earlier datagram) is gone once read.
        let count = max(0, Int(plexi_receive_at(receiver, descriptor, UInt32(used), UInt32(Self.perReceive))))
        defer { used &+= count }
        return used..<(used &+ count)
    }

    /// `nil` for one that was too long.
    @inline(__always)
    func packet(_ index: Int) -> RelayPacket? {
        let count = plexi_received_count(receiver, UInt32(index))
        guard count >= 0, count <= Self.datagramBytesMax else {
            truncated &+= 1
            return nil
        }
        return RelayPacket(start: start(index), count: count)
    }

    /// The size of datagrams that came together, and all their bytes; `nil` for one that came alone, and for what was
    /// cut off at its end.
    @inline(__always)
    func joined(_ index: Int) -> (segment: Int, count: Int)? {
        let segment = Int(plexi_received_segment(receiver, UInt32(index)))
        let count = plexi_received_count(receiver, UInt32(index))
        return segment > 0 && count > 0 ? (segment, count) : nil
    }

    /// One of them, copied to where it has its room; `nil` for one that is too long, and when there is no room.
    func takeApart(_ index: Int, _ bytes: Range<Int>) -> RelayPacket? {
        guard bytes.count <= Self.datagramBytesMax, hasRoomApart else {
            truncated &+= 1
            return nil
        }
        let target = apart + apartUsed &* Self.slotBytes + RelayPacket.headroom
        apartUsed &+= 1
        let inSlot = max(0, min(bytes.upperBound, Self.datagramBytesMax) &- bytes.lowerBound)
        if inSlot > 0 { target.copyMemory(from: start(index) + bytes.lowerBound, byteCount: inSlot) }
        if inSlot < bytes.count {
            let from = bytes.lowerBound &+ inSlot &- Self.datagramBytesMax
            (target + inSlot).copyMemory(from: rest(index) + from, byteCount: bytes.count &- inSlot)
        }
        return RelayPacket(start: target, count: bytes.count)
    }

    @inline(__always)
    func source(_ index: Int) -> TransportAddress {
        var address = plexi_address()
        plexi_received_address(receiver, UInt32(index), &address)
        return TransportAddress(address)
    }
}
