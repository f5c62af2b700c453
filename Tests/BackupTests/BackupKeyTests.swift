// Named keys, and what is left of them where only the root key is.

import Base
import Crypto
import Glibc
import Synchronization
import TestKit
import Testing

@testable import Backup
@testable import Vault

/// A server's vault without its database.
private final class KeyStage {
    let folder: TemporaryFolder
    let keys: VaultKeys
    private let repository = MemoryKeys()

    var source: Vault.RootKeySource { keys.rootSource }
    var path: String { folder.path + "/root.key" }

    init(passphrase: String? = nil) async throws {
        folder = try TemporaryFolder()
        var source = Vault.RootKeySource.file(folder.path + "/root.key")
        if let passphrase {
            try Files.write(Bytes(passphrase.utf8), to: folder.path + "/words")
            source = .passphrase(.file(folder.path + "/words"))
        }
        keys = VaultKeys(
            vault: try Vault.open(source), repository: repository,
            definitions: [
                KeyDefinition(KeyNames.backup, .hybrid, "test"), KeyDefinition(KeyNames.manifest, .ed25519, "test"),
                KeyDefinition("other", .data, "test"),
            ])
        try await keys.start()
    }

    /// What a database of that moment would give.
    func remembered() -> KeyBook? { repository.book.withLock { $0 } }
}

private final class MemoryKeys: KeyRepository {
    let book: Mutex<KeyBook?>

    init(_ book: KeyBook? = nil) { self.book = Mutex(book) }

    func load() async throws(KeyError) -> KeyBook? { book.withLock { $0 } }
    func begin(_ new: KeyBook) async throws(KeyError) -> Bool {
        book.withLock { book in
            guard book == nil else { return false }
            book = new
            return true
        }
    }
    func replace(
        _ old: KeyBook, with new: KeyBook, noting events: [KeyEvent], by actor: (any KeyActor)?
    ) async throws(KeyError) -> Bool {
        book.withLock { book in
            guard book?.root.revision == old.root.revision else { return false }
            book = new
            return true
        }
    }
}

private struct KeyedRepository {
    let places = [MemoryPlace("one"), MemoryPlace("two")]

    func copies() -> [String] {
        Set(places.flatMap(\.files.keys)).filter { $0.hasPrefix("keys/") }.sorted()
    }

    func keys(_ stage: KeyStage) async throws -> VaultBackupKeys {
        try await stage.keys.reload()
        return try await VaultBackupKeys.make(stage.keys, places: places)
    }

    @discardableResult
    func back(up content: UInt8, with keys: any BackupKeys) async throws -> UUID {
        let repository: Repository
        do { repository = try await Repository.open(in: places, keys: keys) } catch BackupError.noRepository {
            repository = try await Repository.create(in: places, keys: keys, at: .now())
        }
        var tree = TestTree()
        tree.files["data/file"] = Bytes(repeating: content, count: 70_000)
        let options = BackupOptions(holder: LockHolder(name: "test", purpose: "backup"))
        let result = try await BackupWriter.write(
            [try TreeSource(tree)], to: repository, options, clock: .system, meter: BackupMeter(repository))
        return result.backup.manifest.id
    }

    /// The byte that the backup's file is full of.
    func restored(_ backup: UUID, with keys: any BackupKeys) async throws -> UInt8? {
        let folder = try TemporaryFolder()
        let repository = try await Repository.open(in: places, keys: keys)
        _ = try await Restorer.restore(
            backup, of: repository, RestoreOptions(target: folder.path + "/back"), meter: BackupMeter(repository))
        let tree = BackupStage.tree(folder.path + "/back")
        guard let bytes = tree.files["data/file"], bytes.count == 70_000, Set(bytes).count == 1 else { return nil }
        return bytes.first
    }
}

@Suite struct BackupKeyTests {
    @Test func `the root key alone restores what named keys wrote, before and after a rotation`() async throws {
        let stage = try await KeyStage()
        let repository = KeyedRepository()
        let first = try await repository.back(up: 1, with: try await repository.keys(stage))
        for name in BackupKeyNames.all { _ = try await stage.keys.rotate(name) }
        let second = try await repository.back(up: 2, with: try await repository.keys(stage))
        let keys = try await VaultBackupKeys.recover(stage.source, places: repository.places)
        #expect(try await repository.restored(first, with: keys) == 1)
        #expect(try await repository.restored(second, with: keys) == 2)
        #expect(repository.copies().count == 1, "the copy of before knew nothing more, and is gone")
        // Goes on where the other one was: the versions that were active write.
        let third = try await repository.back(up: 3, with: keys)
        #expect(try await repository.restored(third, with: try await repository.keys(stage)) == 3)
    }

    @Test func `another key's change makes no new copy`() async throws {
        let stage = try await KeyStage()
        let repository = KeyedRepository()
        try await repository.back(up: 1, with: try await repository.keys(stage))
        let before = repository.copies()
        _ = try await stage.keys.rotate("other")
        try await repository.back(up: 2, with: try await repository.keys(stage))
        #expect(repository.copies() == before && before.count == 1)
    }

