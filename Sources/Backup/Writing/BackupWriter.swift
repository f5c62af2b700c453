// A backup: sources in, packs, indexes and at last a record out. docs/formats/backup.md, "Order of writing".
//
// One task reads the sources and puts their blocks in batches; two children at a time hash, compress and encrypt them.
// What is in memory: the batches under way, a pack being filled, and two being encrypted.

package import Base

package struct BackupOptions: Sendable {
    /// Whether items whose mark is that of the last backup are taken over unread.
    package var isIncremental = false
    package var protection = Protection.single
    /// Bytes a second, all places together; `nil` for as fast as it goes.
    package var bytesPerSecond: Int?
    /// What all items may come to; more is refused as soon as it is known.
    package var bytesMax: UInt64?
    package var note = ""
    /// Name and version of what writes.
    package var program = "plexichat"
    package var holder: LockHolder
    /// A folder for lock files of this machine: docs/formats/backup.md, "Locks".
    package var guardFolder: String?
    package var known: RepositoryWitness?
    /// The backup's id, where somebody was told it before; else one is made.
    package var id: UUID?

    package init(holder: LockHolder) { self.holder = holder }
}

package struct BackupResult: Sendable {
    package let backup: StoredBackup
    package let witness: RepositoryWitness
    /// What was found wrong on the way, and did not keep the backup from being whole.
    package let findings: [BackupError]
}

package enum BackupWriter {
    /// Returns when the backup is durable. Whatever is thrown, the repository is as it was, with packs more that the next
    /// backup takes over. Closes the sources.
    package static func write(
        _ sources: [any BackupSource], to repository: Repository, _ options: BackupOptions, clock: Clock,
        meter: BackupMeter
    ) async throws(BackupError) -> BackupResult {
        do throws(BackupError) {
            let result = try await BackupThreads.run { () async throws in
                try await locked(sources, repository, options, clock, meter)
            }
            for source in sources { await source.close() }
            return result
        } catch {
            for source in sources { await source.close() }
            throw error
        }
    }

    private static func locked(
        _ sources: [any BackupSource], _ repository: Repository, _ options: BackupOptions, _ clock: Clock,
        _ meter: BackupMeter
    ) async throws -> BackupResult {
        guard options.note.utf8.count <= BackupLimits.note else {
            throw BackupError.refused("a note has at most \(BackupLimits.note) bytes")
        }
        guard options.protection.pieces <= repository.places.places.count else {
            throw BackupError.refused(
                "\(options.protection) need \(options.protection.pieces) places, and there are "
                    + "\(repository.places.places.count); name more, or ask for less")
        }
        let lock = try await repository.lock(options.holder, guardFolder: options.guardFolder, at: clock.now())
        do {
            let state = try await repository.state()
            try state.check(against: options.known)
            try repository.refuseLostKeys()
            try await repository.keepKeys(state.listing)
            var run = BackupRun(repository, state, options, clock, meter, lock)
            let result = try await run.run(sources)
            await repository.forgetOldKeys(state.listing, underEarlierRoots: false)
            await lock.release()
            return result
        } catch {
            await lock.release()
            throw error
        }
    }
}

struct BackupRun {
    /// Bytes of a batch. Higher: less to and fro; lower: less memory, of which there are four. A MiB takes a worker some
    /// milliseconds, and to and fro some microseconds.
    private static let batchBytes = 1 << 20
    private static let batchBlocks = 256
    /// Items that wait for blocks of earlier ones; then all batches are waited for.
    private static let waitingItems = 4_096

    private typealias Slot = EntryQueue.Slot
    private typealias Workers = ThrowingTaskGroup<[(Slot, Digest)], any Error>

