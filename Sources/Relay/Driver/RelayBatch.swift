// Where datagrams are received: slots with room before and behind them, so that what is relayed is sent from where it
// lies. One batch for all sockets of a shard.

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

    private let memory: UnsafeMutableRawPointer
    private let receiver: OpaquePointer
    /// Slots before this one belong to packets that the outbox may point to.
    private(set) var used = 0
    /// Came in longer than a slot.
    private(set) var truncated: UInt64 = 0

    /// `nil` without memory.
    init?() {
        guard let made = plexi_receiver_make(UInt32(Self.slotCount), UInt(Self.datagramBytesMax)) else { return nil }
        receiver = made
        memory = .allocate(byteCount: Self.slotCount * Self.slotBytes, alignment: 64)
        for index in 0..<Self.slotCount { plexi_receiver_set_buffer(receiver, UInt32(index), start(index)) }
    }

    deinit {
        plexi_receiver_free(receiver)
        memory.deallocate()
    }

    private func start(_ index: Int) -> UnsafeMutableRawPointer {
        memory + index &* Self.slotBytes + RelayPacket.headroom
    }

    /// Empty the outbox and `reset` before the next receive when there is none.
    var hasRoom: Bool { used &+ Self.perReceive <= Self.slotCount }
    func reset() { used = 0 }

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
        guard count >= 0 else {
            truncated &+= 1
            return nil
        }
        return RelayPacket(start: start(index), count: count)
    }

    @inline(__always)
    func source(_ index: Int) -> TransportAddress {
        var address = plexi_address()
        plexi_received_address(receiver, UInt32(index), &address)
        return TransportAddress(address)
    }
}
