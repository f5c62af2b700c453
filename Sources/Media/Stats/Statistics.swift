// How participants do, in values: taken when somebody asks, from counters that are kept anyway.

package import Base
package import Wire

package struct ParticipantStatistics: Sendable {
    package let id: ParticipantID
    package let room: String
    package let isConnected: Bool
    package let age: Duration
    package let roundTrip: Duration
    /// To the participant, repairs and reports' packets excluded from neither.
    package let packetsSent: UInt64
    package let bytesSent: UInt64
    /// Nil for who gets no video, or whose network nothing is known of.
    package let bandwidth: BandwidthSnapshot?
    /// What its streams would take at their highest.
    package let wantedBitsPerSecond: Int
    package let pacedPackets: Int
    package let refused: ParticipantCounters
    package let tracks: [TrackStatistics]
    package let subscriptions: [SubscriptionStatistics]
}

package struct TrackStatistics: Sendable {
    package let id: TrackID
    package let mid: String
    package let kind: MediaKind
    package let codec: String
    package let subscribers: Int
    package let bitsPerSecond: Int
    /// Bits of layers that nobody is going to watch.
    package let unwatched: UInt8
    package let layers: [LayerStatistics]
}

package struct LayerStatistics: Sendable {
    package let ssrc: SSRC
    package let index: UInt8
    package let rid: String?
    package let bitsPerSecond: Int
    package let counters: StreamCounters
    /// On the way to us; what was repeated stays lost here.
    package let lost: Int64
    package let jitter: Duration
    /// Numbers asked for again, those that came, and those given up.
    package let requested: UInt64
    package let recovered: UInt64
    package let abandoned: UInt64
    package let keyframeRequests: UInt64
    package let keyframes: UInt64
}

package struct SubscriptionStatistics: Sendable {
    package let mid: String
    package let ssrc: SSRC
    package let kind: MediaKind
    package let track: TrackID?
    package let codec: String?
    /// What is sent now; nil for audio, and while nothing is.
    package let layer: MediaLayer?
    package let paused: PauseReason?
    package let counters: StreamCounters
    /// As the subscriber reported last.
    package let lossShare: Double
    package let lost: Int
    package let jitter: Duration
    package let roundTrip: Duration?
    package let pictureLosses: UInt64
    package let frames: UInt64
    package let freezes: UInt64
    package let frozen: Duration
    /// Of audio, once the subscriber has reported.
    package let opinion: Double?
}

extension MediaEngine {
    package func statistics(of id: ParticipantID, now: Instant) -> ParticipantStatistics? {
        participants[id]?.statistics(now: now)
    }

    /// Of everybody in a room; empty when there is none of the name.
    package func statistics(ofRoom name: String, now: Instant) -> [ParticipantStatistics] {
        rooms[name]?.participants.map { $0.statistics(now: now) } ?? []
    }

    /// What happened in a room lately, the oldest first.
    package func events(ofRoom name: String) -> [CallLogEntry] { rooms[name]?.log.all ?? [] }

    package func dominantSpeaker(ofRoom name: String) -> ParticipantID? { rooms[name]?.speakers.dominant }

    package var transitSummary: TransitSummary { transit.summary }
}

extension Participant {
    func statistics(now: Instant) -> ParticipantStatistics {
        ParticipantStatistics(
            id: id, room: room.name, isConnected: isConnected, age: now - joined, roundTrip: roundTrip,
            packetsSent: sending?.packets ?? 0, bytesSent: sending?.bytes ?? 0,
            bandwidth: sending?.bandwidth?.estimator.snapshot, wantedBitsPerSecond: allocation.wanted,
            pacedPackets: sending?.bandwidth?.pacer.queuedPackets ?? 0, refused: counters,
            tracks: tracks.map(\.statistics), subscriptions: subscriptions.map(\.statistics))
    }
}

extension PublishedTrack {
    var statistics: TrackStatistics {
        TrackStatistics(
            id: id, mid: mid, kind: kind, codec: codecName, subscribers: subscriptions.count,
            bitsPerSecond: flowingBitsPerSecond, unwatched: layerInterest.paused,
            layers: layers.map { $0.statistics(rids) })
    }

    var codecName: String { codecs.first { !$0.codec.isCompanion }?.codec.name ?? "" }
}

extension PublishedLayer {
    func statistics(_ rids: [[UInt8]]) -> LayerStatistics {
        LayerStatistics(
            ssrc: ssrc, index: index,
            rid: Int(index) < rids.count ? String(decoding: rids[Int(index)], as: UTF8.self) : nil,
            bitsPerSecond: meter.bitsPerSecond(), counters: counters, lost: reception.statistics.cumulativeLost,
            jitter: reception.statistics.jitterDuration, requested: missing.requestCount,
            recovered: missing.recoveredCount, abandoned: missing.abandonedCount,
            keyframeRequests: keyframes.requestCount, keyframes: keyframes.keyframeCount)
    }
}

extension Subscription {
    var statistics: SubscriptionStatistics {
        let clockRate = max(Int64(source?.clockRate ?? 90_000), 1)
        let jitter = Duration.nanoseconds(Int64(quality.jitter) &* 1_000_000_000 / clockRate)
        let trip = quality.roundTripNanoseconds
        let loss = Double(quality.fractionLost) / 256
        let isRated = kind == .audio && quality.reports > 0
        return SubscriptionStatistics(
            mid: mid, ssrc: ssrc, kind: kind, track: source?.id, codec: source?.codecName, layer: shown,
            paused: layers.paused, counters: counters, lossShare: loss, lost: Int(quality.cumulativeLost),
            jitter: jitter, roundTrip: trip == 0 ? nil : .nanoseconds(Int64(clamping: trip)),
            pictureLosses: quality.pictureLosses, frames: quality.frames, freezes: quality.freezes,
            frozen: .nanoseconds(Int64(clamping: quality.frozenNanoseconds)),
            opinion: isRated
                ? AudioOpinion.score(
                    oneWay: .nanoseconds(Int64(clamping: trip / 2)), jitter: jitter, lossShare: loss) : nil)
    }

    /// The layer that leaves now, with the rate that it was chosen by.
    private var shown: MediaLayer? {
        guard kind == .video, let source, let index = shownLayer else { return nil }
        let (spatial, temporal) = shownLayers
        return MediaLayer(
            spatial: source.isLayered ? index : spatial, temporal: temporal,
            bitsPerSecond: layers.current?.bitsPerSecond ?? 0)
    }
}
