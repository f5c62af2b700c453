import Base
import Glibc
import Store
import TestKit
import Testing

@testable import Backup

@Suite struct BackupRestoreTests {
    @Test(arguments: 1...6)
    func `a chain of backups of random changes restores each of its trees`(_ seed: UInt64) async throws {
        var random = SplitMix(seed: seed)
        let stage = try BackupStage(places: 3)
        let protections = [Protection.single, Protection.copies(2)!, Protection(data: 2, parity: 1)!]
        _ = try await stage.create()
        var tree = TestTree.random(using: &random)
        var trees: [(UUID, TestTree)] = []
        for round in 0..<5 {
            let result = try await stage.back(
                up: tree, incremental: round > 0, protection: protections[round % protections.count])
            #expect(result.backup.manifest.items == UInt64(tree.files.count), "seed \(seed)")
            trees.append((result.backup.manifest.id, tree))
            for _ in 0..<Int.random(in: 0...6, using: &random) { tree.change(using: &random) }
        }
        for (id, tree) in trees { #expect(try await stage.restored(id) == tree, "seed \(seed)") }
        let report = try await stage.verify()
        #expect(report.isRestorable && report.warnings.isEmpty, "seed \(seed): \(report.failures) \(report.warnings)")
    }

    @Test func `what did not change is neither read nor stored again`() async throws {
        var random = SplitMix(seed: 7)
        let stage = try BackupStage()
        _ = try await stage.create()
        var tree = TestTree()
        for number in 0..<8 {
            tree.files["data/\(number)"] = (0..<600_000).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        }
        let first = try await stage.back(up: tree)
        tree.files["data/3"]?[0] ^= 1
        let second = try await stage.back(up: tree, incremental: true)
        #expect(first.backup.manifest.newBytes > 4_800_000)
        #expect(second.backup.manifest.newBytes < 400_000, "one block and the catalogue")
        #expect(second.backup.manifest.isIncremental && second.backup.manifest.base == 1)
        let third = try await stage.back(up: tree)
        #expect(third.backup.manifest.newBytes < 100_000, "a full backup reads all, and stores no block twice")
        #expect(try await stage.restored(second.backup.manifest.id) == tree)
    }

    @Test func `a file of more blocks than an entry holds comes back`() async throws {
        let stage = try BackupStage()
        _ = try await stage.create()
        let folder = try TemporaryFolder()
        // 1 GiB and a bit, all of it holes but for some bytes: two entries.
        let length = 4_096 * 262_144 + 1_000
        let descriptor = open(folder.path + "/big", O_RDWR | O_CREAT, 0o600)
        #expect(ftruncate(descriptor, length) == 0)
        #expect(pwrite(descriptor, "end", 3, length - 3) == 3)
        close(descriptor)
        let repository = try await stage.open()
        let source = FolderSource(folder.path, as: ItemPath("data")!)
        let result = try await BackupWriter.write(
            [source], to: repository, BackupOptions(holder: LockHolder(name: "t", purpose: "t")), clock: stage.clock,
            meter: BackupMeter(repository))
        #expect(result.backup.manifest.bytes == UInt64(length))
        let report = try await stage.verify()
        #expect(report.isRestorable, "\(report.failures)")
        #expect(report.items == 2)
    }

    @Test func `folders, modes and times of files come back, links do not`() async throws {
        let stage = try BackupStage()
        _ = try await stage.create()
        let folder = try TemporaryFolder()
        #expect(mkdir(folder.path + "/in", 0o755) == 0 && mkdir(folder.path + "/in/empty", 0o755) == 0)
        let descriptor = open(folder.path + "/in/run.sh", O_RDWR | O_CREAT, 0o755)
        #expect(write(descriptor, "abc", 3) == 3)
        #expect(
            futimens(descriptor, [timespec(tv_sec: 1_000, tv_nsec: 5_000), timespec(tv_sec: 1_000, tv_nsec: 5_000)])
                == 0)
        close(descriptor)
        #expect(symlink(folder.path + "/in/run.sh", folder.path + "/in/link") == 0)
        let repository = try await stage.open()
        let source = FolderSource(folder.path + "/in", as: ItemPath("data")!)
        let result = try await BackupWriter.write(
            [source], to: repository, BackupOptions(holder: LockHolder(name: "t", purpose: "t")), clock: stage.clock,
            meter: BackupMeter(repository))
        #expect(await source.leftOut == 1)
        _ = try await Restorer.restore(
            result.backup.manifest.id, of: repository, RestoreOptions(target: folder.path + "/out"),
            meter: BackupMeter(repository))
        #expect(folder.entries(of: "out/data") == ["empty", "run.sh"])
        var status = stat()
        #expect(stat(folder.path + "/out/data/run.sh", &status) == 0)
        #expect(status.st_mode & 0o777 == 0o700, "nothing for others")
        #expect(status.st_mtim.tv_sec == 1_000 && status.st_mtim.tv_nsec == 5_000)
    }

