// A journal that is being written, without threads, files or a clock: entries in, closed segments out.
//
// What comes often (packets, sender reports) is left out when there is no room, and counted; what is seldom has a reserve.
// Who drives it closes segments that are due, takes them one by one, and says when one is durable: docs/formats/journal.md,
// "When a segment is closed".

package import Base

/// The clocks, read when a segment is opened.
package struct JournalMoment: Sendable {
    package var instant: Instant
    package var civil: Timestamp

    package init(instant: Instant, civil: Timestamp) {
        self.instant = instant
        self.civil = civil
    }

    package static func now() -> JournalMoment { JournalMoment(instant: .now(), civil: .now()) }
}

/// What became of something that was put in.
package enum JournalVerdict: Equatable, Sendable {
    case taken
    /// There is no room until the disk has caught up. A gap will tell of it.
    case leftOut
    /// It may not stand there, or has no form; nothing was written.
    case refused(StaticString)
    /// The recording has ended, or failed.
    case over

    package static func == (left: Self, right: Self) -> Bool {
        switch (left, right) {
        case (.taken, .taken), (.leftOut, .leftOut), (.over, .over): true
        case (.refused(let one), .refused(let other)): "\(one)" == "\(other)"
        default: false
        }
    }
}

/// Entries that will not be added to, and are not on disk.
struct ClosedSegment: Sendable {
    var time: RecordingTime
    var civil: Timestamp
    var entries: Bytes
}

