// One connection to PostgreSQL, in libpq's pipeline mode, on one loop.
//
// Every request is: prepare the statement if this connection has not seen it, execute it, sync. The sync bounds an
// error to its own request, so requests of different callers can share the pipeline. Answers come in the order of the
// requests; a request is complete with its sync.

import Base
import CPQ

/// Told what happens to a connection, on the loop's thread.
protocol PostgreSQLConnectionOwner: AnyObject {
    func connectionIsReady(_ connection: PostgreSQLConnection)
    /// An attempt to connect failed, or an established connection was lost.
    func connectionIsDown(_ connection: PostgreSQLConnection)
}

/// `@unchecked`: everything is used on the loop's thread only.
final class PostgreSQLConnection: @unchecked Sendable {
    struct Answer {
        var rows: [Row] = []
        var changes = 0
        var tag = ""
    }

    typealias Completion = (Result<Answer, PostgreSQLFailure>) -> Void

    private struct Request {
        let key: String
        /// The statement's name on the server.
        let name: String
        /// It was sent with its preparation, whose answer has not come.
        var isPreparing: Bool
        let begun: Instant
        var outcome: Result<Answer, PostgreSQLFailure>?
        let completion: Completion
    }

    private enum Phase { case closed, connecting, ready }

    private let loop: any EventLoop
    private let target: PostgreSQLTarget
    private let options: PostgreSQLDatabase.Options
    private let setup: Statement
    private weak var owner: (any PostgreSQLConnectionOwner)?

    private var phase = Phase.closed
    /// Tells what belongs to an attempt that was given up.
    private var generation = 0
    private var handle: OpaquePointer?
    private var watch: (any DescriptorWatch)?
    private var timer: (any ScheduledTimer)?
    private var failedAttempts = 0
    private var requests: [Request] = []
    private var firstRequest = 0
    private var cache: StatementCache<String>
    private var preparedCount = 0

    /// Why the last attempt to connect failed; `nil` when there is none, or when it is not known yet.
    private(set) var problem: String?

    init(
        on loop: any EventLoop, to target: PostgreSQLTarget, readOnly: Bool, _ options: PostgreSQLDatabase.Options,
        owner: any PostgreSQLConnectionOwner
    ) {
        self.loop = loop
        self.target = target
        self.options = options
        self.owner = owner
        setup = Self.setup(readOnly: readOnly, options)
        cache = StatementCache(capacity: options.cachedStatements)
    }

    var isReady: Bool { phase == .ready }
    var isOpen: Bool { phase != .closed }
    var requestCount: Int { requests.count - firstRequest }

    // MARK: Connecting

    func open() {
        guard phase == .closed else { return }
        phase = .connecting
        generation += 1
        let attempt = generation
        timer = loop.schedule(after: options.connectLimit) { [weak self] in
            self?.fail("PostgreSQL does not answer")
        }
        // libpq resolves names when it starts to connect, and blocks meanwhile: not on the loop.
        do throws(StoreError) {
            try StoreThread.start("store-connect") { [self] in
                let started = target.start()
                loop.submit { [self] in adopt(started, attempt) }
            }
        } catch {
            fail(error.words)
        }
    }

    private func adopt(_ started: PostgreSQLTarget.Started, _ attempt: Int) {
        guard phase == .connecting, attempt == generation, let new = started.handle else {
            PQfinish(started.handle)
            if attempt == generation, phase == .connecting { fail("there is not enough memory") }
            return
        }
        handle = new
        guard PQstatus(new) != CONNECTION_BAD else { return failConnecting() }
        waitToPoll(for: .writable)
    }

    private func pollConnect() {
        switch PQconnectPoll(handle) {
        case PGRES_POLLING_READING: waitToPoll(for: .readable)
        case PGRES_POLLING_WRITING: waitToPoll(for: .writable)
        case PGRES_POLLING_OK: connected()
        default: failConnecting()
        }
    }

    /// libpq may try one socket after the other: the watch is made anew each time.
    private func waitToPoll(for interest: Readiness) {
        watch?.cancel()
        do throws(SystemError) {
            watch = try loop.watch(PQsocket(handle), for: interest) { [weak self] _ in self?.pollConnect() }
        } catch {
            fail("\(error)")
        }
    }

    private func connected() {
        watch?.cancel()
        timer?.cancel()
        timer = nil
        plexi_pq_ignore_notices(handle)
        guard PQsetnonblocking(handle, 1) == 0, PQenterPipelineMode(handle) == 1 else { return failConnecting() }
        do throws(SystemError) {
            watch = try loop.watch(PQsocket(handle), for: .readable) { [weak self] ready in self?.socketIsReady(ready) }
        } catch {
            return fail("\(error)")
        }
        phase = .ready
        failedAttempts = 0
        problem = nil
        request(setup) { [weak self] answer in
            if case .failure(let failure) = answer { self?.fail(failure.error.words) }
        }
        owner?.connectionIsReady(self)
    }

