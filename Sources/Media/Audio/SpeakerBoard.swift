// Who speaks, and whose audio is worth sending, in one call. Fed the levels of packets and the time; one instance per
// call, its memory taken once.

package import Base
import Glibc

package struct SpeakerBoard: Sendable {
    /// How often the dominant speaker is looked for. Shorter jumps at coughs; longer makes the picture lag behind.
    package static let interval = Duration.milliseconds(300)
    /// How much likelier a challenger must be to speak, at each length of time (logarithms of ratios, the paper's).
    /// Higher keeps the old speaker longer.
    private static let margins = (immediate: 3.0, middle: 2.0, long: 0.0)
    /// Who has spoken keeps a place among the loudest for this long. Shorter cuts pauses between sentences; longer sends
    /// the silence of people who stopped.
    package static let hold = Duration.seconds(2)
    /// How much louder a challenger must be than the quietest of those who have a place, in dB: syllables of one voice differ by as much. Lower makes two equally
    /// loud people take turns.
    private static let louderBy: UInt8 = 10
    /// A place is not taken away from one who got it less than this ago.
    private static let shortestStay = Duration.milliseconds(500)

    private struct Speaker {
        var isPresent = false
        var hasPlace = false
        var placeSince: UInt64 = 0
        var history = SpeechHistory()
    }

    private var speakers: [Speaker]
    private static let tables = SpeechTables()
    /// How many are sent at most.
    package let places: Int
    private var taken = 0
    private var nextLook: UInt64 = 0
    package private(set) var dominant: Int?

    /// `capacity`: participants of the call; slots are numbers below it. `places`: how many of them are heard at once.
    package init(capacity: Int, places: Int) {
        precondition(capacity > 0 && places > 0, "a call has participants, and some are heard")
        speakers = Array(repeating: Speaker(), count: capacity)
        self.places = places
    }

    package var capacity: Int { speakers.count }

    /// Room for more people; everybody keeps the number.
    package mutating func grow(to capacity: Int) {
        while speakers.count < capacity { speakers.append(Speaker()) }
    }

    /// False when the number is beyond the capacity.
    @discardableResult package mutating func add(_ slot: Int) -> Bool {
        guard slot >= 0, slot < speakers.count else { return false }
        remove(slot)
        speakers[slot].isPresent = true
        return true
    }

    package mutating func remove(_ slot: Int) {
        guard slot >= 0, slot < speakers.count else { return }
        if speakers[slot].hasPlace { taken -= 1 }
        speakers[slot] = Speaker()
        if dominant == slot { dominant = nil }
    }

    /// For each packet with a level: takes a free place at once, so that no first syllable is cut. Returns whether the
    /// packet is to be heard.
    package mutating func note(_ slot: Int, level: UInt8, now: Instant) -> Bool {
        guard slot >= 0, slot < speakers.count, speakers[slot].isPresent else { return false }
        speakers[slot].history.note(level: level, now: now)
        if speakers[slot].hasPlace { return true }
        guard speakers[slot].history.isSpeaking(now: now, within: SpeechHistory.step) else { return false }
        if taken >= places { free(for: slot, now: now) }
        guard taken < places else { return false }
        speakers[slot].hasPlace = true
        speakers[slot].placeSince = now.nanoseconds
        taken += 1
        return true
    }

    package func isHeard(_ slot: Int) -> Bool {
        slot >= 0 && slot < speakers.count && speakers[slot].hasPlace
    }

    /// When `look` is to be called next.
    package var deadline: Instant { Instant(nanoseconds: nextLook) }

    /// Looks for the dominant speaker, and takes back places of those who fell silent. Returns the new dominant speaker
    /// when there is another.
    package mutating func look(now: Instant) -> Int? {
        guard now.nanoseconds >= nextLook else { return nil }
        nextLook = (now + Self.interval).nanoseconds
        for slot in speakers.indices where speakers[slot].isPresent {
            speakers[slot].history.advance(to: now)
            if speakers[slot].hasPlace && !speakers[slot].history.isSpeaking(now: now, within: Self.hold) {
                speakers[slot].hasPlace = false
                taken -= 1
            }
        }
        guard let challenger = challenger(now: now), challenger != dominant else { return nil }
        dominant = challenger
        return challenger
    }

    /// Who beats the dominant speaker at all three lengths, and most at the middle one.
    private func challenger(now: Instant) -> Int? {
        var best: Int?
        var bestMiddle = Self.margins.middle
        let rival = dominant.map { speakers[$0].history.scores(Self.tables) } ?? (1e-10, 1e-10, 1e-10)
        for slot in speakers.indices where speakers[slot].isPresent && slot != dominant {
            // Who is silent now cannot win by the past of another.
            guard speakers[slot].history.isSpeaking(now: now, within: Self.interval) else { continue }
            let scores = speakers[slot].history.scores(Self.tables)
            let middle = log(scores.middle / rival.1)
            guard log(scores.immediate / rival.0) > Self.margins.immediate || isSilent(dominant, now),
                middle > bestMiddle, log(scores.long / rival.2) > Self.margins.long
            else { continue }
            best = slot
            bestMiddle = middle
        }
        return best
    }

    private func isSilent(_ slot: Int?, _ now: Instant) -> Bool {
        guard let slot else { return true }
        return !speakers[slot].history.isSpeaking(now: now, within: Self.interval)
    }

    /// Takes the place of the quietest, when that one fell silent or the new one is clearly louder.
    private mutating func free(for slot: Int, now: Instant) {
        var quietest: Int?
        for other in speakers.indices where speakers[other].hasPlace {
            guard now - Instant(nanoseconds: speakers[other].placeSince) >= Self.shortestStay else { continue }
            let isQuieter = quietest.map { speakers[other].history.loudness < speakers[$0].history.loudness } ?? true
            if isQuieter { quietest = other }
        }
        guard let quietest else { return }
        let loudness =
            speakers[quietest].history.isSpeaking(now: now, within: Self.interval)
            ? speakers[quietest].history.loudness &+ Self.louderBy : 0
        guard speakers[slot].history.loudness > loudness else { return }
        speakers[quietest].hasPlace = false
        taken -= 1
    }
}
