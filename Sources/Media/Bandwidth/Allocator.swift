// Which layer of which stream a subscriber gets for its estimate. A function of its arguments: the state between two
// decisions is the selection of each stream and the time since when more would fit, and the caller keeps both.
//
// Audio is reserved first. Then every wanted stream gets its lowest layer, in the order of priority; then streams go up
// a step at a time in turns, the pinned ones first. A stream goes down at once and up only with a margin for a while.

package struct MediaLayer: Sendable, Equatable, BitwiseCopyable {
    /// Simulcast or spatial index, lowest first.
    package var spatial: UInt8
    package var temporal: UInt8
    /// Picture height; 0 when unknown.
    package var height: UInt16
    /// Measured on the wire, of this layer with all that it depends on.
    package var bitsPerSecond: Int

    package init(spatial: UInt8, temporal: UInt8, height: UInt16 = 0, bitsPerSecond: Int) {
        self.spatial = spatial
        self.temporal = temporal
        self.height = height
        self.bitsPerSecond = bitsPerSecond
    }
}

/// The layers of a stream that flow at present, from the lowest to the highest. At most `capacity`; more are ignored.
package struct MediaLayers: Sendable {
    /// Four spatial by four temporal ones.
    package static let capacity = 16

    private var entries = InlineArray<16, MediaLayer>(repeating: MediaLayer(spatial: 0, temporal: 0, bitsPerSecond: 0))
    package private(set) var count = 0

    package init() {}

    package init(_ layers: [MediaLayer]) {
        for layer in layers { append(layer) }
    }

    /// Kept in the order of the rate, and layers that cost more and show no more are left out by the caller.
    package mutating func append(_ layer: MediaLayer) {
        guard count < Self.capacity else { return }
        var index = count
        while index > 0, entries[index - 1].bitsPerSecond > layer.bitsPerSecond {
            entries[index] = entries[index - 1]
            index -= 1
        }
        entries[index] = layer
        count += 1
    }

    package subscript(index: Int) -> MediaLayer { entries[index] }
}

