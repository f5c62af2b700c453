// Which simulcast layer of a track a tap hears: one at a time, the best that flows, changed at keyframes. A trivial
// struct; rates and packets in, answers out. The rules are in docs/media/recording.md.

import Wire

struct TapLayers: BitwiseCopyable {
    /// How much more another layer must bring, in quarters: 1.25 times.
    static let leastStep = (more: 5, less: 4)

    /// The layer that is heard.
    private(set) var current: UInt8?
    /// The one that is to be heard, from a keyframe of it on.
    private(set) var wanted: UInt8?
    /// Of the layer that was heard before: what it is, and its end. Packets before that may still come.
    private var previous: UInt8?
    private var previousStream: UInt16 = 0
    private var previousEnd: ExtendedSequence = 0
    /// Of the current one: what came before its keyframe is not heard.
    private var stream: UInt16 = 0
    private var start: ExtendedSequence = 0
    private var highest: ExtendedSequence = 0

    /// What becomes of a packet.
    enum Answer: Equatable {
        case take
        case pass
        /// The layer begins with it.
        case change
    }

    /// What flows was measured: the best there is, and its rate and that of the present one (0: it has stopped). True when
    /// a keyframe of `wanted` is needed.
    mutating func choose(best: UInt8, bitsPerSecond: Int, current rate: Int) -> Bool {
        guard bitsPerSecond > 0 else { return false }
        let isBetter = bitsPerSecond * Self.leastStep.less >= rate * Self.leastStep.more
        wanted = isBetter || current == nil ? best : current
        return wanted != current
    }

    /// Asked once per packet, in the order of their coming.
    @inline(__always)
    mutating func answer(
        _ layer: UInt8, stream number: UInt16, _ sequence: ExtendedSequence, beginsKeyframe: Bool
    ) -> Answer {
        if layer == current ?? wanted ?? layer {
            if current == nil { current = layer }
            if stream != number { (stream, start, highest) = (number, 0, sequence) }
            guard sequence >= start else { return .pass }
            if sequence > highest { highest = sequence }
            return .take
        }
        let isLate = layer == previous && number == previousStream && sequence < previousEnd
        if isLate { return .take }
        return layer == wanted && beginsKeyframe ? .change : .pass
    }

    /// The layer of a packet whose answer was `change` is heard from then on, with what overtook it up to `newest`.
    mutating func change(
        to layer: UInt8, stream number: UInt16, _ sequence: ExtendedSequence, newest: ExtendedSequence
    ) {
        (previous, previousStream, previousEnd) = (current, stream, highest)
        (current, stream, start, highest) = (layer, number, sequence, newest)
    }
}
