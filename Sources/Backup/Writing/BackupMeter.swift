// How far a backup, a verification or a restore is: counted by its workers, read by whoever shows it.

package import Base
import Synchronization

package struct BackupProgress: Sendable {
    package enum Phase: String, Sendable { case preparing, working, finishing, finished }

    package struct Shard: Sendable, Equatable {
        /// A place's name.
        package let place: String
        package var pieces = 0
        package var bytes: UInt64 = 0
        /// What went wrong there last.
        package var problem: String?
    }

    package var phase = Phase.preparing
    package var items: UInt64 = 0
    package var bytes: UInt64 = 0
    /// An estimate, where there is one.
    package var bytesExpected: UInt64?
    package var bytesStored: UInt64 = 0
    package var shards: [Shard]
    package var began: Instant

    /// 0 to 100; a backup that grew while it was read does not pass 99 before it is finished.
    package var percentage: Double? {
        if phase == .finished { return 100 }
        guard let bytesExpected, bytesExpected > 0 else { return nil }
        return min(99, 100 * Double(bytes) / Double(bytesExpected))
    }

    /// From how fast it went so far.
    package func remaining(at now: Instant) -> Duration? {
        guard phase == .working, let bytesExpected, bytes > 0 else { return nil }
        let rest = bytesExpected > bytes ? bytesExpected - bytes : 0
        return .nanoseconds(Int64(Double((now - began).nanoseconds) * Double(rest) / Double(bytes)))
    }
}

package final class BackupMeter: Sendable {
    private let progress: Mutex<BackupProgress>

    package init(_ repository: Repository, now: Instant = .now()) {
        progress = Mutex(
            BackupProgress(shards: repository.places.places.map { .init(place: $0.name) }, began: now))
    }

    package var current: BackupProgress { progress.withLock { $0 } }

    func enter(_ phase: BackupProgress.Phase) { progress.withLock { $0.phase = phase } }
    func expect(_ bytes: UInt64?) { progress.withLock { $0.bytesExpected = bytes } }

    func count(items: UInt64 = 0, bytes: Int = 0, stored: Int = 0) {
        progress.withLock { progress in
            progress.items += items
            progress.bytes += UInt64(bytes)
            progress.bytesStored += UInt64(stored)
        }
    }

    func count(_ report: PieceReport) {
        progress.withLock { progress in
            for (place, bytes) in report.written {
                progress.shards[place].pieces += 1
                progress.shards[place].bytes += UInt64(bytes)
            }
            for (place, error) in report.failures { progress.shards[place].problem = "\(error)" }
        }
    }
}

/// So many bytes a second. Whoever wants to send asks how long to wait before.
struct BandwidthLimit: Sendable {
    let bytesPerSecond: Int
    private var free = Instant(nanoseconds: 0)

    init(bytesPerSecond: Int) { self.bytesPerSecond = max(1, bytesPerSecond) }

    mutating func delay(for bytes: Int, now: Instant) -> Duration {
        let start = max(free, now)
        free = start + .nanoseconds(Int64(Double(bytes) * 1e9 / Double(bytesPerSecond)))
        return start - now
    }
}
