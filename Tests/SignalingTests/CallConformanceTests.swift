// The suite of TestKit/Signaling on each database.

import Accounts
import Signaling
import TestKit
import Testing

@Suite struct CallConformanceTests {
    @Test(.serialized, arguments: onEveryDatabase(CallConformance.checks))
    func `calls on every database`(_ check: CheckOnDatabase<TestCalls>) async throws {
        try await check.run({ try await TestCalls.make($0) }) { calls in
            await calls.service.stop()
            try await calls.domain.finish()
            await calls.domain.service.stop()
        }
    }
}
