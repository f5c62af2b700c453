// How the server is: asked by monitors, administrators and `doctor`, answered from one place in each dialect's words.

package import Base
package import Store
import Synchronization

package struct HealthReport: Sendable {
    package var database: DatabaseHealth
    package var load: MachineLoad
    package var isReady: Bool
    package var uptime: Duration
    package var version: String
    /// Requests answered since the start.
    package var requests: Int
    /// Mean time to answer since the start, in milliseconds.
    package var meanResponse: Double

    package var isHealthy: Bool { database.problem == nil }
}

package final class HealthMonitor: Sendable {
    /// A monitor may ask as often as it likes; the database is asked at most this often.
    private static let reportLife = Duration.seconds(1)

    private let database: any Database
    private let load: LoadMonitor
    package let version: String
    private let startedAt = Instant.now()
    private let ready = Atomic<Bool>(false)
    private let last = Mutex<(at: Instant, database: DatabaseHealth)?>(nil)
    private let responseTimes: Histogram

    package init(database: any Database, load: LoadMonitor, version: String, responseTimes: Histogram) {
        self.database = database
        self.load = load
        self.version = version
        self.responseTimes = responseTimes
    }

    /// True between the end of the start and the beginning of the drain: what a load balancer asks.
    package var isReady: Bool {
        get { ready.load(ordering: .relaxed) }
        set { ready.store(newValue, ordering: .relaxed) }
    }

    package func report() async -> HealthReport {
        HealthReport(
            database: await databaseHealth(), load: load.current, isReady: isReady,
            uptime: Instant.now() - startedAt, version: version,
            requests: Int(clamping: responseTimes.count), meanResponse: responseTimes.meanMilliseconds)
    }

    private func databaseHealth() async -> DatabaseHealth {
        let now = Instant.now()
        if let last = last.withLock({ $0 }), now - last.at < Self.reportLife { return last.database }
        let fresh = await database.health()
        last.withLock { $0 = (now, fresh) }
        return fresh
    }
}
