// Sockets of the media load generator: one for each soft peer, read in turns on one thread.

import Base
import CShims
import Glibc
import Wire

extension plexi_address {
    init(_ address: TransportAddress) {
        self.init()
        withUnsafeMutableBytes(of: &ip) { $0.copyBytes(from: address.ip.bytes) }
        port = address.port
        is_v6 = address.ip.isV6 ? 1 : 0
    }

    static func loopback(_ port: UInt16) -> plexi_address {
        var address = plexi_address()
        address.ip.0 = 127
        address.ip.3 = 1
        address.port = port
        return address
    }
}

/// A UDP socket on the loopback, closed with the object.
final class MediaSocket {
    private static let kernelBufferSize: Int32 = 4 << 20
    let descriptor: Int32
    let port: UInt16

    init(at place: plexi_address = .loopback(0)) throws(SystemError) {
        var address = place
        descriptor = plexi_datagram_socket(&address, Self.kernelBufferSize)
        guard descriptor >= 0 else { throw SystemError("bind UDP on the loopback") }
        port = address.port
    }

    deinit { close(descriptor) }

    /// Datagrams of one size that follow each other leave as one burst, as a server's would.
    func send(_ datagrams: [Bytes], to address: plexi_address) {
        var first = 0
        while first < datagrams.count {
            var end = first + 1
            while end < datagrams.count, datagrams[end].count == datagrams[first].count, end - first < 40 { end += 1 }
            sendRun(datagrams[first..<end], to: address)
            first = end
        }
    }

    private func sendRun(_ run: ArraySlice<Bytes>, to address: plexi_address) {
        guard let segment = run.first?.count else { return }
        let together = run.count == 1 ? run[run.startIndex] : Bytes(run.joined())
        together.withUnsafeBytes { bytes in
            var burst = plexi_burst(
                bytes: bytes.baseAddress, count: UInt32(bytes.count), segment: UInt32(segment), address: address)
            _ = plexi_send_bursts(descriptor, &burst, 1)
        }
    }
}

/// Takes what a socket holds, batch by batch, into memory that all sockets share.
final class DatagramDrain {
    private static let batch = 64
    private static let slot = 2_048
    private let receiver: OpaquePointer
    private let memory = UnsafeMutableRawPointer.allocate(byteCount: batch * slot, alignment: 64)

    init() {
        guard let made = plexi_receiver_make(UInt32(Self.batch), UInt(Self.slot)) else {
            preconditionFailure("no memory for a batch of datagrams")
        }
        receiver = made
        for index in 0..<Self.batch {
            plexi_receiver_set_buffer(receiver, UInt32(index), memory + index * Self.slot)
        }
    }

    deinit {
        plexi_receiver_free(receiver)
        memory.deallocate()
    }

    func drain(_ socket: MediaSocket, _ take: (UnsafeMutableRawBufferPointer) -> Void) {
        while true {
            let count = Int(plexi_receive(receiver, socket.descriptor))
            guard count > 0 else { return }
            for index in 0..<count {
                let length = plexi_received_count(receiver, UInt32(index))
                guard length > 0 else { continue }
                take(UnsafeMutableRawBufferPointer(start: memory + index * Self.slot, count: length))
            }
            if count < Self.batch { return }
        }
    }
}

/// Which sockets have something. `poll` looks at each of them every time, which costs the generator a little and the
/// server nothing.
final class Readable {
    private var entries: [pollfd] = []

    func setWatched(_ isWatched: Bool, _ number: Int) { entries[number].events = isWatched ? Int16(POLLIN) : 0 }

    func removeLast(_ count: Int) { entries.removeLast(count) }

    /// Sockets are numbered in the order in which they come.
    func add(_ socket: MediaSocket) {
        entries.append(pollfd(fd: socket.descriptor, events: Int16(POLLIN), revents: 0))
    }

    func wait(milliseconds: Int32, _ take: (Int) -> Void) {
        guard poll(&entries, nfds_t(entries.count), milliseconds) > 0 else { return }
        for index in entries.indices where entries[index].revents != 0 { take(index) }
    }
}
