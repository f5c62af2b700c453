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
        try await check.run(try FolderPlace(folder.path))
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
        let place = try FolderPlace(folder.path)
        try await place.put("config/secret", [1])
        let link = folder.path + "/config/link"
        #expect(symlink(folder.path + "/config/secret", link) == 0)
        await #expect(throws: BackupError.self) { _ = try await place.get("config/link") }
        #expect(try await place.list("config").map(\.name) == ["config/secret"])
    }
}
