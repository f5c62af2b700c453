// The suite of TestKit/Accounts/KeyConformance on each database.

import TestKit
import Testing

@Suite struct KeyConformanceTests {
    @Test(.serialized, arguments: onEveryDatabase(KeyConformance.checks))
    func `named keys on every database`(_ check: CheckOnDatabase<TestKeys>) async throws {
        try await check.run({ try await TestKeys.make($0) }) { _ in }
    }
}