    private static func setup(readOnly: Bool, _ options: PostgreSQLDatabase.Options) -> Statement {
        let limit = "\(options.statementLimit.milliseconds)"
        let idle = "\(options.bodyLimit.milliseconds)"
        return """
            SELECT set_config('statement_timeout', \(limit), false),
            set_config('idle_in_transaction_session_timeout', \(idle), false),
            set_config('default_transaction_read_only', \(readOnly ? "on" : "off"), false),
            set_config('synchronous_commit', 'on', false), set_config('standard_conforming_strings', 'on', false)
            """
    }

    // MARK: Losing

    private func failConnecting() { fail(target.redact(String(cString: PQerrorMessage(handle)))) }

    /// Gives the connection up, tells everyone who waits for it, and connects anew after a while.
    func fail(_ words: String) {
        guard phase != .closed else { return }
        let wasReady = phase == .ready
        disconnect(because: words)
        // After a loss nothing is known yet: the next attempt may well succeed at once.
        problem = wasReady ? nil : "PostgreSQL is not reachable: \(words)"
        if !wasReady { failedAttempts += 1 }
        let delay = wasReady ? .zero : backoff
        if delay == .zero {
            open()
        } else {
            timer = loop.schedule(after: delay) { [weak self] in self?.open() }
        }
        owner?.connectionIsDown(self)
    }

    /// Another connection has reached the server: what is known of this one is out of date, and it need not wait.
    func retry() {
        guard problem != nil else { return }
        problem = nil
        guard phase == .closed else { return }
        timer?.cancel()
        timer = nil
        open()
    }

    /// From 0.1 s doubling to 5 s, less up to a half by chance, so that nodes do not come back in step.
    private var backoff: Duration {
        let longest = min(5_000, 100 << min(failedAttempts, 10))
        return .milliseconds(Int.random(in: longest / 2...longest))
    }

    private func disconnect(because words: String) {
        phase = .closed
        generation += 1
        timer?.cancel()
        timer = nil
        watch?.cancel()
        watch = nil
        PQfinish(handle)
        handle = nil
        _ = cache.removeAll()
        let lost = requests[firstRequest...]
        requests = []
        firstRequest = 0
        for request in lost {
            request.completion(.failure(.lost(words)))
        }
    }

    /// For good: no attempt to connect follows.
    func close() {
        disconnect(because: "it was closed")
        timer?.cancel()
        timer = nil
    }

    // MARK: Requests

    /// Sends a statement; `completion` is called on the loop's thread, exactly once, never before this returns.
    func request(_ statement: Statement, _ completion: @escaping Completion) {
        guard phase == .ready else {
            return complete(completion, .lost())
        }
        do throws(StoreError) {
            let parameters = try PostgreSQLParameters(statement.parameters)
            let key = Self.key(statement.sql, parameters.types)
            let cached = cache.value(for: key)
            let name = cached ?? nextName()
            guard cached != nil || prepare(name, statement.sql, parameters.types, key), send(parameters, to: name)
            else {
                complete(completion, .lost())
                return loop.submit { [weak self] in self?.failSending() }
            }
            append(
                Request(
                    key: key, name: name, isPreparing: cached == nil, begun: loop.now, completion: completion))
        } catch {
            complete(completion, PostgreSQLFailure(error: error))
        }
    }

    private func complete(_ completion: @escaping Completion, _ failure: PostgreSQLFailure) {
        let later = LaterCompletion(completion: completion, failure: failure)
        loop.submit { later.completion(.failure(later.failure)) }
    }

    /// `@unchecked`: made and used on the loop's thread.
    private struct LaterCompletion: @unchecked Sendable {
        let completion: Completion
        let failure: PostgreSQLFailure
    }

    private func failSending() {
        guard phase == .ready, let handle else { return }
        fail(target.redact(String(cString: PQerrorMessage(handle))))
    }

    /// The parameters' types belong to the prepared statement.
    private static func key(_ sql: String, _ types: [UInt32]) -> String {
        types.reduce(into: sql) { key, type in
            key += "\u{1}"
            key += String(type)
        }
    }

    private func nextName() -> String {
        preparedCount += 1
        return "s\(preparedCount)"
    }

