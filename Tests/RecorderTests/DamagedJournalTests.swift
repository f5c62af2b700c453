import Base
import Crypto
import TestKit
import Testing
import Vault

@testable import Recorder

/// Every kind of damage has its name, nothing behind it is given out, and everything before it is.
@Suite struct DamagedJournalTests {
    /// Changes a journal's files, and reads what is left.
    private func read(
        _ made: (stage: JournalStage, entries: [JournalEntry]), _ change: (inout [String: Bytes]) -> Void
    ) -> (count: Int, error: JournalError?) {
        var files = made.stage.files.files
        change(&files)
        let (read, error) = JournalStage.read(
            MemoryJournalFiles(files), made.stage.keys, expecting: made.stage.recording)
        let all = [JournalEntry(at: .zero, .began(JournalScript.beginning()))] + made.entries
        #expect(read.prefix(all.count).elementsEqual(all.prefix(read.count)), "only what was put in is given out")
        return (read.count, error)
    }

    /// The version line, recipient's stanza, wrapped key, MAC, nonce, the payload's middle, its last chunk, its last tag.
    private static let places: [@Sendable (Int) -> Int] = [
        { _ in 2 }, { _ in 60 }, { _ in 1_540 }, { _ in 1_590 }, { _ in 1_650 }, { $0 / 2 }, { $0 - 20_000 },
        { $0 - 1 },
    ]

    @Test(arguments: 0..<8, [false, true]) func `a flipped bit is damage`(place: Int, isInterrupted: Bool) async throws
    {
        let made = try await JournalStage.made(isInterrupted: isInterrupted)
        let name = "00000004.age"
        let (count, error) = read(made) { files in
            let length = files[name]?.count ?? 0
            files[name]?[Self.places[place](length)] ^= 4
        }
        guard case .damaged(file: name, reason: _)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(count > 50)
    }

    @Test(arguments: [0, 10, 1_000, 1_700, 30_000], [false, true])
    func `a file that was cut is told from one that was changed`(length: Int, isInterrupted: Bool) async throws {
        let made = try await JournalStage.made(isInterrupted: isInterrupted)
        let name = "00000003.age"
        let full = try #require(made.stage.files.files[name]?.count)
        try #require(full > 30_000)
        let (_, error) = read(made) { $0[name]?.removeSubrange(length...) }
        switch error {
        case .truncated(file: name): break
        // Nobody says how long it was: the format cannot tell.
        case .damaged(file: name, reason: _): #expect(isInterrupted && length >= 1_700)
        default: Issue.record("\(String(describing: error))")
        }
    }

    @Test func `exchanged, repeated, missing and foreign segments have their names`() async throws {
        let made = try await JournalStage.made()
        let other = try await JournalStage.made(seed: 2, recording: UUID(high: 8, low: 9))
        let swapped = read(made) { files in
            (files["00000003.age"], files["00000005.age"]) = (files["00000005.age"], files["00000003.age"])
        }
        #expect(swapped.error == .swapped(file: "00000003.age", number: 5))
        let replayed = read(made) { $0["00000004.age"] = $0["00000002.age"] }
        #expect(replayed.error == .replayed(file: "00000004.age", number: 2))
        let missing = read(made) { $0["00000004.age"] = nil }
        #expect(missing.error == .missing(number: 4))
        let foreign = read(made) { $0["00000004.age"] = other.stage.files.files["00000004.age"] }
        #expect(foreign.error == .foreign(file: "00000004.age"))
        let manifest = read(made) { $0["manifest.age"] = other.stage.files.files["manifest.age"] }
        #expect(manifest.error == .foreign(file: "manifest.age"))
        let counts = [swapped, replayed, missing, foreign].map(\.count)
        #expect(counts.allSatisfy { $0 > 30 })
    }

    @Test func `the end cannot be taken away`() async throws {
        let made = try await JournalStage.made()
        let last = try #require(made.stage.files.files.keys.filter { $0 != "manifest.age" }.max())
        let (count, error) = read(made) { $0[last] = nil }
        #expect(error == .missing(number: UInt32(made.stage.files.files.count - 1)))
        #expect(count > 100)
        let empty = read(made) { $0 = [:] }
        #expect(empty.error == .empty)
    }

    /// Two recordings of one id, as a copied folder that went on twice would have them.
    @Test func `two histories are told apart, with and without a manifest`() async throws {
        let made = try await JournalStage.made(isInterrupted: true)
        let other = try await JournalStage.made(isInterrupted: true)
        let forked = read(made) { $0["00000004.age"] = other.stage.files.files["00000004.age"] }
        #expect(forked.error == .forked(file: "00000004.age"))
        let (whole, second) = (try await JournalStage.made(), try await JournalStage.made())
        let first = read(whole) { $0["00000001.age"] = second.stage.files.files["00000001.age"] }
        #expect(first.error == .notInManifest(file: "00000001.age"))
        let more = read(whole) { $0["00000999.age"] = $0["00000001.age"] }
        guard case .notInManifest? = more.error else {
            Issue.record("a segment that the manifest does not know: \(String(describing: more.error))")
            return
        }
    }

