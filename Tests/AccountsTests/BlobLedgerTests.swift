// The ledger's suite on each database.

import TestKit
import Testing

@Suite struct BlobLedgerTests {
    @Test(.serialized, arguments: onEveryDatabase(BlobLedgerConformance.checks))
    func `the blob ledger on every database`(_ check: CheckOnDatabase<TestLedger>) async throws {
        try await check.run({ try await TestLedger.make($0) }) { try await $0.verify() }
    }
}
