// What waits for a worker, and the threads that wait for it.

import Base

struct Job: Sendable {
    let request: WorkerRequest
    /// Of the file; closed by who added the job.
    let descriptor: Int32
    let payloadMax: Int
    /// Called once, from any thread.
    let finish: @Sendable (Result<WorkerResult, ImageError>) -> Void
}

final class JobQueue: Sendable {
    enum Addition { case taken, full, stopped }
    enum Wakeup { case job(Job), timeout, stopped }

    private struct State {
        var jobs: BoundedQueue<Job>
        var isStopped = false
    }

    private let state: Monitor<State>

    init(capacity: Int) { state = Monitor(State(jobs: BoundedQueue(capacity: capacity))) }

    func add(_ job: Job) -> Addition {
        state.signal { state in
            guard !state.isStopped else { return .stopped }
            return state.jobs.append(job) ? .taken : .full
        }
    }

    func next(within limit: Duration) -> Wakeup {
        let wakeup = state.wait(until: (Instant.now() + limit).nanoseconds) { state -> Wakeup? in
            if state.isStopped { return .stopped }
            return state.jobs.popFirst().map { .job($0) }
        }
        return wakeup ?? .timeout
    }

    /// What waits is answered now.
    func stop() {
        let rest = state.broadcast { state -> [Job] in
            state.isStopped = true
            var rest: [Job] = []
            while let job = state.jobs.popFirst() { rest.append(job) }
            return rest
        }
        for job in rest { job.finish(.failure(.stopping)) }
    }
}