package struct JournalMachine: ~Copyable, Sendable {
    /// `JournalLimits`, or what a test makes small.
    package struct Bounds: Sendable {
        package var age = JournalLimits.segmentAge
        package var segment = JournalLimits.segment
        package var reserve = JournalLimits.reserve
        package var waiting = JournalLimits.waiting
        package var segments = JournalLimits.segments

        package init() {}
    }

    private struct Open {
        var time: RecordingTime
        var civil: Timestamp
        var opened: Instant
    }

    private enum Phase: Equatable {
        case writing
        case ended(JournalEnd)
        /// What is seldom found no room either.
        case overflown
    }

    private let bounds: Bounds
    let start: Instant
    private var phase = Phase.writing
    private var order = JournalOrder()
    private var encoder = EntryEncoder(from: .zero)
    private var open: Open?
    private var entries = Bytes()
    private var waiting: [ClosedSegment] = []
    /// Of `waiting`, and of the one that was taken.
    private var waitingBytes = 0
    private var isOneTaken = false
    private var closedCount = 0
    /// Emptied segments, for the next ones.
    private var spare: [Bytes] = []
    /// Packets that were left out since the last gap, and since when.
    private var leftOut: [TrackNumber: (count: UInt64, since: RecordingTime)] = [:]
    private(set) var totals = JournalTotals()
    private(set) var consents: [JournalManifest.Consent] = []
    private(set) var endTime = RecordingTime.zero

    package init(_ beginning: JournalBeginning, at moment: JournalMoment, bounds: Bounds = Bounds()) {
        self.bounds = bounds
        start = beginning.instant
        let verdict = put(JournalEntry(at: .zero, .began(beginning)), now: { moment })
        precondition(verdict == .taken, "a journal begins with a version that is no longer than one may be")
    }

    // MARK: Putting in

    /// A packet. `arrival` is when it came.
    package mutating func put(
        _ head: JournalPacketHead, descriptor: RawSpan, payload: RawSpan, arrival: Instant, now: () -> JournalMoment
    ) -> JournalVerdict {
        guard phase == .writing else { return .over }
        guard order.admits(head.track) else { return .refused(order.refusal(of: head.track)) }
        guard payload.byteCount <= JournalLimits.payload, descriptor.byteCount <= JournalLimits.dependency else {
            return .refused("a packet is longer than one may be")
        }
        let time = RecordingTime(arrival, since: start)
        let count = EntryEncoder.packetOverhead &+ descriptor.byteCount &+ payload.byteCount &+ gapsCount
        guard makeRoom(count, now) else {
            guard phase == .writing else { return .over }
            leftOut[head.track, default: (0, time)].count &+= 1
            return .leftOut
        }
        if !leftOut.isEmpty { tellGaps(time) }
        encoder.append(head, descriptor, payload, at: time, to: &entries)
        totals.packets &+= 1
        totals.payloadBytes &+= UInt64(payload.byteCount)
        return .taken
    }

    /// Anything but packets.
    package mutating func put(_ entry: JournalEntry, now: () -> JournalMoment) -> JournalVerdict {
        guard phase == .writing else { return .over }
        if case .packet(let packet) = entry.content {
            let (descriptor, payload) = (packet.descriptor, packet.payload)
            let arrival = start + (entry.time - .zero)
            return put(
                packet.head, descriptor: descriptor.span.bytes, payload: payload.span.bytes, arrival: arrival, now: now)
        }
        if let fault = entry.content.formFault { return .refused(fault) }
        if order.exceedsBound(entry.content) {
            finish(.bound, at: entry.time, now: now)
            return .over
        }
        // A sender report comes again: it is no reason to fail.
        let isSeldom = if case .senderReport = entry.content { false } else { true }
        guard makeRoom(Self.seldomRoom &+ gapsCount, now, reserve: isSeldom ? bounds.reserve : 0) else {
            if isSeldom, phase == .writing { phase = .overflown }
            return phase == .writing ? .leftOut : .over
        }
        do throws(OrderFault) { try order.take(entry.content) } catch { return .refused(error.reason) }
        tellGaps(entry.time)
        append(entry)
        return .taken
    }

    /// The last entry; without effect when there is one.
    package mutating func finish(_ reason: JournalEnd, at time: RecordingTime, now: () -> JournalMoment) {
        guard phase == .writing else { return }
        guard makeRoom(Self.seldomRoom &+ gapsCount, now, reserve: bounds.reserve) else {
            if phase == .writing { phase = .overflown }
            return
        }
        tellGaps(time)
        end(reason, time)
    }

    private mutating func end(_ reason: JournalEnd, _ time: RecordingTime) {
        // It is within: nothing else ends a journal.
        try? order.take(.ended(reason))
        append(JournalEntry(at: time, .ended(reason)))
        endTime = min(max(time, .zero), .most)
        phase = .ended(reason)
    }

    private mutating func append(_ entry: JournalEntry) {
        switch entry.content {
        case .consent(let consent): consents.append(JournalManifest.Consent(time: entry.time, consent: consent))
        case .gap(let gap): totals.leftOut &+= gap.count
        default: break
        }
        encoder.append(entry, to: &entries)
    }

    /// What the gaps take that are to be told.
    private var gapsCount: Int { leftOut.count &* EntryEncoder.packetOverhead }

    private mutating func tellGaps(_ time: RecordingTime) {
        guard !leftOut.isEmpty else { return }
        for (track, gap) in leftOut.sorted(by: { $0.key < $1.key }) {
            let gap = JournalGap(track: track, .journalBehind, count: gap.count, since: gap.since)
            append(JournalEntry(at: time, .gap(gap)))
        }
        leftOut.removeAll(keepingCapacity: true)
    }

    // MARK: Segments

    /// The most that an entry takes which is no packet, by its length of two bytes.
    private static let seldomRoom = 1 << 16

    /// True when the open segment has room for so many bytes; opens one when there is none.
    private mutating func makeRoom(_ count: Int, _ now: () -> JournalMoment, reserve: Int = 0) -> Bool {
        if open != nil, entries.count &+ count > bounds.segment { closeIfPossible() }
        if open == nil { return begin(now()) }
        return entries.count &+ count <= bounds.segment &+ reserve
    }

    private mutating func begin(_ moment: JournalMoment) -> Bool {
        let time = RecordingTime(moment.instant, since: start)
        open = Open(time: time, civil: moment.civil, opened: moment.instant)
        encoder = EntryEncoder(from: time)
        entries = spare.popLast() ?? Bytes()
        guard closedCount + 1 >= bounds.segments, phase == .writing else { return true }
        // The last segment that a recording may have: it holds the end and nothing else.
        end(.bound, time)
        return false
    }

    private mutating func closeIfPossible() {
        guard let segment = open, waitingBytes &+ entries.count <= bounds.waiting else { return }
        waiting.append(ClosedSegment(time: segment.time, civil: segment.civil, entries: entries))
        waitingBytes &+= entries.count
        entries = []
        open = nil
        closedCount += 1
    }

    /// Closes what is due. Of a recording that has ended, everything is.
    package mutating func closeDue(at now: Instant) {
        guard let segment = open else { return }
        if phase != .writing || now - segment.opened >= bounds.age { closeIfPossible() }
    }

    /// The next one to be written; `nil` while there is none, or while the one before is not durable.
    mutating func take() -> ClosedSegment? {
        guard !isOneTaken, !waiting.isEmpty else { return nil }
        isOneTaken = true
        return waiting.removeFirst()
    }

    /// The one that was taken is durable. Its memory serves again.
    mutating func isDurable(_ segment: consuming ClosedSegment) {
        precondition(isOneTaken, "a segment is durable that was not taken")
        isOneTaken = false
        waitingBytes &-= segment.entries.count
        guard spare.count < Self.spares else { return }
        var entries = segment.entries
        entries.removeAll(keepingCapacity: true)
        spare.append(entries)
    }

    /// One is being filled while another is being written.
    private static let spares = 2

    /// Why the recording has ended; `nil` while it has not.
    package var end: JournalEnd? { if case .ended(let reason) = phase { reason } else { nil } }
    package var isOverflown: Bool { phase == .overflown }
    /// Nothing is left to be written.
    package var isDrained: Bool { open == nil && waiting.isEmpty && !isOneTaken }
    /// Who agrees, so that a session ends when nobody does.
    package var agreeing: Int { order.agreeing }
}

extension JournalEntry.Content {
    /// What of it is longer than a field may be.
    fileprivate var formFault: StaticString? {
        switch self {
        case .began(let beginning) where beginning.version.utf8.count > JournalLimits.version: "a version is too long"
        case .participant(let participant) where participant.name.utf8.count > JournalLimits.name:
            "a name is too long"
        case .trackBegan(let track): track.formFault
        case .orientation(_, let orientation) where orientation > 15: "an orientation is not such"
        default: nil
        }
    }
}

extension JournalTrack {
    fileprivate var formFault: StaticString? {
        if [section, stream, name].contains(where: { $0.utf8.count > JournalLimits.name }) {
            return "a name is too long"
        }
        if case .sframe(let descriptor) = protection, descriptor.count > JournalLimits.descriptor {
            return "a descriptor is too long"
        }
        if codecs.count > JournalLimits.codecs { return "a track has too many codecs" }
        for codec in codecs {
            guard codec.payloadType < 0x80, codec.clockRate > 0 else {
                return "a codec's payload type or clock is not such"
            }
            guard codec.name.utf8.count <= JournalLimits.codecName,
                codec.parameters.utf8.count <= JournalLimits.codecParameters
            else { return "a codec's name or parameters are too long" }
        }
        return nil
    }
}
