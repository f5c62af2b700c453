import Base
import Glibc
import TestKit
import Testing
import Wire

@testable import Recorder

@Suite struct JournalEntryTests {
    @Test func `a time before the recording is its beginning`() {
        let start = Instant(nanoseconds: 5_000_000)
        #expect(RecordingTime(Instant(nanoseconds: 1), since: start) == .zero)
        #expect(RecordingTime(Instant(nanoseconds: 7_500_000), since: start).microseconds == 2_500)
    }

    @Test(arguments: 1...20) func `what is written is read`(seed: UInt64) throws {
        var script = JournalScript(seed: seed)
        let base = RecordingTime(microseconds: 3_000_000)
        var encoder = EntryEncoder(from: base)
        var bytes = Bytes()
        let entries = (0..<400).map { _ in script.next(media: 700) }
        for entry in entries { encoder.append(entry, to: &bytes) }
        var decoder = EntryDecoder(from: base)
        var reader = ByteReader(bytes.span.bytes)
        var read: [JournalEntry] = []
        while !reader.isAtEnd { read.append(try decoder.next(&reader)) }
        #expect(read == entries)
    }

    @Test(arguments: [0, 1, 127, 128, 16_383, 16_384, 1 << 35, .max - 1, .max] as [UInt64])
    func `a number has one form`(number: UInt64) throws {
        var bytes = Bytes()
        bytes.append(varint: number)
        var reader = ByteReader(bytes.span.bytes)
        let read = try reader.readVarint()
        let rest = reader.remaining
        #expect(read == number && rest == 0)
        // The same with a byte more that says nothing.
        var longer = bytes
        longer[longer.count - 1] |= 0x80
        longer.append(0)
        #expect(throws: WireError.self) {
            var reader = ByteReader(longer.span.bytes)
            _ = try reader.readVarint()
        }
    }

    @Test func `every difference of times comes back`() {
        for value in [0, 1, -1, .max, .min, 1 << 53, -(1 << 53)] as [Int64] {
            #expect(ZigZag.decode(ZigZag.encode(value)) == value)
        }
    }

    /// The layout of the page, byte by byte, so that a change of it is seen.
    @Test func `a packet is written as the page says`() {
        var head = JournalPacketHead(
            track: TrackNumber(300), stream: 2, payloadType: 96, marker: true, flags: [.keyframe, .startsFrame],
            sequence: 65_537, timestamp: 0x0102_0304)
        (head.layer, head.temporal, head.audioLevel) = (2, 1, 30)
        var encoder = EntryEncoder(from: RecordingTime(microseconds: 100))
        var bytes = Bytes()
        let entry = JournalEntry(
            at: RecordingTime(microseconds: 99), .packet(JournalPacket(head, descriptor: [7], payload: [8, 9])))
        encoder.append(entry, to: &bytes)
        #expect(
            bytes == [
                5, 0, 19, 0x01, 0xAC, 0x02, 0x02, 0xE3, 0xE0, 0x81, 0x80, 0x04, 1, 2, 3, 4, 0x81, 30, 1, 7, 8, 9,
            ])
    }

    @Test(
        arguments: [
            [], [5], [99, 0, 0], [5, 0, 1, 0], [13, 0, 2, 0, 9], [13, 0, 3, 0, 1, 1], [9, 0, 3, 0, 1, 2],
            [13, 0, 2, 1, 1], [8, 0, 3, 0, 1, 16], [11, 0, 3, 0, 0, 1], [11, 0, 4, 0, 0x81, 0x20, 1],
        ] as [Bytes])
    func `what has no form is refused`(bytes: Bytes) {
        #expect(throws: WireError.self) {
            var decoder = EntryDecoder(from: .zero)
            var reader = ByteReader(bytes.span.bytes)
            _ = try decoder.next(&reader)
        }
    }

    @Test func `forms that were changed in any way are refused, or written as they were read`() {
        for (form, bytes) in JournalForms.examples {
            func rewritten(_ bytes: Bytes) -> Bytes? {
                form == "journal-manifest"
                    ? JournalForms.rewritten(manifest: bytes) : JournalForms.rewritten(entries: bytes)
            }
            #expect(rewritten(bytes) == bytes, "\(form)")
            var mutator = Mutator(corpus: [bytes], seed: 1)
            for _ in 0..<20_000 {
                let changed = mutator.next()
                guard let written = rewritten(changed), written != changed else { continue }
                Issue.record("\(form): \(Hex.encode(changed))")
                return
            }
        }
    }

    /// The corpus was made from the page, by another hand in another language.
    @Test func `bytes that were made from the page are these entries`() throws {
        for (form, bytes) in JournalForms.examples {
            let path = #filePath.split(separator: "/").dropLast(2).joined(separator: "/")
            let file = open("/\(path)/Corpus/\(form)/example", O_RDONLY)
            try #require(file >= 0, "\(form)")
            defer { close(file) }
            var corpus = Bytes(repeating: 0, count: bytes.count + 1)
            let count = Glibc.read(file, &corpus, corpus.count)
            #expect(count == bytes.count && Bytes(corpus.prefix(max(0, count))) == bytes, "\(form)")
        }
    }
}
