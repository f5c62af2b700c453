// Who spoke when, as WebVTT.

package import Base

package struct SpeakerTrack: Sendable {
    /// Shorter turns are coughs, and would flicker.
    static let turnMin: MediaTime = 300_000_000
    /// Of a name in a cue.
    static let nameCharactersMax = 100

    private struct Turn: Sendable {
        var speaker: UUID
        var start: MediaTime
        var end: MediaTime
    }

    private var turns: [Turn] = []
    private var current: (speaker: UUID, since: MediaTime)?
    private var names: [UUID: String] = [:]

    package init() {}

    package mutating func name(_ participant: UUID, _ name: String) { names[participant] = name }

    package mutating func speaker(_ participant: UUID?, at time: MediaTime) {
        if let current, current.speaker == participant { return }
        close(time)
        current = participant.map { ($0, time) }
    }

    /// What they said until here is not told.
    package mutating func forget(_ participant: UUID, at time: MediaTime) {
        if current?.speaker == participant { current = nil }
        turns.removeAll { $0.speaker == participant }
    }

    package mutating func finish(at time: MediaTime) {
        close(time)
        current = nil
    }

    private mutating func close(_ time: MediaTime) {
        guard let current, time - current.since >= Self.turnMin, turns.count < ExportLimits.speakerChanges else {
            return
        }
        // Who goes on after a cough of another goes on in the same cue.
        if let last = turns.last, last.speaker == current.speaker, current.since - last.end < Self.turnMin {
            turns[turns.count - 1].end = time
        } else {
            turns.append(Turn(speaker: current.speaker, start: current.since, end: time))
        }
    }

    package var text: String {
        var text = "WEBVTT\n"
        for turn in turns {
            let name = Self.escape(names[turn.speaker] ?? "", or: turn.speaker)
            text += "\n\(Self.clock(turn.start)) --> \(Self.clock(turn.end))\n<v \(name)>\(name)\n"
        }
        return text
    }

    /// Hours with two digits or more.
    static func clock(_ time: MediaTime) -> String {
        let milliseconds = max(0, time) / 1_000_000
        let (hours, rest) = (milliseconds / 3_600_000, milliseconds % 3_600_000)
        return "\(pad(hours, 2)):\(pad(rest / 60_000, 2)):\(pad(rest / 1_000 % 60, 2)).\(pad(rest % 1_000, 3))"
    }

    private static func pad(_ value: Int64, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }

    /// One line, no tags: a name may be anything.
    static func escape(_ name: String, or participant: UUID) -> String {
        var text = ""
        for scalar in name.unicodeScalars.prefix(nameCharactersMax) {
            switch scalar {
            case "&": text += "&amp;"
            case "<": text += "&lt;"
            case ">": text += "&gt;"
            case _ where scalar.properties.generalCategory == .control: text += " "
            case "\u{2028}", "\u{2029}": text += " "
            default: text.unicodeScalars.append(scalar)
            }
        }
        let isBlank = text.allSatisfy { $0 == " " }
        return isBlank ? "\(participant)" : text
    }
}
