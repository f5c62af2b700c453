import Backup
import Base
import Glibc
import Store
import TestKit
import Testing

@Suite struct PlaceTests {
    @Test(arguments: PlaceConformance.checks)
    func `in memory`(_ check: PlaceConformance.Check) async throws { try await check.run(MemoryPlace("memory")) }

    @Test(arguments: PlaceConformance.checks)
    func `in a folder`(_ check: PlaceConformance.Check) async throws {
        let folder = try TemporaryFolder()
        try await check.run(try FolderPlace(folder.path, making: true))
        #expect(folder.entries(of: ".incoming").isEmpty, "a temporary file is left")
    }

    @Test(arguments: PlaceConformance.checks)
    func `in S3`(_ check: PlaceConformance.Check) async throws {
        var options = S3BlobStore.Options(
            endpoint: "https://s3.example", bucket: "backups", region: "eu", accessKey: "a", secretKey: Secret([1]),
            spoolFolder: "")
        options.prefix = "chat/"
        try await check.run(S3Place(options, transport: FakeS3(bucket: "backups")))
    }

    @Test func `a link in a folder is not followed`() async throws {
        let folder = try TemporaryFolder()
        let place = try FolderPlace(folder.path, making: true)
        try await place.put("config/secret", [1])
        let link = folder.path + "/config/link"
        #expect(symlink(folder.path + "/config/secret", link) == 0)
        await #expect(throws: BackupError.self) { _ = try await place.get("config/link") }
        #expect(try await place.list("config").map(\.name) == ["config/secret"])
    }

    @Test func `a folder that is no place is not made one unawares`() async throws {
        let folder = try TemporaryFolder()
        #expect(throws: BackupError.self) { try FolderPlace(folder.path, making: false) }
        #expect(folder.entries().isEmpty, "the mount point of a disk that is away stays empty")
        _ = try FolderPlace(folder.path, making: true)
        _ = try FolderPlace(folder.path, making: false)
    }

    @Test func `a new place gets the copies that every place has`() async throws {
        let stage = try BackupStage(places: 3)
        let first = try await Repository.create(in: [stage.places[0]], keys: stage.keys, at: stage.clock.now())
        var tree = TestTree()
        tree.files["data/a"] = [1, 2, 3]
        let result = try await BackupWriter.write(
            [try TreeSource(tree)], to: first, BackupOptions(holder: LockHolder(name: "t", purpose: "t")),
            clock: stage.clock, meter: BackupMeter(first))
        let repository = try await stage.open()
        #expect(try await repository.completeCopies() == 6, "configuration, record and index for two places")
        #expect(try await repository.completeCopies() == 0)
        try await stage.back(up: tree, protection: try #require(Protection(data: 2, parity: 1)))
        #expect(try await stage.restored(result.backup.manifest.id) == tree)
        #expect(try await stage.verify().isRestorable)
    }
}
