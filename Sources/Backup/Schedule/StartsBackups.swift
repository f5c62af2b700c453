// What schedules have done: backups made, looked at and removed. `BackupService` does it; tests have a hand of their own.

package import Base
import Tasks
import Wire

/// How a backup that a schedule asked for ended.
package enum ScheduledBackupEnd: Sendable, Equatable {
    case made(bytes: UInt64, newBytes: UInt64)
    case failed(String)
    /// Somebody did not want it.
    case cancelled
    /// The server is about to stop: it is to be made anew.
    case interrupted
}

package protocol StartsBackups: Sendable {
    /// Throws for what could never be made.
    func check(_ request: BackupRequest) async throws(BackupServiceError)
    /// Returns when it has ended. What throws `busy`, or that the repository is locked, was not begun.
    func make(_ request: BackupRequest, as id: UUID) async throws(BackupServiceError) -> ScheduledBackupEnd
    /// The backups that have this note.
    func backups(noted note: String) async throws(BackupServiceError) -> [StoredBackup]
    /// Returns when it is gone.
    func remove(_ id: UUID) async throws(BackupServiceError)
}

extension BackupService: StartsBackups {
    /// A removal reads the catalogues of all that stays.
    private static var removalWait: Duration { .hours(12) }

    package func check(_ request: BackupRequest) async throws(BackupServiceError) {
        _ = try await protection(for: request)
    }

    package func make(_ request: BackupRequest, as id: UUID) async throws(BackupServiceError) -> ScheduledBackupEnd {
        let task: TaskRecord
        do throws(BackupServiceError) {
            let started = try await start(request, by: nil, as: id)
            await board.wait(for: started)
            do throws(TaskError) { task = try await board.task(started, for: .everything) } catch { throw .task(error) }
        } catch {
            if case .task(.stopping) = error { return .interrupted }
            throw error
        }
        switch task.state {
        case .succeeded:
            let count = { (name: String) in UInt64(clamping: task.result?[name]?.integerValue ?? 0) }
            return .made(bytes: count("bytes"), newBytes: count("new_bytes"))
        case .cancelled: return .cancelled
        case .interrupted, .running: return .interrupted
        case .failed: return .failed(task.error ?? "the task says nothing")
        }
    }

    package func backups(noted note: String) async throws(BackupServiceError) -> [StoredBackup] {
        try await look().0.backups.filter { $0.manifest.note == note }
    }

    package func remove(_ id: UUID) async throws(BackupServiceError) {
        try await remove(id, by: nil, waiting: Self.removalWait)
    }
}
