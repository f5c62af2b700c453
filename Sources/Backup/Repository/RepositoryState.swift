// One look at a repository's contents: its records, and which blocks lie where.

package import Base
import Wire

/// A pack that blocks are read from.
struct KnownPack: Sendable {
    let id: Digest
    let length: Int
    let protection: Protection
    /// How many blocks it holds.
    let count: Int
}

/// A backup, as it is listed.
package struct StoredBackup: Sendable, Equatable {
    package let sequence: UInt64
    package let made: Timestamp
    package let manifest: BackupManifest
}

/// What somebody remembers of a repository, so that an older state of it is noticed: docs/formats/backup.md, "rolledBack".
package struct RepositoryWitness: Sendable, Equatable {
    package let sequence: UInt64
    /// 64 hexadecimal digits.
    package let hash: String

    package init(sequence: UInt64, hash: String) {
        self.sequence = sequence
        self.hash = hash
    }
}

package struct RepositoryState: Sendable {
    var listing: Listing
    /// The newest record; `nil` in a new repository.
    private(set) var head: (record: BackupRecord, hash: Digest)?
    /// What the head vouches for, itself included, by sequence.
    private(set) var live: [(record: BackupRecord, hash: Digest)] = []
    /// Files of records that could be read, by the record's hash: wrapped anew, one may have several.
    private(set) var recordFiles: [Listing.RecordName: Digest] = [:]
    private(set) var packs: [KnownPack] = []
    private(set) var index = BlockIndex()
    /// Packs that no index lists, and that were read and found whole: to be listed by the next index.
    private(set) var adopted: [ListedPack] = []
    /// What is wrong, and does not keep the rest from being used.
    package private(set) var findings: [BackupError] = []
    private var numbers: [Digest: Int] = [:]

    package var backups: [StoredBackup] {
        live.compactMap { record, _ in
            record.manifest.map { StoredBackup(sequence: record.sequence, made: record.made, manifest: $0) }
        }
    }

    package var witness: RepositoryWitness? {
        head.map { RepositoryWitness(sequence: $0.record.sequence, hash: $0.hash.description) }
    }

    package func backup(_ id: UUID) -> StoredBackup? { backups.first { $0.manifest.id == id } }

    mutating func note(_ finding: BackupError) { findings.append(finding) }
    mutating func noteAll(_ more: [BackupError]) { findings += more }

    // MARK: Records

    /// Every record that can be read; then the newest decides.
    fileprivate mutating func readRecords(_ repository: Repository) async {
        var read: [(record: BackupRecord, hash: Digest)] = []
        for name in listing.records.keys.sorted(by: { ($0.sequence, $0.id) < ($1.sequence, $1.id) }) {
            do throws(BackupError) {
                let file = RepositoryFile.record(name.sequence, name.id)
                let (body, hash) = try await repository.signed(file, name.id, .record)
                let record: BackupRecord
                do throws(WireError) { record = try BackupRecord(parsing: body) } catch {
                    throw error.inForm(file.name)
                }
                guard record.sequence == name.sequence else {
                    throw .damaged(file: file.name, place: "every place", reason: "it is not what its name says")
                }
                recordFiles[name] = hash
                // The same record, wrapped for other keys.
                if !read.contains(where: { $0.hash == hash }) { read.append((record, hash)) }
            } catch { findings.append(error) }
        }
        judge(read)
    }

    private mutating func judge(_ read: [(record: BackupRecord, hash: Digest)]) {
        guard let newest = read.last else { return }
        if read.dropLast().last?.record.sequence == newest.record.sequence {
            findings.append(.forked(sequence: newest.record.sequence))
        }
        head = newest
        let vouched = newest.record.live
        for link in vouched {
            if let found = read.first(where: { $0.record.sequence == link.sequence && $0.hash == link.hash }) {
                live.append(found)
            } else {
                findings.append(.missingRecord(sequence: link.sequence))
            }
        }
        for (record, hash) in read where hash != newest.hash {
            if record.sequence == newest.record.sequence - 1, hash != newest.record.previous {
                findings.append(.forked(sequence: newest.record.sequence))
            } else if !vouched.contains(RecordLink(sequence: record.sequence, hash: hash)), record.manifest != nil {
                findings.append(.replayed(sequence: record.sequence))
            }
        }
        if newest.record.manifest != nil { live.append(newest) }
    }

    /// Throws when the repository is older than it was, or has another past.
    package func check(against known: RepositoryWitness?) throws(BackupError) {
        guard let known else { return }
        let newest = witness ?? RepositoryWitness(sequence: 0, hash: "")
        guard newest.sequence >= known.sequence else {
            throw .rolledBack(known: known.sequence, newest: newest.sequence)
        }
        guard newest.sequence > known.sequence || newest.hash == known.hash else {
            throw .forked(sequence: known.sequence)
        }
    }

    // MARK: Blocks

    fileprivate mutating func readIndexes(_ repository: Repository) async throws(BackupError) {
        for id in listing.indexes.keys.sorted() {
            let file = RepositoryFile.index(id)
            let listed: [ListedPack]
            do throws(BackupError) {
                let (body, _) = try await repository.signed(file, id, .index)
                do throws(WireError) { listed = try IndexForm.packs(parsing: body) } catch {
                    throw error.inForm(file.name)
                }
            } catch {
                // It is not needed: its packs are read instead.
                findings.append(error)
                continue
            }
            for pack in listed { try add(pack) }
        }
    }

    /// Believes what an index or a pack itself says, if enough pieces of the pack are there.
    mutating func add(_ pack: ListedPack) throws(BackupError) {
        guard numbers[pack.id] == nil else { return }
        guard let presence = listing.packs[pack.id], presence.isEnough(for: pack.protection) else { return }
        let number = packs.count
        numbers[pack.id] = number
        packs.append(
            KnownPack(id: pack.id, length: pack.length, protection: pack.protection, count: pack.blocks.count))
        for (ordinal, block) in pack.blocks.enumerated() {
            try index.insert(block, at: BlockPlace(pack: number, ordinal: ordinal))
        }
    }

    var unlistedPacks: [Digest] { listing.packs.keys.filter { numbers[$0] == nil }.sorted() }

    /// Reads every pack that no index lists, to its last byte, and believes those that are whole.
    fileprivate mutating func adopt(_ repository: Repository) async throws(BackupError) {
        for id in unlistedPacks {
            guard let presence = listing.packs[id] else { continue }
            let protection = presence.protection ?? Protection.copies(max(1, presence.count)) ?? .single
            guard presence.isEnough(for: protection) else { continue }
            do throws(BackupError) {
                let object = try await repository.places.pack(id, protection)
                let content = try repository.packContent(object, id)
                for ordinal in content.entries.indices {
                    guard content.block(ordinal, repository.configuration.blockKey) != nil else {
                        throw .malformed("\(RepositoryFile.pack(id).name) holds a block that is not what its id says")
                    }
                }
                let listed = ListedPack(
                    id: id, length: object.count, protection: protection, blocks: content.entries.map(\.id))
                try add(listed)
                adopted.append(listed)
            } catch {
                if case .refused = error { throw error }
                findings.append(error)
            }
        }
    }

    fileprivate init(_ listing: Listing) {
        self.listing = listing
        findings = listing.failures
    }
}

extension Repository {
    /// What is there now. `adopting` reads packs that no index lists, too: who writes or restores wants that, who lists
    /// backups does not.
    package func state(adopting: Bool = true) async throws(BackupError) -> RepositoryState {
        var state = RepositoryState(try await Listing(places))
        await state.readRecords(self)
        guard adopting else { return state }
        try await state.readIndexes(self)
        try await state.adopt(self)
        return state
    }
}
