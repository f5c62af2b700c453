// The forms as functions from bytes to bytes, for who tries them with bytes of any kind: fuzzers.

package import Base
import Wire

package enum JournalForms {
    /// Entries of one segment whose time is 0, written again; `nil` when the bytes are refused. There is one way to write
    /// them, so it is what was given. What may not stand where it does is passed over by the order and changes nothing.
    package static func rewritten(entries bytes: Bytes) -> Bytes? {
        var reader = ByteReader(bytes.span.bytes)
        var decoder = EntryDecoder(from: .zero)
        var encoder = EntryEncoder(from: .zero)
        var order = JournalOrder()
        var survey = JournalSurvey()
        var written = Bytes()
        while !reader.isAtEnd {
            guard let entry = try? decoder.next(&reader) else { return nil }
            encoder.append(entry, to: &written)
            if (try? order.take(entry.content)) != nil { survey.take(entry) }
        }
        return written
    }

    /// A manifest without its signature.
    package static func rewritten(manifest bytes: Bytes) -> Bytes? {
        (try? JournalManifest(parsing: bytes))?.body
    }

    /// Every form at least once, as they are written: what fuzzers begin with.
    package static var examples: [(form: String, bytes: Bytes)] {
        let people = [UUID(high: 1, low: 2), UUID(high: 3, low: 4)]
        let consent = JournalConsent(
            participant: people[0], .agreed, by: people[0], means: .socket, at: Timestamp(secondsSinceEpoch: 5))
        var manifest = JournalManifest(
            recording: people[0], call: people[1], started: Timestamp(secondsSinceEpoch: 6),
            ended: Timestamp(secondsSinceEpoch: 7), time: RecordingTime(microseconds: 1_000_000), reason: .stopped,
            totals: JournalTotals(), segments: [], consents: [])
        manifest.segments = [JournalManifest.Segment(length: 100, hash: Bytes(repeating: 1, count: 32))]
        manifest.consents = [JournalManifest.Consent(time: .zero, consent: consent)]
        return [("journal-entries", entries(people, consent)), ("journal-manifest", manifest.body)]
    }

    private static func entries(_ people: [UUID], _ consent: JournalConsent) -> Bytes {
        let (first, second) = (TrackNumber(1), TrackNumber(300))
        let video = JournalCodec(payloadType: 96, name: "H264", clockRate: 90_000, parameters: "packetization-mode=1")
        let audio = JournalCodec(payloadType: 111, name: "opus", clockRate: 48_000, channels: 2)
        var withdrawal = consent
        withdrawal.decision = .withdrawn
        var head = JournalPacketHead(
            track: first, stream: 200, payloadType: 96, marker: true, flags: [.keyframe, .startsFrame],
            sequence: 65_536, timestamp: 9)
        (head.layer, head.spatial, head.temporal, head.audioLevel) = (2, 1, 3, 40)
        let plain = JournalPacketHead(track: first, payloadType: 96, sequence: 1 << 40, timestamp: 1)
        let beginning = JournalBeginning(
            call: people[1], started: Timestamp(secondsSinceEpoch: 8), instant: Instant(nanoseconds: 9), policy: .ask,
            version: "1.0")
        let contents: [JournalEntry.Content] = [
            .began(beginning), .participant(JournalParticipant(id: people[0], name: "Émile")), .consent(consent),
            .trackBegan(
                JournalTrack(first, of: people[0], session: people[1], .video, .camera, codecs: [video, audio])),
            .trackBegan(
                JournalTrack(
                    second, of: people[0], session: people[1], .audio, .microphone, codecs: [audio],
                    protection: .sframe(descriptor: [1, 2, 3]))),
            .packet(JournalPacket(head, descriptor: [1, 2, 3], payload: [4, 5, 6])),
            .packet(JournalPacket(plain, payload: [])),
            .senderReport(JournalSenderReport(track: first, ntp: 1, timestamp: 2)),
            .gap(JournalGap(track: nil, .tapFull, count: 300, since: .zero)), .orientation(first, 3),
            .paused(first, true), .speaker(people[0]), .speaker(nil), .trackEnded(first, .left), .consent(withdrawal),
            .participantLeft(people[0]), .ended(.callEnded),
        ]
        var bytes = Bytes()
        var encoder = EntryEncoder(from: .zero)
        for (number, content) in contents.enumerated() {
            encoder.append(JournalEntry(at: RecordingTime(microseconds: Int64(number) * 900), content), to: &bytes)
        }
        return bytes
    }
}
