// Decrypted packets from one shard to a sibling: a ring of slots with one writer and one reader, each on a thread of
// its own. The pipe has its own memory, so a packet is copied in and out and no slab is shared.
//
//   writer: push … push, publish (once per batch; wakes the reader if it is not awake already)
//   reader: woken -> begin, then next and advance until there is nothing
//
// A full ring drops, and counts: the reader is behind, and would only be further behind with what is older.

import Base
import Synchronization
import Wire

/// What lies in a slot besides the packet's bytes. Plain memory: copied as it is.
struct PipeItem {
    enum Kind: UInt8 {
        case packet
        /// The other way: who watches there cannot decode.
        case keyframeRequest
    }

    var kind: Kind
    /// Of simulcast.
    var layer: UInt8
    /// Of the bytes that come along.
    var count: UInt16 = 0
    /// The track's place among those that this link carries.
    var place: UInt32
    /// The track itself: a place is used again.
    var track: TrackID
    /// The source that sends the layer now.
    var ssrc: SSRC = 0
    /// The publisher's clock against ours, for sender reports.
    var clock = PublisherClock()
    /// The layer's last report.
    var stream = SenderClock()
    /// As the publisher's shard has it, but for the slot, which means nothing here.
    var record: PacketRecord?
}

final class ShardPipe: @unchecked Sendable {
    /// Packets under way. Higher waits longer for a sibling that is busy, lower drops sooner; 2,048 are 50 ms of
    /// 400 Mbit/s, and 4 MiB of which only what is used becomes real.
    static let capacity = 2_048

    private let capacity: Int
    private let items: UnsafeMutablePointer<PipeItem>
    private let memory: UnsafeMutableRawPointer
    /// Called by the writer's thread when the reader has to be woken.
    private let wake: @Sendable () -> Void

    /// How many were ever read and written, as far as the other side may know.
    private let readCount = Atomic<Int>(0)
    private let writtenCount = Atomic<Int>(0)
    /// The reader has been told, and has not begun.
    private let isSignalled = Atomic<Bool>(false)

    // The writer's alone.
    private var written = 0
    private var published = 0
    private var knownRead = 0
    private(set) var dropped: UInt64 = 0
    // The reader's alone.
    private var read = 0
    private var knownWritten = 0

    init(capacity: Int = ShardPipe.capacity, wake: @escaping @Sendable () -> Void) {
        precondition(capacity > 0 && capacity & (capacity - 1) == 0, "a ring's capacity is a power of two")
        self.capacity = capacity
        self.wake = wake
        items = .allocate(capacity: capacity)
        memory = .allocate(byteCount: capacity * PacketSlab.slotSize, alignment: 64)
    }

    deinit {
        items.deallocate()
        memory.deallocate()
    }

    // MARK: Writer

    /// `false` when the ring is full. Seen by the reader after `publish`.
    @inline(__always)
    @discardableResult
    func push(_ item: PipeItem, _ bytes: UnsafeRawBufferPointer) -> Bool {
        if written &- knownRead == capacity { knownRead = readCount.load(ordering: .acquiring) }
        guard written &- knownRead < capacity, bytes.count <= PacketSlab.slotSize else {
            dropped &+= 1
            return false
        }
        let place = written & (capacity &- 1)
        items[place] = item
        if let base = bytes.baseAddress {
            (memory + place &* PacketSlab.slotSize).copyMemory(from: base, byteCount: bytes.count)
        }
        items[place].count = UInt16(truncatingIfNeeded: bytes.count)
        written &+= 1
        return true
    }

    /// Shows the reader what was pushed.
    func publish() {
        guard written != published else { return }
        published = written
        writtenCount.store(written, ordering: .releasing)
        if !isSignalled.exchange(true, ordering: .acquiringAndReleasing) { wake() }
    }

    // MARK: Reader

    /// To be called when woken, before `next`: what is published from now on wakes again.
    func begin() { _ = isSignalled.exchange(false, ordering: .acquiringAndReleasing) }

    /// Valid until `advance`.
    @inline(__always)
    func next() -> UnsafePointer<PipeItem>? {
        if read == knownWritten { knownWritten = writtenCount.load(ordering: .acquiring) }
        guard read != knownWritten else { return nil }
        return UnsafePointer(items + (read & (capacity &- 1)))
    }

    /// Those of the item that `next` gave.
    @inline(__always)
    var bytes: UnsafeRawBufferPointer {
        let place = read & (capacity &- 1)
        return UnsafeRawBufferPointer(
            start: memory + place &* PacketSlab.slotSize, count: min(Int(items[place].count), PacketSlab.slotSize))
    }

    @inline(__always)
    func advance() {
        read &+= 1
        readCount.store(read, ordering: .releasing)
    }
}
