// What a participant sends: a track, and the streams that carry it (one, or one for each simulcast layer).

import Base
import Crypto
import Wire

/// Names a track within its shard; never reused.
package struct TrackID: Hashable, Sendable {
    package let number: UInt64
}

/// One stream of a track. Made when the first packet of its source was authenticated, or named in SDP.
final class PublishedLayer {
    let ssrc: SSRC
    /// 0 is the lowest.
    let index: UInt8
    /// Another one for each source that the track ever had.
    let stream: UInt16
    unowned let track: PublishedTrack
    var ring: PacketRing
    var reception: ReceiveStream
    var missing = NACKGenerator()
    var keyframes = KeyframeRequester()
    /// Of dependency descriptors, as the packet of this number brought it.
    var structure = DependencyStructure()
    var structureSince: ExtendedSequence = 0
    /// What makes this layer's timestamps those of the publisher's clock, after a sender report.
    var clockOffset: UInt32?
    var counters = StreamCounters()
    var meter = LayerMeter()
    /// When it flowed last: layers that stopped keep their place among the others.
    var lastRate = 0

    init(ssrc: SSRC, index: UInt8, track: PublishedTrack) {
        self.ssrc = ssrc
        self.index = index
        self.track = track
        stream = track.takeStreamNumber()
        ring = PacketRing(capacity: track.kind == .video ? RingCapacity.video : RingCapacity.audio)
        reception = ReceiveStream(ssrc: ssrc, clockRate: track.clockRate)
    }
}

extension PublishedLayer {
    /// A sender report of this layer: from now on its timestamps can be told in the publisher's time, and that in ours.
    func take(_ info: RTCPSenderInfo, now: Instant, ours: UInt64) {
        reception.receive(info, now: now)
        track.tap?.report(self)
        // Who has no clock says 0 (RFC 3550 §6.4.1).
        guard info.ntpTime != 0 else { return }
        track.publisher.clock.update(theirs: info.ntpTime, ours: ours)
        clockOffset = PublisherTimeline.offset(
            ntp: info.ntpTime, timestamp: info.rtpTimestamp, clockRate: track.clockRate)
    }
}

package struct StreamCounters: Sendable {
    package var packets: UInt64 = 0
    package var bytes: UInt64 = 0
    package var retransmissions: UInt64 = 0
    /// Asked for again, and gone.
    package var notRepeated: UInt64 = 0
    package var keyframeRequests: UInt64 = 0
    /// Asked for again, and more than the subscriber may ask for.
    package var refusedRepairs: UInt64 = 0
    /// Given up because the subscriber's network could not take it.
    package var droppedForBandwidth: UInt64 = 0
    /// Numbers that the subscriber reported missing.
    package var reportedMissing: UInt64 = 0
}

/// A packet that came in this batch and has not been forwarded yet.
struct PendingPacket {
    var layer: UInt8
    var sequence: ExtendedSequence
}

final class PublishedTrack {
    /// Packets of one track that one batch may bring: all of it.
    static let pendingLimit = 2 * DatagramSocket.batchSize
    /// Simulcast layers; browsers send up to three.
    static let layerLimit = 4

    let id: TrackID
    let kind: MediaKind
    let mid: String
    let clockRate: UInt32
    let codecs: [NegotiatedCodec]
    /// What was agreed, for who mirrors the track.
    let receiving: Transceiver.Receiving
    /// On other shards.
    var mirrors: [TrackMirror] = []
    /// Of a mirror: where the track itself is.
    var origin: TrackOrigin?
    /// Restriction identifiers of simulcast, the lowest layer first; empty without.
    let rids: [[UInt8]]
    /// Sources that SDP names, the lowest layer first.
    let announced: [RemoteSource]
    let midBytes: [UInt8]
    /// Losses are asked for again: only where the publisher repeats. Kept, for it is asked once per packet.
    let isRepairable: Bool
    unowned let publisher: Participant
    /// By payload type: the codec, or what a repair packet of this type repairs.
    private var videoCodecs = InlineArray<128, UInt8>(repeating: PublishedTrack.none)
    private var repairs = InlineArray<128, UInt8>(repeating: PublishedTrack.none)
    private static let none: UInt8 = 0xFF
    private(set) var layers: [PublishedLayer] = []
    private(set) var subscriptions: [Subscription] = []
    /// As measured last (`LayerMeter`), with the sum of all streams.
    var flowing = MediaLayers()
    var flowingBitsPerSecond = 0
    /// Another one with every measurement.
    var flowingVersion: UInt32 = 0
    /// Indices of layers by their rates, the lowest first; layers that stopped keep their place.
    var order: [UInt8] = []
    var layerInterest = LayerInterest()
    /// Nothing of it is forwarded: see `MediaEngine.hold`.
    var isHeld = false
    /// Of a recorder that hears it.
    var tap: TrackTap?
    private var streamCount: UInt16 = 0

    /// Filled while a batch is received, emptied at its end.
    let pending: UnsafeMutablePointer<PendingPacket>
    var pendingCount = 0
    /// The same, found in their rings once for all subscribers. Valid until the next packet is received.
    let records: UnsafeMutablePointer<UnsafePointer<PacketRecord>>
    fileprivate(set) var recordCount = 0

