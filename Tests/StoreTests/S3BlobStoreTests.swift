import Base
import Glibc
import Net
import Store
import TestKit
import Testing
import Wire

@Suite struct S3BlobStoreTests {
    private let folder: TemporaryFolder
    private let fake = FakeS3(bucket: "attachments")
    private let store: S3BlobStore

    init() throws {
        folder = try TemporaryFolder()
        var options = S3BlobStore.Options(
            endpoint: "http://127.0.0.1:9000", bucket: "attachments", region: "eu-central-1", accessKey: "key",
            secretKey: Secret(text: "secret"), spoolFolder: folder.path + "/spool")
        options.prefix = "plexi chat/"
        options.partSize = 1 << 20
        store = try S3BlobStore(options, transport: fake)
    }

    @Test(arguments: BlobStoreConformance.checks)
    func `against S3 in memory`(_ check: BlobStoreConformance.Check) async throws {
        try await check.run(store)
        #expect(folder.entries(of: "spool").isEmpty, "a spooled file is left")
        #expect(fake.openUploads == 0, "an upload was neither completed nor aborted")
    }

    @Test func `a blob longer than a part is uploaded in parts, a short one in one request`() async throws {
        _ = try await store.put(Bytes(repeating: 1, count: 1 << 20))
        #expect(fake.requests.count { $0.contains("partNumber") } == 0)
        _ = try await store.put(Bytes(repeating: 2, count: (2 << 20) + 1))
        #expect(fake.requests.count { $0.contains("partNumber") } == 3)
        #expect(fake.objectNames.allSatisfy { $0.hasPrefix("plexi chat/") && $0.utf8.count == 11 + 64 })
    }

    @Test func `content that is there already is not sent again`() async throws {
        let bytes = Bytes("once".utf8)
        _ = try await store.put(bytes)
        _ = try await store.put(bytes)
        #expect(fake.requests.count { $0.hasPrefix("PUT") } == 1)
    }

    @Test func `a request is sent again when S3 is busy, broken or away for a moment`() async throws {
        fake.fail([.status(503, code: "SlowDown"), .error(.unreachable("connection refused")), .error(.timedOut)])
        let key = try await store.put(Bytes("patience".utf8)).key
        #expect(try await store.bytes(key, limit: 10) == Bytes("patience".utf8))
    }

    @Test func `after the last attempt the reason comes out`() async throws {
        fake.fail(Array(repeating: .status(500, code: "InternalError"), count: 4))
        await #expect(throws: BlobError.unavailable("S3 is busy or broken: InternalError")) {
            _ = try await store.put(Bytes("x".utf8))
        }
        #expect(fake.requests.count == 4)
        #expect(try await store.put(Bytes("x".utf8)).length == 1)
    }

    @Test func `a refusal is not repeated and says why`() async throws {
        fake.fail([.status(403, code: "InvalidAccessKeyId")])
        await #expect(throws: BlobError.unavailable("S3 refuses: InvalidAccessKeyId")) {
            _ = try await store.list(after: nil, limit: 1)
        }
        #expect(fake.requests.count == 1)
    }

    @Test func `an upload in parts that fails is aborted`() async throws {
        fake.fail(Array(repeating: .status(500, code: "InternalError"), count: 4), where: "partNumber=2")
        await #expect(throws: BlobError.unavailable("S3 is busy or broken: InternalError")) {
            _ = try await store.put(Bytes(repeating: 3, count: 2 << 20))
        }
        #expect(fake.requests.contains { $0.hasPrefix("DELETE") })
        #expect(fake.openUploads == 0)
        #expect(fake.objectNames.isEmpty)
    }
}

private let s3Endpoint = getenv("PLEXI_S3").map { String(cString: $0) }

/// Run when `PLEXI_S3` holds the address of a server: `scripts/test-s3 run swift test`.
@Suite(.enabled(if: s3Endpoint != nil, "PLEXI_S3 is not set"), .serialized)
struct S3ServerTests {
    @Test(arguments: BlobStoreConformance.checks)
    func `against a server, through libcurl`(_ check: BlobStoreConformance.Check) async throws {
        let folder = try TemporaryFolder()
        let shard = try Shard()
        defer { shard.stop() }
        var options = S3BlobStore.Options(
            endpoint: s3Endpoint ?? "", bucket: "plexichat-test", region: "us-east-1", accessKey: "test",
            secretKey: Secret(text: "test"), spoolFolder: folder.path + "/spool")
        // A prefix of its own for each check, so that each finds an empty store.
        options.prefix = "test \(UUID.random())/"
        options.partSize = 5 << 20
        let store = try S3BlobStore(options, transport: CurlClient(loop: shard))
        try await check.run(store)
    }
}
