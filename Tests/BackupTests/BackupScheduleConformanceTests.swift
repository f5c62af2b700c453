// The suite of TestKit/Backup/BackupScheduleConformance on each database.

import TestKit
import Testing

@Suite struct BackupScheduleConformanceTests {
    @Test(.serialized, arguments: onEveryDatabase(BackupScheduleConformance.checks))
    func `schedules on every database`(_ check: CheckOnDatabase<TestSchedules>) async throws {
        try await check.run({ try await TestSchedules.make($0) }) { _ in }
    }
}
