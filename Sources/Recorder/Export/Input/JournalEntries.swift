// A journal as an export reads it: tracks by their codecs, sound unpacked from its redundancy.
//
// A track that changes its codec becomes one track for each: no file holds two. What goes on beside the media in the same
// numbers (error correction, tones, comfort noise) stays as packets without content, so that it makes no holes.

import Base
import Wire

package final class JournalEntries: RecordedEntries {
    /// Codecs of one track that are told apart.
    static let partsMax = 16

    private static let auxiliary: Set<String> = ["ulpfec", "flexfec-03", "rtx", "cn", "telephone-event"]

    private struct Track {
        var entry: JournalTrack
        var began: MediaTime
        /// Lower-case names of the codecs that came, by the number of their part.
        var parts: [String] = []
        /// Where its reports go.
        var current = 0
    }

    private let reader: JournalReader
    private var tracks: [TrackNumber: Track] = [:]
    /// What one entry of the journal became, last first.
    private var waiting: [RecordedEntry] = []

    package init(_ reader: JournalReader) { self.reader = reader }

    package func next() throws(ExportError) -> RecordedEntry? {
        while true {
            if let entry = waiting.popLast() { return entry }
            let entry: JournalEntry?
            do throws(JournalError) { entry = try reader.next() } catch { throw .unreadable("\(error)") }
            guard let entry else { return nil }
            waiting = translate(entry.content, entry.time.nanoseconds).reversed()
        }
    }

    private func translate(_ content: JournalEntry.Content, _ time: MediaTime) -> [RecordedEntry] {
        switch content {
        case .began, .orientation, .paused, .participantLeft: []
        case .participant(let participant): [.participant(participant.id, name: participant.name)]
        case .consent(let consent): translate(consent, time)
        case .trackBegan(let track):
            begin(track, time)
        case .packet(let packet): translate(packet, time)
        case .senderReport(let report): translate(report, time)
        case .gap(let gap): translate(gap)
        case .speaker(let participant): [.speaker(participant, at: time)]
        case .trackEnded(let number, _): end(number, time)
        case .ended: [.finished(at: time)]
        }
    }

    private func translate(_ consent: JournalConsent, _ time: MediaTime) -> [RecordedEntry] {
        let recorded = RecordedConsent(
            participant: consent.participant, decision: "\(consent.decision)", means: "\(consent.means)",
            by: consent.by, at: consent.at)
        guard consent.decision == .withdrawn else { return [.consent(recorded)] }
        return [.consent(recorded), .withdrew(consent.participant, at: time)]
    }

    // MARK: Tracks

    private func begin(_ track: JournalTrack, _ time: MediaTime) -> [RecordedEntry] {
        tracks[track.number] = Track(entry: track, began: time)
        return []
    }

    /// One that never sent is told all the same.
    private func end(_ number: TrackNumber, _ time: MediaTime) -> [RecordedEntry] {
        guard let track = tracks.removeValue(forKey: number) else { return [] }
        guard track.parts.isEmpty else { return [.ended(track: Self.id(number, track.current), at: time)] }
        return [.began(Self.recorded(track, part: 0, track.entry.codecs.first))]
    }

    private static func id(_ number: TrackNumber, _ part: Int) -> UInt32 {
        UInt32(number.value) | UInt32(truncatingIfNeeded: part) << 16
    }

    private static func recorded(_ track: Track, part: Int, _ codec: JournalCodec?) -> RecordedTrack {
        let name = codec?.name ?? "unknown"
        let isSealed = if case .sframe = track.entry.protection { true } else { false }
        return RecordedTrack(
            id: id(track.entry.number, part), participant: track.entry.participant,
            source: RecordedSource(track.entry.source), codecName: name, codec: RecordedCodec(named: name),
            clockRate: codec?.clockRate ?? 90_000, isSealed: isSealed,
            parameterSets: ParameterSets.described(by: codec?.parameters ?? ""), began: track.began)
    }

    // MARK: Packets

    private func translate(_ packet: JournalPacket, _ time: MediaTime) -> [RecordedEntry] {
        let number = packet.head.track
        guard let track = tracks[number] else { return [] }
        var payload = packet.payload
        var codec = track.entry.codecs.first { $0.payloadType == packet.head.payloadType }
        if codec?.name.lowercased() == "red", case .none = track.entry.protection {
            (codec, payload) = Self.newest(payload, track.entry.codecs)
        }
        let name = codec.map { $0.name.lowercased() } ?? "unknown"
        var entries: [RecordedEntry] = []
        var part = track.current
        if Self.auxiliary.contains(name) {
            if track.parts.isEmpty { return [] }
            payload = []
        } else if let known = track.parts.firstIndex(of: name) {
            part = known
        } else {
            guard track.parts.count < Self.partsMax else { return [] }
            part = track.parts.count
            tracks[number]?.parts.append(name)
            entries.append(.began(Self.recorded(track, part: part, codec)))
        }
        if part != track.current { tracks[number]?.current = part }
        let recorded = RecordedPacket(
            track: Self.id(number, part), stream: packet.head.stream, sequence: packet.head.sequence,
            timestamp: packet.head.timestamp, marker: packet.head.marker, arrival: time, payload: payload)
        return entries + [.packet(recorded)]
    }

    /// What is of the packet's own time, out of redundant audio (RFC 2198).
    private static func newest(_ payload: Bytes, _ codecs: [JournalCodec]) -> (JournalCodec?, Bytes) {
        guard let red = try? RedundantAudio(parsing: payload.span.bytes) else { return (nil, []) }
        let block = red.newest
        let (start, count) = (Int(block.offset), Int(block.length))
        guard start <= payload.count, count <= payload.count - start else { return (nil, []) }
        let codec = codecs.first { $0.payloadType == block.payloadType }
        return (codec, Bytes(payload[start..<(start + count)]))
    }

    private func translate(_ report: JournalSenderReport, _ time: MediaTime) -> [RecordedEntry] {
        guard let track = tracks[report.track] else { return [] }
        return [
            .report(
                RecordedReport(
                    track: Self.id(report.track, track.current), stream: report.stream, ntpTime: report.ntp,
                    timestamp: report.timestamp, arrival: time))
        ]
    }

    private func translate(_ gap: JournalGap) -> [RecordedEntry] {
        guard let number = gap.track, let track = tracks[number] else { return [] }
        return [.lost(track: Self.id(number, track.current), count: gap.count)]
    }
}