    @Test func `who may not sign is not believed, and who has not the key reads nothing`() async throws {
        let made = try await JournalStage.made(isInterrupted: true)
        let own = made.stage.keys
        let stranger = try TestJournalKeys(2)
        let files = MemoryJournalFiles(made.stage.files.files)
        let wrong = JournalStage.read(files, stranger)
        #expect(wrong.error == .wrongKey(file: "00000001.age") && wrong.entries.isEmpty)
        // Everybody may encrypt to the recipient; that is not enough.
        let forger = JournalWritingKeys(
            recipients: own.writing.recipients, signer: stranger.writing.signer, sign: { stranger.writing.sign($0) })
        let forged = try Self.resealed(made, forger) { _, _ in }
        #expect(forged.error == .notAuthentic(file: "00000004.age"))
        // Somebody else's name under another one's signature.
        let mixed = JournalWritingKeys(
            recipients: own.writing.recipients, signer: own.writing.signer, sign: { stranger.writing.sign($0) })
        #expect(try Self.resealed(made, mixed) { _, _ in }.error == .notAuthentic(file: "00000004.age"))
        #expect(try Self.resealed(made, own.writing) { _, _ in }.error == nil, "the same, made by who may")
    }

    @Test func `what a trusted writer got wrong is refused as well`() async throws {
        let made = try await JournalStage.made(isInterrupted: true)
        let keys = made.stage.keys.writing
        let version = try Self.resealed(made, keys) { plaintext, _ in plaintext[8] = 2 }
        #expect(version.error == .newerVersion(file: "00000004.age"))
        let kind = try Self.resealed(made, keys) { plaintext, entries in plaintext[entries.lowerBound] = 200 }
        #expect(
            kind.error == .malformed(file: "00000004.age", reason: "an entry is of no known kind"))
        let order = try Self.resealed(made, keys) { plaintext, entries in
            // The first entry becomes an end, and then the others stand behind it.
            var encoder = EntryEncoder(from: .zero)
            var end = Bytes()
            encoder.append(JournalEntry(at: .zero, .ended(.stopped)), to: &end)
            plaintext.replaceSubrange(entries.lowerBound..<entries.lowerBound, with: end)
            Self.setCount(entries.count + end.count, in: &plaintext)
        }
        guard case .outOfOrder(file: "00000004.age", reason: _)? = order.error else {
            Issue.record("\(String(describing: order.error))")
            return
        }
    }

    private static func setCount(_ count: Int, in plaintext: inout Bytes) {
        for index in 0..<4 {
            plaintext[SegmentHead.count - 4 + index] = UInt8(truncatingIfNeeded: count >> (24 - 8 * index))
        }
    }

    /// The fourth segment with another plaintext, signed and encrypted by somebody.
    private static func resealed(
        _ made: (stage: JournalStage, entries: [JournalEntry]), _ keys: JournalWritingKeys,
        _ change: (inout Bytes, Range<Int>) -> Void
    ) throws -> (entries: [JournalEntry], error: JournalError?) {
        let name = "00000004.age"
        var files = made.stage.files.files.filter { $0.key <= name }
        let reading = made.stage.keys.reading
        let file = try #require(files[name])
        let opened = try OpenedSegment(opening: try Age.decrypt(file, with: reading.identities), name, with: reading)
        var plaintext = Bytes(opened.plaintext.dropLast(JournalSignature.count))
        change(&plaintext, opened.entries)
        let tail = JournalSignature.make(SHA256.hash(plaintext), SegmentHead.context, keys)
        files[name] = try AgeFile.seal([plaintext, tail], for: keys)
        return JournalStage.read(MemoryJournalFiles(files), made.stage.keys)
    }

    // MARK: Salvage

    @Test func `who salvages reads on behind what is damaged, and is told of it`() async throws {
        let made = try await JournalStage.made(2_000)
        var files = made.stage.files.files
        files["00000004.age"]?[3_000] ^= 1
        files["00000007.age"] = nil
        files["00000009.age"] = files["00000002.age"]
        let reader = try JournalReader(
            MemoryJournalFiles(files), with: made.stage.keys.reading, expecting: made.stage.recording, mode: .salvage)
        var read: [JournalEntry] = []
        while let entry = try reader.next() { read.append(entry) }
        #expect(read.last?.content == .ended(.stopped))
        #expect(read.count < made.entries.count && read.count > made.entries.count / 2)
        let named = reader.faults.filter { fault in if case .outOfOrder = fault { false } else { true } }
        #expect(named.count == 3 && named.contains(.missing(number: 7)))
        #expect(named.contains(.replayed(file: "00000009.age", number: 2)))
        // Whose consent was lost with a segment is not heard any more.
        var order = JournalOrder()
        for entry in read { try order.take(entry.content) }
    }

    @Test func `a first segment that is damaged leaves nothing`() async throws {
        let made = try await JournalStage.made()
        var files = made.stage.files.files
        files["00000001.age"]?[3_000] ^= 1
        #expect(throws: JournalError.self) {
            _ = try JournalReader(MemoryJournalFiles(files), with: made.stage.keys.reading, mode: .salvage)
        }
    }
}
