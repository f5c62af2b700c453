// Back from a repository into a folder: docs/formats/backup.md, "Reading".

package import Base
import Glibc

package struct RestoreOptions: Sendable {
    /// Where to; its parent must be there.
    package var target: String
    /// Whether a target that holds something is exchanged for what is restored.
    package var overwrites = false
    /// Whether a target that holds something gets what it lacks. What is there stays: a database, too, for rows of two days
    /// do not make one (docs/operate/backup.md).
    package var merges = false
    /// Items, or folders with all below them; empty for everything.
    package var selection: [ItemPath] = []
    package var known: RepositoryWitness?

    package init(target: String) { self.target = target }
}

package struct RestoreReport: Sendable, Equatable {
    package var items: UInt64 = 0
    package var bytes: UInt64 = 0
    /// Items of the backup that were there already, and stayed as they were: of a merge.
    package var kept: UInt64 = 0
}

package enum Restorer {
    /// Returns when the target is there and durable; whatever is thrown, it is as it was.
    package static func restore(
        _ backup: UUID, of repository: Repository, _ options: RestoreOptions, meter: BackupMeter
    ) async throws(BackupError) -> RestoreReport {
        try await BackupThreads.run { () async throws in
            let state = try await repository.state()
            try state.check(against: options.known)
            guard let found = state.backup(backup) else { throw BackupError.notFound("backup \(backup)") }
            guard !(options.merges && options.overwrites) else {
                throw BackupError.refused("a target is either overwritten or merged with")
            }
            let staging = try Staging(options.target, overwrites: options.overwrites, merges: options.merges)
            let existing = options.merges ? ExistingItems(staging.target) : nil
            let run = RestoreRun(found.manifest, BlockReader(repository, state), options.selection, existing, meter)
            var report = try await run.survey()
            meter.enter(.working)
            do {
                try staging.begin()
                try await run.write(below: staging.path)
                meter.enter(.finishing)
                if options.merges {
                    let late = try staging.merge().kept
                    report.items -= min(report.items, late)
                    report.kept += late
                } else {
                    try staging.switchOver()
                }
            } catch {
                staging.abandon()
                throw error
            }
            meter.enter(.finished)
            return report
        }
    }

    /// Removes a folder that was restored to, with all that is in it. For who made it for a look only.
    package static func discard(_ target: String) throws(BackupError) { try Files.removeTree(target) }
}

private struct RestoreRun: Sendable {
    private static let batchBlocks = 32

    /// A block and where it goes.
    private struct Piece: Sendable {
        let file: RestoredFile
        let offset: Int64
        let id: Digest
        let count: Int
    }

    private let manifest: BackupManifest
    private let blocks: BlockReader
    private let selection: [ItemPath]
    private let existing: ExistingItems?
    private let meter: BackupMeter

    init(
        _ manifest: BackupManifest, _ blocks: BlockReader, _ selection: [ItemPath], _ existing: ExistingItems?,
        _ meter: BackupMeter
    ) {
        self.manifest = manifest
        self.blocks = blocks
        self.selection = selection
        self.existing = existing
        self.meter = meter
    }

    private func isWanted(_ path: ItemPath) -> Bool {
        selection.isEmpty || selection.contains { path.isWithin($0) }
    }

    /// Reads the whole catalogue before anything is written, and looks for every block that will be needed.
    func survey() async throws(BackupError) -> RestoreReport {
        var report = RestoreReport()
        var reader = CatalogueReader(manifest, blocks)
        while let entry = try await reader.next() {
            guard isWanted(entry.path) else { continue }
            if try existing?.contains(entry.path, entry.kind) ?? false {
                if !entry.continues { report.kept += 1 }
                continue
            }
            for id in entry.blocks where !blocks.contains(id) { throw .missingBlock(item: entry.path.description) }
            guard !entry.continues else { continue }
            report.items += 1
            report.bytes += entry.length
        }
        if let path = selection.first, report.items == 0, report.kept == 0 {
            throw .notFound("\(path) in backup \(manifest.id)")
        }
        meter.expect(report.bytes)
        return report
    }

    func write(below folder: String) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            var reader = CatalogueReader(manifest, blocks)
            var batch: [Piece] = []
            var running = 0
            var file: RestoredFile?
            var isSkipped = false
            while let entry = try await reader.next() {
                guard isWanted(entry.path) else { continue }
                // Decided once for an item: it may come to be there while its entries are read.
                if entry.part == 0 { isSkipped = try existing?.contains(entry.path, entry.kind) ?? false }
                if isSkipped { continue }
                if entry.part == 0 { file = try make(entry, below: folder) }
                for piece in pieces(of: entry, file) {
                    batch.append(piece)
                    guard batch.count == Self.batchBlocks else { continue }
                    if running == BackupThreads.count { try await group.next() } else { running += 1 }
                    group.addTask { [batch] in try await write(batch) }
                    batch = []
                }
                if !entry.continues { meter.count(items: 1) }
            }
            try await write(batch)
            try await group.waitForAll()
        }
    }

    private func pieces(of entry: CatalogueEntry, _ file: RestoredFile?) -> [Piece] {
        guard let file else { return [] }
        let start = UInt64(entry.part) * UInt64(BackupLimits.blocksPerEntry) * UInt64(BackupLimits.block)
        return entry.blocks.enumerated().map { ordinal, id in
            let offset = start + UInt64(ordinal) * UInt64(BackupLimits.block)
            return Piece(
                file: file, offset: Int64(offset), id: id,
                count: Int(min(UInt64(BackupLimits.block), entry.length - offset)))
        }
    }

    private func write(_ batch: [Piece]) async throws(BackupError) {
        for piece in batch {
            if Task.isCancelled { throw .cancelled }
            let block = try await blocks.block(piece.id, of: piece.file.path)
            guard block.count == piece.count else {
                throw .malformed("a block of \(piece.file.path) has another length than its item needs")
            }
            try piece.file.write(block, at: piece.offset)
            meter.count(bytes: block.count)
        }
    }

    /// The folder, or the file that is going to be written. Paths were checked when they were read: none leads out.
    private func make(_ entry: CatalogueEntry, below folder: String) throws(BackupError) -> RestoredFile? {
        var parent = folder
        for name in entry.path.names.dropLast() {
            parent += "/\(name)"
            try Files.makeFolder(parent)
        }
        let path = "\(folder)/\(entry.path)"
        guard entry.kind == .file else {
            try Files.makeFolder(path)
            return nil
        }
        return RestoredFile(path, try Files.create(path, mode: mode_t(entry.mode & 0o700 | 0o600)), entry.changed)
    }
}

/// A file that is being written; it gets its time when nobody writes to it any more.
private final class RestoredFile: Sendable {
    let path: String
    private let file: OpenFile
    private let changed: Timestamp

    init(_ path: String, _ file: OpenFile, _ changed: Timestamp) {
        self.path = path
        self.file = file
        self.changed = changed
    }

    deinit {
        let time = timespec(
            tv_sec: Int(changed.secondsSinceEpoch), tv_nsec: Int(changed.microsecondsSinceEpoch % 1_000_000) * 1_000)
        _ = futimens(file.descriptor, [time, time])
    }

    func write(_ block: Bytes, at offset: Int64) throws(BackupError) { try file.write(block, at: offset, path) }
}
