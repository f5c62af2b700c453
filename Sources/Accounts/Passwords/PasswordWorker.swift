// Argon2id on threads of its own. A hash takes tens of milliseconds and megabytes on purpose: on a shard's thread it
// would stop every request of that shard, and without a bound a flood of logins would take all memory.

package import Base
package import Crypto
import Glibc
import Synchronization

package final class PasswordWorker: Sendable {
    package struct Options: Sendable {
        /// More threads check more passwords at once, and take as many times the memory of one hash.
        package var threads: Int
        /// Passwords that wait; one more is refused with `.busy`. At 30 ms a hash and two threads, the last of 256
        /// waits four seconds: longer than a person would.
        package var waiting: Int
        package var parameters: Argon2id.Parameters

        package init(threads: Int = 2, waiting: Int = 256, parameters: Argon2id.Parameters = .init()) {
            self.threads = threads
            self.waiting = waiting
            self.parameters = parameters
        }
    }

    /// The workers give way to the shards, which answer everyone else.
    private static let niceness: Int32 = 10

    package let parameters: Argon2id.Parameters
    private let queue: JobQueue
    /// What a password is compared with where there is no account, so that the answer takes as long.
    private let decoy: String

    package init(_ options: Options = Options()) throws(AccountError) {
        parameters = options.parameters
        if let problem = Argon2id.problem(with: parameters) {
            throw Validation.fault(.password, .value, "Argon2id cannot use these parameters: \(problem)")
        }
        decoy = Self.decoy(parameters)
        queue = JobQueue(capacity: max(1, options.waiting))
        for _ in 0..<max(1, options.threads) {
            let queue = queue
            try WorkerThread.start(niceness: Self.niceness) {
                while let job = queue.next(idle: Argon2id.releaseMemory) { job() }
            }
        }
    }

    deinit { queue.close() }

    /// A hash that no password has, made without the work of hashing: the server is to be ready at once.
    private static func decoy(_ parameters: Argon2id.Parameters) -> String {
        func text(_ count: Int) -> String {
            String(Base64.encode(SecureRandom.bytes(count)).prefix { $0 != "=" })
        }
        let costs = "m=\(parameters.memoryKiB),t=\(parameters.iterations),p=\(parameters.parallelism)"
        return "$argon2id$v=19$\(costs)$\(text(Argon2id.saltCount))$\(text(Argon2id.tagCount))"
    }

    /// A PHC string with a salt of its own.
    package func hash(_ password: Secret) async throws(AccountError) -> String {
        let parameters = parameters
        let hash = try await run { try? Argon2id.hash(password, parameters) }
        // The parameters were tried in `init`; what is left is that there is no memory now.
        guard let hash else { throw .busy }
        return hash
    }

    /// Takes as long whether there is a hash to compare with or not.
    package func verify(_ password: Secret, against hash: String?) async throws(AccountError) -> Bool {
        let decoy = decoy
        let matches = try await run { Argon2id.verify(password, against: hash ?? decoy) }
        return matches && hash != nil
    }

    /// True when the hash was made with weaker (or other) parameters than are set today.
    package func isOutdated(_ hash: String) -> Bool { Argon2id.parameters(of: hash) != parameters }

    package var waitingCount: Int { queue.count }

    /// Lets the threads end when they have done what waits.
    package func stop() { queue.close() }

    private func run<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async throws(AccountError) -> Value {
        let value: Value? = await withCheckedContinuation { continuation in
            let taken = queue.append { continuation.resume(returning: work()) }
            if !taken { continuation.resume(returning: nil) }
        }
        guard let value else { throw .busy }
        return value
    }
}

/// Jobs, and threads that sleep until there is one.
///
/// `@unchecked`: `jobs` and `isClosed` are touched only while `mutex` is held.
@safe private final class JobQueue: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>
    /// Between the logins of a burst the memory of one hash serves the next; a quiet server should not hold 19 MiB.
    private static let idleSeconds = 1

    private var jobs: BoundedQueue<@Sendable () -> Void>
    private var isClosed = false

    init(capacity: Int) {
        unsafe mutex = .allocate(capacity: 1)
        unsafe condition = .allocate(capacity: 1)
        unsafe pthread_mutex_init(mutex, nil)
        unsafe pthread_cond_init(condition, nil)
        jobs = BoundedQueue(capacity: capacity)
    }

    deinit {
        unsafe pthread_cond_destroy(condition)
        unsafe pthread_mutex_destroy(mutex)
        unsafe condition.deallocate()
        unsafe mutex.deallocate()
    }

    var count: Int { locked { jobs.count } }

    /// False when the queue is full or closed.
    func append(_ job: @escaping @Sendable () -> Void) -> Bool {
        let taken = locked { !isClosed && jobs.append(job) }
        if taken { unsafe pthread_cond_signal(condition) }
        return taken
    }

    /// Sleeps until there is a job; `nil` when there will be none. Calls `idle` once when none has come for a while.
    func next(idle: () -> Void) -> (@Sendable () -> Void)? {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        var mayBecomeIdle = true
        while true {
            if let job = jobs.popFirst() { return job }
            if isClosed { return nil }
            if mayBecomeIdle, sleepBriefly() {
                mayBecomeIdle = false
                unsafe pthread_mutex_unlock(mutex)
                idle()
                unsafe pthread_mutex_lock(mutex)
            } else if !mayBecomeIdle {
                unsafe pthread_cond_wait(condition, mutex)
            }
        }
    }

    /// True when the time passed and nobody called. `mutex` is held.
    private func sleepBriefly() -> Bool {
        var end = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &end)
        end.tv_sec += Self.idleSeconds
        return unsafe pthread_cond_timedwait(condition, mutex, &end) == ETIMEDOUT
    }

    func close() {
        locked { isClosed = true }
        unsafe pthread_cond_broadcast(condition)
    }

    private func locked<Value>(_ body: () -> Value) -> Value {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return body()
    }
}

private enum WorkerThread {
    private final class Body {
        let niceness: Int32
        let run: @Sendable () -> Void
        init(niceness: Int32, run: @escaping @Sendable () -> Void) {
            self.niceness = niceness
            self.run = run
        }
    }

    /// A detached thread: it ends when its body does.
    static func start(niceness: Int32, _ run: @escaping @Sendable () -> Void) throws(AccountError) {
        // The new thread takes the reference over: `passRetained` here, `takeRetainedValue` there.
        let body = unsafe Unmanaged.passRetained(Body(niceness: niceness, run: run))
        var thread = pthread_t()
        let code = unsafe pthread_create(&thread, nil, { unsafe WorkerThread.main($0) }, body.toOpaque())
        guard code == 0 else {
            unsafe body.release()
            throw .busy
        }
        pthread_detach(thread)
    }

    private static func main(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
        guard let argument = unsafe argument else { return nil }
        let body = unsafe Unmanaged<Body>.fromOpaque(argument).takeRetainedValue()
        // On Linux a thread has a niceness of its own, and 0 means the calling one.
        setpriority(Int32(PRIO_PROCESS.rawValue), 0, body.niceness)
        body.run()
        return nil
    }
}
