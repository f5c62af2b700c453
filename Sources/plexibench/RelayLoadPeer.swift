// Who the clients of a relay speak with: one socket that sends back what it gets, a burst of one sender as one burst, as
// a media server does.

import Base
import CShims
import Glibc
import Wire

/// On the loop's thread.
final class RelayLoadPeer {
    private static let batch = 64
    private static let slot = 2_048
    private static let kernelBufferSize: Int32 = 4 << 20

    let address: TransportAddress
    private let descriptor: Int32
    /// Datagrams of one size for one destination leave in one call of the kernel's (UDP_SEGMENT).
    private let gathers: Bool
    private let receiver: OpaquePointer
    private let memory = UnsafeMutableRawPointer.allocate(byteCount: batch * slot, alignment: 64)
    private var pieces: [plexi_piece] = []
    private var gatherings: [plexi_gathering] = []
    private var watch: (any DescriptorWatch)?
    private(set) var received = 0
    /// The kernel took no more.
    private(set) var dropped = 0

    init(gathers: Bool, on loop: any EventLoop) throws(SystemError) {
        var raw = plexi_address.loopback(0)
        descriptor = plexi_datagram_socket(&raw, Self.kernelBufferSize)
        guard descriptor >= 0 else { throw SystemError("bind UDP on the loopback") }
        guard let made = plexi_receiver_make(UInt32(Self.batch), UInt(Self.slot)) else {
            close(descriptor)
            throw SystemError("make room for datagrams", code: ENOMEM)
        }
        address = TransportAddress(IPAddress(v4: 0x7F00_0001), raw.port)
        self.gathers = gathers
        receiver = made
        for index in 0..<Self.batch { plexi_receiver_set_buffer(made, UInt32(index), memory + index * Self.slot) }
        watch = try loop.watch(descriptor, for: .readable) { [unowned self] _ in echo() }
    }

    /// Before it goes away.
    func stop() {
        watch?.cancel()
        watch = nil
    }

    deinit {
        close(descriptor)
        plexi_receiver_free(receiver)
        memory.deallocate()
    }

    private func echo() {
        while true {
            let count = Int(plexi_receive(receiver, descriptor))
            guard count > 0 else { return }
            received += count
            for index in 0..<count { add(index) }
            send()
            if count < Self.batch { return }
        }
    }

    private func add(_ index: Int) {
        let length = plexi_received_count(receiver, UInt32(index))
        guard length > 0 else { return }
        var source = plexi_address()
        plexi_received_address(receiver, UInt32(index), &source)
        pieces.append(plexi_piece(bytes: memory + index * Self.slot, count: UInt(length)))
        if gathers, let last = gatherings.indices.last, gatherings[last].segment == UInt32(length),
            gatherings[last].address.port == source.port
        {
            gatherings[last].count += 1
        } else {
            gatherings.append(
                plexi_gathering(
                    first: UInt32(pieces.count - 1), count: 1, segment: UInt32(length), address: source))
        }
    }

    private func send() {
        var first = 0
        while first < gatherings.count {
            let taken = gatherings.withUnsafeBufferPointer { list in
                plexi_send_gathered(descriptor, pieces, list.baseAddress! + first, UInt32(list.count - first))
            }
            if taken <= 0 { dropped += Int(gatherings[first].count) }
            first += max(1, Int(taken))
        }
        pieces.removeAll(keepingCapacity: true)
        gatherings.removeAll(keepingCapacity: true)
    }
}