extension RecordedCodec {
    /// As `a=rtpmap` names it, in any case.
    init?(named name: String) {
        switch name.lowercased() {
        case "opus": self = .opus
        case "vp8": self = .vp8
        case "vp9": self = .vp9
        case "av1": self = .av1
        case "h264": self = .h264
        case "h265": self = .h265
        default: return nil
        }
    }
}

extension RecordedSource {
    init(_ source: JournalTrack.Source) {
        self =
            switch source {
            case .microphone: .microphone
            case .camera: .camera
            case .screen: .screen
            case .screenAudio: .screenAudio
            case .other: .unknown
            }
    }
}

extension ParameterSets {
    /// Those in `a=fmtp` (RFC 6184 §8.1, RFC 7798 §7.1): in Base64, with commas between them.
    static func described(by parameters: String) -> [Bytes] {
        var sets: [Bytes] = []
        for parameter in parameters.split(separator: ";") {
            let words = parameter.split(separator: "=", maxSplits: 1).map { $0.trimmed }
            guard words.count == 2,
                ["sprop-parameter-sets", "sprop-vps", "sprop-sps", "sprop-pps"].contains(words[0].lowercased())
            else { continue }
            for text in words[1].split(separator: ",") {
                guard sets.count < countMax, let set = Base64.decode(text), set.count <= bytesMax else { continue }
                sets.append(set)
            }
        }
        return sets
    }
}

extension Substring {
    /// Without spaces around it.
    fileprivate var trimmed: Substring {
        var text = self.drop { $0 == " " }
        while text.last == " " { text.removeLast() }
        return text
    }
}