    private let repository: Repository
    private let state: RepositoryState
    private let options: BackupOptions
    private let clock: Clock
    private let meter: BackupMeter
    private let lock: HeldLock
    private let store: BlockStore
    private let base: StoredBackup?
    private var previous: PreviousItems?
    private var queue = EntryQueue()
    private var batch: [(Slot, Bytes)] = []
    private var batchCount = 0
    private var running = 0
    private var lastPath: ItemPath?
    private var catalogue = Bytes()
    private var catalogueBlocks: [Digest] = []
    private var catalogueLength: UInt64 = 0
    private var items: UInt64 = 0
    private var bytes: UInt64 = 0

    init(
        _ repository: Repository, _ state: RepositoryState, _ options: BackupOptions, _ clock: Clock,
        _ meter: BackupMeter, _ lock: HeldLock
    ) {
        self.repository = repository
        self.state = state
        self.options = options
        self.clock = clock
        self.meter = meter
        self.lock = lock
        store = BlockStore(repository, state, options.protection, bytesPerSecond: options.bytesPerSecond, meter)
        base = options.isIncremental ? state.backups.last : nil
        previous = base.map { PreviousItems($0.manifest, BlockReader(repository, state)) }
    }

    mutating func run(_ sources: [any BackupSource]) async throws -> BackupResult {
        let taken = clock.now()
        try await expect(sources)
        meter.enter(.working)
        try await withThrowingTaskGroup(of: [(Slot, Digest)].self) { (group) async throws in
            for source in sources {
                while let item = try await source.next() { try await take(item, &group) }
            }
            try await settle(&group)
        }
        meter.enter(.finishing)
        try await flushCatalogue(all: true)
        try await store.finish()
        return try await record(taken)
    }

    private mutating func expect(_ sources: [any BackupSource]) async throws {
        var expected: UInt64? = 0
        for source in sources {
            let more = try await source.expectedBytes()
            expected = expected.flatMap { sum in more.map { sum + $0 } }
        }
        if let expected { try refuse(expected) }
        meter.expect(expected)
    }

    private func refuse(_ bytes: UInt64) throws(BackupError) {
        guard let most = options.bytesMax, bytes > most else { return }
        throw .refused(
            "there is more to back up than the \(most) bytes that are allowed (backup.max_size); raise that, or leave "
                + "something out")
    }

    // MARK: Items

    private mutating func take(_ item: SourceItem, _ group: inout Workers) async throws {
        guard lastPath.map({ $0 < item.path }) ?? true else {
            throw BackupError.refused("\(item.path) does not come behind \(lastPath.map(String.init) ?? "")")
        }
        lastPath = item.path
        if let known = try await previous?.unchanged(item), known.blocks.allSatisfy(store.contains) {
            queue.append(item, length: known.length, blocks: known.blocks)
            try finished(known.length)
            meter.count(bytes: Int(known.length))
        } else {
            guard let read = try await item.open() else { return }
            queue.begin(item)
            let length = try await self.read(read, &group)
            queue.end()
            try finished(length)
        }
        try await drain()
        if queue.count >= Self.waitingItems { try await settle(&group) }
        try Task.checkCancellation()
    }

    private mutating func finished(_ length: UInt64) throws(BackupError) {
        items += 1
        bytes += length
        meter.count(items: 1)
        try refuse(bytes)
    }

    /// Cuts what comes into blocks. The item's length.
    private mutating func read(_ next: ItemBytes, _ group: inout Workers) async throws -> UInt64 {
        var length: UInt64 = 0
        var rest = Bytes()
        while let piece = try await next() {
            length += UInt64(piece.count)
            meter.count(bytes: piece.count)
            try refuse(bytes + length)
            if rest.isEmpty, piece.count == BackupLimits.block {
                try await add(piece, &group)
                continue
            }
            rest += piece
            while rest.count >= BackupLimits.block {
                try await add(Bytes(rest.prefix(BackupLimits.block)), &group)
                rest.removeFirst(BackupLimits.block)
            }
        }
        if !rest.isEmpty { try await add(rest, &group) }
        return length
    }

    // MARK: Batches

