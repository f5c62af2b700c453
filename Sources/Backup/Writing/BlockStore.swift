// Blocks on their way in: which of them are new, and into which pack they go. Used by both workers at once.

import Base
import Synchronization

final class BlockStore: Sendable {
    private struct State {
        var index: BlockIndex
        var pack = PackBuilder()
        /// Packs that were written and are in no index yet.
        var unlisted: [ListedPack]
        var limit: BandwidthLimit?
        var compressors: [BlockCompressor] = []
    }

    private let repository: Repository
    private let protection: Protection
    private let meter: BackupMeter
    private let state: Mutex<State>
    /// Blocks of this backup lie in packs that have no number yet, and are not read while it is written.
    private let unread = BlockPlace(pack: BackupLimits.filesPerPlace, ordinal: 0)

    init(
        _ repository: Repository, _ known: RepositoryState, _ protection: Protection, bytesPerSecond: Int?,
        _ meter: BackupMeter
    ) {
        self.repository = repository
        self.protection = protection
        self.meter = meter
        state = Mutex(
            State(
                index: known.index, unlisted: known.adopted,
                limit: bytesPerSecond.map { BandwidthLimit(bytesPerSecond: $0) }))
    }

    func contains(_ id: Digest) -> Bool { state.withLock { $0.index.find(id) != nil } }

    /// The block's id. When this returns the block is in a pack, though not yet in a place.
    func store(_ block: Bytes) async throws(BackupError) -> Digest {
        let id = Digest.keyed(block, repository.configuration.blockKey)
        if contains(id) { return id }
        let compressor = state.withLock { $0.compressors.popLast() } ?? BlockCompressor()
        let compressed = compressor.compress(block)
        let full = try state.withLock { state throws(BackupError) -> PackBuilder? in
            state.compressors.append(compressor)
            // The other worker may have had the same one.
            guard state.index.find(id) == nil else { return nil }
            let stored = compressed ?? block
            let full = state.pack.hasRoom(for: stored.count) ? nil : Self.take(&state)
            _ = state.pack.append(id, compressed == nil ? .plain : .zstandard, stored, length: block.count)
            try state.index.insert(id, at: unread)
            return full
        }
        if let full { try await write(consume full) }
        return id
    }

    private static func take(_ state: inout State) -> PackBuilder {
        defer { state.pack = PackBuilder() }
        return state.pack
    }

    /// The plaintext goes as soon as it is encrypted: two packs may be on their way, and places are slow.
    private func write(_ pack: consuming PackBuilder) async throws(BackupError) {
        let object = try SealedObject.seal(pack.parts, for: repository.keys)
        let blocks = pack.entries.map(\.id)
        _ = consume pack
        let id = Digest.sha256(object)
        let delay = state.withLock {
            $0.limit?.delay(for: object.count * protection.pieces / protection.data, now: .now())
        }
        if let delay, delay > .zero { try await pause(delay) }
        meter.count(try await repository.places.putPack(object, id, protection))
        meter.count(stored: object.count)
        let listed = ListedPack(
            id: id, length: object.count, protection: protection, blocks: blocks)
        let ready = state.withLock { state -> [ListedPack]? in
            state.unlisted.append(listed)
            return Self.takeIndex(&state, atLeast: BackupLimits.packsPerIndex)
        }
        if let ready { try await write(ready) }
    }

    private func pause(_ delay: Duration) async throws(BackupError) {
        do { try await Task.sleep(for: delay) } catch { throw .cancelled }
    }

    private static func takeIndex(_ state: inout State, atLeast count: Int) -> [ListedPack]? {
        guard state.unlisted.count >= count, !state.unlisted.isEmpty else { return nil }
        let ready = Array(state.unlisted.prefix(BackupLimits.packsPerIndex))
        state.unlisted.removeFirst(ready.count)
        return ready
    }

    /// Only what is durable is listed: an index is believed.
    private func write(_ packs: [ListedPack]) async throws(BackupError) {
        try await repository.places.flush()
        let object = SignedObject(.index, of: repository.id, body: IndexForm.body(packs))
        _ = try await repository.putSigned(object) { .index($0) }
    }

    /// The last pack and the last indexes; all of it is durable when this returns.
    func finish() async throws(BackupError) {
        let last = state.withLock { Self.take(&$0) }
        if !last.isEmpty { try await write(last) }
        while let ready = state.withLock({ Self.takeIndex(&$0, atLeast: 1) }) { try await write(ready) }
        try await repository.places.flush()
    }
}