    private func send(_ parameters: PostgreSQLParameters, to name: String) -> Bool {
        let sent = parameters.withPointers { values, lengths, formats in
            PQsendQueryPrepared(handle, name, Int32(parameters.count), values, lengths, formats, 1)
        }
        return sent == 1 && PQpipelineSync(handle) == 1 && flush()
    }

    private func prepare(_ name: String, _ sql: String, _ types: [UInt32], _ key: String) -> Bool {
        if let evicted = cache.insert(name, for: key) { deallocate(evicted) }
        return PQsendPrepare(handle, name, PostgreSQLStatement.numbered(sql), Int32(types.count), types) == 1
    }

    /// libpq has no call for this before version 17. The name is our own.
    private func deallocate(_ name: String) {
        guard PQsendQueryParams(handle, "DEALLOCATE \(name)", 0, nil, nil, nil, nil, 1) == 1 else { return }
        guard PQpipelineSync(handle) == 1 else { return }
        append(Request(key: "", name: "", isPreparing: false, begun: loop.now, completion: { _ in }))
    }

    private func append(_ request: Request) {
        requests.append(request)
        if timer == nil { watchOldest() }
    }

    /// The server has a limit of its own for statements; this one is for a server that is not there any more.
    private func watchOldest() {
        let limit = options.statementLimit + .seconds(5)
        timer = loop.schedule(after: limit) { [weak self] in
            guard let self, phase == .ready else { return }
            timer = nil
            guard requestCount > 0 else { return }
            if loop.now - requests[firstRequest].begun >= limit { return fail("PostgreSQL does not answer") }
            watchOldest()
        }
    }

    // MARK: The socket

    private func flush() -> Bool {
        let state = PQflush(handle)
        let wanted: Readiness = state == 1 ? [.readable, .writable] : .readable
        if let watch, watch.interest != wanted { watch.interest = wanted }
        return state >= 0
    }

    private func socketIsReady(_ ready: Readiness) {
        if ready.contains(.writable), !flush() { return failSending() }
        guard ready.contains(.readable) else { return }
        guard PQconsumeInput(handle) == 1 else { return failSending() }
        readAnswers()
        // What was read may make room for what waits to be sent.
        if phase == .ready, PQstatus(handle) == CONNECTION_BAD { failSending() }
    }

    /// Between two commands libpq answers once with nothing; twice means that there is nothing more.
    private func readAnswers() {
        var nothings = 0
        while phase == .ready, requestCount > 0, nothings < 2, PQisBusy(handle) == 0 {
            guard let result = PQgetResult(handle) else {
                nothings += 1
                continue
            }
            nothings = 0
            take(result)
            PQclear(result)
        }
    }

    private func take(_ result: OpaquePointer) {
        switch PQresultStatus(result) {
        case PGRES_PIPELINE_SYNC: completeFirst()
        case PGRES_PIPELINE_ABORTED: break  // the error came before
        case PGRES_COMMAND_OK where requests[firstRequest].isPreparing: requests[firstRequest].isPreparing = false
        case PGRES_COMMAND_OK: note(.success(Answer(changes: PostgreSQLResult.changes(result), tag: Self.tag(result))))
        case PGRES_TUPLES_OK:
            do throws(PostgreSQLFailure) {
                let rows = try PostgreSQLResult.rows(result)
                note(.success(Answer(rows: rows, changes: PostgreSQLResult.changes(result), tag: Self.tag(result))))
            } catch {
                note(.failure(error))
            }
        default: note(.failure(PostgreSQLFailure(result)))
        }
    }

    private static func tag(_ result: OpaquePointer) -> String { String(cString: PQcmdStatus(result)) }

    private func note(_ outcome: Result<Answer, PostgreSQLFailure>) { requests[firstRequest].outcome = outcome }

    private func completeFirst() {
        let request = requests[firstRequest]
        firstRequest += 1
        if firstRequest == requests.count {
            requests.removeAll(keepingCapacity: true)
            firstRequest = 0
        } else if firstRequest > 1_024 {
            requests.removeFirst(firstRequest)
            firstRequest = 0
        }
        let outcome = request.outcome ?? .failure(.unavailable("PostgreSQL gave no answer"))
        if case .failure(let failure) = outcome { forget(request, failure) }
        request.completion(outcome)
    }

    /// A statement that could not be prepared, or has to be prepared anew, must not stay in the cache.
    private func forget(_ request: Request, _ failure: PostgreSQLFailure) {
        guard request.isPreparing || failure.remedy == .prepareAgain else { return }
        guard let name = cache.remove(request.key) else { return }
        // Another request may have prepared it in the meantime; that one is better than none.
        if name != request.name { _ = cache.insert(name, for: request.key) }
    }
}
