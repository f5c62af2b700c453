// What the engine has to say, until the driver sends it: datagrams one behind the other in one piece of memory, and a
// list of bursts over it.
//
// Datagrams for one destination that follow each other and have one size form a burst: the kernel takes it in one call
// and cuts it (UDP_SEGMENT). The engine therefore writes all packets for one subscriber before it turns to the next.
// Nothing is allocated after the start. When the memory or the list is full, the driver is asked to empty it at once.

import CShims
import Wire

/// Where a datagram goes, in the kernel's form: made once when a path is chosen, copied per burst.
package struct Destination {
    /// Which of the shard's sockets (or TCP connections) sends it.
    package let socket: UInt32
    let address: plexi_address

    package init(_ path: MediaPath) {
        socket = path.socket
        address = plexi_address(path.remote)
    }
}

package final class Outbox {
    /// Bytes of datagrams between two flushes. Higher saves system calls (little: a burst is one message anyway),
    /// lower keeps what was just encrypted in the nearest cache while the kernel copies it.
    static let memorySize = 192 << 10
    /// What one `sendmmsg` takes (`PLEXI_BURSTS`).
    static let burstLimit = 64
    /// The kernel's own limits on one UDP_SEGMENT call: UDP_MAX_SEGMENTS, and what an IPv4 datagram can carry.
    static let segmentLimit = 64
    static let burstByteLimit = 65_000

    let bursts: UnsafeMutablePointer<plexi_burst>
    /// The socket of each burst.
    let sockets: UnsafeMutablePointer<UInt32>
    @exclusivity(unchecked) package private(set) var burstCount = 0

    private let memory: UnsafeMutableRawPointer
    private var used = 0
    /// The last burst may still grow: no shorter datagram has ended it.
    private var lastIsOpen = false
    private var lastSegments = 0

    /// Sends everything; the outbox is empty afterwards, whatever the network did.
    @exclusivity(unchecked) package var flush: (Outbox) -> Void = { $0.removeAll() }

    package init() {
        memory = .allocate(byteCount: Self.memorySize, alignment: 64)
        bursts = .allocate(capacity: Self.burstLimit)
        sockets = .allocate(capacity: Self.burstLimit)
    }

    deinit {
        memory.deallocate()
        bursts.deallocate()
        sockets.deallocate()
    }

    package var isEmpty: Bool { burstCount == 0 }

    package func flushIfNeeded() {
        if burstCount > 0 { flush(self) }
    }

    package func removeAll() {
        burstCount = 0
        used = 0
        lastIsOpen = false
    }

    /// Room for one datagram. It is sent only after `commit`.
    @inline(__always)
    package func reserve() -> UnsafeMutableRawBufferPointer {
        if used &+ PacketSlab.slotSize > Self.memorySize || burstCount == Self.burstLimit { flush(self) }
        return UnsafeMutableRawBufferPointer(start: memory + used, count: PacketSlab.slotSize)
    }

    /// What was written to the last reservation is a datagram of `count` bytes.
    @inline(__always)
    package func commit(_ count: Int, to destination: borrowing Destination) {
        precondition(count > 0 && count <= PacketSlab.slotSize, "a datagram is larger than its reservation")
        let start = memory + used
        used &+= count
        if lastIsOpen, extendLast(count, destination) { return }
        bursts[burstCount] = plexi_burst(
            bytes: UnsafeRawPointer(start), count: UInt32(count), segment: UInt32(count),
            address: destination.address)
        sockets[burstCount] = destination.socket
        burstCount &+= 1
        lastIsOpen = true
        lastSegments = 1
    }

    /// Puts the datagram at the end of the last burst, if it may go there.
    @inline(__always)
    private func extendLast(_ count: Int, _ destination: borrowing Destination) -> Bool {
        let last = bursts + (burstCount &- 1)
        guard count <= Int(last.pointee.segment), lastSegments < Self.segmentLimit,
            Int(last.pointee.count) &+ count <= Self.burstByteLimit,
            sockets[burstCount &- 1] == destination.socket, last.pointee.address.isSame(as: destination.address)
        else { return false }
        last.pointee.count &+= UInt32(count)
        lastSegments &+= 1
        lastIsOpen = count == Int(last.pointee.segment)
        return true
    }

    /// For what is made elsewhere and is not worth a burst: answers to checks, handshakes, reports.
    package func append(_ datagram: [UInt8], to destination: borrowing Destination) {
        guard !datagram.isEmpty, datagram.count <= PacketSlab.slotSize else { return }
        reserve().copyBytes(from: datagram)
        commit(datagram.count, to: destination)
    }

    /// For tests: each datagram with its destination, in order.
    package func visitDatagrams(_ visit: (_ bytes: UnsafeRawBufferPointer, _ path: MediaPath) -> Void) {
        for index in 0..<burstCount {
            let burst = bursts[index]
            var offset: UInt32 = 0
            while offset < burst.count {
                let size = min(burst.segment, burst.count - offset)
                let path = MediaPath(remote: TransportAddress(burst.address), socket: sockets[index])
                visit(UnsafeRawBufferPointer(start: burst.bytes + Int(offset), count: Int(size)), path)
                offset += size
            }
        }
    }
}

// MARK: - Addresses in the kernel's form

extension plexi_address {
    init(_ address: TransportAddress) {
        self.init()
        withUnsafeMutableBytes(of: &ip) { $0.copyBytes(from: address.ip.bytes) }
        port = address.port
        is_v6 = address.ip.isV6 ? 1 : 0
    }

    @inline(__always)
    func isSame(as other: plexi_address) -> Bool {
        guard port == other.port, is_v6 == other.is_v6 else { return false }
        return words == other.words
    }

    /// The address as two numbers in network order. IPv4 has zeros behind it.
    @inline(__always)
    var words: (UInt64, UInt64) {
        withUnsafeBytes(of: ip) {
            ($0.loadUnaligned(as: UInt64.self), $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        }
    }
}

extension TransportAddress {
    init(_ raw: plexi_address) {
        let (high, low) = raw.words
        let ip =
            raw.is_v6 != 0
            ? IPAddress(v6: UInt64(bigEndian: high), UInt64(bigEndian: low))
            : IPAddress(v4: UInt32(truncatingIfNeeded: UInt64(bigEndian: high) >> 32))
        self.init(ip, raw.port)
    }
}
