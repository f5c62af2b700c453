import Base
import Crypto
import TestKit
import Testing

@testable import Backup

@Suite struct DamageTests {
    private static func tree() -> TestTree {
        var tree = TestTree()
        tree.files["data/text"] = Bytes(repeating: 65, count: 300_000)
        var random = SplitMix(seed: 3)
        tree.files["data/noise"] = (0..<50_000).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        return tree
    }

    /// Places to flip a bit in: both ends, and some between.
    private static func offsets(_ count: Int) -> [Int] {
        Array(
            Set(
                [0, 1, 30, 100, 1_500, 1_700, count / 3, count / 2, count - 17, count - 1].filter {
                    (0..<count).contains($0)
                })
        )
        .sorted()
    }

    @Test func `a flipped bit anywhere in any file is found, and nothing wrong is restored`() async throws {
        let stage = try BackupStage()
        _ = try await stage.create()
        let tree = Self.tree()
        let id = try await stage.back(up: tree).backup.manifest.id
        let place = stage.places[0]
        #expect(Set(place.files.keys.map { $0.prefix { $0 != "/" } }) == ["config", "records", "indexes", "packs"])
        for (name, bytes) in place.files {
            for offset in Self.offsets(bytes.count) {
                var changed = bytes
                changed[offset] ^= 0x10
                place.set(name, changed)
                var restored: TestTree?
                let error = try await failure { restored = try await stage.restored(id) }
                if name.hasPrefix("indexes/") {
                    #expect(restored == tree, "an index is not needed: \(String(describing: error))")
                    let report = try await stage.verify()
                    #expect(report.warnings.contains { if case .lost = $0 { true } else { false } }, "\(report)")
                } else {
                    #expect(restored == nil && error != nil, "\(name) at \(offset)")
                }
            }
            place.set(name, bytes)
        }
        #expect(try await stage.restored(id) == tree)
    }

    @Test(arguments: [(1, 2), (2, 1), (3, 2)])
    func `m lost pieces are restored from, m and one are named`(_ data: Int, _ parity: Int) async throws {
        let protection = try #require(Protection(data: data, parity: parity))
        let stage = try BackupStage(places: protection.pieces)
        _ = try await stage.create()
        let tree = Self.tree()
        let id = try await stage.back(up: tree, protection: protection).backup.manifest.id
        #expect(try await stage.verify().warnings.isEmpty)
        for lost in 1...parity + 1 {
            for name in stage.places[lost - 1].files.keys where name.hasPrefix("packs/") {
                stage.places[lost - 1].set(name, nil)
            }
            var restored: TestTree?
            let error = try await failure { restored = try await stage.restored(id) }
            let report = try await stage.verify()
            if lost <= parity {
                #expect(restored == tree)
                #expect(report.isRestorable && !report.warnings.isEmpty)
            } else {
                #expect(restored == nil && error != nil)
                #expect(!report.isRestorable)
            }
        }
    }

    @Test func `pieces that are damaged, not gone, are named with their places`() async throws {
        let protection = try #require(Protection(data: 2, parity: 1))
        let stage = try BackupStage(places: 3)
        _ = try await stage.create()
        let id = try await stage.back(up: Self.tree(), protection: protection).backup.manifest.id
        for place in stage.places.prefix(2) {
            for (name, bytes) in place.files where name.hasPrefix("packs/") {
                place.set(name, Bytes(bytes.dropLast()) + [(bytes.last ?? 0) ^ 1])
            }
        }
        let error = try await failure { _ = try await stage.restored(id) }
        guard case .lost(_, let found, let needed, let missed)? = error else {
            Issue.record("it says: \(String(describing: error))")
            return
        }
        #expect(found == 1 && needed == 2)
        #expect(missed.count == 2 && missed.allSatisfy { $0.contains("place ") })
        let report = try await stage.verify()
        #expect(report.shards.map(\.bad).reduce(0, +) >= 2)
    }

