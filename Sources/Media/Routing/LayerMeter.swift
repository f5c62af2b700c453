// How many bits each layer of a stream brings: what the allocator chooses by. Touched once per packet that comes in.

import Base
import Wire

struct LayerMeter: BitwiseCopyable {
    /// A window of measuring. Longer follows an encoder late, shorter takes a keyframe for a rate.
    static let window: UInt64 = 500_000_000
    /// The first window: a new stream is not to wait long for its layers.
    static let firstWindow: UInt64 = 200_000_000
    /// A rate of this multiple of the last is believed at once: a screen that is shared, not noise or one keyframe. Lower
    /// takes keyframes for rates, higher lets a stream overrun its allocation for longer.
    static let jump: UInt32 = 2
    /// A stream that brought nothing for so many windows does not flow: nobody waits for its layers.
    static let silentWindows: UInt8 = 3
    /// Header, extensions, tag, UDP and IP, about: rates are those of the wire.
    static let overhead = 12 + 20 + 16 + 28

    /// Four spatial by eight temporal layers.
    private static let cells = 32

    private var open = InlineArray<32, UInt32>(repeating: 0)
    private var rates = InlineArray<32, UInt32>(repeating: 0)
    private var since: UInt64 = 0
    private var silence: UInt8 = 0
    private var isMeasured = false

    @inline(__always)
    private static func cell(_ spatial: UInt8, _ temporal: UInt8) -> Int {
        Int((spatial & 3) << 3 | (temporal & 7))
    }

    @inline(__always)
    mutating func add(_ payloadBytes: Int, spatial: UInt8, temporal: UInt8) {
        let cell = Self.cell(spatial, temporal)
        open[cell] = open[cell] &+ UInt32(truncatingIfNeeded: payloadBytes &+ Self.overhead)
    }

    /// To be called every tenth of a second or so. True when there are new rates.
    mutating func roll(now: Instant) -> Bool {
        let time = now.nanoseconds
        guard since != 0 else {
            since = time
            return false
        }
        let elapsed = time &- since
        guard elapsed >= (isMeasured ? Self.window : Self.firstWindow) else { return false }
        since = time
        var sum: UInt64 = 0
        for cell in 0..<Self.cells { sum &+= UInt64(open[cell]) }
        if sum == 0 { return rollSilence() }
        silence = 0
        for cell in 0..<Self.cells {
            let rate = UInt32(clamping: UInt64(open[cell]) &* 8_000 / max(elapsed / 1_000_000, 1))
            let isSmooth = isMeasured && rates[cell] > 0 && rate / Self.jump < rates[cell]
            rates[cell] = isSmooth ? rates[cell] / 2 &+ rate / 2 : rate
            open[cell] = 0
        }
        isMeasured = true
        return true
    }

    private mutating func rollSilence() -> Bool {
        guard isMeasured else { return false }
        silence &+= 1
        guard silence >= Self.silentWindows else { return false }
        self = LayerMeter()
        return true
    }

    /// Bits per second of the layers up to these; 0 when nothing flows.
    func bitsPerSecond(upToSpatial spatial: UInt8 = 3, temporal: UInt8 = 7) -> Int {
        var sum = 0
        for row in 0...(spatial & 3) {
            for column in 0...(temporal & 7) { sum &+= Int(rates[Self.cell(row, column)]) }
        }
        return sum
    }
}

extension PublishedTrack {
    /// A step to a larger picture must cost this much more than the whole smaller one; otherwise it is left out, and
    /// streams do not change their layer, which costs a keyframe, for a lower frame rate.
    private static let leastStep = 1.1

    /// Measures what flows. The caller does it every tenth of a second.
    func measure(now: Instant) {
        var hasNews = false
        for layer in layers where layer.meter.roll(now: now) { hasNews = true }
        guard hasNews else { return }
        var measured = MediaLayers()
        var bits = 0
        if isLayered {
            var floor = 0
            var taken: UInt64 = 0
            while let layer = cheapest(not: taken) {
                taken |= 1 << UInt64(layer.index & 63)
                append(layer.meter, spatial: 3, named: layer.index, floor: &floor, to: &measured)
                bits += layer.meter.bitsPerSecond()
            }
        } else if let layer = layers.first {
            var floor = 0
            for spatial in UInt8(0)..<4 {
                append(layer.meter, spatial: spatial, named: spatial, floor: &floor, to: &measured)
            }
            bits = layer.meter.bitsPerSecond()
        }
        for layer in layers where layer.meter.bitsPerSecond() > 0 { layer.lastRate = layer.meter.bitsPerSecond() }
        order = layers.sorted { $0.lastRate < $1.lastRate }.map(\.index)
        flowing = measured
        flowingBitsPerSecond = bits
        flowingVersion &+= 1
    }

    /// Something of it came, and its rate was never known. One that has stopped was known once.
    var hasJustBegun: Bool {
        layers.contains { $0.counters.packets > 0 } && layers.allSatisfy { $0.lastRate == 0 }
    }

    /// Streams of one track are layers of it: simulcast.
    var isLayered: Bool { rids.count > 1 || layers.count > 1 }

    private func cheapest(not taken: UInt64) -> PublishedLayer? {
        var best: PublishedLayer?
        for layer in layers where taken & (1 << UInt64(layer.index & 63)) == 0 {
            let rate = layer.meter.bitsPerSecond()
            guard rate > 0 else { continue }
            if best.map({ rate < $0.meter.bitsPerSecond() }) ?? true { best = layer }
        }
        return best
    }

    private func append(
        _ meter: LayerMeter, spatial: UInt8, named name: UInt8, floor: inout Int, to measured: inout MediaLayers
    ) {
        var before = 0
        for temporal in UInt8(0)..<8 {
            let rate = meter.bitsPerSecond(upToSpatial: spatial, temporal: temporal)
            guard rate > before, Double(rate) > Double(floor) * Self.leastStep else { continue }
            measured.append(MediaLayer(spatial: name, temporal: temporal, bitsPerSecond: rate))
            before = rate
        }
        floor = max(floor, meter.bitsPerSecond(upToSpatial: spatial, temporal: 7))
    }
}
