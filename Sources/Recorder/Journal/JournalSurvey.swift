// A journal in short, by reading it once: who was there and agreed, which tracks there are, and which of them may be
// given out. Media is not kept.

package import Base

package struct JournalSurvey: Sendable {
    package struct Track: Sendable {
        package let track: JournalTrack
        package let began: RecordingTime
        /// Of the last thing that was said of it.
        package internal(set) var last: RecordingTime
        package internal(set) var packets: UInt64 = 0
        package internal(set) var payloadBytes: UInt64 = 0
        package internal(set) var leftOut: UInt64 = 0
        /// Its sender has withdrawn after it began: nothing of it may be given out.
        package internal(set) var isWithdrawn = false
    }

    package private(set) var participants: [UUID: String] = [:]
    /// In the order of their numbers.
    package private(set) var tracks: [Track] = []
    package private(set) var consents: [JournalManifest.Consent] = []
    /// Packets that gaps count, of tracks that are not told apart as well.
    package private(set) var leftOut: UInt64 = 0
    package private(set) var end: JournalEnd?
    /// Of the last entry.
    package private(set) var last = RecordingTime.zero
    private var places: [TrackNumber: Int] = [:]

    package init() {}

    /// All that is left of a journal.
    package init(reading reader: JournalReader) throws(JournalError) {
        while let entry = try reader.next() { take(entry) }
        tracks.sort { $0.track.number < $1.track.number }
        for (place, track) in tracks.enumerated() { places[track.track.number] = place }
    }

    /// What may be given out. `withdrawn`: who has withdrawn after the recording's end.
    package func givenOut(withdrawn: Set<UUID> = []) -> [Track] {
        tracks.filter { !$0.isWithdrawn && !withdrawn.contains($0.track.participant) }
    }

    package mutating func take(_ entry: JournalEntry) {
        last = max(last, entry.time)
        switch entry.content {
        case .participant(let participant): participants[participant.id] = participant.name
        case .consent(let consent):
            consents.append(JournalManifest.Consent(time: entry.time, consent: consent))
            guard consent.decision == .withdrawn else { return }
            for index in tracks.indices where tracks[index].track.participant == consent.participant {
                tracks[index].isWithdrawn = true
            }
        case .trackBegan(let track):
            places[track.number] = tracks.count
            tracks.append(Track(track: track, began: entry.time, last: entry.time))
        case .packet(let packet):
            change(packet.head.track, entry.time) {
                $0.packets += 1
                $0.payloadBytes += UInt64(packet.payload.count)
            }
        case .gap(let gap):
            leftOut &+= gap.count
            if let track = gap.track { change(track, entry.time) { $0.leftOut &+= gap.count } }
        case .senderReport(let report): change(report.track, entry.time) { _ in }
        case .trackEnded(let track, _): change(track, entry.time) { _ in }
        case .ended(let reason): end = reason
        case .began, .orientation, .paused, .speaker, .participantLeft: break
        }
    }

    private mutating func change(_ number: TrackNumber, _ time: RecordingTime, _ body: (inout Track) -> Void) {
        guard let place = places[number] else { return }
        tracks[place].last = max(tracks[place].last, time)
        body(&tracks[place])
    }
}
