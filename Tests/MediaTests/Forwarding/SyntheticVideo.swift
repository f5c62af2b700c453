import Base
import TestKit
import Wire

@testable import Media

/// A packet on its way, with what the test alone knows of it.
struct SyntheticPacket {
    var input: ForwardInput
    var payload: Bytes
    var descriptor: Bytes?
    /// The frame, counted over all layers of one simulcast stream, and the frames that it needs.
    var frame: Int
    var references: [Int]
}

/// VP8 in three simulcast layers, three temporal layers each, in the pattern 0 2 1 2.
struct SyntheticSimulcast {
    struct Layer {
        var sequence: UInt64
        var timestamp: UInt32
        var pictureID: UInt16
        var tl0: UInt8
        var frame = 0
        var lastOfTemporal = [0, 0, 0]
    }

    var layers: [Layer]
    var picture = 0
    var keyframesWanted: Set<Int> = [0, 1, 2]
    /// The publisher's clock says which timestamps belong together.
    var tellsClock: Bool
    private let start = Instant(nanoseconds: 5_000_000_000)

    init(random: inout SplitMix, tellsClock: Bool) {
        self.tellsClock = tellsClock
        layers = (0..<3).map { _ in
            Layer(
                sequence: UInt64.random(in: 0...70_000, using: &random),
                timestamp: .random(in: 0 ... .max, using: &random),
                pictureID: .random(in: 0...0x7FFF, using: &random), tl0: .random(in: 0...255, using: &random))
        }
    }

    var now: Instant { start + .milliseconds(33 * picture) }

    /// One picture of each layer.
    mutating func next(random: inout SplitMix) -> [SyntheticPacket] {
        var packets: [SyntheticPacket] = []
        for index in layers.indices {
            let isKeyframe = keyframesWanted.remove(index) != nil
            packets += frame(of: index, isKeyframe: isKeyframe, random: &random)
        }
        picture += 1
        return packets
    }

    private mutating func frame(of index: Int, isKeyframe: Bool, random: inout SplitMix) -> [SyntheticPacket] {
        let temporal = isKeyframe ? 0 : [0, 2, 1, 2][picture % 4]
        var layer = layers[index]
        layer.frame += 1
        layer.pictureID = (layer.pictureID + 1) & 0x7FFF
        layer.timestamp &+= 2_970
        if temporal == 0 { layer.tl0 &+= 1 }
        // The first frame of a higher layer after a base frame refers to that alone.
        let isSync = temporal > 0 && layer.lastOfTemporal[temporal] < layer.lastOfTemporal[0]
        let references =
            isKeyframe ? [] : isSync ? [layer.lastOfTemporal[0]] : Array(Set(layer.lastOfTemporal[...temporal]))
        let count = Int.random(in: 1...(2 + index), using: &random)
        var packets: [SyntheticPacket] = []
        for part in 0..<count {
            layer.sequence += 1
            let payload: Bytes = [
                part == 0 ? 0x90 : 0x80, 0xE0, UInt8(layer.pictureID >> 8) | 0x80, UInt8(layer.pictureID & 0xFF),
                layer.tl0,
                UInt8(temporal) << 6 | (isSync ? 0x20 : 0), isKeyframe ? 0 : 1, 9, 9,
            ]
            var structure = DependencyStructure()
            guard
                let frame = try? VideoFrameInfo.read(
                    .vp8, payload: payload.span.bytes, descriptor: nil, structure: &structure)
            else { continue }
            let input = ForwardInput(
                simulcastLayer: UInt8(index), sequence: layer.sequence, timestamp: layer.timestamp,
                marker: part == count - 1, frame: frame, arrival: now + .microseconds(50 * part),
                payloadLength: payload.count,
                senderClock: tellsClock ? UInt32(truncatingIfNeeded: picture * 2_970) &- layer.timestamp : nil)
            packets.append(
                SyntheticPacket(
                    input: input, payload: payload, descriptor: nil, frame: layer.frame, references: references))
        }
        layer.lastOfTemporal[temporal] = layer.frame
        if isKeyframe { layer.lastOfTemporal = [layer.frame, layer.frame, layer.frame] }
        layers[index] = layer
        return packets
    }
}

/// Three spatial and three temporal layers in one stream, told by a dependency descriptor: every layer on top of the one
/// below in each picture, or on keyframes alone (`keyOnly`).
struct SyntheticLayers {
    /// Structures as two other servers have them in their tests; only the order of the templates differs.
    static let full =
        "c1017280081485214eafffaaaa863cf0430c10c302afc0aaa0063c00430010c002a000a80006000040001d954926e082b04a0941b820ac12"
        + "82503157f974000ca864330e222222eca8655304224230eca877530077004200ef008601df010d"
    static let keyOnly =
        "8003ca80081485214eaaaaa8000600004000100002aa80a8000600004000100002a000a800060000400016d549241b5524906d54923157e0"
        + "01974ca864330e222396eca8655304224390eca87753013f00b3027f016704ff02cf"

