// What one TCP connection has still to send: whole frames of RFC 4571, one behind the other.
//
// A datagram that finds no room is dropped whole, as a full socket would drop it, and the frames stay in step. The last
// part of the room is for small datagrams only: audio, reports and checks go on where video no longer fits, so that a
// connection that is too slow for the picture keeps the voice and keeps being measured.

import CShims

struct FrameQueue: ~Copyable {
    /// Higher keeps media that is too late for anybody, lower drops parts of a key frame on a connection that is fast
    /// enough. A quarter of a second at 8 Mbit/s.
    static let capacity = 256 << 10
    /// Of that, what only small datagrams may fill.
    static let reserved = 32 << 10
    /// Opus at 64 kbit/s makes 160 bytes in 20 ms, a report has 50 to 300.
    static let smallDatagram = 320

    enum Outcome: Equatable { case drained, blocked, failed }

    /// Made with the first frame. Pages are touched as far as the queue grows.
    private var memory: UnsafeMutableRawPointer?
    private var head = 0
    private var tail = 0

    deinit { memory?.deallocate() }

    var count: Int { tail &- head }
    var isEmpty: Bool { head == tail }

    /// `false` when there is no room.
    mutating func append(_ bytes: UnsafeRawPointer, _ length: Int) -> Bool {
        let limit = length <= Self.smallDatagram ? Self.capacity : Self.capacity - Self.reserved
        guard length > 0, length <= 0xFFFF, count &+ length &+ 2 <= limit else { return false }
        let start = room(for: length &+ 2)
        start.storeBytes(of: UInt16(truncatingIfNeeded: length).bigEndian, as: UInt16.self)
        (start + 2).copyMemory(from: bytes, byteCount: length)
        tail &+= length &+ 2
        return true
    }

    private mutating func room(for length: Int) -> UnsafeMutableRawPointer {
        let memory = memory ?? .allocate(byteCount: Self.capacity, alignment: 64)
        self.memory = memory
        if tail &+ length > Self.capacity {
            memory.copyMemory(from: memory + head, byteCount: count)
            tail = count
            head = 0
        }
        return memory + tail
    }

    mutating func write(to descriptor: Int32) -> Outcome {
        guard let memory else { return .drained }
        while head < tail {
            let taken = plexi_stream_write(descriptor, memory + head, UInt(count))
            if taken < 0 { return .failed }
            if taken == 0 { return .blocked }
            head &+= taken
        }
        head = 0
        tail = 0
        return .drained
    }
}
