// Packets of one stream in the order of their numbers. They are recorded as they came; what was repeated came late.
//
// A missing packet is waited for until `waitingTime` has passed, by the arrival of the others, or `waitingPackets` wait;
// then it is a hole. Duplicates, and what comes after its hole was declared, are left out.

struct ReorderBuffer {
    enum Event: Equatable {
        case packet(TimedPacket)
        /// So many are missing before the next packet.
        case hole(UInt64)
    }

    private(set) var duplicates = 0
    private var next: UInt64?
    /// By number, ascending: few wait, and new ones are mostly the highest.
    private var waiting: [TimedPacket] = []

    var isEmpty: Bool { waiting.isEmpty }

    /// What can go on now.
    mutating func add(_ packet: TimedPacket, into events: inout [Event]) {
        let expected = next ?? packet.sequence
        guard packet.sequence >= expected else {
            duplicates += 1
            return
        }
        if waiting.isEmpty && packet.sequence == expected {
            next = packet.sequence &+ 1
            return events.append(.packet(packet))
        }
        if next == nil { next = expected }
        insert(packet)
        release(at: packet.arrival, into: &events)
    }

    /// Nothing more comes.
    mutating func drain(into events: inout [Event]) {
        while !waiting.isEmpty { skip(into: &events) }
        next = nil
    }

    private mutating func insert(_ packet: TimedPacket) {
        var index = waiting.count
        while index > 0, waiting[index - 1].sequence > packet.sequence { index -= 1 }
        if index > 0, waiting[index - 1].sequence == packet.sequence {
            duplicates += 1
        } else {
            waiting.insert(packet, at: index)
        }
    }

    private mutating func release(at now: MediaTime, into events: inout [Event]) {
        takeReady(into: &events)
        while let first = waiting.first,
            waiting.count > ExportLimits.waitingPackets || now &- oldest(first) > ExportLimits.waitingTime
        {
            skip(into: &events)
        }
    }

    /// The first that waits may itself have come late; what waits longest counts.
    private func oldest(_ first: TimedPacket) -> MediaTime {
        waiting.reduce(first.arrival) { min($0, $1.arrival) }
    }

    private mutating func skip(into events: inout [Event]) {
        guard let first = waiting.first, let expected = next else { return }
        if first.sequence > expected { events.append(.hole(first.sequence &- expected)) }
        next = first.sequence
        takeReady(into: &events)
    }

    private mutating func takeReady(into events: inout [Event]) {
        var count = 0
        while count < waiting.count, let expected = next, waiting[count].sequence == expected {
            events.append(.packet(waiting[count]))
            next = expected &+ 1
            count += 1
        }
        waiting.removeFirst(count)
    }
}