    init(id: TrackID, mid: String, kind: MediaKind, receiving: Transceiver.Receiving, publisher: Participant) {
        self.id = id
        self.mid = mid
        self.kind = kind
        codecs = receiving.codecs
        self.receiving = receiving
        // Browsers list simulcast identifiers from low to high, and the sender's packets say which is which.
        rids = receiving.layers.map { Array($0.rid.utf8) }
        announced = receiving.sources
        midBytes = Array(mid.utf8)
        isRepairable = kind == .video && receiving.codecs.first?.feedback.contains(.nack) == true
        for codec in receiving.codecs {
            videoCodecs[Int(codec.payloadType & 127)] = codec.codec.video?.rawValue ?? Self.none
            if let rtx = codec.rtxPayloadType { repairs[Int(rtx & 127)] = codec.payloadType }
        }
        clockRate = receiving.codecs.first { !$0.codec.isCompanion }?.clockRate ?? 90_000
        self.publisher = publisher
        pending = .allocate(capacity: Self.pendingLimit)
        records = .allocate(capacity: Self.pendingLimit)
    }

    deinit {
        pending.deallocate()
        records.deallocate()
    }
}

extension PublishedTrack {
    /// What the batch brought, to everybody who wants it: one subscriber after the other, so that what goes to one
    /// destination lies together.
    func forwardPending(now: Instant, engine: MediaEngine) {
        guard pendingCount > 0 else { return }
        findPending()
        // By index, here and in `layer`: unoptimised, iterators take memory from the heap, and tests count that.
        for index in subscriptions.indices {
            prefetch(after: index)
            subscriptions[index].forward(self, now: now, engine: engine)
        }
        if !mirrors.isEmpty { pushPending(engine) }
        if let tap { tap.take(self, now: now, engine: engine) }
        pendingCount = 0
    }

    /// How many subscribers ahead their memory is asked for, step by step. One more hides more of the wait, and too many
    /// push out what was asked for first.
    private static let objectAhead = 4
    private static let partsAhead = 2
    private static let historyAhead = 1

    @inline(__always)
    private func prefetch(after index: Int) {
        let count = subscriptions.count
        if index &+ Self.objectAhead < count { subscriptions[index &+ Self.objectAhead].prefetch() }
        if index &+ Self.partsAhead < count { subscriptions[index &+ Self.partsAhead].prefetchParts() }
        if index &+ Self.historyAhead < count { subscriptions[index &+ Self.historyAhead].prefetchHistory() }
    }

    private func findPending() {
        recordCount = 0
        for index in 0..<pendingCount {
            let packet = pending[index]
            // By its number: a higher layer may have come first. It may have gone, too, or a long batch have driven its
            // own beginning out.
            guard let record = layer(packet.layer)?.ring.find(packet.sequence) else { continue }
            records[recordCount] = record
            recordCount &+= 1
        }
    }

    /// True when the track had nothing pending before.
    func addPending(_ packet: PendingPacket) -> Bool {
        guard pendingCount < Self.pendingLimit else { return false }
        pending[pendingCount] = packet
        pendingCount &+= 1
        return pendingCount == 1
    }

    @inline(__always)
    func layer(_ number: UInt8) -> PublishedLayer? {
        for index in layers.indices where layers[index].index == number { return layers[index] }
        return nil
    }

    /// Of simulcast, the best layer that there is; it may not have come yet.
    var highestLayer: UInt8 { UInt8(truncatingIfNeeded: max(max(rids.count, announced.count), 1) - 1) }

    func takeStreamNumber() -> UInt16 {
        defer { streamCount &+= 1 }
        return streamCount
    }

    func add(_ layer: PublishedLayer) { layers.append(layer) }
    func add(_ subscription: Subscription) { subscriptions.append(subscription) }
    func remove(_ subscription: Subscription) { subscriptions.removeAll { $0 === subscription } }
}

// MARK: - What was agreed

extension PublishedTrack {
    func isSame(as receiving: Transceiver.Receiving) -> Bool {
        codecs == receiving.codecs && announced == receiving.sources
            && rids == receiving.layers.map { Array($0.rid.utf8) }
    }

    var takesPictureLoss: Bool { codecs.contains { $0.feedback.contains(.pli) } }

    /// The codec of most packets.
    var mainVideoCodec: VideoCodec? { codecs.first { $0.codec.isVideo }?.codec.video }

    func videoCodec(of type: UInt8) -> VideoCodec? { VideoCodec(rawValue: videoCodecs[Int(type & 127)]) }

    func isRepairType(_ type: UInt8) -> Bool { repairs[Int(type & 127)] != Self.none }

    func payloadType(repairedBy type: UInt8) -> UInt8? {
        let repaired = repairs[Int(type & 127)]
        return repaired == Self.none ? nil : repaired
    }

    func carries(_ type: UInt8) -> Bool {
        codecs.contains { $0.payloadType == type || $0.rtxPayloadType == type }
    }

    func ridIndex(_ rid: RawSpan) -> UInt8? {
        rids.firstIndex { Participant.isSame($0, rid) }.map { UInt8(truncatingIfNeeded: $0) }
    }

    func remove(_ layer: PublishedLayer) { layers.removeAll { $0 === layer } }
}

extension Codec {
    var video: VideoCodec? {
        switch self {
        case .vp8: .vp8
        case .vp9: .vp9
        case .h264: .h264
        case .h265: .h265
        case .av1: .av1
        default: nil
        }
    }
}