    @Test func `single items and folders are restored by their paths`() async throws {
        let stage = try BackupStage()
        _ = try await stage.create()
        var tree = TestTree()
        for name in ["a/1", "a/2", "a-b/1", "b"] { tree.files[name] = Bytes(name.utf8) }
        let id = try await stage.back(up: tree).backup.manifest.id
        #expect(try await stage.restored(id, selection: [ItemPath("a")!]).files.keys.sorted() == ["a/1", "a/2"])
        #expect(try await stage.restored(id, selection: [ItemPath("b")!]).files.keys.sorted() == ["b"])
        let error = try await failure { _ = try await stage.restored(id, selection: [ItemPath("c")!]) }
        #expect(error == .notFound("c in backup \(id)"))
    }

    @Test func `a target that holds something is replaced only when that is asked for`() async throws {
        let stage = try BackupStage()
        let repository = try await stage.create()
        var tree = TestTree()
        tree.files["data/new"] = [1]
        let id = try await stage.back(up: tree).backup.manifest.id
        let folder = try TemporaryFolder()
        #expect(mkdir(folder.path + "/target", 0o700) == 0)
        close(open(folder.path + "/target/old", O_CREAT | O_WRONLY, 0o600))
        var options = RestoreOptions(target: folder.path + "/target")
        let refused = try await failure {
            _ = try await Restorer.restore(id, of: repository, options, meter: BackupMeter(repository))
        }
        #expect("\(refused, default: "")".contains("not empty"))
        #expect(folder.entries(of: "target") == ["old"])
        options.overwrites = true
        _ = try await Restorer.restore(id, of: repository, options, meter: BackupMeter(repository))
        #expect(folder.entries(of: "target") == ["data"])
        #expect(folder.entries() == ["target"], "nothing is left beside it")
    }

