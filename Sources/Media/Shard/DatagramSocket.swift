// One UDP socket of a shard: batches in, bursts out. It decides nothing about what it carries.

import Base
import CShims
import Glibc
import Wire

/// What the kernel did with what it was given.
package struct SocketCounters: Sendable {
    package var sent = 0
    /// The socket's buffer was full: the network is slower than the calls. Lost, as a router would lose them.
    package var droppedByKernel = 0
    /// No route, or the peer's host refused.
    package var unreachable = 0
    /// Came in longer than any packet we take.
    package var truncated = 0

    mutating func add(_ other: SocketCounters) {
        sent &+= other.sent
        droppedByKernel &+= other.droppedByKernel
        unreachable &+= other.unreachable
        truncated &+= other.truncated
    }
}

/// The kernel's part in sending; tests put something more stubborn in its place. Plain functions, so that the seam costs
/// nothing.
struct DatagramCalls {
    typealias SendBursts = @convention(c) (Int32, UnsafePointer<plexi_burst>?, UInt32) -> Int32

    var sendBursts: SendBursts = { plexi_send_bursts($0, $1, $2) }
    /// One burst, datagram by datagram, from the numbered one on.
    var sendDatagrams: SendBursts = { plexi_send_datagrams($0, $1, $2) }
}

final class DatagramSocket {
    /// Datagrams taken from the kernel at once. Higher amortises the call and lets more packets of a frame be forwarded
    /// together, lower bounds how long a busy publisher keeps others waiting.
    static let batchSize = 64
    /// Asked of the kernel in both directions: a tenth of a second at 300 Mbit/s.
    static let kernelBufferSize: Int32 = 4 << 20

    let descriptor: Int32
    let local: TransportAddress
    private(set) var counters = SocketCounters()

    private let receiver: OpaquePointer
    /// The slab's slots that the next batch goes into.
    private let slots: UnsafeMutablePointer<PacketSlab.Slot>
    /// False for ever once the kernel has shown that it cannot do UDP_SEGMENT here.
    private(set) var segmentationWorks = true
    /// Bursts in a row that it called invalid.
    private var invalidInARow = 0
    /// So many, to whomever they go, are the kernel's fault and not a destination's.
    static let invalidLimit = 64
    private let calls: DatagramCalls

    init(
        _ wanted: TransportAddress, slab: inout PacketSlab, calls: DatagramCalls = DatagramCalls()
    ) throws(SystemError) {
        self.calls = calls
        var address = plexi_address(wanted)
        descriptor = plexi_datagram_socket(&address, Self.kernelBufferSize)
        guard descriptor >= 0 else { throw SystemError("bind UDP \(wanted)") }
        local = TransportAddress(address)
        guard let made = plexi_receiver_make(UInt32(Self.batchSize), UInt(PacketSlab.slotSize)) else {
            close(descriptor)
            throw SystemError("receive on UDP \(wanted)", code: ENOMEM)
        }
        receiver = made
        slots = .allocate(capacity: Self.batchSize)
        for index in 0..<Self.batchSize {
            guard let slot = slab.allocate() else { preconditionFailure("the slab is too small for a shard's sockets") }
            setSlot(slot, at: index, in: slab)
        }
    }

    /// The slots stay lost with the slab: a socket lives as long as its shard.
    deinit {
        plexi_receiver_free(receiver)
        slots.deallocate()
        close(descriptor)
    }

    // MARK: In

    /// The number of datagrams that came, 0 when there are none.
    func receive() -> Int {
        // An error here (ICMP of an earlier datagram) belongs to no participant and is gone once read.
        max(0, Int(plexi_receive(receiver, descriptor)))
    }

    /// `nil` for one that was too long for its slot.
    @inline(__always)
    func received(_ index: Int, socket: UInt32) -> (slot: PacketSlab.Slot, count: Int, path: MediaPath)? {
        let count = plexi_received_count(receiver, UInt32(index))
        guard count >= 0 else {
            counters.truncated &+= 1
            return nil
        }
        var address = plexi_address()
        plexi_received_address(receiver, UInt32(index), &address)
        return (slots[index], count, MediaPath(remote: TransportAddress(address), socket: socket))
    }

    /// The engine kept the slot at `index`: the next datagram there goes into another.
    func setSlot(_ slot: PacketSlab.Slot, at index: Int, in slab: borrowing PacketSlab) {
        slots[index] = slot
        plexi_receiver_set_buffer(receiver, UInt32(index), slab[slot].baseAddress)
    }

    // MARK: Out

    func send(_ bursts: UnsafePointer<plexi_burst>, _ count: Int) {
        var first = 0
        while first < count {
            if !segmentationWorks, bursts[first].count > bursts[first].segment {
                sendOneByOne(bursts + first)
                first += 1
                continue
            }
            let taken = calls.sendBursts(descriptor, bursts + first, UInt32(run(bursts, first, count)))
            if taken > 0 {
                for index in first..<(first + Int(taken)) { noteSent(bursts[index]) }
                first += Int(taken)
            } else {
                refused(bursts + first, errno)
                first += 1
            }
        }
    }

    /// How many bursts go into one call: all, or those before the next that must be cut by hand.
    private func run(_ bursts: UnsafePointer<plexi_burst>, _ first: Int, _ count: Int) -> Int {
        if segmentationWorks { return count - first }
        var end = first + 1
        while end < count, bursts[end].count <= bursts[end].segment { end += 1 }
        return end - first
    }

    private static func datagrams(_ burst: plexi_burst) -> Int {
        Int((burst.count + burst.segment - 1) / max(burst.segment, 1))
    }

    private func noteSent(_ burst: plexi_burst) {
        counters.sent &+= Self.datagrams(burst)
        if burst.count > burst.segment { invalidInARow = 0 }
    }

    private func refused(_ burst: UnsafePointer<plexi_burst>, _ code: Int32) {
        let isCut = burst.pointee.count > burst.pointee.segment
        switch code {
        case EAGAIN, ENOBUFS: counters.droppedByKernel &+= Self.datagrams(burst.pointee)
        case EIO where isCut, EOPNOTSUPP where isCut, ENOPROTOOPT where isCut:
            // An interface that cannot sum up what it would cut, or a kernel that does not know the wish.
            segmentationWorks = false
            sendOneByOne(burst)
        case EINVAL where isCut:
            // Datagrams that are longer than the path to this destination carries are called so too, and how long that
            // is, who is there can say: it must not cost the others their bursts. One by one they are fragmented.
            invalidInARow += 1
            if invalidInARow >= Self.invalidLimit { segmentationWorks = false }
            sendOneByOne(burst)
        default:
            // No route, refused by the peer's host, larger than the path: this subscriber's trouble, nobody else's.
            counters.unreachable &+= Self.datagrams(burst.pointee)
        }
    }

    private func sendOneByOne(_ burst: UnsafePointer<plexi_burst>) {
        let total = Self.datagrams(burst.pointee)
        var next = 0
        while next < total {
            let taken = calls.sendDatagrams(descriptor, burst, UInt32(next))
            if taken > 0 {
                counters.sent &+= Int(taken)
                next += Int(taken)
                continue
            }
            if errno == EAGAIN || errno == ENOBUFS {
                counters.droppedByKernel &+= 1
            } else {
                counters.unreachable &+= 1
            }
            next += 1
        }
    }
}