    @Test func `files that were exchanged are not what their names say`() async throws {
        let stage = try BackupStage()
        _ = try await stage.create()
        let first = try await stage.back(up: Self.tree()).backup.manifest.id
        var other = Self.tree()
        other.files["data/more"] = Bytes(repeating: 1, count: 10)
        _ = try await stage.back(up: other)
        let place = stage.places[0]
        for kind in ["packs/", "records/"] {
            let names = place.files.keys.filter { $0.hasPrefix(kind) }.sorted()
            let (one, two) = (place.files[names[0]], place.files[names[1]])
            place.set(names[0], two)
            place.set(names[1], one)
            let error = try await failure { _ = try await stage.restored(first) }
            #expect(error != nil, "\(kind)")
            #expect(!(try await stage.verify().isRestorable) || kind == "records/")
            place.set(names[0], one)
            place.set(names[1], two)
        }
        #expect(try await stage.restored(first) == Self.tree())
    }

    @Test func `a record under another number is not what its name says`() async throws {
        let stage = try BackupStage()
        _ = try await stage.create()
        _ = try await stage.back(up: Self.tree())
        let place = stage.places[0]
        let name = try #require(place.files.keys.first { $0.hasPrefix("records/") })
        place.set(name.replacing("0000000000000001-", with: "0000000000000007-"), place.files[name])
        let state = try await stage.open().state()
        #expect(state.backups.map(\.sequence) == [1])
        #expect(state.findings.contains { if case .damaged = $0 { true } else { false } })
    }

    @Test func `a removed backup that is brought back is no backup`() async throws {
        let stage = try BackupStage()
        let repository = try await stage.create()
        let old = try await stage.back(up: Self.tree()).backup.manifest.id
        let before = stage.places[0].files
        let new = try await stage.back(up: Self.tree()).backup.manifest.id
        _ = try await BackupRemoval.remove(
            [old], from: repository, holder: LockHolder(name: "t", purpose: "t"), clock: stage.clock)
        for (name, bytes) in before { stage.places[0].set(name, bytes) }
        let state = try await repository.state()
        #expect(state.backups.map(\.manifest.id) == [new])
        #expect(state.findings.contains(.replayed(sequence: 1)))
        #expect(try await failure { _ = try await stage.restored(old) } == .notFound("backup \(old)"))
    }

    @Test func `a live record that was taken away is missed`() async throws {
        let stage = try BackupStage()
        _ = try await stage.create()
        _ = try await stage.back(up: Self.tree())
        _ = try await stage.back(up: Self.tree())
        let name = try #require(stage.places[0].files.keys.first { $0.hasPrefix("records/0000000000000001") })
        stage.places[0].set(name, nil)
        let report = try await stage.verify()
        #expect(report.failures == [.missingRecord(sequence: 1)])
        let error = try await failure {
            _ = try await BackupRemoval.remove(
                [], from: try await stage.open(), holder: LockHolder(name: "t", purpose: "t"), clock: stage.clock)
        }
        #expect(error == .missingRecord(sequence: 1), "nothing is deleted while it is not known what is needed")
    }

    @Test func `the newest record, damaged everywhere, is not passed over in silence`() async throws {
        let stage = try BackupStage()
        _ = try await stage.create()
        _ = try await stage.back(up: Self.tree())
        _ = try await stage.back(up: Self.tree())
        let name = try #require(stage.places[0].files.keys.first { $0.hasPrefix("records/0000000000000002") })
        stage.places[0].set(name, Bytes(stage.places[0].files[name]?.dropLast() ?? []))
        #expect(!(try await stage.verify().isRestorable))
        // The next backup takes its number; what is left of the other is then only in the way.
        _ = try await stage.back(up: Self.tree())
        #expect(try await stage.verify().isRestorable)
        _ = try await BackupRemoval.remove(
            [], from: try await stage.open(), holder: LockHolder(name: "t", purpose: "t"), clock: stage.clock)
        #expect(try await stage.verify().warnings.isEmpty)
        #expect(stage.places[0].files[name] == nil)
    }

