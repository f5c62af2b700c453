// Spreads a subscriber's packets over time, so that a frame does not arrive at the bottleneck as one burst.
//
// Usually nothing waits: `admits` says yes and the caller sends at once. Packets that must wait are entries of 32 bytes
// in two rings; their bytes stay in the slab. Audio never waits, and its bytes are charged like all others, so that
// video makes room for it. Then come retransmissions, then video in the order of arrival, then padding for a probe.

package import Base

package struct PacedItem: Sendable {
    package enum Kind: UInt8, Sendable {
        case audio
        case retransmission
        case video
        case padding
        /// Shed while it waited.
        case dropped
    }

    /// The caller's name for the packet: a slab slot with a sequence number, say.
    package var packet: UInt64
    package var enqueuedAt: Instant
    package var stream: UInt16
    /// On the wire.
    package var size: UInt16
    package var kind: Kind
    /// Lower is shed first.
    package var priority: UInt8
    /// The first packet of a frame that needs no other.
    package var startsKeyframe: Bool

    package init(
        packet: UInt64, enqueuedAt: Instant, stream: UInt16, size: UInt16, kind: Kind, priority: UInt8 = 0,
        startsKeyframe: Bool = false
    ) {
        self.packet = packet
        self.enqueuedAt = enqueuedAt
        self.stream = stream
        self.size = size
        self.kind = kind
        self.priority = priority
        self.startsKeyframe = startsKeyframe
    }
}

/// Packets of a stream that were given up.
package struct PacerDrop: Sendable, Equatable {
    package let stream: UInt16
    package let packets: Int
    /// What follows in the stream cannot be decoded: ask for a keyframe.
    package let needsKeyframe: Bool

    package init(stream: UInt16, packets: Int, needsKeyframe: Bool) {
        self.stream = stream
        self.packets = packets
        self.needsKeyframe = needsKeyframe
    }
}

