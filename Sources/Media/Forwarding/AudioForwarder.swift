// What of audio goes to one subscriber: one source at a time on one line of numbers and time, and silence left out
// without a gap.

package import Base

package struct AudioInput: Sendable {
    /// Whatever tells the publishers of one subscription apart.
    package var source: UInt32
    /// Extended.
    package var sequence: UInt64
    package var timestamp: UInt32
    package var marker: Bool
    package var arrival: Instant
    package var senderClock: UInt32?
    /// Not to be sent: the room is large and this speaker is not among the loudest.
    package var isSilenced: Bool

    package init(
        source: UInt32, sequence: UInt64, timestamp: UInt32, marker: Bool = false, arrival: Instant,
        senderClock: UInt32? = nil, isSilenced: Bool = false
    ) {
        self.source = source
        self.sequence = sequence
        self.timestamp = timestamp
        self.marker = marker
        self.arrival = arrival
        self.senderClock = senderClock
        self.isSilenced = isSilenced
    }
}

package struct AudioForwarder: Sendable, BitwiseCopyable {
    private var selected: UInt32?
    private var current: UInt32?
    private var isStarted = false
    /// The next packet sent is the first after silence: its marker is set (RFC 3551 §4.1).
    private var wasSilent = true
    private var sequences = NumberMapper()
    private var timestamps: TimestampMapper
    private let firstSequence: UInt16?

    package init(clockRate: UInt32 = 48_000, firstSequence: UInt16? = nil) {
        timestamps = TimestampMapper(clockRate: clockRate)
        self.firstSequence = firstSequence
    }

    /// From its next packet on; `nil` for none. Audio of another clock rate is another codec, and so another time line.
    package mutating func select(_ source: UInt32?, clockRate: UInt32? = nil) {
        selected = source
        if let clockRate, clockRate != timestamps.clockRate { timestamps = TimestampMapper(clockRate: clockRate) }
        if source == nil { current = nil }
    }

    /// What the timestamps of the selected source have been moved by; `nil` before its first packet.
    package var timestampOffset: UInt32? { current == nil || current != selected ? nil : timestamps.offset }

    package mutating func offer(_ packet: AudioInput) -> ForwardVerdict {
        guard let selected else { return .drop(.paused) }
        guard packet.source == selected else { return .drop(.otherLayer) }
        if packet.source != current {
            guard !packet.isSilenced else { return .drop(.silence) }
            begin(packet)
            return .forward(rewrite(packet, sequence: sequences.highestOutgoing))
        }
        guard packet.sequence > sequences.highest else { return offerLate(packet) }
        let sequence = advance(to: packet.sequence)
        guard !packet.isSilenced else {
            sequences.drop()
            wasSilent = true
            return .drop(.silence)
        }
        timestamps.note(packet.timestamp, arrival: packet.arrival, clock: packet.senderClock)
        return .forward(rewrite(packet, sequence: sequence))
    }

    private mutating func advance(to sequence: UInt64) -> UInt64 {
        if sequence &- sequences.highest > VideoForwarder.largestGap {
            sequences.begin(at: sequence, as: sequences.next &+ 1)
            return sequences.highestOutgoing
        }
        return sequences.advance(to: sequence)
    }

    private mutating func begin(_ packet: AudioInput) {
        let start = UInt64(firstSequence ?? UInt16(truncatingIfNeeded: packet.sequence & 0x7FFF))
        sequences.begin(at: packet.sequence, as: isStarted ? sequences.next : start)
        timestamps.begin(
            packet.timestamp, arrival: packet.arrival, clock: packet.senderClock, isSame: false)
        current = packet.source
        isStarted = true
        wasSilent = true
    }

    private mutating func offerLate(_ packet: AudioInput) -> ForwardVerdict {
        guard packet.sequence < sequences.highest, let sequence = sequences.late(packet.sequence) else {
            return .drop(.late)
        }
        var rewrite = Rewrite()
        rewrite.sequence = sequence
        rewrite.timestamp = timestamps.outgoing(packet.timestamp)
        rewrite.marker = packet.marker
        return packet.isSilenced ? .fillGap(rewrite) : .forward(rewrite)
    }

    private mutating func rewrite(_ packet: AudioInput, sequence: UInt64) -> Rewrite {
        var rewrite = Rewrite()
        rewrite.sequence = sequence
        rewrite.timestamp = timestamps.outgoing(packet.timestamp)
        rewrite.marker = packet.marker || wasSilent
        wasSilent = false
        return rewrite
    }
}