    @Test func `a passphrase is enough, with the salt that lies in the places`() async throws {
        let stage = try await KeyStage(passphrase: "a fairly long passphrase")
        let repository = KeyedRepository()
        let backup = try await repository.back(up: 7, with: try await repository.keys(stage))
        let keys = try await VaultBackupKeys.recover(stage.source, places: repository.places)
        #expect(try await repository.restored(backup, with: keys) == 7)
        let wrong = stage.folder.path + "/wrong"
        try Files.write(Bytes("another long passphrase".utf8), to: wrong)
        let copy = try #require(repository.copies().first)
        let error = try await failure {
            _ = try await VaultBackupKeys.recover(.passphrase(.file(wrong)), places: repository.places)
        }
        #expect(error == .wrongKey(file: copy))
        let none = try await failure { _ = try await VaultBackupKeys.recover(stage.source, places: []) }
        #expect(none == .refused("there is no copy of the keys in these places, and a passphrase alone makes none"))
    }

    @Test func `another root key opens nothing, and no key is made for who has none`() async throws {
        let stage = try await KeyStage()
        let repository = KeyedRepository()
        let backup = try await repository.back(up: 1, with: try await repository.keys(stage))
        let other = try await KeyStage()
        let keys = try await VaultBackupKeys.recover(other.source, places: repository.places)
        let error = try await failure { _ = try await repository.restored(backup, with: keys) }
        guard case .wrongKey(let file)? = error else {
            Issue.record("\(error.map(String.init) ?? "it opens")")
            return
        }
        #expect(file.hasPrefix("config/"))
        let absent = other.folder.path + "/absent.key"
        #expect(
            try await failure { _ = try await VaultBackupKeys.recover(.file(absent), places: repository.places) } != nil
        )
        #expect(access(absent, F_OK) != 0)
    }

    @Test func `after the root key was replaced the next backup puts a copy for the new one`() async throws {
        let stage = try await KeyStage()
        let repository = KeyedRepository()
        let first = try await repository.back(up: 1, with: try await repository.keys(stage))
        try await stage.keys.replaceRoot(by: .sameFile)
        let stale = try await VaultBackupKeys.recover(stage.source, places: repository.places)
        #expect(try await failure { _ = try await repository.restored(first, with: stale) } != nil)
        let second = try await repository.back(up: 2, with: try await repository.keys(stage))
        #expect(repository.copies().count == 2)
        let keys = try await VaultBackupKeys.recover(stage.source, places: repository.places)
        #expect(try await repository.restored(first, with: keys) == 1)
        #expect(try await repository.restored(second, with: keys) == 2)
        // The old root key opens the old copy, until a removal.
        let old = try await VaultBackupKeys.recover(.file(stage.path + ".old"), places: repository.places)
        #expect(try await repository.restored(first, with: old) == 1)
        _ = try await BackupRemoval.remove(
            [], from: try await Repository.open(in: repository.places, keys: try await repository.keys(stage)),
            holder: LockHolder(name: "test", purpose: "removal"), clock: .system)
        #expect(repository.copies().count == 1)
        let keysAfter = try await VaultBackupKeys.recover(stage.source, places: repository.places)
        #expect(try await repository.restored(second, with: keysAfter) == 2)
    }

    @Test func `a server that was put back reads what it wrote in the days it lost`() async throws {
        let stage = try await KeyStage()
        let repository = KeyedRepository()
        try await repository.back(up: 1, with: try await repository.keys(stage))
        let day = stage.remembered()
        for name in BackupKeyNames.all { _ = try await stage.keys.rotate(name) }
        let lost = try await repository.back(up: 2, with: try await repository.keys(stage))
        let again = VaultKeys(
            vault: try Vault.open(stage.source, record: try #require(day).root), repository: MemoryKeys(day),
            definitions: [])
        try await again.reload()
        let keys = try await VaultBackupKeys.make(again, places: repository.places)
        #expect(try await repository.restored(lost, with: keys) == 2)
        let next = try await repository.back(up: 3, with: keys)
        // The newer copy knows versions that this one does not, and stays.
        #expect(repository.copies().count == 2)
        let root = try await VaultBackupKeys.recover(stage.source, places: repository.places)
        for (backup, content) in [(lost, UInt8(2)), (next, 3)] {
            #expect(try await repository.restored(backup, with: root) == content)
        }
    }

    @Test func `an old copy that is put back revives no version that the server has stopped`() async throws {
        let stage = try await KeyStage()
        let repository = KeyedRepository()
        try await repository.back(up: 1, with: try await repository.keys(stage))
        let name = try #require(repository.copies().first)
        let old = try #require(repository.places[0].files[name])
        _ = try await stage.keys.rotate(KeyNames.manifest)
        try await repository.back(up: 2, with: try await repository.keys(stage))
        try await stage.keys.disable(KeyNames.manifest, 1)
        let before = try await repository.keys(stage).verifiers.map(\.bytes)
        #expect(before.count == 1)
        for place in repository.places { place.set(name, old) }
        #expect(try await repository.keys(stage).verifiers.map(\.bytes) == before)
    }

    @Test func `a stopped version of manifest is in nobody's way, one of backup ends the repository`() async throws {
        let stage = try await KeyStage()
        let repository = KeyedRepository()
        try await repository.back(up: 1, with: try await repository.keys(stage))
        for name in BackupKeyNames.all { _ = try await stage.keys.rotate(name) }
        let second = try await repository.back(up: 2, with: try await repository.keys(stage))
        try await stage.keys.disable(KeyNames.manifest, 1)
        let third = try await repository.back(up: 3, with: try await repository.keys(stage))
        let root = try await VaultBackupKeys.recover(stage.source, places: repository.places)
        #expect(try await repository.restored(third, with: root) == 3)
        try await stage.keys.disable(KeyNames.backup, 1)
        let keys = try await repository.keys(stage)
        let refused = try await failure { try await repository.back(up: 4, with: keys) }
        #expect("\(refused, default: "")".contains("version 1 of the key `backup`"))
        #expect(try await repository.restored(second, with: keys) == 2)
        try await stage.keys.enable(KeyNames.backup, 1)
        try await repository.back(up: 4, with: try await repository.keys(stage))
    }

    @Test func `a repository of before opens and goes on, and its keys are not believed elsewhere`() async throws {
        let stage = try await KeyStage()
        let repository = KeyedRepository()
        let former = RootBackupKeys(try Vault.open(stage.source))
        let first = try await repository.back(up: 1, with: former)
        #expect(repository.copies().isEmpty)
        let second = try await repository.back(up: 2, with: try await repository.keys(stage))
        #expect(repository.copies().count == 1)
        let keys = try await VaultBackupKeys.recover(stage.source, places: repository.places)
        for (backup, content) in [(first, UInt8(1)), (second, 2)] {
            #expect(try await repository.restored(backup, with: keys) == content)
        }
        #expect(try await repository.keys(stage).verifiers.allSatisfy { $0.bytes != former.signer.bytes })
    }

    @Test func `copies of others, broken ones and too many of them are in nobody's way`() async throws {
        let stage = try await KeyStage()
        let repository = KeyedRepository()
        let backup = try await repository.back(up: 1, with: try await repository.keys(stage))
        let name = try #require(repository.copies().first)
        let good = try #require(repository.places[0].files[name])
        for number in 0..<40 {
            var bytes = good
            bytes[number * 7 % bytes.count] ^= 0x55
            // One that nobody sealed, one that is cut, one whose name lies, in one of the two places.
            repository.places[0].set(RepositoryFile.keys(.sha256(bytes)).name, bytes)
            let cut = Bytes(good.prefix(number * 5))
            repository.places[0].set(RepositoryFile.keys(.sha256(cut)).name, cut)
            repository.places[0].set(RepositoryFile.keys(.sha256([UInt8(number)])).name, good)
        }
        let keys = try await VaultBackupKeys.recover(stage.source, places: repository.places)
        #expect(try await repository.restored(backup, with: keys) == 1)
    }

    @Test func `a place without a copy is named by a verification, and gets one with the next backup`() async throws {
        let stage = try await KeyStage()
        let repository = KeyedRepository()
        func warnings() async throws -> [String] {
            let opened = try await Repository.open(in: repository.places, keys: try await repository.keys(stage))
            return try await Verifier.verify(opened, .everyByte, meter: BackupMeter(opened)).warnings.map(String.init)
        }
        try await repository.back(up: 1, with: try await repository.keys(stage))
        #expect(try await warnings().isEmpty)
        let name = try #require(repository.copies().first)
        repository.places[1].set(name, nil)
        #expect(try await warnings() == ["a copy of the keys lies in 1 of 2 places; the next backup puts it into all"])
        try await repository.back(up: 1, with: try await repository.keys(stage))
        #expect(try await warnings().isEmpty)
    }

    @Test func `every change of a copy is refused`() async throws {
        let stage = try await KeyStage()
        let own = try stage.keys.snapshot(of: BackupKeyNames.all)
        let copy = KeyBookCopy(own)
        #expect(try KeyBookCopy(parsing: copy.bytes).book.keys.keys.sorted() == BackupKeyNames.all.sorted())
        #expect(copy.isAuthentic(for: own.vault))
        for index in copy.bytes.indices {
            var bytes = copy.bytes
            bytes[index] ^= 1
            guard let changed = try? KeyBookCopy(parsing: bytes) else { continue }
            #expect(!changed.isAuthentic(for: own.vault), "byte \(index)")
        }
        for count in 0..<copy.bytes.count {
            #expect((try? KeyBookCopy(parsing: Bytes(copy.bytes.prefix(count)))) == nil)
        }
        #expect((try? KeyBookCopy(parsing: copy.bytes + [0])) == nil)
    }
}
