// Threads that read, each with a connection of its own and the snapshot of the moment at which a statement begins.

import Base
import Synchronization

final class SQLiteReaders: Sendable {
    private typealias Job = @Sendable (inout Reader) -> Void

    private struct Queue {
        var jobs: BoundedQueue<Job>
        var isStopped = false
        var running: Int
        var whenStopped: [CheckedContinuation<Void, Never>] = []
    }

    private enum Wakeup {
        case job(Job)
        case end
    }

    let count: Int
    private let queue: Monitor<Queue>

    init(_ location: SQLiteDatabase.Location, _ options: SQLiteDatabase.Options) throws(StoreError) {
        count = options.readers
        queue = Monitor(Queue(jobs: BoundedQueue(capacity: options.waitingReads), running: options.readers))
        for _ in 0..<count {
            try StoreThread.start("store-reader") { [self] in loop(Reader(location, options)) }
        }
    }

    func query(_ statement: Statement) async throws(StoreError) -> [Row] {
        let result = await withCheckedContinuation {
            (continuation: CheckedContinuation<Result<[Row], StoreError>, Never>) in
            let refusal = submit { reader in continuation.resume(returning: reader.query(statement)) }
            if let refusal { continuation.resume(returning: .failure(refusal)) }
        }
        return try result.get()
    }

    private func submit(_ job: @escaping Job) -> StoreError? {
        queue.signal { queue in
            if queue.isStopped { return .unavailable("the database is closed") }
            return queue.jobs.append(job) ? nil : .unavailable("too many reads are waiting")
        }
    }

    func stop() { queue.broadcast { $0.isStopped = true } }

    func close() async {
        await withCheckedContinuation { continuation in
            var isOver = false
            queue.broadcast { queue in
                queue.isStopped = true
                isOver = queue.running == 0
                if !isOver { queue.whenStopped.append(continuation) }
            }
            if isOver { continuation.resume() }
        }
    }

    private func loop(_ reader: consuming Reader) {
        while case .job(let job)? = next() { job(&reader) }
        reader.close()
        let continuations = queue.withLock { queue -> [CheckedContinuation<Void, Never>] in
            queue.running -= 1
            guard queue.running == 0 else { return [] }
            defer { queue.whenStopped = [] }
            return queue.whenStopped
        }
        for continuation in continuations { continuation.resume() }
    }

    private func next() -> Wakeup? {
        queue.wait { queue in
            if let job = queue.jobs.popFirst() { return .job(job) }
            return queue.isStopped ? .end : nil
        }
    }
}

/// What one reader thread owns. The connection is opened by the first read, and anew when one broke it.
private struct Reader {
    private let location: SQLiteDatabase.Location
    private let options: SQLiteDatabase.Options
    private var connection: SQLiteConnection?

    init(_ location: SQLiteDatabase.Location, _ options: SQLiteDatabase.Options) {
        self.location = location
        self.options = options
    }

    mutating func query(_ statement: Statement) -> Result<[Row], StoreError> {
        do throws(StoreError) {
            return .success(try opened().query(statement))
        } catch {
            if SQLiteFailure.wantsReopening(error) { connection = nil }
            return .failure(error)
        }
    }

    private mutating func opened() throws(StoreError) -> SQLiteConnection {
        if let connection { return connection }
        let new = try SQLiteConnection(location, .reader, options)
        connection = new
        return new
    }

    mutating func close() { connection = nil }
}