package enum StreamPriority: UInt8, Sendable, Comparable {
    case rest
    case speaker
    case pinned

    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// One stream that a subscriber wants.
package struct WantedStream: Sendable {
    package var id: UInt32
    package var priority: StreamPriority
    /// Shown no larger: the lowest layer that reaches it is enough. 0 is no limit.
    package var largestHeight: UInt16
    /// From the subscriber; the highest there is when 255.
    package var largestSpatial: UInt8 = .max
    package var largestTemporal: UInt8 = .max
    package var layers: MediaLayers
    /// What it gets at present; nil while paused.
    package var current: MediaLayer?
    /// It was told to be paused: it comes back with a margin, which a new stream does not need.
    package var isPaused = false
    /// Microseconds of the moment from which a step up has fitted; nil while none does.
    package var upgradeSince: Int64?

    package init(
        id: UInt32, priority: StreamPriority, largestHeight: UInt16 = 0, layers: MediaLayers,
        current: MediaLayer? = nil, isPaused: Bool = false, upgradeSince: Int64? = nil
    ) {
        self.id = id
        self.priority = priority
        self.largestHeight = largestHeight
        self.layers = layers
        self.current = current
        self.isPaused = isPaused
        self.upgradeSince = upgradeSince
    }

    /// Layers up to the first that is as large as shown.
    var usefulCount: Int {
        var count = 0
        for index in 0..<layers.count {
            let layer = layers[index]
            if layer.spatial > largestSpatial || layer.temporal > largestTemporal { continue }
            if largestHeight > 0, count > 0, layer.height > 0 {
                let reached = previousUseful(before: index)
                if reached.height >= largestHeight, layer.spatial > reached.spatial { continue }
            }
            count += 1
        }
        return count
    }

    /// The useful layer of this rank, from 0; the lowest layer of all when the wishes leave none.
    func useful(_ rank: Int) -> MediaLayer {
        var count = 0
        for index in 0..<layers.count {
            let layer = layers[index]
            if layer.spatial > largestSpatial || layer.temporal > largestTemporal { continue }
            if largestHeight > 0, count > 0, layer.height > 0 {
                let reached = previousUseful(before: index)
                if reached.height >= largestHeight, layer.spatial > reached.spatial { continue }
            }
            if count == rank { return layer }
            count += 1
        }
        return layers[0]
    }

    private func previousUseful(before index: Int) -> MediaLayer {
        var best = layers[0]
        for earlier in 0..<index where layers[earlier].spatial <= largestSpatial {
            if layers[earlier].height > best.height { best = layers[earlier] }
        }
        return best
    }
}

package struct StreamDecision: Sendable, Equatable {
    package let id: UInt32
    /// Nil: paused.
    package let layer: MediaLayer?
    /// To be given back with the next question.
    package let upgradeSince: Int64?
    /// What the subscriber is to be told.
    package let event: Event

    package enum Event: Sendable, Equatable {
        case none
        case paused
        case resumed
        case changed
    }
}

package struct Allocation: Sendable {
    package var decisions: [StreamDecision] = []
    /// Audio included.
    package var usedBitsPerSecond = 0
    /// What all useful layers would take: goes into `SendSideEstimator.setWanted`.
    package var wantedBitsPerSecond = 0
    /// The only layer of the only stream is sent though it does not fit.
    package var isForced = false
}

package enum Allocator {
    /// A step up needs this much more than it costs. Less flaps, more leaves bandwidth unused.
    package static let upgradeMargin = 1.15
    /// And for this long (microseconds); a paused stream waits for half of it.
    package static let upgradeTime: Int64 = 1_000_000
    /// What is not shown at all waits half as long.
    package static func upgradeTime(isPaused: Bool) -> Int64 { isPaused ? upgradeTime / 2 : upgradeTime }
    /// More streams are paused without a look.
    package static let largestStreams = 256

    /// Not for each packet: after the estimate moved, and when streams or wishes change. `now` in microseconds.
    package static func allocate(
        _ streams: [WantedStream], estimate: Int, audioBitsPerSecond: Int, now: Int64
    ) -> Allocation {
        let order = streams.indices.filter { streams[$0].layers.count > 0 && streams[$0].usefulCount > 0 }
            .sorted { left, right in
                let (one, other) = (streams[left], streams[right])
                // What is shown stays before what is paused: two alike would otherwise take turns.
                if one.priority != other.priority { return one.priority > other.priority }
                if (one.current == nil) != (other.current == nil) { return one.current != nil }
                return left < right
            }
            .prefix(largestStreams)
        var ranks = [Int?](repeating: nil, count: streams.count)
        var free = estimate - audioBitsPerSecond
        let isForced = fillLowest(streams, Array(order), &ranks, &free)
        fillUp(streams, Array(order), &ranks, &free)
        var result = Allocation(isForced: isForced)
        settle(streams, order: Array(order), ideal: ranks, estimate: estimate - audioBitsPerSecond, now: now, &result)
        result.usedBitsPerSecond += audioBitsPerSecond
        result.wantedBitsPerSecond =
            audioBitsPerSecond
            + order.reduce(0) { $0 + streams[$1].useful(streams[$1].usefulCount - 1).bitsPerSecond }
        return result
    }

    /// True when the only stream got a layer that does not fit.
    private static func fillLowest(
        _ streams: [WantedStream], _ order: [Int], _ ranks: inout [Int?], _ free: inout Int
    ) -> Bool {
        for index in order {
            let cost = streams[index].useful(0).bitsPerSecond
            if cost <= free {
                ranks[index] = 0
                free -= cost
            } else if order.count == 1 {
                ranks[index] = 0
                free = 0
                return true
            }
        }
        return false
    }

    /// Pinned streams first to the top, in turns of one step; then the speaker's; then the rest's. With none left over
    /// for a layer, a cheaper stream may still have its step.
    private static func fillUp(
        _ streams: [WantedStream], _ order: [Int], _ ranks: inout [Int?], _ free: inout Int
    ) {
        for priority in [StreamPriority.pinned, .speaker, .rest] {
            var moved = true
            while moved {
                moved = false
                for index in order where streams[index].priority == priority {
                    guard let rank = ranks[index], rank + 1 < streams[index].usefulCount else { continue }
                    let step =
                        streams[index].useful(rank + 1).bitsPerSecond - streams[index].useful(rank).bitsPerSecond
                    guard step <= free else { continue }
                    ranks[index] = rank + 1
                    free -= step
                    moved = true
                }
            }
        }
    }

    /// From what would be best to what is done: down at once, up when it has fitted with a margin for a while.
    private static func settle(
        _ streams: [WantedStream], order: [Int], ideal: [Int?], estimate: Int, now: Int64, _ result: inout Allocation
    ) {
        var chosen = [MediaLayer?](repeating: nil, count: streams.count)
        var waiting = [Int64?](repeating: nil, count: streams.count)
        var used = 0
        // First what stays or falls, so that rises know what is left.
        for index in order {
            guard let rank = ideal[index] else { continue }
            let layer = streams[index].useful(rank)
            guard let current = currentLayer(streams[index]) else { continue }
            chosen[index] = layer.bitsPerSecond <= current.bitsPerSecond ? layer : current
            used += chosen[index]?.bitsPerSecond ?? 0
        }
        for index in order {
            guard let rank = ideal[index] else { continue }
            let stream = streams[index]
            let held = chosen[index]?.bitsPerSecond ?? 0
            guard chosen[index] == nil || stream.useful(rank).bitsPerSecond > held else { continue }
            if result.isForced || stream.current == nil && !stream.isPaused {
                // New streams start where they fit best; what is forced does not wait either.
                chosen[index] = stream.useful(rank)
                used += stream.useful(rank).bitsPerSecond - held
                continue
            }
            guard let layer = highestWithMargin(stream, ideal: rank, held: held, used: used, estimate: estimate)
            else { continue }
            let since = stream.upgradeSince ?? now
            if now - since >= upgradeTime(isPaused: stream.isPaused) {
                chosen[index] = layer
                used += layer.bitsPerSecond - held
            } else {
                waiting[index] = since
            }
        }
        for index in streams.indices {
            result.decisions.append(decision(streams[index], chosen[index], waiting[index]))
        }
        result.usedBitsPerSecond = used
    }

    private static func decision(_ stream: WantedStream, _ layer: MediaLayer?, _ waiting: Int64?) -> StreamDecision {
        let event: StreamDecision.Event =
            switch (stream.current, layer) {
            case (nil, nil): stream.isPaused ? .none : .paused
            case (nil, .some): stream.isPaused ? .resumed : .changed
            case (.some, nil): .paused
            case (.some(let old), .some(let new)):
                old.spatial == new.spatial && old.temporal == new.temporal ? .none : .changed
            }
        return StreamDecision(id: stream.id, layer: layer, upgradeSince: waiting, event: event)
    }

    private static func highestWithMargin(
        _ stream: WantedStream, ideal: Int, held: Int, used: Int, estimate: Int
    ) -> MediaLayer? {
        for rank in stride(from: ideal, through: 0, by: -1) {
            let layer = stream.useful(rank)
            if stream.current != nil, layer.bitsPerSecond <= held { return nil }
            let total = Double(used - held + layer.bitsPerSecond)
            if total * upgradeMargin <= Double(estimate) { return layer }
        }
        return nil
    }

    /// The current layer at the rate it has now; nil when it does not flow any more.
    private static func currentLayer(_ stream: WantedStream) -> MediaLayer? {
        guard let current = stream.current else { return nil }
        for index in 0..<stream.layers.count {
            let layer = stream.layers[index]
            if layer.spatial == current.spatial, layer.temporal == current.temporal { return layer }
        }
        return nil
    }
}
