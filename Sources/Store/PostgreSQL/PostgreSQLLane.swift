// The connections of one loop: a few that are shared by all reads, and a few of which a transaction has one to itself.

import Base

/// `@unchecked`: everything is used on the loop's thread only.
final class PostgreSQLLane: @unchecked Sendable {
    private typealias Handover = CheckedContinuation<Result<PostgreSQLConnection, StoreError>, Never>

    /// Of another loop; the database owns it.
    private struct Sibling {
        weak var lane: PostgreSQLLane?
    }

    private struct Waiter {
        let since: Instant
        let continuation: Handover
    }

    let loop: any EventLoop
    private let options: PostgreSQLDatabase.Options
    private var shared: [PostgreSQLConnection] = []
    private var exclusive: [PostgreSQLConnection] = []
    private var idle: [PostgreSQLConnection] = []
    private var transactions: BoundedQueue<Waiter>
    private var reads: BoundedQueue<Waiter>
    private var timer: (any ScheduledTimer)?
    private var siblings: [Sibling] = []
    /// Transactions and reads that were begun.
    private var active = 0
    private var isClosing = false
    private var whenIdle: [CheckedContinuation<Void, Never>] = []

    init(_ loop: any EventLoop, _ target: PostgreSQLTarget, _ options: PostgreSQLDatabase.Options) {
        self.loop = loop
        self.options = options
        transactions = BoundedQueue(capacity: options.waitingTransactions)
        reads = BoundedQueue(capacity: options.waitingReads)
        shared = (0..<options.sharedConnections).map { _ in
            PostgreSQLConnection(on: loop, to: target, readOnly: true, options, owner: self)
        }
        exclusive = (0..<options.exclusiveConnections).map { _ in
            PostgreSQLConnection(on: loop, to: target, readOnly: false, options, owner: self)
        }
    }

    /// Before the first use.
    func know(_ others: [PostgreSQLLane]) { siblings = others.filter { $0 !== self }.map { Sibling(lane: $0) } }

    // MARK: Reads

    @concurrent func query(_ statement: Statement) async throws(StoreError) -> [Row] {
        try begin()
        defer { end() }
        var attempt = 0
        while true {
            attempt += 1
            let connection = try await sharedConnection()
            let result = await withCheckedContinuation { continuation in
                connection.request(statement) { continuation.resume(returning: SendableAnswer($0)) }
            }
            switch result.outcome {
            case .success(let answer): return answer.rows
            // A read changes nothing, so it may be repeated.
            case .failure(let failure) where failure.remedy != .none && attempt <= options.losses: continue
            case .failure(let failure): throw failure.error
            }
        }
    }

    private func sharedConnection() async throws(StoreError) -> PostgreSQLConnection {
        if let connection = readyForRead() { return connection }
        return try await withCheckedContinuation { (continuation: Handover) in
            wait(continuation, for: shared, in: &reads)
        }.get()
    }

    /// The one with the fewest requests, while its pipeline is not too deep.
    private func readyForRead() -> PostgreSQLConnection? {
        let best = shared.lazy.filter(\.isReady).min { $0.requestCount < $1.requestCount }
        guard let best, best.requestCount < options.pipelineDepth else { return nil }
        return best
    }

    // MARK: Transactions

    @concurrent func run<Value: Sendable, Failure: StoreFailureConvertible>(
        _ body: @escaping @Sendable (any Transaction) async throws(Failure) -> Value, of database: PostgreSQLDatabase
    ) async throws(Failure) -> Value {
        do throws(StoreError) { try begin() } catch { throw Failure(error) }
        defer { end() }
        var losses = 0
        for attempt in 0..<options.attempts {
            if attempt > 0 { await pause(beforeAttempt: attempt) }
            switch await runOnce(body, of: database) {
            case .done(let result): return try result.get()
            case .again(let failure):
                if failure.remedy == .askAgain { losses += 1 }
                if losses > options.losses { throw Failure(failure.error) }
            }
        }
        throw Failure(.unavailable("the transaction met others that changed the same rows, too often"))
    }

