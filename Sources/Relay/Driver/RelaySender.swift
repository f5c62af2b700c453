// From the engine's outbox to the kernel: datagrams for one destination leave in one call, wherever they lie in memory
// (UDP_SEGMENT over an iovec), and those of one socket together (sendmmsg).

import Base
import CShims
import Glibc
import Wire

package struct RelaySocketCounters: Sendable {
    package var sent: UInt64 = 0
    /// The socket's buffer was full. Lost, as a router would lose them.
    package var droppedByKernel: UInt64 = 0
    /// No route, or the host refused.
    package var unreachable: UInt64 = 0
    /// A stream's client took too little.
    package var droppedForStreams: UInt64 = 0
    /// Came in longer than what is relayed.
    package var truncated: UInt64 = 0
}

final class RelaySender {
    /// Power of two above twice the datagrams of an outbox: probes are short.
    private static let buckets = 512
    private static let none = Int16(-1)
    /// Calls in a row that the kernel found invalid: then it is not one destination's fault.
    private static let invalidMax = 64

    /// Datagrams for one destination, in their order.
    private struct Group {
        var descriptor: Int32
        var address: TransportAddress
        var first: Int16
        var last: Int16
        var forbidsFragments: Bool
    }

    private let pieces: UnsafeMutablePointer<plexi_piece>
    private let gatherings: UnsafeMutablePointer<plexi_gathering>
    private let groups: UnsafeMutablePointer<Group>
    private let following: UnsafeMutablePointer<Int16>
    private let table: UnsafeMutablePointer<Int16>
    private var groupCount = 0
    private var gatheringCount = 0
    private var pieceCount = 0
    private var gatheringDescriptor: Int32 = -1
    private var segmentationWorks = true
    private var invalidInARow = 0
    private(set) var counters = RelaySocketCounters()

    init() {
        let limit = RelayOutbox.datagramLimit
        pieces = .allocate(capacity: limit)
        gatherings = .allocate(capacity: limit)
        groups = .allocate(capacity: limit)
        following = .allocate(capacity: limit)
        table = .allocate(capacity: Self.buckets)
        table.initialize(repeating: Self.none, count: Self.buckets)
    }

    deinit {
        pieces.deallocate()
        gatherings.deallocate()
        groups.deallocate()
        following.deallocate()
        table.deallocate()
    }

    // MARK: - Gathering

    /// Datagram `index` goes to the address from this socket.
    @inline(__always)
    func add(_ index: Int, _ descriptor: Int32, _ address: TransportAddress, forbidsFragments: Bool) {
        var bucket = Self.hash(descriptor, address)
        while table[bucket] != Self.none {
            let group = groups + Int(table[bucket])
            if group.pointee.descriptor == descriptor, group.pointee.address == address,
                group.pointee.forbidsFragments == forbidsFragments
            {
                following[Int(group.pointee.last)] = Int16(truncatingIfNeeded: index)
                following[index] = Self.none
                group.pointee.last = Int16(truncatingIfNeeded: index)
                return
            }
            bucket = (bucket &+ 1) & (Self.buckets &- 1)
        }
        table[bucket] = Int16(truncatingIfNeeded: groupCount)
        let place = Int16(truncatingIfNeeded: index)
        (groups + groupCount).initialize(
            to: Group(
                descriptor: descriptor, address: address, first: place, last: place,
                forbidsFragments: forbidsFragments))
        following[index] = Self.none
        groupCount &+= 1
    }

    @inline(__always)
    private static func hash(_ descriptor: Int32, _ address: TransportAddress) -> Int {
        let (high, low) = address.ip.words
        var mixed = (high ^ low) &+ UInt64(address.port) << 32 &+ UInt64(truncatingIfNeeded: descriptor)
        mixed = (mixed ^ mixed >> 29) &* 0x9E37_79B9_7F4A_7C15
        return Int(truncatingIfNeeded: mixed >> 55)
    }

    // MARK: - Sending

    /// Sends what was added.
    func flush(_ outbox: RelayOutbox) {
        guard groupCount > 0 else { return }
        for index in 0..<groupCount { emit(groups[index], outbox) }
        sendGathered()
        groupCount = 0
        table.update(repeating: Self.none, count: Self.buckets)
    }

