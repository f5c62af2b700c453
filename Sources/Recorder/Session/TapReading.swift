// From a call's pipes into its journal. Runs on the thread of `TapThread`.

import Base
import Media

/// `@unchecked Sendable`: everything that changes belongs to the thread that calls `drain`.
final class TapReading: @unchecked Sendable {
    private struct Track {
        let number: TrackNumber
        /// The last one that was said.
        var orientation: UInt8 = 0
    }

    private struct Pipe {
        let pipe: TapPipe
        /// By the pipe's numbers; a track of who does not agree has none.
        var tracks: [UInt32: Track] = [:]
        var isEnded = false
    }

    private var pipes: [Pipe]
    private let people: RecordedPeople
    private let writer: JournalWriter
    private let describe: @Sendable (TapTrack) -> (JournalTrack.Source, JournalTrack.Protection)
    private var lastTrack: UInt16 = 0
    /// Who speaks, and which pipe said so: another one that says "nobody" only speaks for its own people.
    private var speaker: (user: UUID, pipe: Int)?
    private var refused: UInt64 = 0

    init(
        _ pipes: [TapPipe], _ people: RecordedPeople, _ writer: JournalWriter,
        describe: @escaping @Sendable (TapTrack) -> (JournalTrack.Source, JournalTrack.Protection)
    ) {
        self.pipes = pipes.map { Pipe(pipe: $0) }
        self.people = people
        self.writer = writer
        self.describe = describe
    }

    /// Reads what there is.
    func drain() {
        for index in pipes.indices where !pipes[index].isEnded { drain(index) }
        guard refused > 0 else { return }
        people.countRefusals(refused)
        refused = 0
    }

    private func drain(_ index: Int) {
        let pipe = pipes[index].pipe
        pipe.begin()
        while let item = pipe.next() {
            switch item {
            case .packet(let packet): take(packet, of: pipe, index)
            case .report(let report): take(report, index)
            case .gap(let gap): tell(gap.packets, of: gap.track, since: gap.since, index)
            case .event(let event): take(event, index)
            case .ended(let end):
                pipes[index].isEnded = true
                if end == .overrun { takeOverrun() }
                return
            }
        }
    }

    private func take(_ packet: TapPacket, of pipe: TapPipe, _ index: Int) {
        guard let track = pipes[index].tracks[packet.track] else {
            refused &+= 1
            return
        }
        if packet.orientation != TapPacket.noOrientation, packet.orientation & 15 != track.orientation {
            pipes[index].tracks[packet.track]?.orientation = packet.orientation & 15
            note(writer.put(.orientation(track.number, packet.orientation & 15), at: packet.arrival))
        }
        let (descriptor, payload) = (pipe.descriptor, pipe.payload)
        note(
            writer.put(
                JournalPacketHead(packet, track: track.number), descriptor: descriptor.bytes, payload: payload.bytes,
                arrival: packet.arrival))
    }

    private func take(_ report: TapReport, _ index: Int) {
        guard let track = pipes[index].tracks[report.track] else { return }
        let entry = JournalSenderReport(
            track: track.number, stream: report.stream, ntp: report.ntpTime, timestamp: report.timestamp)
        note(writer.put(.senderReport(entry), at: report.arrival))
    }

    private func note(_ verdict: JournalVerdict) {
        if case .refused = verdict { refused &+= 1 }
    }

    private func tell(_ packets: UInt32, of number: UInt32, since: Instant, _ index: Int) {
        guard let track = pipes[index].tracks[number], packets > 0 else { return }
        let time = RecordingTime(since, since: writer.beginning.instant)
        note(
            writer.put(
                .gap(JournalGap(track: track.number, .tapFull, count: UInt64(packets), since: time)), at: .now()))
    }

    /// The tap could not even say what it left out: nothing of this shard's people is heard any more.
    private func takeOverrun() { writer.end(.unwritable, at: .now()) }

    // MARK: Events

    private func take(_ event: TapEvent, _ index: Int) {
        switch event {
        case .began(let track): begin(track, index)
        case .held(let number, let isHeld, let instant):
            guard let track = pipes[index].tracks[number] else { return }
            note(writer.put(.paused(track.number, isHeld), at: instant))
        case .trackEnded(let number, let reason, let unsaid, let instant):
            tell(unsaid, of: number, since: instant, index)
            guard let track = pipes[index].tracks.removeValue(forKey: number) else { return }
            note(writer.put(.trackEnded(track.number, JournalTrackEnd(reason)), at: instant))
        case .speaks(let owner, _, let instant): speak(owner, instant, index)
        }
    }

    private func begin(_ tap: TapTrack, _ index: Int) {
        // Of who has withdrawn since: the tap has heard of it later than the journal.
        guard people.isAdmitted(tap.owner), tap.kind != .data, lastTrack < UInt16.max else { return }
        lastTrack += 1
        let (source, protection) = describe(tap)
        var track = JournalTrack(
            TrackNumber(lastTrack), of: tap.owner, session: tap.session, tap.kind == .video ? .video : .audio, source,
            codecs: tap.codecs.prefix(JournalLimits.codecs).map(JournalCodec.init), protection: protection)
        track.section = tap.mid.prefix(utf8: JournalLimits.name)
        track.stream = (tap.streamID ?? "").prefix(utf8: JournalLimits.name)
        track.name = (tap.trackID ?? "").prefix(utf8: JournalLimits.name)
        let verdict = writer.put(.trackBegan(track), at: tap.at)
        note(verdict)
        guard verdict == .taken else { return }
        pipes[index].tracks[tap.number] = Track(number: track.number)
        if tap.isHeld { note(writer.put(.paused(track.number, true), at: tap.at)) }
    }

    private func speak(_ user: UUID?, _ instant: Instant, _ index: Int) {
        if let user {
            speaker = (user, index)
        } else {
            guard speaker?.pipe == index else { return }
            speaker = nil
        }
        note(writer.put(.speaker(user), at: instant))
    }
}

extension JournalPacketHead {
    init(_ packet: TapPacket, track: TrackNumber) {
        var flags: Flags = []
        if packet.flags.contains(.keyframe) { flags.insert(.keyframe) }
        if packet.flags.contains(.startsFrame) { flags.insert(.startsFrame) }
        if packet.flags.contains(.endsFrame) { flags.insert(.endsFrame) }
        if packet.flags.contains(.discardable) { flags.insert(.discardable) }
        if packet.flags.contains(.voice) { flags.insert(.voice) }
        self.init(
            track: track, stream: packet.stream, payloadType: packet.payloadType,
            marker: packet.flags.contains(.marker),
            flags: flags, sequence: packet.sequence, timestamp: packet.timestamp)
        layer = min(packet.layer, 3)
        spatial = min(packet.spatial, 7)
        temporal = min(packet.temporal, 7)
        audioLevel = packet.audioLevel
    }
}

extension JournalCodec {
    /// The sender's own parameters say what it sends; where it said none, ours say what was asked for.
    init(_ codec: NegotiatedCodec) {
        let parameters = codec.remoteParameters.isEmpty ? codec.parameters : codec.remoteParameters
        self.init(
            payloadType: codec.payloadType, name: codec.codec.name, clockRate: codec.clockRate,
            channels: codec.channels,
            parameters: parameters.utf8.count <= JournalLimits.codecParameters ? parameters : "")
    }
}

extension JournalTrackEnd {
    init(_ end: TapTrackEnd) {
        self =
            switch end {
            case .unpublished: .ended
            case .withdrawn: .withdrawn
            case .stopped: .recordingEnded
            }
    }
}
