// The statistics of a shard, for readers on other threads: taken on the shard's own, at most once a second and only
// while something happens, and left here.

import Base
import Synchronization

final class ShardStatistics: Sendable {
    /// Longer is staler, shorter visits every participant more often.
    static let interval = Duration.seconds(1)

    private let latest = Mutex(EngineStatistics())

    var current: EngineStatistics { latest.withLock { $0 } }

    func publish(_ statistics: EngineStatistics) { latest.withLock { $0 = statistics } }
}
