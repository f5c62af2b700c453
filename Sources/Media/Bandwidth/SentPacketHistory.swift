// What was sent when, by transport-wide sequence number, until feedback tells how it went.

import Base

extension Instant {
    /// The estimator counts in signed microseconds, so that differences of either sign are plain subtractions.
    var microseconds: Int64 { Int64(truncatingIfNeeded: nanoseconds / 1_000) }
}

/// A ring indexed by the low bits of the sequence number. One entry is 16 bytes, allocated once per subscriber.
package struct SentPacketHistory: ~Copyable {
    /// A power of two; 32 KiB per subscriber. At 1200 bytes a packet it holds 2 s of 10 Mbit/s or 0.4 s of 50 Mbit/s:
    /// less, and feedback of a long path finds its packets overwritten (they are then neither received nor lost);
    /// more costs memory for every subscriber.
    package static let defaultCapacity = 2_048

    /// Sequence numbers have 16 bits, and half of them tell old from new.
    package static let largestCapacity = 32_768

    private enum State: UInt8 {
        case empty
        case inFlight
        case reportedLost
        case received
    }

    private struct Entry {
        /// Microseconds, local clock.
        var sendTime: Int64
        var sequence: UInt16
        var size: UInt16
        var cluster: UInt16
        var state: State
    }

    /// What one packet's report means.
    package enum Report {
        /// Never sent, long ago, or told before.
        case nothingNew
        case received(sendTime: Int64, size: Int, cluster: UInt16)
        case lost(sendTime: Int64, size: Int, cluster: UInt16)
    }

    private let entries: UnsafeMutablePointer<Entry>
    private let mask: UInt16
    private var newest: UInt16 = 0
    private var hasSent = false
    /// The number after the highest one that a report has named.
    private var reportedUntil: UInt16?
    /// Sent and not told of; what the ring overwrites leaves it too.
    package private(set) var bytesInFlight = 0

    package init(capacity: Int = Self.defaultCapacity) {
        precondition(
            capacity > 0 && capacity <= Self.largestCapacity && capacity & (capacity - 1) == 0,
            "a history is a power of two of packets, and within half of the sequence numbers")
        mask = UInt16(capacity - 1)
        entries = .allocate(capacity: capacity)
        entries.initialize(
            repeating: Entry(sendTime: 0, sequence: 0, size: 0, cluster: 0, state: .empty), count: capacity)
    }

    deinit { entries.deallocate() }

    /// `size` is what the packet takes on the wire, saturated at 65535. Sequence numbers go up by one.
    package mutating func add(_ sequence: UInt16, size: Int, cluster: UInt16, sendTime: Int64) {
        let index = Int(sequence & mask)
        if entries[index].state == .inFlight { bytesInFlight &-= Int(entries[index].size) }
        let size = UInt16(clamping: size)
        entries[index] = Entry(
            sendTime: sendTime, sequence: sequence, size: size, cluster: cluster, state: .inFlight)
        bytesInFlight &+= Int(size)
        newest = sequence
        hasSent = true
    }

    /// Bytes that reports have passed over, up to this number: a report was lost on its way, not they. Told once.
    package mutating func passedOver(until sequence: UInt16) -> Int {
        guard hasSent, newest &- sequence <= mask else { return 0 }
        var current = reportedUntil ?? sequence
        // Behind the last report: nothing is passed over.
        if current &- sequence &- 1 <= mask { return 0 }
        reportedUntil = sequence &+ 1
        guard sequence &- current <= mask else { return 0 }
        var bytes = 0
        while current != sequence {
            let entry = entries[Int(current & mask)]
            if entry.sequence == current, entry.state == .inFlight { bytes &+= Int(entry.size) }
            current &+= 1
        }
        return bytes
    }

    /// A packet is told of as lost at most once and as received at most once; what was thought lost may still arrive.
    package mutating func report(_ sequence: UInt16, isReceived: Bool) -> Report {
        let index = Int(sequence & mask)
        let entry = entries[index]
        guard hasSent, newest &- sequence <= mask, entry.sequence == sequence, entry.state != .empty else {
            return .nothingNew
        }
        if entry.state == .inFlight { bytesInFlight &-= Int(entry.size) }
        if isReceived {
            guard entry.state != .received else { return .nothingNew }
            entries[index].state = .received
            return .received(sendTime: entry.sendTime, size: Int(entry.size), cluster: entry.cluster)
        }
        guard entry.state == .inFlight else { return .nothingNew }
        entries[index].state = .reportedLost
        return .lost(sendTime: entry.sendTime, size: Int(entry.size), cluster: entry.cluster)
    }
}
