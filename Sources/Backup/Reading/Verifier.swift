// Whether a repository would restore: docs/formats/backup.md, "Reading".

package import Base
import Synchronization

package struct VerificationReport: Sendable {
    package enum Depth: String, Sendable { case structure, everyByte }

    package struct Shards: Sendable, Equatable {
        package let place: String
        package var good = 0
        package var bad = 0
    }

    package let depth: Depth
    package var backups = 0
    package var items: UInt64 = 0
    package var packs = 0
    package var bytes: UInt64 = 0
    /// Pieces that were read and found good or bad, for each place; only for `everyByte`.
    package var shards: [Shards]
    /// What would keep something from being restored.
    package var failures: [BackupError] = []
    /// What is wrong, and for which there is something else.
    package var warnings: [BackupError] = []

    package var isRestorable: Bool { failures.isEmpty }
}

package enum Verifier {
    /// One backup, or all of them. Throws only when the repository cannot be looked at.
    package static func verify(
        _ repository: Repository, backup: UUID? = nil, _ depth: VerificationReport.Depth,
        known: RepositoryWitness? = nil, meter: BackupMeter
    ) async throws(BackupError) -> VerificationReport {
        try await BackupThreads.run { () async throws in
            let state = try await repository.state()
            var run = VerificationRun(repository, state, depth, meter)
            do throws(BackupError) { try state.check(against: known) } catch { run.report.failures.append(error) }
            let backups = backup.map { id in state.backups.filter { $0.manifest.id == id } } ?? state.backups
            if let backup, backups.isEmpty { throw BackupError.notFound("backup \(backup)") }
            meter.enter(.working)
            try await run.catalogues(backups)
            try await run.packs()
            run.note(state.findings)
            meter.enter(.finished)
            return run.report
        }
    }
}

private struct VerificationRun {
    /// Of each list in a report: a repository whose disk burnt has a million things to say.
    private static let findingsMax = 1_000

    private let repository: Repository
    private let state: RepositoryState
    private let blocks: BlockReader
    private let meter: BackupMeter
    /// Packs that the backups need.
    private var needed: [Bool]
    var report: VerificationReport

    init(
        _ repository: Repository, _ state: RepositoryState, _ depth: VerificationReport.Depth, _ meter: BackupMeter
    ) {
        self.repository = repository
        self.state = state
        self.meter = meter
        blocks = BlockReader(repository, state)
        needed = Array(repeating: false, count: state.packs.count)
        report = VerificationReport(
            depth: depth, shards: repository.places.places.map { .init(place: $0.name) })
    }

    private mutating func fail(_ error: BackupError) {
        if report.failures.count < Self.findingsMax { report.failures.append(error) }
    }

    private mutating func warn(_ error: BackupError) {
        if report.warnings.count < Self.findingsMax { report.warnings.append(error) }
    }

    /// A record that is missing is a backup that is missing; what else was found has a substitute.
    mutating func note(_ findings: [BackupError]) {
        for finding in findings {
            switch finding {
            case .missingRecord, .forked: fail(finding)
            // Newer than all that can be read: it may have been a backup. What power loss tore before it was acknowledged
            // looks the same, until the next backup takes its number.
            case .lost(let object, _, _, _) where isNewest(object): fail(finding)
            default: warn(finding)
            }
        }
        for stranger in state.listing.strangers { warn(.malformed("\(stranger) is no file of a repository")) }
        noteKeys()
    }

    /// A place without them is of no use to who has the root key alone.
    private mutating func noteKeys() {
        guard let copy = repository.keys.kept?.copy else { return }
        let (there, places) = (state.listing.keyCopies[copy.id] ?? 0, repository.places.places.count)
        guard there < places else { return }
        warn(.unavailable("a copy of the keys lies in \(there) of \(places) places; the next backup puts it into all"))
    }

    private func isNewest(_ object: String) -> Bool {
        guard case .record(let sequence, _)? = RepositoryFile(object) else { return false }
        return sequence > state.head?.record.sequence ?? 0
    }

    // MARK: Catalogues