    private enum Attempt<Value: Sendable, Failure: Error>: Sendable {
        case done(Result<Value, Failure>)
        case again(PostgreSQLFailure)
    }

    private func runOnce<Value: Sendable, Failure: StoreFailureConvertible>(
        _ body: @escaping @Sendable (any Transaction) async throws(Failure) -> Value, of database: PostgreSQLDatabase
    ) async -> Attempt<Value, Failure> {
        let transaction: PostgreSQLTransaction
        do throws(StoreError) {
            transaction = PostgreSQLTransaction(try await acquire(), on: loop)
        } catch {
            return .done(.failure(Failure(error)))
        }
        transaction.begin()
        let scope = TransactionScope(of: database)
        let result = await scope.run { () async throws(Failure) -> Value in try await body(transaction) }
        scope.end()
        let outcome = await transaction.finish(keeping: (try? result.get()) != nil)
        release(transaction.connection)
        switch outcome {
        case .asTheBodySays: return .done(result)
        case .again(let failure): return .again(failure)
        case .failed(let error): return .done(.failure(Failure(error)))
        case .unknown(let number):
            if let error = await fate(of: number) { return .done(.failure(Failure(error))) }
            return .done(result)
        }
    }

    /// What became of a transaction whose COMMIT was under way when its connection was lost: `nil` when it was kept.
    private func fate(of number: String) async -> StoreError? {
        let end = Instant.now() + options.waitLimit
        while Instant.now() < end {
            let rows = try? await query("SELECT pg_xact_status(CAST(CAST(\(number) AS TEXT) AS xid8))")
            switch try? rows?.first?.text(0) {
            case "committed": return nil
            case "aborted": return .unavailable("the connection to PostgreSQL was lost, and the transaction with it")
            default: await pause(.milliseconds(50))  // still in progress, or not reachable again yet
            }
        }
        return PostgreSQLTransaction.unknown
    }

    /// Two that met are let run at different times: up to 2, 4, 8, … 64 ms.
    private func pause(beforeAttempt attempt: Int) async {
        await pause(.microseconds(Int.random(in: 0...1_000 << min(attempt, 6))))
    }

    private func pause(_ duration: Duration) async {
        await withCheckedContinuation { continuation in
            _ = loop.schedule(after: duration) { continuation.resume() }
        }
    }

    private func acquire() async throws(StoreError) -> PostgreSQLConnection {
        if let connection = idle.popLast() { return connection }
        return try await withCheckedContinuation { (continuation: Handover) in
            wait(continuation, for: exclusive, in: &transactions)
        }.get()
    }

    private func release(_ connection: PostgreSQLConnection) {
        guard connection.isReady else { return }
        // An attempt to connect may have succeeded while the transaction that lost the connection was still going on.
        guard !idle.contains(where: { $0 === connection }) else { return }
        idle.append(connection)
        serve()
    }

    // MARK: Waiting

    private func wait(
        _ continuation: Handover, for connections: [PostgreSQLConnection], in queue: inout BoundedQueue<Waiter>
    ) {
        openMore(connections)
        if let problem = Self.problem(of: connections) {
            continuation.resume(returning: .failure(.unavailable(problem)))
        } else if !queue.append(Waiter(since: loop.now, continuation: continuation)) {
            continuation.resume(returning: .failure(.unavailable("too much is waiting for PostgreSQL")))
        } else {
            watchWaiters()
        }
    }

    /// A reason to refuse at once: none works, and why is known.
    private static func problem(of connections: [PostgreSQLConnection]) -> String? {
        guard !connections.contains(where: { $0.isReady }) else { return nil }
        return connections.lazy.compactMap(\.problem).first
    }

    /// Connections are opened when they are wanted for the first time, one after the other. One that failed opens
    /// itself again.
    private func openMore(_ connections: [PostgreSQLConnection]) {
        guard !isClosing, !connections.contains(where: { $0.isOpen && !$0.isReady }) else { return }
        connections.first { !$0.isOpen && $0.problem == nil }?.open()
    }

