// The forms as functions from bytes to bytes, for who tries them with bytes of any kind: fuzzers.

package import Base
import Vault
import Wire

package enum BackupForms {
    package enum Form: String, CaseIterable, Sendable { case record, index, catalogue, lock, keys }

    /// What was read, written again; `nil` when the bytes are refused. Each form has one way to be written, so it is what was
    /// given.
    package static func rewritten(_ form: Form, _ bytes: Bytes) -> Bytes? {
        do throws(WireError) {
            switch form {
            case .record: return try BackupRecord(parsing: bytes).body
            case .index: return IndexForm.body(try IndexForm.packs(parsing: bytes))
            case .catalogue: return try catalogue(bytes)
            case .lock: return try RepositoryLock(parsing: bytes).body
            case .keys: return try KeyBookCopy(parsing: bytes).rewritten
            }
        } catch { return nil }
    }

    private static func catalogue(_ bytes: Bytes) throws(WireError) -> Bytes {
        var reader = ByteReader(bytes.span.bytes)
        var previous: CatalogueEntry?
        var written = Bytes()
        while !reader.isAtEnd {
            let entry = try CatalogueEntry(parsing: &reader)
            try entry.checkFollows(previous)
            entry.write(into: &written)
            previous = entry
        }
        return written
    }

    /// Lengths of the blocks of a pack that are what their ids say; `nil` when it is none.
    package static func blockLengths(ofPack plaintext: Bytes, key: Secret) -> [Int]? {
        guard let pack = try? PackContent(parsing: plaintext) else { return nil }
        return pack.entries.indices.compactMap { pack.block($0, key)?.count }
    }

    /// A share's length; `nil` when the bytes are no piece under that name.
    package static func shareLength(ofPiece bytes: Bytes, named name: String) -> Int? {
        guard case .piece(let piece)? = RepositoryFile(name) else { return nil }
        return try? Piece(parsing: bytes, as: piece).share.count
    }

    /// Every form at least once, as they are written: what fuzzers begin with.
    package static var examples: [(form: String, bytes: Bytes)] {
        let (one, two) = (Digest.sha256([1]), Digest.sha256([2]))
        let manifest = BackupManifest(
            id: UUID(high: 1, low: 2), isIncremental: true, base: 1, items: 2, bytes: 3, newBytes: 4,
            taken: Timestamp(secondsSinceEpoch: 5), protection: .single, program: "plexichat", note: "note",
            catalogueLength: 6, catalogue: [one])
        let records = [BackupRecord.Content.backup(manifest), .removal].map { content in
            BackupRecord(
                sequence: 3, made: Timestamp(secondsSinceEpoch: 7), previous: two,
                live: [RecordLink(sequence: 1, hash: one)], content: content)
        }
        let listed = ListedPack(id: one, length: 100, protection: .single, blocks: [one, two])
        let holder = LockHolder(name: "node", purpose: "backup", guardFile: "x")
        let lock = RepositoryLock(
            id: UUID(high: 1, low: 2), taken: Timestamp(secondsSinceEpoch: 8),
            refreshed: Timestamp(secondsSinceEpoch: 9),
            holder: holder)
        return records.map { ("record", $0.body) } + [
            ("index", IndexForm.body([listed])), ("lock", lock.body), ("catalogue", exampleCatalogue(one)),
            ("pack", examplePack), ("keys", exampleKeys),
        ]
    }

    private static var exampleKeys: Bytes {
        let time = Timestamp(secondsSinceEpoch: 1)
        let versions = [KeyState.destroyed, .active].enumerated().map { index, state in
            KeyVersion(
                number: UInt32(index + 1), state: state, createdAt: time, changedAt: time,
                fingerprint: "0123456789abcdef",
                wrapped: state == .destroyed ? nil : Bytes(repeating: 7, count: 65))
        }
        let key = NamedKey(name: KeyNames.backup, kind: .hybrid, createdAt: time, versions: versions)
        let root = RootRecord(revision: 3, epoch: 1, check: Bytes(repeating: 1, count: 17), base: [1, 2, 3])
        return KeyBookCopy(KeyBook(root: root, keys: [key.name: key])) { _ in Bytes(repeating: 9, count: 32) }.bytes
    }

    private static func exampleCatalogue(_ block: Digest) -> Bytes {
        var bytes = Bytes()
        for (name, kind) in [("data", ItemKind.folder), ("data/a", .file)] {
            guard let path = ItemPath(name) else { continue }
            let entry = CatalogueEntry(
                kind: kind, continues: false, mode: 0o600, changed: Timestamp(secondsSinceEpoch: 1),
                length: kind == .file ? 5 : 0, part: 0, path: path, mark: [1], blocks: kind == .file ? [block] : [])
            entry.write(into: &bytes)
        }
        return bytes
    }

    private static var examplePack: Bytes {
        let key = Secret(Bytes(repeating: 1, count: 32))
        var pack = PackBuilder()
        for block in [Bytes("hello".utf8), Bytes(repeating: 0, count: 1_000)] {
            let small = BlockCompressor().compress(block)
            _ = pack.append(.keyed(block, key), small == nil ? .plain : .zstandard, small ?? block, length: block.count)
        }
        return pack.parts.reduce([], +)
    }
}
