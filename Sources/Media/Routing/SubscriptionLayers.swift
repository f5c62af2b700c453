// What a subscriber wishes of one of its sections, and what the allocator made of it.

import Base

/// A wish about what a section shows. It belongs to the section and stays when another publisher is shown there.
package struct StreamPreference: Sendable, Equatable {
    /// Served before speakers, and exempt from last-N.
    package var isPinned = false
    /// Nothing is sent.
    package var isPaused = false
    /// The highest layers wanted: of simulcast streams in the order of their rates, or spatial ones; 255 for all.
    package var largestLayer: UInt8 = .max
    package var largestTemporal: UInt8 = .max

    package init() {}
}

/// Why a stream is not sent.
package enum PauseReason: UInt8, Sendable, Equatable, BitwiseCopyable {
    case bandwidth
    /// The subscriber has asked for it.
    case preference
    /// Its publisher is not among the last speakers (`MediaSettings.lastN`).
    case notSpeaking
}

struct SubscriptionLayers: BitwiseCopyable {
    /// As it was decided; nil before the first measurement and while nothing is sent.
    var current: MediaLayer?
    var paused: PauseReason?
    /// Microseconds since when a step up has fitted.
    var upgradeSince: Int64?
    /// Microseconds of its first decision: for `startTime` after it steps up do not wait, as every probe of a new
    /// network may show more.
    var begunAt: Int64?
    static let startTime: Int64 = 5_000_000
}

extension Subscription {
    /// Another source: nothing of the old one's layers holds. A pause that was asked for stays.
    func beginLayers(_ track: PublishedTrack) -> LayerTarget {
        layers = SubscriptionLayers()
        guard !preference.isPaused else {
            layers.paused = .preference
            return LayerTarget(simulcast: nil, paused: true)
        }
        // Until rates are known: the lowest of simulcast, for a subscriber whose network is not known yet either.
        return LayerTarget(simulcast: 0)
    }

    /// As the allocator asks for it. `flowing` are the source's layers at present.
    func wanted(_ source: PublishedTrack, priority: StreamPriority, now: Int64) -> WantedStream {
        var wanted = WantedStream(
            id: UInt32(number), priority: priority, layers: source.flowing, current: layers.current,
            isPaused: layers.paused == .bandwidth, upgradeSince: layers.upgradeSince)
        if preference.largestLayer != .max { wanted.layers = source.flowing(within: preference.largestLayer) }
        wanted.largestTemporal = preference.largestTemporal
        let begun = layers.begunAt ?? now
        layers.begunAt = begun
        if now &- begun < SubscriptionLayers.startTime, wanted.upgradeSince == nil {
            wanted.upgradeSince = now &- Allocator.upgradeTime
        }
        // A layer that stopped is no layer to keep: the stream chooses anew and at once.
        if let current = layers.current, !source.flows(current) { wanted.current = nil }
        return wanted
    }

    /// The target for a layer. The highest there are is all there may come to be.
    func target(_ layer: MediaLayer, of source: PublishedTrack) -> LayerTarget {
        var isHighestTemporal = true
        var isHighestSpatial = true
        for index in 0..<source.flowing.count {
            let other = source.flowing[index]
            if other.spatial > layer.spatial { isHighestSpatial = false }
            if other.spatial == layer.spatial, other.temporal > layer.temporal { isHighestTemporal = false }
        }
        let temporal = min(isHighestTemporal ? 7 : layer.temporal, preference.largestTemporal)
        if source.isLayered { return LayerTarget(simulcast: layer.spatial, temporal: temporal) }
        return LayerTarget(
            simulcast: source.layers.first?.index ?? 0,
            spatial: isHighestSpatial && preference.largestLayer == .max ? 3 : layer.spatial, temporal: temporal)
    }
}

extension PublishedTrack {
    func flows(_ layer: MediaLayer) -> Bool {
        for index in 0..<flowing.count {
            if flowing[index].spatial == layer.spatial, flowing[index].temporal == layer.temporal { return true }
        }
        return false
    }

    /// Bits, by name, of the layers up to a rank: simulcast streams in the order of their rates, or spatial layers.
    func allowed(_ rank: UInt8) -> UInt8 {
        guard isLayered else { return rank >= 7 ? 0xFF : (1 << (rank &+ 1)) &- 1 }
        return order.prefix(Int(rank) + 1).reduce(0) { $0 | 1 << ($1 & 7) }
    }

    func flowing(within rank: UInt8) -> MediaLayers {
        let allowed = allowed(rank)
        var result = MediaLayers()
        for index in 0..<flowing.count where allowed & (1 << (flowing[index].spatial & 7)) != 0 {
            result.append(flowing[index])
        }
        return result
    }

    /// Of the publisher's layers, those that somebody may come to see: bits by simulcast index. What a subscriber's
    /// network cannot take now counts, for a layer that does not flow could never be found to fit again.
    var interest: UInt8 {
        // A recorder hears the best that there is.
        if tap != nil { return 0xFF }
        var bits: UInt8 = 0
        for subscription in subscriptions where subscription.layers.paused != .preference {
            let rank = subscription.preference.largestLayer
            bits |= rank == .max ? 0xFF : allowed(rank)
            if bits == 0xFF { break }
        }
        return bits
    }

    var publishedBits: UInt8 { layers.reduce(0) { $0 | 1 << ($1.index & 7) } }
}
