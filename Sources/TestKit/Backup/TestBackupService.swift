// A service of backups over places in memory, with sources that wait while a test wants them to.

package import Backup
package import Base
import Crypto
package import Store
import Synchronization
package import Tasks

package final class TestBackups: Sendable {
    package struct Setup: Sendable {
        /// None: as where the operator has named none.
        package var places = 3
        package var hasRepository = true
        package var rotatesKeys = true
        package var protection: Protection?
        package var bytesMax: UInt64?

        package init() {}
    }

    package static let node = "test"

    package let places: [MemoryPlace]
    package let service: BackupService
    package let folder: TemporaryFolder
    package let keys: TestBackupKeys
    package let gate = TestGate()
    private let tree: TestCell<TestTree>
    private let rotations: TestRotation
    private let growth: TestCell<Int>

    package init(
        _ setup: Setup = Setup(), board: TaskBoard, database: any Database, events: any BackupEvents, clock: Clock
    ) throws {
        let places = (0..<setup.places).map { MemoryPlace("place \($0)") }
        let (folder, keys, gate) = (try TemporaryFolder(), try TestBackupKeys(), self.gate)
        let (tree, rotations, growth) = (TestCell(Self.tree), TestRotation(), TestCell(0))
        let maker = setup.hasRepository && setup.places > 0 ? RepositoryMaker(places, keys) : nil
        var given = BackupSetup(
            folder: folder.path + "/backup", restoreFolder: folder.path + "/restored", node: Self.node,
            holder: "test", program: "plexichat test",
            places: { () async throws(BackupError) in
                try await maker?.make(at: clock.now())
                return places
            }, keys: { (_) async throws(BackupError) in keys },
            sources: { (parts) async throws(BackupError) in
                do {
                    return [GatedSource(try TreeSource(Self.part(of: tree.value, parts)), gate, growth: growth.value)]
                } catch {
                    throw .unavailable("\(error)")
                }
            })
        given.rotation = setup.rotatesKeys ? rotations : nil
        given.protection = setup.protection
        given.bytesMax = setup.bytesMax
        self.places = places
        self.folder = folder
        self.keys = keys
        self.tree = tree
        self.rotations = rotations
        self.growth = growth
        service = BackupService(given, board: board, database: database, events: events, clock: clock)
    }

    package var rotationCount: Int { rotations.count.withLock { $0 } }

    // MARK: What is backed up

    private static let files = [
        BackupPart.configuration: "configuration/plexichat.yaml", .attachments: "data/blobs/ab/cd/blob",
        .database: "data/plexichat.db",
    ]

    private static var tree: TestTree {
        var tree = TestTree()
        for (index, part) in BackupPart.allCases.enumerated() {
            tree.files[files[part] ?? ""] = Bytes(repeating: UInt8(index + 1), count: 300_000)
        }
        return tree
    }

    private static func part(of tree: TestTree, _ parts: Set<BackupPart>) -> TestTree {
        var part = tree
        part.files = tree.files.filter { path, _ in parts.contains { files[$0] == path } }
        return part
    }

    /// Other bytes in the database.
    package func change(_ byte: UInt8) {
        tree.value.files["data/plexichat.db"] = Bytes(repeating: byte, count: 300_001)
    }

    /// The database becomes so large after it was measured.
    package func grow(to count: Int) { growth.value = count }
}

/// Open, unless a test has closed it.
package final class TestGate: Sendable {
    private struct State {
        var isClosed = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }
    private let state = Mutex(State())

    package init() {}

    package func close() { state.withLock { $0.isClosed = true } }

    package func open() {
        let waiting = state.withLock { state in
            state.isClosed = false
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    /// Somebody stands before it.
    package var isWaitedFor: Bool { state.withLock { !$0.waiting.isEmpty } }

    /// Whoever is cancelled while the gate is closed opens it, as one that waits for a disk gives up.
    func pass() async throws(BackupError) {
        await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
                let isOpen = state.withLock { state in
                    if state.isClosed { state.waiting.append(continuation) }
                    return !state.isClosed
                }
                if isOpen { continuation.resume() }
            }
        } onCancel: {
            open()
        }
        if Task.isCancelled { throw .cancelled }
    }
}

private struct GatedSource: BackupSource {
    let source: TreeSource
    let gate: TestGate
    /// How long the database is when it is read; 0 for as long as it was measured.
    let growth: Int

    init(_ source: TreeSource, _ gate: TestGate, growth: Int) {
        self.source = source
        self.gate = gate
        self.growth = growth
    }

    func expectedBytes() async throws(BackupError) -> UInt64? { await source.expectedBytes() }

    func next() async throws(BackupError) -> SourceItem? {
        try await gate.pass()
        guard let item = await source.next() else { return nil }
        guard growth > 0, item.path.description == "data/plexichat.db" else { return item }
        return SourceItem(path: item.path, kind: .file, mode: item.mode, changed: item.changed, mark: []) {
            [growth] () async throws(BackupError) -> ItemBytes? in
            let rest = TestCell(growth)
            return { () async throws(BackupError) -> Bytes? in
                let count = min(rest.value, 100_000)
                rest.value -= count
                return count == 0 ? nil : Bytes(repeating: 7, count: count)
            }
        }
    }

    func close() async { await source.close() }
}

/// Makes the repository when it is first asked for: most tests never do.
private actor RepositoryMaker {
    private let places: [MemoryPlace]
    private let keys: TestBackupKeys
    private var making: Task<BackupError?, Never>?

    init(_ places: [MemoryPlace], _ keys: TestBackupKeys) {
        self.places = places
        self.keys = keys
    }

    func make(at now: Timestamp) async throws(BackupError) {
        let task =
            making
            ?? Task { [places, keys] in
                do throws(BackupError) {
                    _ = try await Repository.create(in: places, keys: keys, at: now)
                    return nil
                } catch { return error }
            }
        making = task
        if let error = await task.value { throw error }
    }
}

private final class TestRotation: BackupKeyRotation {
    let count = Mutex(0)

    func rotateIfDue() async throws(BackupError) -> Bool {
        count.withLock { $0 += 1 }
        return true
    }
}
