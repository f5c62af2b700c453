// Packs of which most is not needed any more: what is still needed of them is written anew, so that the rest can go.
// docs/formats/backup.md, "Order of writing".

import Base

/// Which blocks of a pack the live backups need.
struct PackUse: Sendable {
    let total: Int
    private(set) var live = 0
    private var bits: [UInt64]

    init(blocks: Int) {
        total = blocks
        bits = Array(repeating: 0, count: (blocks + 63) / 64)
    }

    mutating func mark(_ ordinal: Int) {
        let (word, bit) = (ordinal / 64, UInt64(1) << UInt64(ordinal % 64))
        guard bits[word] & bit == 0 else { return }
        bits[word] |= bit
        live += 1
    }

    func contains(_ ordinal: Int) -> Bool { bits[ordinal / 64] & UInt64(1) << UInt64(ordinal % 64) != 0 }

    /// By blocks, which are of one length but for the last of each item: what they take in the pack shows when it is read.
    var isMostlyDead: Bool { live > 0 && live * 2 < total }
}

struct Repacking {
    /// Packs that one removal reads for this: half a GiB, which takes some seconds. Higher: room is free sooner; lower: a
    /// removal is done sooner. The next one goes on.
    static let packsMax = 64

    struct Result {
        /// Packs whose needed blocks are in the new ones.
        var replaced: Set<Digest> = []
        var made: [ListedPack] = []
        var bytesWritten: UInt64 = 0
    }

    private let repository: Repository
    private var builders: [Protection: PackBuilder] = [:]
    /// Packs whose blocks are in a builder that is not written yet.
    private var waiting: [Protection: [Digest]] = [:]
    private var result = Result()

    private init(_ repository: Repository) { self.repository = repository }

    /// What is made is durable when this returns, and listed nowhere: the packs that it replaces may go once it is.
    static func run(
        _ repository: Repository, _ state: RepositoryState, _ uses: [PackUse], refresh: () async throws -> Void
    ) async throws -> Result {
        // Those first of which the least is needed: they give most for what is read.
        let candidates = uses.indices.filter { uses[$0].isMostlyDead }
            .sorted { uses[$0].live * uses[$1].total < uses[$1].live * uses[$0].total }
        var run = Repacking(repository)
        for number in candidates.prefix(packsMax) {
            try await run.take(state.packs[number], uses[number])
            try await refresh()
        }
        for protection in run.builders.keys { try await run.write(protection) }
        if !run.result.made.isEmpty { try await repository.places.flush() }
        return run.result
    }

    /// A pack that cannot be read whole, or that needs more places than there are, stays as it is.
    private mutating func take(_ pack: KnownPack, _ use: PackUse) async throws(BackupError) {
        guard pack.protection.pieces <= repository.places.places.count else { return }
        let content: PackContent
        do throws(BackupError) { content = try await repository.pack(pack.id, pack.protection) } catch {
            if error == .cancelled { throw error }
            return
        }
        guard content.entries.count == use.total else { return }
        let live = content.entries.indices.filter(use.contains)
        let stored = { (ordinals: [Int]) in ordinals.reduce(0) { $0 + content.entries[$1].storedLength } }
        guard stored(live) * 2 < stored(Array(content.entries.indices)),
            live.allSatisfy({ content.block($0, repository.configuration.blockKey) != nil })
        else { return }
        for ordinal in live {
            let entry = content.entries[ordinal]
            if builders[pack.protection].map({ !$0.hasRoom(for: entry.storedLength) }) ?? false {
                try await write(pack.protection)
            }
            _ = builders[pack.protection, default: PackBuilder()].append(
                entry.id, entry.coding, content.stored(ordinal), length: entry.length)
        }
        waiting[pack.protection, default: []].append(pack.id)
    }

    /// Of a pack whose blocks are in two new ones the first is written before it counts as replaced: it waits for the second.
    private mutating func write(_ protection: Protection) async throws(BackupError) {
        guard let pack = builders.removeValue(forKey: protection), !pack.isEmpty else { return }
        let object = try SealedObject.seal(pack.parts, for: repository.keys)
        let id = Digest.sha256(object)
        let report = try await repository.places.putPack(object, id, protection)
        result.bytesWritten += report.written.values.reduce(0) { $0 + UInt64($1) }
        result.made.append(
            ListedPack(id: id, length: object.count, protection: protection, blocks: pack.entries.map(\.id)))
        result.replaced.formUnion(waiting.removeValue(forKey: protection) ?? [])
    }
}
