// Threads for calls that block: password hashing, fsync, SQLite. A shard never waits for any of these.

package import Base
import CShims
import Glibc
import Synchronization

/// A fixed number of threads. As a task executor it takes every job (a task must be able to go on); whoever starts
/// new work asks through `perform`, which refuses when too much is waiting already.
///
/// `@unchecked Sendable`: the mutex and the condition variable live at fixed addresses; `state` is only touched under
/// the mutex, `threads` only by `init` and `stop`.
package final class BlockingPool: TaskExecutor, @unchecked Sendable {
    /// Too many calls wait already.
    package struct Full: Error, Equatable {
        package let limit: Int
        package init(limit: Int) { self.limit = limit }
    }

    private enum Work {
        case job(UnownedJob)
        case call(() -> Void)
    }

    private struct State {
        var waiting: [Work] = []
        var next = 0
        var isStopping = false
        var count: Int { waiting.count - next }
    }

    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private let name: StaticString
    private let queueLimit: Int
    private var state = State()
    private var threads: [pthread_t] = []

    /// `queueLimit`: calls of `perform` that may wait for a thread. Higher absorbs longer bursts, and lets the last
    /// one in wait longer.
    package init(name: StaticString, threads count: Int, queueLimit: Int) throws(SystemError) {
        precondition(count > 0 && queueLimit > 0, "a pool has at least one thread and one place to wait")
        self.name = name
        self.queueLimit = queueLimit
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
        for _ in 0..<count { try startThread() }
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    package var waitingCount: Int { locked { state.count } }

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        locked { state.waiting.append(.job(job)) }
        pthread_cond_signal(condition)
    }

    /// Runs `work` on one of the threads.
    package func perform<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async throws(Full) -> Value {
        let value: Value? = await withCheckedContinuation { continuation in
            let accepted = locked {
                guard state.count < queueLimit, !state.isStopping else { return false }
                state.waiting.append(.call { continuation.resume(returning: work()) })
                return true
            }
            if accepted { pthread_cond_signal(condition) } else { continuation.resume(returning: nil) }
        }
        guard let value else { throw Full(limit: queueLimit) }
        return value
    }

    /// Finishes what waits, and ends the threads.
    package func stop() {
        locked { state.isStopping = true }
        pthread_cond_broadcast(condition)
        for thread in threads { pthread_join(thread, nil) }
        threads = []
    }

    private func startThread() throws(SystemError) {
        var thread = pthread_t()
        let retained = Unmanaged.passRetained(self)  // released by the thread when it ends
        let code = pthread_create(
            &thread, nil,
            { context in
                guard let context else { preconditionFailure("a pool's thread starts with its pool") }
                let pool = Unmanaged<BlockingPool>.fromOpaque(context).takeRetainedValue()
                pool.name.withUTF8Buffer { _ in plexi_name_thread("\(pool.name)") }
                ThreadNiceness.takeFromProcess()
                pool.run()
                return nil
            }, retained.toOpaque())
        guard code == 0 else {
            retained.release()
            stop()
            throw SystemError("start a thread", code: code)
        }
        threads.append(thread)
    }

    private func run() {
        while let work = nextWork() {
            switch work {
            case .job(let job): job.runSynchronously(on: asUnownedTaskExecutor())
            case .call(let call): call()
            }
        }
    }

    /// Waits for work; `nil` when the pool stops and nothing waits.
    private func nextWork() -> Work? {
        locked {
            while state.count == 0 {
                if state.isStopping { return nil }
                pthread_cond_wait(condition, mutex)
            }
            let work = state.waiting[state.next]
            state.next += 1
            if state.next == state.waiting.count || state.next >= 256 {
                state.waiting.removeFirst(state.next)
                state.next = 0
            }
            return work
        }
    }

    private func locked<Result>(_ body: () -> Result) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body()
    }
}
