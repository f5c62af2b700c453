// Which entry may stand where: docs/formats/journal.md, "Order". The writer refuses what would break it, and a reader
// believes no journal that does: so the rule that nobody's media is written before they agreed is checked on both ends.

import Base

package struct OrderFault: Error, Equatable, Sendable {
    package let reason: StaticString

    init(_ reason: StaticString) { self.reason = reason }

    package static func == (left: Self, right: Self) -> Bool { "\(left.reason)" == "\(right.reason)" }
}

/// The journal so far, as far as it decides what may follow.
package struct JournalOrder: Sendable {
    private enum Phase { case before, within, after }

    private enum Track: UInt8 {
        case never
        /// Began, and its sender does not agree (yet).
        case silent
        case open
        case ended
    }

    private struct Person {
        var agrees = false
        var hasAgreed = false
        var tracks: [TrackNumber] = []
    }

    private var phase = Phase.before
    private var people: [UUID: Person] = [:]
    /// By number.
    private var tracks: [Track] = []
    private var consentCount = 0

    package init() {}

    /// Whether a packet of this track may stand here. Asked for each packet.
    package func admits(_ track: TrackNumber) -> Bool {
        let index = Int(track.value)
        return index < tracks.count && tracks[index] == .open && phase == .within
    }

    /// Why a packet of a track that is not admitted may not stand here.
    func refusal(of track: TrackNumber) -> StaticString {
        do throws(OrderFault) { try requireOpen(track) } catch { return error.reason }
        return "the recording has not begun, or has ended"
    }

    package var agreeing: Int { people.values.count { $0.agrees } }

    /// Whether a bound is reached with this entry: then the recording ends instead.
    func exceedsBound(_ content: JournalEntry.Content) -> Bool {
        switch content {
        case .participant(let participant):
            people[participant.id] == nil && people.count >= JournalLimits.participants
        case .trackBegan(let track): Int(track.number.value) > JournalLimits.tracks
        case .consent: consentCount >= JournalLimits.consents
        default: false
        }
    }

    /// Throws and changes nothing when the entry may not stand here.
    package mutating func take(_ content: JournalEntry.Content) throws(OrderFault) {
        if phase == .before {
            guard case .began = content else { throw OrderFault("an entry stands before the beginning") }
            phase = .within
            return
        }
        guard phase == .within else { throw OrderFault("an entry stands behind the end") }
        guard !exceedsBound(content) else { throw OrderFault("there are more than the bounds allow") }
        switch content {
        case .began: throw OrderFault("it begins twice")
        case .participant(let participant): people[participant.id, default: Person()].tracks += []
        case .consent(let consent): try take(consent)
        case .trackBegan(let track): try begin(track)
        case .packet(let packet): try requireOpen(packet.head.track)
        case .senderReport(let report): try requireOpen(report.track)
        case .orientation(let track, _): try requireOpen(track)
        case .gap(let gap): if let track = gap.track { try requireBegun(track) }
        case .paused(let track, _): try requireBegun(track)
        case .trackEnded(let track, _):
            try requireBegun(track)
            tracks[Int(track.value)] = .ended
        case .speaker(let participant): if let participant { try requireKnown(participant) }
        case .participantLeft(let participant):
            guard var person = people[participant] else { throw OrderFault(Self.stranger) }
            end(&person)
            people[participant] = person
        case .ended: phase = .after
        }
    }

    private mutating func take(_ consent: JournalConsent) throws(OrderFault) {
        guard var person = people[consent.participant] else { throw OrderFault(Self.stranger) }
        switch consent.decision {
        case .agreed:
            (person.agrees, person.hasAgreed) = (true, true)
            for track in person.tracks where tracks[Int(track.value)] == .silent { tracks[Int(track.value)] = .open }
        case .refused:
            guard !person.hasAgreed else { throw OrderFault("somebody who agreed refuses instead of withdrawing") }
        case .withdrawn:
            guard person.hasAgreed else { throw OrderFault("somebody withdraws who did not agree") }
            end(&person)
        }
        people[consent.participant] = person
        consentCount += 1
    }

    /// Nothing more of theirs, until they agree again and begin new tracks.
    private mutating func end(_ person: inout Person) {
        person.agrees = false
        for track in person.tracks { tracks[Int(track.value)] = .ended }
        person.tracks.removeAll()
    }

    private mutating func begin(_ track: JournalTrack) throws(OrderFault) {
        guard var person = people[track.participant] else { throw OrderFault(Self.stranger) }
        let index = Int(track.number.value)
        guard (1...JournalLimits.tracks).contains(index) else { throw OrderFault("a track's number is not such") }
        if index >= tracks.count { tracks += Array(repeating: .never, count: index + 1 - tracks.count) }
        guard tracks[index] == .never else { throw OrderFault("a track's number is given twice") }
        tracks[index] = person.agrees ? .open : .silent
        person.tracks.append(track.number)
        people[track.participant] = person
    }

    private func requireOpen(_ track: TrackNumber) throws(OrderFault) {
        guard !admits(track) else { return }
        try requireBegun(track)
        throw OrderFault("media stands there of somebody who does not agree")
    }

    private func requireBegun(_ track: TrackNumber) throws(OrderFault) {
        let index = Int(track.value)
        let state = index < tracks.count ? tracks[index] : .never
        guard state != .never else { throw OrderFault("something is said of a track before it began") }
        guard state != .ended else { throw OrderFault("something is said of a track after it ended") }
    }

    private func requireKnown(_ participant: UUID) throws(OrderFault) {
        guard people[participant] != nil else { throw OrderFault(Self.stranger) }
    }

    private static let stranger: StaticString = "something is said of somebody who was not named before"
}
