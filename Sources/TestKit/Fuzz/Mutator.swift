// Seeded mutations of a corpus: the same seed gives the same inputs, so that a failure can be had again.

package import Base

/// SplitMix64: small, fast, and good enough to choose bytes.
package struct SplitMix: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}

package struct Mutator {
    /// Longer inputs find little more and take the time of many short ones.
    private static let maximumBytes = 4_096

    /// Bytes at which parsers change their mind.
    private static let pivots = Bytes("\r\n\t \0:;,=\"\\/%&?#-0\u{7F}".utf8) + [0xFF, 0x80, 0xC0]

    private let corpus: [Bytes]
    private var random: SplitMix

    package init(corpus: [Bytes], seed: UInt64) {
        self.corpus = corpus
        random = SplitMix(seed: seed)
    }

    package mutating func next() -> Bytes {
        var input = corpus.randomElement(using: &random) ?? []
        for _ in 0..<Int.random(in: 1...4, using: &random) { mutate(&input) }
        return Bytes(input.prefix(Self.maximumBytes))
    }

    private mutating func mutate(_ input: inout Bytes) {
        let place = Int.random(in: 0...input.count, using: &random)
        let end = min(input.count, place + Int.random(in: 1...16, using: &random))
        switch Int.random(in: 0..<7, using: &random) {
        case 0: input.removeSubrange(place..<end)
        case 1: input.insert(contentsOf: input[place..<end], at: place)
        case 2: input.insert(Self.pivots.randomElement(using: &random) ?? 0, at: place)
        case 3 where place < input.count: input[place] = UInt8.random(in: 0...255, using: &random)
        case 4 where place < input.count: input[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 5:
            let other = corpus.randomElement(using: &random) ?? []
            input.replaceSubrange(place..., with: other.suffix(Int.random(in: 0...other.count, using: &random)))
        default: input.removeSubrange(place...)
        }
    }
}