    private func emit(_ group: Group, _ outbox: RelayOutbox) {
        if group.forbidsFragments { sendGathered() }
        if group.descriptor != gatheringDescriptor {
            sendGathered()
            gatheringDescriptor = group.descriptor
        }
        if group.forbidsFragments { _ = plexi_datagram_forbid_fragments(group.descriptor, v6(group), 1) }
        var next = group.first
        while next != Self.none { next = gather(from: next, group.address, outbox) }
        if group.forbidsFragments {
            sendGathered()
            _ = plexi_datagram_forbid_fragments(group.descriptor, v6(group), 0)
        }
    }

    private func v6(_ group: Group) -> Int32 { group.address.ip.isV6 ? 1 : 0 }

    /// Datagrams of one size and at last a shorter one, as many as the kernel cuts up at once.
    private func gather(from first: Int16, _ address: TransportAddress, _ outbox: RelayOutbox) -> Int16 {
        let start = pieceCount
        let segment = outbox[Int(first)].count
        var bytes = 0
        var next = first
        while next != Self.none {
            let datagram = outbox[Int(next)]
            let isFirst = pieceCount == start
            guard isFirst || fits(datagram.count, segment, bytes, pieceCount &- start) else { break }
            pieces[pieceCount] = plexi_piece(bytes: datagram.start, count: UInt(datagram.count))
            pieceCount &+= 1
            bytes &+= datagram.count
            next = following[Int(next)]
            if datagram.count < segment { break }
        }
        gatherings[gatheringCount] = plexi_gathering(
            first: UInt32(start), count: UInt32(pieceCount &- start), segment: UInt32(segment),
            address: plexi_address(address))
        gatheringCount &+= 1
        if gatheringCount == Int(PLEXI_GATHERINGS) { sendGathered() }
        return next
    }

    /// Datagrams of no bytes cannot be cut from anything.
    private func fits(_ count: Int, _ segment: Int, _ bytes: Int, _ pieces: Int) -> Bool {
        segmentationWorks && segment > 0 && count > 0 && count <= segment
            && pieces < Int(PLEXI_GATHERED_PIECES)
            && bytes &+ count <= Int(PLEXI_GATHERED_BYTES)
    }

    private func sendGathered() {
        var first = 0
        while first < gatheringCount {
            let taken = plexi_send_gathered(
                gatheringDescriptor, pieces, gatherings + first, UInt32(gatheringCount &- first))
            if taken > 0 {
                for index in first..<(first &+ Int(taken)) { noteSent(gatherings[index]) }
                first &+= Int(taken)
            } else {
                refused(gatherings + first, errno)
                first &+= 1
            }
        }
        gatheringCount = 0
        pieceCount = 0
    }

    private func noteSent(_ gathering: plexi_gathering) {
        counters.sent &+= UInt64(gathering.count)
        if gathering.count > 1 { invalidInARow = 0 }
    }

    private func refused(_ gathering: UnsafePointer<plexi_gathering>, _ code: Int32) {
        let isCut = gathering.pointee.count > 1
        switch code {
        case EAGAIN, ENOBUFS: counters.droppedByKernel &+= UInt64(gathering.pointee.count)
        case EIO where isCut, EOPNOTSUPP where isCut, ENOPROTOOPT where isCut:
            // An interface that cannot sum up what it would cut, or a kernel that does not know the wish.
            segmentationWorks = false
            sendPieces(gathering)
        case EINVAL where isCut:
            // Longer than the path to this destination carries: one by one they are fragmented.
            invalidInARow += 1
            if invalidInARow >= Self.invalidMax { segmentationWorks = false }
            sendPieces(gathering)
        default: counters.unreachable &+= UInt64(gathering.pointee.count)
        }
    }

    private func sendPieces(_ gathering: UnsafePointer<plexi_gathering>) {
        let taken = UInt64(plexi_send_pieces(gatheringDescriptor, pieces, gathering))
        counters.sent &+= taken
        counters.droppedByKernel &+= UInt64(gathering.pointee.count) &- min(taken, UInt64(gathering.pointee.count))
    }

    func noteStreamDrop() { counters.droppedForStreams &+= 1 }
}
