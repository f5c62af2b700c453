// When packets came, by the kernel's clock: a generator that looks after hundreds of sockets finds a packet later than it
// came, and that is not the server's fault.

import Base
import Glibc

extension MediaSocket {
    /// SO_TIMESTAMPNS of <asm-generic/socket.h>, which is the type of the message too.
    fileprivate static let timestamps: Int32 = 35

    /// From now on the kernel says of each packet when it came. False where it will not.
    func stamp() -> Bool {
        var one: Int32 = 1
        return setsockopt(descriptor, SOL_SOCKET, Self.timestamps, &one, socklen_t(MemoryLayout<Int32>.size)) == 0
    }
}

/// Takes packets one by one, each with its time. Slower than `DatagramDrain`: for the few whose times are looked at.
final class TimedDrain {
    private static let slot = 2_048
    /// Room for one message of the kernel: its header and a `timespec`.
    private static let controlCount = 64
    private let memory = UnsafeMutableRawPointer.allocate(byteCount: slot, alignment: 64)
    private let control = UnsafeMutableRawPointer.allocate(byteCount: controlCount, alignment: 16)
    /// What the wall clock is ahead of the clock that `Instant` reads: the kernel stamps with the former.
    private var ahead: UInt64 = 0
    private var measured = Instant(nanoseconds: 0)

    deinit {
        memory.deallocate()
        control.deallocate()
    }

    func drain(_ socket: MediaSocket, _ take: (UnsafeMutableRawBufferPointer, Instant) -> Void) {
        let now = Instant.now()
        if now - measured > .seconds(1) { measure(now) }
        while true {
            var buffer = iovec(iov_base: memory, iov_len: Self.slot)
            var arrived = now
            let length = withUnsafeMutablePointer(to: &buffer) { pointer in
                var header = msghdr()
                header.msg_iov = pointer
                header.msg_iovlen = 1
                header.msg_control = control
                header.msg_controllen = Self.controlCount
                let length = recvmsg(socket.descriptor, &header, Int32(MSG_DONTWAIT))
                if length > 0, let time = stamp(in: header) { arrived = time }
                return length
            }
            guard length > 0 else { return }
            take(UnsafeMutableRawBufferPointer(start: memory, count: length), arrived)
        }
    }

    private func stamp(in header: msghdr) -> Instant? {
        let first = MemoryLayout<cmsghdr>.size
        guard header.msg_controllen >= first + MemoryLayout<timespec>.size else { return nil }
        let message = control.load(as: cmsghdr.self)
        guard message.cmsg_level == SOL_SOCKET, message.cmsg_type == MediaSocket.timestamps else { return nil }
        let time = control.load(fromByteOffset: first, as: timespec.self)
        return Instant(nanoseconds: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec) - ahead)
    }

    private func measure(_ now: Instant) {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        // Read in between: off by half of what the two readings take, some 20 ns.
        ahead = UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec) - Instant.now().nanoseconds
        measured = now
    }
}
