// Backups that are not wanted any more, and what only they needed. docs/formats/backup.md, "Order of writing".

package import Base
import Wire

package struct RemovalReport: Sendable, Equatable {
    package var backups = 0
    package var packs = 0
    /// Of the removed packs' objects, each counted once.
    package var bytes: UInt64 = 0
    /// Packs of these whose needed blocks were written anew, and what that took in all places.
    package var rewritten = 0
    package var bytesRewritten: UInt64 = 0
}

package enum BackupRemoval {
    /// Removes the backups, and then all that no backup needs; with none, only the latter. Returns when it is durable.
    ///
    /// Throws before anything is deleted when the newest backup is among them, or when it is not certain what the others
    /// need. Killed at any point, the next removal goes on.
    package static func remove(
        _ ids: Set<UUID>, from repository: Repository, holder: LockHolder, guardFolder: String? = nil,
        known: RepositoryWitness? = nil, clock: Clock
    ) async throws(BackupError) -> (report: RemovalReport, witness: RepositoryWitness?) {
        try await BackupThreads.run { () async throws in
            let lock = try await repository.lock(holder, guardFolder: guardFolder, at: clock.now())
            do {
                let result = try await locked(ids, repository, lock, known, clock)
                await lock.release()
                return result
            } catch {
                await lock.release()
                throw error
            }
        }
    }

    private static func locked(
        _ ids: Set<UUID>, _ repository: Repository, _ lock: HeldLock, _ known: RepositoryWitness?, _ clock: Clock
    ) async throws -> (RemovalReport, RepositoryWitness?) {
        let state = try await repository.state()
        try state.check(against: known)
        for id in ids {
            guard state.backup(id) != nil else { throw BackupError.notFound("backup \(id)") }
            guard id != state.backups.last?.manifest.id else {
                throw BackupError.refused("\(id) is the newest backup; make another one before it is removed")
            }
        }
        let removed = Set(state.backups.filter { ids.contains($0.manifest.id) }.map(\.sequence))
        let kept = state.backups.filter { !removed.contains($0.sequence) }
        var run = RemovalRun(repository, state)
        try await run.mark(kept)
        var witness = state.witness
        if !removed.isEmpty {
            let written = try await repository.append(.removal, removing: removed, after: state, lock, clock)
            witness = RepositoryWitness(sequence: written.record.sequence, hash: written.hash.description)
        }
        var report = try await run.sweep(keeping: Set(kept.map(\.sequence)), witness, lock, clock)
        report.backups = removed.count
        await repository.forgetOldKeys(state.listing, underEarlierRoots: true)
        return (report, witness)
    }
}

private struct RemovalRun {
    private let repository: Repository
    private let state: RepositoryState
    private var uses: [PackUse]

    init(_ repository: Repository, _ state: RepositoryState) {
        self.repository = repository
        self.state = state
        uses = state.packs.map { PackUse(blocks: $0.count) }
    }

    /// What the backups need. A block that is not found, a record that is missing: nobody knows what else is needed.
    mutating func mark(_ backups: [StoredBackup]) async throws(BackupError) {
        for finding in state.findings {
            if case .missingRecord = finding { throw finding }
            if case .forked = finding { throw finding }
        }
        let blocks = BlockReader(repository, state)
        for backup in backups {
            for id in backup.manifest.catalogue { try mark(id, "the catalogue of backup \(backup.manifest.id)") }
            var reader = CatalogueReader(backup.manifest, blocks)
            while let entry = try await reader.next() {
                for id in entry.blocks { try mark(id, entry.path.description) }
                if Task.isCancelled { throw .cancelled }
            }
        }
    }

    private mutating func mark(_ id: Digest, _ item: @autoclosure () -> String) throws(BackupError) {
        guard let place = state.index.find(id) else { throw .missingBlock(item: item()) }
        uses[place.pack].mark(place.ordinal)
    }

    /// First what lists, then what is listed.
    func sweep(
        keeping records: Set<UInt64>, _ head: RepositoryWitness?, _ lock: HeldLock, _ clock: Clock
    ) async throws(BackupError) -> RemovalReport {
        let repacked = try await typed {
            try await Repacking.run(repository, state, uses) { try await lock.refresh(at: clock.now()) }
        }
        let kept = Set(zip(state.packs, uses).filter { $1.live > 0 }.map(\.0.id)).subtracting(repacked.replaced)
        let dead = state.listing.packs.filter { !kept.contains($0.key) }
        var report = RemovalReport()
        report.rewritten = repacked.replaced.count
        report.bytesRewritten = repacked.bytesWritten
        if !dead.isEmpty {
            try await rewriteIndexes(keeping: kept, and: repacked.made)
            try await lock.confirm(at: clock.now())
        }
        for (id, presence) in dead {
            for file in Self.files(id, presence) { try await repository.places.deleteEverywhere(file) }
            report.packs += 1
            report.bytes += UInt64(presence.longest) * UInt64(presence.protection?.data ?? 1)
            try await lock.refresh(at: clock.now())
        }
        for name in state.listing.records.keys where !isKept(name, records, head) {
            try await repository.places.deleteEverywhere(.record(name.sequence, name.id))
        }
        try await repository.places.flush()
        return report
    }

    /// The newest record, those that are live, and what may be newer than all that can be read.
    private func isKept(_ name: Listing.RecordName, _ records: Set<UInt64>, _ head: RepositoryWitness?) -> Bool {
        guard let head, name.sequence <= head.sequence else { return true }
        guard let hash = state.recordFiles[name] else { return false }
        return hash.description == head.hash
            || (records.contains(name.sequence) && state.live.contains { $0.hash == hash })
    }

    /// New indexes for the packs that stay are durable before the old ones go.
    private func rewriteIndexes(keeping kept: Set<Digest>, and made: [ListedPack]) async throws(BackupError) {
        var packs = made
        for id in state.listing.indexes.keys.sorted() {
            // One that cannot be read was noted when the state was, and its packs were adopted.
            guard let (body, _) = try? await repository.signed(.index(id), id, .index) else { continue }
            let listed: [ListedPack]
            do throws(WireError) { listed = try IndexForm.packs(parsing: body) } catch { continue }
            packs += listed.filter { kept.contains($0.id) }
            try await write(&packs, atLeast: BackupLimits.packsPerIndex)
        }
        packs += state.adopted.filter { kept.contains($0.id) }
        try await write(&packs, atLeast: 1)
        try await repository.places.flush()
        for id in state.listing.indexes.keys { try await repository.places.deleteEverywhere(.index(id)) }
        try await repository.places.flush()
    }

    private func write(_ packs: inout [ListedPack], atLeast count: Int) async throws(BackupError) {
        while packs.count >= count {
            let part = Array(packs.prefix(BackupLimits.packsPerIndex))
            packs.removeFirst(part.count)
            let object = SignedObject(.index, of: repository.id, body: IndexForm.body(part))
            _ = try await repository.putSigned(object) { .index($0) }
        }
    }

    private static func files(_ id: Digest, _ presence: PackPresence) -> [RepositoryFile] {
        guard let protection = presence.protection else { return [.pack(id)] }
        return (0..<protection.pieces).map { .piece(.init(object: id, index: $0, protection: protection)) }
    }
}