    mutating func catalogues(_ backups: [StoredBackup]) async throws {
        for backup in backups {
            report.backups += 1
            for id in backup.manifest.catalogue { need(id, "the catalogue of backup \(backup.manifest.id)") }
            var reader = CatalogueReader(backup.manifest, blocks)
            var (items, bytes): (UInt64, UInt64) = (0, 0)
            do throws(BackupError) {
                while let entry = try await reader.next() {
                    for id in entry.blocks { need(id, entry.path.description) }
                    if !entry.continues {
                        items += 1
                        bytes += entry.length
                    }
                    if Task.isCancelled { throw .cancelled }
                }
                if items != backup.manifest.items || bytes != backup.manifest.bytes {
                    fail(.malformed("backup \(backup.manifest.id) has other items than its record counts"))
                }
            } catch {
                if error == .cancelled { throw error }
                fail(error)
            }
            report.items += items
            meter.count(items: items)
        }
        var expected: UInt64 = 0
        for (number, pack) in state.packs.enumerated() where needed[number] { expected += UInt64(pack.length) }
        meter.expect(report.depth == .everyByte ? expected : 0)
    }

    private mutating func need(_ id: Digest, _ item: @autoclosure () -> String) {
        guard let place = state.index.find(id) else { return fail(.missingBlock(item: item())) }
        needed[place.pack] = true
    }

    // MARK: Packs

    mutating func packs() async throws {
        for (number, pack) in state.packs.enumerated() where needed[number] {
            report.packs += 1
            presence(pack)
            if report.depth == .everyByte { try await read(pack) }
            meter.count(bytes: pack.length)
            if Task.isCancelled { throw BackupError.cancelled }
        }
    }

    /// All its pieces are there, with the length that they must have.
    private mutating func presence(_ pack: KnownPack) {
        guard let presence = state.listing.packs[pack.id] else { return }
        let file = RepositoryFile.pack(pack.id).name
        let length = PackPresence.fileLength(pack.length, pack.protection)
        if presence.shortest != length || presence.longest != length {
            warn(.damaged(file: file, place: "a place", reason: "a piece of it has another length than it had"))
        }
        if presence.count < pack.protection.pieces {
            warn(
                .damaged(
                    file: file, place: "the places",
                    reason: "\(presence.count) of \(pack.protection.pieces) pieces are there"))
        }
    }

    /// Every piece, and what they make together.
    private mutating func read(_ pack: KnownPack) async throws {
        let results = await repository.places.examine(pack.id, pack.protection)
        for (place, problem) in results {
            if let problem {
                report.shards[place].bad += 1
                warn(problem)
            } else {
                report.shards[place].good += 1
            }
        }
        do throws(BackupError) {
            let content = try await repository.pack(pack.id, pack.protection)
            for ordinal in content.entries.indices {
                guard content.block(ordinal, repository.configuration.blockKey) != nil else {
                    throw .malformed("block \(ordinal) of \(RepositoryFile.pack(pack.id).name) is not what its id says")
                }
            }
        } catch { fail(error) }
        report.bytes += UInt64(pack.length)
    }
}

extension PlaceSet {
    /// What each place has of a pack, and what is wrong with it. Places that have nothing are left out.
    func examine(_ id: Digest, _ protection: Protection) async -> [(place: Int, problem: BackupError?)] {
        var results: [(Int, BackupError?)] = []
        for (number, place) in places.enumerated() {
            if protection.isReplicated {
                if let result = await examine(.pack(id), place, { Digest.sha256($0) == id ? nil : Self.misnamed }) {
                    results.append((number, result.problem))
                }
                continue
            }
            for index in 0..<protection.pieces {
                let name = RepositoryFile.PieceName(object: id, index: index, protection: protection)
                let result = await examine(.piece(name), place) { bytes in
                    do {
                        _ = try Piece(parsing: bytes, as: name)
                        return nil
                    } catch { return (error as? PieceDamage)?.reason ?? "\(error)" }
                }
                if let result { results.append((number, result.problem)) }
            }
        }
        return results
    }

    private static let misnamed = "it is not what its name says"

    private struct Examined { let problem: BackupError? }

    private func examine(
        _ file: RepositoryFile, _ place: any Place, _ judge: (Bytes) -> String?
    ) async -> Examined? {
        do throws(BackupError) {
            guard let bytes = try await place.get(file.name) else { return nil }
            return Examined(
                problem: judge(bytes).map { .damaged(file: file.name, place: place.name, reason: $0) })
        } catch { return Examined(problem: error) }
    }
}
