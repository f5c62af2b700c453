// One TCP connection that carries media (RFC 6544, passive). Its frames are datagrams to everybody else.

import Base
import CShims
import Glibc
import Wire

/// What became of connections and of what was to go over them.
package struct ConnectionCounters: Sendable {
    package var accepted = 0
    /// More than a shard or a source may have.
    package var refused = 0
    /// No check, no proof in time, or what is no frame.
    package var unwanted = 0
    /// Datagrams for a connection whose queue was full.
    package var dropped = 0
    package var sent = 0
}

final class StreamConnection {
    enum Phase { case fresh, checking, proven }

    let descriptor: Int32
    let path: MediaPath
    let opened: Instant
    var phase = Phase.fresh
    /// Before proof.
    var frames = 0
    var deframer = StreamDeframer()
    var queue = FrameQueue()
    /// It has something to write in this turn.
    var isTouched = false
    /// To be taken away at the end of this turn.
    var isEnded = false
    var watch: (any DescriptorWatch)?

    init(descriptor: Int32, path: MediaPath, opened: Instant) {
        self.descriptor = descriptor
        self.path = path
        self.opened = opened
    }

    deinit { close(descriptor) }

    /// Whether it has used up its time.
    func isOverdue(_ now: Instant) -> Bool {
        switch phase {
        case .fresh: now - opened > ConnectionLimits.firstFrame
        case .checking: now - opened > ConnectionLimits.proof
        case .proven: false
        }
    }

    /// Writes what is queued; asks to be told when more can be written.
    func flush() {
        isTouched = false
        switch queue.write(to: descriptor) {
        case .drained: listen(for: .readable)
        case .blocked: listen(for: [.readable, .writable])
        case .failed: isEnded = true
        }
    }

    /// A change is a call to the kernel.
    private func listen(for interest: Readiness) {
        if let watch, watch.interest != interest { watch.interest = interest }
    }
}

/// Connections by number. A number names the place in the table and how often it was used, so that what is sent to one
/// that ended does not reach its successor.
struct ConnectionTable {
    /// Above the numbers of UDP sockets.
    private static let base: UInt32 = 1 << 31
    private static let placeBits: UInt32 = 12
    private static let generationMask: UInt32 = 0x7_FFFF

    private var entries: [StreamConnection?] = []
    private var generations: [UInt32] = []
    private var free: [UInt32] = []
    private(set) var count = 0

    @inline(__always)
    static func isConnection(_ number: UInt32) -> Bool { number & base != 0 }

    subscript(number: UInt32) -> StreamConnection? {
        let place = Int(number & (1 << Self.placeBits &- 1))
        guard place < entries.count, let found = entries[place], found.path.socket == number else { return nil }
        return found
    }

    var all: [StreamConnection] { entries.compactMap { $0 } }

    /// The number that `insert` is to be given next; `nil` when the table is full.
    mutating func nextNumber() -> UInt32? {
        guard count < ConnectionLimits.perShard else { return nil }
        if free.isEmpty {
            free.append(UInt32(entries.count))
            entries.append(nil)
            generations.append(0)
        }
        guard let place = free.last else { return nil }
        return Self.base | (generations[Int(place)] & Self.generationMask) << Self.placeBits | place
    }

    mutating func insert(_ connection: StreamConnection) {
        guard let place = free.popLast() else { preconditionFailure("a connection without a number") }
        entries[Int(place)] = connection
        count += 1
    }

    mutating func remove(_ connection: StreamConnection) {
        let number = connection.path.socket
        guard self[number] != nil else { return }
        let place = number & (1 << Self.placeBits &- 1)
        entries[Int(place)] = nil
        generations[Int(place)] &+= 1
        free.append(place)
        count -= 1
    }
}