    @Test func `a database is copied as it was at one moment, while it is written to`() async throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/plexichat.db"
        let database = try SQLiteDatabase(.file(path))
        try await database.execute("CREATE TABLE pairs (one INTEGER, other INTEGER)")
        for number in 0..<200 { try await database.execute("INSERT INTO pairs VALUES (\(number), \(-number))") }
        let writer = Task {
            var number = 1_000
            while !Task.isCancelled {
                let value = number
                _ = try? await database.transaction { (transaction) async throws(StoreError) in
                    try await transaction.execute("INSERT INTO pairs VALUES (\(value), 0)")
                    try await transaction.execute("UPDATE pairs SET other = \(-value) WHERE one = \(value)")
                }
                number += 1
            }
        }
        let stage = try BackupStage()
        let repository = try await stage.create()
        let source = SQLiteSource(path, as: ItemPath("data/plexichat.db")!, scratch: folder.path + "/scratch")
        let result = try await BackupWriter.write(
            [source], to: repository, BackupOptions(holder: LockHolder(name: "t", purpose: "t")), clock: stage.clock,
            meter: BackupMeter(repository))
        writer.cancel()
        _ = await writer.value
        await database.close()
        #expect(folder.entries(of: "scratch").isEmpty, "the copy is gone")
        _ = try await Restorer.restore(
            result.backup.manifest.id, of: repository, RestoreOptions(target: folder.path + "/back"),
            meter: BackupMeter(repository))
        let back = try SQLiteDatabase(.file(folder.path + "/back/data/plexichat.db"))
        let rows = try await back.query("SELECT count(*), sum(one + other) FROM pairs")
        #expect(try rows[0].integer(0) >= 200)
        #expect(try rows[0].integer(1) == 0, "no transaction is there by half")
        let check = try await back.query("PRAGMA integrity_check")
        #expect(try check[0].text(0) == "ok")
        await back.close()
    }

    @Test func `the database's snapshot is of before anything else is read, and what comes later is not in it`()
        async throws
    {
        let folder = try TemporaryFolder()
        let path = folder.path + "/plexichat.db"
        let database = try SQLiteDatabase(.file(path))
        try await database.execute("CREATE TABLE numbers (number INTEGER)")
        let source = SQLiteSource(path, as: ItemPath("data/plexichat.db")!, scratch: folder.path + "/scratch")
        #expect(try await source.expectedBytes() ?? 0 > 0)
        try await database.execute("INSERT INTO numbers VALUES (1)")
        await database.close()
        let item = try #require(try await source.next())
        let read = try #require(try await item.open())
        var bytes = Bytes()
        while let piece = try await read() { bytes += piece }
        try Files.write(bytes, to: folder.path + "/copy.db")
        let copy = try SQLiteDatabase(.file(folder.path + "/copy.db"))
        #expect(try await copy.query("SELECT count(*) FROM numbers")[0].integer(0) == 0)
        await copy.close()
        #expect(try await source.next() == nil)
        await source.close()
        #expect(folder.entries(of: "scratch").isEmpty)
    }

    @Test func `more than is allowed is refused, whether it was foreseen or not`() async throws {
        let stage = try BackupStage()
        let repository = try await stage.create()
        var tree = TestTree()
        tree.files["data/a"] = Bytes(repeating: 1, count: 300_000)
        tree.files["data/b"] = Bytes(repeating: 2, count: 300_000)
        for (allowed, isRefused) in [(UInt64(600_000), false), (599_999, true), (10, true)] {
            var options = BackupOptions(holder: LockHolder(name: "t", purpose: "t"))
            options.bytesMax = allowed
            let error = try await failure {
                _ = try await BackupWriter.write(
                    [try TreeSource(tree)], to: repository, options, clock: stage.clock, meter: BackupMeter(repository))
            }
            #expect((error != nil) == isRefused, "\(allowed)")
            if let error { #expect("\(error)".contains("backup.max_size")) }
        }
        #expect(try await repository.state().backups.count == 1)
    }

    @Test func `blobs come back where their store looks for them`() async throws {
        let folder = try TemporaryFolder()
        let store = try FolderBlobStore(folder.path + "/blobs")
        let keys = [
            try await store.put(Bytes("one".utf8)).key, try await store.put(Bytes(repeating: 2, count: 700_000)).key,
        ]
        let stage = try BackupStage()
        let repository = try await stage.create()
        let result = try await BackupWriter.write(
            [BlobsSource(store, as: ItemPath("data/blobs")!)], to: repository,
            BackupOptions(holder: LockHolder(name: "t", purpose: "t")), clock: stage.clock,
            meter: BackupMeter(repository))
        _ = try await Restorer.restore(
            result.backup.manifest.id, of: repository, RestoreOptions(target: folder.path + "/back"),
            meter: BackupMeter(repository))
        let back = try FolderBlobStore(folder.path + "/back/data/blobs")
        for key in keys { #expect(try await back.bytes(key, limit: 1 << 20) == store.bytes(key, limit: 1 << 20)) }
    }
}
