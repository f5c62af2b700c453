import Base
import TestKit
import Testing

@testable import Backup

@Suite struct LockAndRemovalTests {
    private static let tree: TestTree = {
        var tree = TestTree()
        tree.files["data/a"] = Bytes(repeating: 1, count: 1_000)
        return tree
    }()

    @Test func `a second writer is refused, and told who is at work`() async throws {
        let stage = try BackupStage(places: 2)
        let repository = try await stage.create()
        let held = try await repository.lock(
            LockHolder(name: "node one", purpose: "nightly backup"), guardFolder: nil, at: stage.clock.now())
        let since = stage.clock.now()
        let error = try await failure { try await stage.back(up: Self.tree) }
        #expect(error == .locked(holder: "node one", purpose: "nightly backup", since: since))
        try await held.confirm(at: stage.clock.now())
        await held.release()
        try await stage.back(up: Self.tree)
        #expect(stage.places.allSatisfy { $0.files.keys.allSatisfy { !$0.hasPrefix("locks/") } })
    }

    @Test func `a lock is stale after half an hour without a sign, and its holder then writes no record`() async throws
    {
        let stage = try BackupStage()
        let repository = try await stage.create()
        let held = try await repository.lock(
            LockHolder(name: "one", purpose: "backup"), guardFolder: nil, at: stage.clock.now())
        stage.advance(.minutes(20))
        try await held.refresh(at: stage.clock.now())
        stage.advance(.minutes(20))
        #expect(try await failure { try await stage.back(up: Self.tree) } != nil, "refreshed 20 minutes ago")
        stage.advance(.minutes(11))
        try await stage.back(up: Self.tree)
        #expect(try await failure { try await held.confirm(at: stage.clock.now()) } == .lockLost)
        #expect(try await failure { try await held.refresh(at: stage.clock.now()) } == .lockLost)
    }

    @Test func `a lock whose holder is known to be gone is in nobody's way`() async throws {
        let stage = try BackupStage()
        let repository = try await stage.create()
        let folder = try TemporaryFolder()
        let guards = folder.path + "/guards"
        let now = stage.clock.now()
        var held: HeldLock? = try await repository.lock(
            LockHolder(name: "one", purpose: "backup"), guardFolder: guards, at: now)
        #expect(folder.entries(of: "guards").count == 1)
        let refused = try await failure {
            _ = try await repository.lock(LockHolder(name: "two", purpose: "backup"), guardFolder: guards, at: now)
        }
        #expect(refused == .locked(holder: "one", purpose: "backup", since: now))
        // As when the process is killed: the kernel lets go of the file, the lock stays in the place.
        let lock = stage.places[0].files.filter { $0.key.hasPrefix("locks/") }
        let name = try #require(folder.entries(of: "guards").first)
        held = nil
        _ = held
        #expect(lock.count == 1)
        try Files.write([], to: guards + "/" + name)
        let next = try await repository.lock(LockHolder(name: "two", purpose: "backup"), guardFolder: guards, at: now)
        await next.release()
    }

    @Test func `a lock that nobody trusted signed is no lock`() async throws {
        let stage = try BackupStage()
        let repository = try await stage.create()
        let forger = try ForgedBackupKeys(1, signing: 9)
        let lock = RepositoryLock(
            id: .random(), taken: stage.clock.now(), refreshed: stage.clock.now(),
            holder: LockHolder(name: "x", purpose: "y"))
        let plaintext = SignedObject(.lock, of: repository.id, body: lock.body).signed(by: forger)
        stage.places[0].set(RepositoryFile.lock(lock.id).name, try SealedObject.seal([plaintext], for: forger))
        try await stage.back(up: Self.tree)
    }

    @Test func `the newest backup is not removed, and others take their packs with them`() async throws {
        let stage = try BackupStage()
        let repository = try await stage.create()
        let old = try await stage.back(up: Self.tree).backup.manifest.id
        var tree = Self.tree
        tree.files["data/a"] = Bytes(repeating: 2, count: 2_000)
        let new = try await stage.back(up: tree).backup.manifest.id
        let holder = LockHolder(name: "t", purpose: "removal")
        let refused = try await failure {
            _ = try await BackupRemoval.remove([new], from: repository, holder: holder, clock: stage.clock)
        }
        #expect("\(refused, default: "")".contains("newest"))
        let (report, witness) = try await BackupRemoval.remove(
            [old], from: repository, holder: holder, clock: stage.clock)
        #expect(report.backups == 1 && report.packs == 1 && report.bytes > 1_000)
        #expect(witness?.sequence == 3)
        #expect(try await stage.restored(new) == tree)
        let third = try await stage.back(up: tree, incremental: true, known: witness)
        #expect(third.backup.sequence == 4)
        #expect(try await repository.state().backups.map(\.manifest.id) == [new, third.backup.manifest.id])
    }

    @Test func `retention keeps the last, and one of each day, week and month`() {
        // One backup every 12 hours for 100 days, from 1 January 2026.
        let start = Timestamp(secondsSinceEpoch: 1_767_225_600)
        let backups = (0..<200).map { number in
            StoredBackup(
                sequence: UInt64(number + 1), made: start,
                manifest: BackupManifest(
                    id: UUID(high: 0, low: UInt64(number)), isIncremental: false, base: 0, items: 0, bytes: 0,
                    newBytes: 0,
                    taken: start + .hours(12 * number), protection: .single, program: "", note: "", catalogueLength: 0,
                    catalogue: []))
        }
        func kept(_ retention: Retention) -> [UInt64] {
            let removable = retention.removable(backups)
            return backups.map(\.manifest.id).filter { !removable.contains($0) }.map(\.low)
        }
        #expect(kept(Retention()) == [199], "the newest stays whatever is asked")
        #expect(kept(Retention(last: 3)) == [197, 198, 199])
        #expect(kept(Retention(daily: 3)) == [195, 197, 199])
        // 10 April 2026, the last day, is a Friday; Sundays before end weeks.
        #expect(kept(Retention(weekly: 3)) == [175, 189, 199].map { UInt64($0) })
        #expect(kept(Retention(monthly: 5)) == [61, 117, 179, 199])
        #expect(kept(Retention(last: 2, daily: 2, monthly: 2)) == [179, 197, 198, 199])
    }

    @Test func `what asks for more places than there are is refused`() async throws {
        let stage = try BackupStage(places: 2)
        _ = try await stage.create()
        let error = try await failure {
            try await stage.back(up: Self.tree, protection: try #require(Protection.copies(3)))
        }
        #expect("\(error, default: "")".contains("3 places"))
        #expect(try await failure { _ = try await stage.create() } == .repositoryExists)
        #expect(
            try await failure { _ = try await Repository.open(in: [MemoryPlace("none")], keys: stage.keys) }
                == .noRepository)
    }
}
