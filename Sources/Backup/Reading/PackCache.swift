// Packs that were read last. Blocks of an item lie in a pack or two behind each other, and two workers read near each
// other: each pack is read once, and whoever comes second waits for the first.

import Base

actor PackCache {
    /// At once: what two workers read, and the catalogue's. Each is as large as a pack, and those that are being read or
    /// that a worker still uses come on top.
    private static let packsMax = 3

    private let repository: Repository
    private let packs: [KnownPack]
    private var reads: [Int: Task<PackContent, any Error>] = [:]
    /// The one that was used longest ago first.
    private var order: [Int] = []

    init(_ repository: Repository, _ packs: [KnownPack]) {
        self.repository = repository
        self.packs = packs
    }

    func pack(_ number: Int) async throws(BackupError) -> PackContent {
        let read = reads[number] ?? start(number)
        order.removeAll { $0 == number }
        order.append(number)
        while order.count > Self.packsMax { reads[order.removeFirst()] = nil }
        return try await typed { try await read.value }
    }

    private func start(_ number: Int) -> Task<PackContent, any Error> {
        let (repository, pack) = (repository, packs[number])
        let read = Task(executorPreference: BackupThreads.shared) {
            try await repository.pack(pack.id, pack.protection)
        }
        reads[number] = read
        return read
    }
}

/// Blocks by their ids, verified.
struct BlockReader: Sendable {
    private let index: BlockIndex
    private let packs: PackCache
    private let key: Secret

    init(_ repository: Repository, _ state: RepositoryState) {
        index = state.index
        packs = PackCache(repository, state.packs)
        key = repository.configuration.blockKey
    }

    func contains(_ id: Digest) -> Bool { index.find(id) != nil }

    /// `item` is for the error.
    func block(_ id: Digest, of item: @autoclosure () -> String) async throws(BackupError) -> Bytes {
        guard let place = index.find(id) else { throw .missingBlock(item: item()) }
        let pack = try await packs.pack(place.pack)
        guard place.ordinal < pack.entries.count, pack.entries[place.ordinal].id == id,
            let block = pack.block(place.ordinal, key)
        else { throw .missingBlock(item: item()) }
        return block
    }
}
