import Base
import Crypto
import Glibc
import Store
import TestKit
import Testing

@Suite struct FolderBlobStoreTests {
    @Test(arguments: BlobStoreConformance.checks)
    func `in a folder`(_ check: BlobStoreConformance.Check) async throws {
        let folder = try TemporaryFolder()
        let store = try FolderBlobStore(folder.path)
        try await check.run(store)
        #expect(folder.entries(of: "incoming").isEmpty, "a temporary file is left")
    }

    @Test func `a blob lies in two levels of folders and can be sent as a file`() async throws {
        let folder = try TemporaryFolder()
        let store = try FolderBlobStore(folder.path)
        let key = try await store.put(Bytes("hello".utf8)).key
        #expect(key.description.hasPrefix("2cf2"))
        #expect(folder.entries(of: "2c/f2") == [key.description])
        let file = try await store.read(key, range: 1..<3).file
        #expect(file?.path == "\(folder.path)/2c/f2/\(key)")
        #expect(file?.offset == 1)
    }

    @Test func `what a dead process left half-written is swept, what a living one writes is not`() async throws {
        let folder = try TemporaryFolder()
        _ = try FolderBlobStore(folder.path)
        let names = (1...2).map { UUID(high: $0, low: 0).description + ".incoming" }
        for name in [names[0], "somebody-elses.txt"] {
            close(open(folder.path + "/incoming/" + name, O_CREAT | O_WRONLY, 0o600))
        }
        let living = open(folder.path + "/incoming/" + names[1], O_CREAT | O_WRONLY, 0o600)
        defer { close(living) }
        #expect(flock(living, LOCK_EX | LOCK_NB) == 0)
        _ = try FolderBlobStore(folder.path)
        #expect(folder.entries(of: "incoming") == [names[1], "somebody-elses.txt"])
    }

    @Test func `content that rotted is found when it is read`() async throws {
        let folder = try TemporaryFolder()
        let store = try FolderBlobStore(folder.path)
        let key = try await store.put(Bytes("precious".utf8)).key
        let file = open(
            "\(folder.path)/\(key.description.prefix(2))/\(key.description.dropFirst(2).prefix(2))/\(key)", O_WRONLY)
        #expect(pwrite(file, "X", 1, 3) == 1)
        close(file)
        await #expect(throws: BlobError.corrupt("a blob is not what its name says: \(key)")) {
            _ = try await store.bytes(key, limit: 100)
        }
    }

    @Test func `a key is 64 lower-case hexadecimal digits and nothing else`() {
        let good = String(repeating: "0f", count: 32)
        #expect(BlobKey(good)?.description == good)
        for bad in [
            "", "../../etc/passwd", good.uppercased(), good + "0", String(good.dropLast()),
            String(repeating: "zz", count: 32),
        ] {
            #expect(BlobKey(bad) == nil)
        }
        #expect(BlobKey(hash: [1, 2, 3]) == nil)
    }

    @Test func `a full disk refuses uploads, keeps nothing of them, and heals`() async throws {
        guard let disk = try SmallDisk(megabytes: 1) else { return }
        let store = try FolderBlobStore(disk.path)
        let kept = try await store.put(Bytes("kept".utf8)).key
        let piece = Bytes(repeating: 1, count: 100_000)
        await #expect(throws: BlobError.unavailable("the disk is full")) {
            _ = try await store.put(limit: .max) { piece }
        }
        #expect(disk.entries(of: "incoming").isEmpty)
        #expect(try await store.bytes(kept, limit: 10) == Bytes("kept".utf8))
        let later = try await store.put(Bytes(repeating: 2, count: 300_000))
        #expect(later.length == 300_000)
        #expect(await store.health().problem == nil)
    }
}