package struct Pacer: ~Copyable {
    /// What may leave ahead of its time. Longer makes bursts, shorter makes timers.
    package static let burst: UInt64 = 10_000_000
    /// Video that would wait longer at the present rate is shed. Longer hides a stall as delay, shorter sheds
    /// keyframes that would have come through.
    package static let longestWait: UInt64 = 400_000_000
    /// Entries; 16 and 4 KiB, allocated when the first packet waits.
    package static let videoCapacity = 512
    package static let retransmissionCapacity = 128
    /// Unpaced bytes are owed for no longer than this.
    package static let longestDebt: UInt64 = 500_000_000
    /// How far behind its time a fast probe may be and still make up for it. A driver's timers are a millisecond apart,
    /// and with one packet for each of them no probe would be faster than 10 Mbit/s. Longer makes bursts after a late
    /// timer, shorter probes at less than was planned.
    package static let probeCatchUp: UInt64 = 5_000_000
    /// Fast is a probe whose packets are nearer to each other than this: of a slower one the timer takes little, and two
    /// packets of it together are a burst to a small link.
    package static let fastSpacing = 1_000_000.0
    /// Slow is one whose packets are further from each other than this: the timer's millisecond takes a third of its rate
    /// at most. Higher makes up for more and probes small links harder.
    package static let slowSpacing = 1_700_000.0
    /// Two packets of this size weigh no more than one of video.
    package static let smallPadding: UInt16 = 600
    /// Of a probe's packets so many are not audio, whose rate is not the probe's: among many speakers one packet and what
    /// they say would be a probe, and show the rate of their voices.
    package static let leastPaced = 3
    /// But where there is so much audio that nothing else gets its turn, this many times the packets are enough. Lower
    /// measures audio alone, higher lasts longer.
    package static let audioProbeFactor = 8
    /// A probe that has not left after this is over.
    package static let longestProbe: UInt64 = 500_000_000
    package static let paddingSize: UInt16 = 1_200
    /// What the caller has for the bytes of probes: a probe of shorter packets needs more of them, and would otherwise
    /// leave more slowly than planned and show less than the link carries.
    package var paddingSize = Pacer.paddingSize

    /// When all bytes charged so far will have left at the paced rate.
    private var freeAt: UInt64 = 0
    private var nanosecondsPerByte: Double
    private var mediaNanosecondsPerByte: Double
    private var video = PacerRing(capacity: Self.videoCapacity)
    private var retransmissions = PacerRing(capacity: Self.retransmissionCapacity)
    private var probe: ProbePlan?
    private var probeStart: UInt64 = 0
    private var probePackets = 0
    /// Of them those that waited for the probe's rate.
    private var probePacedPackets = 0
    private var probeBytes = 0
    /// Of the packet charged last: goes with it into `SendSideEstimator.onSent`. 0 outside of probes.
    package private(set) var cluster: UInt16 = 0
    package private(set) var droppedRetransmissions = 0

    package init(bitsPerSecond: Int) {
        mediaNanosecondsPerByte = 8e9 / Double(max(bitsPerSecond, 1_000))
        nanosecondsPerByte = mediaNanosecondsPerByte
    }

    /// From `SendSideEstimator.pacingRate`.
    package mutating func setRate(_ bitsPerSecond: Int) {
        mediaNanosecondsPerByte = 8e9 / Double(max(bitsPerSecond, 1_000))
        if probe == nil { nanosecondsPerByte = mediaNanosecondsPerByte }
    }

    package var queuedPackets: Int { video.live + retransmissions.live }
    package var queuedBytes: Int { video.bytes + retransmissions.bytes }

    // MARK: - The usual case

    /// May a packet of video go now, without waiting? If so it is charged.
    package mutating func admits(_ bytes: Int, now: Instant) -> Bool {
        guard video.isEmpty, retransmissions.isEmpty, freeAt <= now.nanoseconds &+ Self.burst else { return false }
        charge(bytes, now: now, asked: true)
        return true
    }

    /// A packet that does not ask: audio.
    package mutating func charge(_ bytes: Int, now: Instant) { charge(bytes, now: now, asked: false) }

    private mutating func charge(_ bytes: Int, now: Instant, asked: Bool) {
        let time = now.nanoseconds
        let cost = UInt64(Double(bytes) * nanosecondsPerByte)
        let earliest = probe == nil ? time : time &- min(time, probeLag)
        freeAt = min(max(freeAt, earliest) &+ cost, time &+ Self.longestDebt)
        cluster = 0
        if probe != nil { countProbe(bytes, asked: asked) }
    }

    /// How far behind its time a probe may be and still make up for it. Of a fast one, or of small packets, several
    /// at once are no burst; of a slower one there are never two at once, and the slowest lose little to the timer.
    private var probeLag: UInt64 {
        let spacing = Double(paddingSize) * nanosecondsPerByte
        if spacing < Self.fastSpacing || paddingSize <= Self.smallPadding { return Self.probeCatchUp }
        return spacing < Self.slowSpacing ? UInt64(spacing) : 0
    }

    // MARK: - Waiting

    /// What had to be given up for it, if anything: the oldest video of the least important stream.
    package mutating func enqueue(_ item: PacedItem, now: Instant) -> PacerDrop? {
        if item.kind == .retransmission {
            if retransmissions.isFull {
                _ = retransmissions.removeFirst()
                droppedRetransmissions += 1
            }
            retransmissions.append(item)
            return nil
        }
        let wait = Double(queuedBytes + Int(item.size)) * nanosecondsPerByte
        guard video.isFull || wait > Double(Self.longestWait) else {
            video.append(item)
            return nil
        }
        if video.isFull { video.compact() }
        let drop = video.shed(for: item)
        if video.isFull { video.compact() }
        // The newcomer itself goes when it continues what was shed.
        if let drop, drop.stream == item.stream, drop.needsKeyframe, !item.startsKeyframe {
            return PacerDrop(stream: drop.stream, packets: drop.packets + 1, needsKeyframe: true)
        }
        guard !video.isFull else { return PacerDrop(stream: item.stream, packets: 1, needsKeyframe: true) }
        video.append(item)
        return drop
    }

    /// The next packet to send now, charged; nil when none may go. Padding has packet 0.
    package mutating func take(_ now: Instant) -> PacedItem? {
        let time = now.nanoseconds
        if probe != nil, time &- probeStart > Self.longestProbe { endProbe() }
        guard freeAt <= time &+ (probe == nil ? Self.burst : 0) else { return nil }
        if let item = retransmissions.removeFirst() ?? video.removeFirst() {
            charge(Int(item.size), now: now, asked: true)
            return item
        }
        guard probe != nil else { return nil }
        charge(Int(paddingSize), now: now, asked: true)
        return PacedItem(packet: 0, enqueuedAt: now, stream: 0, size: paddingSize, kind: .padding)
    }

    /// When `take` has something; nil when nothing waits.
    package var nextDeadline: Instant? {
        if probe != nil { return Instant(nanoseconds: freeAt) }
        guard !video.isEmpty || !retransmissions.isEmpty else { return nil }
        return Instant(nanoseconds: freeAt > Self.burst ? freeAt &- Self.burst : 0)
    }

    // MARK: - Probes

    package var isProbing: Bool { probe != nil }

    /// All that leaves until the plan is fulfilled belongs to the probe; padding fills the gaps.
    package mutating func begin(_ plan: ProbePlan, now: Instant) {
        probe = plan
        probeStart = now.nanoseconds
        probePackets = 0
        probePacedPackets = 0
        probeBytes = 0
        nanosecondsPerByte = 8e9 / Double(max(plan.bitsPerSecond, 1_000))
        freeAt = now.nanoseconds
    }

    private mutating func countProbe(_ bytes: Int, asked: Bool) {
        guard let probe else { return }
        cluster = probe.cluster
        probePackets += 1
        if asked { probePacedPackets += 1 }
        probeBytes += bytes
        let isLong =
            probePacedPackets >= Self.leastPaced || probePackets >= probe.leastPackets * Self.audioProbeFactor
        if isLong, probePackets >= probe.leastPackets, probeBytes >= probe.leastBytes { endProbe() }
    }

    private mutating func endProbe() {
        probe = nil
        nanosecondsPerByte = mediaNanosecondsPerByte
    }
}
