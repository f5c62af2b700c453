// What the last verification of each backup said, remembered beside the tasks, which go after some months.

package import Base
package import Store

/// What a verification found.
package struct BackupCheck: Sendable, Equatable {
    package enum Verdict: String, Sendable, CaseIterable {
        /// All of it is there, as often as it should be.
        case whole
        /// It can be restored, and less may happen to it than was meant.
        case degraded
        /// Something of it is lost.
        case damaged
    }

    package let checkedAt: Timestamp
    package let depth: VerificationReport.Depth
    package let verdict: Verdict
}

package enum BackupSchema {
    package static let migrations: [Migration] = [
        Migration(
            name: "backup-checks-0001",
            sql: [
                """
                CREATE TABLE backup_checks (
                    backup_id BLOB NOT NULL PRIMARY KEY, repository_id BLOB NOT NULL, checked_at INTEGER NOT NULL,
                    depth TEXT NOT NULL, verdict TEXT NOT NULL
                ) STRICT
                """,
                "CREATE INDEX backup_checks_by_repository ON backup_checks (repository_id, checked_at)",
            ])
    ]
}

struct BackupChecks: Sendable {
    /// As many as a repository has live records; of backups removed elsewhere the oldest go first.
    private static let most = BackupLimits.liveRecords
    private static let pruneBatch = 1_000

    let database: any Database

    func all(of repository: UUID) async throws(StoreError) -> [UUID: BackupCheck] {
        let rows = try await database.query(
            "SELECT backup_id, checked_at, depth, verdict FROM backup_checks WHERE repository_id = \(repository)")
        var checks: [UUID: BackupCheck] = [:]
        for row in rows {
            guard let id = UUID(try row.blob(0)), let depth = VerificationReport.Depth(rawValue: try row.text(2)),
                let verdict = BackupCheck.Verdict(rawValue: try row.text(3))
            else { throw .corrupt("backup_checks: a row that this version cannot read") }
            checks[id] = BackupCheck(checkedAt: try row.timestamp(1), depth: depth, verdict: verdict)
        }
        return checks
    }

    func keep(_ check: BackupCheck, of backup: UUID, in repository: UUID) async throws(StoreError) {
        try await database.transaction { (transaction) async throws(StoreError) in
            try await transaction.execute(
                """
                INSERT INTO backup_checks (backup_id, repository_id, checked_at, depth, verdict) VALUES (\(backup), \
                \(repository), \(check.checkedAt), \(check.depth.rawValue), \(check.verdict.rawValue)) \
                ON CONFLICT (backup_id) DO UPDATE SET repository_id = excluded.repository_id, \
                checked_at = excluded.checked_at, depth = excluded.depth, verdict = excluded.verdict
                """)
            try await transaction.execute(
                """
                DELETE FROM backup_checks WHERE backup_id IN (SELECT backup_id FROM backup_checks \
                ORDER BY checked_at DESC, backup_id DESC LIMIT \(Self.pruneBatch) OFFSET \(Self.most))
                """)
        }
    }

    func forget(_ backup: UUID) async throws(StoreError) {
        try await database.execute("DELETE FROM backup_checks WHERE backup_id = \(backup)")
    }
}
