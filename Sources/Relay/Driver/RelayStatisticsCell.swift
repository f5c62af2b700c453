// From the shard's thread to who reads the metrics: a copy a second.

import Synchronization

final class RelayStatisticsCell: Sendable {
    private let value = Mutex(RelayStatistics())

    func publish(_ statistics: RelayStatistics) { value.withLock { $0 = statistics } }
    var current: RelayStatistics { value.withLock { $0 } }
}
