// How much one participant has spoken, at three lengths of time, from the levels in header extensions (RFC 6464).
//
// After Volfin and Cohen, "Dominant speaker identification for multipoint videoconferencing" (2013): the newest level, a
// tenth of a second, and a second are each scored by how much likelier they are speech than noise. What differs here: the
// history is one bit per step of 20 ms, and steps without a packet (discontinuous transmission) count as silence.

import Base
import Glibc

struct SpeechHistory: BitwiseCopyable, Sendable {
    /// Opus packets are mostly of this length. Shorter ones count once a step, with their loudest level.
    static let step = Duration.milliseconds(20)
    /// The history ends after this many steps: a second.
    private static let steps = 50
    /// Steps in a block of the middle length, and how many of them must be speech for the block to count in the long one.
    private static let block = 5
    private static let activeInBlock = 4
    /// -50 dBov: louder is speech. Lower (louder) misses quiet talkers; higher takes fans and keyboards for speech.
    static let speechLoudness: UInt8 = 127 - 50
    /// Levels are scored in bands of 10 dB.
    private static let band: UInt8 = 10

    /// One bit per step, the newest lowest.
    private var active: UInt64 = 0
    private var newest: UInt8 = 0
    private var stepEnd: UInt64 = 0
    /// How loud lately, of 127: rises at once and falls by a quarter each 100 ms.
    private(set) var loudness: UInt8 = 0
    private(set) var lastSpeech: UInt64 = 0

    init() {}

    /// `level` in -dBov, 0 the loudest and 127 silence, as the extension has it.
    mutating func note(level: UInt8, now: Instant) {
        let loud = 127 &- min(level, 127)
        advance(to: now)
        newest = max(newest, loud)
        loudness = max(loudness, loud)
        if loud > Self.speechLoudness {
            active |= 1
            lastSpeech = now.nanoseconds
        }
    }

    /// Steps without a packet pass as silence.
    mutating func advance(to now: Instant) {
        let length = UInt64(Self.step.nanoseconds)
        guard now.nanoseconds >= stepEnd else { return }
        let passed = stepEnd == 0 ? 1 : (now.nanoseconds &- stepEnd) / length &+ 1
        active = passed >= UInt64(Self.steps) ? 0 : (active << passed) & (1 << UInt64(Self.steps) &- 1)
        newest = 0
        stepEnd = now.nanoseconds &+ length &- (now.nanoseconds &- stepEnd) % length
        for _ in 0..<min(passed, UInt64(Self.steps)) { loudness &-= loudness / 16 }
    }

    func isSpeaking(now: Instant, within time: Duration) -> Bool {
        lastSpeech != 0 && (now - Instant(nanoseconds: lastSpeech)) < time
    }

    /// The scores at the three lengths, from tables made once.
    func scores(_ tables: SpeechTables) -> (immediate: Double, middle: Double, long: Double) {
        var long = 0
        for index in 0..<(Self.steps / Self.block) {
            let bits = active >> UInt64(index &* Self.block) & 0x1F
            if bits.nonzeroBitCount >= Self.activeInBlock { long &+= 1 }
        }
        // The step before is whole; the newest may just have begun.
        let middle = (active >> 1 & 0x1F).nonzeroBitCount
        return (
            tables.immediate[Int(max(newest, loudness) / Self.band)], tables.middle[middle], tables.long[long]
        )
    }
}

/// The logarithms of likelihood: binomial for speech (each part active with probability a half) over exponential for
/// noise, at each number of active parts.
struct SpeechTables: Sendable {
    let immediate: [Double]
    let middle: [Double]
    let long: [Double]

    /// The rates of the exponentials are the paper's.
    init() {
        immediate = Self.table(parts: 13, rate: 0.78)
        middle = Self.table(parts: 5, rate: 24)
        long = Self.table(parts: 10, rate: 47)
    }

    private static func table(parts: Int, rate: Double) -> [Double] {
        var binomial = 0.0
        return (0...parts).map { count in
            if count > 0 { binomial += log(Double(parts - count + 1)) - log(Double(count)) }
            let score = binomial - Double(parts) * log(2) - log(rate) + rate * Double(count)
            return max(score, 1e-10)
        }
    }
}
