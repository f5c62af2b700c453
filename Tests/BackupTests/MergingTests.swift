import Base
import Glibc
import TestKit
import Testing

@testable import Backup

@Suite struct MergingTests {
    private static func tree() -> TestTree {
        var tree = TestTree()
        tree.files["data/plexichat.db"] = Bytes("rows of yesterday".utf8)
        tree.files["data/blobs/ab/one"] = Bytes(repeating: 1, count: 300_000)
        tree.files["data/blobs/cd/two"] = Bytes(repeating: 2, count: 10)
        tree.files["data/blobs/ef/three"] = []
        return tree
    }

    private static func merge(
        _ stage: BackupStage, _ backup: UUID, into target: String, selection: [String] = [], overwrites: Bool = false
    ) async throws -> RestoreReport {
        let repository = try await stage.open()
        var options = RestoreOptions(target: target)
        options.merges = true
        options.overwrites = overwrites
        options.selection = try selection.map { try #require(ItemPath($0)) }
        return try await Restorer.restore(backup, of: repository, options, meter: BackupMeter(repository))
    }

    /// A backup, and a folder with some of it, changed, and with something of its own.
    private static func scene() async throws -> (stage: BackupStage, backup: UUID, folder: TemporaryFolder) {
        let stage = try BackupStage()
        _ = try await stage.create()
        let backup = try await stage.back(up: tree()).backup.manifest.id
        let folder = try TemporaryFolder()
        for path in ["/t", "/t/data", "/t/data/blobs", "/t/data/blobs/ab"] { try Files.makeFolder(folder.path + path) }
        try Files.write(Bytes("rows of today".utf8), to: folder.path + "/t/data/plexichat.db")
        try Files.write([7], to: folder.path + "/t/data/blobs/ab/own")
        return (stage, backup, folder)
    }

    @Test func `what is absent comes, and what is there stays`() async throws {
        let (stage, backup, folder) = try await Self.scene()
        let report = try await Self.merge(stage, backup, into: folder.path + "/t")
        #expect(report.kept >= 1 && report.bytes == 300_010)
        var wanted = Self.tree()
        wanted.files["data/plexichat.db"] = Bytes("rows of today".utf8)
        wanted.files["data/blobs/ab/own"] = [7]
        #expect(BackupStage.tree(folder.path + "/t") == wanted)
        #expect(folder.entries(of: "") == ["t"], "nothing is left beside it")
        let again = try await Self.merge(stage, backup, into: folder.path + "/t")
        #expect(again.items == 0 && again.bytes == 0)
        #expect(BackupStage.tree(folder.path + "/t") == wanted)
    }

    @Test func `into nothing it is a restore, and single items can be chosen`() async throws {
        let (stage, backup, folder) = try await Self.scene()
        _ = try await Self.merge(stage, backup, into: folder.path + "/new")
        #expect(BackupStage.tree(folder.path + "/new") == Self.tree())
        _ = try await Self.merge(stage, backup, into: folder.path + "/t", selection: ["data/blobs/cd"])
        #expect(
            BackupStage.tree(folder.path + "/t").files.keys.sorted() == [
                "data/blobs/ab/own", "data/blobs/cd/two", "data/plexichat.db",
            ])
        let kept = try await Self.merge(stage, backup, into: folder.path + "/t", selection: ["data/plexichat.db"])
        #expect(kept == RestoreReport(items: 0, bytes: 0, kept: 1))
    }

    @Test func `a link or a file in the way refuses it before anything is written`() async throws {
        let (stage, backup, folder) = try await Self.scene()
        let elsewhere = try TemporaryFolder()
        #expect(symlink(elsewhere.path, folder.path + "/t/data/blobs/cd") == 0)
        let before = BackupStage.tree(folder.path + "/t/data/blobs/ab")
        let refused = try await failure { _ = try await Self.merge(stage, backup, into: folder.path + "/t") }
        #expect("\(refused, default: "")".contains("data/blobs/cd is no"))
        #expect(elsewhere.entries(of: "").isEmpty && folder.entries(of: "") == ["t"])
        #expect(BackupStage.tree(folder.path + "/t/data/blobs/ab") == before)
        unlink(folder.path + "/t/data/blobs/cd")
        try Files.write([], to: folder.path + "/t/data/blobs/cd")
        #expect(try await failure { _ = try await Self.merge(stage, backup, into: folder.path + "/t") } != nil)
        #expect(
            try await failure {
                _ = try await Self.merge(stage, backup, into: folder.path + "/t", overwrites: true)
            } == .refused("a target is either overwritten or merged with"))
    }

    @Test func `a lost block leaves the target as it was`() async throws {
        let (stage, backup, folder) = try await Self.scene()
        let place = stage.places[0]
        let largest = try #require(
            place.files.filter { $0.key.hasPrefix("packs/") }.max { $0.value.count < $1.value.count })
        let before = BackupStage.tree(folder.path + "/t")
        var cut = largest.value
        cut[cut.count - 1] ^= 1
        place.set(largest.key, cut)
        #expect(try await failure { _ = try await Self.merge(stage, backup, into: folder.path + "/t") } != nil)
        #expect(BackupStage.tree(folder.path + "/t") == before && folder.entries(of: "") == ["t"])
    }
}
