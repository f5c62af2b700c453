// The first look at a recording: which tracks there are, whose, on which clocks, who withdrew, who spoke.

import Base

package struct RecordingSurvey {
    struct Track {
        var track: RecordedTrack
        var streams: [UInt16: StreamObservations] = [:]
        var packets: UInt64 = 0
        var lost: UInt64 = 0
        var firstArrival: MediaTime?
        var isWithdrawn = false
    }

    private(set) var tracks: [UInt32: Track] = [:]
    /// In the order in which they began.
    private(set) var order: [UInt32] = []
    private(set) var names: [UUID: String] = [:]
    private(set) var consents: [RecordedConsent] = []
    private(set) var speakers = SpeakerTrack()
    private(set) var packets: UInt64 = 0
    /// Of the last entry.
    private(set) var end: MediaTime = 0
    /// It ended as it should.
    private(set) var isFinished = false

    package init() {}

    package mutating func note(_ entry: RecordedEntry) throws(ExportError) {
        switch entry {
        case .began(let track):
            guard order.count < ExportLimits.tracks else {
                throw .tooMuch("a recording with more than \(ExportLimits.tracks) tracks cannot be exported")
            }
            guard tracks[track.id] == nil else { return }
            tracks[track.id] = Track(track: track)
            order.append(track.id)
        case .packet(let packet): note(packet)
        case .report(let report):
            end = max(end, report.arrival)
            guard isFollowed(report.track, report.stream) else { return }
            tracks[report.track]?.streams[report.stream]?.note(report)
        case .lost(let track, let count): tracks[track]?.lost &+= count
        case .ended(_, let time): end = max(end, time)
        case .participant(let id, let name):
            names[id] = name
            speakers.name(id, name)
        case .consent(let consent): consents.append(consent)
        case .speaker(let participant, let time):
            end = max(end, time)
            speakers.speaker(participant, at: time)
        case .withdrew(let participant, let time):
            end = max(end, time)
            withdraw(participant, at: time)
        case .finished(let time):
            end = max(end, time)
            isFinished = true
        }
    }

    package mutating func finish() { speakers.finish(at: end) }

    private mutating func note(_ packet: RecordedPacket) {
        end = max(end, packet.arrival)
        packets &+= 1
        // In place: a copy of a stream's observations for each packet would be most of the work.
        guard tracks[packet.track]?.isWithdrawn == false else { return }
        tracks[packet.track]?.packets &+= 1
        if tracks[packet.track]?.firstArrival == nil { tracks[packet.track]?.firstArrival = packet.arrival }
        guard isFollowed(packet.track, packet.stream) else { return }
        tracks[packet.track]?.streams[packet.stream]?.note(packet)
    }

    /// Makes room for what is seen of a stream, unless there are too many of them.
    private mutating func isFollowed(_ id: UInt32, _ stream: UInt16) -> Bool {
        guard let rate = tracks[id]?.track.clockRate, tracks[id]?.isWithdrawn == false else { return false }
        if tracks[id]?.streams[stream] != nil { return true }
        guard (tracks[id]?.streams.count ?? 0) < ExportLimits.streamsPerTrack else { return false }
        tracks[id]?.streams[stream] = StreamObservations(clockRate: rate)
        return true
    }

    private mutating func withdraw(_ participant: UUID, at time: MediaTime) {
        for id in order where tracks[id]?.track.participant == participant {
            tracks[id]?.isWithdrawn = true
            tracks[id]?.streams = [:]
        }
        speakers.forget(participant, at: time)
    }

    /// Clocks of all tracks that are exported.
    package func clocks() -> [UInt32: TrackClock] {
        var reports: [UUID: [ParticipantClock.Report]] = [:]
        for track in tracks.values where !track.isWithdrawn {
            let own = track.streams.values.flatMap(\.reports)
            reports[track.track.participant, default: []] += own
        }
        let participants = reports.mapValues(ParticipantClock.init)
        return tracks.compactMapValues { track in
            guard !track.isWithdrawn, let participant = participants[track.track.participant] else { return nil }
            return TrackClock(track.streams, clockRate: track.track.clockRate, participant)
        }
    }
}

extension StreamObservations {
    fileprivate var reports: [ParticipantClock.Report] {
        segments.flatMap { segment in
            segment.reports.map { ParticipantClock.Report(ntpTime: $0.ntpTime, arrival: $0.arrival) }
        }
    }
}
