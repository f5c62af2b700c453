// From one shard to a recorder: a ring of bytes with one writer and one reader, each on a thread of its own. The pipe
// has its own memory, so a packet is copied in, read where it lies, and no slab is shared.
//
//   writer: push … push, publish (once per batch; wakes the reader if it has begun since the last time)
//   reader: woken -> begin, then next until there is nothing
//
// An item is a kind, its length, plain memory by kind, and for packets the bytes of descriptor and payload. It never
// wraps: what is left at the end of the ring is skipped. Events are Swift values with strings in them; they lie in a
// list beside the ring, behind a lock that only they take, and their places in the ring hold their order. Packets leave
// a reserve free for these, so that the end of a track is told however slow the reader is.

import Base
import Synchronization

/// `@unchecked Sendable`: memory between `readCount` and `writtenCount` is the reader's, the rest the writer's, and the
/// atomics hand it over; the other fields belong to one thread each, as marked.
package final class TapPipe: @unchecked Sendable {
    /// Bytes on their way. Higher rides out a longer pause of the disk; lower drops sooner. 4 MiB are a second of
    /// 32 Mbit/s, of which only what is used becomes real.
    package static let capacity = 4 << 20
    /// Events that nobody has taken. A reader that leaves more has gone.
    static let eventLimit = 2_048
    /// Bytes that packets leave free, for the places of so many events.
    static let reserve = eventLimit * alignment
    /// The least that makes sense: a quarter of it is no less than the reserve.
    static let leastCapacity = 4 * reserve

    enum Kind: UInt8 { case skip, packet, report, gap, event }

    /// In front of each item.
    struct Header {
        /// Of the whole item, a multiple of `alignment`.
        var length: UInt32
        var kind: Kind
    }

    /// Of items: whatever is left at the end of the ring has room for a header.
    static let alignment = 16
    /// Where the plain memory of an item lies.
    static let bodyOffset = 8

    private let capacity: Int
    private let memory: UnsafeMutableRawPointer
    /// Called by the writer's thread when the reader has to be woken.
    private let wake: @Sendable () -> Void

    /// Bytes that were ever read and written, as far as the other side may know.
    private let readCount = Atomic<Int>(0)
    private let writtenCount = Atomic<Int>(0)
    /// The reader has been told, and has not begun.
    private let isSignalled = Atomic<Bool>(false)
    /// Of `TapEnd`; 0 while it goes on.
    private let endCode = Atomic<UInt8>(0)
    private let events = Mutex<[TapEvent]>([])

    // The writer's alone.
    private var written = 0
    private var published = 0
    private var knownRead = 0
    private var isClosed = false
    /// There was no room, and a quarter is not free yet.
    private var isFull = false
    // The reader's alone.
    private var read = 0
    private var knownWritten = 0
    /// Of the item that was given out last: free with the next one.
    private var givenLength = 0
    /// Taken from `events`, and not given out yet: the last one first.
    private var takenEvents: [TapEvent] = []
    private var descriptorBytes = UnsafeRawBufferPointer(start: nil, count: 0)
    private var payloadBytes = UnsafeRawBufferPointer(start: nil, count: 0)

    package init(capacity: Int = TapPipe.capacity, wake: @escaping @Sendable () -> Void) {
        precondition(capacity & (capacity - 1) == 0, "a ring's capacity is a power of two")
        precondition(capacity >= Self.leastCapacity, "a tap has room for packets besides its events")
        self.capacity = capacity
        self.wake = wake
        memory = .allocate(byteCount: capacity, alignment: 64)
    }

    deinit { memory.deallocate() }

    // MARK: - Writer

    /// Of a packet with so many bytes behind its plain memory.
    @inline(__always)
    private static func length(_ body: Int) -> Int { (bodyOffset &+ body &+ alignment &- 1) & ~(alignment &- 1) }

    /// Where an item that can be lost goes; nil when there is no room. Once there was none, there is again when a quarter
    /// is free: a few long gaps leave more of a picture than many short ones.
    @inline(__always)
    private func placeForPacket(_ length: Int) -> UnsafeMutableRawPointer? {
        let place = place(length, reserve: isFull ? capacity / 4 : Self.reserve)
        isFull = place == nil
        return place
    }

    /// Where an item of this length goes; nil when there is no room. `reserve` bytes stay free.
    @inline(__always)
    private func place(_ length: Int, reserve: Int) -> UnsafeMutableRawPointer? {
        let offset = written & (capacity &- 1)
        let left = capacity &- offset
        let skipped = left < length ? left : 0
        let needed = length &+ skipped &+ reserve
        if written &+ needed &- knownRead > capacity { knownRead = readCount.load(ordering: .acquiring) }
        guard written &+ needed &- knownRead <= capacity, !isClosed else { return nil }
        if skipped > 0 {
            put(Header(length: UInt32(truncatingIfNeeded: skipped), kind: .skip), at: memory + offset)
            written &+= skipped
        }
        return memory + (written & (capacity &- 1))
    }

    @inline(__always)
    private func put<Value>(_ value: Value, at address: UnsafeMutableRawPointer) {
        address.bindMemory(to: Value.self, capacity: 1).initialize(to: value)
    }

    @inline(__always)
    private func finish(_ length: Int, _ kind: Kind, at place: UnsafeMutableRawPointer) {
        put(Header(length: UInt32(truncatingIfNeeded: length), kind: kind), at: place)
        written &+= length
    }

    /// `false` when there is no room. The lengths in `packet` are those of the buffers.
    @inline(__always)
    func push(
        _ packet: TapPacket, descriptor: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer
    ) -> Bool {
        let size = MemoryLayout<TapPacket>.size
        let length = Self.length(size &+ descriptor.count &+ payload.count)
        guard let place = placeForPacket(length) else { return false }
        let body = place + Self.bodyOffset
        put(packet, at: body)
        let bytes = body + size
        if let base = descriptor.baseAddress { bytes.copyMemory(from: base, byteCount: descriptor.count) }
        if let base = payload.baseAddress {
            (bytes + descriptor.count).copyMemory(from: base, byteCount: payload.count)
        }
        finish(length, .packet, at: place)
        return true
    }

    func push(_ report: TapReport) -> Bool { push(report, .report) }

    func push(_ gap: TapGap) -> Bool { push(gap, .gap) }

    private func push<Body>(_ body: Body, _ kind: Kind) -> Bool {
        let length = Self.length(MemoryLayout<Body>.size)
        guard let place = placeForPacket(length) else { return false }
        put(body, at: place + Self.bodyOffset)
        finish(length, kind, at: place)
        return true
    }

    /// Seen by the reader at once. When not even the reserve has room, the pipe ends.
    func push(_ event: TapEvent) {
        guard !isClosed else { return }
        let length = Self.length(0)
        guard let place = place(length, reserve: 0), note(event) else { return close(.overrun) }
        finish(length, .event, at: place)
        publish()
    }

    private func note(_ event: TapEvent) -> Bool {
        events.withLock { events in
            guard events.count < Self.eventLimit else { return false }
            events.append(event)
            return true
        }
    }

    /// Shows the reader what was pushed.
    @inline(__always)
    func publish() {
        guard written != published else { return }
        published = written
        writtenCount.store(written, ordering: .releasing)
        signal()
    }

    /// What was pushed is the last.
    func close(_ end: TapEnd) {
        guard !isClosed else { return }
        isClosed = true
        published = written
        writtenCount.store(written, ordering: .releasing)
        endCode.store(end.rawValue, ordering: .releasing)
        signal()
    }

    private func signal() {
        if !isSignalled.exchange(true, ordering: .acquiringAndReleasing) { wake() }
    }

    // MARK: - Reader

    /// To be called when woken, before `next`: what is published from now on wakes again.
    package func begin() { _ = isSignalled.exchange(false, ordering: .acquiringAndReleasing) }

    /// The next item; nil when there is none for now. The bytes of the one before are given up.
    package func next() -> TapItem? {
        release()
        while true {
            if read == knownWritten {
                // In this order: whoever sees the end sees all that came before it.
                let end = TapEnd(rawValue: endCode.load(ordering: .acquiring))
                knownWritten = writtenCount.load(ordering: .acquiring)
                guard read != knownWritten else { return end.map { .ended($0) } }
            }
            let place = memory + (read & (capacity &- 1))
            let header = place.assumingMemoryBound(to: Header.self).pointee
            givenLength = Int(header.length)
            guard header.kind == .skip else { return item(header.kind, at: place + Self.bodyOffset) }
            release()
        }
    }

    private func item(_ kind: Kind, at body: UnsafeMutableRawPointer) -> TapItem? {
        switch kind {
        case .packet:
            let packet = body.assumingMemoryBound(to: TapPacket.self).pointee
            let bytes = body + MemoryLayout<TapPacket>.size
            let descriptor = Int(packet.descriptorLength)
            descriptorBytes = UnsafeRawBufferPointer(start: bytes, count: descriptor)
            payloadBytes = UnsafeRawBufferPointer(start: bytes + descriptor, count: Int(packet.payloadLength))
            return .packet(packet)
        case .report: return .report(body.assumingMemoryBound(to: TapReport.self).pointee)
        case .gap: return .gap(body.assumingMemoryBound(to: TapGap.self).pointee)
        case .event: return .event(takeEvent())
        case .skip: preconditionFailure("what is skipped is no item")
        }
    }

    /// Of the packet that `next` gave last: the dependency descriptor as it came, empty without one.
    package var descriptor: UnsafeRawBufferPointer { descriptorBytes }

    /// Of the packet that `next` gave last: what follows the RTP header, without padding; of a repaired packet as it was
    /// sent first.
    package var payload: UnsafeRawBufferPointer { payloadBytes }

    /// Bytes that wait to be read. From the reader's thread.
    package var unread: Int { writtenCount.load(ordering: .acquiring) &- read }

    private func takeEvent() -> TapEvent {
        if takenEvents.isEmpty {
            takenEvents = events.withLock { events in
                defer { events.removeAll() }
                return events.reversed()
            }
        }
        guard let event = takenEvents.popLast() else {
            preconditionFailure("an event is in the list before its place can be seen")
        }
        return event
    }

    private func release() {
        guard givenLength > 0 else { return }
        read &+= givenLength
        givenLength = 0
        descriptorBytes = UnsafeRawBufferPointer(start: nil, count: 0)
        payloadBytes = UnsafeRawBufferPointer(start: nil, count: 0)
        readCount.store(read, ordering: .releasing)
    }
}
