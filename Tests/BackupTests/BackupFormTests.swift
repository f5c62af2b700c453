import Base
import Crypto
import TestKit
import Testing
import Wire

@testable import Backup

@Suite struct BackupFormTests {
    private static func digest(_ number: UInt8) -> Digest { .sha256([number]) }

    @Test func `names of files are read as they are written, and in no other spelling`() throws {
        let id = Self.digest(1)
        let protection = try #require(Protection(data: 4, parity: 2))
        let files: [RepositoryFile] = [
            .configuration(id), .record(258, id), .index(id), .pack(id), .lock(.random()),
            .piece(.init(object: id, index: 5, protection: protection)),
        ]
        for file in files { #expect(RepositoryFile(file.name) == file) }
        #expect(files[1].name == "records/0000000000000102-\(id)")
        #expect(files[5].name == "packs/\(id.description.prefix(2))/\(id).5-4-2")
        let hex = id.description
        for bad in [
            "", "/", "config/", "config/\(hex.uppercased())", "config/\(hex)0", "packs/00/../\(hex)", "packs/zz/\(hex)",
            "packs/\(hex.prefix(2))/\(hex).05-4-2", "packs/\(hex.prefix(2))/\(hex).6-4-2",
            "packs/\(hex.prefix(2))/\(hex).0-1-2", "packs/\(hex.prefix(2))/\(hex).0-4-2-1", "records/102-\(hex)",
            "records/+000000000000102-\(hex)", "other/\(hex)", "packs/\(hex.prefix(2))/\(hex).",
        ] { #expect(RepositoryFile(bad) == nil, "\(bad)") }
    }

    @Test func `a path that leads elsewhere cannot be made`() {
        for good in ["a", "data/plexichat.db", "ä/ö", "a/...", "a/.b"] { #expect(ItemPath(good)?.description == good) }
        for bad in [
            "", "/", "/etc/passwd", "a/", "a//b", "..", "a/..", "../a", "a/../b", ".", "a/./b", "a\0b",
            String(repeating: "a", count: 256), String(repeating: "a/", count: 32) + "a",
            (0..<5).map { _ in String(repeating: "a", count: 250) }.joined(separator: "/"),
        ] { #expect(ItemPath(bad) == nil, "\(bad.prefix(20))") }
    }

    @Test func `paths ascend as a walk through sorted folders gives them`() throws {
        let walk = ["a", "a/b", "a/b/c", "a/c", "a-", "a-/x", "a.b", "b"]
        let paths = try walk.map { try #require(ItemPath($0)) }
        #expect(paths.shuffled().sorted() == paths)
        #expect(paths[1].isWithin(paths[0]) && paths[0].isWithin(paths[0]) && !paths[4].isWithin(paths[0]))
    }

    @Test func `padding is Padmé's`() {
        for (count, padded) in [(0, 0), (1, 1), (8, 8), (9, 10), (100, 104), (1_000, 1_024), (1_048_577, 1_081_344)] {
            #expect(Padding.length(of: count) == padded)
        }
        for count in stride(from: 2, to: 9 << 20, by: 997) {
            let padded = Padding.length(of: count)
            #expect(
                padded >= count && Double(padded) <= 1.12 * Double(count) + 1 && Padding.length(of: padded) == padded)
        }
    }

    @Test func `an index and a record are read as they were written`() throws {
        let packs = [
            ListedPack(
                id: Self.digest(1), length: 1_000, protection: .single, blocks: [Self.digest(2), Self.digest(3)])
        ]
        #expect(try IndexForm.packs(parsing: IndexForm.body(packs)) == packs)
        let manifest = BackupManifest(
            id: .random(), isIncremental: true, base: 3, items: 4, bytes: 5, newBytes: 6,
            taken: Timestamp(secondsSinceEpoch: 7), protection: .single, program: "plexichat 1",
            note: "vor dem Umzug ü",
            catalogueLength: 262_145, catalogue: [Self.digest(4), Self.digest(5)])
        for content in [BackupRecord.Content.backup(manifest), .removal] {
            let record = BackupRecord(
                sequence: 9, made: Timestamp(secondsSinceEpoch: 8), previous: Self.digest(6),
                live: [RecordLink(sequence: 3, hash: Self.digest(7)), RecordLink(sequence: 8, hash: Self.digest(8))],
                content: content)
            #expect(try BackupRecord(parsing: record.body) == record)
            for count in record.body.indices {
                #expect(throws: WireError.self) { try BackupRecord(parsing: Bytes(record.body.prefix(count))) }
            }
        }
    }

    @Test func `a catalogue whose paths do not ascend, or lie below a file, is refused`() throws {
        func entry(_ path: String, _ kind: ItemKind = .file, part: UInt32 = 0) throws -> CatalogueEntry {
            CatalogueEntry(
                kind: kind, continues: false, mode: 0, changed: Timestamp(secondsSinceEpoch: 0), length: 0, part: part,
                path: try #require(ItemPath(path)), mark: [], blocks: [])
        }
        try entry("b").checkFollows(entry("a"))
        try entry("a/b").checkFollows(entry("a", .folder))
        #expect(throws: WireError.self) { try entry("a").checkFollows(entry("a")) }
        #expect(throws: WireError.self) { try entry("a").checkFollows(entry("b")) }
        #expect(throws: WireError.self) { try entry("a/b").checkFollows(entry("a")) }
        #expect(throws: WireError.self) { try entry("a", part: 1).checkFollows(nil) }
    }

    @Test func `an entry whose blocks are not as many as its length needs is refused`() throws {
        var entry = CatalogueEntry(
            kind: .file, continues: false, mode: 0o600, changed: Timestamp(secondsSinceEpoch: 1), length: 262_145,
            part: 0, path: try #require(ItemPath("a")), mark: [1, 2], blocks: [Self.digest(1), Self.digest(2)])
        func read(_ entry: CatalogueEntry) throws -> CatalogueEntry {
            var bytes = Bytes()
            entry.write(into: &bytes)
            var reader = ByteReader(bytes.span.bytes)
            return try CatalogueEntry(parsing: &reader)
        }
        #expect(try read(entry) == entry)
        for length in [UInt64(0), 262_144, 524_289, .max] {
            entry.length = length
            #expect(throws: WireError.self) { try read(entry) }
        }
    }

    @Test func `a pack gives back its blocks, and none that was changed`() throws {
        let key = Secret(Bytes(repeating: 7, count: 32))
        let compressor = BlockCompressor()
        let blocks = [
            Bytes(repeating: 5, count: 262_144), Bytes((0..<1_000).map { UInt8(truncatingIfNeeded: $0 * $0) }),
        ]
        var pack = PackBuilder()
        for block in blocks {
            let small = compressor.compress(block)
            _ = pack.append(.keyed(block, key), small == nil ? .plain : .zstandard, small ?? block, length: block.count)
        }
        let plaintext = pack.parts.flatMap { $0 }
        #expect(plaintext.count == Padding.length(of: plaintext.count))
        let content = try PackContent(parsing: plaintext)
        #expect(blocks.indices.map { content.block($0, key) } == blocks)
        #expect(content.block(0, Secret([1])) == nil)
        var refused = 0
        for index in plaintext.indices {
            var changed = plaintext
            changed[index] ^= 1
            guard let content = try? PackContent(parsing: changed) else {
                refused += 1
                continue
            }
            // What still is a pack has no block that is not what its id says.
            for (ordinal, entry) in content.entries.enumerated() {
                if let block = content.block(ordinal, key) { #expect(Digest.keyed(block, key) == entry.id) }
            }
        }
        #expect(refused > 0)
    }

    @Test func `a frame that grows beyond what its table says is not decoded`() throws {
        let bomb = try #require(BlockCompressor().compress(Bytes(repeating: 0, count: 262_144)))
        #expect(bomb.count < 100)
        bomb.withUnsafeBytes { frame in
            #expect(BlockDecoder.decompress(frame, count: 1_000) == nil)
            #expect(BlockDecoder.decompress(frame, count: 262_144)?.count == 262_144)
        }
    }

    @Test func `the bandwidth limit spreads what is sent over time`() {
        var limit = BandwidthLimit(bytesPerSecond: 1_000)
        let now = Instant(nanoseconds: 5_000_000_000)
        #expect(limit.delay(for: 2_000, now: now) == .zero)
        #expect(limit.delay(for: 500, now: now) == .seconds(2))
        #expect(limit.delay(for: 500, now: now + .seconds(1)) == .milliseconds(1_500))
        #expect(limit.delay(for: 500, now: now + .seconds(60)) == .zero)
    }

    @Test func `the block index finds what was put in, however much it grows`() throws {
        var index = BlockIndex()
        let ids = (0..<5_000).map { number in Digest.sha256([UInt8(number & 255), UInt8(number >> 8)]) }
        for (number, id) in ids.enumerated() {
            try index.insert(id, at: BlockPlace(pack: number, ordinal: number & 4_095))
            try index.insert(id, at: BlockPlace(pack: 0, ordinal: 0))
        }
        #expect(index.count == ids.count)
        #expect(ids.enumerated().allSatisfy { index.find($1) == BlockPlace(pack: $0, ordinal: $0 & 4_095) })
        #expect(index.find(.sha256([1, 2, 3])) == nil)
    }
}

@Suite struct HostileFormTests {
    @Test func `forms that were changed in any way are refused, or written as they were read`() {
        let examples = BackupForms.examples
        let key = Secret(Bytes(repeating: 1, count: 32))
        for form in BackupForms.Form.allCases {
            let corpus = examples.filter { $0.form == form.rawValue }.map(\.bytes)
            #expect(!corpus.isEmpty && corpus.allSatisfy { BackupForms.rewritten(form, $0) == $0 }, "\(form)")
            var mutator = Mutator(corpus: corpus, seed: 1)
            for _ in 0..<5_000 {
                let bytes = mutator.next()
                if let written = BackupForms.rewritten(form, bytes), written != bytes {
                    Issue.record("\(form): \(Hex.encode(bytes))")
                    return
                }
            }
        }
        let packs = examples.filter { $0.form == "pack" }.map(\.bytes)
        #expect(BackupForms.blockLengths(ofPack: packs[0], key: key) == [5, 1_000])
        var mutator = Mutator(corpus: packs, seed: 2)
        for _ in 0..<5_000 {
            let lengths = BackupForms.blockLengths(ofPack: mutator.next(), key: key) ?? []
            #expect(lengths.allSatisfy { (1...BackupLimits.block).contains($0) })
        }
    }

    @Test func `counts that promise more than is there cost nothing`() {
        var index = Bytes([0, 0, 0, 64])
        index += Bytes(repeating: 1, count: 40) + [1, 0, 0x10, 0x00]
        #expect(BackupForms.rewritten(.index, index) == nil)
        #expect(BackupForms.rewritten(.index, [0xFF, 0xFF, 0xFF, 0xFF]) == nil)
        var pack = Bytes("PXPACK01".utf8) + [0, 0, 0x10, 0]
        #expect(BackupForms.blockLengths(ofPack: pack, key: Secret([1])) == nil)
        pack = Bytes("PXPACK01".utf8) + [0xFF, 0xFF, 0xFF, 0xFF]
        #expect(BackupForms.blockLengths(ofPack: pack, key: Secret([1])) == nil)
    }
}

/// Bytes that another program made after the page.
@Suite struct BackupVectorTests {
    private static func corpus(_ path: String) throws -> Bytes {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        return try #require(BackupStage.read("/\(root)/Tests/Corpus/\(path)"))
    }

    @Test(arguments: ["record/backup", "record/removal", "index/index", "lock/lock", "catalogue/catalogue"])
    func `forms that were made after the page are read and written as they are`(_ path: String) throws {
        let form = try #require(BackupForms.Form(rawValue: String(path.prefix { $0 != "/" })))
        let bytes = try Self.corpus("backup-\(path)")
        #expect(BackupForms.rewritten(form, bytes) == bytes)
        #expect(BackupForms.examples.contains { $0.form == form.rawValue && $0.bytes == bytes })
    }

    @Test func `a pack and a piece that were made after the page are read`() throws {
        let key = Secret(Bytes(repeating: 1, count: 32))
        #expect(BackupForms.blockLengths(ofPack: try Self.corpus("backup-pack/pack"), key: key) == [5, 1_000])
        let name = "packs/0a/\(String(repeating: "0a", count: 32)).0-2-1"
        #expect(BackupForms.shareLength(ofPiece: try Self.corpus("backup-piece/piece"), named: name) == 4)
    }
}
