// The receiver's side of transport-wide congestion control (draft-holmer-rmcat-transport-wide-cc-extensions-01): when
// each packet of a participant came, told to it in turn.
//
// The numbers are those of the header extension, one row for all of the participant's streams. Arrivals are kept in a
// ring of 16 KiB which is made with the first packet. What was reported stays there for a while: a packet that comes late makes the next
// report begin with it, and the sender passes over what it knows.

package import Base
package import Wire

package struct TransportFeedbackRecorder: Sendable {
    /// Packets of the ring, a power of two. A report covers 100 ms, so 4,096 is room for 40,000 packets per second; a gap
    /// beyond it is a new beginning. Higher costs four bytes each.
    package static let window: UInt64 = 4_096
    /// From the first packet that is not reported to its report. The draft says 50 to 250 ms: sooner costs datagrams,
    /// later makes the sender's estimate slow.
    package static let interval = Duration.milliseconds(100)
    /// The same when many packets wait: fast senders fill queues sooner.
    package static let busyInterval = Duration.milliseconds(50)
    package static let busyCount = 64
    /// Packets with an arrival in one report; with two bytes each and their chunks it stays below 1,200 bytes.
    package static let arrivalsPerReport = 400
    /// How far back a packet that came late makes a report begin. Lower loses late packets for the estimate, higher
    /// repeats more.
    package static let lookBack: UInt64 = 512
    /// So many packets in a row whose numbers are too old: the sender began anew, or one number was garbage.
    package static let strayLimit = 32

    private static let mask = Int(window - 1)
    /// Of a slot: the packet did not come.
    private static let absent: UInt32 = 0

    /// By number, when it came, in units of 250 µs; these wrap exactly as the reference time on the wire does. Empty
    /// until the first packet, for many participants only watch.
    private var arrivals: [UInt32] = []
    private var unwrapper = SequenceUnwrapper()
    /// The first number of the next report.
    private var begin: ExtendedSequence = 0
    /// The number after the highest that came.
    private var end: ExtendedSequence = 0
    private var pending = 0
    private var firstPending = Instant(nanoseconds: 0)
    private var strays = 0
    private var feedbackCount: UInt8 = 0
    /// Kept between reports, so that making one allocates nothing after the first.
    private var scratch: [Int32] = []
    /// Packets whose numbers were too old to report.
    package private(set) var strayCount: UInt64 = 0
    /// Times that everything was forgotten for a gap that the ring does not hold.
    package private(set) var resetCount: UInt64 = 0

    package init() {}

    /// When to build a report; nil when nothing waits.
    package var deadline: Instant? {
        pending == 0 ? nil : firstPending + (pending >= Self.busyCount ? Self.busyInterval : Self.interval)
    }

    /// Each packet with a transport-wide number, when it came.
    package mutating func record(_ number: SequenceNumber, now: Instant) {
        let sequence = unwrapper.unwrap(number)
        if sequence == end {
            // The usual case: what its slot held is a turn old.
            end &+= 1
            if end &- begin > Self.window { begin = end &- Self.window }
            strays = 0
            return take(sequence, now)
        }
        if end == 0 {
            if arrivals.isEmpty { arrivals = [UInt32](repeating: Self.absent, count: Int(Self.window)) }
            begin = sequence
            end = sequence
        }
        if sequence >= end {
            advance(to: sequence)
        } else if sequence < begin {
            guard begin &- sequence <= Self.lookBack, end &- sequence < Self.window else { return stray(number, now) }
            begin = sequence
        }
        strays = 0
        // A duplicate changes nothing: the sender wants the first arrival.
        if arrivals[Int(truncatingIfNeeded: sequence) & Self.mask] == Self.absent { take(sequence, now) }
    }

    private mutating func take(_ sequence: ExtendedSequence, _ now: Instant) {
        arrivals[Int(truncatingIfNeeded: sequence) & Self.mask] = Self.ticks(now)
        if pending == 0 { firstPending = now }
        pending &+= 1
    }

    /// Zero is for absence, and stands for the unit after it.
    private static func ticks(_ now: Instant) -> UInt32 {
        max(1, UInt32(truncatingIfNeeded: now.nanoseconds / 250_000))
    }

    private mutating func advance(to sequence: ExtendedSequence) {
        let gap = sequence &- end
        if gap >= Self.window &- Self.lookBack {
            if pending > 0 || gap >= Self.window { resetCount &+= 1 }
            for slot in 0..<Int(Self.window) { arrivals[slot] = Self.absent }
            begin = sequence
            pending = 0
        } else {
            for passed in end...sequence { arrivals[Int(truncatingIfNeeded: passed) & Self.mask] = Self.absent }
        }
        end = sequence &+ 1
        // What is overwritten before it was reported is lost to the sender; the caller builds more often than that.
        if end &- begin > Self.window { begin = end &- Self.window }
    }

    private mutating func stray(_ number: SequenceNumber, _ now: Instant) {
        strayCount &+= 1
        strays &+= 1
        guard strays >= Self.strayLimit else { return }
        resetCount &+= 1
        strays = 0
        pending = 0
        end = 0
        unwrapper = SequenceUnwrapper()
        for slot in 0..<Int(Self.window) { arrivals[slot] = Self.absent }
        record(number, now: now)
    }

    /// Writes one report when it is due; to be called again until it says false, for one report has its bounds.
    package mutating func build(
        now: Instant, from sender: SSRC, to media: SSRC, into bytes: inout [UInt8]
    ) -> Bool {
        guard let due = deadline, due <= now else { return false }
        guard let first = firstArrival() else {
            // Everything that waited was overwritten.
            pending = 0
            begin = end
            return false
        }
        scratch.removeAll(keepingCapacity: true)
        let reference = first >> 8
        var before = reference << 8
        var sequence = begin
        var arrived = 0
        var known = 0
        while sequence < end, arrived < Self.arrivalsPerReport {
            let tick = arrivals[Int(truncatingIfNeeded: sequence) & Self.mask]
            if tick == Self.absent {
                scratch.append(RTCPTransportFeedbackWriter.notReceived)
            } else {
                let delta = Int32(bitPattern: tick &- before)
                guard let delta16 = Int16(exactly: delta) else { break }
                scratch.append(Int32(delta16))
                before = tick
                arrived &+= 1
                known = scratch.count
            }
            sequence &+= 1
        }
        // The last of a report is one that came: those after it may still be on their way.
        scratch.removeLast(scratch.count &- known)
        RTCPTransportFeedbackWriter.write(
            from: sender, to: media, baseSequence: SequenceNumber(truncatingIfNeeded: begin),
            referenceTime: Int32(bitPattern: reference << 8) >> 8, feedbackCount: feedbackCount, packets: scratch.span,
            into: &bytes)
        feedbackCount &+= 1
        begin &+= ExtendedSequence(known)
        // With repetitions more are told than were pending; the end of the row tells that none is.
        pending = begin == end ? 0 : max(1, pending &- arrived)
        return true
    }

    private func firstArrival() -> UInt32? {
        var sequence = begin
        while sequence < end {
            let tick = arrivals[Int(truncatingIfNeeded: sequence) & Self.mask]
            if tick != Self.absent { return tick }
            sequence &+= 1
        }
        return nil
    }
}
