// The sending side of a UDP socket against a kernel that refuses, and against the real one.

import Base
import CShims
import Glibc
import Synchronization
import Testing
import Wire

@testable import Media

/// What the kernel is to answer, and what it was asked. C functions cannot capture, so this is one for all.
private struct FakeKernel {
    /// For bursts of several datagrams.
    var cutRefusal: Int32 = 0
    /// For everything.
    var refusal: Int32 = 0
    /// Answers that way so often.
    var refusals = Int.max
    var bursts: [Int] = []
    var datagrams = 0

    mutating func answer(_ burst: plexi_burst) -> Bool {
        let isCut = burst.count > burst.segment
        let code = refusal != 0 ? refusal : isCut ? cutRefusal : 0
        guard code != 0, refusals > 0 else { return true }
        refusals -= 1
        errno = code
        return false
    }
}

private let kernel = Mutex(FakeKernel())

private let fakes = DatagramCalls(
    sendBursts: { _, bursts, count in
        kernel.withLock { kernel in
            guard let bursts else { return -1 }
            var taken: Int32 = 0
            while taken < count {
                let burst = bursts[Int(taken)]
                guard kernel.answer(burst) else { return taken > 0 ? taken : -1 }
                kernel.bursts.append(Int((burst.count + burst.segment - 1) / burst.segment))
                taken += 1
            }
            return taken
        }
    },
    sendDatagrams: { _, burst, first in
        kernel.withLock { kernel in
            guard let burst = burst?.pointee else { return -1 }
            if kernel.refusal != 0 {
                errno = kernel.refusal
                return -1
            }
            let all = (burst.count + burst.segment - 1) / burst.segment
            kernel.datagrams += Int(all - first)
            return Int32(all - first)
        }
    })

@Suite(.serialized) final class DatagramSocketTests {
    private let bytes = UnsafeMutableRawPointer.allocate(byteCount: 65_536, alignment: 16)

    deinit { bytes.deallocate() }

    private func socket(_ setUp: (inout FakeKernel) -> Void) throws -> (DatagramSocket, PacketSlabBox) {
        kernel.withLock {
            $0 = FakeKernel()
            setUp(&$0)
        }
        let box = PacketSlabBox()
        let socket = try DatagramSocket(LoopbackTests.v4, slab: &box.slab, calls: fakes)
        return (socket, box)
    }

    private func burst(_ count: UInt32, segments: UInt32) -> plexi_burst {
        plexi_burst(
            bytes: bytes, count: count * segments, segment: count, address: plexi_address(LoopbackTests.v4))
    }

    private func send(_ bursts: [plexi_burst], over socket: DatagramSocket) {
        bursts.withUnsafeBufferPointer { list in
            if let base = list.baseAddress { socket.send(base, list.count) }
        }
    }

    @Test(arguments: [EIO, EOPNOTSUPP, ENOPROTOOPT])
    func `a kernel that cannot cut is asked once, and nothing is lost`(_ code: Int32) throws {
        let (socket, _) = try socket { $0.cutRefusal = code }
        for _ in 0..<3 {
            send(
                [burst(100, segments: 1), burst(1_000, segments: 5), burst(100, segments: 1), burst(900, segments: 3)],
                over: socket)
        }
        #expect(!socket.segmentationWorks)
        kernel.withLock {
            #expect($0.bursts == [1, 1, 1, 1, 1, 1])
            #expect($0.datagrams == 24)
        }
        #expect(socket.counters.sent == 30)
    }

    @Test func `a destination with a small path costs the others nothing`() throws {
        let (socket, _) = try socket {
            $0.cutRefusal = EINVAL
            $0.refusals = 1
        }
        for _ in 0..<5 { send([burst(1_000, segments: 5), burst(1_000, segments: 4)], over: socket) }
        #expect(socket.segmentationWorks)
        kernel.withLock {
            #expect($0.datagrams == 5)
            #expect($0.bursts == [4, 5, 4, 5, 4, 5, 4, 5, 4])
        }
        #expect(socket.counters.sent == 45)
    }

    @Test func `a kernel that calls every burst invalid is not asked for ever`() throws {
        let (socket, _) = try socket { $0.cutRefusal = EINVAL }
        for _ in 0..<DatagramSocket.invalidLimit { send([burst(1_000, segments: 2)], over: socket) }
        #expect(!socket.segmentationWorks)
        #expect(socket.counters.sent == DatagramSocket.invalidLimit * 2)
    }

    @Test(arguments: [EAGAIN, ENOBUFS]) func `a full buffer drops and is counted`(_ code: Int32) throws {
        let (socket, _) = try socket { $0.refusal = code }
        send([burst(1_000, segments: 5), burst(100, segments: 1)], over: socket)
        #expect(socket.counters.droppedByKernel == 6)
        #expect(socket.segmentationWorks)
    }

    @Test(arguments: [EMSGSIZE, ENETUNREACH, EPERM, ECONNREFUSED])
    func `a destination that cannot be reached is passed over`(_ code: Int32) throws {
        let (socket, _) = try socket {
            $0.refusal = code
            $0.refusals = 1
        }
        send([burst(1_000, segments: 1), burst(100, segments: 1)], over: socket)
        #expect(socket.counters.unreachable == 1)
        #expect(socket.counters.sent == 1)
    }

    @Test(arguments: [LoopbackTests.v4, LoopbackTests.v6])
    func `the kernel's own way: bursts arrive as datagrams, long ones are counted`(
        _ address: TransportAddress
    ) throws {
        let box = PacketSlabBox()
        let receiver = try DatagramSocket(address, slab: &box.slab)
        let sender = try DatagramSocket(address, slab: &box.slab)
        func burst(_ size: UInt32, _ segments: UInt32, _ last: UInt32) -> plexi_burst {
            plexi_burst(
                bytes: bytes, count: size * segments + last, segment: size, address: plexi_address(receiver.local))
        }
        send([burst(1_200, 5, 77), burst(80, 0, 80), burst(2_000, 1, 0), burst(50, 3, 0)], over: sender)
        var sizes: [Int] = []
        let count = receiver.receive()
        for index in 0..<count {
            guard let datagram = receiver.received(index, socket: 0) else { continue }
            sizes.append(datagram.count)
            #expect(datagram.path.remote == sender.local)
        }
        #expect(sizes == [1_200, 1_200, 1_200, 1_200, 1_200, 77, 80, 50, 50, 50])
        #expect(receiver.counters.truncated == 1)
        #expect(sender.counters.sent == 11)
        #expect(sender.segmentationWorks)
        #expect(receiver.receive() == 0)
    }
}

/// A slab to hand to sockets: noncopyable values cannot be captured.
final class PacketSlabBox {
    var slab = PacketSlab(count: 256)
}
