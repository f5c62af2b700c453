import Base
import TestKit
import Testing

@testable import Backup

@Suite struct RepackingTests {
    private static let holder = LockHolder(name: "t", purpose: "removal")

    /// The second one needs two blocks of the seven that the first one's pack holds.
    private static func trees() -> [TestTree] {
        var random = SplitMix(seed: 21)
        var tree = TestTree()
        for number in 0..<3 {
            tree.files["data/\(number)"] = (0..<300_000).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        }
        var other = TestTree()
        other.files["data/1"] = tree.files["data/1"]
        other.files["data/9"] = Bytes(repeating: 9, count: 1_000)
        return [tree, other]
    }

    private static func bytes(_ stage: BackupStage) -> Int {
        stage.places.reduce(0) { sum, place in
            sum + place.files.filter { $0.key.hasPrefix("packs/") }.reduce(0) { $0 + $1.value.count }
        }
    }

    @Test(arguments: ["1", "2", "2+1"])
    func `a pack of which less than half is needed is written anew`(_ protection: String) async throws {
        let trees = Self.trees()
        let stage = try BackupStage(places: 3)
        let repository = try await stage.create()
        let protection = try #require(Protection(parsing: protection))
        let old = try await stage.back(up: trees[0], protection: protection).backup.manifest.id
        let new = try await stage.back(up: trees[1], protection: protection).backup.manifest.id
        let before = Self.bytes(stage)
        let (report, _) = try await BackupRemoval.remove(
            [old], from: repository, holder: Self.holder, clock: stage.clock)
        #expect(report.rewritten == 1 && report.packs == 1 && report.bytesRewritten > 300_000)
        #expect(Self.bytes(stage) < before / 2)
        #expect(try await stage.restored(new) == trees[1])
        let verdict = try await stage.verify()
        #expect(verdict.isRestorable && verdict.warnings.isEmpty)
        // Nothing is left to do, and the blocks are found where they are now.
        let (again, _) = try await BackupRemoval.remove([], from: repository, holder: Self.holder, clock: stage.clock)
        #expect(again == RemovalReport())
        let next = try await stage.back(up: trees[1], incremental: true, protection: protection)
        #expect(next.backup.manifest.newBytes < 50_000)
    }

    @Test func `a pack of which half is needed stays, and so does one that cannot be read`() async throws {
        let trees = Self.trees()
        let stage = try BackupStage()
        let repository = try await stage.create()
        var most = trees[0]
        most.files["data/0"] = nil
        let old = try await stage.back(up: trees[0]).backup.manifest.id
        let new = try await stage.back(up: most).backup.manifest.id
        let (report, _) = try await BackupRemoval.remove(
            [old], from: repository, holder: Self.holder, clock: stage.clock)
        #expect(report.rewritten == 0 && report.packs == 0)
        _ = try await stage.back(up: trees[1])
        // One bit of the pack that would be rewritten.
        let largest = try #require(
            stage.places[0].files.filter { $0.key.hasPrefix("packs/") }.max { $0.value.count < $1.value.count })
        var damaged = largest.value
        damaged[damaged.count / 2] ^= 1
        stage.places[0].set(largest.key, damaged)
        let (next, _) = try await BackupRemoval.remove(
            [new], from: repository, holder: Self.holder, clock: stage.clock)
        #expect(next.rewritten == 0)
        #expect(stage.places[0].files[largest.key] == damaged, "what is left of it may still be of use")
    }

    /// The old backup goes or does not; the kept one is whole after every write, and the next removal ends the work.
    @Test(arguments: [false, true])
    func `killed after any write, a rewriting removal loses nothing`(_ losesPower: Bool) async throws {
        let trees = Self.trees()
        var random = SplitMix(seed: 8)
        var (budget, succeeded) = (0, false)
        while !succeeded {
            let stage = try BackupStage()
            let repository = try await stage.create()
            let old = try await stage.back(up: trees[0]).backup.manifest.id
            let new = try await stage.back(up: trees[1]).backup.manifest.id
            let place = stage.places[0]
            place.fail(afterWrites: budget)
            let error = try await failure {
                _ = try await BackupRemoval.remove([old], from: repository, holder: Self.holder, clock: stage.clock)
            }
            succeeded = error == nil && place.files.keys.allSatisfy { !$0.hasPrefix("locks/") }
            place.fail(afterWrites: .max)
            if losesPower { place.losePower(using: &random) }
            #expect(try await stage.restored(new) == trees[1], "after \(budget) writes")
            stage.advance(.minutes(31))
            let left = Set(try await repository.state().backups.map(\.manifest.id)).intersection([old])
            _ = try await BackupRemoval.remove(left, from: repository, holder: Self.holder, clock: stage.clock)
            // One that was killed between its indexes may leave the blocks twice: then this one has found it.
            _ = try await BackupRemoval.remove([], from: repository, holder: Self.holder, clock: stage.clock)
            #expect(try await stage.restored(new) == trees[1], "after \(budget) writes")
            #expect(Self.bytes(stage) < 500_000, "after \(budget) writes")
            #expect(try await stage.verify().isRestorable, "after \(budget) writes")
            budget += 1
        }
        #expect(budget > 8, "every write was tried")
    }
}