    let isKeyOnly: Bool
    let structureBytes: Bytes
    var structure = DependencyStructure()
    var sequence: UInt64 = 1_000
    var timestamp: UInt32 = .max - 40_000
    var frame: Int
    var picture = 0
    var sinceKeyframe = 0
    var keyframeWanted = true
    private let start = Instant(nanoseconds: 9_000_000_000)

    init(keyOnly: Bool, firstFrame: Int = 65_400) {
        isKeyOnly = keyOnly
        frame = firstFrame
        let hex = keyOnly ? Self.keyOnly : Self.full
        structureBytes = stride(from: 0, to: hex.utf8.count, by: 2).map { offset in
            let start = hex.index(hex.startIndex, offsetBy: offset)
            return UInt8(hex[start..<hex.index(start, offsetBy: 2)], radix: 16) ?? 0
        }
    }

    /// Template numbers by spatial layer: keyframe, T0, first T2, T1, second T2.
    private var templates: [[UInt8]] {
        isKeyOnly
            ? [[0, 1, 3, 2, 4], [5, 6, 8, 7, 9], [10, 11, 13, 12, 14]]
            : [[1, 0, 3, 2, 4], [6, 5, 8, 7, 9], [11, 10, 13, 12, 14]]
    }

    mutating func next(random: inout SplitMix) -> [SyntheticPacket] {
        if keyframeWanted { sinceKeyframe = 0 }
        let kind = sinceKeyframe == 0 ? 0 : [1, 2, 3, 4][sinceKeyframe % 4]
        var packets: [SyntheticPacket] = []
        for spatial in 0..<3 {
            let count = Int.random(in: 1...(1 + spatial), using: &random)
            for part in 0..<count {
                packets.append(packet(spatial, kind, part: part, of: count))
            }
            frame += 1
        }
        keyframeWanted = false
        sinceKeyframe += 1
        picture += 1
        timestamp &+= 3_000
        return packets
    }

    private mutating func packet(_ spatial: Int, _ kind: Int, part: Int, of count: Int) -> SyntheticPacket {
        sequence += 1
        let flags: UInt8 = (part == 0 ? 0x80 : 0) | (part == count - 1 ? 0x40 : 0)
        let number = UInt16(truncatingIfNeeded: frame)
        var element: Bytes = [flags | templates[spatial][kind], UInt8(number >> 8), UInt8(number & 0xFF)]
        if spatial == 0 && kind == 0 && part == 0 { element += structureBytes.dropFirst(3) }
        let payload: Bytes = [1, 2, 3, 4]
        guard
            let info = try? VideoFrameInfo.read(
                .av1, payload: payload.span.bytes, descriptor: element.span.bytes, structure: &structure)
        else { fatalError("a synthetic descriptor is not read") }
        let input = ForwardInput(
            sequence: sequence, timestamp: timestamp, marker: spatial == 2 && part == count - 1, frame: info,
            arrival: start + .milliseconds(33 * picture), payloadLength: payload.count)
        return SyntheticPacket(
            input: input, payload: payload, descriptor: element, frame: frame,
            references: (0..<Int(info.referenceCount)).map { frame - Int(info.references[$0]) })
    }
}

/// A network that loses, delays and brings again.
struct SyntheticNetwork {
    var lossPercent: Int
    var latePercent: Int
    private var held: [(due: Int, packet: SyntheticPacket)] = []
    private var count = 0
    /// What never arrived, by layer and sequence.
    private(set) var lost: [SyntheticPacket] = []

    init(lossPercent: Int, latePercent: Int) {
        self.lossPercent = lossPercent
        self.latePercent = latePercent
    }

    mutating func pass(_ packets: [SyntheticPacket], random: inout SplitMix) -> [SyntheticPacket] {
        var arrived: [SyntheticPacket] = []
        for packet in packets {
            count += 1
            let chance = Int.random(in: 0..<100, using: &random)
            if chance < lossPercent {
                lost.append(packet)
            } else if chance < lossPercent + latePercent {
                held.append((count + Int.random(in: 1...60, using: &random), packet))
            } else {
                arrived.append(packet)
            }
            arrived += held.filter { $0.due <= count }.map(\.packet)
            held.removeAll { $0.due <= count }
        }
        return arrived
    }
}
