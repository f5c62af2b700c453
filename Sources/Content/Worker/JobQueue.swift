// What waits for a worker, and the threads that wait for it.

import Base
import Glibc

struct Job: Sendable {
    let request: WorkerRequest
    /// Of the file; closed by who added the job.
    let descriptor: Int32
    let payloadMax: Int
    /// Called once, from any thread.
    let finish: @Sendable (Result<WorkerResult, ImageError>) -> Void
}

/// `@unchecked`: what is stored is touched between `lock` and `unlock` only.
final class JobQueue: @unchecked Sendable {
    enum Addition { case taken, full, stopped }
    enum Wakeup { case job(Job), timeout, stopped }

    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var jobs: BoundedQueue<Job>
    private var isStopped = false

    init(capacity: Int) {
        jobs = BoundedQueue(capacity: capacity)
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    func add(_ job: Job) -> Addition {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        guard !isStopped else { return .stopped }
        guard jobs.append(job) else { return .full }
        pthread_cond_signal(condition)
        return .taken
    }

    func next(within limit: Duration) -> Wakeup {
        let deadline = Instant.now() + limit
        var time = timespec(
            tv_sec: Int(deadline.nanoseconds / 1_000_000_000), tv_nsec: Int(deadline.nanoseconds % 1_000_000_000))
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while true {
            if isStopped { return .stopped }
            if let job = jobs.popFirst() { return .job(job) }
            if pthread_cond_timedwait(condition, mutex, &time) == ETIMEDOUT { return .timeout }
        }
    }

    /// What waits is answered now.
    func stop() {
        var rest: [Job] = []
        pthread_mutex_lock(mutex)
        isStopped = true
        while let job = jobs.popFirst() { rest.append(job) }
        pthread_cond_broadcast(condition)
        pthread_mutex_unlock(mutex)
        for job in rest { job.finish(.failure(.stopping)) }
    }
}
