// A repository in memory, with a clock that the test moves.

import Backup
import Base
import Glibc
import Synchronization
import TestKit

final class BackupStage: Sendable {
    let places: [MemoryPlace]
    let keys: TestBackupKeys
    private let time = Mutex(Timestamp(secondsSinceEpoch: 1_790_000_000))

    init(places count: Int = 1, key: UInt8 = 1) throws {
        places = (0..<count).map { MemoryPlace("place \($0)") }
        keys = try TestBackupKeys(key)
    }

    var clock: Clock { Clock { [self] in time.withLock { $0 } } }
    func advance(_ duration: Duration) { time.withLock { $0 = $0 + duration } }

    func create() async throws -> Repository {
        try await Repository.create(in: places, keys: keys, at: clock.now())
    }

    func open() async throws -> Repository { try await Repository.open(in: places, keys: keys) }

    @discardableResult
    func back(
        up tree: TestTree, incremental: Bool = false, protection: Protection = .single, known: RepositoryWitness? = nil
    ) async throws -> BackupResult {
        let repository = try await open()
        var options = BackupOptions(holder: LockHolder(name: "test", purpose: "backup"))
        options.isIncremental = incremental
        options.protection = protection
        options.known = known
        advance(.seconds(60))
        return try await BackupWriter.write(
            [try TreeSource(tree)], to: repository, options, clock: clock, meter: BackupMeter(repository))
    }

    /// The tree that a restore gives.
    func restored(_ backup: UUID, selection: [ItemPath] = []) async throws -> TestTree {
        let folder = try TemporaryFolder()
        let repository = try await open()
        var options = RestoreOptions(target: folder.path + "/back")
        options.selection = selection
        _ = try await Restorer.restore(backup, of: repository, options, meter: BackupMeter(repository))
        return Self.tree(folder.path + "/back")
    }

    func verify(_ depth: VerificationReport.Depth = .everyByte) async throws -> VerificationReport {
        let repository = try await open()
        return try await Verifier.verify(repository, depth, meter: BackupMeter(repository))
    }

    /// The files below a folder, as a tree.
    static func tree(_ root: String, below: String = "") -> TestTree {
        var tree = TestTree()
        let folder = below.isEmpty ? root : "\(root)/\(below)"
        for name in names(folder) {
            let path = below.isEmpty ? name : "\(below)/\(name)"
            if let bytes = read("\(root)/\(path)") {
                tree.files[path] = bytes
            } else {
                tree.files.merge(Self.tree(root, below: path).files) { first, _ in first }
            }
        }
        return tree
    }

    private static func names(_ folder: String) -> [String] {
        guard let open = opendir(folder) else { return [] }
        defer { closedir(open) }
        var names: [String] = []
        while let entry = readdir(open) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    /// `nil` for a folder.
    static func read(_ path: String) -> Bytes? {
        let descriptor = Glibc.open(path, O_RDONLY)
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        return Bytes(unsafeUninitializedCapacity: Int(status.st_size)) { buffer, count in
            count = max(0, Glibc.read(descriptor, buffer.baseAddress, buffer.count))
        }
    }
}

/// What `body` throws as an error of the repository.
func failure(_ body: () async throws -> Void) async throws -> BackupError? {
    do {
        try await body()
        return nil
    } catch let error as BackupError { return error }
}
