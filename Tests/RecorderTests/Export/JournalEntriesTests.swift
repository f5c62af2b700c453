import Base
import TestKit
import Testing

@testable import Recorder

@Suite struct JournalEntriesTests {
    private let ada = UUID(high: 1, low: 1)
    private let start = Instant(nanoseconds: 5_000_000_000)
    private let keys: TestJournalKeys
    private let files = MemoryJournalFiles()
    private let writer: JournalWriter

    init() throws {
        keys = try TestJournalKeys()
        writer = try JournalWriter(
            UUID(high: 9, low: 9), JournalScript.beginning(at: start), in: files, keys: keys.writing, threads: nil)
    }

    private func put(_ milliseconds: Int, _ content: JournalEntry.Content) {
        #expect(writer.put(content, at: start + .milliseconds(milliseconds)) == .taken)
    }

    private func begin(_ codecs: [JournalCodec], _ protection: JournalTrack.Protection = .none) {
        put(0, .participant(JournalParticipant(id: ada, name: "Ada")))
        put(0, agreed(.agreed))
        put(
            0,
            .trackBegan(
                JournalTrack(
                    TrackNumber(1), of: ada, session: ada, .audio, .microphone, codecs: codecs, protection: protection))
        )
    }

    private func agreed(_ decision: JournalConsent.Decision) -> JournalEntry.Content {
        .consent(
            JournalConsent(participant: ada, decision, by: ada, means: .socket, at: Timestamp(secondsSinceEpoch: 100)))
    }

    private func packet(_ index: Int, type: UInt8, _ payload: Bytes) {
        var head = JournalPacketHead(
            track: TrackNumber(1), payloadType: type, sequence: UInt64(index), timestamp: UInt32(index * 960))
        head.stream = 3
        put(index * 20 + 30, .packet(JournalPacket(head, payload: payload)))
    }

    private func entries(_ milliseconds: Int) throws -> [RecordedEntry] {
        writer.end(.stopped, at: start + .milliseconds(milliseconds))
        // Each call does what is due.
        for second in 1...20 where writer.advance(at: start + .seconds(milliseconds / 1_000 + second)) {}
        let entries = JournalEntries(try JournalReader(files, with: keys.reading))
        var all: [RecordedEntry] = []
        while let entry = try entries.next() { all.append(entry) }
        return all
    }

    private func packets(_ entries: [RecordedEntry]) -> [RecordedPacket] {
        entries.compactMap { if case .packet(let packet) = $0 { packet } else { nil } }
    }

    private func tracks(_ entries: [RecordedEntry]) -> [RecordedTrack] {
        entries.compactMap { if case .began(let track) = $0 { track } else { nil } }
    }

    private let opus = JournalCodec(payloadType: 111, name: "opus", clockRate: 48_000, channels: 2)

    @Test func `packets keep their numbers and times, and redundancy is unpacked`() throws {
        begin([opus, JournalCodec(payloadType: 63, name: "red", clockRate: 48_000, channels: 2)])
        packet(1, type: 111, [0x78, 1])
        // One older block of two bytes, then the newest.
        packet(2, type: 63, [0x80 | 111, 0x0F, 0x00, 0x02, 111, 7, 7, 0x78, 2])
        packet(3, type: 63, [0x80 | 111, 0xFF])
        put(90, .senderReport(JournalSenderReport(track: TrackNumber(1), stream: 3, ntp: 77, timestamp: 5)))
        let all = try entries(1_000)
        #expect(tracks(all).map(\.label) == ["0001", "0001-2"], "what is broken is of no codec")
        #expect(packets(all).map(\.payload) == [[0x78, 1], [0x78, 2], []])
        #expect(packets(all).map(\.sequence) == [1, 2, 3] && packets(all)[0].arrival == 50_000_000)
        #expect(packets(all).allSatisfy { $0.stream == 3 })
        let reports = all.compactMap { if case .report(let report) = $0 { report } else { nil } }
        #expect(reports.count == 1 && reports[0].ntpTime == 77 && reports[0].arrival == 90_000_000)
        guard case .finished(let time) = all.last else { return #expect(Bool(false), "it ended") }
        #expect(time == 1_000_000_000)
    }

    @Test func `another codec is another track, and tones are no holes`() throws {
        let pcmu = JournalCodec(payloadType: 0, name: "PCMU", clockRate: 8_000, channels: 1)
        let tone = JournalCodec(payloadType: 110, name: "telephone-event", clockRate: 48_000)
        begin([opus, pcmu, tone])
        packet(1, type: 111, [0x78, 1])
        packet(2, type: 110, [1, 2, 3, 4])
        packet(3, type: 0, [9])
        packet(4, type: 111, [0x78, 4])
        let all = try entries(1_000)
        #expect(tracks(all).map(\.codecName) == ["opus", "PCMU"] && tracks(all)[1].codec == nil)
        #expect(packets(all).map(\.track) == [1, 1, 0x1_0001, 1])
        #expect(packets(all)[1].payload.isEmpty)
    }

    @Test func `who withdrew, and what is sealed, is told`() throws {
        begin([opus], .sframe(descriptor: [1]))
        packet(1, type: 111, [1, 2, 3])
        put(100, agreed(.withdrawn))
        let all = try entries(1_000)
        #expect(tracks(all).first?.isSealed == true)
        let withdrawals = all.compactMap { if case .withdrew(let id, let time) = $0 { (id, time) } else { nil } }
        #expect(withdrawals.count == 1 && withdrawals[0].0 == ada && withdrawals[0].1 == 100_000_000)
        let consents = all.compactMap { if case .consent(let consent) = $0 { consent } else { nil } }
        #expect(consents.map(\.decision) == ["agreed", "withdrawn"] && consents[0].means == "socket")
    }

    @Test func `parameter sets are read from the description`() {
        let sets = ParameterSets.described(
            by: "level-asymmetry-allowed=1;packetization-mode=1; sprop-parameter-sets=Z0IAKQ==,aM4=;profile-level-id=42"
        )
        #expect(sets == [[0x67, 0x42, 0, 0x29], [0x68, 0xCE]])
        #expect(ParameterSets.described(by: "sprop-vps=QAE=;sprop-sps=!!;sprop-pps=").count <= 2)
        #expect(ParameterSets.described(by: "").isEmpty)
    }

    @Test func `a folder is verified, and decrypted segment by segment`() throws {
        begin([opus])
        for index in 1...50 { packet(index, type: 111, [0x78, UInt8(index)]) }
        _ = try entries(2_000)
        let folder = RecordingFolder(files, keys.reading)
        let verdict = try folder.verify()
        #expect(verdict.faults.isEmpty && verdict.survey.tracks.first?.packets == 50)
        #expect(verdict.summary.end != nil && verdict.summary.recording == UUID(high: 9, low: 9))
        let target = try TemporaryFolder()
        let count = try folder.decrypt(to: target.path + "/clear")
        #expect(target.entries(of: "clear").count == count && count >= 1)
        #expect(MediaFiles.contents(target.path + "/clear/00000001.journal").starts(with: Bytes("PXJOURNL".utf8)))
        #expect(throws: ExportError.self) { try folder.decrypt(to: target.path + "/clear") }
        var changed = files.files
        changed["00000001.age"]?[2_000] ^= 1
        let damaged = RecordingFolder(MemoryJournalFiles(changed), keys.reading)
        #expect(throws: (any Error).self) { try damaged.verify() }
    }
}
