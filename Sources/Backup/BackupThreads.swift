// The two threads that compress, encrypt, hash, and wait for disks.

package import Store

package enum BackupThreads {
    /// Two: a backup runs beside a server, and more would take its cores. They sleep when there is no backup.
    package static let count = 2

    /// Started by the first backup; for the life of the process.
    package static let shared: FileThreads = {
        do throws(StoreError) {
            return try FileThreads(count: count, name: "backup")
        } catch {
            fatalError("no thread for backups: \(error.words)")
        }
    }()

    /// Runs `body` and what it starts on these threads.
    static func run<Value: Sendable>(
        _ body: @Sendable () async throws -> Value
    ) async throws(BackupError) -> Value {
        try await typed { try await withTaskExecutorPreference(shared) { try await onThreads(body) } }
    }

    @concurrent private static func onThreads<Value: Sendable>(
        _ body: @Sendable () async throws -> Value
    ) async throws -> Value { try await body() }
}
