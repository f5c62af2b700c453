// What the blob ledger must do on every database.

import Accounts
import Base
import Store

package enum BlobLedgerConformance {
    package typealias Check = ConformanceCheck<TestLedger>

    package static let checks: [Check] = keeping + quotas + assigning + cleaning

    private static let alice = BlobPayer(user: UserID(.random()), organization: .random(), pot: .files)
    private static let bob = BlobPayer(user: UserID(.random()), pot: .files)

    private static let keeping: [Check] = [
        Check("what is claimed is kept and paid for, by the user and by the organisation, until it is released") {
            test in
            let holder = UUID.random()
            let blob = try await add(test, "content", for: alice, holder)
            try requireEqual(try await test.store.bytes(blob.key, limit: 100), Bytes("content".utf8))
            let usage = try await test.ledger.usage(of: alice, within: BlobQuota(user: 100, organization: 10))
            try requireEqual(
                usage,
                [
                    BlobUsage(owner: .user, used: 7, reserved: 0, limit: 100),
                    BlobUsage(owner: .organization, used: 7, reserved: 0, limit: 10),
                ])
            try requireEqual(usage.map(\.free), [93, 3])
            try await test.ledger.sweep()
            try requireEqual(try await test.blobCount, 1)
            try await release(test, holder)
            try requireEqual(try await test.blobCount, 0)
            try requireEqual(try await test.usage(alice).used, 0)
        },
        Check("one content of many is stored once, paid by each, and goes with the last") { test in
            let (first, second) = (UUID.random(), UUID.random())
            _ = try await add(test, "the same", for: alice, first)
            let blob = try await add(test, "the same", for: bob, second)
            try requireEqual(try await test.blobCount, 1)
            try requireEqual(try await test.usage(bob).used, 8)
            try await release(test, first)
            try requireEqual(try await test.store.info(blob.key), blob)
            try await release(test, second)
            try requireEqual(try await test.store.info(blob.key), nil)
        },
        Check("a claim that is rolled back leaves the reservation; a holder has one blob in each place") { test in
            let reservation = try await test.ledger.reserve(0...10, for: bob, within: BlobQuota())
            let blob = try await test.ledger.put(reservation, from: TestSource("ten bytes!").source)
            try requireEqual(try await test.usage(bob).reserved, 10)
            try await requireError(BlobLedgerError.self) {
                try await test.database.transaction { (transaction) async throws(BlobLedgerError) in
                    try await BlobLedger.claim(reservation, blob, for: .random(), charged: 10, in: transaction)
                    throw BlobLedgerError.reservationOver
                }
            } matches: {
                $0 == .reservationOver
            }
            try requireEqual(try await test.usage(bob).reserved, 10)
            let holder = UUID.random()
            try await claim(test, reservation, blob, holder)
            try await requireError(BlobLedgerError.self) {
                try await claim(test, reservation, blob, holder)
            } matches: {
                $0 == .reservationOver
            }
            try await requireError(BlobLedgerError.self) {
                _ = try await add(test, "other", for: bob, holder)
            } matches: {
                if case .store(.conflict) = $0 { true } else { false }
            }
        },
        Check("adding and deleting the same content at once: who has claimed it, has it") { test in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        for _ in 0..<12 {
                            let holder = UUID.random()
                            let blob = try await add(test, "contended", for: bob, holder)
                            try requireEqual(try await test.store.bytes(blob.key, limit: 9).count, 9)
                            try await release(test, holder)
                        }
                    }
                }
                try await group.waitForAll()
            }
            try await test.ledger.sweep()
            try requireEqual(try await test.blobCount, 0)
        },
    ]

    private static let quotas: [Check] = [
        Check("of many that race for the last bytes of a quota exactly one wins") { test in
            let quota = BlobQuota(user: 1_000, organization: 100)
            let winners = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<12 {
                    group.addTask {
                        do {
                            _ = try await test.ledger.reserve(60...60, for: alice, within: quota)
                            return 1
                        } catch BlobLedgerError.quotaExceeded(let usage) {
                            try requireEqual(usage.owner, .organization)
                            return 0
                        }
                    }
                }
                return try await group.reduce(0, +)
            }
            try requireEqual(winners, 1)
            try requireEqual(try await test.usage(alice).reserved, 60)
            _ = try await test.ledger.reserve(40...40, for: alice, within: quota)
        },
        Check("a reservation takes what is left, and its excess is the quota's") { test in
            let quota = BlobQuota(user: 10)
            _ = try await add(test, "four", for: bob, .random())
            let short = try await test.ledger.reserve(1...100, for: bob, within: quota)
            try requireEqual(short.bytes, 6)
            let full = BlobUsage(owner: .user, used: 4, reserved: 0, limit: 10)
            try requireEqual(short.shortage, full)
            try await requireError(BlobLedgerError.self) {
                _ = try await test.ledger.put(short, from: TestSource("seven..").source)
            } matches: {
                $0 == .quotaExceeded(full)
            }
            _ = try await test.ledger.put(short, from: TestSource("six...").source)
            try await requireError(BlobLedgerError.self) {
                _ = try await test.ledger.reserve(1...1, for: bob, within: quota)
            } matches: {
                $0 == .quotaExceeded(BlobUsage(owner: .user, used: 4, reserved: 6, limit: 10))
            }
            try requireEqual(try await test.usage(bob).reserved, 6)
            let other = BlobPayer(user: bob.user, pot: .avatars)
            let enough = try await test.ledger.reserve(3...3, for: other, within: quota)
            try await requireError(BlobLedgerError.self) {
                _ = try await test.ledger.put(enough, from: TestSource("four").source)
            } matches: {
                $0 == .tooLarge(limit: 3)
            }
        },
    ]

    private static let assigning: [Check] = [
        Check("an organisation that is known late pays what was put, if it can") { test in
            let quota = BlobQuota(user: 100, organization: 10)
            let organization = UUID.random()
            let payer = BlobPayer(user: bob.user, organization: organization, pot: .files)
            for (text, fits) in [("six...", true), ("five.", false), ("four", true)] {
                let reservation = try await test.ledger.reserve(0...50, for: bob, within: quota)
                let blob = try await test.ledger.put(reservation, from: TestSource(text).source)
                if fits {
                    let assigned = try await test.ledger.assign(reservation, blob, to: organization, within: quota)
                    try requireEqual(assigned.bytes, blob.length)
                    try await claim(test, assigned, blob, .random())
                } else {
                    try await requireError(BlobLedgerError.self) {
                        _ = try await test.ledger.assign(reservation, blob, to: organization, within: quota)
                    } matches: {
                        $0 == .quotaExceeded(BlobUsage(owner: .organization, used: 6, reserved: 0, limit: 10))
                    }
                    await test.ledger.giveBack(reservation)
                }
            }
            try requireEqual(try await test.usage(payer).used, 10)
            try requireEqual(try await test.ledger.usage(of: payer, within: quota).map(\.free), [90, 0])
        }
    ]

    private static let cleaning: [Check] = [
        Check("an upload that breaks off leaves nothing") { test in
            let reservation = try await test.ledger.reserve(0...100, for: bob, within: BlobQuota(user: 100))
            let source = TestSource([Bytes("some".utf8)], failure: ConformanceFailure(description: "broken off"))
            try await requireError(ConformanceFailure.self) {
                _ = try await test.ledger.put(reservation, from: source.source)
            } matches: {
                $0.description == "broken off"
            }
            await test.ledger.giveBack(reservation)
            await test.ledger.giveBack(reservation)
            try requireEqual(try await test.blobCount, 0)
            try requireEqual(test.folder.entries(of: "blobs/incoming"), [])
            let usage = try await test.usage(bob)
            try requireEqual([usage.used, usage.reserved], [0, 0])
        },
        Check("a full disk keeps nothing, and is told as what it is") { test in
            let reservation = try await test.ledger.reserve(0...100, for: bob, within: BlobQuota())
            test.store.fail(.unavailable("the disk is full"))
            try await requireError(BlobLedgerError.self) {
                _ = try await test.ledger.put(reservation, from: TestSource("content").source)
            } matches: {
                $0 == .blob(.unavailable("the disk is full"))
            }
            test.store.fail(nil)
            await test.ledger.giveBack(reservation)
            try await test.ledger.sweep()
            try requireEqual(try await test.blobCount, 0)
        },
        Check("what was stored and never claimed is removed when its time is over, and cannot be claimed then") {
            test in
            let reservation = try await test.ledger.reserve(0...100, for: bob, within: BlobQuota())
            let blob = try await test.ledger.put(reservation, from: TestSource("content").source)
            test.clock.advance(by: .minutes(14))
            try await test.ledger.sweep()
            try requireEqual(try await test.blobCount, 1)
            test.clock.advance(by: .minutes(2))
            try await test.ledger.sweep()
            try requireEqual(try await test.blobCount, 0)
            try await requireError(BlobLedgerError.self) {
                try await claim(test, reservation, blob, .random())
            } matches: {
                $0 == .reservationOver
            }
        },
        Check("a slow upload lives as long as bytes come") { test in
            let reservation = try await test.ledger.reserve(0...1_000, for: bob, within: BlobQuota())
            let source = TestSource(Array(repeating: Bytes(repeating: 1, count: 10), count: 20))
            let blob = try await test.ledger.put(reservation) {
                test.clock.advance(by: .minutes(5))
                try await test.ledger.sweep()
                return try source.next()
            }
            try await claim(test, reservation, blob, .random())
        },
        Check("a restart ends uploads, but those that outlive it") { test in
            for outlives in [false, true] {
                let reservation = try await test.ledger.reserve(
                    0...100, for: bob, within: BlobQuota(), lifetime: .hours(1), outlivesProcess: outlives)
                _ = try await test.ledger.put(reservation, from: TestSource("content \(outlives)").source)
            }
            let next = test.restarted()
            try await next.start()
            try await next.sweep()
            let isAlone = test.database.engine == .sqlite
            try requireEqual(try await test.blobCount, isAlone ? 1 : 2)
            test.clock.advance(by: .hours(2))
            try await next.sweep()
            try requireEqual(try await test.blobCount, 0)
        },
        Check("a deletion that breaks off is done later, and keeps its content away until then") { test in
            let holder = UUID.random()
            _ = try await add(test, "content", for: bob, holder)
            test.store.fail(.unavailable("away"))
            try await release(test, holder)
            try requireEqual(try await test.blobCount, 1)
            test.store.fail(nil)
            try await test.ledger.sweep()
            try requireEqual(try await test.blobCount, 1)
            test.clock.advance(by: .minutes(11))
            try await test.ledger.sweep()
            try requireEqual(try await test.blobCount, 0)
            _ = try await add(test, "content", for: bob, .random())
            try requireEqual(try await test.blobCount, 1)
        },
    ]

    // MARK: Steps

    private static func add(
        _ test: TestLedger, _ text: String, for payer: BlobPayer, _ holder: UUID
    ) async throws -> BlobInfo {
        let count = Int64(text.utf8.count)
        let reservation = try await test.ledger.reserve(count...count, for: payer, within: BlobQuota())
        let blob = try await test.ledger.put(reservation, from: TestSource(text).source)
        try await claim(test, reservation, blob, holder)
        return blob
    }

    private static func claim(
        _ test: TestLedger, _ reservation: BlobReservation, _ blob: BlobInfo, _ holder: UUID
    ) async throws {
        try await test.database.transaction { (transaction) async throws(BlobLedgerError) in
            try await BlobLedger.claim(reservation, blob, for: holder, charged: blob.length, in: transaction)
        }
    }

    private static func release(_ test: TestLedger, _ holder: UUID) async throws {
        try await test.database.transaction { (transaction) async throws(BlobLedgerError) in
            try await BlobLedger.release([holder], in: transaction)
        }
        await test.ledger.collect()
    }
}
