import Backup
import Base
import TestKit
import Testing

@Suite struct CrashTests {
    private static func trees() -> [TestTree] {
        var random = SplitMix(seed: 11)
        var tree = TestTree()
        for number in 0..<3 {
            tree.files["data/\(number)"] = (0..<300_000).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        }
        var other = tree
        other.files["data/1"] = Bytes(repeating: 9, count: 400_000)
        return [tree, other]
    }

    /// One backup is acknowledged; the second one is killed after so many writes, for each number that there is.
    @Test(arguments: [false, true])
    func `killed after any write, the old backup is whole and the next one succeeds`(_ losesPower: Bool) async throws {
        let trees = Self.trees()
        var random = SplitMix(seed: 5)
        var (budget, succeeded) = (0, false)
        while !succeeded {
            let stage = try BackupStage()
            _ = try await stage.create()
            let first = try await stage.back(up: trees[0])
            let place = stage.places[0]
            place.fail(afterWrites: budget)
            var second: BackupResult?
            _ = try await failure { second = try await stage.back(up: trees[1], incremental: true) }
            // Its lock is taken away after the record is durable: without that the backup is one all the same.
            succeeded = place.files.keys.allSatisfy { !$0.hasPrefix("locks/") } && second != nil
            place.fail(afterWrites: .max)
            if losesPower { place.losePower(using: &random) }
            #expect(try await stage.restored(first.backup.manifest.id) == trees[0], "after \(budget) writes")
            if let second {
                #expect(try await stage.restored(second.backup.manifest.id) == trees[1], "after \(budget) writes")
            }
            // The lock of the one that was killed is in the way until it is stale.
            stage.advance(.minutes(31))
            let third = try await stage.back(up: trees[1], incremental: true, known: (second ?? first).witness)
            #expect(try await stage.restored(third.backup.manifest.id) == trees[1], "after \(budget) writes")
            #expect(try await stage.verify().isRestorable, "after \(budget) writes")
            budget += 1
        }
        #expect(budget > 6, "every write was tried")
    }

    @Test func `what a killed backup has stored is not stored again`() async throws {
        let tree = Self.trees()[0]
        let stage = try BackupStage()
        _ = try await stage.create()
        // The lock, the pack, its flush, and no index.
        stage.places[0].fail(afterWrites: 3)
        #expect(try await failure { try await stage.back(up: tree) } != nil)
        stage.places[0].fail(afterWrites: .max)
        #expect(stage.places[0].files.keys.contains { $0.hasPrefix("packs/") })
        #expect(!stage.places[0].files.keys.contains { $0.hasPrefix("indexes/") || $0.hasPrefix("records/") })
        stage.advance(.minutes(31))
        let result = try await stage.back(up: tree)
        #expect(result.backup.manifest.newBytes < 10_000, "only what was not in the pack yet")
        #expect(try await stage.restored(result.backup.manifest.id) == tree)
    }

    @Test func `a removal that is killed after any write loses nothing that is kept`() async throws {
        let trees = Self.trees()
        var (budget, succeeded) = (0, false)
        while !succeeded {
            let stage = try BackupStage()
            let repository = try await stage.create()
            let old = try await stage.back(up: trees[0]).backup.manifest.id
            let new = try await stage.back(up: trees[1]).backup.manifest.id
            let packs = stage.places[0].files.keys.filter { $0.hasPrefix("packs/") }.count
            stage.places[0].fail(afterWrites: budget)
            let holder = LockHolder(name: "t", purpose: "removal")
            let error = try await failure {
                _ = try await BackupRemoval.remove([old], from: repository, holder: holder, clock: stage.clock)
            }
            succeeded = error == nil && stage.places[0].files.keys.allSatisfy { !$0.hasPrefix("locks/") }
            stage.places[0].fail(afterWrites: .max)
            #expect(try await stage.restored(new) == trees[1], "after \(budget) writes")
            stage.advance(.minutes(31))
            let left = Set(try await repository.state().backups.map(\.manifest.id)).intersection([old])
            _ = try await BackupRemoval.remove(left, from: repository, holder: holder, clock: stage.clock)
            #expect(try await stage.restored(new) == trees[1], "after \(budget) writes")
            #expect(stage.places[0].files.keys.filter { $0.hasPrefix("packs/") }.count < packs + 1)
            #expect(stage.places[0].files.keys.filter { $0.hasPrefix("records/") }.count == 2)
            #expect(try await stage.verify().warnings.isEmpty, "after \(budget) writes")
            budget += 1
        }
        #expect(budget > 5, "every write was tried")
    }
}
