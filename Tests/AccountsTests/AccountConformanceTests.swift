// The suite of TestKit/Accounts on each database.

import Accounts
import TestKit
import Testing

@Suite struct AccountConformanceTests {
    @Test(.serialized, arguments: onEveryDatabase(AccountConformance.checks))
    func `accounts on every database`(_ check: CheckOnDatabase<TestAccounts>) async throws {
        try await check.run({ try await TestAccounts.make($0) }) { accounts in
            try await accounts.finish()
            await accounts.service.stop()
        }
    }
}