    @Test func `a repository that was put back to an earlier day is noticed by who remembers`() async throws {
        let stage = try BackupStage()
        _ = try await stage.create()
        _ = try await stage.back(up: Self.tree())
        let before = stage.places[0].files
        let result = try await stage.back(up: Self.tree())
        for name in stage.places[0].files.keys where before[name] == nil { stage.places[0].set(name, nil) }
        let error = try await failure { try await stage.back(up: Self.tree(), known: result.witness) }
        #expect(error == .rolledBack(known: 2, newest: 1))
        // A different second backup: the same number, another past.
        try await stage.back(up: TestTree())
        #expect(
            try await failure { try await stage.back(up: Self.tree(), known: result.witness) } == .forked(sequence: 2))
    }

    @Test func `other keys open nothing, and say so`() async throws {
        let stage = try BackupStage()
        _ = try await stage.create()
        let other = try TestBackupKeys(2)
        let error = try await failure { _ = try await Repository.open(in: stage.places, keys: other) }
        guard case .wrongKey? = error else {
            Issue.record("it says: \(String(describing: error))")
            return
        }
    }

    @Test func `who knows the recipient, and signs for himself, is not believed`() async throws {
        let stage = try BackupStage()
        _ = try await stage.create()
        let forger = try ForgedBackupKeys(1, signing: 9)
        let error = try await failure { _ = try await Repository.open(in: stage.places, keys: forger) }
        guard case .notAuthentic? = error else {
            Issue.record("it says: \(String(describing: error))")
            return
        }
        // A record of his own, in a repository of ours.
        let repository = try await stage.open()
        try await stage.back(up: Self.tree())
        let record = BackupRecord(
            sequence: 2, made: Timestamp(secondsSinceEpoch: 1), previous: .zero, live: [], content: .removal)
        let plaintext = SignedObject(.record, of: repository.id, body: record.body).signed(by: forger)
        let sealed = try SealedObject.seal([plaintext], for: forger)
        stage.places[0].set(RepositoryFile.record(2, .sha256(sealed)).name, sealed)
        let state = try await repository.state()
        #expect(state.backups.count == 1)
        #expect(state.findings.contains { if case .notAuthentic = $0 { true } else { false } })
    }

    @Test func `objects of another repository with the same keys are foreign`() async throws {
        let (one, two) = (try BackupStage(), try BackupStage())
        _ = try await one.create()
        _ = try await two.create()
        try await one.back(up: Self.tree())
        try await two.back(up: TestTree())
        for (name, bytes) in two.places[0].files where !name.hasPrefix("config/") { one.places[0].set(name, bytes) }
        let state = try await one.open().state()
        #expect(state.backups.count == 1)
        #expect(state.findings.contains { if case .foreign = $0 { true } else { false } })
        for (name, bytes) in two.places[0].files { one.places[0].set(name, bytes) }
        let error = try await failure { _ = try await one.open() }
        #expect("\(error, default: "")".contains("two repositories"))
    }

    @Test func `a place that vanished is written around, and too many are not`() async throws {
        let stage = try BackupStage(places: 3)
        _ = try await stage.create()
        let tree = Self.tree()
        stage.places[1].goAway()
        let id = try await stage.back(up: tree, protection: try #require(Protection.copies(3))).backup.manifest.id
        stage.places[1].goAway(false)
        #expect(try await stage.restored(id) == tree)
        #expect(!(try await stage.verify().warnings.isEmpty))
        stage.places[1].goAway()
        stage.places[2].goAway()
        let error = try await failure { try await stage.back(up: tree, protection: try #require(Protection.copies(3))) }
        guard case .unavailable? = error else {
            Issue.record("it says: \(String(describing: error))")
            return
        }
    }
}
