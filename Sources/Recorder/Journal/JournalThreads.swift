// The threads that seal and write segments. A journal belongs to one of them for its life, so its segments are written
// in order; recordings beyond their number share.

import Base
package import Store

package final class JournalThreads: Sendable {
    /// Two: one disk that hangs does not hold up all recordings, and more would only wait for the same disks.
    package static let count = 2
    /// How often they look for segments that are due. Segments are that much older than `segmentAge` when they are
    /// closed; a shorter time wakes an idle machine more often.
    static let tick = Duration.milliseconds(50)

    /// Started by the first recording; for the life of the process.
    package static let shared: JournalThreads = {
        do throws(StoreError) {
            return try JournalThreads()
        } catch {
            fatalError("no thread for recordings: \(error.words)")
        }
    }()

    private struct Lane {
        var writers: [JournalWriter] = []
    }

    private let lanes: [Monitor<Lane>]

    package init(count: Int = JournalThreads.count) throws(StoreError) {
        lanes = (0..<count).map { _ in Monitor(Lane()) }
        for lane in lanes { try StoreThread.start("recorder") { Self.loop(lane) } }
    }

    /// To the thread that has the fewest.
    func add(_ writer: JournalWriter) {
        let counts = lanes.map { lane in lane.withLock { $0.writers.count } }
        guard let fewest = counts.indices.min(by: { counts[$0] < counts[$1] }) else { return }
        lanes[fewest].signal { $0.writers.append(writer) }
    }

    /// Sleeps without an end while there is no recording.
    private static func loop(_ lane: Monitor<Lane>) {
        while let writers = lane.wait({ $0.writers.isEmpty ? nil : $0.writers }) {
            let over = writers.filter { !$0.advance(at: .now()) }
            lane.withLock { lane in lane.writers.removeAll { writer in over.contains { $0 === writer } } }
            _ = lane.wait(until: (Instant.now() + tick).nanoseconds) { _ in Never?.none }
        }
    }
}