    private func serve() {
        while !transactions.isEmpty, let connection = idle.popLast() {
            transactions.popFirst()?.continuation.resume(returning: .success(connection))
        }
        // A waiter sends its request in a later job: at most so many are let go at once that the depth is kept.
        while !reads.isEmpty, let connection = readyForRead() {
            let room = options.pipelineDepth - connection.requestCount
            for _ in 0..<room { reads.popFirst()?.continuation.resume(returning: .success(connection)) }
            break
        }
        if !transactions.isEmpty { openMore(exclusive) }
    }

    private func watchWaiters() {
        guard timer == nil else { return }
        timer = loop.schedule(after: .seconds(1)) { [weak self] in
            guard let self else { return }
            timer = nil
            let oldest = Instant(nanoseconds: loop.now.nanoseconds &- UInt64(clamping: options.waitLimit.nanoseconds))
            Self.refuse(&transactions, olderThan: oldest)
            Self.refuse(&reads, olderThan: oldest)
            serve()
            if !transactions.isEmpty || !reads.isEmpty { watchWaiters() }
        }
    }

    private static func refuse(_ queue: inout BoundedQueue<Waiter>, olderThan oldest: Instant) {
        for _ in 0..<queue.count {
            guard let waiter = queue.popFirst() else { return }
            if waiter.since < oldest {
                waiter.continuation.resume(returning: .failure(.unavailable("PostgreSQL has no time for this")))
            } else {
                _ = queue.append(waiter)
            }
        }
    }

    // MARK: Health and end

    /// For tests: what a broken network does, without the server's knowledge.
    func loseConnections() {
        for connection in shared + exclusive where connection.isReady { connection.fail("cut by a test") }
    }

    var connectionCount: Int { (shared + exclusive).count(where: \.isReady) }
    var problem: String? { Self.problem(of: shared) ?? Self.problem(of: exclusive) }

    private func begin() throws(StoreError) {
        guard !isClosing else { throw .unavailable("the database is closed") }
        active += 1
    }

    private func end() {
        active -= 1
        serve()
        if isClosing, active == 0 { closeConnections() }
    }

    @concurrent func close() async {
        isClosing = true
        guard active > 0 else { return closeConnections() }
        await withCheckedContinuation { whenIdle.append($0) }
    }

    func closeConnections() {
        isClosing = true
        for connection in shared + exclusive { connection.close() }
        idle = []
        timer?.cancel()
        timer = nil
        for continuation in whenIdle { continuation.resume() }
        whenIdle = []
    }
}

extension PostgreSQLLane: PostgreSQLConnectionOwner {
    func connectionIsReady(_ connection: PostgreSQLConnection) {
        // Whoever was acknowledged over this one must not be told over another that there is no server.
        serverIsReached()
        for case let lane? in siblings.map(\.lane) { lane.loop.submit { lane.serverIsReached() } }
        if exclusive.contains(where: { $0 === connection }) { idle.append(connection) } else { openMore(shared) }
        serve()
    }

    private func serverIsReached() {
        guard !isClosing else { return }
        for connection in shared + exclusive { connection.retry() }
    }

    func connectionIsDown(_ connection: PostgreSQLConnection) {
        idle.removeAll { $0 === connection }
        refuseIfDown(&transactions, exclusive)
        refuseIfDown(&reads, shared)
    }

    private func refuseIfDown(_ queue: inout BoundedQueue<Waiter>, _ connections: [PostgreSQLConnection]) {
        guard let problem = Self.problem(of: connections) else { return }
        while let waiter = queue.popFirst() {
            waiter.continuation.resume(returning: .failure(.unavailable(problem)))
        }
    }
}

/// `@unchecked`: rows and counts are values; the failure's parts are, too.
struct SendableAnswer: @unchecked Sendable {
    let outcome: Result<PostgreSQLConnection.Answer, PostgreSQLFailure>
    init(_ outcome: Result<PostgreSQLConnection.Answer, PostgreSQLFailure>) { self.outcome = outcome }
}
