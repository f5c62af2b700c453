// PostgreSQL beside the process: libpq in pipeline mode, driven by the loops that the process has anyway.

package import Base
import Synchronization

package final class PostgreSQLDatabase: Database {
    /// Bounds, each with what a higher and a lower value would do.
    package struct Options: Sendable {
        /// Connections per loop that all reads share. One carries tens of thousands of small reads a second; a second
        /// one keeps a slow read from holding up those behind it.
        package var sharedConnections = 2
        /// Connections per loop for transactions, each of which needs one while it runs. Opened when first wanted.
        package var exclusiveConnections = 4
        /// Requests under way on one shared connection. Higher: more wait behind a slow one.
        package var pipelineDepth = 128
        /// Reads per loop that may wait for room; the next is refused as `unavailable`.
        package var waitingReads = 4_096
        /// Transactions per loop that may wait for a connection; the next is refused as `unavailable`.
        package var waitingTransactions = 1_024
        /// How long one of them waits before it is refused.
        package var waitLimit = Duration.seconds(5)
        /// Times that a transaction is run when others keep changing the same rows. With the pauses between them,
        /// fifty are about two seconds: one row that eight tasks fight over needs more than ten on a busy machine.
        package var attempts = 50
        /// Times that a read or a transaction is begun anew because its connection was lost under it. A restart of
        /// the server cuts all connections, and each may be found out separately.
        package var losses = 3
        /// Name resolution, TCP, TLS and authentication together.
        package var connectLimit = Duration.seconds(10)
        /// A statement that runs longer is broken off by the server.
        package var statementLimit = Duration.seconds(10)
        /// A body that does nothing for so long loses its connection, and its locks with it.
        package var bodyLimit = Duration.seconds(10)
        /// Prepared statements kept per connection; each costs the server some ten KiB.
        package var cachedStatements = 256

        package init() {}
    }

    package var engine: DatabaseHealth.Engine { .postgresql }
    private let options: Options
    private let lanes: [PostgreSQLLane]
    private let next = Atomic(0)

    /// `connection` is a libpq connection string or URL. Connects when first used. The loops must outlive `close`.
    package init(
        connection: Secret, loops: [any EventLoop], options: Options = Options()
    ) throws(StoreError) {
        precondition(!loops.isEmpty, "PostgreSQL needs a loop")
        let target = try PostgreSQLTarget(connection)
        self.options = options
        lanes = loops.map { PostgreSQLLane($0, target, options) }
        for lane in lanes { lane.know(lanes) }
    }

    deinit {
        for lane in lanes { lane.loop.submit { lane.closeConnections() } }
    }

    /// The caller's own loop, if it is one of ours, so that the answer need not change threads.
    private var lane: PostgreSQLLane {
        if let own = lanes.first(where: { $0.loop.isCurrent }) { return own }
        let index = next.wrappingAdd(1, ordering: .relaxed).newValue
        return lanes[Int(UInt(bitPattern: index) % UInt(lanes.count))]
    }

    package func query(_ statement: Statement) async throws(StoreError) -> [Row] {
        try TransactionScope.requireNone(on: self)
        let lane = lane
        return try await withTaskExecutorPreference(lane.loop) { () async throws(StoreError) -> [Row] in
            try await lane.query(statement)
        }
    }

    package func transaction<Value: Sendable, Failure: StoreFailureConvertible>(
        _ body: @escaping @Sendable (any Transaction) async throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        do throws(StoreError) { try TransactionScope.requireNone(on: self) } catch { throw Failure(error) }
        let lane = lane
        return try await withTaskExecutorPreference(lane.loop) { () async throws(Failure) -> Value in
            try await lane.run(body, of: self)
        }
    }

    package func health() async -> DatabaseHealth {
        var problem: String?
        do throws(StoreError) { _ = try await query("SELECT 1") } catch { problem = error.words }
        var connections = 0
        for lane in lanes { connections += await Self.connectionCount(of: lane) }
        let poolSize = lanes.count * (options.sharedConnections + options.exclusiveConnections)
        return DatabaseHealth(engine: .postgresql, problem: problem, connections: connections, poolSize: poolSize)
    }

    private static func connectionCount(of lane: PostgreSQLLane) async -> Int {
        await withCheckedContinuation { continuation in
            lane.loop.submit { continuation.resume(returning: lane.connectionCount) }
        }
    }

    /// For tests.
    func loseConnections() {
        for lane in lanes { lane.loop.submit { lane.loseConnections() } }
    }

    package func close() async {
        for lane in lanes { await withTaskExecutorPreference(lane.loop) { await lane.close() } }
    }
}