    private mutating func add(_ block: Bytes, _ group: inout Workers) async throws {
        batch.append((queue.expectBlock(of: block.count), block))
        batchCount += block.count
        if batchCount >= Self.batchBytes || batch.count >= Self.batchBlocks { try await dispatch(&group) }
    }

    private mutating func dispatch(_ group: inout Workers) async throws {
        guard !batch.isEmpty else { return }
        while running >= BackupThreads.count { try await collect(&group) }
        group.addTask { [store, batch] in
            var ids: [(Slot, Digest)] = []
            for (slot, block) in batch {
                try Task.checkCancellation()
                ids.append((slot, try await store.store(block)))
            }
            return ids
        }
        running += 1
        batch = []
        batchCount = 0
        try await lock.refresh(at: clock.now())
    }

    private mutating func collect(_ group: inout Workers) async throws {
        guard let ids = try await group.next() else { return }
        running -= 1
        for (slot, id) in ids { queue.fill(slot, id) }
    }

    /// All that was begun is in packs.
    private mutating func settle(_ group: inout Workers) async throws {
        try await dispatch(&group)
        while running > 0 { try await collect(&group) }
        try await drain()
    }

    // MARK: Catalogue

    private mutating func drain() async throws {
        while let entries = queue.next() {
            for entry in entries { entry.write(into: &catalogue) }
            try await flushCatalogue(all: false)
        }
    }

    private mutating func flushCatalogue(all: Bool) async throws {
        var start = 0
        while catalogue.count - start >= BackupLimits.block || (all && start < catalogue.count) {
            let end = min(catalogue.count, start + BackupLimits.block)
            catalogueBlocks.append(try await store.store(Bytes(catalogue[start..<end])))
            catalogueLength += UInt64(end - start)
            start = end
        }
        catalogue.removeSubrange(..<start)
        guard catalogueBlocks.count <= BackupLimits.blocksPerCatalogue else {
            throw BackupError.refused("there are more items than a catalogue can list; back up less at once")
        }
    }

    // MARK: Record

    private func record(_ taken: Timestamp) async throws -> BackupResult {
        let newBytes = meter.current.bytesStored
        let manifest = BackupManifest(
            id: options.id ?? .timeOrdered(at: taken), isIncremental: base != nil, base: base?.sequence ?? 0,
            items: items, bytes: bytes, newBytes: newBytes, taken: FormTime.clamped(taken),
            protection: options.protection, program: options.program, note: options.note,
            catalogueLength: catalogueLength, catalogue: catalogueBlocks)
        let written = try await repository.append(.backup(manifest), after: state, lock, clock)
        meter.enter(.finished)
        return BackupResult(
            backup: StoredBackup(sequence: written.record.sequence, made: written.record.made, manifest: manifest),
            witness: RepositoryWitness(sequence: written.record.sequence, hash: written.hash.description),
            findings: state.findings)
    }
}

extension Repository {
    /// Writes the next record: the moment at which a backup is one, or a removal happens. Durable when it returns.
    func append(
        _ content: BackupRecord.Content, removing: Set<UInt64> = [], after state: RepositoryState, _ lock: HeldLock,
        _ clock: Clock
    ) async throws(BackupError) -> (record: BackupRecord, hash: Digest) {
        let live = state.live.filter { !removing.contains($0.record.sequence) }
        guard live.count <= BackupLimits.liveRecords else {
            throw .refused("there are \(live.count) backups, as many as there may be; remove some")
        }
        let record = BackupRecord(
            sequence: (state.head?.record.sequence ?? 0) + 1, made: FormTime.clamped(clock.now()),
            previous: state.head?.hash ?? .zero,
            live: live.map { RecordLink(sequence: $0.record.sequence, hash: $0.hash) }, content: content)
        try await lock.confirm(at: clock.now())
        let object = SignedObject(.record, of: id, body: record.body)
        let (_, hash) = try await putSigned(object) { .record(record.sequence, $0) }
        try await places.flush()
        return (record, hash)
    }
}
