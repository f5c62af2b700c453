// The suite of files on each database.

import TestKit
import Testing

@Suite struct FileConformanceTests {
    @Test(.serialized, arguments: onEveryDatabase(FileConformance.checks))
    func `files on every database`(_ check: CheckOnDatabase<TestFiles>) async throws {
        try await check.run({ try await TestFiles.make($0) }) { try await $0.finish() }
    }
}
